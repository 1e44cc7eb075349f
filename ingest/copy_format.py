"""How do columns become the bytes of PostgreSQL's binary COPY, without a Python object a row?"""

from __future__ import annotations

import numpy as np

from schemas.observation import ObservationBatch

# Each row: the number of columns, then each column's length and its bytes, all big-endian.
_ROW = np.dtype(
    [
        ("columns", ">i2"),
        ("observed_length", ">i4"),
        ("observed_at", ">i8"),
        ("received_length", ">i4"),
        ("received_at", ">i8"),
        ("value_length", ">i4"),
        ("value", ">f8"),
        ("patient_length", ">i4"),
        ("patient_id", ">i4"),
        ("device_length", ">i4"),
        ("device_id", ">i4"),
        ("vital_length", ">i4"),
        ("vital", ">i2"),
        ("flags_length", ">i4"),
        ("flags", ">i2"),
    ]
)
_BLANK = np.array([(7, 8, 0, 8, 0, 8, 0.0, 4, 0, 4, 0, 2, 0, 2, 0)], _ROW)
_SIGNATURE = b"PGCOPY\n\xff\r\n\0" + bytes(8)
_END = b"\xff\xff"
# PostgreSQL counts microseconds from 2000-01-01
_EPOCH_2000 = 946_684_800_000_000


def pack(batch: ObservationBatch) -> bytes:
    """Give what ``copy observation (observed_at, received_at, value, patient_id, device_id, vital, flags)`` reads."""
    rows = np.repeat(_BLANK, len(batch))
    rows["observed_at"] = batch.observed_at - _EPOCH_2000
    rows["received_at"] = batch.received_at - _EPOCH_2000
    for name in ("value", "patient_id", "device_id", "vital", "flags"):
        rows[name] = getattr(batch, name)
    return _SIGNATURE + rows.tobytes() + _END

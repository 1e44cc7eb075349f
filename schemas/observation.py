"""What is an observation: on the wire, and as columns of arrays?

``NativeMessage`` is the payload that our own devices send; its JSON Schema comes from the code. ``ObservationBatch`` is
the only form in which observations travel inside Homeward: parallel arrays, one element an observation.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields
from enum import IntFlag
from typing import Annotated, Any

import msgspec
import numpy as np
from numpy.typing import NDArray


class Flag(IntFlag):
    """What is known of an observation's quality; a bit each in ``observation.flags``."""

    SUSPECTED_REPEAT = 1
    IRREGULAR_PULSE = 2
    MOVEMENT = 4
    CUFF_FIT = 8
    CLOCK_UNSET = 16
    TOO_LATE = 32
    BY_HAND = 64
    POOR_SIGNAL = 128
    POSITION = 256
    OUTLIER = 512


CORES_OWN = Flag.SUSPECTED_REPEAT | Flag.OUTLIER
"""What the scoring finds; everything else is the device's word, or ingest's."""

QUALITY_WORDS = {
    "irregular_pulse": Flag.IRREGULAR_PULSE,
    "movement": Flag.MOVEMENT,
    "cuff_fit": Flag.CUFF_FIT,
    "clock_unset": Flag.CLOCK_UNSET,
    "poor_signal": Flag.POOR_SIGNAL,
    "position": Flag.POSITION,
}

ShortText = Annotated[str, msgspec.Meta(max_length=64)]


class Quantity(msgspec.Struct, forbid_unknown_fields=True):
    """A value with its unit stated as a UCUM code."""

    value: float
    unit: ShortText


class NativeMessage(msgspec.Struct, forbid_unknown_fields=True):
    """Observations of one person at one instant, as our devices send them."""

    time: Annotated[str, msgspec.Meta(description="ISO 8601 with an offset from UTC", max_length=40)]
    values: Annotated[
        dict[ShortText, float | Quantity],
        msgspec.Meta(description="by vital sign, in the catalogue's unit or with the unit stated", min_length=1),
    ]
    id: ShortText | None = None
    device: ShortText | None = None
    user: Annotated[int, msgspec.Meta(ge=0, le=32767)] | None = None
    resident: (
        Annotated[
            str,
            msgspec.Meta(
                description="the code of a resident, from a device that a home shares; no name, no NHS number",
                max_length=32,
            ),
        ]
        | None
    ) = None
    quality: Annotated[list[ShortText], msgspec.Meta(max_length=16)] = []
    note: Annotated[str, msgspec.Meta(max_length=1000)] | None = None
    sequence: (
        Annotated[int, msgspec.Meta(description="counted up by the sender, so that a lost one shows", ge=1, le=2**62)]
        | None
    ) = None


def native_json_schema() -> dict[str, Any]:
    """Give the JSON Schema of the native payload: one message, or a list of them."""
    return msgspec.json.schema(NativeMessage | list[NativeMessage])


@dataclass(frozen=True)
class ObservationBatch:
    """N observations as parallel arrays of shape (N,).

    Parameters
    ----------
    patient_id, device_id : int32 array
        Whose and from which device.
    vital : int16 array
        Code in the catalogue of vital signs.
    observed_at, received_at : int64 array
        Microseconds since 1970 UTC: PostgreSQL's resolution.
    value : float64 array
        In the catalogue's unit.
    flags : int16 array
        Bits of `Flag`.
    """

    patient_id: NDArray[np.int32]
    device_id: NDArray[np.int32]
    vital: NDArray[np.int16]
    observed_at: NDArray[np.int64]
    received_at: NDArray[np.int64]
    value: NDArray[np.float64]
    flags: NDArray[np.int16]

    def __post_init__(self) -> None:
        lengths = {len(getattr(self, f.name)) for f in fields(self)}
        if len(lengths) > 1:
            raise ValueError(f"ObservationBatch: columns of different lengths {sorted(lengths)}; expected one length")

    def __len__(self) -> int:
        return len(self.patient_id)

    def take(self, index: NDArray[Any]) -> ObservationBatch:
        """Choose observations by a mask or by positions."""
        return ObservationBatch(**{f.name: getattr(self, f.name)[index] for f in fields(self)})

    def with_flags(self, flags: NDArray[np.int16]) -> ObservationBatch:
        """Give the same observations with other flags."""
        columns = {f.name: getattr(self, f.name) for f in fields(self)}
        return ObservationBatch(**(columns | {"flags": flags}))

    @classmethod
    def of(
        cls,
        patient_id: Any,
        device_id: Any,
        vital: Any,
        observed_at: Any,
        received_at: Any,
        value: Any,
        flags: Any,
    ) -> ObservationBatch:
        """Build the arrays from sequences, with the right element types."""
        return cls(
            np.asarray(patient_id, np.int32),
            np.asarray(device_id, np.int32),
            np.asarray(vital, np.int16),
            np.asarray(observed_at, np.int64),
            np.asarray(received_at, np.int64),
            np.asarray(value, np.float64),
            np.asarray(flags, np.int16),
        )

    @classmethod
    def empty(cls) -> ObservationBatch:
        """Give a batch without observations."""
        return cls.of([], [], [], [], [], [], [])

    @classmethod
    def concatenate(cls, batches: Sequence[ObservationBatch]) -> ObservationBatch:
        """Put batches one after another."""
        if not batches:
            return cls.empty()
        return cls(**{f.name: np.concatenate([getattr(b, f.name) for b in batches]) for f in fields(cls)})

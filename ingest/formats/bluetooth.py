"""What does a hub say that passes Bluetooth records on, and whose clock tells when it was?

A device's clock shows local time. It is read by the time zone in the device's record; where it is not set, the hub's
own time counts, with a flag, and where there is none nothing is stored.
"""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Mapping
from typing import Any

import msgspec

from ingest.formats.characteristics import READERS, Record, read
from ingest.formats.decoded import Decoded, Rejection
from ingest.formats.instant import from_local, microseconds
from ingest.formats.json_document import Refused, refuse_doubled
from schemas.bluetooth_record import BluetoothRecord
from schemas.observation import Flag
from schemas.quarantine import Reason
from schemas.vital_signs import BY_NAME

_NUMBER = re.compile(r"(?:0x)?([0-9a-f]{4})|0000([0-9a-f]{4})-0000-1000-8000-00805f9b34fb", re.IGNORECASE)
_LARGEST_USER = 32_767


def is_record(document: Any) -> bool:
    """Say whether a JSON document is a hub's, going by the field that no other format has."""
    return isinstance(document, dict) and "characteristic" in document


def decode(document: Any, message: int, out: Decoded, sender: str, zones: Mapping[str, str]) -> None:
    """Read one record, or a list of them, into ``out``; nothing is raised."""
    records = document if isinstance(document, list) else [document]
    for position, one in enumerate(records):
        where = f"[{position}]" if isinstance(document, list) else "payload"
        count = 1
        device = one.get("device") if isinstance(one, dict) else None
        device = device if isinstance(device, str) else None
        try:
            refuse_doubled(one, where)
            envelope = msgspec.convert(one, BluetoothRecord)
            record = read(_characteristic(envelope), _bytes(envelope))
            count = len(record.values)
            out.rejections += [Rejection(message, r.reason, f"{where}: {r}", 1, device) for r in record.refusals]
            if record.values:
                _take(envelope, record, message, out, zones.get(device or sender))
        except msgspec.ValidationError as invalid:
            out.rejections.append(Rejection(message, Reason.WRONG_TYPE, f"{where}: {invalid}", count, device))
        except Refused as refused:
            out.rejections.append(Rejection(message, refused.reason, f"{where}: {refused}", count, device))


def _take(envelope: BluetoothRecord, record: Record, message: int, out: Decoded, zone: str | None) -> None:
    user = envelope.user if record.user is None else record.user
    if user is not None and not 0 <= user <= _LARGEST_USER:
        raise Refused(Reason.WRONG_TYPE, f"user: {user}; expected 0 to {_LARGEST_USER}")
    flags = record.flags
    if record.local is not None and not record.clock_unset:
        observed_at = from_local(record.local, zone, "value: its time")
    elif envelope.time is not None:
        observed_at = microseconds(envelope.time)
        flags |= Flag.CLOCK_UNSET if record.clock_unset else Flag(0)
    else:
        why = "its clock is not set" if record.clock_unset else "it has no time"
        raise Refused(Reason.MISSING_TIME, f"value: {why}; let the hub state the time of the notification")
    values = [(BY_NAME[vital].code, value) for vital, value in record.values.items()]
    out.add(message, observed_at, values, device=envelope.device, user=user or 0, flags=int(flags))


def _characteristic(envelope: BluetoothRecord) -> str:
    found = _NUMBER.fullmatch(envelope.characteristic)
    number = (found[1] or found[2]).upper() if found else ""
    if number not in READERS:
        known = ", ".join(READERS)
        raise Refused(Reason.WRONG_TYPE, f"characteristic: {envelope.characteristic!r}; expected one of {known}")
    return number


def _bytes(envelope: BluetoothRecord) -> bytes:
    try:
        if envelope.encoding == "hex":
            return bytes.fromhex(envelope.value)
        return base64.b64decode(envelope.value, validate=True)
    except (ValueError, binascii.Error) as wrong:
        raise Refused(Reason.WRONG_TYPE, f"value: is not {envelope.encoding}: {wrong}") from None

"""What does a payload of our own devices say, and if it cannot be understood, which part and why?

A payload that is as it should be takes the fast path: one strict decoder, no look at anything twice. Any other is read
again with patience, set by set and value by value, so that one wrong value costs neither its neighbours nor its reason.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import msgspec

from ingest.formats.decoded import Decoded, Rejection
from ingest.formats.instant import microseconds
from ingest.formats.json_document import Doubled, Refused, kind
from ingest.limits import LARGEST_PAYLOAD
from schemas.observation import QUALITY_WORDS, NativeMessage, Quantity
from schemas.quarantine import Reason
from schemas.units import UnitError, to_catalogue_unit
from schemas.vital_signs import BY_NAME

CODES = {name: vital.code for name, vital in BY_NAME.items()}
QUALITY = {word: int(flag) for word, flag in QUALITY_WORDS.items()}
FIELDS = frozenset(NativeMessage.__struct_fields__)

_STRICT = msgspec.json.Decoder(NativeMessage | list[NativeMessage])


def take(payload: bytes, message: int, out: Decoded) -> bool:
    """Read one payload that is as it should be into ``out``; say whether it was.

    It is a set of observations or a list of them; where it is anything else, nothing has been read.
    """
    if len(payload) > LARGEST_PAYLOAD:
        return False
    try:
        parsed = _STRICT.decode(payload)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return False
    sets = (parsed,) if type(parsed) is NativeMessage else parsed
    if payload.count(b'":') != sum(map(_names, sets)) or not sets:
        return False
    for found in sets:
        _take(found, message, out)
    return True


def read(document: Any, message: int, out: Decoded) -> None:
    """Read with patience a JSON document that is not as it should be.

    Every value ends in the columns or is counted in a rejection; nothing is raised.
    """
    sets = document if isinstance(document, list) else [document]
    if not sets:
        out.rejections.append(
            Rejection(message, Reason.WRONG_TYPE, "payload: an empty list; expected at least one set")
        )
    for position, one in enumerate(sets):
        where = f"[{position}] " if isinstance(document, list) else ""
        for rejection in _read_set(one, message, where, out):
            out.rejections.append(rejection)


def _names(found: NativeMessage) -> int:
    """Count the names that the set's JSON must contain; more of them means that one was given twice."""
    values = found.values
    count = (
        2
        + len(values)
        + (found.id is not None)
        + (found.device is not None)
        + (found.user is not None)
        + (found.resident is not None)
        + (found.note is not None)
        + (found.sequence is not None)
        + bool(found.quality)
    )
    for value in values.values():
        if type(value) is not float:
            count += 2
    return count


def _take(found: NativeMessage, message: int, out: Decoded) -> None:
    """Append one well-formed set."""
    if found.sequence is not None:
        out.sequences.append((message, found.sequence))
    try:
        observed_at = microseconds(found.time)
    except Refused as wrong:
        reason = wrong.reason if found.time.strip() else Reason.MISSING_TIME
        out.rejections.append(Rejection(message, reason, str(wrong), len(found.values), found.device))
        return
    size = 0
    for name, value in found.values.items():
        code = CODES.get(name)
        if code is None:
            out.rejections.append(_unknown_vital(name, message, found.device))
            continue
        if type(value) is not float:
            try:
                value = to_catalogue_unit(BY_NAME[name], value.value, value.unit)  # type: ignore[union-attr]
            except UnitError as wrong:
                out.rejections.append(Rejection(message, Reason.UNIT, str(wrong), 1, found.device))
                continue
        out.vital.append(code)
        out.value.append(value)
        size += 1
    if not size:
        return
    flags = 0
    for word in found.quality:
        flags |= QUALITY.get(word, 0)
    if found.resident is not None:
        out.resident[len(out.message)] = found.resident
    out.message.append(message)
    out.device.append(found.device)
    out.user.append(found.user or 0)
    out.observed_at.append(observed_at)
    out.flags.append(flags)
    out.size.append(size)


def _unknown_vital(name: str, message: int, device: str | None) -> Rejection:
    known = ", ".join(BY_NAME)
    return Rejection(message, Reason.UNKNOWN_VITAL_SIGN, f"values: {name!r} is not one of {known}", 1, device)


# ------------------------------------------------------------------------------------------------- the patient path


def _read_set(one: Any, message: int, where: str, out: Decoded) -> Iterator[Rejection]:
    """Read one set with patience; give its rejections, whose counts add up to all values that were not taken."""
    count = _count_values(one)
    device = one.get("device") if isinstance(one, dict) and isinstance(one.get("device"), str) else None
    wrong = _whole_set(one, where)
    _note_sequence(one, message, out)
    if wrong is not None:
        yield Rejection(message, wrong[0], wrong[1], count, device)
        return
    values = {}
    for name, value in one["values"].items():
        found = _read_value(name, value)
        if isinstance(found, tuple):
            yield Rejection(message, found[0], f"{where}values: {found[1]}", 1, device)
        else:
            values[name] = found
    if not values:
        return
    try:
        _take(msgspec.convert(one | {"values": values}, NativeMessage), message, out)
    except msgspec.ValidationError as invalid:
        yield Rejection(message, Reason.WRONG_TYPE, f"{where}set: {invalid}", len(values), device)


def _note_sequence(one: Any, message: int, out: Decoded) -> None:
    """Note the number of a set of which something is put aside: it did arrive."""
    number = one.get("sequence") if isinstance(one, dict) else None
    if type(number) is int and 1 <= number <= 2**62:
        out.sequences.append((message, number))


def _count_values(one: Any) -> int:
    values = one.get("values") if isinstance(one, dict) else None
    return max(1, len(values)) if isinstance(values, dict) else 1


def _whole_set(one: Any, where: str) -> tuple[Reason, str] | None:
    """Find what makes a whole set unusable."""
    if not isinstance(one, dict):
        return Reason.WRONG_TYPE, f"{where}set: {kind(one)}; expected an object"
    if isinstance(one, Doubled):
        return Reason.CONTRADICTORY, f"{where}set: {one.name!r} is there twice; expected once"
    time = one.get("time")
    if time is None or time == "":
        return Reason.MISSING_TIME, f"{where}time: missing; expected like 2026-11-22T08:00:00.123+00:00"
    values = one.get("values")
    if not isinstance(values, dict) or not values:
        return Reason.WRONG_TYPE, f"{where}values: expected an object with at least one vital sign"
    if isinstance(values, Doubled):
        return Reason.CONTRADICTORY, f"{where}values: {values.name!r} is there twice; expected once"
    try:
        rest = {name: one[name] for name in one if name != "values"}
        msgspec.convert(rest | {"values": {"pulse": 0.0}}, NativeMessage)
    except msgspec.ValidationError as invalid:
        return Reason.WRONG_TYPE, f"{where}set: {invalid}"
    return None


def _read_value(name: str, value: Any) -> float | Quantity | tuple[Reason, str]:
    if name not in CODES:
        return Reason.UNKNOWN_VITAL_SIGN, f"{name!r} is not one of {', '.join(BY_NAME)}"
    if isinstance(value, Doubled):
        return Reason.CONTRADICTORY, f"{name}: {value.name!r} is there twice; expected once"
    try:
        return msgspec.convert(value, float | Quantity)
    except (msgspec.ValidationError, OverflowError) as invalid:
        return Reason.WRONG_TYPE, f"{name}: {invalid}"

"""What does a history say that omblepy has read out of a cuff?

A CSV table with a header and a row a measurement, ``datetime,dia,sys,bpm,mov,ihb`` in any order, all that the cuff
remembers at once. Its times are those of the cuff's clock, so they need the time zone in the device's record. omblepy
writes a file for each of the two users; a column ``user`` tells them apart in a message.
"""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Mapping
from datetime import datetime

from ingest.formats.decoded import Decoded, Rejection
from ingest.formats.instant import from_local, microseconds
from ingest.formats.json_document import Refused
from schemas.csv_rows import numbered_rows
from schemas.observation import Flag
from schemas.quarantine import Reason
from schemas.vital_signs import BY_NAME

_MEASURED = {"sys": "bp_systolic", "dia": "bp_diastolic", "bpm": "pulse"}
_NOTED = {"mov": Flag.MOVEMENT, "ihb": Flag.IRREGULAR_PULSE}
_NEEDED = frozenset({"datetime", "sys", "dia"})
_KNOWN = frozenset({"datetime", "user", *_MEASURED, *_NOTED})
_NUMBER = re.compile(r"\d{1,4}(?:\.\d{1,3})?\Z", re.ASCII)
_USERS = ("", "1", "2")


def is_table(payload: bytes) -> bool:
    """Say whether a payload begins with the header of such a table."""
    first = payload[:200].lstrip(b"\xef\xbb\xbf").splitlines()[:1]
    return bool(first) and _names(first[0].decode("utf-8", "replace")) >= _NEEDED


def decode(payload: bytes, message: int, out: Decoded, zone: str | None) -> None:
    """Read a table into ``out``; nothing is raised."""
    try:
        reader = csv.reader(io.StringIO(payload.decode("utf-8-sig"), newline=""), strict=True)
        rows = list(numbered_rows(reader))
        header = _header(rows[0][1])
    except (UnicodeDecodeError, csv.Error) as wrong:
        detail = f"payload: {wrong}; expected a table in UTF-8 with commas"
        out.rejections.append(Rejection(message, Reason.MALFORMED, detail))
        return
    except Refused as refused:
        out.rejections.append(Rejection(message, refused.reason, str(refused)))
        return
    measured = sum(name in _MEASURED for name in header)
    if not rows[1:]:
        out.rejections.append(Rejection(message, Reason.NO_VALUE, "line 2: missing; expected a row a measurement"))
    for number, row in rows[1:]:
        try:
            _read(_fields(header, row), message, out, zone)
        except Refused as refused:
            out.rejections.append(Rejection(message, refused.reason, f"line {number}: {refused}", measured))


def _names(line: str) -> set[str]:
    return {name.strip().strip('"') for name in line.split(",")}


def _header(row: list[str]) -> list[str]:
    names = [name.strip() for name in row]
    unknown = sorted(set(names) - _KNOWN)
    if unknown:
        raise Refused(Reason.UNKNOWN_VITAL_SIGN, f"line 1: {unknown[0]!r}; expected only {', '.join(sorted(_KNOWN))}")
    if len(set(names)) < len(names) or not set(names) >= _NEEDED:
        raise Refused(Reason.CONTRADICTORY, f"line 1: expected each of {', '.join(sorted(_NEEDED))} once")
    return names


def _fields(header: list[str], row: list[str]) -> Mapping[str, str]:
    if len(row) != len(header):
        raise Refused(Reason.MALFORMED, f"{len(row)} fields; expected {len(header)} as in the first line")
    return {name: field.strip() for name, field in zip(header, row, strict=True)}


def _read(fields: Mapping[str, str], message: int, out: Decoded, zone: str | None) -> None:
    values = []
    for name, vital in _MEASURED.items():
        if name in fields:
            if not _NUMBER.match(fields[name]):
                raise Refused(Reason.WRONG_TYPE, f"{name}: {fields[name]!r}; expected a number")
            values.append((BY_NAME[vital].code, float(fields[name])))
    flags = Flag(0)
    for name, flag in _NOTED.items():
        noted = fields.get(name, "0")
        if not noted.isascii() or not noted.isdigit():
            raise Refused(Reason.WRONG_TYPE, f"{name}: {noted!r}; expected 0 or 1")
        flags |= flag if noted.strip("0") else Flag(0)
    user = fields.get("user", "")
    if user not in _USERS:
        raise Refused(Reason.WRONG_TYPE, f"user: {user!r}; expected 1 or 2")
    observed_at = _observed_at(fields["datetime"], zone)
    out.add(message, observed_at, values, user=int(user or "0"), flags=int(flags))


def _observed_at(text: str, zone: str | None) -> int:
    try:
        when = datetime.fromisoformat(text)
    except ValueError:
        raise Refused(Reason.WRONG_TYPE, f"datetime: {text!r}; expected like 2026-11-22 08:00:00") from None
    return microseconds(text, "datetime") if when.tzinfo is not None else from_local(when, zone, "datetime")

"""What does a line of the export2garmin scale bridge say?

``1672412076;58.4;521;3.5;5``: seconds since 1970, kilograms, impedance, volts and per cent of the battery. The kilogram
is the format's own; impedance and battery are read past.
"""

from __future__ import annotations

import re

from ingest.formats.decoded import Decoded, Rejection
from ingest.formats.instant import from_unix_seconds
from ingest.formats.json_document import Refused
from schemas.quarantine import Reason
from schemas.topic import SCALE_TOPIC
from schemas.vital_signs import BY_NAME

TOPIC = SCALE_TOPIC
_SHAPE = re.compile(rb"\s*\d{6,12};[0-9.;\s]*\Z")
_NUMBER = re.compile(r"\d{1,12}(?:\.\d{1,6})?\Z", re.ASCII)
_FIELDS = ("time", "weight", "impedance", "volts", "battery")
_NEEDED = ("time", "weight")


def is_line(payload: bytes) -> bool:
    """Say whether a payload looks like such lines."""
    return _SHAPE.match(payload) is not None


def decode(payload: bytes, message: int, out: Decoded) -> None:
    """Read one line, or more, into ``out``; nothing is raised."""
    lines = [line for line in payload.decode("utf-8", "replace").splitlines() if line.strip()]
    for number, line in enumerate(lines or [""], start=1):
        try:
            observed_at, weight = _read(line.strip())
            out.add(message, observed_at, [(BY_NAME["weight"].code, weight)])
        except Refused as refused:
            out.rejections.append(Rejection(message, refused.reason, f"line {number}: {refused}"))


def _read(line: str) -> tuple[int, float]:
    parts = line.split(";")
    if len(parts) != len(_FIELDS):
        raise Refused(Reason.MALFORMED, f"{len(parts)} fields; expected {', '.join(_FIELDS)}, with ; between them")
    for name, part in zip(_FIELDS, parts, strict=True):
        if not _NUMBER.match(part) and (part or name in _NEEDED):
            raise Refused(Reason.WRONG_TYPE, f"{name}: {part!r}; expected a number")
    return from_unix_seconds(float(parts[0])), float(parts[1])

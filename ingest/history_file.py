"""What does a table of history say, row by row, and which rows cannot be taken?

CSV, plain or gzip: long (a row a value: time, vital, value), wide (a row an instant, a column a vital sign), or the
table that omblepy writes. It is read in blocks, so its size does not matter; what is taken becomes columns, and each
row that is not is told with its line and the reason.
"""

from __future__ import annotations

import csv
import gzip
import math
import zlib
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import IO, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ingest.formats.instant import from_local, microseconds
from ingest.formats.json_document import Refused
from schemas.csv_rows import read_rows
from schemas.observation import Flag
from schemas.quarantine import Reason
from schemas.units import UnitError, to_catalogue_unit
from schemas.vital_signs import ACVPU, BY_NAME

BLOCK = 50_000
"""Rows read at once."""
TIME, PATIENT, DEVICE, USER, VITAL, VALUE, UNIT = "time", "patient", "device", "user", "vital", "value", "unit"
_WORDS = {"observed_at": TIME, "datetime": TIME, "timestamp": TIME}
_OMBLEPY = {"sys": "bp_systolic", "dia": "bp_diastolic", "bpm": "pulse"}
_FLAGS = {"mov": Flag.MOVEMENT, "ihb": Flag.IRREGULAR_PULSE}
_ROLES = (TIME, PATIENT, DEVICE, USER, VITAL, VALUE, UNIT)


class HistoryError(ValueError):
    """The file cannot be imported as it is; the message says where, what was expected, and what to do."""


class RefusedRow(NamedTuple):
    """A row that is not taken: its line in the file, the reason, and a sentence."""

    line: int
    reason: Reason
    detail: str


@dataclass
class Block:
    """N values of some rows, as columns, and the rows of them that are not taken.

    ``patient`` and ``device`` are what the file says, or "".
    """

    line: list[int] = field(default_factory=list)
    at: list[int] = field(default_factory=list)
    vital: list[int] = field(default_factory=list)
    value: list[float] = field(default_factory=list)
    flags: list[int] = field(default_factory=list)
    patient: list[str] = field(default_factory=list)
    device: list[str] = field(default_factory=list)
    user: list[int] = field(default_factory=list)
    refused: list[RefusedRow] = field(default_factory=list)
    rows: int = 0

    def columns(self) -> tuple[NDArray[np.int64], ...]:
        """Give line, instant, vital sign, flags and user as arrays."""
        return tuple(np.array(c, np.int64) for c in (self.line, self.at, self.vital, self.flags, self.user))


@dataclass(frozen=True)
class Layout:
    """Which column is what: the place of each role, and of each vital sign in a wide table; and what is none of it."""

    roles: Mapping[str, int]
    vitals: Mapping[int, str]
    flags: Mapping[int, Flag]
    width: int
    ignored: tuple[str, ...] = ()

    @property
    def is_long(self) -> bool:
        """Whether a row is one value."""
        return VITAL in self.roles


def layout_of(header: Sequence[str], named: Mapping[str, str], path: str) -> Layout:
    """Find which column is what, by its name or by what ``named`` says of it.

    Raises
    ------
    HistoryError
        Where there is no time, no value, or two columns for the same.
    """
    names = [name.strip() for name in header]
    missing = sorted(set(named) - set(names))
    if missing:
        raise HistoryError(f"{path}:1: there is no column {missing[0]!r} to map; there are {', '.join(names)}.")
    is_omblepy = {"sys", "dia", "datetime"} <= set(names)
    roles: dict[str, int] = {}
    vitals: dict[int, str] = {}
    flags: dict[int, Flag] = {}
    ignored: list[str] = []
    for place, name in enumerate(names):
        meant = (
            named.get(name) or _WORDS.get(name.lower()) or (_OMBLEPY.get(name) if is_omblepy else None) or name.lower()
        )
        if is_omblepy and name in _FLAGS:
            flags[place] = _FLAGS[name]
        elif meant in BY_NAME or meant in _ROLES:
            if meant in roles or meant in vitals.values():
                raise HistoryError(f"{path}:1: two columns for {meant}; map one of them to something else.")
            if meant in BY_NAME:
                vitals[place] = meant
            else:
                roles[meant] = place
        elif name in named:
            known = ", ".join((*_ROLES, *BY_NAME))
            raise HistoryError(f"--map {name}={named[name]}: {named[name]!r} is not one of {known}.")
        else:
            ignored.append(name)
    if TIME not in roles:
        raise HistoryError(f"{path}:1: no column for the time; name it 'time', or say --map COLUMN=time.")
    if (VITAL in roles) != (VALUE in roles) or (VITAL in roles) == bool(vitals):
        raise HistoryError(
            f"{path}:1: expected either columns 'vital' and 'value', or a column for each vital sign; say which is "
            f"which with --map COLUMN=NAME. The names are {', '.join(BY_NAME)}."
        )
    if UNIT in roles and len(vitals) > 1:
        raise HistoryError(
            f"{path}:1: one column for the unit of {len(vitals)} vital signs; say each one's with --unit NAME=UNIT, "
            f"and take column {names[roles[UNIT]]!r} out."
        )
    return Layout(roles, vitals, flags, len(names), tuple(ignored))


@contextmanager
def open_table(path: Path) -> Iterator[IO[str]]:
    """Open a file, unpacked where it is gzip."""
    with ExitStack() as stack:
        try:
            if path.suffix == ".gz":
                yield stack.enter_context(gzip.open(path, "rt", encoding="utf-8-sig", newline=""))
            else:
                yield stack.enter_context(path.open(encoding="utf-8-sig", newline=""))
        except (EOFError, zlib.error) as cut:
            raise HistoryError(f"{path}: the compressed file is damaged, or ends too early; copy it again.") from cut
        except OSError as failed:
            raise HistoryError(f"{path}: cannot be read ({failed.strerror or failed}).") from failed
        except UnicodeDecodeError as wrong:
            raise HistoryError(f"{path}: not text in UTF-8 ({wrong.reason}); save it as UTF-8.") from wrong


class Table:
    """A table that is read block by block."""

    def __init__(self, file: IO[str], path: str, named: Mapping[str, str], units: Mapping[str, str], zone: str | None):
        self._reader = csv.reader(file)
        try:
            header = next(self._reader, None)
        except csv.Error as wrong:
            raise HistoryError(f"{path}:1: {wrong}; expected plain CSV.") from wrong
        if header is None:
            raise HistoryError(f"{path}: empty; expected a header and rows.")
        self.layout = layout_of(header, named, path)
        self._path, self._units, self._zone = path, units, zone
        self._instants: dict[str, int | Refused] = {}
        strange = sorted(set(units) - set(BY_NAME))
        if strange:
            raise HistoryError(f"--unit {strange[0]}: not one of {', '.join(BY_NAME)}.")

    def blocks(self) -> Iterator[Block]:
        """Read all rows, some tens of thousands at a time."""
        try:
            for lines, rows in read_rows(self._reader, BLOCK):
                yield self._block(lines, rows)
        except csv.Error as wrong:
            raise HistoryError(f"{self._path}:{self._reader.line_num}: {wrong}; expected plain CSV.") from wrong

    def _block(self, lines: list[int], rows: list[list[str]]) -> Block:
        found = Block(rows=len(rows))
        # an instant is written many times in a long table, and only near itself
        self._instants.clear()
        read = self._long if self.layout.is_long else self._wide
        for number, row in zip(lines, rows, strict=True):
            if len(row) != self.layout.width:
                detail = f"{len(row)} columns; expected {self.layout.width}"
                found.refused.append(RefusedRow(number, Reason.MALFORMED, detail))
                continue
            try:
                read(row, number, found)
            except Refused as refused:
                found.refused.append(RefusedRow(number, refused.reason, str(refused)))
        return found

    def _long(self, row: list[str], line: int, out: Block) -> None:
        roles = self.layout.roles
        name = row[roles[VITAL]].strip()
        if name not in BY_NAME:
            raise Refused(Reason.UNKNOWN_VITAL_SIGN, f"vital: {name!r} is not one of the catalogue's names")
        at = self._at(row[roles[TIME]])
        value = self._value(name, row[roles[VALUE]], self._unit(row))
        if value is None:
            raise Refused(Reason.NO_VALUE, "value: empty")
        self._add(out, row, line, at, name, value, 0)

    def _wide(self, row: list[str], line: int, out: Block) -> None:
        at = self._at(row[self.layout.roles[TIME]])
        flags = 0
        for place, flag in self.layout.flags.items():
            flags |= flag if row[place].strip().strip("0") else 0
        for place, name in self.layout.vitals.items():
            try:
                value = self._value(name, row[place], self._unit(row))
            except Refused as refused:
                out.refused.append(RefusedRow(line, refused.reason, str(refused)))
                continue
            if value is not None:
                self._add(out, row, line, at, name, value, flags)

    def _add(self, out: Block, row: list[str], line: int, at: int, name: str, value: float, flags: int) -> None:
        roles = self.layout.roles
        user = row[roles[USER]].strip() if USER in roles else ""
        if user and not (user.isascii() and user.isdigit() and len(user) < 6):
            raise Refused(Reason.WRONG_TYPE, f"user: {user!r}; expected a number")
        out.line.append(line)
        out.at.append(at)
        out.vital.append(BY_NAME[name].code)
        out.value.append(value)
        out.flags.append(flags)
        out.patient.append(row[roles[PATIENT]].strip() if PATIENT in roles else "")
        out.device.append(row[roles[DEVICE]].strip() if DEVICE in roles else "")
        out.user.append(int(user or 0))

    def _at(self, text: str) -> int:
        found = self._instants.get(text)
        if found is None:
            found = self._instants[text] = self._read_time(text.strip())
        if isinstance(found, Refused):
            raise found
        return found

    def _read_time(self, text: str) -> int | Refused:
        try:
            when = datetime.fromisoformat(text)
            if when.tzinfo is None and self._zone is None:
                detail = (
                    f"time: {text!r} has no offset from UTC; add it, or say with --tz which zone's clocks showed it"
                )
                return Refused(Reason.TIME_WITHOUT_ZONE, detail)
            return microseconds(text) if when.tzinfo else from_local(when, self._zone)
        except Refused as refused:
            return refused
        except ValueError:
            reason = Reason.WRONG_TYPE if text else Reason.MISSING_TIME
            return Refused(reason, f"time: {text!r} is not ISO 8601; expected like 2026-11-22T08:00:00+00:00")

    def _unit(self, row: list[str]) -> str:
        place = self.layout.roles.get(UNIT)
        return "" if place is None else row[place].strip()

    def _value(self, name: str, text: str, unit: str) -> float | None:
        text = text.strip()
        if not text:
            return None
        try:
            # what is a number in Python only, such as 8_1, was a slip of the hand
            value = math.nan if "_" in text else float(text)
        except ValueError:
            if name == "consciousness" and text.upper() in ACVPU and len(text) == 1:
                return float(ACVPU.index(text.upper()))
            raise Refused(Reason.WRONG_TYPE, f"{name}: {text!r} is not a number") from None
        if not math.isfinite(value):
            raise Refused(Reason.WRONG_TYPE, f"{name}: {text!r} is not a number")
        stated = unit or self._units.get(name, "")
        if not stated:
            return value
        try:
            return to_catalogue_unit(BY_NAME[name], value, stated)
        except UnitError as wrong:
            raise Refused(Reason.UNIT, str(wrong)) from None

"""How does a file of real observations become messages again?

A recording is a long CSV ``patient,device,observed_at,vital,value`` (plain or gzip). Rows of one device, person and
instant are one message. The file is read twice: once to look at all of it, so that a fault in the last row is told
before the first is played, and once to play it. Neither pass holds the file in memory.
"""

from __future__ import annotations

import csv
import gzip
import heapq
import math
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import IO, NamedTuple

import msgspec

from device_sim.cohort import EPOCH, Message
from device_sim.people import Person, stranger
from device_sim.provisioning import DeviceEntry
from schemas.topic import DEVICE_CODE
from schemas.vital_signs import BY_NAME

COLUMNS = ["patient", "device", "observed_at", "vital", "value"]
SECOND_US = 1_000_000
# Rows sorted in memory at once; more than that go through a temporary file.
ROWS_AT_ONCE = 200_000
_ENCODER = msgspec.json.Encoder()


class RecordingError(Exception):
    """A recording cannot be played; the message says file, line, what was expected, and what to do."""


class Row(NamedTuple):
    """One row, in the order by which rows are sorted; ``line`` keeps the file's order among equals."""

    at: int
    device: str
    patient: str
    line: int
    vital: str
    value: float


@dataclass
class Span:
    """First and last instant of one person [µs since 1970 UTC]."""

    first: int
    last: int


@dataclass
class Contents:
    """What the first pass found: who, with which devices, how much, and whether the rows are in order of time."""

    path: Path
    rows: int = 0
    in_order: bool = True
    people: dict[str, Span] = field(default_factory=dict)
    devices: dict[str, dict[str, None]] = field(default_factory=dict)
    vitals: dict[str, set[str]] = field(default_factory=dict)

    @property
    def first(self) -> int:
        """The earliest instant of all."""
        return min(s.first for s in self.people.values())

    @property
    def last(self) -> int:
        """The latest instant of all."""
        return max(s.last for s in self.people.values())

    @property
    def longest(self) -> int:
        """The longest time from one person's first to the same person's last observation [µs]."""
        return max(s.last - s.first for s in self.people.values())

    def persons(self) -> list[Person]:
        """Describe the people for the registry; a recording gives only their codes."""
        return [stranger(key, (EPOCH + timedelta(microseconds=span.last)).date()) for key, span in self.people.items()]

    def entries(self) -> list[DeviceEntry]:
        """List the devices for the registry; people who share one are its users 1, 2, …."""
        return [
            DeviceEntry(
                code,
                _kind(self.vitals[code]),
                {(n if len(holders) > 1 else 0): key for n, key in enumerate(holders, start=1)},
            )
            for code, holders in self.devices.items()
        ]

    def user(self, row: Row) -> int:
        """Which user of its device the row's person is; 0 where nobody shares it."""
        holders = self.devices[row.device]
        return list(holders).index(row.patient) + 1 if len(holders) > 1 else 0


# The kind of a device by what it measures; the first that covers everything wins.
_KINDS = (
    ("oximeter", {"spo2", "pulse"}),
    ("cuff", {"bp_systolic", "bp_diastolic", "pulse"}),
    ("thermometer", {"temperature"}),
    ("scale", {"weight"}),
    ("glucometer", {"glucose"}),
)


def _kind(vitals: set[str]) -> str:
    fitting = (kind for kind, measures in _KINDS if vitals <= measures)
    return "monitor" if vitals == {"pulse"} else next(fitting, "monitor")


@contextmanager
def _open(path: Path) -> Iterator[IO[str]]:
    with ExitStack() as stack:
        try:
            if path.name.endswith(".gz"):
                yield stack.enter_context(gzip.open(path, "rt", encoding="utf-8-sig", newline=""))
            else:
                yield stack.enter_context(path.open(encoding="utf-8-sig", newline=""))
        except OSError as exc:
            raise RecordingError(
                f"{path}: cannot be read ({exc.strerror or exc}); give a .csv or .csv.gz file that exists and is whole"
            ) from exc
        except EOFError as exc:
            raise RecordingError(f"{path}: the compressed file ends too early; copy it again") from exc
        except UnicodeDecodeError as exc:
            raise RecordingError(f"{path}: not UTF-8 text; save it as UTF-8, or add .gz if it is compressed") from exc


def read(path: Path) -> Iterator[Row]:
    """Read the rows one by one.

    Raises
    ------
    RecordingError
        At the first row that cannot be understood.
    """
    with _open(path) as file:
        reader = csv.reader(file)
        header = next(reader, None)
        if header is None or [h.strip() for h in header] != COLUMNS:
            raise _fault(
                path, 1, f"the header is {','.join(header or []) or 'missing'}", ",".join(COLUMNS), "correct it"
            )
        try:
            for cells in reader:
                if cells:
                    yield _row(path, reader.line_num, cells)
        except csv.Error as exc:
            raise _fault(path, reader.line_num, str(exc), "plain CSV", "correct the row") from exc


def _fault(path: Path, line: int, what: str, expected: str, remedy: str) -> RecordingError:
    return RecordingError(f"{path}:{line}: {what}; expected {expected}; {remedy}")


def _row(path: Path, line: int, cells: list[str]) -> Row:
    if len(cells) != len(COLUMNS):
        raise _fault(path, line, f"{len(cells)} columns", f"{len(COLUMNS)}: {','.join(COLUMNS)}", "correct the row")
    patient, device, stated, vital, text = (c.strip() for c in cells)
    if not patient or len(patient) > 64:
        raise _fault(path, line, f"patient {patient!r}", "a code of 1 to 64 characters", "give the person a code")
    if not DEVICE_CODE.match(device):
        raise _fault(path, line, f"device {device!r}", "letters, digits, '.', '_' or '-', at most 64", "rename it")
    if vital not in BY_NAME:
        raise _fault(path, line, f"vital sign {vital!r}", f"one of {', '.join(BY_NAME)}", "rename it or drop the row")
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not math.isfinite(value):
        raise _fault(path, line, f"value {text!r}", "a number", "drop the row where nothing was observed")
    return Row(_instant(path, line, stated), device, patient, line, vital, value)


def _instant(path: Path, line: int, stated: str) -> int:
    try:
        moment = datetime.fromisoformat(stated)
    except ValueError:
        raise _fault(path, line, f"time {stated!r}", "ISO 8601 such as 2026-03-02T08:00:00Z", "correct it") from None
    if moment.tzinfo is None:
        raise _fault(path, line, f"time {stated!r} has no zone", "an offset from UTC or Z", "add it")
    since = moment - EPOCH
    return (since.days * 86400 + since.seconds) * SECOND_US + since.microseconds


def survey(path: Path) -> Contents:
    """Look at the whole file once: who is in it, and is every row sound?"""
    contents = Contents(path)
    before = -(2**63)
    for row in read(path):
        contents.rows += 1
        contents.in_order &= row.at >= before
        before = row.at
        span = contents.people.setdefault(row.patient, Span(row.at, row.at))
        span.first, span.last = min(span.first, row.at), max(span.last, row.at)
        contents.devices.setdefault(row.device, {})[row.patient] = None
        contents.vitals.setdefault(row.device, set()).add(row.vital)
    if not contents.rows:
        raise RecordingError(f"{path}: no row after the header; give a recording with observations")
    return contents


def redating(contents: Contents, now: int, speed: float) -> dict[str, int]:
    """Say by how much each person's times are moved so that all of them end when the play ends [µs].

    The play of the longest person takes span / speed, so at speed 1 that person begins now and everything is live; the
    faster the play, the nearer the end comes to now; and no time ever lies in the future when it is sent. Each person
    is moved on their own, because a recording may follow one person after another; a person's own intervals stay exact.
    """
    duration = 0.0 if math.isinf(speed) else contents.longest / speed
    end = now + int(duration)
    # whole seconds: a time keeps its fraction, and so its resolution
    return {key: (end - span.last) // SECOND_US * SECOND_US for key, span in contents.people.items()}


def messages(contents: Contents, shift: dict[str, int] | None = None) -> Iterator[Message]:
    """Yield the recording's messages in order of time, moved by each person's `shift` where given."""
    rows: Iterable[Row] = read(contents.path)
    if shift is not None:
        moved = shift
        rows = (row._replace(at=row.at + moved[row.patient]) for row in rows)
    if shift is not None or not contents.in_order:
        rows = _sorted(rows)
    yield from _grouped(contents, rows)


def _sorted(rows: Iterable[Row]) -> Iterator[Row]:
    """Sort any number of rows: pieces in memory, merged from temporary files."""
    with ExitStack() as stack:
        pieces: list[Iterator[Row]] = []
        piece: list[Row] = []
        for row in rows:
            piece.append(row)
            if len(piece) >= ROWS_AT_ONCE:
                pieces.append(_spill(stack, sorted(piece)))
                piece = []
        pieces.append(iter(sorted(piece)))
        yield from heapq.merge(*pieces)


def _spill(stack: ExitStack, rows: list[Row]) -> Iterator[Row]:
    file = tempfile.TemporaryFile("w+", encoding="utf-8", newline="")  # noqa: SIM115 (the stack closes it)
    stack.enter_context(file)
    csv.writer(file).writerows(rows)
    file.seek(0)
    return (Row(int(r[0]), r[1], r[2], int(r[3]), r[4], float(r[5])) for r in csv.reader(file))


def _grouped(contents: Contents, rows: Iterable[Row]) -> Iterator[Message]:
    """Join the rows of one instant by device and person; rows of one instant need not be neighbours."""
    instant: int | None = None
    open_messages: dict[tuple[str, str], list[dict[str, float]]] = {}
    for row in rows:
        if row.at != instant:
            if instant is not None:
                yield from _payloads(contents, instant, open_messages)
            instant, open_messages = row.at, {}
        parts = open_messages.setdefault((row.device, row.patient), [{}])
        if row.vital in parts[-1]:  # said twice for one instant: a message of its own, for ingest to judge
            parts.append({})
        parts[-1][row.vital] = row.value
    if instant is not None:
        yield from _payloads(contents, instant, open_messages)


def _payloads(
    contents: Contents, at: int, open_messages: dict[tuple[str, str], list[dict[str, float]]]
) -> Iterator[Message]:
    stated = (EPOCH + timedelta(microseconds=at)).isoformat()
    for (device, patient), parts in open_messages.items():
        holders = contents.devices[device]
        for values in parts:
            body: dict[str, object] = {"device": device, "time": stated, "values": values}
            if len(holders) > 1:
                body["user"] = list(holders).index(patient) + 1
            yield Message(at, device, at, _ENCODER.encode(body), len(values))

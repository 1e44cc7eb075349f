"""How do files of recorded observations and outcomes become arrays, without a database?

Observations are a long CSV ``patient,device,observed_at,vital,value`` in the catalogue's units, outcomes a CSV that
begins with ``patient,from,to,outcome,onset``. A fault is told with file, line, what was expected and what to do. What a
live service would quarantine as implausible is left out here too, and counted.
"""

from __future__ import annotations

import csv
import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import numpy as np
from numpy.typing import NDArray

from schemas.csv_rows import numbered_rows, read_rows
from schemas.observation import ObservationBatch
from schemas.vital_signs import ACVPU, BY_NAME, PLAUSIBLE_HIGH, PLAUSIBLE_LOW

OBSERVATION_COLUMNS = ("patient", "device", "observed_at", "vital", "value")
OUTCOME_COLUMNS = ("patient", "from", "to", "outcome", "onset")
_ROWS_AT_ONCE = 100_000
NO_ONSET = np.iinfo(np.int64).min
"""In place of an instant: there was no onset, or nobody knows when."""
_MICROSECONDS = 1_000_000
_TIME = "a time after 1970 with its zone such as 2026-03-02T10:00:00Z"


class CohortError(ValueError):
    """A file cannot be used; the message names file and line, what was expected, and what to do."""


@dataclass(frozen=True)
class Recording:
    """What a file of observations holds, ordered by patient, instant and vital sign.

    Attributes
    ----------
    patients : list of str
        As the file names them; ``observations.patient_id`` is the position in this list.
    observations : ObservationBatch
    implausible, repeated : int
        Rows left out: no device could have measured the value; the same row again.
    """

    patients: list[str]
    observations: ObservationBatch
    implausible: int
    repeated: int


@dataclass(frozen=True)
class Outcomes:
    """What became of P people.

    Attributes
    ----------
    patients : list of str, length P
    start, end : int64 array, shape (P,)
        When they were observed [µs since 1970 UTC].
    has_outcome : bool array, shape (P,)
    onset : int64 array, shape (P,)
        When the outcome began; `NO_ONSET` where there is none or it is not known.
    """

    patients: list[str]
    start: NDArray[np.int64]
    end: NDArray[np.int64]
    has_outcome: NDArray[np.bool_]
    onset: NDArray[np.int64]


class _Numbering(dict[str, int]):
    """Numbers names in the order in which they come."""

    def __missing__(self, name: str) -> int:
        self[name] = number = len(self)
        return number


class _Instants(dict[str, int]):
    """Reads each time once."""

    def __missing__(self, text: str) -> int:
        self[text] = instant = _instant(text)
        return instant


def _instant(text: str) -> int:
    at = datetime.fromisoformat(text)
    if at.tzinfo is None:
        raise ValueError(text)
    instant = round(at.timestamp() * _MICROSECONDS)
    if instant <= 0:
        raise ValueError(text)
    return instant


def read_observations(lines: Iterable[str], file: str) -> Recording:
    """Read a long CSV of observations.

    Parameters
    ----------
    lines : iterable of str
    file : str
        Its name, for messages.

    Raises
    ------
    CohortError
        Where the file is empty, a row cannot be read, or two rows contradict each other.
    """
    reader = csv.reader(lines)
    _check_header(next(reader, None), OBSERVATION_COLUMNS, file, exactly=True)
    patients, devices, instants = _Numbering(), _Numbering(), _Instants()
    parts: list[tuple[NDArray[Any], ...]] = []
    for lines_of, rows in read_rows(reader, _ROWS_AT_ONCE):
        parts.append((np.array(lines_of, np.int64), *_columns(rows, file, lines_of, (patients, devices, instants))))
    if not parts:
        raise CohortError(f"{file}: no observations; expected at least one row below the header")
    line, patient, device, at, vital, value = (np.concatenate(column) for column in zip(*parts, strict=True))
    keep, repeated = _distinct(patient, device, at, vital, value, line, file)
    plausible = (value[keep] >= PLAUSIBLE_LOW[vital[keep]]) & (value[keep] <= PLAUSIBLE_HIGH[vital[keep]])
    chosen = keep[plausible]
    at = at[chosen]
    batch = ObservationBatch.of(
        patient[chosen], device[chosen], vital[chosen], at, at, value[chosen], np.zeros(len(chosen), np.int16)
    )
    return Recording(list(patients), batch, int((~plausible).sum()), repeated)


def _columns(
    rows: Sequence[list[str]], file: str, lines: Sequence[int], names: tuple[_Numbering, _Numbering, _Instants]
) -> tuple[NDArray[Any], ...]:
    """Turn some rows into arrays; where that fails, find the row and say what is wrong with it."""
    try:
        patient, device, at, vital, value = zip(*rows, strict=True)
        count = len(rows)
        found = (
            np.fromiter(map(names[0].__getitem__, patient), np.int32, count),
            np.fromiter(map(names[1].__getitem__, device), np.int32, count),
            np.fromiter(map(names[2].__getitem__, at), np.int64, count),
            np.fromiter((BY_NAME[name].code for name in vital), np.int16, count),
            np.fromiter(map(_finite, value), np.float64, count),
        )
        if "" not in names[0]:
            return found
    except (ValueError, KeyError):
        pass
    if any(len(row) != len(OBSERVATION_COLUMNS) or _letter(row) for row in rows):
        numeric = [_numeric(row, file, line) for line, row in zip(lines, rows, strict=True)]
        return _columns(numeric, file, lines, names)
    for line, row in zip(lines, rows, strict=True):
        _check_row(row, f"{file}:{line}")
    raise AssertionError("a row that cannot be read was not found")


def _letter(row: list[str]) -> bool:
    return row[3] == "consciousness" and row[4] != "" and row[4] in ACVPU


def _numeric(row: list[str], file: str, line: int) -> list[str]:
    """Write a letter of ACVPU as its number; refuse a row of another length."""
    if len(row) != len(OBSERVATION_COLUMNS):
        raise CohortError(
            f"{file}:{line}: {len(row)} cells; expected {len(OBSERVATION_COLUMNS)}: {','.join(OBSERVATION_COLUMNS)}"
        )
    return [*row[:4], str(ACVPU.index(row[4]))] if _letter(row) else row


def _check_row(row: list[str], where: str) -> None:
    patient, _, at, vital, value = row
    if not patient:
        raise CohortError(f"{where}: no patient; fill in 'patient'")
    _check_cell(_instant, at, f"{where}: observed_at is {at!r}", _TIME)
    if vital not in BY_NAME:
        raise CohortError(f"{where}: unknown vital sign {vital!r}; expected one of {', '.join(BY_NAME)}")
    unit = BY_NAME[vital].unit
    _check_cell(_finite, value, f"{where}: value is {value!r}", f"a number in {unit}, or leave the row out")


def _check_cell(read: Callable[[str], Any], cell: str, what: str, expected: str) -> None:
    try:
        read(cell)
    except ValueError:
        raise CohortError(f"{what}; expected {expected}") from None


def _finite(text: str) -> float:
    number = float(text)
    # what is a number in Python only, such as 9_5, was a slip of the hand
    if not math.isfinite(number) or "_" in text:
        raise ValueError(text)
    return number


def _distinct(
    patient: NDArray[Any],
    device: NDArray[Any],
    at: NDArray[np.int64],
    vital: NDArray[Any],
    value: NDArray[np.float64],
    line: NDArray[np.int64],
    file: str,
) -> tuple[NDArray[np.intp], int]:
    """Give the order of the rows, each once, and how many were the same again; refuse two values of one instant."""
    order = np.lexsort((device, vital, at, patient))
    same = np.ones(len(order) - 1, bool)
    for column in (patient, at, vital, device):
        same &= column[order[1:]] == column[order[:-1]]
    contrary = np.flatnonzero(same & (value[order[1:]] != value[order[:-1]]))
    if len(contrary):
        first, second = sorted(int(line[order[contrary[0] + i]]) for i in (0, 1))
        raise CohortError(
            f"{file}:{second}: contradicts line {first}: another value of the same patient, device, instant and vital "
            "sign; keep one of them"
        )
    return order[np.append(True, ~same)], int(same.sum())


def read_outcomes(lines: Iterable[str], file: str) -> Outcomes:
    """Read a CSV of outcomes, one row a person; further columns are left alone.

    Raises
    ------
    CohortError
        Where the file is empty, a row cannot be read, a person is there twice, or times contradict each other.
    """
    reader = csv.reader(lines)
    _check_header(next(reader, None), OUTCOME_COLUMNS, file, exactly=False)
    seen: dict[str, int] = {}
    rows = []
    for line, row in numbered_rows(reader):
        if len(row) < len(OUTCOME_COLUMNS):
            raise CohortError(f"{file}:{line}: {len(row)} cells; expected {','.join(OUTCOME_COLUMNS)} first")
        rows.append(_outcome(row, f"{file}:{line}"))
        if row[0] in seen:
            raise CohortError(f"{file}:{line}: patient {row[0]!r} is on line {seen[row[0]]} already; keep one row each")
        seen[row[0]] = line
    if not rows:
        raise CohortError(f"{file}: no outcomes; expected at least one row below the header")
    start, end, has_outcome, onset = (np.array(column) for column in zip(*rows, strict=True))
    return Outcomes(list(seen), start, end, has_outcome, onset)


def _outcome(row: list[str], where: str) -> tuple[int, int, bool, int]:
    patient, start, end, outcome, onset = (cell.strip() for cell in row[:5])
    if not patient:
        raise CohortError(f"{where}: no patient; fill in 'patient'")
    for name, cell in (("from", start), ("to", end), *([("onset", onset)] if onset else [])):
        _check_cell(_instant, cell, f"{where}: {name} is {cell!r}", _TIME)
    first, last = _instant(start), _instant(end)
    if last <= first:
        raise CohortError(f"{where}: to = {end} is not after from = {start}; exchange or correct them")
    if onset and not outcome:
        raise CohortError(f"{where}: an onset without an outcome; name the outcome or clear 'onset'")
    if onset and not first <= _instant(onset) <= last:
        raise CohortError(f"{where}: onset = {onset} is not between from and to; correct it")
    return first, last, bool(outcome), _instant(onset) if onset else NO_ONSET


def _check_header(header: list[str] | None, expected: tuple[str, ...], file: str, *, exactly: bool) -> None:
    if header is None:
        raise CohortError(f"{file}: the file is empty; expected the header {','.join(expected)}")
    given = [cell.strip().removeprefix("\ufeff") for cell in header]
    if given[: len(expected)] != list(expected) or (exactly and len(given) != len(expected)):
        raise CohortError(f"{file}:1: columns are {','.join(given)}; expected {','.join(expected)}")

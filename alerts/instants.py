"""In which order are the observations of many patients scored side by side?

Observations of one patient at the same instant belong together. The k-th instant of every patient is scored in step k;
patients are ordered so that those with the most instants come first, and each step works on a prefix of the arrays.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from schemas.observation import QUALITY_WORDS, ObservationBatch
from schemas.vital_signs import VITALS

_MARKS = np.int16(sum(QUALITY_WORDS.values()))


@dataclass(frozen=True)
class Instants:
    """The instants of a batch, by step.

    Attributes
    ----------
    order : int array, shape (P,)
        The patient of each working row.
    depth : int
        Number of steps.
    """

    order: NDArray[np.intp]
    depth: int
    _at: NDArray[np.int64]
    _at_bounds: NDArray[np.intp]
    _cell_row: NDArray[np.intp]
    _cell_vital: NDArray[np.intp]
    _cell_value: NDArray[np.float64]
    _cell_flags: NDArray[np.int16]
    _cell_bounds: NDArray[np.intp]
    _cell_of: NDArray[np.intp]

    @classmethod
    def of(cls, rows: NDArray[np.intp], batch: ObservationBatch, patients: int) -> Instants:
        """Sort N observations, of which each belongs to the patient ``rows`` names, into steps."""
        by = _sorted(rows, batch)
        row, at, vital, value = rows[by], batch.observed_at[by], batch.vital[by], batch.value[by]
        new_instant = _changes(row) | _changes(at)
        new_cell = new_instant | _changes(vital)
        instant = np.flatnonzero(new_instant)
        patient = row[instant]
        count = np.bincount(patient, minlength=patients)
        order = np.argsort(-count, kind="stable")
        working = np.empty(patients, np.intp)
        working[order] = np.arange(patients)
        rank = np.arange(len(instant)) - (np.cumsum(count) - count)[patient]
        depth = int(count.max(initial=0))
        # in step k the patients with more than k instants take part, and they are the first working rows
        taking_part = patients - np.searchsorted(np.sort(count), np.arange(depth), side="right")
        at_bounds = np.concatenate([[0], np.cumsum(taking_part)])
        by_step = np.empty(len(instant), np.int64)
        by_step[at_bounds[rank] + working[patient]] = at[instant]
        cell = np.flatnonzero(new_cell)
        # of several devices at one instant the lower middle value counts: of two, the lower
        middle = cell + (np.diff(np.append(cell, len(row))) - 1) // 2
        cell_rank = rank[np.cumsum(new_instant)[cell] - 1]
        # numpy sorts 16-bit numbers by counting them
        by_rank = np.argsort(cell_rank.astype(np.uint16) if depth < 1 << 16 else cell_rank, kind="stable")
        place = np.empty(len(cell), np.intp)
        place[by_rank] = np.arange(len(cell))
        cell_of = np.empty(len(row), np.intp)
        cell_of[by] = place[np.cumsum(new_cell) - 1]
        cells_of_step = np.bincount(cell_rank, minlength=depth)
        return cls(
            order,
            depth,
            by_step,
            at_bounds,
            working[row[cell]][by_rank],
            vital[cell].astype(np.intp)[by_rank],
            value[middle][by_rank],
            batch.flags[by[middle]][by_rank],
            np.concatenate([[0], np.cumsum(cells_of_step)]),
            cell_of,
        )

    def at(self, k: int) -> tuple[int, NDArray[np.int64], NDArray[np.float64]]:
        """Give step k: how many patients, their instants (n,), their values (n, VITALS) with NaN for absent ones."""
        at = self._at[self._at_bounds[k] : self._at_bounds[k + 1]]
        cells = self.cells(k)
        observed = np.full((len(at), VITALS), np.nan)
        observed[self._cell_row[cells], self._cell_vital[cells]] = self._cell_value[cells]
        return len(at), at, observed

    def flags(self, k: int) -> NDArray[np.int16]:
        """Give the flags of step k's values, shape (n, VITALS)."""
        cells = self.cells(k)
        found = np.zeros((int(self._at_bounds[k + 1] - self._at_bounds[k]), VITALS), np.int16)
        found[self._cell_row[cells], self._cell_vital[cells]] = self._cell_flags[cells]
        return found

    def cells(self, k: int) -> slice:
        """Give the range of the cells, a patient's vital sign at an instant, of step k."""
        return slice(self._cell_bounds[k], self._cell_bounds[k + 1])

    def marked(self, k: int, marks: NDArray[np.bool_]) -> NDArray[np.bool_]:
        """Say which cells of step k are marked, from marks of shape (n, VITALS)."""
        cells = self.cells(k)
        chosen: NDArray[np.bool_] = marks[self._cell_row[cells], self._cell_vital[cells]]
        return chosen

    def observations_of(self, cell_flags: NDArray[np.int16]) -> NDArray[np.int16]:
        """Spread flags of all cells to the observations in them, shape (N,)."""
        return cell_flags[self._cell_of]

    @property
    def cell_count(self) -> int:
        """The number of cells in all steps."""
        return len(self._cell_row)


def _sorted(rows: NDArray[np.intp], batch: ObservationBatch) -> NDArray[np.intp]:
    """Order observations by patient, instant, vital sign and value.

    Patient, instant and vital sign fit one number as a rule, which sorts faster than columns do; where several devices
    measured the same, their values have to be looked at too.
    """
    if not len(rows):
        return np.empty(0, np.intp)
    first = int(batch.observed_at.min())
    span = (int(batch.observed_at.max()) - first + 1) * VITALS
    if (int(rows.max()) + 1) * span < np.iinfo(np.int64).max:
        key = rows * span + (batch.observed_at - first) * VITALS + batch.vital
        by: NDArray[np.intp] = np.argsort(key, kind="stable")
        ordered = key[by]
        if (ordered[1:] > ordered[:-1]).all():
            return by
    # of equal values the marks decide, so that the order of arrival does not
    marks = batch.flags & _MARKS
    return np.lexsort((marks, batch.value, batch.vital, batch.observed_at, rows))


def _changes(sorted_values: NDArray[np.generic]) -> NDArray[np.bool_]:
    """Mark each element that differs from the one before it; the first always does."""
    marks = np.ones(len(sorted_values), bool)
    marks[1:] = sorted_values[1:] != sorted_values[:-1]
    return marks

"""What does the NEWS2 chart say, laid out so that a ward is scored by looking up integers?

A patient's seven points become one 16-bit **code**, the sum of a code for each parameter: the least and the most points
it can contribute, whether it is surely 3, whether it could be. The sum then indexes a table of what follows from it.
SpO2 and oxygen share one code, because on scale 2 the points of one depend on the other: a **case** is a scale, air or
oxygen, and a saturation, each of the last two possibly not observed.

One lookup gives points and code at once (`packed`): as 32-bit floats, whole numbers up to 255 and NaN have nothing in
their lower half, which has room for a code.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from alerts.bands import BandTable, dense_table
from alerts.load_rules import BandRow, ResponseRow, RuleError

PARAMETERS = ("respiration_rate", "spo2", "on_oxygen", "bp_systolic", "pulse", "consciousness", "temperature")
"""The chart's order, which is the order of the columns of ``points``."""
SPO2, ON_OXYGEN = PARAMETERS.index("spo2"), PARAMETERS.index("on_oxygen")
ALONE = tuple(column for column in range(len(PARAMETERS)) if column not in (SPO2, ON_OXYGEN))
"""The columns whose points depend on nothing else."""
SCALES = (1, 2)
OXYGEN_CELLS = 3  # not observed, air, oxygen

_SUM = 0b11111
_COUNT = 0b111
_UPPER, _RED, _POSSIBLE = 5, 10, 13  # shifts; the least points are in the lowest bits
_FLOAT, _CODE = np.uint32(0xFFFF0000), np.uint32(0xFFFF)
_LEVEL = 0b111
_CERTAIN, _WORST = 1, 4  # shifts in an answer; red is its lowest bit

FloatOut = NDArray[np.float32]
Pair = tuple[int, int]
"""Points of SpO2 and of oxygen in one possible completion."""


@dataclass(frozen=True)
class Column:
    """One parameter that stands alone; ``packed`` points and codes are indexed like ``table``, 0 for not observed."""

    column: int
    table: BandTable
    packed: NDArray[np.uint32]


class Chart:
    """The compiled chart: points and codes by parameter, and what follows from a sum of codes."""

    def __init__(self, bands: Sequence[BandRow], responses: Sequence[ResponseRow]) -> None:
        self.levels = tuple(row.level for row in responses)
        red = [(level, row.red_points) for level, row in enumerate(responses) if row.red_points is not None]
        self._red_level, self.red_points = red[0][0], red[0][1] or 0
        self._scores = [(row.lower, level) for level, row in enumerate(responses) if row.lower is not None]
        self.alone = tuple(self._column(column, _rows(bands, column)) for column in ALONE)
        self._read_oxygen(bands)
        self._decode()

    def level(self, score: int, red: bool) -> int:
        """Return the response level of an aggregate score; a red score asks for at least its own level."""
        by_score = max(level for lower, level in self._scores if lower <= score)
        return max(by_score, self._red_level) if red else by_score

    def case(self, scale: int, oxygen_cell: int, spo2_cell: int) -> int:
        """Number a case: scale 1 or 2, oxygen 0 (not observed) to 2, cell of the SpO2 table."""
        return (scale * OXYGEN_CELLS + oxygen_cell) * self.spo2_cells + spo2_cell

    def uncase(self, case: int) -> tuple[int, int, int]:
        """Return the scale, the oxygen cell and the SpO2 cell of a case."""
        rest, spo2_cell = divmod(case, self.spo2_cells)
        scale, oxygen_cell = divmod(rest, OXYGEN_CELLS)
        return scale, oxygen_cell, spo2_cell

    def pairs(self, scale: int, oxygen_cell: int, spo2_cell: int) -> set[Pair]:
        """Return every pair of SpO2 and oxygen points that the case can turn out to be."""
        return {
            self._pair(scale, oxygen, cell)
            for oxygen in _possible(oxygen_cell, OXYGEN_CELLS)
            for cell in _possible(spo2_cell, self.spo2_cells)
        }

    def spo2_choices(self, case: int) -> list[set[Pair]]:
        """Return the pairs among which SpO2 alone chooses, one set for each possible oxygen; none if observed."""
        scale, oxygen_cell, spo2_cell = self.uncase(case)
        return [] if spo2_cell else [self.pairs(scale, oxygen, 0) for oxygen in _possible(oxygen_cell, OXYGEN_CELLS)]

    def oxygen_choices(self, case: int) -> list[set[Pair]]:
        """Return the pairs among which oxygen alone chooses, one set for each possible SpO2; none if observed."""
        scale, oxygen_cell, spo2_cell = self.uncase(case)
        return [] if oxygen_cell else [self.pairs(scale, 0, cell) for cell in _possible(spo2_cell, self.spo2_cells)]

    def _pair(self, scale: int, oxygen: int, cell: int) -> Pair:
        return int(self._spo2_points[scale, oxygen].points[cell]), int(self.oxygen.points[oxygen])

    @cached_property
    def outcomes(self) -> tuple[frozenset[int], ...]:
        """Points each parameter that stands alone can be worth, in the order of ``ALONE``."""
        return tuple(frozenset(int(points) for points in column.table.points[1:]) for column in self.alone)

    def write_bounds(
        self, codes: NDArray[np.uint16], work: NDArray[np.uint16], lower: FloatOut, upper: FloatOut
    ) -> None:
        """Write the least and the most that each sum of codes stands for; ``work`` is overwritten."""
        np.bitwise_and(codes, _SUM, out=work)
        np.copyto(lower, work)
        np.right_shift(codes, _UPPER, out=work)
        np.bitwise_and(work, _SUM, out=work)
        np.copyto(upper, work)

    def write_answers(
        self,
        packed: NDArray[np.uint32],
        answers: NDArray[np.int8],
        red: NDArray[np.bool_],
        response: NDArray[np.int8],
        response_upper: NDArray[np.int8],
    ) -> None:
        """Write the red score and the response levels, certain and at worst, of each entry of `follows`.

        ``answers`` is overwritten.
        """
        np.copyto(answers, packed, casting="unsafe")
        np.bitwise_and(answers, 1, out=red.view(np.int8))
        np.right_shift(answers, _CERTAIN, out=response)
        np.bitwise_and(response, _LEVEL, out=response)
        np.right_shift(answers, _WORST, out=response_upper)

    def _column(self, column: int, rows: Sequence[BandRow]) -> Column:
        table = dense_table(rows, rows[0].resolution)
        every = [(int(points),) for points in table.points[1:]]
        if len(set(every)) == 1:  # an incomplete set is recognised by its bounds being apart
            raise RuleError(f"the NEWS2 bands of {PARAMETERS[column]} all have the same points; fix 'points'")
        codes = np.array([self._code(every), *(self._code([known]) for known in every)], dtype=np.uint16)
        return Column(column=column, table=table, packed=packed(_float_points(table), codes))

    def _read_oxygen(self, bands: Sequence[BandRow]) -> None:
        """Lay out the joint cases of SpO2 scale, air or oxygen, and SpO2."""
        rows = _rows(bands, SPO2)
        if {row.scale for row in rows} != set(SCALES):
            raise RuleError(
                f"the NEWS2 bands of spo2 have scales {sorted({row.scale or 0 for row in rows})}; expected 1, 2"
            )
        # One size for all, as one index serves both scales, on air and on oxygen.
        self.spo2 = dense_table(rows, rows[0].resolution)
        self.spo2_cells = self.spo2.cells + 1
        self.oxygen = dense_table(_rows(bands, ON_OXYGEN), rows[0].resolution)
        self.oxygen_points = packed(_float_points(self.oxygen), np.uint16(0))  # its code is in the case's
        self._spo2_points = {
            (scale, oxygen): dense_table(
                [row for row in rows if row.applies(scale, oxygen - 1)], rows[0].resolution, self.spo2.cells
            )
            for scale in SCALES
            for oxygen in range(1, OXYGEN_CELLS)
        }
        cases = self.case(SCALES[-1] + 1, 0, 0)
        codes, points = np.zeros(cases, dtype=np.uint16), np.full(cases, np.nan, dtype=np.float32)
        for scale in SCALES:
            for oxygen in range(OXYGEN_CELLS):
                for cell in range(self.spo2_cells):
                    pairs, case = self.pairs(scale, oxygen, cell), self.case(scale, oxygen, cell)
                    codes[case] = self._code(pairs)
                    worth = {spo2 for spo2, _ in pairs}
                    if cell and len(worth) == 1:
                        points[case] = worth.pop()
        self.spo2_cases = packed(points, codes)

    def _code(self, options: Iterable[tuple[int, ...]]) -> int:
        """Pack what a parameter (or SpO2 with oxygen) can contribute into one summand."""
        options = set(options)
        sums = [sum(option) for option in options]
        reds = [self.red_points in option for option in options]
        return min(sums) | max(sums) << _UPPER | all(reds) << _RED | any(reds) << _POSSIBLE

    def _decode(self) -> None:
        """Tabulate what follows from each possible sum of codes."""
        parts = [self.spo2_cases, *(column.packed for column in self.alone)]
        most = sum(int(((part & _CODE) >> _UPPER & _SUM).max()) for part in parts)
        if most > _SUM:
            raise RuleError(f"the NEWS2 points add up to {most}; the code has room for {_SUM}, widen it")
        codes = np.arange(1 << 16)
        lower, upper = codes & _SUM, codes >> _UPPER & _SUM
        levels = np.array(
            [[self.level(score, red) for red in (False, True)] for score in range(_SUM + 1)], dtype=np.intp
        )
        red = (codes >> _RED & _COUNT) > 0
        certain, worst = levels[lower, red.astype(np.intp)], levels[upper, (codes >> _POSSIBLE > 0).astype(np.intp)]
        answers = (red | certain << _CERTAIN | worst << _WORST).astype(np.uint16)
        # One lookup for four answers, the aggregate score in its upper half; `write_answers` takes the others apart.
        self.follows = packed(np.where(lower == upper, lower, np.nan).astype(np.float32), answers)


def packed(points: NDArray[np.float32], code: NDArray[np.uint16] | np.uint16) -> NDArray[np.uint32]:
    """Put a code into the lower half of each 32-bit float, which whole points up to 255, and NaN, leave empty."""
    bits = points.view(np.uint32)
    assert not (bits & _CODE).any(), "points that need all bits of a float have no room for a code"
    return bits | code


def unpack_points(entries: NDArray[np.uint32], out: FloatOut) -> None:
    """Write the points of looked-up entries."""
    np.bitwise_and(entries, _FLOAT, out=out.view(np.uint32))


def _possible(cell: int, cells: int) -> Sequence[int]:
    """Return the cells that a value can have: its own, or all where it was not observed (cell 0)."""
    return (cell,) if cell else range(1, cells)


def _rows(bands: Sequence[BandRow], column: int) -> list[BandRow]:
    rows = [row for row in bands if row.parameter == PARAMETERS[column]]
    if not rows:
        raise RuleError(f"the NEWS2 bands have no rows for {PARAMETERS[column]}; add them")
    return rows


def _float_points(table: BandTable) -> NDArray[np.float32]:
    points = table.points.astype(np.float32)
    points[0] = np.nan
    return points

"""How sick is each patient of a ward on the NEWS2 chart, and what could a missing measurement change?

Reproduced from: Royal College of Physicians. National Early Warning Score (NEWS) 2: Standardising the assessment of
acute-illness severity in the NHS. Updated report of a working party. London: RCP, 2017. For people aged 16 and over,
not in pregnancy. The numbers are in ``rules/news2_bands.csv`` and ``rules/news2_response.csv``, their standing in
``rules/SOURCES.md``.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from alerts import news2_inputs as inputs
from alerts.bands import BandTable
from alerts.load_rules import NEWS2_BANDS, NEWS2_RESPONSE, load_bands, load_response
from alerts.news2_chart import ALONE, ON_OXYGEN, OXYGEN_CELLS, PARAMETERS, SCALES, SPO2, Chart, unpack_points

RESPONSES = load_response(NEWS2_RESPONSE)
"""The rows of chart 4 in rising order: how often to observe, and who responds."""
CHART = Chart(load_bands(NEWS2_BANDS), RESPONSES)
RESPONSE_LEVELS = CHART.levels
"""Names of the response levels; ``response`` holds their positions."""

# Rows scored at a time: few enough that a block's work arrays (256 KB each) stay in the cache, enough that the calls
# themselves do not count. Half as many is 4 % slower, an eighth half as slow again.
_BLOCK = 32_768
# The ranges of what `missing_that_matter` depends on: case, what is missing, the points that are known, a red score.
_KINDS = (len(CHART.spo2_cases), 1 << len(ALONE), 1 << 5, 2)

_Worth = tuple[int, bool]


@dataclass(frozen=True, eq=False)
class News2:
    """Scores of P patients; what is not known is NaN, never 0.

    Attributes
    ----------
    points : float32 array, shape (P, 7)
        Points in the chart's order (`PARAMETERS`) [0–3]. NaN where not observed, and for an SpO2 whose points depend on
        an oxygen that was not observed. Stored column by column.
    aggregate : float32 array, shape (P,)
        Aggregate score [0–20]; NaN unless all seven points are there.
    lower, upper : float32 array, shape (P,)
        The least and the most the aggregate score can be; both equal it in a complete set.
    red : bool array, shape (P,)
        3 points in any one parameter. Stands in an incomplete set too.
    response : int8 array, shape (P,)
        The response level that is certain, as a position in `RESPONSE_LEVELS`.
    response_upper : int8 array, shape (P,)
        The response level at worst; equal to ``response`` where nothing that is missing could change it.
    oxygen_case : int16 array, shape (P,)
        Scale, oxygen and SpO2 as one number, for `missing_that_matter`.
    """

    points: NDArray[np.float32]
    aggregate: NDArray[np.float32]
    lower: NDArray[np.float32]
    upper: NDArray[np.float32]
    red: NDArray[np.bool_]
    response: NDArray[np.int8]
    response_upper: NDArray[np.int8]
    oxygen_case: NDArray[np.int16]

    def __len__(self) -> int:
        """Return the number of patients."""
        return len(self.lower)


def news2(
    respiration_rate: Any,
    spo2: Any,
    on_oxygen: Any,
    bp_systolic: Any,
    pulse: Any,
    consciousness: Any,
    temperature: Any,
    spo2_scale: Any,
) -> News2:
    """Score observation sets on the NEWS2 chart [1]_, with bounds where a set is incomplete.

    Parameters
    ----------
    respiration_rate, spo2, bp_systolic, pulse, temperature : float array, shape (P,)
        Values in /min, %, mmHg, /min, °C; NaN where not observed. Rounded half up to the chart's resolution first.
    on_oxygen : float or bool array, shape (P,)
        0 on air, 1 on oxygen; NaN where not observed.
    consciousness : str or float array, shape (P,)
        One letter of ACVPU, blank (or None, NaN) where not observed; or its position in ACVPU, NaN where not observed.
    spo2_scale : int array, shape (P,), or one int
        1, or 2 where a clinician has set a target of 88–92 %.

    Returns
    -------
    News2
        Points, aggregate score, bounds, red score and response levels.

    Raises
    ------
    ValueError
        For what cannot be: a negative or infinite value, another letter, scale or shape. The message says where.

    References
    ----------
    .. [1] Royal College of Physicians, National Early Warning Score (NEWS) 2, London, 2017, charts 1 and 4.

    Examples
    --------
    The second patient's respiration rate and consciousness were not observed, so there is no aggregate score; the
    third, on scale 2, breathes oxygen at a saturation above the target.

    >>> import numpy as np
    >>> nan = np.nan
    >>> scores = news2(
    ...     respiration_rate=[16, nan, 22], spo2=[97, 93, 95], on_oxygen=[0, 0, 1], bp_systolic=[124, 104, 118],
    ...     pulse=[72, 112, 95], consciousness=["A", "", "A"], temperature=[36.6, 38.4, 37.2], spo2_scale=[1, 1, 2])
    >>> scores.points[2]
    array([2., 2., 2., 0., 1., 0., 0.], dtype=float32)
    >>> scores.aggregate
    array([ 0., nan,  7.], dtype=float32)
    >>> scores.lower, scores.upper
    (array([0., 6., 7.], dtype=float32), array([ 0., 12.,  7.], dtype=float32))
    >>> [RESPONSE_LEVELS[level] for level in scores.response]
    ['routine', 'medium', 'high']
    >>> [PARAMETERS[column] for column in np.flatnonzero(missing_that_matter(scores)[1])]
    ['respiration_rate', 'consciousness']
    """
    given = dict(
        zip(
            PARAMETERS, (respiration_rate, spo2, on_oxygen, bp_systolic, pulse, consciousness, temperature), strict=True
        )
    )
    columns, scale = inputs.checked_columns(given, spo2_scale)
    size = len(scale)
    scores = _empty(size)
    block = min(size, _BLOCK)
    work = _Work.of(block)
    for start in range(0, size, _BLOCK):
        stop = min(start + _BLOCK, size)
        _score_block(columns, scale, scores, slice(start, stop), work.cut(stop - start))
    return scores


@dataclass(frozen=True, eq=False)
class _Work:
    """Arrays of one block, used again for every parameter and every block."""

    steps: NDArray[np.float64]
    cells: NDArray[np.int32]
    index: NDArray[np.intp]
    entries: NDArray[np.uint32]
    total: NDArray[np.uint32]
    code: NDArray[np.uint16]
    short: NDArray[np.uint16]

    @classmethod
    def of(cls, size: int) -> _Work:
        """Allocate for blocks of ``size`` patients."""
        return cls(
            steps=np.empty(size),
            cells=np.empty(size, np.int32),
            index=np.empty(size, np.intp),
            entries=np.empty(size, np.uint32),
            total=np.empty(size, np.uint32),
            code=np.empty(size, np.uint16),
            short=np.empty(size, np.uint16),
        )

    def cut(self, size: int) -> _Work:
        """Return the same arrays for a last, shorter block."""
        return _Work(*(getattr(self, field.name)[:size] for field in fields(self)))


def _empty(size: int) -> News2:
    return News2(
        points=np.empty((len(PARAMETERS), size), dtype=np.float32).T,
        aggregate=np.empty(size, dtype=np.float32),
        lower=np.empty(size, dtype=np.float32),
        upper=np.empty(size, dtype=np.float32),
        red=np.empty(size, dtype=np.bool_),
        response=np.empty(size, dtype=np.int8),
        response_upper=np.empty(size, dtype=np.int8),
        oxygen_case=np.empty(size, dtype=np.int16),
    )


def _score_block(columns: dict[str, Any], scale: NDArray[Any], scores: News2, rows: slice, work: _Work) -> None:
    """Score one block of patients into its rows of ``scores``."""
    _score_oxygen(columns, scale, scores, rows, work)
    cells = work.cells
    for parameter in CHART.alone:
        name = PARAMETERS[parameter.column]
        values = columns[name][rows]
        if name != "consciousness":
            _cells(name, values, parameter.table, rows.start, work)
        elif values.dtype.kind == "U":
            inputs.letter_cells(values, rows.start, work.index, cells)
        else:
            inputs.category_cells(name, values, parameter.table.cells - 1, rows.start, work.steps, cells)
        entries = _look_up(parameter.packed, cells, work)
        unpack_points(entries, scores.points[rows, parameter.column])
        np.add(work.total, entries, out=work.total)  # what overflows lies above the codes
    np.copyto(work.code, work.total, casting="unsafe")
    entries = _look_up(CHART.follows, work.code, work)
    unpack_points(entries, scores.aggregate[rows])
    CHART.write_bounds(work.code, work.short, scores.lower[rows], scores.upper[rows])
    answers = work.short.view(np.int8)[: len(cells)]
    CHART.write_answers(entries, answers, scores.red[rows], scores.response[rows], scores.response_upper[rows])


def _score_oxygen(columns: dict[str, Any], scale: NDArray[Any], scores: News2, rows: slice, work: _Work) -> None:
    """Score SpO2 and air or oxygen, whose points belong together; begins the block's sum of codes."""
    case, cells, at = scores.oxygen_case[rows], work.cells, rows.start
    inputs.scale_cells(scale[rows], SCALES, at, case)
    oxygen = columns[PARAMETERS[ON_OXYGEN]][rows]
    inputs.category_cells(PARAMETERS[ON_OXYGEN], oxygen, CHART.oxygen.cells - 1, at, work.steps, cells)
    unpack_points(_look_up(CHART.oxygen_points, cells, work), scores.points[rows, ON_OXYGEN])
    case *= OXYGEN_CELLS
    np.add(case, cells, out=case, casting="unsafe")
    case *= CHART.spo2_cells
    _cells(PARAMETERS[SPO2], columns[PARAMETERS[SPO2]][rows], CHART.spo2, at, work)
    np.add(case, cells, out=case, casting="unsafe")
    entries = _look_up(CHART.spo2_cases, case, work)
    unpack_points(entries, scores.points[rows, SPO2])
    np.copyto(work.total, entries)


def _cells(name: str, values: NDArray[Any], table: BandTable, start: int, work: _Work) -> None:
    """Round values to the chart's resolution and write their cells to ``work.cells``."""
    table.index(values, inputs.checked_extent(name, values, start), work.steps, work.cells)


def _look_up(table: NDArray[np.uint32], cells: NDArray[np.integer[Any]], work: _Work) -> NDArray[np.uint32]:
    """Give the entries of cells, in an array that the next call overwrites."""
    np.copyto(work.index, cells)
    # Every index is in range by construction; "raise" would go through a copy of ``out``, and "clip" takes longer.
    table.take(work.index, out=work.entries, mode="wrap")
    return work.entries


def missing_that_matter(scores: News2) -> NDArray[np.bool_]:
    """Say which missing measurements could change the response level of the complete set.

    Parameters
    ----------
    scores : News2
        What `news2` returned for P patients.

    Returns
    -------
    bool array, shape (P, 7)
        True where the parameter was not observed and, for some values of whatever else is missing, its value decides
        between response levels. A row has a True exactly where ``response < response_upper``.
    """
    matters = np.zeros(scores.points.shape, dtype=np.bool_)
    open_rows = np.flatnonzero(scores.response < scores.response_upper)
    alone = scores.points[open_rows][:, ALONE]
    missing = np.isnan(alone)
    # Patients alike in these four have the same answer, and a ward of any size has few kinds of them.
    parts = (
        scores.oxygen_case[open_rows],
        missing @ (1 << np.arange(len(ALONE))),
        np.nansum(alone, axis=1).astype(np.intp),
        (alone == CHART.red_points).any(axis=1),
    )
    kinds, kind = np.unique(np.ravel_multi_index(parts, _KINDS), return_inverse=True)
    if len(kinds):
        answers = [_deciding(*map(int, parts)) for parts in zip(*np.unravel_index(kinds, _KINDS), strict=True)]
        matters[open_rows] = np.array(answers, dtype=np.bool_)[kind]
    return matters


@lru_cache(maxsize=1 << 15)
def _deciding(case: int, missing: int, known: int, known_red: int) -> tuple[bool, ...]:
    """Return, for the seven parameters, whether a missing one decides between levels in some completion of the others.

    A completion is a sum of points and whether one of them is red; ``groups`` are the sets of completions among which a
    measurement alone chooses.
    """
    unknown = {
        column: {(p, p == CHART.red_points) for p in CHART.outcomes[i]}
        for i, column in enumerate(ALONE)
        if missing >> i & 1
    }
    pairs = {(sum(pair), CHART.red_points in pair) for pair in CHART.pairs(*CHART.uncase(case))}
    answer = [False] * len(PARAMETERS)
    for column, outcomes in unknown.items():
        others = [options for other, options in unknown.items() if other != column]
        answer[column] = _decides([outcomes], _reach((known, bool(known_red)), [*others, pairs]))
    rest = _reach((known, bool(known_red)), list(unknown.values()))
    for column, groups in ((SPO2, CHART.spo2_choices(case)), (ON_OXYGEN, CHART.oxygen_choices(case))):
        worth = [{(sum(pair), CHART.red_points in pair) for pair in group} for group in groups]
        answer[column] = _decides(worth, rest)
    return tuple(answer)


def _reach(known: _Worth, unknown: Sequence[set[_Worth]]) -> set[_Worth]:
    """Return every completion of what is known by one choice from each set of what is not."""
    reached = {known}
    for options in unknown:
        reached = {(score + more, red or more_red) for score, red in reached for more, more_red in options}
    return reached


def _decides(groups: Sequence[set[_Worth]], rest: set[_Worth]) -> bool:
    """Say whether two choices of one group lead to different levels beside the same rest."""
    return any(
        len({CHART.level(score + more, red or more_red) for more, more_red in group}) > 1
        for group in groups
        for score, red in rest
    )

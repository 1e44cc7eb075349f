"""Does the score of the values that are still valid reach a threshold of the policy: NEWS2, or that of another table?

What is missing is not zero: the condition is met where the lower bound of the score reaches the threshold, and it is
clear only where every parameter that gave points when it was last met has been observed again.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from alerts.awareness import AWAKE, is_in_doubt
from alerts.bands import banded_points
from alerts.bank import BANDED, SCORE
from alerts.conditions import Conditions
from alerts.news2 import news2
from alerts.news2_chart import PARAMETERS
from alerts.score_tables import MOST_PARAMETERS, ScoreTable
from alerts.state import LEVELS
from alerts.working import Working
from schemas.vital_signs import BY_NAME

CODES = np.array([BY_NAME[name].code for name in PARAMETERS])
_BIT = (1 << np.arange(MOST_PARAMETERS)).astype(np.uint8)


def valid_inputs(
    recent: NDArray[np.float64], recent_at: NDArray[np.int64], since: NDArray[np.int64], codes: NDArray[np.intp] = CODES
) -> NDArray[np.float64]:
    """Give the last value of each of V parameters where it was observed at or after ``since``; shape (n, V).

    An "alert" from before somebody changed is not known any more.
    """
    last, at = recent[:, codes, 0], recent_at[:, codes, 0]
    counts = (at > 0) & (at >= since[:, None])
    counts &= ~(is_in_doubt(recent[..., 0], recent_at[..., 0])[:, None] & (codes == AWAKE))
    return np.where(counts, last, np.nan)


def judge(conditions: Conditions, w: Working, n: int, at: NDArray[np.int64], observed: NDArray[np.float64]) -> None:
    """Answer for the NEWS2 rules of the first ``n`` patients; their recent values already hold the instant.

    Where the policy follows the score, its lower bound is written into column 0 of ``observed``, so that trends can
    look at it like a vital sign.
    """
    is_score = w.policy["kind"][:n] == SCORE
    touched = np.isfinite(observed[:, CODES]).any(axis=1).reshape(-1, 1)
    for r in np.flatnonzero((is_score & touched).any(axis=0)):
        rows = np.flatnonzero(is_score[:, r] & touched[:, 0])
        _judge_slot(conditions, w, rows, int(r), at, observed)


def _judge_slot(
    conditions: Conditions,
    w: Working,
    rows: NDArray[np.intp],
    r: int,
    at: NDArray[np.int64],
    observed: NDArray[np.float64],
) -> None:
    inputs = valid_inputs(w.recent[rows], w.recent_at[rows], at[rows] - w.policy["span"][rows, r])
    resp, spo2, oxygen, systolic, pulse, consciousness, temperature = inputs.T
    scale = w.people["spo2_scale"][rows]
    scores = news2(resp, spo2, oxygen, systolic, pulse, consciousness, temperature, scale)
    lower = scores.lower.astype(np.float64)
    _answer(conditions, w, rows, r, lower, scores.red, ~np.isnan(scores.points), scores.points > 0)
    conditions.inputs[rows] = inputs
    _follow(w, rows, r, lower, observed)


def judge_banded(
    conditions: Conditions, w: Working, n: int, at: NDArray[np.int64], observed: NDArray[np.float64]
) -> None:
    """Answer for the score rules of other tables; a parameter that is missing adds the least points it can give."""
    is_banded = w.policy["kind"][:n] == BANDED
    conditions.summed = np.full((n, w.width, MOST_PARAMETERS), np.nan)
    for r in np.flatnonzero(is_banded.any(axis=0)):
        for number, table in enumerate(w.tables):
            mine = is_banded[:, r] & (w.policy["table"][:n, r] == number)
            rows = np.flatnonzero(mine & np.isfinite(observed[:, table.codes]).any(axis=1))
            if len(rows):
                summed = _judge_table(conditions, w, rows, int(r), at, table, observed)
                conditions.summed[rows, r, : len(table.codes)] = summed


def _judge_table(
    conditions: Conditions,
    w: Working,
    rows: NDArray[np.intp],
    r: int,
    at: NDArray[np.int64],
    table: ScoreTable,
    observed: NDArray[np.float64],
) -> NDArray[np.float64]:
    """Answer for one rule; give the values that were added up, shape (n, V)."""
    inputs = valid_inputs(w.recent[rows], w.recent_at[rows], at[rows] - w.policy["span"][rows, r], table.codes)
    points = np.stack([banded_points(inputs[:, i], bands) for i, bands in enumerate(table.lookups)], axis=1)
    known = ~np.isnan(points)
    lower = np.where(known, points, table.least).sum(axis=1)
    with np.errstate(invalid="ignore"):
        red = (points >= w.policy["red_points"][rows, r][:, None]).any(axis=1)
        gave = points > table.least
    _answer(conditions, w, rows, r, lower, red, known, gave)
    _follow(w, rows, r, lower, observed)
    return inputs


def _follow(
    w: Working, rows: NDArray[np.intp], r: int, lower: NDArray[np.float64], observed: NDArray[np.float64]
) -> None:
    followed = w.policy["followed"][rows, r]
    observed[rows[followed], 0] = lower[followed]


def _answer(
    conditions: Conditions,
    w: Working,
    rows: NDArray[np.intp],
    r: int,
    lower: NDArray[np.float64],
    red: NDArray[np.bool_],
    known: NDArray[np.bool_],
    gave: NDArray[np.bool_],
) -> None:
    """Answer for one rule; the parameters that are ``known``, and those that ``gave`` points, have shape (n, V)."""
    with np.errstate(invalid="ignore"):
        met = lower[:, None] >= w.policy["threshold"][rows, r]
    level = np.arange(1, LEVELS + 1)
    met |= red[:, None] & (w.policy["severity"][rows, r][:, None] >= level)
    answered = (w.basis[rows, r] & ~_bits(known)) == 0
    conditions.evaluated[rows, r] = True
    conditions.met[rows, r] = met
    conditions.clear[rows, r] = ~met & answered[:, None]
    conditions.value[rows, r] = lower
    w.basis[rows, r] = np.where(met.any(axis=1), _bits(gave), w.basis[rows, r])


def _bits(flags: NDArray[np.bool_]) -> NDArray[np.uint8]:
    """Pack (n, V) flags into one byte each."""
    packed: NDArray[np.uint8] = (flags * _BIT[: flags.shape[1]]).sum(axis=1, dtype=np.uint8)
    return packed

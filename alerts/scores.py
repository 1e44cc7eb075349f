"""Does the NEWS2 score of the values that are still valid reach a threshold of the policy?

What is missing is not zero: the condition is met where the lower bound of the score reaches the threshold, and it is
clear only where every parameter that gave points when it was last met has been observed again.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from alerts.bank import SCORE
from alerts.conditions import Conditions
from alerts.news2 import news2
from alerts.news2_chart import PARAMETERS
from alerts.state import LEVELS
from alerts.working import Working
from schemas.vital_signs import BY_NAME

CODES = np.array([BY_NAME[name].code for name in PARAMETERS])
_BIT = (1 << np.arange(len(PARAMETERS))).astype(np.uint8)


def valid_inputs(
    recent: NDArray[np.float64], recent_at: NDArray[np.int64], since: NDArray[np.int64]
) -> NDArray[np.float64]:
    """Give the last value of each NEWS2 parameter where it was observed at or after ``since``; shape (n, 7)."""
    last, at = recent[:, CODES, 0], recent_at[:, CODES, 0]
    return np.where((at > 0) & (at >= since[:, None]), last, np.nan)


def judge(conditions: Conditions, w: Working, n: int, at: NDArray[np.int64], observed: NDArray[np.float64]) -> None:
    """Answer for the score rules of the first ``n`` patients; their recent values already hold the instant.

    The lower bound of the score is written into column 0 of ``observed``, so that trends can follow it like a vital
    sign.
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
    with np.errstate(invalid="ignore"):
        met = lower[:, None] >= w.policy["threshold"][rows, r]
    level = np.arange(1, LEVELS + 1)
    met |= scores.red[:, None] & (w.policy["severity"][rows, r][:, None] >= level)
    known = _bits(~np.isnan(scores.points))
    answered = (w.basis[rows, r] & ~known) == 0
    conditions.evaluated[rows, r] = True
    conditions.met[rows, r] = met
    conditions.clear[rows, r] = ~met & answered[:, None]
    conditions.value[rows, r] = lower
    conditions.inputs[rows] = inputs
    observed[rows, 0] = lower
    w.basis[rows, r] = np.where(met.any(axis=1), _bits(scores.points > 0), w.basis[rows, r])


def _bits(flags: NDArray[np.bool_]) -> NDArray[np.uint8]:
    """Pack (n, 7) flags into one byte each."""
    packed: NDArray[np.uint8] = (flags * _BIT).sum(axis=1, dtype=np.uint8)
    return packed

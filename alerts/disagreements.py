"""Do two devices measure the same vital sign otherwise, such as oximeter and cuff the pulse?

A value belongs to the device whose other vital sign was observed at the same instant: a pulse beside a saturation is
the oximeter's, one beside a pressure the cuff's. Where both stand beside it, the set was charted together and tells
nothing.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from alerts.bank import DISAGREEMENT
from alerts.conditions import Conditions
from alerts.working import Working

_TINY = 1e-9


def judge(conditions: Conditions, w: Working, n: int, at: NDArray[np.int64], observed: NDArray[np.float64]) -> None:
    """Answer for the rules on disagreement; the recent values already hold the instant."""
    is_rule = w.policy["kind"][:n] == DISAGREEMENT
    for r in np.flatnonzero(is_rule.any(axis=0)):
        codes = np.stack([w.policy[name][:n, r] for name in ("vital", "first", "second")]).astype(np.intp)
        seen = ~np.isnan(np.take_along_axis(observed, codes.T, axis=1))
        rows = np.flatnonzero(is_rule[:, r] & seen[:, 0] & (seen[:, 1] ^ seen[:, 2]))
        if len(rows):
            _judge_slot(conditions, w, rows, int(r), at[rows], codes[:, rows])


def _judge_slot(
    conditions: Conditions, w: Working, rows: NDArray[np.intp], r: int, at: NDArray[np.int64], codes: NDArray[np.intp]
) -> None:
    span = w.policy["span"][rows, r]
    values = np.stack([_beside(w, rows, codes[0], codes[i], codes[3 - i], at - span) for i in (1, 2)], axis=1)
    apart = np.abs(values[:, 0] - values[:, 1])
    with np.errstate(invalid="ignore"):
        conditions.met[rows, r] = apart[:, None] >= w.policy["threshold"][rows, r] - _TINY
        back = w.policy["threshold"][rows, r] - w.policy["deadband"][rows, r, None] - _TINY
        conditions.clear[rows, r] = apart[:, None] < back
    conditions.evaluated[rows, r] = ~np.isnan(apart)
    conditions.value[rows, r] = apart
    conditions.pairs(w.width)[rows, r] = values


def _beside(
    w: Working,
    rows: NDArray[np.intp],
    vital: NDArray[np.intp],
    beside: NDArray[np.intp],
    other: NDArray[np.intp],
    since: NDArray[np.int64],
) -> NDArray[np.float64]:
    """Give the newest of the recent values that stands beside one vital sign alone, not before ``since``; NaN: none."""
    when, value = w.recent_at[rows, vital], w.recent[rows, vital]
    with_it = (when[:, :, None] == w.recent_at[rows, beside][:, None, :]).any(axis=2)
    with_other = (when[:, :, None] == w.recent_at[rows, other][:, None, :]).any(axis=2)
    fits = with_it & ~with_other & (when > 0) & (when >= since[:, None])
    newest = fits.argmax(axis=1)  # the newest comes first
    return np.where(fits.any(axis=1), value[np.arange(len(rows)), newest], np.nan)

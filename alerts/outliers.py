"""Is a value so far from the person's own that somebody else may have measured it, on a device that is shared?

The distance is counted in robust spreads from the median of the person's past steps [1]_. What lies far out is marked
and told, and scored like everything else: it may just as well be true.

References
----------
.. [1] Iglewicz B, Hoaglin DC, How to Detect and Handle Outliers, ASQC, 1993.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from alerts.bank import OUTLIER
from alerts.conditions import Conditions
from alerts.trends import MAD_TO_SD, TINY, median
from alerts.working import Working


def judge(conditions: Conditions, w: Working, n: int, observed: NDArray[np.float64]) -> NDArray[np.bool_]:
    """Answer for the outlier rules, whose memories already hold the instant; give which values are far out, (n, V)."""
    far = np.zeros(observed.shape, bool)
    is_rule = w.policy["kind"][:n] == OUTLIER
    for r in np.flatnonzero(is_rule.any(axis=0)):
        vital = w.policy["vital"][:n, r].astype(np.intp)
        value = np.take_along_axis(observed, vital[:, None], axis=1)[:, 0]
        rows = np.flatnonzero(is_rule[:, r] & ~np.isnan(value))
        if len(rows):
            met = _judge_slot(conditions, w, rows, int(r), value[rows])
            far[rows[met], vital[rows[met]]] = True
    return far


def _judge_slot(
    conditions: Conditions, w: Working, rows: NDArray[np.intp], r: int, value: NDArray[np.float64]
) -> NDArray[np.bool_]:
    series = w.memory_mean[rows, w.policy["memory"][rows, r]].astype(np.float64)
    past = np.where(np.arange(series.shape[1]) < w.policy["window"][rows, r, None], series, np.nan)[:, 1:]
    usual = median(past)
    spread = np.maximum(np.nan_to_num(median(np.abs(past - usual[:, None])) * MAD_TO_SD), w.policy["spread"][rows, r])
    away = (value - usual) / spread
    away[(~np.isnan(past)).sum(axis=1) < w.policy["at_least"][rows, r]] = np.nan
    threshold = w.policy["threshold"][rows, r]
    with np.errstate(invalid="ignore"):
        conditions.met[rows, r] = np.abs(away)[:, None] >= threshold - TINY
        conditions.clear[rows, r] = np.abs(away)[:, None] < threshold - w.policy["deadband"][rows, r, None] - TINY
    conditions.evaluated[rows, r] = ~np.isnan(away)
    conditions.value[rows, r] = away
    conditions.pairs(w.width)[rows, r] = np.stack([value, usual], axis=1)
    met: NDArray[np.bool_] = conditions.met[rows, r].any(axis=1)
    return met

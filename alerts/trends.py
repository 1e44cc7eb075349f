"""Is a vital sign changing: against its own past days, along a slope, or by a small shift that lasts?

A memory keeps the mean of each step, a day or an hour or whatever the rule says, newest first. Every family here is a
pure function of that short series, so there is nothing else to remember, and what a late observation corrects is
correct everywhere. A step without observations is NaN: it is left out, never filled.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from alerts.bank import AVERAGE, CHANGE, CUSUM, EWMA, SLOPE
from alerts.conditions import Conditions
from alerts.limits import to_resolution
from alerts.state import STEPS
from alerts.working import Working

Series = NDArray[np.float64]
# Normal distribution: the standard deviation is this times the median absolute deviation.
MAD_TO_SD = 1.4826


def remember(w: Working, n: int, at: NDArray[np.int64], observed: NDArray[np.float64]) -> None:
    """Add the instant's values, shape (n, VITALS), to the memories of the first ``n`` patients."""
    for m in range(w.courses):
        length = w.policy["memory_length"][:n, m]
        vital = w.policy["memory_vital"][:n, m].astype(np.intp)
        value = np.take_along_axis(observed, vital[:, None], axis=1)[:, 0]
        rows = np.flatnonzero((length > 0) & ~np.isnan(value))
        if len(rows):
            _add(w, rows, m, at[rows] // length[rows], value[rows])


def _add(w: Working, rows: NDArray[np.intp], m: int, step: NDArray[np.int64], value: NDArray[np.float64]) -> None:
    count = w.memory_count[rows, m]
    passed = np.where(count > 0, step - w.memory_step[rows, m], STEPS)
    place = np.arange(STEPS) - passed[:, None]
    old = np.take_along_axis(w.memory_mean[rows, m], np.maximum(place, 0), axis=1)
    series = np.where(place >= 0, old, np.float32(np.nan))
    count = np.where(passed == 0, count, 0).astype(np.int64)
    before = np.where(count > 0, series[:, 0], 0).astype(np.float64)
    series[:, 0] = before + (value - before) / (count + 1)
    w.memory_mean[rows, m] = series
    w.memory_step[rows, m] = step
    w.memory_count[rows, m] = np.minimum(count + 1, np.iinfo(np.uint16).max)


def judge(conditions: Conditions, w: Working, n: int, observed: NDArray[np.float64]) -> None:
    """Answer for the trend rules of the first ``n`` patients; their memories already hold the instant."""
    kinds = w.policy["kind"][:n]
    for r in np.flatnonzero(np.isin(kinds, tuple(FAMILIES)).any(axis=0)):
        vital = w.policy["vital"][:n, r].astype(np.intp)
        seen = ~np.isnan(np.take_along_axis(observed, vital[:, None], axis=1)[:, 0])
        for kind, family in FAMILIES.items():
            rows = np.flatnonzero((kinds[:, r] == kind) & seen)
            if len(rows):
                _judge_slot(conditions, w, rows, int(r), family)


def _judge_slot(
    conditions: Conditions, w: Working, rows: NDArray[np.intp], r: int, family: Callable[[Series, Any], Series]
) -> None:
    p = {name: w.policy[name][rows, r] for name in _OWN}
    longest = max(int(p["window"].max()), 2)  # the newest step and at least one before it
    series = w.memory_mean[rows, p["memory"], :longest].astype(np.float64)
    age = np.arange(longest)
    window = np.where(age < p["window"][:, None], series, np.nan)
    amount = family(window, p) * p["side"]
    amount = np.where((~np.isnan(window)).sum(axis=1) >= p["at_least"], amount, np.nan)
    amount = np.where(p["kind"] == AVERAGE, to_resolution(amount * p["side"], p["vital"]) * p["side"], amount)
    threshold = w.policy["threshold"][rows, r] * np.where(p["kind"] == AVERAGE, p["side"], 1)[:, None]
    with np.errstate(invalid="ignore"):
        conditions.met[rows, r] = amount[:, None] >= threshold - TINY
        conditions.clear[rows, r] = amount[:, None] < threshold - p["deadband"][:, None] - TINY
    conditions.evaluated[rows, r] = ~np.isnan(amount)
    conditions.value[rows, r] = amount * p["side"]


_OWN = (
    "kind",
    "vital",
    "side",
    "memory",
    "window",
    "at_least",
    "skip",
    "reference",
    "spread",
    "least",
    "weight",
    "deadband",
)
# The memories are single precision: amounts that are equal in decimals may differ in the seventh digit.
TINY = 1e-4


def change(window: Series, p: dict[str, NDArray[Any]]) -> Series:
    """Give the newest step less the reference of the steps before it, in spreads where the rule says so.

    The reference is the most favourable step (the lowest for a rise), or the median. For a rule on both sides the
    amount is without its sign.
    """
    newest, past = window[:, 0], window[:, 1:]
    reference = median(past)
    by_extreme = np.flatnonzero(p["reference"] == 0)
    if len(by_extreme):
        chosen = past[by_extreme]
        reference[by_extreme] = np.where(p["side"][by_extreme] < 0, _most(chosen), -_most(-chosen))
    amount: Series = (newest - reference) / _scale(past, p)
    # a change that has not led far enough counts for none, so that the rule is clear and not merely unanswered
    short = newest * p["side"] < p["least"] * p["side"] - TINY
    return np.where(short, np.minimum(amount * p["side"], 0) * p["side"], amount)


def average(window: Series, p: dict[str, NDArray[Any]]) -> Series:
    """Give the mean over the steps, without the oldest ``skip`` of those observed."""
    observed = ~np.isnan(window)
    from_oldest = observed[:, ::-1].cumsum(axis=1)[:, ::-1]
    kept = observed & (from_oldest > p["skip"][:, None])
    count = kept.sum(axis=1)
    total = np.where(kept, window, 0).sum(axis=1)
    return np.where(count > 0, total / np.maximum(count, 1), np.nan)


def slope(window: Series, p: dict[str, NDArray[Any]]) -> Series:
    """Give the Theil-Sen slope, the median of the slopes of all pairs of steps, per step."""
    later, earlier = np.triu_indices(window.shape[1], 1)
    pairs = (window[:, later] - window[:, earlier]) / (earlier - later)
    return median(pairs)


def ewma(window: Series, p: dict[str, NDArray[Any]]) -> Series:
    """Give the exponentially weighted mean of the deviations from the personal baseline, in spreads [1]_.

    The baseline is the median, and the spread 1.4826 times the median absolute deviation, of the steps before the
    newest.

    References
    ----------
    .. [1] Roberts SW, Control chart tests based on geometric moving averages, Technometrics 1, 1959.
    """
    z = _standardised(window, p)
    weight = np.where(np.isnan(z), 0, (1 - p["weight"][:, None]) ** np.arange(window.shape[1]))
    level = (np.nan_to_num(z) * weight).sum(axis=1) * p["weight"]
    # in units of its own standard deviation, so that the threshold means the same for every weight
    standardised: Series = level / np.sqrt(p["weight"] / (2 - p["weight"]))
    return standardised


def cusum(window: Series, p: dict[str, NDArray[Any]]) -> Series:
    """Give the one-sided cumulative sum of the deviations beyond the slack ``weight``, in spreads [1]_.

    References
    ----------
    .. [1] Page ES, Continuous inspection schemes, Biometrika 41, 1954.
    """
    z = np.nan_to_num(_standardised(window, p) * p["side"][:, None] - p["weight"][:, None])
    # the sum restarts at zero whenever it would be negative: total minus the lowest total before
    total = z[:, ::-1].cumsum(axis=1)
    lowest = np.minimum(np.minimum.accumulate(total, axis=1), 0)
    newest: Series = (total - lowest)[:, -1] * p["side"]
    return newest


FAMILIES: dict[int, Callable[[Series, Any], Series]] = {
    CHANGE: change,
    AVERAGE: average,
    SLOPE: slope,
    EWMA: ewma,
    CUSUM: cusum,
}


def _standardised(window: Series, p: dict[str, NDArray[Any]]) -> Series:
    past = window[:, 1:]
    deviations: Series = (window - median(past)[:, None]) / _scale(past, p | {"reference": np.full(len(past), 2)})[
        :, None
    ]
    return deviations


def _scale(past: Series, p: dict[str, NDArray[Any]]) -> Series:
    """Give 1 where the rule counts in units, and the personal spread, at least the rule's floor, where it does not."""
    if not (p["reference"] == 2).any():
        return np.ones(len(past))
    deviation = median(np.abs(past - median(past)[:, None])) * MAD_TO_SD
    return np.where(p["reference"] == 2, np.maximum(np.nan_to_num(deviation), p["spread"]), 1.0)


def median(values: Series) -> Series:
    """Take the median of each row without its gaps; NaN for an empty row."""
    ordered = np.sort(values, axis=1)
    count = (~np.isnan(ordered)).sum(axis=1)
    rows = np.arange(len(values))
    low, high = ordered[rows, np.maximum(count - 1, 0) // 2], ordered[rows, np.minimum(count // 2, values.shape[1] - 1)]
    return np.where(count > 0, (low + high) / 2, np.nan)


def _most(values: Series) -> Series:
    """Take the highest of each row without its gaps; NaN for an empty row."""
    highest = np.where(np.isnan(values), -np.inf, values).max(axis=1)
    return np.where(np.isinf(highest), np.nan, highest)

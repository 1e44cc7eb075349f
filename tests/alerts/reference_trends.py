"""What would each trend family say of a short series, worked out with plain lists and the statistics module?"""

from __future__ import annotations

import math
from itertools import combinations
from statistics import fmean, median

from alerts.documents import AverageRule, ChangeRule, CusumRule, EwmaRule, SlopeRule, Trend

Series = list[float | None]
"""Means of the steps, newest first; None where a step has none."""


def amount(rule: Trend, window: Series) -> float:
    """The family's amount: a rise is positive."""
    past = [x for x in window[1:] if x is not None]
    newest = window[0]
    assert newest is not None
    if isinstance(rule, AverageRule):
        kept = [x for x in window if x is not None]
        return fmean(kept[: len(kept) - rule.skip]) if len(kept) > rule.skip else math.nan
    if isinstance(rule, SlopeRule):
        found = [(i, x) for i, x in enumerate(window) if x is not None]
        slopes = [(later - earlier) / (j - i) for (i, later), (j, earlier) in combinations(found, 2)]
        return median(slopes) if slopes else math.nan
    if not past:
        # without a past there is nothing to compare with; a sum over nothing is nothing
        return 0.0 if isinstance(rule, CusumRule | EwmaRule) else math.nan
    if isinstance(rule, ChangeRule):
        sign = -1 if rule.side == "low" else 1
        if rule.reference == "extreme":
            found = newest - (max(past) if rule.side == "low" else min(past))
        else:
            scale = spread(past, rule.least_spread or 0) if rule.reference == "spread" else 1
            found = (newest - median(past)) / scale
        far_enough = rule.least is None or sign * newest >= sign * rule.least - 1e-4
        return found if far_enough else sign * min(sign * found, 0)
    assert isinstance(rule, CusumRule | EwmaRule)
    scale = spread(past, rule.least_spread)
    z = [None if x is None else (x - median(past)) / scale for x in window]
    if isinstance(rule, EwmaRule):
        level = sum(rule.weight * (1 - rule.weight) ** i * x for i, x in enumerate(z) if x is not None)
        return level / math.sqrt(rule.weight / (2 - rule.weight))
    sign, total = (-1 if rule.side == "low" else 1), 0.0
    for x in reversed(z):
        total = max(0.0, total + (0 if x is None else sign * x - rule.slack))
    return sign * total


def spread(past: list[float], least: float) -> float:
    """1.4826 times the median absolute deviation, at least the rule's floor."""
    middle = median(past)
    return max(1.4826 * median(abs(x - middle) for x in past), least)

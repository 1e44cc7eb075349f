"""What would NEWS2 be if it were computed slowly, one patient at a time, straight from the printed chart?

An independent transcription of the Royal College of Physicians' NEWS2 (London, 2017), charts 1 and 4, as plain
comparisons: it shares no table, no rounding and no bound arithmetic with ``alerts.news2``, which is compared with it.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable
from dataclasses import dataclass
from decimal import ROUND_HALF_UP, Decimal
from typing import Any

LEVELS = ("routine", "low", "low_medium", "medium", "high")

# One value for each band of the chart: trying them all for a missing parameter is trying everything.
EVERY_BAND: dict[str, tuple[float | str, ...]] = {
    "respiration_rate": (8, 10, 15, 22, 25),
    "spo2": (83, 85, 87, 90, 92, 93, 94, 95, 96, 97),
    "on_oxygen": (0, 1),
    "bp_systolic": (90, 95, 105, 150, 220),
    "pulse": (40, 45, 70, 100, 120, 131),
    "consciousness": ("A", "C", "V", "P", "U"),
    "temperature": (35.0, 35.5, 37.0, 38.5, 39.1),
}
ORDER = tuple(EVERY_BAND)

Observed = dict[str, Any]


def rounded(value: float, step: str) -> Decimal:
    """Round a value half up as it is written in decimals, not as it is held in binary."""
    return Decimal(repr(float(value))).quantize(Decimal(step), rounding=ROUND_HALF_UP)


def respiration_rate_points(value: float) -> int:
    rate = rounded(value, "1")
    if rate <= 8:
        return 3
    if rate <= 11:
        return 1
    if rate <= 20:
        return 0
    if rate <= 24:
        return 2
    return 3


def spo2_points(value: float, scale: int, on_oxygen: float | None) -> int | None:
    """Points of SpO2; None where they depend on an oxygen that is not known."""
    saturation = rounded(value, "1")
    if scale == 1:
        if saturation <= 91:
            return 3
        if saturation <= 93:
            return 2
        return 1 if saturation <= 95 else 0
    if saturation <= 83:
        return 3
    if saturation <= 85:
        return 2
    if saturation <= 87:
        return 1
    if saturation <= 92:
        return 0
    if on_oxygen is None:
        return None
    if not on_oxygen:
        return 0
    if saturation <= 94:
        return 1
    return 2 if saturation <= 96 else 3


def bp_systolic_points(value: float) -> int:
    systolic = rounded(value, "1")
    if systolic <= 90:
        return 3
    if systolic <= 100:
        return 2
    if systolic <= 110:
        return 1
    return 0 if systolic <= 219 else 3


def pulse_points(value: float) -> int:
    pulse = rounded(value, "1")
    if pulse <= 40:
        return 3
    if pulse <= 50:
        return 1
    if pulse <= 90:
        return 0
    if pulse <= 110:
        return 1
    return 2 if pulse <= 130 else 3


def temperature_points(value: float) -> int:
    temperature = rounded(value, "0.1")
    if temperature <= Decimal("35.0"):
        return 3
    if temperature <= Decimal("36.0"):
        return 1
    if temperature <= Decimal("38.0"):
        return 0
    return 1 if temperature <= Decimal("39.0") else 2


def points_of(observed: Observed, scale: int) -> list[int | None]:
    """Points in the chart's order; None where not known."""
    oxygen = observed["on_oxygen"]
    alone: dict[str, Callable[[Any], int | None]] = {
        "respiration_rate": respiration_rate_points,
        "spo2": lambda value: spo2_points(value, scale, oxygen),
        "on_oxygen": lambda value: 2 if value else 0,
        "bp_systolic": bp_systolic_points,
        "pulse": pulse_points,
        "consciousness": lambda letter: 0 if letter == "A" else 3,
        "temperature": temperature_points,
    }
    return [None if observed[name] is None else alone[name](observed[name]) for name in ORDER]


def level_of(score: int, red: bool) -> int:
    """Response level of chart 4."""
    if score >= 7:
        return 4
    if score >= 5:
        return 3
    if red:
        return 2
    return 1 if score >= 1 else 0


@dataclass(frozen=True)
class Score:
    """One patient's scores."""

    points: list[int | None]
    aggregate: int | None
    lower: int
    upper: int
    red: bool
    response: int
    response_upper: int


def completions(observed: Observed) -> list[Observed]:
    """Every way in which the missing parameters can turn out, band by band."""
    missing = [name for name in ORDER if observed[name] is None]
    return [
        {**observed, **dict(zip(missing, values, strict=True))}
        for values in itertools.product(*(EVERY_BAND[name] for name in missing))
    ]


def score_one(observed: Observed, scale: int) -> Score:
    """Score one patient, with the bounds found by trying every completion."""
    points = points_of(observed, scale)
    outcomes = [[p for p in points_of(whole, scale) if p is not None] for whole in completions(observed)]
    totals = [sum(outcome) for outcome in outcomes]
    levels = [level_of(sum(outcome), 3 in outcome) for outcome in outcomes]
    return Score(
        points=points,
        aggregate=None if None in points else totals[0],
        lower=min(totals),
        upper=max(totals),
        red=3 in points,
        response=min(levels),
        response_upper=max(levels),
    )


def deciding(observed: Observed, scale: int) -> list[bool]:
    """For each parameter: is it missing, and does its value alone decide the level in some completion?"""
    answer = []
    for name in ORDER:
        levels: dict[tuple[object, ...], set[int]] = {}
        for whole in completions(observed) if observed[name] is None else []:
            outcome = [p for p in points_of(whole, scale) if p is not None]
            beside = tuple(value for other, value in whole.items() if other != name)
            levels.setdefault(beside, set()).add(level_of(sum(outcome), 3 in outcome))
        answer.append(any(len(found) > 1 for found in levels.values()))
    return answer

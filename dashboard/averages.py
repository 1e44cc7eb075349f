"""What are a patient's blood pressures at home, averaged as NICE NG136 wants them?

Readings twice a day for at least four, ideally seven days; those of the first day are discarded, and all others
averaged [1]_.

References
----------
.. [1] NICE guideline NG136, Hypertension in adults: diagnosis and management, 1.2: home blood pressure monitoring.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from zoneinfo import ZoneInfo

import numpy as np

NOON = 12
FEWEST_DAYS = 4
DAYS = 7


@dataclass(frozen=True)
class Reading:
    """One blood pressure [mmHg]."""

    at: datetime
    systolic: float
    diastolic: float


@dataclass(frozen=True)
class Mean:
    """The mean of some readings [mmHg], and of how many."""

    systolic: float
    diastolic: float
    readings: int


@dataclass(frozen=True)
class Day:
    """A day's means before and after noon; ``discarded`` is the first day of the protocol."""

    day: date
    morning: Mean | None
    evening: Mean | None
    discarded: bool


@dataclass(frozen=True)
class Averages:
    """The days of the protocol, and the means of all that counts; ``is_enough`` from four days on."""

    days: tuple[Day, ...]
    morning: Mean | None
    evening: Mean | None
    overall: Mean | None
    is_enough: bool


def average(readings: Sequence[Reading], zone: str) -> Averages:
    """Average the last seven days on which something was measured, without the first of them.

    Parameters
    ----------
    readings : sequence of Reading
        In any order.
    zone : str
        Name in the time-zone database: what a day is, and what a morning, is the patient's own.

    Returns
    -------
    Averages
    """
    local = [(r.at.astimezone(ZoneInfo(zone)), r) for r in readings]
    dates = sorted({at.date() for at, _ in local})[-DAYS:]
    counted = dates[1:]

    def mean(days: Sequence[date], morning: bool | None = None) -> Mean | None:
        chosen = [r for at, r in local if at.date() in days and (morning is None or (at.hour < NOON) == morning)]
        if not chosen:
            return None
        pressures = np.array([(r.systolic, r.diastolic) for r in chosen])
        systolic, diastolic = pressures.mean(axis=0)
        return Mean(float(systolic), float(diastolic), len(chosen))

    days = tuple(Day(d, mean([d], True), mean([d], False), d == dates[0]) for d in dates)
    return Averages(days, mean(counted, True), mean(counted, False), mean(counted), len(dates) >= FEWEST_DAYS)

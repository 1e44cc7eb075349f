"""How would one score one patient on the NEWS2 chart in ordinary Python? What `alerts.news2` is measured beside.

The same answers of the same completeness, points with bounds and response levels, from the same tables; written for
speed as far as one would: numbers are floats, and everything that does not depend on the patient is laid out before.
"""

from __future__ import annotations

from math import floor
from typing import Any, NamedTuple

from alerts.load_rules import NEWS2_BANDS, NEWS2_RESPONSE, BandRow, load_bands, load_response
from alerts.news2_chart import PARAMETERS

Bands = list[tuple[float, int]]
"""Upper edge and points of each band, rising."""

_ROWS, _RESPONSES = load_bands(NEWS2_BANDS), load_response(NEWS2_RESPONSE)
_PAIR = ("spo2", "on_oxygen")


def _bands(rows: list[BandRow]) -> Bands:
    rising = sorted(rows, key=lambda row: float("-inf") if row.lower is None else float(row.lower))
    return [(float("inf") if row.upper is None else float(row.upper), row.points) for row in rising]


_STEPS = {row.parameter: float(1 / row.resolution) for row in _ROWS}
_ALONE = {name: _bands([row for row in _ROWS if row.parameter == name]) for name in PARAMETERS if name not in _PAIR}
_SPO2 = {
    (scale, oxygen): _bands([row for row in _ROWS if row.parameter == "spo2" and row.applies(scale, oxygen)])
    for scale in (1, 2)
    for oxygen in (0, 1)
}
_OXYGEN = {int(row.upper if row.upper is not None else row.lower or 0): row.points for row in _ROWS
           if row.parameter == "on_oxygen"}  # fmt: skip
_LETTERS = {letter: place for place, letter in enumerate("ACVPU")}
_LEVELS = [(int(row.lower), level) for level, row in enumerate(_RESPONSES) if row.lower is not None]
_RED_LEVEL, _RED = next((level, r.red_points) for level, r in enumerate(_RESPONSES) if r.red_points is not None)


class Plain(NamedTuple):
    """One patient's scores, as `alerts.news2.News2` has those of a ward; None where not known."""

    points: list[int | None]
    aggregate: int | None
    lower: int
    upper: int
    red: bool
    response: int
    response_upper: int


def plain_news2(observed: dict[str, Any], scale: int) -> Plain:
    """Score one observation set; None is not observed."""
    points: dict[str, int | None] = {}
    lower = upper = 0
    red = could_be_red = False
    for name, bands in _ALONE.items():
        value = observed[name]
        if value is None:
            points[name] = None
            worth = [p for _, p in bands]
            lower, upper = lower + min(worth), upper + max(worth)
            could_be_red = could_be_red or _RED in worth
            continue
        found = _points(_LETTERS[value] if name == "consciousness" else value, _STEPS[name], bands)
        points[name] = found
        lower, upper = lower + found, upper + found
        red = red or found == _RED
    pairs = _pairs(observed["spo2"], observed["on_oxygen"], scale)
    sums = [spo2 + oxygen for spo2, oxygen in pairs]
    lower, upper = lower + min(sums), upper + max(sums)
    red = red or all(_RED in pair for pair in pairs)
    could_be_red = could_be_red or red or any(_RED in pair for pair in pairs)
    for place, name in enumerate(_PAIR):
        alike = {pair[place] for pair in pairs}
        points[name] = alike.pop() if observed[name] is not None and len(alike) == 1 else None
    listed = [points[name] for name in PARAMETERS]
    aggregate = None if None in listed else lower
    return Plain(listed, aggregate, lower, upper, red, _level(lower, red), _level(upper, could_be_red))


def _points(value: float, steps: float, bands: Bands) -> int:
    charted = floor(value * steps + 0.5 + 1e-6) / steps
    for edge, points in bands:
        if charted <= edge:
            return points
    raise ValueError(f"{value} lies beyond the chart")


def _pairs(spo2: float | None, on_oxygen: float | None, scale: int) -> list[tuple[int, int]]:
    """Give the points of SpO2 and of oxygen that can turn out; one pair where both are known."""
    pairs = []
    for oxygen in (0, 1) if on_oxygen is None else (int(on_oxygen),):
        bands = _SPO2[scale, oxygen]
        every = [p for _, p in bands] if spo2 is None else [_points(spo2, _STEPS["spo2"], bands)]
        pairs += [(p, _OXYGEN[oxygen]) for p in every]
    return pairs


def _level(score: int, red: bool) -> int:
    level = max(level for least, level in _LEVELS if least <= score)
    return max(level, _RED_LEVEL) if red else level

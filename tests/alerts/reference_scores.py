"""What do the newest values of one patient add up to at least, by any table, worked out slowly?"""

from __future__ import annotations

import math
from decimal import Decimal
from typing import Any

from alerts.documents import Policy, ScoreRule
from alerts.notation import duration
from tests.reference_news2 import points_of

NEWS2_ORDER = ("respiration_rate", "spo2", "on_oxygen", "bp_systolic", "pulse", "consciousness", "temperature")


class Scores:
    """The newest values of one patient, and what they add up to at least."""

    def __init__(self, policy: Policy, scale: int) -> None:
        self.policy, self.scale = policy, scale
        self.recent: dict[str, list[tuple[int, float]]] = {}

    def lower(self, rule: ScoreRule, at: int) -> tuple[float, dict[str, int | None]]:
        """Give the least aggregate score that the values of so long back allow, and the points of each parameter."""
        since = at - duration(rule.valid, "")
        if rule.table != "news2":
            return self._lower_of_table(rule, since)
        known = {v: self.recent[v][0][1] for v in NEWS2_ORDER if self._counts(v, since)}
        points = _points(known, self.scale)
        lower = sum(p for p in points.values() if p is not None)
        if points["spo2"] is None and "spo2" in known:  # scale 2 and oxygen not known: at least the milder of the two
            lower += min(
                sum(_points(known | {"on_oxygen": o}, self.scale)[v] or 0 for v in ("spo2", "on_oxygen"))
                for o in (0.0, 1.0)
            )
        return float(lower), points

    def _counts(self, vital: str, since: int) -> bool:
        if not self.recent.get(vital) or self.recent[vital][0][0] < since:
            return False
        at, value = self.recent[vital][0]
        changed = self.recent.get("soft_signs") or [(0, 0.0)]
        return not (vital == "consciousness" and value == 0 and changed[0][1] == 1 and changed[0][0] > at)

    def _lower_of_table(self, rule: ScoreRule, since: int) -> tuple[float, dict[str, int | None]]:
        bands = self.policy.tables[rule.table].bands
        points: dict[str, int | None] = {}
        for name in {band.parameter for band in bands}:
            mine = [band for band in bands if band.parameter == name]
            points[name] = None
            if self._counts(name, since):
                step = mine[0].resolution
                value = math.floor(Decimal(str(self.recent[name][0][1])) / step + Decimal("0.5")) * step
                points[name] = next(
                    b.points
                    for b in mine
                    if (b.lower is None or b.lower <= value) and (b.upper is None or value <= b.upper)
                )
        least = {name: min(b.points for b in bands if b.parameter == name) for name in points}
        return float(sum(least[name] if p is None else p for name, p in points.items())), points


def _points(known: dict[str, float], scale: int) -> dict[str, int | None]:
    observed: dict[str, Any] = dict.fromkeys(NEWS2_ORDER) | known
    if observed["consciousness"] is not None:
        observed["consciousness"] = "ACVPU"[int(observed["consciousness"])]
    return dict(zip(NEWS2_ORDER, points_of(observed, scale), strict=True))

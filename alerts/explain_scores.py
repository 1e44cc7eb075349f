"""Which clause of a score rule fired, and by which values?

Everything is said from the facts that an episode stores, so that what was raised long ago reads as what is raised
today, and a stored sentence of an older form is told anew.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from alerts.bands import banded_points
from alerts.documents import Policy, ScoreRule
from alerts.episodes import OPENED
from alerts.news2 import CHART, news2
from alerts.news2_chart import PARAMETERS, SCALES
from alerts.score_tables import NEWS2
from schemas.episode import Severity
from schemas.vital_signs import BY_NAME

Facts = Mapping[str, Any]
KEPT = "stays until somebody resets it"
"""How the sentence of a latched episode ends whose condition is over."""
_WAITS = "not confirmed yet"
_MANY = {2: "Two", 3: "Three", 4: "Four", 5: "Five", 6: "Six", 7: "Seven", 8: "Eight"}


def inputs_of(policy: Policy, rule: ScoreRule, transition: np.void) -> dict[str, float]:
    """Give the values that a score was made of, NaN where one was not known."""
    if rule.table == NEWS2:
        return dict(zip(PARAMETERS, transition["inputs"].tolist(), strict=True))
    # kept in single precision, which is exact to the three decimals with which values are entered
    names = policy.tables[rule.table].parameters
    return {name: round(float(value), 3) for name, value in zip(names, transition["window"], strict=False)}


def score_facts(policy: Policy, rule: ScoreRule, transition: np.void) -> dict[str, Any]:
    """Give the values with their points, and what else decides which clause of the rule it was."""
    values = {name: None if np.isnan(v) else v for name, v in inputs_of(policy, rule, transition).items()}
    found: dict[str, Any] = {"values": values, "severity": Severity(int(transition["severity"])).word}
    if rule.red_score is not None:
        found["red_score"] = rule.red_score
    if rule.table == NEWS2:
        return found | {"points": _news2_points(values, float(transition["value"])), "red_points": CHART.red_points}
    table = policy.tables[rule.table]
    points = {
        name: int(banded_points(np.array([value]), bands)[0])
        for (name, value), bands in zip(values.items(), table.lookups, strict=True)
        if value is not None
    }
    found |= {"points": points, "table": rule.table, "table_version": table.version}
    return found if rule.red_points is None else found | {"red_points": rule.red_points}


def score_sentence(policy: Policy, rule: ScoreRule, transition: np.void) -> str:
    """Say in one sentence which clause of the rule was met, by what; or how it eases where none is any more."""
    facts = score_facts(policy, rule, transition) | {"title": rule.title, "value": float(transition["value"])}
    facts["thresholds"] = {w: t for w in ("yellow", "amber", "red") if (t := getattr(rule, w)) is not None}
    if rule.table == NEWS2 and policy.usual_news2 is not None:
        facts["usual_news2"] = policy.usual_news2
    if transition["kind"] == OPENED:
        return f"{_sum(facts)}{_unknown(facts)}; {_WAITS}."
    if transition["severity"] == 0:
        return f"{_sum(facts)}{_unknown(facts)}."
    return f"{retold('', facts)}."


def retold(sentence: str, facts: Facts | None, severity: int = 0, *, brief: bool = False) -> str:
    """Tell again why an episode stands, from what is stored of it, without the full stop at the end.

    Parameters
    ----------
    sentence : str
        The stored one, which stands where the rule is no score, or where too little is stored of it.
    facts : mapping, optional
        The stored explanation.
    severity : int
        How severe the episode is, or was at its worst where it is over; of older ones it is not stored beside the rest.
    brief : bool
        Leave out what was not observed, and the sum where it was not what decided.
    """
    stored = sentence.removesuffix(".")
    if not facts or not _is_score(facts) or stored.endswith((KEPT, _WAITS)):
        return stored
    word = facts.get("severity")
    told = _clause(facts, Severity.of(word) if word else Severity(severity), brief=brief)
    if told is None:
        told = f"{_sum(facts)}: easing, not settled yet" if word else _clause(facts, Severity.NONE) or _sum(facts)
    return told if brief else f"{told}{_unknown(facts)}"


def points_of(facts: Facts) -> dict[str, int]:
    """Give the points that each value had, as far as the stored facts say."""
    stored: dict[str, int] | None = facts.get("points")
    if stored is not None:
        return stored
    return _news2_points(facts["values"], float(facts["value"])) if set(facts["values"]) == set(PARAMETERS) else {}


def _is_score(facts: Facts) -> bool:
    return "vital" not in facts and facts.get("value") is not None and {"title", "values", "thresholds"} <= facts.keys()


def _news2_points(values: Mapping[str, float | None], lower: float) -> dict[str, int]:
    """Score the values anew; the SpO2 scale is not stored, and where both give the stored sum it does not matter."""
    columns = {name: [np.nan if values[name] is None else values[name]] for name in PARAMETERS}
    for scale in SCALES:
        scores = news2(**columns, spo2_scale=scale)
        if scores.lower[0] == lower:
            return {name: int(p) for name, p in zip(PARAMETERS, scores.points[0], strict=True) if not np.isnan(p)}
    return {}


def _clause(facts: Facts, severity: Severity, *, brief: bool = False) -> str | None:
    """Name the clause that gave the severity: the sum first; what alone was enough where the sum was not."""
    thresholds: Mapping[str, float] = facts["thresholds"]
    reached = [s for s in Severity if s and (t := thresholds.get(s.word)) is not None and facts["value"] >= t]
    if reached and max(reached) >= severity:
        limit = thresholds[severity.word if severity.word in thresholds else max(reached).word]
        return f"{_sum(facts)}, limit {limit:g} or more"
    alone = _alone(facts)
    red = facts.get("red_score")
    if alone and (red is None or Severity.of(red) >= severity):
        told = _scored_alone(facts, alone)
        return told if brief else f"{told} ({_sum(facts)})"
    return None


def _alone(facts: Facts) -> list[str]:
    enough = facts.get("red_points", None if facts.get("table") else CHART.red_points)
    return [] if enough is None else [name for name, p in points_of(facts).items() if p >= enough]


def _scored_alone(facts: Facts, names: Sequence[str]) -> str:
    who = "One vital sign" if len(names) == 1 else f"{_MANY[len(names)]} vital signs"
    least = min(points_of(facts)[name] for name in names)
    told = ", ".join(_value(name, facts["values"][name]) for name in names)
    return f"{who} scored {least}: {told}"


def _value(name: str, value: float) -> str:
    vital = BY_NAME[name]
    return vital.format(value) if name == "on_oxygen" else f"{vital.label.lower()} {vital.format(value)}"


def _sum(facts: Facts) -> str:
    least = "at least " if None in facts["values"].values() else ""
    usual = facts.get("usual_news2")
    usually = "" if usual is None or facts.get("table") else f", usually {usual}"
    return f"{facts['title']} {least}{facts['value']:.0f}{usually}"


def _unknown(facts: Facts) -> str:
    missing = [BY_NAME[name].label.lower() for name, value in facts["values"].items() if value is None]
    return f"; not observed: {', '.join(missing)}" if missing else ""

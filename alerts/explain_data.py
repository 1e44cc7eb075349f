"""Which marks, or which two values, met a rule on the observations themselves?"""

from __future__ import annotations

from typing import Any

import numpy as np

from alerts.documents import DisagreementRule, OutlierRule, QualityRule
from alerts.episodes import OPENED
from schemas.vital_signs import BY_NAME

_MARKS = {
    "irregular_pulse": "an irregular pulse",
    "movement": "movement",
    "cuff_fit": "a cuff that does not fit",
    "clock_unset": "a clock that is not set",
    "poor_signal": "a poor signal",
    "position": "a wrong position",
}
DataRule = QualityRule | DisagreementRule | OutlierRule


def data_sentence(rule: DataRule, transition: np.void) -> str:
    """Say in one sentence what is doubtful about the observations."""
    if isinstance(rule, QualityRule):
        return _quality_sentence(rule, transition)
    if transition["severity"] == 0 and transition["kind"] != OPENED:
        now = "the two devices agree" if isinstance(rule, DisagreementRule) else "as usual"
        return f"{BY_NAME[rule.vital].label}: {now} now."
    said = _disagreement(rule, transition) if isinstance(rule, DisagreementRule) else _outlier(rule, transition)
    return f"{said}; not confirmed yet." if transition["kind"] == OPENED else f"{said}."


def data_facts(rule: DataRule, transition: np.void) -> dict[str, Any]:
    """Give what was looked at: the marks, or the two values."""
    if isinstance(rule, QualityRule):
        return {"marks": list(rule.marks), "vitals": list(rule.vitals), "scored": rule.scored}
    first, second = (None if np.isnan(x) else round(float(x), 4) for x in transition["window"][:2])
    if isinstance(rule, DisagreementRule):
        return {"vital": rule.vital, "values": dict(zip(rule.beside, (first, second), strict=True))}
    return {"vital": rule.vital, "observed": first, "baseline": second, "every": rule.every, "over": rule.over}


def _quality_sentence(rule: QualityRule, transition: np.void) -> str:
    labels = ", ".join(BY_NAME[v].label.lower() for v in rule.vitals)
    if transition["severity"] == 0 and transition["kind"] != OPENED:
        return f"The device has no doubt about {labels} any more."
    marks = " or ".join(_MARKS[mark] for mark in rule.marks)
    times = f", {transition['count']} times in a row" if transition["count"] > 1 else ""
    waits = ": not confirmed yet" if transition["kind"] == OPENED else ""
    return f"The device reports {marks} for {labels}{times}{waits}."


def _disagreement(rule: DisagreementRule, transition: np.void) -> str:
    vital = BY_NAME[rule.vital]
    parts = [
        f"{vital.format(float(value))} beside {BY_NAME[name].label.lower()}"
        for name, value in zip(rule.beside, transition["window"][:2], strict=True)
    ]
    return f"{vital.label}: {parts[0]}, {parts[1]}"


def _outlier(rule: OutlierRule, transition: np.void) -> str:
    vital = BY_NAME[rule.vital]
    value, usual = (vital.format(float(x)) for x in transition["window"][:2])
    return f"{vital.label} {value}, usually {usual}: so far from their own that it may be somebody else's"

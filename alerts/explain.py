"""Why was an episode raised: as data for the record, and as one sentence that a carer understands?"""

from __future__ import annotations

import json
from typing import Any

import numpy as np

from alerts.documents import (
    CombinationRule,
    Graded,
    LimitRule,
    OverdueRule,
    Policy,
    QualityRule,
    Rule,
    ScoreRule,
    Trend,
    rule_key,
)
from alerts.episodes import CLEARED, EASED, OPENED
from alerts.explain_data import DataRule, data_facts, data_sentence
from alerts.explain_scores import KEPT, score_facts, score_sentence
from alerts.explain_trends import combination_facts, combination_sentence, trend_facts, trend_sentence
from schemas.episode import Severity
from schemas.vital_signs import BY_NAME


def rule_of(policy: Policy, transition: np.void) -> Rule | None:
    """Find the rule of a transition; None where this version of the policy has it no more."""
    return next((r for r in policy.rules if rule_key(r.name) == transition["rule"]), None)


def sentence(policy: Policy, transition: np.void) -> str:
    """Say in one sentence why the episode stands as it does after the transition."""
    rule = rule_of(policy, transition)
    if transition["kind"] == CLEARED:
        return f"{sentence(policy, _as_over(transition)).removesuffix('.')}; {KEPT}."
    if isinstance(rule, LimitRule):
        return _limit_sentence(rule, transition)
    if isinstance(rule, ScoreRule):
        return score_sentence(policy, rule, transition)
    if isinstance(rule, Trend):
        return trend_sentence(rule, transition)
    if isinstance(rule, CombinationRule):
        return combination_sentence(policy, rule, transition)
    if isinstance(rule, DataRule):
        return data_sentence(rule, transition)
    if isinstance(rule, OverdueRule):
        return _overdue_sentence(rule, transition)
    return "The rule is no longer part of the policy."


def _overdue_sentence(rule: OverdueRule, transition: np.void) -> str:
    silent = silent_vitals(rule, transition)
    names = [BY_NAME[v].label.lower() for v in rule.vitals]
    if transition["severity"] == 0:
        return f"An observation has come in: {names[0] if len(names) == 1 else 'observations'}."
    partly = 0 < len(silent) < len(names)
    what = _either([BY_NAME[v].label.lower() for v in silent]) if partly else "observations"
    allowed = f"{rule.every} and {rule.grace} of grace"
    if partly:
        return f"No {what} for longer than {allowed}, while other observations come in."
    if silent and len(names) > 1:
        return f"No observations at all for longer than {allowed}."
    return f"No {names[0] if len(names) == 1 else what} for longer than {allowed}."


def silent_vitals(rule: OverdueRule, transition: np.void) -> list[str]:
    """Name the vital signs that were silent after the transition; none where the schedule needs any of them."""
    if rule.needs == "any":
        return []
    return [name for name in rule.vitals if transition["window"][BY_NAME[name].code] == 1]


def is_all_silent(policy: Policy, transition: np.void) -> bool:
    """Say whether nothing at all came any more, of what a schedule needs each of."""
    rule = rule_of(policy, transition)
    return isinstance(rule, OverdueRule) and set(silent_vitals(rule, transition)) == set(rule.vitals)


def _either(names: list[str]) -> str:
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} or {names[-1]}"


def _as_over(transition: np.void) -> np.void:
    """Give the transition as it would be if nothing were held."""
    over: np.void = transition.copy()
    over["kind"], over["severity"] = EASED, 0
    return over


def thresholds(rule: Graded, *, at_night: bool = False) -> dict[str, float]:
    """Give the thresholds that are stated by severity, those of the night where it is night."""
    night = rule.night if at_night and isinstance(rule, LimitRule) else None
    found = {}
    for word in ("yellow", "amber", "red"):
        value, own = getattr(rule, word), None if night is None else getattr(night, word)
        if value is not None:
            found[word] = value if own is None else own
    return found


def _limit_sentence(rule: LimitRule, transition: np.void) -> str:
    vital = BY_NAME[rule.vital]
    now = f"{vital.label} {vital.format(float(transition['value']))}"
    if transition["kind"] == OPENED:
        return f"{now}: not confirmed yet."
    if vital.plausible_high - vital.plausible_low == vital.resolution:  # a yes or no has no limit to speak of
        return f"{rule.title}." if transition["severity"] else f"{now}."
    if transition["severity"] == 0:
        return f"{now}: back {'above' if rule.side == 'low' else 'below'} the limit."
    severity = Severity(int(transition["severity"]))
    threshold = thresholds(rule, at_night=bool(transition["at_night"]))[severity.word]
    limit = vital.format(threshold)
    beyond = transition["value"] <= threshold if rule.side == "low" else transition["value"] >= threshold
    if not beyond:
        worst = Severity(int(transition["peak"])).word
        if rule.latching:
            return f"{now}: {worst} before, stays until somebody resets it."
        return f"{now}: easing from {worst}, not settled yet."
    at_night = " at night" if transition["at_night"] else ""
    times = f", {transition['count']} times in a row" if transition["count"] > 1 else ""
    return f"{now}, limit {limit} or {'less' if rule.side == 'low' else 'more'}{at_night}{times}."


def explanation(policy: Policy, transition: np.void) -> dict[str, Any]:
    """Give what is needed to show, and to check, why: rule, policy version, source, values and thresholds."""
    rule = rule_of(policy, transition)
    found: dict[str, Any] = {
        "policy": policy.document.name,
        "version": policy.version,
        "author": policy.document.author,
        "at": int(transition["at"]),
        "value": _number(transition["value"]),
        "count": int(transition["count"]),
    }
    if policy.personal:
        found["personal"] = json.loads(policy.personal)
    if policy.usual_news2 is not None:
        found["usual_news2"] = policy.usual_news2
    if rule is None:
        return found
    found |= {"rule": rule.name, "title": rule.title, "source": rule.source, "advice": rule.advice}
    if isinstance(rule, Graded):
        found["thresholds"] = thresholds(rule, at_night=bool(transition["at_night"]))
    if isinstance(rule, Graded | CombinationRule | QualityRule) and rule.latching:
        found["latching"] = True
    if isinstance(rule, LimitRule):
        found |= {"vital": rule.vital, "side": rule.side}
        if rule.night is not None:
            found |= {"night": [rule.night.begins, rule.night.ends], "at_night": bool(transition["at_night"])}
    if isinstance(rule, ScoreRule):
        found |= score_facts(policy, rule, transition)
    if isinstance(rule, Trend):
        found |= trend_facts(rule, transition)
    if isinstance(rule, CombinationRule):
        found |= combination_facts(policy, rule, transition)
    if isinstance(rule, DataRule):
        found |= data_facts(rule, transition)
    if isinstance(rule, OverdueRule):
        found |= {"vitals": list(rule.vitals), "every": rule.every, "grace": rule.grace}
        if rule.needs == "all":
            found["silent"] = silent_vitals(rule, transition)
    return found


def _number(value: Any) -> float | None:
    return None if np.isnan(value) else float(value)

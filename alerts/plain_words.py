"""What does a policy say, in words that a clinician reads without knowing how a document is written?

For reading only: what is scored is the document. `differences` says in the same words what a new version changes.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import msgspec

from alerts.documents import (
    AverageRule,
    ChangeRule,
    CombinationRule,
    Confirmation,
    CusumRule,
    DisagreementRule,
    Document,
    EwmaRule,
    Graded,
    LimitRule,
    OutlierRule,
    OverdueRule,
    Personal,
    QualityRule,
    RepeatRule,
    Rule,
    ScoreRule,
    SlopeRule,
    Trend,
)
from alerts.score_tables import score_label
from schemas.vital_signs import BY_NAME

WORDS = ("red", "amber", "yellow")


@dataclass(frozen=True)
class RuleInWords:
    """One rule: when it is met by severity, how that is confirmed, what to do, and where the numbers come from."""

    name: str
    title: str
    when: tuple[tuple[str, str], ...]
    how: tuple[str, ...]
    advice: str
    source: str


@dataclass(frozen=True)
class Difference:
    """One thing that is otherwise: ``before`` or ``after`` is empty where it was not there."""

    rule: str
    what: str
    before: str
    after: str


def in_words(document: Document) -> list[RuleInWords]:
    """Say each rule of a policy in words, in the document's order."""
    titles = {rule.name: rule.title for rule in document.rules}
    return [
        RuleInWords(rule.name, rule.title, _when(rule, titles), _how(rule), rule.advice, rule.source)
        for rule in document.rules
    ]


def differences(before: Document, after: Document) -> list[Difference]:
    """List what another version says otherwise, rule by rule."""
    found = _fields("", _about(before), _about(after))
    old, new = ({rule.name: rule for rule in d.rules} for d in (before, after))
    for name in dict.fromkeys([*old, *new]):
        title = (new.get(name) or old[name]).title
        if name not in new:
            found.append(Difference(title, "rule", "in force", ""))
        elif name not in old:
            found.append(Difference(title, "rule", "", "; ".join(f"{w}: {t}" for w, t in _when(new[name], {}))))
        else:
            found += _fields(title, _flat(msgspec.to_builtins(old[name])), _flat(msgspec.to_builtins(new[name])))
    return found


def _about(document: Document) -> dict[str, str]:
    return {
        "title": document.title,
        "source": document.source,
        "lateness": document.lateness,
        "actionable": document.actionable,
        "lowest age": _text(document.applies_to.lowest_age),
        "pregnancy": _text(document.applies_to.pregnancy),
        "target saturations": ", ".join(
            f"{t.lowest:g}–{t.highest:g} % (scale {t.spo2_scale})" for t in document.target_saturation
        ),
    }


def _fields(rule: str, before: dict[str, str], after: dict[str, str]) -> list[Difference]:
    return [
        Difference(rule, what, before.get(what, ""), after.get(what, ""))
        for what in dict.fromkeys([*before, *after])
        if before.get(what, "") != after.get(what, "")
    ]


def _flat(value: Any, place: str = "") -> dict[str, str]:
    """Write nested fields one below the other: ``raise after, red, consecutive``."""
    if not isinstance(value, dict):
        return {place: _text(value)}
    found: dict[str, str] = {}
    for name, inner in value.items():
        word = str(name).replace("_", " ")
        found |= _flat(inner, f"{place}, {word}" if place else word)
    return found


def _text(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float):
        return f"{value:g}"
    return ", ".join(map(str, value)) if isinstance(value, list | tuple) else str(value)


def _when(rule: Rule, titles: dict[str, str]) -> tuple[tuple[str, str], ...]:
    """Say for each severity when the rule is met."""
    if isinstance(rule, OverdueRule):
        named = _labels(rule.vitals)
        what = f"no {named}" if rule.needs == "any" else f"any one of {named} missing"
        return ((rule.severity, f"{what} for longer than {rule.every} and {rule.grace} of grace"),)
    if isinstance(rule, CombinationRule):
        names = ", ".join(titles.get(name, name) for name in rule.of)
        worse = "; as severe as the worst of them" if rule.worst else ""
        return ((rule.severity, f"at least {rule.at_least} of: {names}, each {rule.each} or worse{worse}"),)
    if isinstance(rule, RepeatRule):
        return (
            ("marked", f"the same {_labels(rule.vitals)} again after a multiple of {rule.multiple_of}, "
             f"up to {rule.at_most}: taken as a repeat, not as an observation"),
        )  # fmt: skip
    if isinstance(rule, QualityRule):
        marks = " or ".join(mark.replace("_", " ") for mark in rule.marks)
        unscored = "" if rule.scored else "; marked values are looked at by hard limits only"
        return ((rule.severity, f"{_labels(rule.vitals)} marked by the device with {marks}{unscored}"),)
    if not isinstance(rule, Graded):
        return ()
    found = [(w, _threshold(rule, getattr(rule, w))) for w in WORDS if getattr(rule, w) is not None]
    if isinstance(rule, ScoreRule):
        if rule.red_score:
            points = "3 points" if rule.red_points is None else f"{rule.red_points} points or more"
            found.append((rule.red_score, f"{points} in any one parameter"))
        found += [
            (w, f"{rise} or more above the usual score, where that is known")
            for w in WORDS
            if (rise := getattr(rule.over_usual, w)) is not None
        ]
    if isinstance(rule, LimitRule) and rule.night is not None:
        night = f"from {rule.night.begins} to {rule.night.ends}, the patient's local time"
        own = ((w, getattr(rule.night, w)) for w in WORDS)
        found += [(w, f"{_threshold(rule, t)} {night}") for w, t in own if t is not None]
    if isinstance(rule, LimitRule) and rule.extreme is not None:
        found.append(("at once", f"{_value(rule.vital, rule.extreme)} or {_beyond(rule)}, without confirmation"))
    return tuple(found)


def _threshold(rule: Graded, threshold: float) -> str:
    if isinstance(rule, ScoreRule):
        return f"{score_label(rule.table)} of {threshold:g} or more"
    if isinstance(rule, LimitRule):
        vital = BY_NAME[rule.vital]
        if vital.plausible_high - vital.plausible_low == vital.resolution:  # a yes or no has no more and no less
            return f"{_label(rule.vital)}: {_value(rule.vital, threshold)}"
        return f"{_label(rule.vital)} {_value(rule.vital, threshold)} or {_beyond(rule)}"
    if isinstance(rule, DisagreementRule):
        first, second = (_label(name) for name in rule.beside)
        return (
            f"{_label(rule.vital)} beside {first} and beside {second} {_value(rule.vital, threshold)} or more apart, "
            f"within {rule.within}"
        )
    if isinstance(rule, OutlierRule):
        return (
            f"{_label(rule.vital)} {threshold:g} or more robust spreads from the person's own median over {rule.over}, "
            f"in steps of {rule.every}, from {rule.at_least} steps on"
        )
    assert isinstance(rule, Trend)
    up = "above" if rule.side == "high" else "below"
    span = f"over {rule.over} in steps of {rule.every}, from {rule.at_least} steps on"
    if isinstance(rule, AverageRule):
        skipped = f", the first {rule.skip} left out" if rule.skip else ""
        return f"average {_label(rule.vital)} {_value(rule.vital, threshold)} or {_beyond(rule)}, {span}{skipped}"
    if isinstance(rule, SlopeRule):
        return f"{_label(rule.vital)} goes {'up' if rule.side == 'high' else 'down'} by {threshold:g} a step, {span}"
    if isinstance(rule, ChangeRule):
        unit = " personal spreads" if rule.reference == "spread" else ""
        against = {"extreme": "the extreme", "median": "the median", "spread": "the median"}[rule.reference]
        return f"newest {_label(rule.vital)} {threshold:g}{unit} {up} {against} of the steps before it, {span}"
    assert isinstance(rule, EwmaRule | CusumRule)
    kind = "weighted mean of deviations" if isinstance(rule, EwmaRule) else "cumulative sum of deviations"
    return f"{_label(rule.vital)}: {kind} {threshold:g} spreads {up} the personal baseline, {span}"


def _how(rule: Rule) -> tuple[str, ...]:
    """Say how it is confirmed, how it ends, and what may be a person's own."""
    said = []
    if isinstance(rule, Graded | CombinationRule | QualityRule):
        said += [f"Raised after {text}." for text in [_confirmed(rule.raise_after)] if text]
        for word in WORDS:
            own = getattr(rule.raise_after, word)
            if own is not None:
                said.append(f"{word.capitalize()} after {_confirmed(own) or 'one observation'}.")
        said += [f"Over after {text}." for text in [_confirmed(rule.clear_after)] if text]
    if isinstance(rule, ScoreRule):
        said.append(f"An observation counts for {rule.valid}.")
    if isinstance(rule, LimitRule) and rule.deadband:
        said.append(f"It must come back by more than {rule.deadband:g} beyond the limit.")
    if isinstance(rule, Personal) and rule.personal is not None:
        low, high = rule.personal.lowest, rule.personal.highest
        span = " and ".join(f"{w} {v:g}" for w, v in (("from", low), ("up to", high)) if v is not None)
        said.append(f"A person may have a limit of their own, {span}" + (", never a laxer one." if rule.hard else "."))
    if isinstance(rule, Graded | CombinationRule | QualityRule) and rule.latching:
        said.append("It stays until somebody resets it.")
    if rule.quiet:
        said.append("By itself it raises nothing; it counts in combinations.")
    return tuple(said)


def _confirmed(how: Confirmation) -> str:
    parts = []
    if how.consecutive > 1:
        parts.append(f"{how.consecutive} observations in a row")
    if not how.apart.startswith("0 "):
        parts.append(f"at least {how.apart} apart")
    if not how.hold.startswith("0 "):
        parts.append(f"held for {how.hold}")
    return ", ".join(parts)


def _beyond(rule: LimitRule | Trend) -> str:
    return "less" if rule.side == "low" else "more"


def _label(vital: str) -> str:
    return BY_NAME[vital].label.lower() if vital in BY_NAME else score_label(vital)


def _labels(vitals: list[str]) -> str:
    return ", ".join(_label(v) for v in vitals)


def _value(vital: str, value: float) -> str:
    return BY_NAME[vital].format(value) if vital in BY_NAME else f"{value:g}"

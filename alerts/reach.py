"""Can each rule of a policy be met at all, and not by everything?

A threshold that no value reaches is a rule that somebody relies on and that never speaks; one that every value reaches
is never silent. Both are refused before they are published.
"""

from __future__ import annotations

from collections.abc import Mapping

from alerts.documents import (
    AverageRule,
    ChangeRule,
    CombinationRule,
    DisagreementRule,
    Document,
    Graded,
    LimitRule,
    OutlierRule,
    OverdueRule,
    QualityRule,
    RepeatRule,
    Rule,
    ScoreRule,
    SlopeRule,
    Trend,
)
from alerts.notation import PolicyError, duration
from alerts.score_tables import SHIPPED, ScoreTable, score_label
from schemas.episode import Severity
from schemas.vital_signs import BY_NAME

WORDS = ("yellow", "amber", "red")


def check_reach(rule: Rule, document: Document, where: str, tables: Mapping[str, ScoreTable] = SHIPPED) -> None:
    """Raise `PolicyError` where a rule can never be met, or is met by whatever is observed."""
    if isinstance(rule, Graded):
        _check_hold(rule, where)
        for word in WORDS:
            if (threshold := getattr(rule, word)) is not None:
                _check_threshold(rule, word, threshold, where, tables)
    if isinstance(rule, ScoreRule):
        _check_score(rule, tables[rule.table], where)
    if isinstance(rule, LimitRule) and rule.extreme is not None:
        _check_plausible(rule.vital, "extreme", rule.extreme, where)
    if isinstance(rule, ChangeRule) and rule.least is not None and rule.vital in BY_NAME:
        _check_plausible(rule.vital, "least", rule.least, where)
    if isinstance(rule, CombinationRule):
        _check_combination(rule, document, where)
    if isinstance(rule, RepeatRule):
        step, most = duration(rule.multiple_of, f"{where}, multiple_of"), duration(rule.at_most, f"{where}, at_most")
        if not 0 < step <= most:
            raise PolicyError(
                f"{where}, at_most: {rule.at_most} holds no multiple of {rule.multiple_of}; exchange them"
            )
    if isinstance(rule, OverdueRule) and not duration(rule.every, f"{where}, every"):
        raise PolicyError(f"{where}, every: {rule.every} is always over; state how often an observation is expected")


def _check_threshold(rule: Graded, word: str, threshold: float, where: str, tables: Mapping[str, ScoreTable]) -> None:
    if isinstance(rule, LimitRule | AverageRule) and rule.vital in BY_NAME:
        _check_plausible(rule.vital, word, threshold, where)
        _check_deadband(rule, word, threshold, where)
    elif isinstance(rule, Trend | DisagreementRule | OutlierRule) and not isinstance(rule, AverageRule):
        if threshold <= 0:
            raise PolicyError(f"{where}: {word} = {threshold:g} is met by no change at all; state more than 0")
        in_units = isinstance(rule, SlopeRule | DisagreementRule) or (
            isinstance(rule, ChangeRule) and rule.reference != "spread"
        )
        widest = _width(rule.vital, tables)
        if in_units and threshold > widest:
            raise PolicyError(f"{where}: {word} = {threshold:g} can never be met: values are at most {widest:g} apart")


def _check_score(rule: ScoreRule, table: ScoreTable, where: str) -> None:
    lowest, highest = int(table.least.sum()), int(table.most.sum())
    stated = [(word, threshold) for word in WORDS if (threshold := getattr(rule, word)) is not None]
    for word, threshold in stated:
        if not lowest + 1 <= threshold <= highest:
            what = "is always met" if threshold < lowest + 1 else "can never be met"
            raise PolicyError(
                f"{where}: {word} = {threshold:g} {what}: {score_label(table.name)} goes from {lowest} to {highest}"
            )
    if rule.red_points is not None and rule.red_points > table.most.max():
        raise PolicyError(
            f"{where}, red_points: {rule.red_points} can never be met: no parameter of {score_label(table.name)} gives "
            f"more than {table.most.max():.0f}"
        )


def _width(vital: str, tables: Mapping[str, ScoreTable]) -> float:
    if vital in tables:
        return float((tables[vital].most - tables[vital].least).sum())
    return BY_NAME[vital].plausible_high - BY_NAME[vital].plausible_low


def _check_plausible(name: str, word: str, threshold: float, where: str) -> None:
    vital = BY_NAME[name]
    if not vital.is_plausible(threshold):
        raise PolicyError(
            f"{where}: {word} = {threshold:g} can never be met: {vital.label} is taken as plausible from "
            f"{vital.plausible_low:g} to {vital.plausible_high:g} {vital.display_unit}"
        )


def _check_deadband(rule: LimitRule | AverageRule, word: str, threshold: float, where: str) -> None:
    """Refuse a deadband behind which no value lies: the episode would never end."""
    vital = BY_NAME[rule.vital]
    back = threshold + (rule.deadband if rule.side == "low" else -rule.deadband)
    if back >= vital.plausible_high if rule.side == "low" else back <= vital.plausible_low:
        beyond = "above" if rule.side == "low" else "below"
        raise PolicyError(
            f"{where}, deadband: {rule.deadband:g} is too wide: {word} would be over only {beyond} {back:g}, and no "
            f"{vital.label.lower()} is; state a smaller one"
        )


def _check_hold(rule: Graded, where: str) -> None:
    ways = [rule.raise_after, rule.clear_after, *(getattr(rule.raise_after, word) for word in WORDS)]
    holds = [duration(way.hold, f"{where}, hold") for way in ways if way is not None]
    if max(holds) and not duration(rule.gap, f"{where}, gap"):
        raise PolicyError(f"{where}, gap: 0 lets no time count towards hold, which is never reached; state a gap")


def _check_combination(rule: CombinationRule, document: Document, where: str) -> None:
    named = {other.name: other for other in document.rules}
    able = [name for name in dict.fromkeys(rule.of) if _worst(named[name]) >= Severity.of(rule.each)]
    if len(able) < rule.at_least:
        raise PolicyError(
            f"{where}: can never be met: of its rules {len(able)} can be {rule.each} or worse, and at_least = "
            f"{rule.at_least}"
        )


def _worst(rule: Rule) -> Severity:
    """Give the worst severity that a rule can have."""
    if isinstance(rule, OverdueRule | QualityRule):
        return Severity.of(rule.severity)
    stated = [Severity.of(word) for word in WORDS if getattr(rule, word, None) is not None]
    if isinstance(rule, ScoreRule):
        stated += [Severity.of(word) for word in WORDS if getattr(rule.over_usual, word) is not None]
        stated += [Severity.of(rule.red_score)] if rule.red_score else []
    return max(stated, default=Severity.NONE)

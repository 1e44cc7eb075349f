"""How do the policies of many patients become arrays that score them all in one call?

Row b of each column is policy b, the second axis is the rule's slot. Durations are microseconds, or milliseconds where
the name ends in ``_ms``.
"""

from __future__ import annotations

import copy
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

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
    Policy,
    QualityRule,
    RepeatRule,
    Rule,
    ScoreRule,
    SlopeRule,
    Trend,
    rule_key,
)
from alerts.notation import PolicyError, duration, vital_named
from alerts.score_tables import NEWS2, ScoreTable, score_label
from alerts.state import LEVELS, MEMORIES, SLOTS, STEPS
from alerts.zones import UTC_ONLY, Zones
from schemas.episode import Severity
from schemas.observation import QUALITY_WORDS

NONE, SCORE, LIMIT, OVERDUE, REPEAT, CHANGE, AVERAGE, SLOPE, EWMA, CUSUM, COMBINATION = range(11)
QUALITY, DISAGREEMENT, OUTLIER, BANDED, OVERDUE_EACH = range(11, 16)
"""Rule families, as codes in the arrays; a score is NEWS2, the banded ones are those of other tables; a schedule that
needs all of its vital signs looks at each."""
_TREND = {ChangeRule: CHANGE, AverageRule: AVERAGE, SlopeRule: SLOPE, EwmaRule: EWMA, CusumRule: CUSUM}
_REFERENCE = {"extreme": 0, "median": 1, "spread": 2}
_LONGEST_HOLD_MS = 28 * 86_400_000


class _Columns:
    """The arrays of a bank while they are filled; shapes (B,), (B, SLOTS) and (B, SLOTS, LEVELS)."""

    def __init__(self, size: int) -> None:
        shape = (size, SLOTS)
        self.lateness = np.zeros(size, np.int64)
        self.actionable = np.zeros(size, np.int64)
        self.rule = np.zeros(shape, np.uint32)
        self.kind = np.zeros(shape, np.int8)
        self.vital = np.zeros(shape, np.int16)
        self.vitals = np.zeros(shape, np.uint32)
        self.side = np.ones(shape, np.int8)
        self.threshold = np.full((*shape, LEVELS), np.nan)
        self.extreme = np.full(shape, np.nan)
        self.deadband = np.zeros(shape)
        self.severity = np.zeros(shape, np.int8)
        self.span = np.zeros(shape, np.int64)
        self.gap = np.zeros(shape, np.int64)
        self.consecutive = np.ones((*shape, LEVELS), np.uint16)
        self.apart = np.zeros((*shape, LEVELS), np.int64)
        self.hold_ms = np.zeros((*shape, LEVELS), np.uint32)
        self.clear_consecutive = np.ones(shape, np.uint16)
        self.clear_apart = np.zeros(shape, np.int64)
        self.clear_hold_ms = np.zeros(shape, np.uint32)
        self.step = np.zeros(shape, np.int64)
        self.quiet = np.zeros(shape, bool)
        self.hard = np.zeros(shape, bool)
        self.flags = np.zeros(shape, np.int16)
        self.scored = np.ones(shape, bool)
        self.first = np.zeros(shape, np.int16)
        self.second = np.zeros(shape, np.int16)
        self.table = np.zeros(shape, np.intp)
        self.red_points = np.full(shape, np.nan)
        self.followed = np.zeros(shape, bool)
        self.latching = np.zeros(shape, bool)
        self.night = np.zeros((*shape, 2), np.int64)
        self.night_threshold = np.full((*shape, LEVELS), np.nan)
        self.night_extreme = np.full(shape, np.nan)
        self.memory = np.zeros(shape, np.intp)
        self.window = np.zeros(shape, np.int64)
        self.at_least = np.zeros(shape, np.int64)
        self.skip = np.zeros(shape, np.int64)
        self.reference = np.zeros(shape, np.int8)
        self.spread = np.ones(shape)
        self.least = np.full(shape, np.nan)
        self.weight = np.zeros(shape)
        self.members = np.zeros((*shape, SLOTS), bool)
        self.each = np.zeros(shape, np.int8)
        self.worst = np.zeros(shape, bool)
        self.memory_key = np.zeros((size, MEMORIES), np.uint32)
        self.memory_vital = np.zeros((size, MEMORIES), np.int16)
        self.memory_length = np.zeros((size, MEMORIES), np.int64)

    def fill(self, b: int, policy: Policy, tables: list[ScoreTable]) -> None:
        """Write one policy into row ``b``; scores that it adds up from tables are put behind ``tables``."""
        document = policy.document
        where = f"policy {document.name}"
        self.lateness[b] = duration(document.lateness, f"{where}, lateness")
        self.actionable[b] = duration(document.actionable, f"{where}, actionable")
        for r, rule in enumerate(document.rules):
            self.rule[b, r] = rule_key(rule.name)
            self.quiet[b, r] = rule.quiet
            here = f"{where}, rule {rule.name}"
            if isinstance(rule, Graded):
                self._graded(b, r, rule, here)
            if isinstance(rule, LimitRule):
                self._limit(b, r, rule, here)
            elif isinstance(rule, ScoreRule):
                self._score(b, r, rule, policy.tables, tables, document.followed, here)
            elif isinstance(rule, Trend):
                self._trend(b, r, rule, policy, here)
            elif isinstance(rule, CombinationRule):
                self._combination(b, r, rule, document, here)
            elif isinstance(rule, OverdueRule):
                self.kind[b, r] = OVERDUE if rule.needs == "any" else OVERDUE_EACH
                self.vitals[b, r] = _mask(rule.vitals, here)
                self.span[b, r] = duration(rule.every, f"{here}, every") + duration(rule.grace, f"{here}, grace")
                self.severity[b, r] = Severity.of(rule.severity)
            elif isinstance(rule, RepeatRule):
                self.kind[b, r] = REPEAT
                self.vitals[b, r] = _mask(rule.vitals, here)
                self.step[b, r] = duration(rule.multiple_of, f"{here}, multiple_of")
                self.span[b, r] = duration(rule.at_most, f"{here}, at_most")
            elif isinstance(rule, QualityRule):
                self._quality(b, r, rule, here)
            elif isinstance(rule, DisagreementRule):
                self._disagreement(b, r, rule, here)
            elif isinstance(rule, OutlierRule):
                self._outlier(b, r, rule, here)

    def _score(
        self,
        b: int,
        r: int,
        rule: ScoreRule,
        known: Mapping[str, ScoreTable],
        tables: list[ScoreTable],
        followed: str | None,
        here: str,
    ) -> None:
        if rule.table not in known:
            raise PolicyError(f"{here}, table: there is no score {rule.table!r}; name one of {', '.join(known)}")
        self.kind[b, r] = SCORE
        self.span[b, r] = duration(rule.valid, f"{here}, valid")
        self.severity[b, r] = Severity.of(rule.red_score) if rule.red_score else 0
        self.followed[b, r] = rule.table == followed
        if rule.table != NEWS2:
            table = known[rule.table]
            if table not in tables:
                tables.append(table)
            self.kind[b, r], self.table[b, r] = BANDED, tables.index(table)
            self.red_points[b, r] = np.nan if rule.red_points is None else rule.red_points

    def _quality(self, b: int, r: int, rule: QualityRule, here: str) -> None:
        self.kind[b, r] = QUALITY
        self.vitals[b, r] = _mask(rule.vitals, here)
        self.flags[b, r] = sum(QUALITY_WORDS[mark] for mark in set(rule.marks))
        self.scored[b, r] = rule.scored
        self.severity[b, r] = Severity.of(rule.severity)
        self._confirmations(b, r, rule, here)

    def _disagreement(self, b: int, r: int, rule: DisagreementRule, here: str) -> None:
        self.kind[b, r] = DISAGREEMENT
        codes = [vital_named(name, here).code for name in (rule.vital, *rule.beside)]
        if len(set(codes)) < len(codes):
            raise PolicyError(f"{here}: vital and beside are three vital signs; name each once")
        self.vital[b, r], self.first[b, r], self.second[b, r] = codes
        self.span[b, r] = duration(rule.within, f"{here}, within")
        self.deadband[b, r] = rule.deadband

    def _outlier(self, b: int, r: int, rule: OutlierRule, here: str) -> None:
        length, steps = _steps(rule, here)
        self.kind[b, r] = OUTLIER
        self.vital[b, r] = vital_named(rule.vital, here).code
        self.memory[b, r] = self._memory(b, int(self.vital[b, r]), length, here, str(self.vital[b, r]))
        self.window[b, r], self.at_least[b, r] = steps, rule.at_least
        self.spread[b, r], self.deadband[b, r] = rule.least_spread, rule.deadband
        if rule.at_least >= steps:
            raise PolicyError(f"{here}: at_least = {rule.at_least} past steps, but over holds {steps - 1} of them")

    def _graded(self, b: int, r: int, rule: Graded, here: str) -> None:
        self.threshold[b, r] = [np.nan if t is None else t for t in (rule.yellow, rule.amber, rule.red)]
        self.gap[b, r] = duration(rule.gap, f"{here}, gap")
        self._confirmations(b, r, rule, here)

    def _confirmations(self, b: int, r: int, rule: Graded | CombinationRule | QualityRule, here: str) -> None:
        self.latching[b, r] = rule.latching
        for level in range(LEVELS):
            c: Confirmation = getattr(rule.raise_after, Severity(level + 1).word) or rule.raise_after
            self.consecutive[b, r, level] = c.consecutive
            self.apart[b, r, level] = duration(c.apart, f"{here}, raise_after.apart")
            self.hold_ms[b, r, level] = _hold_ms(c.hold, f"{here}, raise_after.hold")
        self.clear_consecutive[b, r] = rule.clear_after.consecutive
        self.clear_apart[b, r] = duration(rule.clear_after.apart, f"{here}, clear_after.apart")
        self.clear_hold_ms[b, r] = _hold_ms(rule.clear_after.hold, f"{here}, clear_after.hold")

    def _limit(self, b: int, r: int, rule: LimitRule, here: str) -> None:
        self.kind[b, r] = LIMIT
        self.vital[b, r] = vital_named(rule.vital, here).code
        self.side[b, r] = -1 if rule.side == "low" else 1
        self.extreme[b, r] = np.nan if rule.extreme is None else rule.extreme
        self.deadband[b, r], self.hard[b, r] = rule.deadband, rule.hard
        if rule.night is not None:
            self.night[b, r] = rule.night.span
            for level, word in enumerate(("yellow", "amber", "red")):
                own, shared = getattr(rule.night, word), self.threshold[b, r, level]
                self.night_threshold[b, r, level] = shared if own is None else own
            self.night_extreme[b, r] = self.extreme[b, r] if rule.night.extreme is None else rule.night.extreme

    def _trend(self, b: int, r: int, rule: Trend, policy: Policy, here: str) -> None:
        length, steps = _steps(rule, here)
        self.kind[b, r] = _TREND[type(rule)]
        self.vital[b, r] = _vital_or_score(rule.vital, policy, here)
        self.side[b, r] = -1 if rule.side == "low" else 1
        course = rule.vital if self.vital[b, r] == 0 and rule.vital != NEWS2 else str(self.vital[b, r])
        self.memory[b, r] = self._memory(b, int(self.vital[b, r]), length, here, course)
        self.window[b, r] = steps
        self.at_least[b, r] = rule.at_least
        self.deadband[b, r] = rule.deadband
        if rule.at_least > steps:
            raise PolicyError(f"{here}: at_least = {rule.at_least} steps, but over holds {steps}")
        if isinstance(rule, AverageRule):
            if rule.skip >= steps:
                raise PolicyError(f"{here}, skip: {rule.skip} steps leave none of the {steps} that over holds")
            self.skip[b, r] = rule.skip
        elif isinstance(rule, ChangeRule):
            self.reference[b, r] = _REFERENCE[rule.reference]
            if (rule.reference == "spread") != (rule.least_spread is not None):
                raise PolicyError(f'{here}: least_spread belongs to reference = "spread", and to no other')
            self.spread[b, r] = rule.least_spread or 1.0
            self.least[b, r] = np.nan if rule.least is None else rule.least
        elif isinstance(rule, EwmaRule):
            self.weight[b, r], self.spread[b, r] = rule.weight, rule.least_spread
        elif isinstance(rule, CusumRule):
            self.weight[b, r], self.spread[b, r] = rule.slack, rule.least_spread

    def _memory(self, b: int, vital: int, length: int, here: str, course: str) -> int:
        """Give the memory of a vital sign in steps of this length; rules of one policy share it."""
        for m in range(MEMORIES):
            if self.memory_length[b, m] == 0:
                self.memory_key[b, m] = rule_key(f"{course}/{length}")
                self.memory_vital[b, m], self.memory_length[b, m] = vital, length
            if (self.memory_vital[b, m], self.memory_length[b, m]) == (vital, length):
                return m
        raise PolicyError(f"{here}: a policy follows at most {MEMORIES} courses; use the steps of another rule")

    def _combination(self, b: int, r: int, rule: CombinationRule, document: Document, here: str) -> None:
        names = [other.name for other in document.rules]
        for name in rule.of:
            if name not in names or isinstance(document.rules[names.index(name)], CombinationRule | RepeatRule):
                raise PolicyError(f"{here}: {name!r} is no rule of this policy that a combination can be made of")
            self.members[b, r, names.index(name)] = True
        if rule.at_least > len(set(rule.of)):
            raise PolicyError(f"{here}: at_least = {rule.at_least}, but it names only {len(set(rule.of))} rules")
        self.kind[b, r] = COMBINATION
        self.at_least[b, r] = rule.at_least
        self.each[b, r] = Severity.of(rule.each)
        self.severity[b, r] = Severity.of(rule.severity)
        self.worst[b, r] = rule.worst
        self._confirmations(b, r, rule, here)


def _steps(rule: Trend | OutlierRule, here: str) -> tuple[int, int]:
    """Give the length of a course's step, and how many the rule looks back."""
    length, over = duration(rule.every, f"{here}, every"), duration(rule.over, f"{here}, over")
    if not 0 < length <= over or over > STEPS * length:
        raise PolicyError(f"{here}: over = {rule.over!r} must be 1 to {STEPS} times every = {rule.every!r}")
    return length, over // length


def _hold_ms(text: str, where: str) -> int:
    """Read how long a condition must last, in the milliseconds in which it is counted."""
    held = duration(text, where) // 1000
    if held > _LONGEST_HOLD_MS:
        raise PolicyError(f"{where}: {text!r} is longer than anything is held for; state at most 28 d")
    return held


def _vital_or_score(name: str, policy: Policy, here: str) -> int:
    """Give the code of a vital sign; the score that the policy follows has code 0."""
    if name not in policy.tables:
        return vital_named(name, here).code
    if name not in [rule.table for rule in policy.document.score]:
        raise PolicyError(
            f"{here}: {name} is followed only where the policy has a [[score]] rule of {score_label(name)}; add one, "
            "quiet if need be"
        )
    if name != policy.document.followed:
        raise PolicyError(
            f"{here}: a policy follows the course of one score, and this one that of {policy.document.followed} already"
        )
    return 0


def _mask(names: Sequence[str], here: str) -> int:
    return sum(1 << vital_named(n, here).code for n in set(names))


class PolicyBank:
    """Policies stacked into arrays: row b of each column is policy b, second axis the rule's slot.

    Parameters
    ----------
    policies : sequence of Policy
        In the order of the indices that `alerts.state.PERSON` refers to.
    zones : Zones
        In the order of the indices that `alerts.state.PERSON` refers to.
    """

    def __init__(self, policies: Sequence[Policy], zones: Zones = UTC_ONLY) -> None:
        self.policies, self.zones = tuple(policies), zones
        self.width = max((len(p.rules) for p in self.policies), default=0)
        columns = _Columns(len(self.policies))
        self.tables: list[ScoreTable] = []
        for b, policy in enumerate(self.policies):
            columns.fill(b, policy, self.tables)
        self.columns: dict[str, NDArray[Any]] = vars(columns)
        self.lateness: NDArray[np.int64] = columns.lateness
        self.actionable: NDArray[np.int64] = columns.actionable
        self.courses = int((columns.memory_length > 0).sum(axis=1).max(initial=0))
        self.has = frozenset(np.unique(columns.kind).tolist())
        self.has_nights = bool((columns.night[..., 0] != columns.night[..., 1]).any())

    def without_latching(self) -> PolicyBank:
        """Give the same policies as they are where nobody is there to reset an episode."""
        free = copy.copy(self)
        free.columns = self.columns | {"latching": np.zeros_like(self.columns["latching"])}
        return free

    def rule(self, policy: int, key: int) -> Rule | None:
        """Find a rule of a policy by its `rule_key`; None where this version has it no more."""
        return next((r for r in self.policies[policy].rules if rule_key(r.name) == key), None)

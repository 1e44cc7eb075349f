"""What can a policy document say?

The records of a policy: who wrote it, from which source, and its rules, one record a rule family. `msgspec` checks a
TOML document against them and names the field that is wrong; `alerts.bank` turns them into arrays.
"""

from __future__ import annotations

import zlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Annotated

import msgspec

from alerts.notation import minute_of
from alerts.score_tables import NEWS2, SHIPPED, ScoreTable
from schemas.observation import QUALITY_WORDS
from schemas.vital_signs import BY_NAME

Name = Annotated[str, msgspec.Meta(pattern=r"^[a-z][a-z0-9_]*$", max_length=64)]
Text = Annotated[str, msgspec.Meta(min_length=1, max_length=2000)]
Word = Annotated[str, msgspec.Meta(pattern="^(yellow|amber|red)$")]
Clock = Annotated[str, msgspec.Meta(pattern="^([01][0-9]|2[0-3]):[0-5][0-9]$")]
Count = Annotated[int, msgspec.Meta(ge=1, le=1000)]


class Confirmation(msgspec.Struct, forbid_unknown_fields=True, frozen=True):
    """How an alarm condition is confirmed: observations in a row, their span, and time met without gaps."""

    consecutive: Count = 1
    apart: str = "0 s"
    hold: str = "0 s"


class Raising(Confirmation, frozen=True):
    """How a condition is confirmed before it is raised; a severity may have its own way."""

    yellow: Confirmation | None = None
    amber: Confirmation | None = None
    red: Confirmation | None = None


class Steps(msgspec.Struct, forbid_unknown_fields=True, frozen=True):
    """What to do next at each severity, in words for somebody without clinical training."""

    yellow: str = ""
    amber: str = ""
    red: str = ""


class Rule(msgspec.Struct, forbid_unknown_fields=True, frozen=True, kw_only=True):
    """What every rule states; a quiet one makes no episode of its own and only serves combinations."""

    name: Name
    title: Text
    source: Text
    advice: str = ""
    steps: Steps = Steps()
    quiet: bool = False


class Range(msgspec.Struct, forbid_unknown_fields=True, frozen=True):
    """Within which a person's own thresholds of a rule may lie; a side that is not stated is open."""

    lowest: float | None = None
    highest: float | None = None


class Graded(Rule, frozen=True, kw_only=True):
    """A rule with a threshold for each severity it can have.

    An episode of a ``latching`` rule stays at the severity that it has reached until a person resets it.
    """

    yellow: float | None = None
    amber: float | None = None
    red: float | None = None
    raise_after: Raising = Raising()
    clear_after: Confirmation = Confirmation()
    gap: str = "1 h"
    latching: bool = False


class Rise(msgspec.Struct, forbid_unknown_fields=True, frozen=True):
    """Points above the usual score, by severity."""

    yellow: Annotated[int, msgspec.Meta(ge=1)] | None = None
    amber: Annotated[int, msgspec.Meta(ge=1)] | None = None
    red: Annotated[int, msgspec.Meta(ge=1)] | None = None


class ScoreRule(Graded, frozen=True, kw_only=True):
    """NEWS2, or the score of another table: thresholds on the sum; its lower bound counts where the set is incomplete.

    With ``over_usual``, a rise above the person's usual NEWS2 counts as well, where that is known; it only adds.
    ``red_points`` in any one parameter are a red score; NEWS2's chart says so itself.
    """

    table: Name
    red_score: Word | None = None
    red_points: Annotated[int, msgspec.Meta(ge=1)] | None = None
    valid: str
    over_usual: Rise = Rise()


class Personal(Graded, frozen=True, kw_only=True):
    """A rule of which a person may have thresholds of their own, within ``personal``.

    Those of a ``hard`` rule can only be made stricter, so that nobody's own limit silences it.
    """

    personal: Range | None = None
    hard: bool = False


class Night(msgspec.Struct, forbid_unknown_fields=True, frozen=True):
    """Other thresholds of a limit in a span of the local day, ``from`` to before ``to``; what is not stated stays."""

    begins: Clock = msgspec.field(name="from")
    ends: Clock = msgspec.field(name="to")
    yellow: float | None = None
    amber: float | None = None
    red: float | None = None
    extreme: float | None = None

    @property
    def span(self) -> tuple[int, int]:
        """From and to, in minutes since midnight."""
        return minute_of(self.begins), minute_of(self.ends)


class LimitRule(Personal, frozen=True, kw_only=True):
    """An alarm limit: met at or beyond the threshold, clear when back by more than the deadband."""

    vital: str
    side: Annotated[str, msgspec.Meta(pattern="^(low|high)$")]
    extreme: float | None = None
    deadband: Annotated[float, msgspec.Meta(ge=0)] = 0.0
    night: Night | None = None


class Trend(Personal, frozen=True, kw_only=True):
    """A rule on the course of a vital sign, or of a score by its table's name, kept in steps of ``every``."""

    vital: str
    side: Annotated[str, msgspec.Meta(pattern="^(low|high)$")]
    every: str
    over: str
    at_least: Annotated[int, msgspec.Meta(ge=1, le=28)]
    deadband: Annotated[float, msgspec.Meta(ge=0)] = 0.0


class ChangeRule(Trend, frozen=True, kw_only=True):
    """The newest step against the steps before it: their extreme, their median, or their median in personal spreads.

    With ``least``, a change counts only where the newest step itself is at or beyond that value.
    """

    reference: Annotated[str, msgspec.Meta(pattern="^(extreme|median|spread)$")]
    least_spread: Annotated[float, msgspec.Meta(gt=0)] | None = None
    least: float | None = None


class AverageRule(Trend, frozen=True, kw_only=True):
    """The mean over the steps, the first ``skip`` of them left out."""

    skip: Annotated[int, msgspec.Meta(ge=0, le=27)] = 0


class SlopeRule(Trend, frozen=True, kw_only=True):
    """The Theil-Sen slope; thresholds are amounts per step."""


class EwmaRule(Trend, frozen=True, kw_only=True):
    """The exponentially weighted mean of deviations from the personal baseline; thresholds in its standard
    deviations."""

    weight: Annotated[float, msgspec.Meta(gt=0, le=1)]
    least_spread: Annotated[float, msgspec.Meta(gt=0)]


class CusumRule(Trend, frozen=True, kw_only=True):
    """The cumulative sum of deviations beyond ``slack`` from the personal baseline; thresholds in personal spreads."""

    slack: Annotated[float, msgspec.Meta(ge=0)]
    least_spread: Annotated[float, msgspec.Meta(gt=0)]


class CombinationRule(Rule, frozen=True, kw_only=True):
    """At least so many of other rules of the policy are active, each at the given severity or worse.

    With ``worst``, it is as severe as the worst of those active where that is more than ``severity``.
    """

    of: Annotated[list[Name], msgspec.Meta(min_length=2)]
    at_least: Annotated[int, msgspec.Meta(ge=1)]
    each: Word = "yellow"
    severity: Word
    worst: bool = False
    clear_after: Confirmation = Confirmation()
    raise_after: Raising = Raising()
    latching: bool = False


class OverdueRule(Rule, frozen=True, kw_only=True):
    """No observation of these vital signs for longer than the schedule and its grace allow.

    ``any`` of them keeps the schedule, or it needs ``all``: then it is overdue as soon as one of them is silent.
    """

    vitals: Annotated[list[str], msgspec.Meta(min_length=1)]
    needs: Annotated[str, msgspec.Meta(pattern="^(any|all)$")] = "any"
    every: str
    grace: str
    severity: Word


class RepeatRule(Rule, frozen=True, kw_only=True):
    """The same values again after a whole multiple of a step: the mark of a time-zone error, not an observation."""

    vitals: Annotated[list[str], msgspec.Meta(min_length=1)]
    multiple_of: str
    at_most: str


Mark = Annotated[str, msgspec.Meta(pattern="^(" + "|".join(QUALITY_WORDS) + ")$")]


class QualityRule(Rule, frozen=True, kw_only=True):
    """Values that bear a mark of their device, such as ``cuff_fit`` or ``movement``.

    Where they are not ``scored``, only hard limits look at them.
    """

    marks: Annotated[list[Mark], msgspec.Meta(min_length=1)]
    vitals: Annotated[list[str], msgspec.Meta(min_length=1)]
    severity: Word
    scored: bool = True
    raise_after: Raising = Raising()
    clear_after: Confirmation = Confirmation()
    latching: bool = False


class DisagreementRule(Graded, frozen=True, kw_only=True):
    """Two devices differ on a vital sign: each is known by the other one that it measures at the same instant."""

    vital: str
    beside: Annotated[list[str], msgspec.Meta(min_length=2, max_length=2)]
    within: str
    deadband: Annotated[float, msgspec.Meta(ge=0)] = 0.0


class OutlierRule(Graded, frozen=True, kw_only=True):
    """A value far from the person's own past steps, on either side; thresholds in robust spreads from their median."""

    vital: str
    every: str
    over: str
    at_least: Annotated[int, msgspec.Meta(ge=1, le=27)]
    least_spread: Annotated[float, msgspec.Meta(gt=0)]
    deadband: Annotated[float, msgspec.Meta(ge=0)] = 0.0


ABOUT_DATA = (OverdueRule, RepeatRule, QualityRule, DisagreementRule, OutlierRule)
"""Rules that say something of the observations, and not of the person."""


class Target(msgspec.Struct, forbid_unknown_fields=True, frozen=True):
    """A target range of the saturation that a clinician may set, and the SpO2 scale that goes with it."""

    lowest: float
    highest: float
    spo2_scale: Annotated[int, msgspec.Meta(ge=1, le=2)]


class AppliesTo(msgspec.Struct, forbid_unknown_fields=True, frozen=True):
    """Whom the policy is meant for; nobody else is enrolled on it."""

    lowest_age: Annotated[int, msgspec.Meta(ge=0, le=120)] | None = None
    pregnancy: bool | None = None


class Document(msgspec.Struct, forbid_unknown_fields=True, frozen=True, kw_only=True):
    """A whole policy document."""

    name: Name
    title: Text
    author: Text
    source: Text
    reason: Text
    lateness: str
    actionable: str
    derived_from: Name | None = None
    applies_to: AppliesTo = AppliesTo()
    target_saturation: list[Target] = []
    limit: list[LimitRule] = []
    score: list[ScoreRule] = []
    change: list[ChangeRule] = []
    average: list[AverageRule] = []
    slope: list[SlopeRule] = []
    ewma: list[EwmaRule] = []
    cusum: list[CusumRule] = []
    combination: list[CombinationRule] = []
    overdue: list[OverdueRule] = []
    repeat: list[RepeatRule] = []
    quality: list[QualityRule] = []
    disagreement: list[DisagreementRule] = []
    outlier: list[OutlierRule] = []

    @property
    def followed(self) -> str | None:
        """The score whose course is kept: that of a rule on a course, else NEWS2, else the first that is scored."""
        named = [r.vital for r in self.rules if isinstance(r, Trend) and r.vital not in BY_NAME]
        scored = [r.table for r in self.score]
        return next(iter([*named, *(t for t in scored if t == NEWS2), *scored]), None)

    @property
    def rules(self) -> list[Rule]:
        """All rules in the order of their slots."""
        return [
            *self.limit,
            *self.score,
            *self.change,
            *self.average,
            *self.slope,
            *self.ewma,
            *self.cusum,
            *self.combination,
            *self.overdue,
            *self.repeat,
            *self.quality,
            *self.disagreement,
            *self.outlier,
        ]


@dataclass(frozen=True)
class Policy:
    """A checked document, and which version of which policy it is where it comes from the database.

    Of a policy that was made a person's own, `alerts.overrides`, ``personal`` is what is theirs and ``usual_news2``
    their usual score. ``tables`` are the scores that it can name.
    """

    document: Document
    text: str
    policy_id: int = 0
    version: int = 0
    usual_news2: int | None = None
    personal: str = ""
    tables: Mapping[str, ScoreTable] = field(default_factory=lambda: SHIPPED, compare=False, repr=False)
    rules: tuple[Rule, ...] = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "rules", tuple(self.document.rules))


def rule_key(name: str) -> int:
    """Give the number under which a rule's state is kept; it survives a new version and another order."""
    return zlib.crc32(name.encode()) or 1

"""What does a policy say, and how does it become arrays that score a ward at once?

A policy is a TOML document: who wrote it, from which source, and its rules. `parse` checks it and names the field that
is wrong; `PolicyBank` stacks any number of policies so that one call scores patients of all of them.
"""

from __future__ import annotations

import re
import tomllib
import zlib
from collections.abc import Sequence
from dataclasses import dataclass, field
from importlib import resources
from itertools import pairwise
from typing import Annotated, Any

import msgspec
import numpy as np
from numpy.typing import NDArray

from alerts.state import LEVELS, SLOTS
from schemas.episode import Severity
from schemas.vital_signs import BY_NAME, VitalSign

SECOND = 1_000_000
NONE, SCORE, LIMIT, OVERDUE, REPEAT = range(5)
"""Rule families, as codes in the arrays. Another family gets its code, its record below and its module."""

_UNITS = {"s": SECOND, "min": 60 * SECOND, "h": 3600 * SECOND, "d": 86_400 * SECOND}
_DURATION = re.compile(r"(\d+(?:\.\d+)?) ?(s|min|h|d)\Z")

Name = Annotated[str, msgspec.Meta(pattern=r"^[a-z][a-z0-9_]*$", max_length=64)]
Text = Annotated[str, msgspec.Meta(min_length=1, max_length=2000)]
Word = Annotated[str, msgspec.Meta(pattern="^(yellow|amber|red)$")]
Count = Annotated[int, msgspec.Meta(ge=1, le=1000)]


class PolicyError(ValueError):
    """The document is not a policy; the message names the field, what was expected and what to do."""


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


class Rule(msgspec.Struct, forbid_unknown_fields=True, frozen=True, kw_only=True):
    """What every rule states."""

    name: Name
    title: Text
    source: Text
    advice: str = ""


class Graded(Rule, frozen=True, kw_only=True):
    """A rule with a threshold for each severity it can have."""

    yellow: float | None = None
    amber: float | None = None
    red: float | None = None
    raise_after: Raising = Raising()
    clear_after: Confirmation = Confirmation()
    gap: str = "1 h"


class ScoreRule(Graded, frozen=True, kw_only=True):
    """NEWS2: thresholds on the aggregate score; its lower bound counts where the set is incomplete."""

    table: Annotated[str, msgspec.Meta(pattern="^news2$")]
    red_score: Word | None = None
    valid: str


class LimitRule(Graded, frozen=True, kw_only=True):
    """An alarm limit: met at or beyond the threshold, clear when back by more than the deadband."""

    vital: str
    side: Annotated[str, msgspec.Meta(pattern="^(low|high)$")]
    extreme: float | None = None
    deadband: Annotated[float, msgspec.Meta(ge=0)] = 0.0


class OverdueRule(Rule, frozen=True, kw_only=True):
    """No observation of any of these vital signs for longer than the schedule and its grace allow."""

    vitals: Annotated[list[str], msgspec.Meta(min_length=1)]
    every: str
    grace: str
    severity: Word


class RepeatRule(Rule, frozen=True, kw_only=True):
    """The same values again after a whole multiple of a step: the mark of a time-zone error, not an observation."""

    vitals: Annotated[list[str], msgspec.Meta(min_length=1)]
    multiple_of: str
    at_most: str


class Document(msgspec.Struct, forbid_unknown_fields=True, frozen=True, kw_only=True):
    """A whole policy document."""

    name: Name
    title: Text
    author: Text
    source: Text
    reason: Text
    lateness: str
    actionable: str
    limit: list[LimitRule] = []
    score: list[ScoreRule] = []
    overdue: list[OverdueRule] = []
    repeat: list[RepeatRule] = []

    @property
    def rules(self) -> list[Rule]:
        """All rules in the order of their slots."""
        return [*self.limit, *self.score, *self.overdue, *self.repeat]


@dataclass(frozen=True)
class Policy:
    """A checked document, and which version of which policy it is where it comes from the database."""

    document: Document
    text: str
    policy_id: int = 0
    version: int = 0
    rules: tuple[Rule, ...] = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "rules", tuple(self.document.rules))


def rule_key(name: str) -> int:
    """Give the number under which a rule's state is kept; it survives a new version and another order."""
    return zlib.crc32(name.encode()) or 1


def duration(text: str, where: str) -> int:
    """Read ``"90 s"``, ``"15 min"``, ``"12 h"`` or ``"14 d"`` as microseconds."""
    match = _DURATION.match(text)
    if match is None:
        raise PolicyError(f'{where}: {text!r} is not a duration; write it like "90 s", "15 min", "12 h" or "14 d"')
    return round(float(match[1]) * _UNITS[match[2]])


def parse(text: str, *, policy_id: int = 0, version: int = 0) -> Policy:
    """Read and check a policy document.

    Raises
    ------
    PolicyError
        With the place in the document, what is wrong and what was expected.
    """
    try:
        document = msgspec.convert(tomllib.loads(text), Document)
    except tomllib.TOMLDecodeError as exc:
        raise PolicyError(f"policy: not TOML: {exc}") from exc
    except msgspec.ValidationError as exc:
        raise PolicyError(f"policy: {exc}") from exc
    _check(document)
    return Policy(document, text, policy_id, version)


def shipped(name: str) -> Policy:
    """Read one of the templates in ``alerts/policies``."""
    file = resources.files("alerts").joinpath("policies", f"{name}.toml")
    if not file.is_file():
        raise PolicyError(f"policy {name!r} is not shipped; there are {', '.join(shipped_names())}")
    return parse(file.read_text(encoding="utf-8"))


def shipped_names() -> list[str]:
    """Name the templates in ``alerts/policies``."""
    files = resources.files("alerts").joinpath("policies").iterdir()
    return sorted(f.name.removesuffix(".toml") for f in files if f.name.endswith(".toml"))


def _check(document: Document) -> None:
    if not document.rules:
        raise PolicyError(f"policy {document.name}: no rule; add at least one")
    if len(document.rules) > SLOTS:
        raise PolicyError(f"policy {document.name}: {len(document.rules)} rules; a policy holds at most {SLOTS}")
    seen: set[str] = set()
    for rule in document.rules:
        where = f"policy {document.name}, rule {rule.name}"
        if rule.name in seen:
            raise PolicyError(f"{where}: two rules have this name; rename one")
        seen.add(rule.name)
        if isinstance(rule, Graded):
            _check_thresholds(rule, where)
    # compiling reads every duration and vital sign, so what it refuses is refused here
    _Columns(1).fill(0, document)


def _check_thresholds(rule: Graded, where: str) -> None:
    low = isinstance(rule, LimitRule) and rule.side == "low"
    stated = [(w, t) for w in ("yellow", "amber", "red") if (t := getattr(rule, w)) is not None]
    if not stated and not (isinstance(rule, ScoreRule) and rule.red_score):
        raise PolicyError(f"{where}: no threshold; state at least one of yellow, amber, red")
    for (milder, mild), (worse, bad) in pairwise(stated):
        if (bad > mild) if low else (bad < mild):
            raise PolicyError(f"{where}: {worse} = {bad:g} would be met before {milder} = {mild:g}; exchange them")
    if isinstance(rule, LimitRule):
        vital = vital_named(rule.vital, where)
        for word, threshold in stated:
            if not vital.is_plausible(threshold):
                raise PolicyError(
                    f"{where}: {word} = {threshold:g} can never be met: {vital.label} is taken as plausible from "
                    f"{vital.plausible_low:g} to {vital.plausible_high:g} {vital.display_unit}"
                )


def vital_named(name: str, where: str) -> VitalSign:
    """Find a vital sign, or say where it was named and which there are."""
    if name not in BY_NAME:
        raise PolicyError(f"{where}: unknown vital sign {name!r}; expected one of {', '.join(BY_NAME)}")
    return BY_NAME[name]


def _confirmations(rule: Graded, level: int) -> Confirmation:
    own: Confirmation | None = getattr(rule.raise_after, Severity(level + 1).word)
    return own or rule.raise_after


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

    def fill(self, b: int, document: Document) -> None:
        """Write one policy into row ``b``."""
        where = f"policy {document.name}"
        self.lateness[b] = duration(document.lateness, f"{where}, lateness")
        self.actionable[b] = duration(document.actionable, f"{where}, actionable")
        for r, rule in enumerate(document.rules):
            self.rule[b, r] = rule_key(rule.name)
            here = f"{where}, rule {rule.name}"
            if isinstance(rule, Graded):
                self._graded(b, r, rule, here)
            if isinstance(rule, LimitRule):
                self._limit(b, r, rule, here)
            elif isinstance(rule, ScoreRule):
                self.kind[b, r] = SCORE
                self.span[b, r] = duration(rule.valid, f"{here}, valid")
                self.severity[b, r] = Severity.of(rule.red_score) if rule.red_score else 0
            elif isinstance(rule, OverdueRule):
                self.kind[b, r] = OVERDUE
                self.vitals[b, r] = _mask(rule.vitals, here)
                self.span[b, r] = duration(rule.every, f"{here}, every") + duration(rule.grace, f"{here}, grace")
                self.severity[b, r] = Severity.of(rule.severity)
            elif isinstance(rule, RepeatRule):
                self.kind[b, r] = REPEAT
                self.vitals[b, r] = _mask(rule.vitals, here)
                self.step[b, r] = duration(rule.multiple_of, f"{here}, multiple_of")
                self.span[b, r] = duration(rule.at_most, f"{here}, at_most")

    def _graded(self, b: int, r: int, rule: Graded, here: str) -> None:
        self.threshold[b, r] = [np.nan if t is None else t for t in (rule.yellow, rule.amber, rule.red)]
        self.gap[b, r] = duration(rule.gap, f"{here}, gap")
        for level in range(LEVELS):
            c = _confirmations(rule, level)
            self.consecutive[b, r, level] = c.consecutive
            self.apart[b, r, level] = duration(c.apart, f"{here}, raise_after.apart")
            self.hold_ms[b, r, level] = duration(c.hold, f"{here}, raise_after.hold") // 1000
        self.clear_consecutive[b, r] = rule.clear_after.consecutive
        self.clear_apart[b, r] = duration(rule.clear_after.apart, f"{here}, clear_after.apart")
        self.clear_hold_ms[b, r] = duration(rule.clear_after.hold, f"{here}, clear_after.hold") // 1000

    def _limit(self, b: int, r: int, rule: LimitRule, here: str) -> None:
        self.kind[b, r] = LIMIT
        self.vital[b, r] = vital_named(rule.vital, here).code
        self.side[b, r] = -1 if rule.side == "low" else 1
        self.extreme[b, r] = np.nan if rule.extreme is None else rule.extreme
        self.deadband[b, r] = rule.deadband


def _mask(names: Sequence[str], here: str) -> int:
    return sum(1 << vital_named(n, here).code for n in set(names))


class PolicyBank:
    """Policies stacked into arrays: row b of each column is policy b, second axis the rule's slot.

    Parameters
    ----------
    policies : sequence of Policy
        In the order of the indices that `alerts.state.PERSON` refers to.
    """

    def __init__(self, policies: Sequence[Policy]) -> None:
        self.policies = tuple(policies)
        self.width = max((len(p.rules) for p in self.policies), default=0)
        columns = _Columns(len(self.policies))
        for b, policy in enumerate(self.policies):
            columns.fill(b, policy.document)
        self.columns: dict[str, NDArray[Any]] = vars(columns)
        self.lateness: NDArray[np.int64] = columns.lateness
        self.actionable: NDArray[np.int64] = columns.actionable

    def rule(self, policy: int, key: int) -> Rule | None:
        """Find a rule of a policy by its `rule_key`; None where this version has it no more."""
        return next((r for r in self.policies[policy].rules if rule_key(r.name) == key), None)

"""How do a patient's last observations stand against the policy that watches them?

Arrays and documents in, values ready to be shown out; no database. The rules themselves are read from the policy: what
a screen colours is what the policy calls yellow, amber or red, or the points that NEWS2 gives.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cached_property, lru_cache
from zoneinfo import ZoneInfo

import numpy as np
from numpy.typing import NDArray

from alerts.awareness import AWAKE, is_in_doubt
from alerts.documents import LimitRule, OverdueRule, Policy, Rule, ScoreRule
from alerts.explain import thresholds
from alerts.limits import DAY_MINUTES, to_resolution
from alerts.load_rules import NEWS2_BANDS, BandRow, load_bands
from alerts.news2 import News2, news2
from alerts.news2_chart import PARAMETERS
from alerts.notation import PolicyError, duration
from alerts.overrides import own_policy
from alerts.score_tables import NEWS2
from schemas.episode import Severity
from schemas.vital_signs import BY_NAME, CATALOGUE, VITALS

log = logging.getLogger(__name__)
NEWS2_CODES = tuple(BY_NAME[name].code for name in PARAMETERS)
_BANDS = load_bands(NEWS2_BANDS)
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
# Three NEWS2 points are a red score, so they carry its colour; two and one follow below it.
_POINTS_TO_SEVERITY = (Severity.NONE, Severity.YELLOW, Severity.AMBER, Severity.RED)


@dataclass(frozen=True)
class LimitLine:
    """One dashed line of a chart.

    ``hours`` are the minutes of the local day from which and to before which it is in force; always, where there are
    none.
    """

    value: float
    severity: Severity
    label: str
    hours: tuple[int, int] | None = None


@dataclass(frozen=True)
class Standard:
    """What a policy says, in the form in which pages ask for it."""

    policy: Policy

    @property
    def rules(self) -> tuple[Rule, ...]:
        """The policy's rules."""
        return self.policy.rules

    def for_person(self, own: str | None, usual_news2: int | None) -> Standard | None:
        """The same policy with a person's override, as the database keeps it, and their usual score."""
        return standard(self.policy.text, self.policy.policy_id, self.policy.version, own or "{}", usual_news2)

    @cached_property
    def score_rule(self) -> ScoreRule | None:
        """The rule by which NEWS2 is scored, where the policy has one."""
        return next((r for r in self.rules if isinstance(r, ScoreRule) and r.table == NEWS2), None)

    @cached_property
    def valid_us(self) -> int | None:
        """How long an observation counts in the score [µs]."""
        return duration(self.score_rule.valid, "valid") if self.score_rule else None

    @cached_property
    def overdue_rules(self) -> tuple[str, ...]:
        """Names of the rules that say that observations do not come."""
        return tuple(r.name for r in self.rules if isinstance(r, OverdueRule))

    @cached_property
    def oldest_us(self) -> dict[int, int]:
        """For each vital sign's code, how old its last observation may be before it is greyed [µs]."""
        found: dict[int, int] = {}
        if self.valid_us is not None:
            found = dict.fromkeys(NEWS2_CODES, self.valid_us)
        for rule in self.rules:
            if isinstance(rule, OverdueRule):
                span = duration(rule.every, "every") + duration(rule.grace, "grace")
                for name in rule.vitals:
                    found.setdefault(BY_NAME[name].code, span)
        return found

    def title(self, rule: str) -> str:
        """The name of a rule in words; the bare name where this version has it no more."""
        return next((r.title for r in self.rules if r.name == rule), rule.replace("_", " "))

    def vital_of(self, rule: str) -> int | None:
        """The vital sign that a rule watches, where it is one."""
        for r in self.rules:
            if r.name == rule and isinstance(r, LimitRule):
                return BY_NAME[r.vital].code
        return None

    def severity_of(self, code: int, value: float, at_us: int, zone: str) -> Severity:
        """How far beyond the alarm limits that were in force at its instant, in the site's zone, a value lies."""
        if code not in self._limits:
            return Severity.NONE
        charted = _charted(code, value)
        return max((_beyond(rule, charted, at_us, zone) for rule in self.limits_of(code)), default=Severity.NONE)

    def limits_of(self, code: int) -> list[LimitRule]:
        """The alarm limits of a vital sign."""
        return self._limits.get(code, [])

    @cached_property
    def _limits(self) -> dict[int, list[LimitRule]]:
        found: dict[int, list[LimitRule]] = {}
        for rule in self.rules:
            if isinstance(rule, LimitRule):
                found.setdefault(BY_NAME[rule.vital].code, []).append(rule)
        return found

    def lines(self, code: int, spo2_scale: int) -> tuple[LimitLine, ...]:
        """The limits to draw for a vital sign: the policy's own, and where NEWS2 gives three points."""
        own = [line for rule in self.limits_of(code) for line in _lines_of(rule)]
        if self.score_rule is None:
            return tuple(own)
        return (*own, *_red_score_lines(CATALOGUE[code - 1].name, spo2_scale))


@lru_cache(maxsize=4096)
def standard(
    document: str | None, policy_id: int = 0, version: int = 0, own: str = "{}", usual_news2: int | None = None
) -> Standard | None:
    """Read a policy document, once for each version; ``None`` where there is none, or none that can be read.

    With ``own``, an override, and the usual score, it is the policy as it stands for one person.

    A page then shows the observations without limits and scores: that is better than no page.
    """
    if not document:
        return None
    try:
        return Standard(own_policy(document, policy_id, version, own, usual_news2))
    except PolicyError:
        if own != "{}":  # ingest falls back on the shared one as well
            return standard(document, policy_id, version, "{}", usual_news2)
        log.warning("policy could not be read", extra={"action": "policy_unreadable", "policy": policy_id})
        return None


def limit_severity(rule: LimitRule, value: float, at_us: int, zone: str) -> Severity:
    """How far beyond the thresholds of one alarm limit a value lies; none where there is no value."""
    return _beyond(rule, _charted(BY_NAME[rule.vital].code, value), at_us, zone)


@lru_cache(maxsize=65536)
def _charted(code: int, value: float) -> float:
    """A value as the chart has it; a ward has few different ones, and numpy is slow about a single one."""
    return float(to_resolution(np.array([value]), np.array([code]))[0])


def _beyond(rule: LimitRule, charted: float, at_us: int, zone: str) -> Severity:
    worst = Severity.NONE
    for word, limit in thresholds(rule, at_night=_is_night(rule, at_us, zone)).items():
        if charted <= limit if rule.side == "low" else charted >= limit:
            worst = max(worst, Severity.of(word))
    return worst


def _is_night(rule: LimitRule, at_us: int, zone: str) -> bool:
    """Say whether the thresholds of the night are in force, as `alerts.limits` does."""
    if rule.night is None:
        return False
    begins, ends = rule.night.span
    at = (_EPOCH + timedelta(microseconds=at_us)).astimezone(ZoneInfo(zone))
    return (60 * at.hour + at.minute - begins) % DAY_MINUTES < (ends - begins) % DAY_MINUTES


def _lines_of(rule: LimitRule) -> list[LimitLine]:
    """The thresholds of one rule; where the night has another, one line by day and one by night."""
    found, night = [], thresholds(rule, at_night=True)
    for word, limit in thresholds(rule).items():
        severity = Severity.of(word)
        if rule.night is None or night[word] == limit:
            found.append(LimitLine(limit, severity, rule.title))
            continue
        begins, ends = rule.night.span
        found += [
            LimitLine(limit, severity, rule.title, (ends, begins)),
            LimitLine(night[word], severity, rule.title, (begins, ends)),
        ]
    return found


def _red_score_lines(parameter: str, spo2_scale: int) -> list[LimitLine]:
    # Scale 2 is drawn as for air: on oxygen its upper bands follow the oxygen, which a line cannot say.
    rows = [
        b for b in _BANDS if b.parameter == parameter and b.scale in (None, spo2_scale) and b.on_oxygen in (None, 0)
    ]
    if parameter in ("on_oxygen", "consciousness"):
        return []
    return [
        LimitLine(_edge(b), Severity.RED, "NEWS2: 3 points") for b in rows if b.points == len(_POINTS_TO_SEVERITY) - 1
    ]


def _edge(band: BandRow) -> float:
    edge = band.upper if band.lower is None else band.lower
    assert edge is not None, "a chart's band has at least one edge"
    return float(edge)


def valid_values(
    recent: NDArray[np.float64], recent_at: NDArray[np.int64], valid_us: NDArray[np.int64], now_us: int
) -> NDArray[np.float64]:
    """Keep what is not too old to count, and no "alert" from before somebody changed.

    Parameters
    ----------
    recent : float array, shape (P, VITALS)
        Last value of each vital sign; NaN where never observed.
    recent_at : int array, shape (P, VITALS)
        When [µs since 1970 UTC; 0 = never].
    valid_us : int array, shape (P,)
        How long an observation counts [µs].
    now_us : int
        The instant to judge at [µs since 1970 UTC].

    Returns
    -------
    float array, shape (P, VITALS)
        NaN where too old, in doubt or never observed.
    """
    counts = (recent_at > 0) & (now_us - recent_at <= valid_us[:, None])
    counts[:, AWAKE] &= ~is_in_doubt(recent, recent_at)
    return np.where(counts, recent, np.nan)


def score(values: NDArray[np.float64], spo2_scale: Sequence[int] | NDArray[np.int64]) -> News2:
    """Score rows of values by vital-sign code, shape (P, VITALS), on the NEWS2 chart."""
    assert values.shape[1] == VITALS, "one column a vital sign, indexed by its code"
    columns = {name: values[:, BY_NAME[name].code] for name in PARAMETERS}
    return news2(**columns, spo2_scale=np.asarray(spo2_scale))


def points_severity(points: float) -> Severity:
    """The colour of a NEWS2 parameter's points; none where it was not observed."""
    return Severity.NONE if np.isnan(points) else _POINTS_TO_SEVERITY[int(points)]


def score_severity(rule: ScoreRule, lower: float, red: bool) -> Severity:
    """What the policy calls an aggregate score of at least ``lower``, red score included."""
    worst = Severity.of(rule.red_score) if red and rule.red_score else Severity.NONE
    for level in (Severity.YELLOW, Severity.AMBER, Severity.RED):
        threshold = getattr(rule, level.word)
        if threshold is not None and lower >= threshold:
            worst = max(worst, level)
    return worst

"""What would one patient's episodes be, worked out slowly, one instant and one rule at a time?

Written from the words of the rules and not from the arrays: plain loops over everything that is known at the end, in
the order of time. The core must agree with it whatever the order of arrival was.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from datetime import datetime
from statistics import fmean, median
from typing import Any
from zoneinfo import ZoneInfo

from alerts.documents import (
    AverageRule,
    CombinationRule,
    Confirmation,
    DisagreementRule,
    LimitRule,
    Night,
    OutlierRule,
    OverdueRule,
    Policy,
    QualityRule,
    RepeatRule,
    ScoreRule,
    Trend,
)
from alerts.notation import duration
from alerts.state import RING
from schemas.observation import QUALITY_WORDS
from schemas.vital_signs import BY_NAME
from tests.alerts.reference_scores import Scores
from tests.alerts.reference_trends import amount

WORDS = ("yellow", "amber", "red")


def reference_episodes(
    policy: Policy,
    observations: list[tuple[int, str, float, int]],
    enrolled_at: int,
    now: int,
    spo2_scale: int = 1,
    zone: str = "UTC",
    pauses: Sequence[tuple[int, int]] = (),
    resets: Sequence[tuple[int, str]] = (),
) -> tuple[dict[tuple[str, int], dict[str, Any]], set[tuple[int, str]], set[tuple[int, str]]]:
    """Give the episodes by (rule, opened_at), and suspected repeats and outliers by (instant, vital sign).

    The last field of an observation are the marks of its device.
    """
    patient = _Patient(policy, enrolled_at, spo2_scale, ZoneInfo(zone), sorted(pauses))
    instants = {o[0] for o in observations}
    for at in sorted(instants | {reset[0] for reset in resets}):
        for _, rule in (reset for reset in resets if reset[0] == at):
            if at <= now or at <= max(instants, default=0):
                patient.reset(rule, at)
        if at not in instants:
            continue
        found: dict[str, list[tuple[float, int]]] = {}
        for _, vital, value, marks in (o for o in observations if o[0] == at):
            found.setdefault(vital, []).append((value, marks))
        middle = {v: sorted(x)[(len(x) - 1) // 2] for v, x in found.items()}
        patient.instant(at, {v: x for v, (x, _) in middle.items()}, {v: m for v, (_, m) in middle.items()})
    patient.fire(now + 1)
    return patient.episodes, patient.repeats, patient.outliers


class _Patient:
    def __init__(
        self, policy: Policy, enrolled_at: int, spo2_scale: int, zone: ZoneInfo, pauses: list[tuple[int, int]]
    ) -> None:
        self.zone, self.pauses = zone, pauses
        self.policy, self.enrolled_at, self.scores = policy, enrolled_at, Scores(policy, spo2_scale)
        self.courses: dict[tuple[str, int], dict[int, list[float]]] = {}
        self.recent = self.scores.recent
        self.episodes: dict[tuple[str, int], dict[str, Any]] = {}
        self.repeats: set[tuple[int, str]] = set()
        self.outliers: set[tuple[int, str]] = set()
        self.rules: dict[str, dict[str, Any]] = {
            r.name: {
                "open": None,
                "last": None,
                "seen": 0,
                "heard": {},
                "basis": set(),
                "severity": 0,
                "levels": [_level() for _ in WORDS],
            }
            for r in policy.rules
        }

    def fire(self, before: int) -> None:
        for rule in self.policy.rules:
            memory = self.rules[rule.name]
            if isinstance(rule, OverdueRule) and rule.needs == "all":
                self._each_silent(rule, before)
            elif isinstance(rule, OverdueRule) and memory["open"] is None:
                due = self._due(rule, memory["seen"])
                if due < before:
                    self._silence(rule, due)

    def _each_silent(self, rule: OverdueRule, before: int) -> None:
        memory = self.rules[rule.name]
        due = {vital: self._due(rule, memory["heard"].get(vital, 0)) for vital in rule.vitals}
        for vital in sorted(rule.vitals, key=lambda vital: due[vital]):
            known = self.episodes[memory["open"]]["silent"] if memory["open"] else set()
            if due[vital] >= before or vital in known:
                continue
            if memory["open"] is None:
                self._silence(rule, due[vital])
            episode = self.episodes[memory["open"]]
            episode.update(silent=known | {vital}, at=due[vital])

    def _due(self, rule: OverdueRule, seen: int) -> int:
        wait = duration(rule.every, "") + duration(rule.grace, "")
        due = max(seen, self.enrolled_at) + wait
        while (end := next((until for since, until in self.pauses if since <= due < until), None)) is not None:
            due = end + wait
        return due

    def _silence(self, rule: OverdueRule, due: int) -> None:
        severity = WORDS.index(rule.severity) + 1
        self.rules[rule.name]["open"] = (rule.name, due)
        self.episodes[rule.name, due] = {
            "phase": "active", "severity": severity, "peak": severity, "activated_at": due, "at": due
        }  # fmt: skip

    def instant(self, at: int, values: dict[str, float], marks: dict[str, int]) -> None:
        self.fire(at)
        measured = self._without_repeats(at, values)
        values = dict(measured)
        for rule in self.policy.rules:
            if isinstance(rule, QualityRule) and set(measured) & set(rule.vitals):
                bad = {v for v in rule.vitals if v in measured and any(marks[v] & QUALITY_WORDS[m] for m in rule.marks)}
                met = [bool(bad) and i <= WORDS.index(rule.severity) for i in range(len(WORDS))]
                self._advance(rule, at, met, [not bad] * len(WORDS), sure=False)
                values = {v: x for v, x in values.items() if rule.scored or v not in bad}
        for vital, value in values.items():
            self.recent[vital] = [(at, value), *self.recent.get(vital, [])][:RING]
        values = dict(values)
        for rule in self.policy.rules:
            if isinstance(rule, ScoreRule) and set(values) & set(self.policy.tables[rule.table].parameters):
                values[rule.table] = self.scores.lower(rule, at)[0]
        for course in {
            (r.vital, duration(r.every, "")) for r in self.policy.rules if isinstance(r, Trend | OutlierRule)
        }:
            if course[0] in values:
                self.courses.setdefault(course, {}).setdefault(at // course[1], []).append(values[course[0]])
        for rule in self.policy.rules:
            seen = measured if isinstance(rule, LimitRule) and rule.hard else values
            if isinstance(rule, LimitRule) and rule.vital in seen:
                self._limit(rule, at, seen[rule.vital])
            elif isinstance(rule, ScoreRule) and set(values) & set(self.policy.tables[rule.table].parameters):
                self._score(rule, at)
            elif isinstance(rule, Trend) and rule.vital in values:
                self._trend(rule, at)
            elif isinstance(rule, OverdueRule) and rule.needs == "all":
                self._each_arrived(rule, at, set(values) & set(rule.vitals))
            elif isinstance(rule, OverdueRule) and set(measured) & set(rule.vitals):
                self._arrived(rule, at)
            elif isinstance(rule, DisagreementRule) and rule.vital in values:
                self._disagreement(rule, at, values)
            elif isinstance(rule, OutlierRule) and rule.vital in values:
                self._outlier(rule, at, values[rule.vital])
        for rule in self.policy.rules:
            if isinstance(rule, CombinationRule) and any(self.rules[name]["last"] == at for name in rule.of):
                severities = [self.rules[name]["severity"] for name in rule.of]
                active = sum(severity > WORDS.index(rule.each) for severity in severities)
                severity = max([WORDS.index(rule.severity) + 1] + (severities if rule.worst else []))
                met = [active >= rule.at_least and i < severity for i in range(len(WORDS))]
                self._advance(rule, at, met, [not m for m in met], sure=False)

    def _without_repeats(self, at: int, values: dict[str, float]) -> dict[str, float]:
        for rule in self.policy.rules:
            if not isinstance(rule, RepeatRule) or not set(values) & set(rule.vitals):
                continue
            step, most = duration(rule.multiple_of, ""), duration(rule.at_most, "")
            if all(
                v in values
                and any(
                    old == values[v] and 0 < at - then <= most and (at - then) % step == 0
                    for then, old in self.recent.get(v, [])
                )
                for v in rule.vitals
            ):
                self.repeats |= {(at, v) for v in rule.vitals}
                values = {v: x for v, x in values.items() if v not in rule.vitals}
        return values

    def _limit(self, rule: LimitRule, at: int, value: float) -> None:
        resolution = BY_NAME[rule.vital].resolution
        value = math.floor(value / resolution + 0.5 + 5e-7) * resolution
        sign = -1 if rule.side == "low" else 1
        met, clear = [], []
        night = rule.night if rule.night is not None and self._is_night(rule.night, at) else None
        of = {w: getattr(rule if night is None or getattr(night, w) is None else night, w) for w in (*WORDS, "extreme")}
        for word in WORDS:
            threshold = of[word]
            met.append(threshold is not None and sign * value >= sign * threshold - 1e-9)
            clear.append(threshold is not None and sign * value < sign * threshold - rule.deadband - 1e-9)
        sure = of["extreme"] is not None and sign * value >= sign * of["extreme"] - 1e-9
        self._advance(rule, at, met, clear, sure)

    def _is_night(self, night: Night, at: int) -> bool:
        clock = datetime.fromtimestamp(at // 1_000_000, self.zone).strftime("%H:%M")
        if night.begins < night.ends:
            return night.begins <= clock < night.ends
        return clock >= night.begins or clock < night.ends

    def reset(self, name: str, at: int) -> None:
        memory = self.rules[name]
        rule = next(r for r in self.policy.rules if r.name == name)
        if not getattr(rule, "latching", False) or memory["open"] is None:
            return
        episode = self.episodes[memory["open"]]
        worst = max((i + 1 for i, level in enumerate(memory["levels"]) if level["on"]), default=0)
        if episode["phase"] != "active" or worst >= memory["severity"]:
            return
        memory["severity"] = worst
        episode.update(severity=worst, at=at)
        if not worst:
            episode["phase"] = "resolved"
            memory["open"] = None

    def _disagreement(self, rule: DisagreementRule, at: int, values: dict[str, float]) -> None:
        if (rule.beside[0] in values) == (rule.beside[1] in values):
            return
        newest = []
        for beside, other in (rule.beside, rule.beside[::-1]):
            with_it, with_other = ({t for t, _ in self.recent.get(v, [])} for v in (beside, other))
            fits = [
                x
                for t, x in self.recent[rule.vital]
                if t in with_it - with_other and at - t <= duration(rule.within, "")
            ]
            newest.append(fits[0] if fits else None)
        if None not in newest:
            self._graded(rule, at, abs(newest[0] - newest[1]), 1e-9)

    def _outlier(self, rule: OutlierRule, at: int, value: float) -> None:
        every = duration(rule.every, "")
        course = self.courses[rule.vital, every]
        steps = [course.get(at // every - i) for i in range(1, duration(rule.over, "") // every)]
        past = [fmean(step) for step in steps if step is not None]
        if len(past) < rule.at_least:
            return
        usual = median(past)
        spread = max(1.4826 * median(abs(x - usual) for x in past), rule.least_spread)
        if any(self._graded(rule, at, abs(value - usual) / spread, 1e-4)):
            self.outliers.add((at, rule.vital))

    def _graded(self, rule: DisagreementRule | OutlierRule, at: int, level: float, tiny: float) -> list[bool]:
        stated = [getattr(rule, word) for word in WORDS]
        met = [t is not None and level >= t - tiny for t in stated]
        self._advance(rule, at, met, [t is not None and level < t - rule.deadband - tiny for t in stated], sure=False)
        return met

    def _trend(self, rule: Trend, at: int) -> None:
        every = duration(rule.every, "")
        course = self.courses[rule.vital, every]
        steps = [course.get(at // every - i) for i in range(duration(rule.over, "") // every)]
        window = [None if step is None else fmean(step) for step in steps]
        found = amount(rule, window) if sum(x is not None for x in window) >= rule.at_least else math.nan
        if math.isnan(found):
            return
        sign, level = (-1 if rule.side == "low" else 1), found
        if isinstance(rule, AverageRule):
            resolution = BY_NAME[rule.vital].resolution
            level = math.floor(level / resolution + 0.5 + 5e-7) * resolution
        met, clear = [], []
        for word in WORDS:
            threshold = getattr(rule, word)
            limit = None if threshold is None else threshold * (sign if isinstance(rule, AverageRule) else 1)
            met.append(limit is not None and sign * level >= limit - 1e-4)
            clear.append(limit is not None and sign * level < limit - rule.deadband - 1e-4)
        self._advance(rule, at, met, clear, sure=False)

    def _score(self, rule: ScoreRule, at: int) -> None:
        lower, points = self.scores.lower(rule, at)
        red = any(p is not None and p >= (rule.red_points or 3) for p in points.values())
        table = self.policy.tables[rule.table]
        least = {name: min(row.points for row in table.rows(name)) for name in table.parameters}
        memory = self.rules[rule.name]
        met = []
        for index, word in enumerate(WORDS):
            threshold = getattr(rule, word)
            by_red = red and rule.red_score is not None and WORDS.index(rule.red_score) >= index
            met.append((threshold is not None and lower >= threshold) or by_red)
        answered = memory["basis"] <= {p for p, x in points.items() if x is not None}
        if any(met):
            memory["basis"] = {p for p, x in points.items() if x is not None and x > least[p]}
        self._advance(rule, at, met, [not m and answered for m in met], sure=False)

    def _advance(self, rule: Any, at: int, met: list[bool], clear: list[bool], sure: bool) -> None:
        memory = self.rules[rule.name]
        elapsed = at - memory["last"] if memory["last"] is not None else None
        gap = duration(getattr(rule, "gap", "0 s"), "")
        counted = elapsed // 1000 if elapsed is not None and elapsed <= gap else 0
        for index, level in enumerate(memory["levels"]):
            wanted: Confirmation = rule.clear_after
            if not level["on"]:
                wanted = getattr(rule.raise_after, WORDS[index]) or rule.raise_after
            if not (clear if level["on"] else met)[index]:
                level["run"] = None
                continue
            if level["run"] is None:
                level["run"] = {"since": at, "held": 0, "count": 1}
            else:
                level["run"]["held"] += counted
                level["run"]["count"] += 1
            run = level["run"]
            if (
                run["count"] >= wanted.consecutive
                and at - run["since"] >= duration(wanted.apart, "")
                and run["held"] >= duration(wanted.hold, "") // 1000
            ) or (sure and not level["on"]):
                level["on"], level["run"] = not level["on"], None
        memory["last"] = at
        self._episode(rule, at)

    def _episode(self, rule: Any, at: int) -> None:
        memory = self.rules[rule.name]
        worst = severity = max((i + 1 for i, level in enumerate(memory["levels"]) if level["on"]), default=0)
        was_over = memory.get("worst", 0) == 0
        memory["worst"] = worst
        if rule.latching and memory["open"] is not None and self.episodes[memory["open"]]["phase"] == "active":
            severity = max(severity, memory["severity"])
            if severity == memory["severity"] and was_over != (worst == 0):
                self.episodes[memory["open"]]["at"] = at  # it is told that the condition is over, or back
        memory["severity"] = severity
        if rule.quiet:
            return
        waiting = any(level["run"] and not level["on"] for level in memory["levels"])
        if memory["open"] is None:
            if severity or waiting:
                memory["open"] = (rule.name, at)
                self.episodes[memory["open"]] = {
                    "phase": "active" if severity else "pending", "severity": severity, "peak": severity,
                    "activated_at": at if severity else 0, "at": at,
                }  # fmt: skip
            return
        episode = self.episodes[memory["open"]]
        episode["peak"] = max(episode["peak"], severity)
        if episode["phase"] == "pending" and severity:
            episode.update(phase="active", activated_at=at, at=at, severity=severity)
        elif severity == 0 and (episode["phase"] == "active" or not waiting):
            episode.update(phase="resolved", severity=0, at=at)
            memory["open"] = None
        elif severity != episode["severity"]:
            episode.update(severity=severity, at=at)

    def _each_arrived(self, rule: OverdueRule, at: int, observed: set[str]) -> None:
        memory = self.rules[rule.name]
        memory["heard"] |= dict.fromkeys(observed, at)
        if memory["open"] is None or not (back := self.episodes[memory["open"]]["silent"] & observed):
            return
        episode = self.episodes[memory["open"]]
        episode.update(silent=episode["silent"] - back, at=at)
        if not episode["silent"]:
            episode.update(phase="resolved", severity=0)
            memory["open"] = None

    def _arrived(self, rule: OverdueRule, at: int) -> None:
        memory = self.rules[rule.name]
        memory["seen"] = at
        if memory["open"] is not None:
            self.episodes[memory["open"]].update(phase="resolved", severity=0, at=at)
            memory["open"] = None


def _level() -> dict[str, Any]:
    return {"on": False, "run": None}

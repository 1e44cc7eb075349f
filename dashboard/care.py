"""What does a resident need now, in plain words, and when is the next set due?

Policies and scores in, sentences and instants out; nothing here asks the database. Every instruction is the policy's
own: its `steps` for the severity, or its advice where it has none. How soon the next set is due is the policy's
schedule, or chart 4 of NEWS2 where that is sooner.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from alerts.awareness import is_in_doubt
from alerts.documents import OverdueRule, ScoreRule
from alerts.news2 import CHART, RESPONSES, News2, missing_that_matter
from alerts.news2_chart import PARAMETERS
from alerts.notation import duration
from dashboard.standing import NEWS2_CODES, Standard
from dashboard.text import care as words
from dashboard.wording import instant
from schemas.episode import Severity
from schemas.vital_signs import BY_NAME

if TYPE_CHECKING:
    from dashboard.rows import Situation

Row = dict[str, Any]
HOUR_US = 3_600_000_000
_GRADED = re.compile(r"\b(Yellow|Amber|Red): ")
SET_US = 60_000_000
"""Times are told to the minute: what was observed within the same one is one set."""


@dataclass(frozen=True)
class Due:
    """When the next set is due [µs since 1970 UTC]; ``without_break`` where the last was then, and no end is set."""

    at_us: int
    without_break: bool = False

    def is_overdue(self, now_us: int) -> bool:
        """Whether that instant has passed."""
        return self.at_us <= now_us


def step(followed: Standard | None, episode: Mapping[str, Any]) -> str:
    """Give what the policy asks for an episode at its severity; its advice where it says it for all severities."""
    severity = Severity(episode["severity"])
    rule = next((r for r in followed.rules if r.name == episode["rule"]), None) if followed else None
    if rule is not None and severity is not Severity.NONE:
        found: str = getattr(rule.steps, severity.word)
        return found or _of_severity(rule.advice, severity)
    return _of_severity(str((episode.get("explanation") or {}).get("advice", "")), severity)


def _of_severity(advice: str, severity: Severity) -> str:
    """Of an advice that is written severity by severity, ``Amber: … Red: …``, give what is for all and for this one."""
    for_all, *parts = _GRADED.split(advice)
    own = dict(zip(parts[::2], parts[1::2], strict=True)).get(severity.word.capitalize(), "").strip()
    return " ".join(part for part in (for_all.strip(), own[:1].upper() + own[1:]) if part) or advice


def steps(followed: Standard | None, episodes: Sequence[Mapping[str, Any]]) -> list[str]:
    """Give what is to be done about some episodes, the worst first, each thing once."""
    ordered = sorted(episodes, key=lambda e: -int(e["severity"]))
    return list(dict.fromkeys(told for e in ordered if (told := step(followed, e))))


def due(at: Situation, row: int, episodes: Sequence[Mapping[str, Any]] = ()) -> Due | None:
    """Say when a patient's next set is due; nothing where their policy has no schedule.

    While an episode of the score is open the next set is due as soon as its severity asks for, however the score is
    now: what is told to be done says so.
    """
    followed = at.standards[row]
    if followed is None:
        return None
    instants = [_scheduled(at, row, rule) for rule in followed.rules if isinstance(rule, OverdueRule)]
    if not instants:
        return None
    soonest = min(instants)
    by_score = _by_score(at, row, episodes)
    return by_score if by_score is not None and by_score.at_us < soonest else Due(soonest)


def _scheduled(at: Situation, row: int, rule: OverdueRule) -> int:
    """The rule is kept by any one of its vital signs, or needs all: then the one longest ago decides."""
    decides = max if rule.needs == "any" else min
    last = decides(int(at.recent_at[row, BY_NAME[name].code]) for name in rule.vitals)
    return last + duration(rule.every, "every") if last else at.now_us


def _by_score(at: Situation, row: int, episodes: Sequence[Mapping[str, Any]]) -> Due | None:
    followed = at.standards[row]
    if followed is None or followed.score_rule is None or np.isnan(at.counting[row, list(NEWS2_CODES)]).all():
        return None
    rule = followed.score_rule
    levels = [int(at.scores.response[row])]
    levels += [_level(rule, Severity(e["severity"])) for e in episodes if e["rule"] == rule.name]
    hours = min(RESPONSES[level].at_least_every_h for level in levels)
    newest = max(int(at.recent_at[row, code]) for code in NEWS2_CODES)
    return Due(newest + round(hours * HOUR_US), without_break=hours == 0)


def _level(rule: ScoreRule, severity: Severity) -> int:
    """Give the response level of chart 4 that the mildest score of a severity has."""
    threshold: float | None = getattr(rule, severity.word, None)
    if threshold is None:
        return CHART.level(0, rule.red_score == severity.word)
    return CHART.level(int(threshold), False)


def score_words(scores: News2, values: NDArray[np.float64], row: int) -> str:
    """Write a score as a sentence: a number only where the set is complete, else its range and what is missing."""
    if not np.isnan(scores.aggregate[row]):
        return f"NEWS2 {scores.aggregate[row]:.0f}"
    return words.between(float(scores.lower[row]), float(scores.upper[row]), missing_labels(values, row))


def is_awareness_in_doubt(at: Situation, row: int) -> bool:
    """Whether an "alert" from before does not count, because somebody is not their usual self since."""
    return bool(is_in_doubt(at.recent[row], at.recent_at[row]))


def newest_set(at: Situation, row: int, values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Keep of a row of values what is of the newest set that NEWS2 is made of."""
    newest = max(int(at.recent_at[row, code]) for code in NEWS2_CODES) // SET_US
    own: NDArray[np.float64] = np.where(at.recent_at[[row]] // SET_US == newest, values, np.nan)
    return own


def carried(
    at: Situation, row: int, own: NDArray[np.float64], values: NDArray[np.float64], when: Callable[[datetime], str]
) -> str:
    """Name what earlier sets lend to a set, and from when each is."""
    codes = [code for code in NEWS2_CODES if np.isnan(own[0, code]) and not np.isnan(values[0, code])]
    names = {BY_NAME[n].code: parameter_label(n) for n in PARAMETERS}
    return ", ".join(f"{names[code]} {when(instant(int(at.recent_at[row, code])))}" for code in codes)


def missing_labels(values: NDArray[np.float64], row: int) -> list[str]:
    """Name the NEWS2 parameters that were not observed, in rows of values by vital-sign code."""
    return [parameter_label(name) for name in PARAMETERS if np.isnan(values[row, BY_NAME[name].code])]


def deciding_labels(scores: News2, row: int) -> list[str]:
    """Name what is missing and could change the response."""
    matters = missing_that_matter(scores)[row]
    return [parameter_label(PARAMETERS[i]) for i in np.flatnonzero(matters)]


def parameter_label(name: str) -> str:
    """Write a NEWS2 parameter inside a sentence."""
    return words.AIR_OR_OXYGEN if name == "on_oxygen" else BY_NAME[name].label.lower()


def against_usual(scores: News2, row: int, usual: int | None) -> str:
    """Compare a score with the person's usual one; of an incomplete set only what is certain."""
    if usual is None:
        return words.USUAL_UNKNOWN
    return words.against_usual(usual, int(scores.lower[row]) - usual, complete=not np.isnan(scores.aggregate[row]))

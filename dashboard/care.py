"""What does a resident need now, in plain words, and when is the next set due?

Policies and scores in, sentences and instants out; nothing here asks the database. Every instruction is the policy's
own: its `steps` for the severity, or its advice where it has none. How soon the next set is due is the policy's
schedule, or chart 4 of NEWS2 where that is sooner.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import numpy as np
from numpy.typing import NDArray

from alerts.documents import OverdueRule, duration
from alerts.news2 import RESPONSES, News2, missing_that_matter
from alerts.news2_chart import PARAMETERS
from dashboard.rows import Situation
from dashboard.standing import NEWS2_CODES, Standard
from dashboard.text import care as words
from dashboard.wording import instant
from schemas.episode import Severity
from schemas.vital_signs import BY_NAME

Row = dict[str, Any]
HOUR_US = 3_600_000_000
SET_US = 60_000_000
"""Times are told to the minute: what was observed within the same one is one set."""
_AWAKE, _SIGNS = BY_NAME["consciousness"].code, BY_NAME["soft_signs"].code


@dataclass(frozen=True)
class Due:
    """When the next set is due [µs since 1970 UTC], and whether only the score asks for it so soon."""

    at_us: int
    by_score: bool

    def is_overdue(self, now_us: int) -> bool:
        """Whether that instant has passed."""
        return self.at_us <= now_us


def step(followed: Standard | None, episode: Mapping[str, Any]) -> str:
    """Give what the policy asks for an episode at its severity; its advice where it says it for all severities."""
    severity = Severity(episode["severity"])
    rule = next((r for r in followed.rules if r.name == episode["rule"]), None) if followed else None
    if rule is not None and severity is not Severity.NONE:
        found: str = getattr(rule.steps, severity.word)
        return found or rule.advice
    return str((episode.get("explanation") or {}).get("advice", ""))


def steps(followed: Standard | None, episodes: Sequence[Mapping[str, Any]]) -> list[str]:
    """Give what is to be done about some episodes, the worst first, each thing once."""
    ordered = sorted(episodes, key=lambda e: -int(e["severity"]))
    return list(dict.fromkeys(told for e in ordered if (told := step(followed, e))))


def due(at: Situation, row: int) -> Due | None:
    """Say when a patient's next set is due; nothing where their policy has no schedule."""
    followed = at.standards[row]
    if followed is None:
        return None
    instants = [_scheduled(at, row, rule) for rule in followed.rules if isinstance(rule, OverdueRule)]
    if not instants:
        return None
    soonest = min(instants)
    by_score = _by_score(at, row)
    if by_score is not None and by_score < soonest:
        return Due(by_score, True)
    return Due(soonest, False)


def _scheduled(at: Situation, row: int, rule: OverdueRule) -> int:
    """The rule is kept by any one of its vital signs, or needs all: then the one longest ago decides."""
    decides = max if rule.needs == "any" else min
    last = decides(int(at.recent_at[row, BY_NAME[name].code]) for name in rule.vitals)
    return last + duration(rule.every, "every") if last else at.now_us


def _by_score(at: Situation, row: int) -> int | None:
    followed = at.standards[row]
    if followed is None or followed.score_rule is None or np.isnan(at.counting[row, list(NEWS2_CODES)]).all():
        return None
    hours = RESPONSES[int(at.scores.response[row])].at_least_every_h
    newest = max(int(at.recent_at[row, code]) for code in NEWS2_CODES)
    return newest + round(hours * HOUR_US)


def score_words(scores: News2, values: NDArray[np.float64], row: int) -> str:
    """Write a score as a sentence: a number only where the set is complete, else its range and what is missing."""
    if not np.isnan(scores.aggregate[row]):
        return f"NEWS2 {scores.aggregate[row]:.0f}"
    return words.between(float(scores.lower[row]), float(scores.upper[row]), missing_labels(values, row))


def counting_now(at: Situation, row: int) -> NDArray[np.float64]:
    """Give what counts in a patient's score now, one row by vital-sign code.

    Where somebody has not been their usual self since they were last looked at for consciousness, that look does not
    count: "alert" from before would hide a new confusion, which alone is three points.
    """
    values: NDArray[np.float64] = at.counting[[row]].copy()
    if is_awareness_in_doubt(at, row):
        values[0, _AWAKE] = np.nan
    return values


def is_awareness_in_doubt(at: Situation, row: int) -> bool:
    """Whether somebody has not been their usual self since their consciousness was last observed."""
    seen, signs = int(at.recent_at[row, _AWAKE]), int(at.recent_at[row, _SIGNS])
    return 0 < seen < signs and at.recent[row, _SIGNS] == 1


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

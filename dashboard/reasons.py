"""What raised an episode, how is it now, and why does it stay open? The same three answers on every page.

Rows of the database and states in, sentences out; nothing here asks the database. What raised it is told from the
explanation that is stored with it, what is so now from the patient's state, why it stays from the state of its rule.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any

import numpy as np

from alerts.documents import Confirmation, Graded, LimitRule, OverdueRule, Rule, ScoreRule, rule_key
from alerts.explain_scores import retold
from alerts.news2_chart import PARAMETERS
from alerts.notation import duration
from dashboard import care
from dashboard.standing import NEWS2_CODES, limit_severity, score_severity
from dashboard.text import reasons as words
from dashboard.wording import instant, microseconds, score_range
from schemas.episode import Severity
from schemas.vital_signs import BY_NAME

if TYPE_CHECKING:
    from dashboard.rows import Situation

When = Callable[[datetime], str]
_SAME_S = 60
"""Times are told to the minute: what happened within the same one happened when it was raised [s]."""


@dataclass(frozen=True)
class Reason:
    """Why one episode stands; ``now`` and ``stays`` are empty where nothing is known, or nothing is to be said."""

    why: str
    brief: str
    at: datetime | None
    is_first: bool
    now: str
    now_brief: str
    now_at: datetime | None
    stays: str
    when: When

    @property
    def then(self) -> str:
        """What raised it, or what it was when its severity last changed, and when that was."""
        if self.at is None:
            return self.why
        return f"{words.RAISED if self.is_first else words.CHANGED} {self.when(self.at)}: {self.why}"

    def since(self, severity: str, since: str) -> str:
        """Write for a document how severe it is since when, and why: ``Amber since 14:02: NEWS2 6, limit 5 or more.``

        ``since`` is written out already.
        """
        if self.is_first:
            return f"{severity} since {since}: {self.why}."
        return f"{severity}, open since {since}. {self.then}."

    @property
    def present(self) -> str:
        """How it is now, since when that is known, and why it stays open where it is over."""
        return "; ".join(part for part in (self._timed(self.now, self.when), self.stays) if part)

    def short(self, parts: str, when: When) -> str:
        """How it is now in a few words, for a line of a list: what makes up the score, where that is known."""
        eased = words.EASED if self.stays else ""
        if self.now_at is None:
            return ": ".join(part for part in (self.now_brief.capitalize(), parts, eased) if part)
        return self._timed(", ".join(part for part in (eased, parts) if part) or self.now_brief, when)

    def _timed(self, told: str, when: When) -> str:
        if not told:
            return ""
        if self.now_at is None:
            return f"{words.NOW}: {told}"
        at = when(self.now_at)
        # "now yesterday 10:42" contradicts itself
        return f"{words.NOW} {at}: {told}" if at[0].isdigit() else f"{at.capitalize()}: {told}"

    @property
    def lines(self) -> list[str]:
        """Both, a line each, where there is something to say."""
        return [line for line in (self.then, self.present) if line]


def why(episode: Mapping[str, Any], *, brief: bool = False) -> str:
    """Give what raised an episode, without a full stop; the rule's name where no sentence was ever stored."""
    worst, facts = int(episode["severity"] or episode.get("peak_severity") or 0), episode.get("explanation") or {}
    told = retold(episode["sentence"], facts, worst, brief=brief)
    if brief and "grace" in facts:
        told = told.partition(f" and {facts['grace']} of grace")[0]
    return told or str(episode["rule"]).replace("_", " ")


def why_then(event: Mapping[str, Any]) -> str:
    """Give what an episode was raised or changed by at an event; of earlier ones only the value is kept."""
    facts = event.get("explanation") or {}
    if event["value"] is None or facts.get("at") in (None, microseconds(event["at"])):
        return why(event)
    sign = BY_NAME.get(facts.get("vital", ""))
    if sign is not None and "side" in facts and "window" not in facts:
        return f"{sign.label} {sign.format(event['value'])}"
    return f"{facts['title']} {event['value']:.0f}" if "values" in facts and sign is None else why(event)


def said_at(episode: Mapping[str, Any]) -> datetime | None:
    """Give the instant of the observations that the reason is about."""
    at = (episode.get("explanation") or {}).get("at")
    return instant(at) if at else episode.get("since") or episode.get("activated_at")


def reason(episode: Mapping[str, Any], at: Situation, row: int, when: When) -> Reason:
    """Put together why an episode of the patient in a row stands."""
    followed = at.standards[row]
    rule = next((r for r in followed.rules if r.name == episode["rule"]), None) if followed else None
    raised, first = said_at(episode), episode.get("since") or episode.get("activated_at")
    now, brief, now_us = _now(at, row, rule)
    if raised is not None and now_us and instant(now_us) <= raised:
        now, brief, now_us = words.NO_NEWER, words.NO_NEWER, 0
    return Reason(
        why(episode),
        why(episode, brief=True),
        raised,
        raised is None or first is None or abs((raised - first).total_seconds()) < _SAME_S,
        now,
        brief,
        instant(now_us) if now_us else None,
        "" if rule is None else _stays(episode, at, row, rule, when),
        when,
    )


def _now(at: Situation, row: int, rule: Rule | None) -> tuple[str, str, int]:
    """Say how it is now, at length and briefly, and when that was observed [µs since 1970 UTC; 0 = never]."""
    followed = at.standards[row]
    if isinstance(rule, ScoreRule) and followed is not None and rule == followed.score_rule:
        told, seen = score_now(at, row)
        lower, upper = float(at.scores.lower[row]), float(at.scores.upper[row])
        return told, f"{rule.title} {score_range(lower, upper)}" if seen else told, seen
    sign = BY_NAME.get(getattr(rule, "vital", ""))
    seen = 0 if sign is None else int(at.recent_at[row, sign.code])
    if sign is None or not seen:
        return "", "", 0
    value = sign.format(float(at.recent[row, sign.code]))
    return f"{sign.label.lower()} {value}", f"{sign.short_label} {value}", seen


def score_now(at: Situation, row: int) -> tuple[str, int]:
    """Give the score of what counts now, and when the newest of it was observed [µs since 1970 UTC; 0 = never]."""
    counting = [code for code in NEWS2_CODES if not np.isnan(at.counting[row, code])]
    if not counting:
        return words.NOTHING_COUNTS, 0
    newest = max(int(at.recent_at[row, code]) for code in counting)
    return care.score_words(at.scores, at.counting, row), newest


def _stays(episode: Mapping[str, Any], at: Situation, row: int, rule: Rule, when: When) -> str:
    """Say why an episode stays as severe as it is, where its condition is not met at that severity any more."""
    if isinstance(rule, OverdueRule):
        return ""
    slots = at.machines[row]["slots"]
    mine = slots[slots["rule"] == rule_key(rule.name)]
    level = int(episode["severity"]) - 1
    if not len(mine) or level < 0:
        return ""
    slot = mine[0]
    if not slot["latched"][level]:
        # a page that knows of it says so beside the button that resets it
        return words.RESET if getattr(rule, "latching", False) and "waits_for_reset" not in episode else ""
    if slot["count"][level] > 0:
        return _until_confirmed(getattr(rule, "clear_after", Confirmation()), slot, level, when)
    if not isinstance(rule, Graded) or _is_met(at, row, rule, level + 1):
        return ""
    if isinstance(rule, ScoreRule):
        return _until_taken(at, row, rule, int(slot["basis"]))
    deadband = getattr(rule, "deadband", 0)
    return words.not_clear(_amount(rule, deadband)) if deadband else ""


def _until_confirmed(needed: Confirmation, slot: np.void, level: int, when: When) -> str:
    apart, hold = duration(needed.apart, "apart"), duration(needed.hold, "hold")
    told = [f"{needed.consecutive} in a row"] if needed.consecutive > 1 else []
    told += [f"{needed.apart} apart"] if apart else []
    told += [f"for {needed.hold}"] if hold else []
    following = when(instant(int(slot["since"][level]) + apart)) if apart else ""
    return words.until_confirmed(told, int(slot["count"][level]), following) if told else ""


def _until_taken(at: Situation, row: int, rule: ScoreRule, basis: int) -> str:
    followed = at.standards[row]
    if followed is None or rule != followed.score_rule:
        return ""
    missing = [
        care.parameter_label(name)
        for i, name in enumerate(PARAMETERS)
        if basis >> i & 1 and np.isnan(at.counting[row, NEWS2_CODES[i]])
    ]
    return words.until_taken(missing) if missing else words.ANOTHER_SET


def _is_met(at: Situation, row: int, rule: Graded, severity: int) -> bool:
    """Say whether the last values still meet a rule at a severity; of rules on a course it is not known here."""
    if isinstance(rule, ScoreRule):
        return score_severity(rule, float(at.scores.lower[row]), bool(at.scores.red[row])) >= severity
    if isinstance(rule, LimitRule):
        code = BY_NAME[rule.vital].code
        seen = int(at.recent_at[row, code])
        return limit_severity(rule, float(at.recent[row, code]), seen, at.zones[row]) >= Severity(severity)
    return True


def _amount(rule: Graded, amount: float) -> str:
    vital = BY_NAME.get(getattr(rule, "vital", ""))
    return f"{amount:g} {vital.display_unit}".rstrip() if vital else f"{amount:g}"

"""Which steps, and which usual value, met a rule on the course of a vital sign or on several at once?

Everything is worked out from the transition itself, which keeps the steps that were looked at, so that what is said of
it does not depend on what came after.
"""

from __future__ import annotations

import re
from typing import Any

import numpy as np
from numpy.typing import NDArray

from alerts.documents import AverageRule, ChangeRule, CombinationRule, CusumRule, EwmaRule, Policy, SlopeRule, Trend
from alerts.episodes import OPENED
from alerts.notation import duration
from alerts.score_tables import score_label
from alerts.trends import MAD_TO_SD, TINY
from schemas.episode import Severity
from schemas.vital_signs import BY_NAME

_WORDS = {"s": "second", "min": "minute", "h": "hour", "d": "day"}
_NOUN = {AverageRule: "average", SlopeRule: "trend", ChangeRule: "change", EwmaRule: "drift", CusumRule: "shift"}


def trend_sentence(rule: Trend, transition: np.void) -> str:
    """Say in one sentence what the course of the vital sign was."""
    now = f"{_label(rule)} {_amount(rule, _steps(rule, transition)[0])}"
    if transition["kind"] == OPENED:
        return f"{_course(rule, transition)}: not confirmed yet."
    if transition["severity"] == 0:
        return f"{now}: the {_NOUN[type(rule)]} is back within the limit."
    threshold = float(getattr(rule, Severity(int(transition["severity"])).word))
    if not _beyond(rule, float(transition["value"]), threshold):
        return f"{_course(rule, transition)}: easing from {Severity(int(transition['peak'])).word}, not settled yet."
    return f"{_course(rule, transition)}, limit {_limit(rule, threshold)}."


def combination_sentence(policy: Policy, rule: CombinationRule, transition: np.void) -> str:
    """Say in one sentence which rules came together."""
    active = [f"{title} ({word})" for title, word in _members(policy, transition) if word != "none"]
    if transition["severity"] == 0:
        return f"Fewer than {rule.at_least} of {len(rule.of)} signs together now."
    confirmed = ": not confirmed yet" if transition["kind"] == OPENED else ""
    return f"{len(active)} of {len(rule.of)} signs together: {', '.join(active) or 'none any more'}{confirmed}."


def trend_facts(rule: Trend, transition: np.void) -> dict[str, Any]:
    """Give the steps that were looked at, newest first, and what they were compared with."""
    steps = _steps(rule, transition)
    found: dict[str, Any] = {
        "vital": rule.vital,
        "side": rule.side,
        "every": rule.every,
        "over": rule.over,
        "window": [None if np.isnan(x) else round(float(x), 4) for x in steps],
    }
    usual, spread = baseline(rule, steps)
    if usual is not None:
        found["baseline"] = round(usual, 4)
    if spread is not None:
        found["spread"] = round(spread, 4)
    return found


def combination_facts(policy: Policy, rule: CombinationRule, transition: np.void) -> dict[str, Any]:
    """Give each rule of the combination with the severity that it had."""
    return {"of": dict(_members(policy, transition)), "at_least": rule.at_least}


def baseline(rule: Trend, steps: NDArray[np.float64]) -> tuple[float | None, float | None]:
    """Give the usual value that the newest of the steps is compared with, and the usual variation where it counts."""
    past = steps[1:][~np.isnan(steps[1:])]
    if isinstance(rule, AverageRule | SlopeRule) or not len(past):
        return None, None
    if isinstance(rule, ChangeRule) and rule.reference == "extreme":
        return float(past.max() if rule.side == "low" else past.min()), None
    usual = float(np.median(past))
    if isinstance(rule, ChangeRule) and rule.reference == "median":
        return usual, None
    least = getattr(rule, "least_spread", None) or 0.0
    return usual, max(float(np.median(np.abs(past - usual))) * MAD_TO_SD, least)


def _course(rule: Trend, transition: np.void) -> str:
    steps, value = _steps(rule, transition), float(transition["value"])
    usual, _ = baseline(rule, steps)
    now, more = _amount(rule, steps[0]), "more" if value >= 0 else "less"
    if isinstance(rule, AverageRule):
        return (
            f"Average {_label(rule, inside=True)} of {_span(rule.over)} {_amount(rule, value)} "
            f"({_counted(int((~np.isnan(steps)).sum()), rule.every)} observed)"
        )
    if isinstance(rule, SlopeRule):
        way = "rising" if value >= 0 else "falling"
        return f"{_label(rule)} {way} by {_fine(rule, abs(value))} per {_each(rule.every)}, now {now}"
    if usual is None:
        return f"{_label(rule)} {now}"
    if isinstance(rule, ChangeRule):
        if rule.reference == "extreme":
            what = f"the {'highest' if rule.side == 'low' else 'lowest'} of {_span(rule.over)}, {_amount(rule, usual)}"
            return f"{_label(rule)} {now}, {_fine(rule, abs(value))} {more} than {what}"
        difference = f"{_fine(rule, abs(float(steps[0]) - usual))} {more} than usual, {_amount(rule, usual)}"
        times = f", {abs(value):.1f} times the usual variation" if rule.reference == "spread" else ""
        return f"{_label(rule)} {now}, {difference}{times}"
    side = "above" if value >= 0 else "below"
    verb = "has drifted" if isinstance(rule, EwmaRule) else "has stayed"
    return f"{_label(rule)} {verb} {side} the usual {_amount(rule, usual)}, by {abs(value):.1f} of the usual variation"


def _limit(rule: Trend, threshold: float) -> str:
    if isinstance(rule, AverageRule):
        return f"{_amount(rule, threshold)} or {'less' if rule.side == 'low' else 'more'}"
    in_units = isinstance(rule, SlopeRule) or (isinstance(rule, ChangeRule) and rule.reference != "spread")
    return _fine(rule, threshold) if in_units else f"{threshold:g}"


def _beyond(rule: Trend, value: float, threshold: float) -> bool:
    sign = -1 if rule.side == "low" else 1
    return value * sign >= threshold * (sign if isinstance(rule, AverageRule) else 1) - TINY


def _steps(rule: Trend, transition: np.void) -> NDArray[np.float64]:
    size = duration(rule.over, "") // duration(rule.every, "")
    steps: NDArray[np.float64] = transition["window"][:size].astype(np.float64)
    return steps


def _members(policy: Policy, transition: np.void) -> list[tuple[str, str]]:
    severities = zip(policy.rules, transition["window"], strict=False)
    return [(rule.title, Severity(int(s)).word) for rule, s in severities if not np.isnan(s)]


def _label(rule: Trend, *, inside: bool = False) -> str:
    if rule.vital not in BY_NAME:
        return score_label(rule.vital)
    label = BY_NAME[rule.vital].label
    return label.lower() if inside else label


def _amount(rule: Trend, value: float) -> str:
    if np.isnan(value):
        return "not observed"
    return BY_NAME[rule.vital].format(value) if rule.vital in BY_NAME else f"{value:.3g}"


def _fine(rule: Trend, value: float) -> str:
    """Write a difference with a decimal more than the vital sign has: half a step can be a limit."""
    if rule.vital not in BY_NAME:
        return f"{value:.2g}"
    vital = BY_NAME[rule.vital]
    return f"{round(value, vital.decimals + 1):g} {vital.display_unit}".rstrip()


def _parts(text: str) -> tuple[str, str]:
    match = re.match(r"([\d.]+) ?(\w+)", text)
    assert match is not None
    return match[1], _WORDS[match[2]]


def _span(text: str) -> str:
    number, word = _parts(text)
    return f"the last {word}" if number == "1" else f"the last {number} {word}s"


def _each(text: str) -> str:
    number, word = _parts(text)
    return word if number == "1" else f"{number} {word}s"


def _counted(count: int, every: str) -> str:
    number, word = _parts(every)
    if number == "1":
        return f"{count} {word}{'' if count == 1 else 's'}"
    return f"{count} times {number} {word}s"

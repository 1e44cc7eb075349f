"""Would a policy have warned of what happened, how early, and at what price in alerts?

A recorded cohort is run through the core, and its alerts are held against the outcomes. docs/evaluation.md defines
every figure; the definitions here are the same in fewer words.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from alerts.backtest import at_least, backtest
from alerts.cohort import NO_ONSET, CohortError, Outcomes, Recording
from alerts.documents import ABOUT_DATA, Policy, rule_key
from alerts.notation import PolicyError
from alerts.policy import parse
from alerts.score_tables import NEWS2, SHIPPED
from alerts.state import PERSON
from schemas.episode import Severity
from schemas.observation import ObservationBatch
from schemas.vital_signs import BY_NAME

HOUR = 3_600_000_000
DAY = 24 * HOUR
RESAMPLES = 1000
_SHARE = 0.95
_RULE = re.compile(r"\s*([a-z0-9_]+)\s*(>=|<=)\s*(\d+(?:\.\d+)?)\s*")
_BARE = """
name = "baseline"
title = "{text}"
author = "Homeward evaluation"
source = "A bare rule, to compare with"
reason = "Comparison"
lateness = "1 d"
actionable = "1 d"
[[{family}]]
name = "bare"
title = "{text}"
source = "A bare rule, to compare with"
amber = {threshold}
{rest}
"""


@dataclass(frozen=True)
class Cohort:
    """People whose observations and outcomes are known.

    Attributes
    ----------
    outcomes : Outcomes of P
    rows : int array, shape (N,)
        Which person each observation belongs to.
    observations : ObservationBatch of N
        Within each person's ``from`` and ``to``.
    counts : dict
        What was left out, and why.
    """

    outcomes: Outcomes
    rows: NDArray[np.intp]
    observations: ObservationBatch
    counts: dict[str, int]

    @classmethod
    def of(cls, recording: Recording, outcomes: Outcomes) -> Cohort:
        """Bring observations and outcomes together.

        Raises
        ------
        CohortError
            Where the two files have nobody in common.
        """
        place = {name: row for row, name in enumerate(outcomes.patients)}
        row_of = np.array([place.get(name, -1) for name in recording.patients], np.intp)
        batch = recording.observations
        rows = row_of[batch.patient_id] if len(batch) else np.empty(0, np.intp)
        known = rows >= 0
        if not (row_of >= 0).any():
            raise CohortError(
                "observations and outcomes have no patient in common; give two files of the same cohort "
                f"(the first names {recording.patients[0]!r}, the second {outcomes.patients[0]!r})"
            )
        inside = known & (batch.observed_at >= outcomes.start[rows]) & (batch.observed_at <= outcomes.end[rows])
        chosen = np.flatnonzero(inside)
        counts = {
            "people": len(outcomes.patients),
            "observations": len(chosen),
            "implausible": recording.implausible,
            "repeated": recording.repeated,
            "outside_from_and_to": int((known & ~inside).sum()),
            "people_without_outcome_row": int((row_of < 0).sum()),
            "people_without_observations": len(outcomes.patients) - len(np.unique(rows[chosen])),
            "outcome_without_onset": int((outcomes.has_outcome & (outcomes.onset == NO_ONSET)).sum()),
        }
        return cls(outcomes, rows[chosen], batch.take(chosen), counts)


def bare_rule(text: str) -> Policy:
    """Make a policy of one bare rule such as ``news2>=5``: values carried forward, no confirmation, no hysteresis."""
    match = _RULE.fullmatch(text)
    if match is None:
        raise PolicyError(f'baseline {text!r}: expected a rule such as "news2>=5" or "spo2<=91"')
    name, sign, threshold = match.groups()
    if name not in SHIPPED and name not in BY_NAME:
        known = ", ".join((*SHIPPED, *BY_NAME))
        raise PolicyError(f"baseline {text!r}: unknown {name!r}; expected one of {known}")
    if name in SHIPPED and sign == "<=":
        raise PolicyError(f"baseline {text!r}: a low score is no alert; write it with >=")
    if name in SHIPPED:
        family, rest = "score", f'table = "{name}"\nvalid = "36500 d"'
    else:
        family, rest = "limit", f'vital = "{name}"\nside = "{"high" if sign == ">=" else "low"}"'
    return parse(_BARE.format(family=family, text=text.strip(), threshold=threshold, rest=rest))


def alerting_rules(policy: Policy) -> list[int]:
    """Give the keys of the rules whose episodes are alerts of a person's condition: not of the data, not quiet."""
    return [rule_key(r.name) for r in policy.rules if not (r.quiet or isinstance(r, ABOUT_DATA))]


@dataclass(frozen=True)
class Marks:
    """What a policy did, person by person; everything a figure is made of.

    Attributes
    ----------
    onset, without : bool arrays, shape (P,)
        Who has a known onset, and who has no outcome. Whoever is neither counts nowhere.
    caught : bool array, shape (P,)
        An alert was active in the horizon before onset.
    lead_hours : float array, shape (P,)
        From the first such alert to onset, at most the horizon; NaN where not caught.
    alerts, true, false : int arrays, shape (P,)
        Alert episodes; those active in the horizon before onset; those before it, or of somebody without the outcome.
    alerted, observed : int64 arrays, shape (P,)
        Time under alert, each instant once, and time on record [µs].
    scores : int array, shape (P, S)
        How often each value of the score that the policy follows was seen, from 0 up: in the horizon before onset, or
        in all of the record without the outcome.
    scored : bool
        Whether the policy has a score at all.
    """

    onset: NDArray[np.bool_]
    without: NDArray[np.bool_]
    caught: NDArray[np.bool_]
    lead_hours: NDArray[np.float64]
    alerts: NDArray[np.int64]
    true: NDArray[np.int64]
    false: NDArray[np.int64]
    alerted: NDArray[np.int64]
    observed: NDArray[np.int64]
    scores: NDArray[np.int64]
    scored: bool


def mark(policy: Policy, cohort: Cohort, horizon: int) -> Marks:
    """Run a policy over a cohort and hold its alerts against the outcomes; ``horizon`` in microseconds."""
    o = cohort.outcomes
    people = np.zeros(len(o.patients), PERSON)
    people["spo2_scale"], people["enrolled_at"] = 1, o.start
    scores = np.zeros((len(people), _values(policy)), np.int64)
    onset, without = o.onset != NO_ONSET, ~o.has_outcome
    opens = np.where(onset, o.onset - horizon, np.where(without, o.start, o.end + 1))
    closes = np.where(onset, o.onset, o.end + 1)

    def watch(rows: NDArray[np.intp], at: NDArray[np.int64], lower: NDArray[np.float64]) -> None:
        counted = ~np.isnan(lower) & (opens[rows] <= at) & (at < closes[rows])
        np.add.at(scores, (rows[counted], lower[counted].astype(np.intp)), 1)

    _, intervals = backtest(policy, cohort.rows, cohort.observations, people, o.end, watch)
    alerts = at_least(intervals, Severity.AMBER, alerting_rules(policy))
    who, start = alerts["patient"], alerts["start"]
    end = np.minimum(alerts["end"], o.end[who])
    before = onset[who] & (start < o.onset[who])
    warned = before & (end > opens[who])
    first = np.full(len(people), o.end.max(initial=0))
    np.minimum.at(first, who[warned], start[warned])
    caught = _count(who[warned], people) > 0
    return Marks(
        onset=onset,
        without=without,
        caught=caught,
        lead_hours=np.where(caught, (o.onset - np.maximum(first, opens)) / HOUR, np.nan),
        alerts=_count(who, people),
        true=_count(who[warned], people),
        false=_count(who[(before & ~warned) | without[who]], people),
        alerted=_union(who, start, end, len(people)),
        observed=o.end - o.start,
        scores=scores,
        scored=bool(scores.any()),
    )


def _values(policy: Policy) -> int:
    """Say how many values the score has that the policy follows: as many as NEWS2 where it follows none."""
    return int(policy.tables[policy.document.followed or NEWS2].most.sum()) + 1


def _count(who: NDArray[Any], people: NDArray[np.void]) -> NDArray[np.int64]:
    return np.bincount(who, minlength=len(people))


def _union(who: NDArray[Any], start: NDArray[np.int64], end: NDArray[np.int64], size: int) -> NDArray[np.int64]:
    """Add up time under alert; what two rules cover at once counts once."""
    total = np.zeros(size, np.int64)
    order = np.lexsort((start, who))
    reached = np.full(size, np.iinfo(np.int64).min)
    for row, begin, finish in zip(who[order].tolist(), start[order].tolist(), end[order].tolist(), strict=True):
        begin = max(begin, int(reached[row]))
        if finish > begin:
            total[row] += finish - begin
            reached[row] = finish
    return total


def figures(marks: Marks, seed: int = 20) -> dict[str, Any]:
    """Give every figure with its bootstrap interval: people are drawn with replacement, with and without onset apart.

    Returns
    -------
    dict
        ``sensitivity``, ``median_lead_hours``, ``episodes_per_patient_day``, ``alerted_time_fraction``, ``ppv``,
        ``auroc``, each None where it is not defined, with ``…_interval`` (95 %, or None) beside it; ``with_onset`` and
        ``without_outcome``.
    """
    yes, no = np.flatnonzero(marks.onset), np.flatnonzero(marks.without)
    of_onset = np.column_stack([marks.caught, marks.true, marks.false, marks.scores])[yes].astype(np.float64)
    each = np.column_stack([marks.alerts, marks.alerted, marks.observed, marks.false, marks.scores])
    of_others, leads = each[no].astype(np.float64), marks.lead_hours[yes]
    found = _figures(np.ones(len(yes)), np.ones(len(no)), of_onset, of_others, leads)
    rng = np.random.default_rng(seed)
    drawn = [
        _figures(_weights(rng, len(yes)), _weights(rng, len(no)), of_onset, of_others, leads) for _ in range(RESAMPLES)
    ]
    result: dict[str, Any] = {"with_onset": len(yes), "without_outcome": len(no)}
    for position, name in enumerate(NAMES):
        value = found[position]
        if name == "auroc" and not marks.scored:
            value = np.nan
        result[name] = None if np.isnan(value) else round(float(value), 4)
        result[f"{name}_interval"] = None if np.isnan(value) else _interval([d[position] for d in drawn])
    return result


NAMES = ("sensitivity", "median_lead_hours", "episodes_per_patient_day", "alerted_time_fraction", "ppv", "auroc")


def _interval(values: list[float]) -> list[float] | None:
    known = np.array(values)[~np.isnan(values)]
    tail = (1 - _SHARE) / 2
    return None if len(known) < 2 else [round(float(q), 4) for q in np.quantile(known, (tail, 1 - tail))]


def _weights(rng: np.random.Generator, size: int) -> NDArray[np.float64]:
    drawn = np.bincount(rng.integers(size, size=size), minlength=size) if size else np.zeros(0)
    return drawn.astype(np.float64)


def _figures(
    yes: NDArray[np.float64],
    no: NDArray[np.float64],
    of_onset: NDArray[np.float64],
    of_others: NDArray[np.float64],
    leads: NDArray[np.float64],
) -> tuple[float, ...]:
    """Compute the figures where each person counts as often as drawn."""
    caught, true, false = (yes @ of_onset)[:3]
    alerts, alerted, observed, false_of_others = (no @ of_others)[:4]
    positive, negative = (yes @ of_onset)[3:], (no @ of_others)[4:]
    again = np.repeat(leads, yes.astype(np.intp))
    known = again[~np.isnan(again)]
    return (
        _ratio(caught, yes.sum()),
        float(np.median(known)) if len(known) else np.nan,
        _ratio(alerts * DAY, observed),
        _ratio(alerted, observed),
        _ratio(true, true + false + false_of_others),
        auroc(positive, negative),
    )


def _ratio(part: float, whole: float) -> float:
    return float(part / whole) if whole else np.nan


def auroc(positive: NDArray[np.float64], negative: NDArray[np.float64]) -> float:
    """Give the area under the ROC curve of a score from how often each of its values was seen; NaN without both.

    Examples
    --------
    >>> auroc(np.array([0.0, 1.0]), np.array([1.0, 0.0]))
    1.0
    """
    below = np.cumsum(negative) - negative
    return _ratio(float(positive @ (below + negative / 2)), float(positive.sum() * negative.sum()))


def report(policy: Policy, cohort: Cohort, horizon: int, baseline: str | None = None) -> dict[str, Any]:
    """Evaluate a policy and, beside it, a bare rule; the result is what ``homeward evaluate --json`` prints."""
    result: dict[str, Any] = {"policy": policy.document.name, "horizon_hours": horizon / HOUR}
    result |= figures(mark(policy, cohort, horizon)) | {"counts": cohort.counts}
    if baseline is not None:
        result["baseline"] = {"rule": baseline.strip()} | figures(mark(bare_rule(baseline), cohort, horizon))
    return result

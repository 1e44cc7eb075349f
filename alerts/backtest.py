"""What would a policy have said of a past that is on record?

A `Trial` takes P patients through their history with the core that scores them live, one slice of time after another.
It keeps the patients' states and the episodes that are still open, so its memory does not grow with the history; the
episodes that have ended are handed over slice by slice.
"""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray

from alerts import state
from alerts.acts import NO_ACTS, Acts
from alerts.bank import PolicyBank
from alerts.documents import Policy
from alerts.episodes import ACTIVATED, EASED
from alerts.instants import Instants
from alerts.notation import duration
from alerts.run import Run, Watch
from schemas.observation import ObservationBatch

EPISODE = np.dtype(
    [
        ("patient", "<i4"),  # row of the call
        ("rule", "<u4"),  # alerts.documents.rule_key of its name
        ("peak", "u1"),
        ("opened_at", "<i8"),
        ("activated_at", "<i8"),
        ("resolved_at", "<i8"),  # `OPEN` while it is active
        ("rises", "<u2"),  # how often its severity rose after it had become active
    ]
)
"""An episode that became active. Its parts of one severity are `INTERVAL` records of the same three keys."""

INTERVAL = np.dtype(
    [
        ("patient", "<i4"),
        ("rule", "<u4"),
        ("opened_at", "<i8"),
        ("severity", "u1"),
        ("before", "u1"),  # severity just before; an interval that is higher is an alert
        ("start", "<i8"),
        ("end", "<i8"),  # `OPEN` where it had not ended
    ]
)
"""A stretch of an episode at one severity."""

OPEN = np.iinfo(np.int64).max
_STEP = np.dtype([("patient", "<i4"), ("rule", "<u4"), ("opened_at", "<i8"), ("severity", "u1"), ("at", "<i8")])


class Trial:
    """P patients under given policies, from nothing known to the end of their record.

    Parameters
    ----------
    bank : PolicyBank
    people : array of PERSON, shape (P,)
    watch : callable, optional
        As `alerts.run.Run` takes it: told of each step's lower bounds of the score.
    acts : Acts, optional
        When patients were paused. Nobody resets a latched episode in a trial: it ends when its condition does.
    """

    def __init__(
        self, bank: PolicyBank, people: NDArray[np.void], watch: Watch | None = None, acts: Acts = NO_ACTS
    ) -> None:
        self._bank, self._people, self._watch, self._acts = bank.without_latching(), people, watch, acts
        self._machines = state.initial(len(people))
        self._open = np.zeros(0, _STEP)

    def feed(
        self,
        rows: NDArray[np.intp],
        batch: ObservationBatch,
        until: NDArray[np.int64] | int,
        instants: Instants | None = None,
    ) -> NDArray[np.void]:
        """Score a slice of time and give the intervals of the episodes that ended in it.

        Parameters
        ----------
        rows : int array, shape (N,)
            Which patient each observation belongs to.
        batch : ObservationBatch of N
            Each later than what the patient's former slices reached.
        until : int64 array, shape (P,), or one int
            The slice's last microsecond: timers due by then fire.
        instants : Instants, optional
            Of the same rows and batch, where several trials share them.

        Returns
        -------
        array of INTERVAL
        """
        if (batch.observed_at <= self._machines["last_at"][rows]).any():
            raise ValueError("backtest: an observation lies before what was scored already; give slices in time order")
        ends = np.maximum(np.broadcast_to(until, len(self._people)), self._machines["clock_at"])
        run = Run(
            self._machines,
            rows,
            batch,
            self._bank,
            self._people,
            ends,
            keep_snapshots=False,
            watch=self._watch,
            instants=instants,
            acts=self._acts,
        )
        self._machines = run.machines
        steps = _steps(run.transitions)
        steps = np.concatenate([self._open, steps[np.argsort(steps["at"], kind="stable")]])
        steps = steps[np.lexsort((steps["opened_at"], steps["rule"], steps["patient"]))]
        ended = _of_ended(steps)
        self._open = steps[~ended]
        return _intervals(steps[ended])

    def finish(self) -> NDArray[np.void]:
        """Give the intervals of the episodes that are still active."""
        return _intervals(self._open)


def backtest(
    policy: Policy,
    rows: NDArray[np.intp],
    batch: ObservationBatch,
    people: NDArray[np.void],
    until: NDArray[np.int64] | int,
    watch: Watch | None = None,
) -> tuple[NDArray[np.void], NDArray[np.void]]:
    """Run one policy over observations that are all in memory.

    Parameters
    ----------
    policy : Policy
    rows : int array, shape (N,)
        Which patient each observation belongs to.
    batch : ObservationBatch of N
        In any order.
    people : array of PERSON, shape (P,)
        Everybody is scored by ``policy``, whatever index the records name.
    until : int64 array, shape (P,), or one int
        Where each record ends.
    watch : callable, optional

    Returns
    -------
    episodes : array of EPISODE
    intervals : array of INTERVAL
    """
    alike = people.copy()
    alike["policy"] = 0
    trial = Trial(PolicyBank([policy]), alike, watch)
    intervals = np.concatenate([trial.feed(rows, batch, until), trial.finish()])
    return episodes_of(intervals), intervals


def reach(policy: Policy) -> int:
    """Say how far back the rules of a policy look, at most [µs]: so much earlier must a trial begin."""
    names = ("over", "valid", "every", "grace", "at_most", "gap")
    spans = [duration(getattr(r, name), name) for r in policy.rules for name in names if hasattr(r, name)]
    return 2 * max(spans, default=0)


def episodes_of(intervals: NDArray[np.void]) -> NDArray[np.void]:
    """Put the intervals of each episode together, by patient, rule and time."""
    ordered = intervals[
        np.lexsort((intervals["start"], intervals["opened_at"], intervals["rule"], intervals["patient"]))
    ]
    first = np.flatnonzero(_new_key(ordered))
    found = np.zeros(len(first), EPISODE)
    if not len(first):
        return found
    for name in ("patient", "rule", "opened_at"):
        found[name] = ordered[name][first]
    found["activated_at"] = ordered["start"][first]
    found["resolved_at"] = np.maximum.reduceat(ordered["end"], first)
    found["peak"] = np.maximum.reduceat(ordered["severity"], first)
    rose = (ordered["severity"] > ordered["before"]) & (ordered["before"] > 0)
    found["rises"] = np.add.reduceat(rose.astype(np.uint16), first)
    return found


def at_least(intervals: NDArray[np.void], severity: int, rules: Iterable[int] | None = None) -> NDArray[np.void]:
    """Join the neighbouring intervals of an episode that are of this severity or worse, leaving out milder ones.

    ``rules`` are the keys of those to look at; all where it is not given.
    """
    chosen = intervals[intervals["severity"] >= severity]
    if rules is not None:
        chosen = chosen[np.isin(chosen["rule"], list(rules))]
    chosen = chosen[np.lexsort((chosen["start"], chosen["opened_at"], chosen["rule"], chosen["patient"]))]
    if not len(chosen):
        return chosen
    begins = _new_key(chosen)
    begins[1:] |= chosen["start"][1:] != chosen["end"][:-1]
    first = np.flatnonzero(begins)
    joined = chosen[first]
    joined["end"] = np.maximum.reduceat(chosen["end"], first)
    joined["severity"] = np.maximum.reduceat(chosen["severity"], first)
    return joined


def _steps(transitions: NDArray[np.void]) -> NDArray[np.void]:
    """Keep of each transition what an interval is made of."""
    steps = np.zeros(len(transitions), _STEP)
    steps["patient"] = transitions["row"]
    for name in ("rule", "opened_at", "severity", "at"):
        steps[name] = transitions[name]
    told = (transitions["severity"] > 0) | (transitions["kind"] == EASED) | (transitions["kind"] == ACTIVATED)
    kept: NDArray[np.void] = steps[told]
    return kept


def _new_key(ordered: NDArray[np.void]) -> NDArray[np.bool_]:
    new = np.ones(len(ordered), bool)
    new[1:] = False
    for name in ("patient", "rule", "opened_at"):
        new[1:] |= ordered[name][1:] != ordered[name][:-1]
    return new


def _of_ended(steps: NDArray[np.void]) -> NDArray[np.bool_]:
    """Mark the steps of episodes whose last step has no severity."""
    if not len(steps):
        return np.zeros(0, bool)
    new = _new_key(steps)
    last = np.append(np.flatnonzero(new)[1:], len(steps)) - 1
    ended: NDArray[np.bool_] = (steps["severity"][last] == 0)[np.cumsum(new) - 1]
    return ended


def _intervals(steps: NDArray[np.void]) -> NDArray[np.void]:
    """Turn steps, by episode and time, into the stretches between them that have a severity."""
    new = _new_key(steps)
    found = np.zeros(len(steps), INTERVAL)
    for name in ("patient", "rule", "opened_at", "severity"):
        found[name] = steps[name]
    found["start"] = steps["at"]
    follows = np.append(~new[1:], False) if len(steps) else new
    found["end"] = np.where(follows, np.append(steps["at"][1:], 0)[: len(steps)], OPEN)
    found["before"] = np.where(new, 0, np.append(0, steps["severity"][:-1])[: len(steps)])
    kept: NDArray[np.void] = found[found["severity"] > 0]
    return kept

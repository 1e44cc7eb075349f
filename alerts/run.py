"""How are many patients taken through their instants side by side?

One `Run` is one pass: at each step the timers that fell due before the instant fire, then the instant's observations
are judged by every rule family, and the episodes advance.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from alerts import (
    combinations,
    disagreements,
    episodes,
    limits,
    outliers,
    quality,
    repeats,
    resets,
    schedule,
    scores,
    trends,
)
from alerts.acts import NO_ACTS, Acts
from alerts.align import align
from alerts.bank import BANDED, DISAGREEMENT, OUTLIER, QUALITY, PolicyBank
from alerts.conditions import Conditions
from alerts.instants import Instants
from alerts.state import MACHINE, RING, take, together
from alerts.working import Working
from schemas.observation import Flag, ObservationBatch

Watch = Callable[[NDArray[np.intp], NDArray[np.int64], NDArray[np.float64]], None]

SNAPSHOT_EVERY = 16
"""Instants between two fine snapshots: about what a slightly late observation makes us score again."""


@dataclass(frozen=True)
class Snapshots:
    """States to keep for observations that come late.

    Attributes
    ----------
    row : int array, shape (S,)
        Whose.
    at : int64 array, shape (S,)
        The newest event that the state contains; 0 where it contains none.
    fine : bool array, shape (S,)
        Kept only while it is among the newest; the others are kept for the policy's lateness.
    machines : array of MACHINE, shape (S,)
    """

    row: NDArray[np.intp]
    at: NDArray[np.int64]
    fine: NDArray[np.bool_]
    machines: NDArray[np.void]


class Run:
    """One pass of P patients over N observations.

    Parameters
    ----------
    machines : array of MACHINE, shape (P,)
    rows : int array, shape (N,)
        Which patient each observation belongs to.
    batch : ObservationBatch of N
    bank : PolicyBank
    people : array of PERSON, shape (P,)
    until : int64 array, shape (P,)
        Timers due by then fire.
    keep_snapshots : bool
        A backtest needs none: what it reads comes in order.
    watch : callable, optional
        Told of each step: which patients, their instants, and the lower bound of the score that their policy follows
        (NaN of others), each of shape (n,).
    instants : Instants, optional
        Of the same rows and batch, where several passes share them.
    acts : Acts, optional
        What people have done about these patients.
    """

    def __init__(
        self,
        machines: NDArray[np.void],
        rows: NDArray[np.intp],
        batch: ObservationBatch,
        bank: PolicyBank,
        people: NDArray[np.void],
        until: NDArray[np.int64],
        *,
        keep_snapshots: bool = True,
        watch: Watch | None = None,
        instants: Instants | None = None,
        acts: Acts = NO_ACTS,
    ) -> None:
        self._keeping, self._watch, self._has = keep_snapshots, watch, bank.has
        self._instants = Instants.of(rows, batch, len(machines)) if instants is None else instants
        self._order = self._instants.order
        people = people[self._order]
        aligned, lost = align(take(machines, self._order), bank, people)
        self._transitions = [lost]
        self._kept: list[tuple[NDArray[np.intp], NDArray[np.bool_], NDArray[np.void]]] = []
        self._is_first = True  # nobody has moved on yet
        self._coarse = np.maximum(bank.lateness[people["policy"]] // 2, 1)
        self._found = np.zeros(self._instants.cell_count, np.int16)
        self._w = Working(aligned, bank, people, acts.of_rows(self._order, len(machines)))
        schedule.take_over(self._w)
        for k in range(self._instants.depth):
            self._step(k)
        self._finish(until[self._order])

    def _step(self, k: int) -> None:
        w, (n, at, observed) = self._w, self._instants.at(k)
        self._keep_snapshots(n, at)
        self._is_first = False
        self._note(resets.apply(w, n, at))
        self._fire(n, at)
        marks = repeats.suspected(w, n, at, observed)
        if marks.any():
            self._flag(k, marks, Flag.SUSPECTED_REPEAT)
            observed = np.where(marks, np.nan, observed)
        conditions, measured = Conditions.none(n, w.width), observed
        if QUALITY in self._has:
            marks_of = self._instants.flags(k)
            quality.judge(conditions, w, n, measured, marks_of)
            observed = np.where(quality.unscored(w, n, marks_of), np.nan, measured)
        _remember(w, n, at, observed)
        limits.judge(conditions, w, n, at, observed, measured)
        if DISAGREEMENT in self._has:
            disagreements.judge(conditions, w, n, at, observed)
        scores.judge(conditions, w, n, at, observed)
        if BANDED in self._has:
            scores.judge_banded(conditions, w, n, at, observed)
        if self._watch is not None:
            self._watch(self._order[:n], at, observed[:, 0])
        trends.remember(w, n, at, observed)
        trends.judge(conditions, w, n, observed)
        if OUTLIER in self._has:
            self._flag(k, outliers.judge(conditions, w, n, observed), Flag.OUTLIER)
        self._note(episodes.advance(w, n, at, conditions))
        combined = combinations.judge(w, n, conditions)
        if combined is not None:
            self._note(episodes.advance(w, n, at, combined))
        self._note(schedule.observe(w, n, at, observed, measured))
        w.instants[:n] += 1
        w.last_at[:n] = at

    def _flag(self, k: int, marks: NDArray[np.bool_], flag: Flag) -> None:
        self._found[self._instants.cells(k)] |= self._instants.marked(k, marks) * np.int16(flag)

    def _fire(self, n: int, before: NDArray[np.int64]) -> None:
        self._note(schedule.fire(self._w, n, before))

    def _finish(self, until: NDArray[np.int64]) -> None:
        """Fire what is due after the last instant; an observation may yet come that belongs before it."""
        w, n = self._w, len(until)
        due = schedule.due_at(w, n).min(axis=1, initial=schedule.NEVER)
        acted = resets.pending(w, n, until)
        moving = (due <= until) if acted is None else (due <= until) | acted.any(axis=1)
        self._keep_snapshots(n, np.where(due <= until, due, w.last_at), moving)
        self._note(resets.apply(w, n, until))
        self._fire(n, until + 1)
        w.clock_at = np.maximum(w.clock_at, until)

    def _note(self, transitions: NDArray[np.void]) -> None:
        if len(transitions):
            self._transitions.append(transitions)

    def _keep_snapshots(self, n: int, at: NDArray[np.int64], moving: NDArray[np.bool_] | bool = True) -> None:
        """Keep the states of those who are about to move on to ``at``, now and then."""
        if not self._keeping:
            return
        w, step = self._w, self._coarse[:n]
        coarse = (at // step != w.last_at[:n] // step) | (w.last_at[:n] == 0)
        fine = ~coarse & (w.instants[:n] % SNAPSHOT_EVERY == 0)
        rows = np.flatnonzero((coarse | fine) & moving)
        if len(rows):
            machines = w.records_at_first(rows) if self._is_first else w.records(rows)
            self._kept.append((rows, fine[rows], machines))

    @property
    def machines(self) -> NDArray[np.void]:
        """The states after the pass, in the order of the call."""
        return self._w.records(np.argsort(self._order))

    @property
    def next_due_at(self) -> NDArray[np.int64]:
        """The next instant at which a timer fires, in the order of the call."""
        out = np.empty(len(self._order), np.int64)
        out[self._order] = schedule.due_at(self._w, len(self._order)).min(axis=1, initial=schedule.NEVER)
        return out

    @property
    def transitions(self) -> NDArray[np.void]:
        """All that happened, by patient and instant."""
        found = np.concatenate(self._transitions)
        found["row"] = self._order[found["row"]]
        return found[np.lexsort((found["rule"], found["at"], found["row"]))]

    @property
    def flags(self) -> NDArray[np.int16]:
        """The flags that the core found, for each observation."""
        return self._instants.observations_of(self._found)

    @property
    def snapshots(self) -> Snapshots:
        """The states to keep."""
        if not self._kept:
            return Snapshots(np.empty(0, np.intp), np.empty(0, np.int64), np.empty(0, bool), np.empty(0, MACHINE))
        rows, fine = (np.concatenate([kept[i] for kept in self._kept]) for i in (0, 1))
        machines = together([kept[2] for kept in self._kept])
        return Snapshots(self._order[rows], machines["last_at"].copy(), fine, machines)


def _remember(w: Working, n: int, at: NDArray[np.int64], observed: NDArray[np.float64]) -> None:
    """Push the instant's values onto the short rings of recent ones."""
    cell = np.flatnonzero(~np.isnan(observed))
    newest, instant = observed.ravel()[cell], at[cell // observed.shape[1]]
    first = cell * RING
    for ring, values in ((w.recent, newest), (w.recent_at, instant)):
        flat = ring.reshape(-1)  # one place of all rings at a time: a third of the time of whole rows
        for place in range(RING - 1, 0, -1):
            flat[first + place] = flat[first + place - 1]
        flat[first] = values

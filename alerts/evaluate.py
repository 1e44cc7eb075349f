"""What does a batch of observations do to the patients it belongs to?

`evaluate` is the one entry to the alerting core: the live services, a replay and a backtest call it and nothing else.
It is pure: states, observations, policies and ``now`` go in; states and transitions come out; there is no clock, socket
or chance in it. The result does not depend on how the observations are cut into batches, on duplicates, or on their
order of arrival, as far as the policy's lateness reaches: observations that come late are scored again together with
those that they precede, from the snapshot before them (`History`), and what they change is taken back.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from alerts.acts import NO_ACTS, Acts
from alerts.bank import PolicyBank
from alerts.correction import differences
from alerts.run import Run, Snapshots
from alerts.state import ACTIVE, PENDING
from schemas.observation import CORES_OWN, ObservationBatch


@dataclass(frozen=True)
class History:
    """What late observations need: for some patients, an earlier state and all that was scored since.

    Attributes
    ----------
    rows : int array, shape (H,)
        Which patients of the call, each once.
    machines : array of MACHINE, shape (H,)
        Their states at a snapshot before the earliest late observation.
    known : ObservationBatch of K
        Everything scored between that snapshot and now.
    known_rows : int array, shape (K,)
        Which patient of the call each known observation belongs to.
    """

    rows: NDArray[np.intp]
    machines: NDArray[np.void]
    known: ObservationBatch
    known_rows: NDArray[np.intp]


@dataclass(frozen=True)
class Evaluation:
    """What came out of a call.

    Attributes
    ----------
    machines : array of MACHINE, shape (P,)
        The new states.
    transitions : array of `alerts.episodes.TRANSITION`, shape (T,)
        In the order of their instants for each patient; first those taken back (``retracted``).
    episodes : array of `alerts.episodes.TRANSITION`, shape (E,)
        The last transition of each episode that was touched: how the episode stands now.
    reasons : array of `alerts.episodes.TRANSITION`, shape (W,)
        The last transition of each episode that was touched that says why it stands, or stood before it resolved.
    flags : int16 array, shape (N,)
        The new observations' flags with those the core found.
    known_flags : int16 array, shape (K,)
        The same for the known observations, which may have changed.
    snapshots : Snapshots
    next_due_at : int64 array, shape (P,)
        The next instant at which a timer fires; `alerts.schedule.NEVER` where none runs.
    """

    machines: NDArray[np.void]
    transitions: NDArray[np.void]
    episodes: NDArray[np.void]
    reasons: NDArray[np.void]
    flags: NDArray[np.int16]
    known_flags: NDArray[np.int16]
    snapshots: Snapshots
    next_due_at: NDArray[np.int64]


def evaluate(
    machines: NDArray[np.void],
    rows: NDArray[np.intp],
    batch: ObservationBatch,
    bank: PolicyBank,
    people: NDArray[np.void],
    now: int,
    history: History | None = None,
    acts: Acts = NO_ACTS,
) -> Evaluation:
    """Score observations, and whatever has fallen due by ``now``.

    Parameters
    ----------
    machines : array of MACHINE, shape (P,)
        The patients' current states.
    rows : int array, shape (N,)
        Which patient each observation belongs to.
    batch : ObservationBatch of N
        New observations, no duplicates. Each is later than its patient's ``last_at``, or the patient is in ``history``.
    bank : PolicyBank
    people : array of PERSON, shape (P,)
    now : int
        Microseconds since 1970 UTC; timers due by then fire.
    history : History, optional
    acts : Acts, optional
        All that people have done about these patients.

    Returns
    -------
    Evaluation

    Raises
    ------
    ValueError
        Where an observation is not later than its patient's state and the patient is not in ``history``.
    """
    start, until = machines, np.maximum(machines["clock_at"], now)
    known, known_rows = ObservationBatch.empty(), np.empty(0, np.intp)
    if history is not None:
        start = machines.copy()
        start[history.rows] = history.machines
        known, known_rows = history.known, history.known_rows
    _refuse_unordered(start, rows, batch)
    whole, whole_rows = ObservationBatch.concatenate([known, batch]), np.concatenate([known_rows, rows])
    run = Run(start, whole_rows, whole, bank, people, until, acts=acts)
    transitions = run.transitions
    if history is not None:
        said = _said(history, machines, bank, people, acts)
        policy = people["policy"][history.rows]
        transitions = differences(said, transitions, history.rows, history.machines, policy)
    transitions["retrospective"] = transitions["at"] < now - bank.actionable[transitions["policy"]]
    found = run.flags
    return Evaluation(
        machines=run.machines,
        transitions=transitions[transitions["kind"] != 0],
        episodes=last_of_each(transitions),
        reasons=reasons_of(transitions),
        flags=batch.flags | found[len(known) :],
        known_flags=(known.flags & ~np.int16(CORES_OWN)) | found[: len(known)],
        snapshots=run.snapshots,
        next_due_at=run.next_due_at,
    )


def _said(
    history: History, machines: NDArray[np.void], bank: PolicyBank, people: NDArray[np.void], acts: Acts
) -> NDArray[np.void]:
    """Give the transitions that went out since the snapshots, before the late observations were known."""
    place = np.empty(len(machines), np.intp)
    place[history.rows] = np.arange(len(history.rows))
    run = Run(
        history.machines,
        place[history.known_rows],
        history.known,
        bank,
        people[history.rows],
        machines["clock_at"][history.rows],
        acts=acts.of_rows(history.rows, len(machines)),
    )
    transitions = run.transitions
    transitions["row"] = history.rows[transitions["row"]]
    return transitions


def _refuse_unordered(start: NDArray[np.void], rows: NDArray[np.intp], batch: ObservationBatch) -> None:
    late = batch.observed_at <= start["last_at"][rows]
    if late.any():
        first = int(np.flatnonzero(late)[0])
        raise ValueError(
            f"evaluate: observation {first} is not later than its patient's state; give the patient's history with it"
        )


def last_of_each(transitions: NDArray[np.void]) -> NDArray[np.void]:
    """Give the last transition of each episode, leaving out those that were taken back."""
    standing: NDArray[np.void] = transitions[~transitions["retracted"]]
    if not len(standing):
        return standing
    # stable, so that the last of each episode stands last among its own
    order = np.lexsort((standing["opened_at"], standing["rule"], standing["row"]))
    ends = np.zeros(len(order), bool)
    ends[-1] = True
    for name in ("row", "rule", "opened_at"):
        column = standing[name][order]
        ends[:-1] |= column[1:] != column[:-1]
    last: NDArray[np.void] = standing[np.sort(order[ends])]
    return last


def reasons_of(transitions: NDArray[np.void]) -> NDArray[np.void]:
    """Give the last transition of each episode that says why it stands, or stood before it resolved."""
    raised = np.isin(transitions["phase"], (PENDING, ACTIVE))
    return last_of_each(transitions[raised & (transitions["at"] > 0)])

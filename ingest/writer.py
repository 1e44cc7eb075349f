"""What happens to a micro-batch of messages? One transaction: everything of it, or nothing.

The patients' states are locked in the order of their ids; what was stored before is left out; the rest is scored by
`alerts.evaluate` and stored by one COPY; states, snapshots, episodes, notification jobs and quarantine follow; the
dashboards are told. Messages, requests, imports and the clock all end here. While a patient's state is locked nobody
else writes for that patient, which is why plain COPY needs no conflict clause.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np
import psycopg
from numpy.typing import NDArray

from alerts.evaluate import Evaluation, History, evaluate
from alerts.run import Snapshots
from alerts.schedule import NEVER
from ingest.accounts import note_sequences
from ingest.acts import acts_of, paused
from ingest.admission import Admitted
from ingest.copy_format import pack
from ingest.episodes import tell_dashboards, unexplained, write_episodes
from ingest.late import Late, look_back
from ingest.quarantine import Quarantined, write_quarantine
from ingest.registry import UNSCORED, Registry
from ingest.repeats import known, without_contrary
from ingest.sql import QUERIES
from ingest.states import States, drop_snapshots, keep_snapshots, lock_due_states, lock_states, write_states
from schemas.observation import Flag, ObservationBatch


@dataclass(frozen=True)
class Outcome:
    """What became of each of M messages, counted in observations.

    Attributes
    ----------
    stored, duplicate, quarantined : int64 arrays, shape (M,)
    reasons : dict of message → reasons of quarantine
    quarantined_by_reason : dict of reason → observations
    too_late : int
        How many of those stored came too late to be scored.
    activated : list of int
        Severities of the episodes that activated.
    contrary : list of int
        Which observations of the batch say otherwise than what is stored; they were put aside.
    admitted : Admitted, optional
        What was admitted in the end: without those, and with their rejections.
    """

    stored: NDArray[np.int64]
    duplicate: NDArray[np.int64]
    quarantined: NDArray[np.int64]
    reasons: dict[int, list[str]] = field(default_factory=dict)
    quarantined_by_reason: dict[str, int] = field(default_factory=dict)
    too_late: int = 0
    activated: list[int] = field(default_factory=list)
    contrary: list[int] = field(default_factory=list)
    admitted: Admitted | None = None

    def receipt(self, message: int) -> dict[str, int | list[str]]:
        """Say to the sender what became of one message."""
        return {
            "stored": int(self.stored[message]),
            "duplicate": int(self.duplicate[message]),
            "quarantined": int(self.quarantined[message]),
            "reasons": self.reasons.get(message, []),
        }


def write_batch(
    connection: psycopg.Connection,
    admitted: Admitted,
    now: int,
    *,
    page: bool = True,
    put_aside: Callable[[psycopg.Connection, Admitted], Quarantined] = write_quarantine,
) -> Outcome:
    """Store and score what was admitted, put aside what was not, and commit.

    Parameters
    ----------
    connection : Connection
        Of the ingest role. Where a transaction is open already, that one has to commit.
    admitted : Admitted
    now : int
        Microseconds since 1970 UTC; timers due by then fire for the patients of the batch.
    page : bool
        Whether new episodes are notified; history that is imported notifies nobody.
    put_aside : callable
        Keeps the rejections, in this transaction.
    """
    with connection.transaction():
        patients, rows = np.unique(admitted.batch.patient_id, return_inverse=True)
        new, too_late, activated, contrary = np.ones(len(rows), bool), 0, list[int](), list[int]()
        if len(rows):
            states = lock_states(connection, patients)
            found = known(connection, admitted.batch, states.last_observed, rows)
            if found.otherwise.any():
                contrary = np.flatnonzero(found.otherwise).tolist()
                admitted, rows = without_contrary(admitted, found), rows[~found.otherwise]
            new = ~found.again[~found.otherwise]
        quarantined = put_aside(connection, admitted)
        if len(patients):
            scoring = _Scoring(connection, states, admitted.registry, now)
            too_late, activated = scoring.store(rows[new], admitted.batch.take(new), page=page)
        size = len(admitted.messages)
        outcome = Outcome(
            stored=np.bincount(admitted.message[new], minlength=size),
            duplicate=np.bincount(admitted.message[~new], minlength=size) + quarantined.before,
            quarantined=quarantined.now,
            reasons=quarantined.reasons,
            quarantined_by_reason=quarantined.by_reason,
            too_late=too_late,
            activated=activated,
            contrary=contrary,
            admitted=admitted,
        )
        note_sequences(connection, admitted, outcome)
    return outcome


def write_due(connection: psycopg.Connection, registry: Registry, now: int, most: int) -> tuple[int, list[int]]:
    """Score patients of whom something has fallen due, without an observation, and commit.

    Returns how many patients there were and the severities of the episodes that activated.
    """
    with connection.transaction():
        states = lock_due_states(connection, now, most)
        if not len(states.patients):
            return 0, []
        scoring = _Scoring(connection, states, registry, now)
        _, activated = scoring.store(np.empty(0, np.intp), ObservationBatch.empty(), page=True)
    return len(states.patients), activated


class _Scoring:
    """The scoring and storing of one transaction, for P locked patients."""

    def __init__(self, connection: psycopg.Connection, states: States, registry: Registry, now: int) -> None:
        self._connection, self._states, self._registry, self._now = connection, states, registry, now
        self._people = registry.people[np.minimum(states.patients, len(registry.people) - 1)]
        unknown = states.patients >= len(registry.people)
        self._people["policy"][unknown] = UNSCORED
        self._scored = np.flatnonzero(self._people["policy"] != UNSCORED)
        self._acts = acts_of(connection, states.patients[self._scored])

    def store(self, rows: NDArray[np.intp], batch: ObservationBatch, *, page: bool) -> tuple[int, list[int]]:
        """Write N new observations of the patients ``rows`` and all that follows from them."""
        states, scored = self._states, self._scored
        late, evaluation, flags = self._evaluate(rows, batch)
        if len(batch):
            with self._connection.cursor().copy(QUERIES["copy_observations"]) as copy:
                copy.write(pack(batch.with_flags(flags)))
            np.maximum.at(states.last_observed, rows, batch.observed_at)
        machines, due = states.machines, np.full(len(states.patients), NEVER)
        machines[scored], due[scored] = evaluation.machines, evaluation.next_due_at
        write_states(self._connection, states, machines, due, self._now)
        patients = states.patients[scored]
        self._keep_snapshots(patients, late, evaluation)
        if late.too_late.any():
            noted = np.unique(late.rows[late.too_late])
            told = np.isin(noted, late.otherwise) & page
            self._connection.execute(QUERIES["note_late"], [patients[noted].tolist(), told.tolist()])
        if late.history is not None and (rows_in_doubt := unexplained(evaluation)):
            nobody = [False] * len(rows_in_doubt)
            self._connection.execute(QUERIES["note_late"], [patients[rows_in_doubt].tolist(), nobody])
        unpaged = paused(self._connection, patients, self._acts, self._now) if page else np.arange(len(patients))
        activated = write_episodes(self._connection, evaluation, patients, self._registry, unpaged)
        changed = states.patients if len(batch) else patients[np.unique(evaluation.episodes["row"])]
        tell_dashboards(self._connection, changed, self._registry, episodes=len(evaluation.episodes) > 0)
        return int(late.too_late.sum()), activated

    def _evaluate(self, rows: NDArray[np.intp], batch: ObservationBatch) -> tuple[Late, Evaluation, NDArray[np.int16]]:
        """Score what can be; give also the flags of all N observations."""
        states, scored, bank = self._states, self._scored, self._registry.bank
        people, machines = self._people[scored], states.machines[scored]
        # position of each locked patient among those who are scored
        place = np.full(len(states.patients), UNSCORED, np.intp)
        place[scored] = np.arange(len(scored))
        theirs = np.flatnonzero(place[rows] != UNSCORED)
        its_rows = place[rows[theirs]]
        lateness = bank.lateness[people["policy"]]
        at, enrolled_at = batch.observed_at[theirs], people["enrolled_at"]
        late = look_back(self._connection, states.patients[scored], machines, its_rows, at, lateness, enrolled_at)
        on_time = theirs[~late.too_late]
        flags = batch.flags.copy()
        flags[theirs[late.too_late]] |= np.int16(Flag.TOO_LATE)
        evaluation = evaluate(
            machines,
            its_rows[~late.too_late],
            batch.take(on_time),
            bank,
            people,
            self._now,
            late.history,
            self._acts,
        )
        flags[on_time] = evaluation.flags
        return late, evaluation, flags

    def _keep_snapshots(self, patients: NDArray[np.int32], late: Late, evaluation: Evaluation) -> None:
        if late.history is not None:
            drop_snapshots(self._connection, patients[late.history.rows], late.since)
            self._change_flags(late.history, evaluation)
        lateness = self._registry.bank.lateness[self._people["policy"][self._scored]]
        snapshots: Snapshots = evaluation.snapshots
        keep_snapshots(self._connection, patients, snapshots, evaluation.machines["last_at"] - lateness)

    def _change_flags(self, history: History, evaluation: Evaluation) -> None:
        """Write the flags of observations stored earlier that are seen differently now."""
        changed = history.known.flags != evaluation.known_flags
        if changed.any():
            k = history.known.with_flags(evaluation.known_flags).take(changed)
            columns = [c.tolist() for c in (k.patient_id, k.device_id, k.vital, k.observed_at, k.flags)]
            self._connection.execute(QUERIES["change_flags"], columns)

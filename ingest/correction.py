"""What becomes of observations that came too late for their patient's policy to be scored at once?

They were stored, and their patient noted. Soon afterwards the patient is scored again from nothing, one policy version
after the other, with everything that is stored; what the store says and that run does not is taken back, and what it
says anew is written as found afterwards: shown, and paged to nobody. Run twice, it changes nothing the second time.
What came in time, but from before the policy or the limits that are in force now, is judged here as well, by those of
then; of that somebody is told where it can still be acted on. Where something was taken back, the reason that an
episode is left with may be older than what ingest looked at: it is found here.
"""

from __future__ import annotations

import time
from dataclasses import replace
from datetime import timedelta
from typing import LiteralString, cast

import numpy as np
import psycopg
from numpy.typing import NDArray
from psycopg_pool import ConnectionPool

from alerts.correction import EVENT_FIELDS, differences
from alerts.documents import rule_key
from alerts.evaluate import Evaluation, last_of_each, reasons_of
from alerts.replay import Rerun, as_said, rerun
from alerts.state import initial
from ingest.acts import acts_of, paused
from ingest.episodes import tell_dashboards, write_episodes
from ingest.rebuild import judged_from, scored_until, stored_of
from ingest.registry import UNSCORED, Registry
from ingest.replay import stored_events_of, stored_standings_of
from ingest.sql import QUERIES
from ingest.stages import stages_of
from ingest.states import States, keep_snapshots, write_states
from schemas import named_queries
from schemas.observation import CORES_OWN, Flag, ObservationBatch

MOST = 20
"""Patients in one transaction: each is scored through their whole history while ingest waits for them."""
SETTLE = timedelta(seconds=5)
"""How long more is waited for: a device that was away sends what it has kept in many messages."""
_NOT_SENT = np.int16(Flag.TOO_LATE | CORES_OWN)

_QUERIES = cast("dict[str, LiteralString]", named_queries.load("ingest", "rebuild.sql"))


def correct(pool: ConnectionPool, registry: Registry, settle: timedelta = SETTLE) -> int:
    """Correct the history of some of those who wait for it; give how many there were."""
    with pool.connection() as connection, connection.transaction():
        noted = connection.execute(_QUERIES["lock_noted"], [settle, MOST], binary=True).fetchall()
        if not noted:
            return 0
        connection.execute(_QUERIES["corrected"], [[row[0] for row in noted]])
        people = registry.people[np.minimum([row[0] for row in noted], len(registry.people) - 1)]
        known = [row for row, person in zip(noted, people, strict=True) if person["policy"] != UNSCORED]
        if known:
            _correct(connection, registry, sorted(known, key=lambda row: row[0]))
    return len(noted)


def _correct(
    connection: psycopg.Connection, registry: Registry, noted: list[tuple[int, bytes, int, int, bool]]
) -> None:
    patients = np.array([row[0] for row in noted], np.int32)
    until = np.array([scored_until(row[1], row[2]) for row in noted], np.int64)
    stages, bank = stages_of(connection, registry, patients, until)
    stored, rows = stored_of(connection, patients, Flag(0))
    acts = acts_of(connection, patients)
    found = rerun(rows, stored.with_flags(stored.flags & ~_NOT_SENT), len(patients), stages, bank, acts)
    policy = registry.people["policy"][patients]
    events = stored_events_of(connection, patients, {})
    said = as_said(events, stored_standings_of(connection, patients, events), policy)
    since, everyone = judged_from(connection, patients), np.arange(len(patients))
    said = said[said["opened_at"] >= since[said["row"]]]
    right = found.transitions[found.transitions["opened_at"] >= since[found.transitions["row"]]]
    transitions = differences(
        said, right, everyone, initial(len(patients)), policy, EVENT_FIELDS, _doubted(connection, patients)
    )
    now, told = time.time_ns() // 1000, np.array([row[4] for row in noted], bool)
    past = transitions["at"] < now - bank.actionable[transitions["policy"]]
    transitions["retrospective"] = past | ~told[transitions["row"]]
    _write(connection, patients, np.array([row[3] for row in noted], np.int64), found, registry)
    _change_flags(connection, stored, found.flags)
    evaluation = Evaluation(
        machines=found.machines,
        transitions=transitions[transitions["kind"] != 0],
        episodes=last_of_each(transitions),
        reasons=reasons_of(transitions),
        flags=found.flags,
        known_flags=np.empty(0, np.int16),
        snapshots=found.snapshots,
        next_due_at=found.next_due_at,
    )
    silent = paused(connection, patients, acts, now)
    write_episodes(connection, evaluation, patients, replace(registry, bank=bank), silent)
    tell_dashboards(connection, patients, registry, episodes=len(evaluation.episodes) > 0)


def _doubted(connection: psycopg.Connection, patients: NDArray[np.int32]) -> list[tuple[int, int, int]]:
    """Give the episodes, by row, rule and opening, of which something was taken back."""
    rows = connection.execute(_QUERIES["taken_back"], [patients.tolist()]).fetchall()
    return [(int(np.searchsorted(patients, patient)), rule_key(rule), opened) for patient, rule, opened in rows]


def _write(
    connection: psycopg.Connection,
    patients: NDArray[np.int32],
    last_observed: NDArray[np.int64],
    found: Rerun,
    registry: Registry,
) -> None:
    """Write the states and what is kept of earlier ones."""
    states = States(patients, found.machines, last_observed)
    connection.execute(_QUERIES["due_anew"], [patients.tolist()])
    write_states(connection, states, found.machines, found.next_due_at, 0)
    connection.execute(_QUERIES["drop_snapshots_of"], [patients.tolist()])
    lateness = registry.bank.lateness[registry.people["policy"][patients]]
    keep_snapshots(connection, patients, found.snapshots, found.machines["last_at"] - lateness)


def _change_flags(connection: psycopg.Connection, stored: ObservationBatch, flags: NDArray[np.int16]) -> None:
    changed = stored.flags != flags
    if changed.any():
        k = stored.with_flags(flags).take(changed)
        columns = [c.tolist() for c in (k.patient_id, k.device_id, k.vital, k.observed_at, k.flags)]
        connection.execute(QUERIES["change_flags"], columns)

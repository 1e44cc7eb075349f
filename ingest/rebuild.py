"""How is what the core remembers of a patient made anew from the observations?

For a record that another version wrote, or that is damaged; each span is scored by the policy version that was in force
in it. Episodes are not written: they were when they happened. A record is brought up to the instant up to which it had
been scored, so that what falls due after it is still done, and notified, by the clock.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import LiteralString, cast

import numpy as np
import psycopg
from numpy.typing import NDArray
from psycopg_pool import ConnectionPool

from alerts.replay import rerun
from alerts.state import STEPS, StateError, initial, pack, unpack
from ingest.acts import acts_of
from ingest.registry import UNSCORED, Registry, RegistryKeeper
from ingest.stages import stages_of
from ingest.states import States, keep_snapshots, write_states
from schemas import named_queries
from schemas.observation import CORES_OWN, Flag, ObservationBatch

GROUP = 50
"""Patients in one transaction."""

WARM_UP = STEPS * 86_400_000_000
"""What the scoring looks back over at most [µs]: its memory's steps, each a day at most."""

_QUERIES = cast("dict[str, LiteralString]", named_queries.load("ingest", "rebuild.sql"))


@dataclass(frozen=True)
class Rebuilt:
    """How many patients' records were made anew, and how many of them came out otherwise than they were."""

    patients: int
    changed: int


def rebuild(
    pool: ConnectionPool, patients: Sequence[int] | None = None, progress: Callable[[int, int], None] = lambda *_: None
) -> Rebuilt:
    """Make the records of these patients anew, or of all.

    Parameters
    ----------
    pool : ConnectionPool
        Of the ingest role; ingest may go on meanwhile.
    patients : sequence of int, optional
    progress : callable
        Told how many are done, of how many.
    """
    registry = RegistryKeeper(pool).read_again()
    with pool.connection() as connection:
        known = [int(p) for (p,) in connection.execute(_QUERIES["patients_with_state"]).fetchall()]
    chosen = known if patients is None else [p for p in known if p in set(patients)]
    changed = 0
    for start in range(0, len(chosen), GROUP):
        group = chosen[start : start + GROUP]
        with pool.connection() as connection, connection.transaction():
            changed += _rebuild_group(connection, registry, group)
        progress(start + len(group), len(chosen))
    return Rebuilt(len(chosen), changed)


def _rebuild_group(connection: psycopg.Connection, registry: Registry, group: list[int]) -> int:
    records = connection.execute(_QUERIES["lock_records"], [group], binary=True).fetchall()
    patients = np.array([r[0] for r in records], np.int32)
    people = registry.people[np.minimum(patients, len(registry.people) - 1)].copy()
    people["policy"][patients >= len(registry.people)] = UNSCORED
    scored = np.flatnonzero(people["policy"] != UNSCORED)
    until = np.array([scored_until(records[i][1], records[i][2]) for i in scored], np.int64)
    batch, rows = observations_of(connection, patients[scored])
    stages, bank = stages_of(connection, registry, patients[scored], until)
    found = rerun(rows, batch, len(scored), stages, bank, acts_of(connection, patients[scored]))
    machines, due = initial(len(records)), np.full(len(records), np.iinfo(np.int64).max)
    machines[scored], due[scored] = found.machines, found.next_due_at
    states = States(patients, machines, np.array([r[3] for r in records], np.int64))
    connection.execute(_QUERIES["due_anew"], [patients.tolist()])
    write_states(connection, states, machines, due, 0)
    connection.execute(_QUERIES["drop_snapshots_of"], [patients.tolist()])
    lateness = registry.bank.lateness[people["policy"][scored]]
    keep_snapshots(connection, patients[scored], found.snapshots, found.machines["last_at"] - lateness)
    return sum(new != old for new, (_, old, _, _) in zip(pack(machines), records, strict=True))


def scored_until(record: bytes, updated_at: int) -> int:
    """Give the instant up to which a record had been scored; of one that cannot be read, when it was written."""
    try:
        return int(unpack([record])["clock_at"][0])
    except StateError:
        return updated_at


def judged_from(connection: psycopg.Connection, patients: NDArray[np.int32]) -> NDArray[np.int64]:
    """Give since when what happened to these patients (ascending) can be judged again, µs UTC; 0: since ever.

    Where older observations were deleted, the scoring needs some of those that are left before it knows what it knew.
    """
    since = np.zeros(len(patients), np.int64)
    for patient, at in connection.execute(_QUERIES["kept_from"], [patients.tolist()]):
        since[np.searchsorted(patients, patient)] = at + WARM_UP
    return since


def observations_of(
    connection: psycopg.Connection, patients: NDArray[np.int32]
) -> tuple[ObservationBatch, NDArray[np.intp]]:
    """Give all that was scored of these patients (ascending), without the flags of the core, and whose it is."""
    batch, rows = stored_of(connection, patients, Flag.TOO_LATE)
    return batch.with_flags(batch.flags & ~np.int16(CORES_OWN)), rows


def stored_of(
    connection: psycopg.Connection, patients: NDArray[np.int32], without: Flag
) -> tuple[ObservationBatch, NDArray[np.intp]]:
    """Give what is stored of these patients (ascending) and has none of these flags, and whose it is."""
    parameters = [patients.tolist(), int(without)]
    found = connection.execute(_QUERIES["observations_of"], parameters, binary=True).fetchall()
    if not found:
        return ObservationBatch.empty(), np.empty(0, np.intp)
    batch = ObservationBatch.of(*zip(*found, strict=True))
    return batch, np.searchsorted(patients, batch.patient_id).astype(np.intp)

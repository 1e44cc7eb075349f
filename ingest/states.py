"""How are the patients' states locked, read, written back, and kept for observations that come late?"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import psycopg
from numpy.typing import NDArray

from alerts.run import SNAPSHOT_EVERY, Snapshots
from alerts.state import StateError, initial, pack, unpack
from ingest.sql import QUERIES

LONG_AGO = -np.iinfo(np.int64).max
"""In place of the last observation's instant where there was none."""

KEPT_OF_A_LEVEL = 2
"""Fine snapshots are ranked by how many times two divides their number, and of each rank the newest are kept. What is
late by n instants is then scored again from fewer than about 2n before it, whatever n is, and few are stored."""


class UnreadableStatesError(Exception):
    """Records that another version wrote: `ingest.rebuild` makes them anew from the observations."""

    def __init__(self, patients: list[int]) -> None:
        super().__init__(f"patient_state: the records of {len(patients)} patients cannot be read")
        self.patients = patients


@dataclass(frozen=True)
class States:
    """The locked states of P patients, by ascending patient_id.

    Attributes
    ----------
    patients : int32 array, shape (P,)
    machines : array of MACHINE, shape (P,)
    last_observed : int64 array, shape (P,)
        The newest observation stored; `LONG_AGO` where there is none.
    """

    patients: NDArray[np.int32]
    machines: NDArray[np.void]
    last_observed: NDArray[np.int64]


def lock_states(connection: psycopg.Connection, patients: NDArray[np.int32]) -> States:
    """Lock the states of these patients (ascending), in the order of their ids: no two writers lock crosswise."""
    ids = patients.tolist()
    # made before anything is locked: who makes a row that another is making waits for them
    missing = [row[0] for row in connection.execute(QUERIES["missing_states"], [ids], binary=True).fetchall()]
    if missing:
        connection.execute(QUERIES["create_states"], [missing, pack(initial(1))[0]])
    return _states(connection.execute(QUERIES["lock_states"], [ids], binary=True).fetchall())


def lock_due_states(connection: psycopg.Connection, now: int, most: int) -> States:
    """Lock states of which something falls due; those that another worker has locked are left to it."""
    found = connection.execute(QUERIES["lock_due_states"], [now, most], binary=True).fetchall()
    return _states(sorted(found, key=lambda row: row[0]))


def _states(found: list[tuple[int, bytes, int]]) -> States:
    try:
        machines = unpack(row[1] for row in found)
    except StateError as failed:
        raise UnreadableStatesError([row[0] for row in found if not _is_readable(row[1])]) from failed
    return States(
        np.fromiter((row[0] for row in found), np.int32, len(found)),
        machines,
        np.fromiter((row[2] for row in found), np.int64, len(found)),
    )


def _is_readable(record: bytes) -> bool:
    try:
        unpack([record])
    except StateError:
        return False
    return True


def write_states(
    connection: psycopg.Connection,
    states: States,
    machines: NDArray[np.void],
    next_due_at: NDArray[np.int64],
    now: int,
) -> None:
    """Write the states back; ``states.last_observed`` is what it is after the batch."""
    parameters = {
        "patients": states.patients.tolist(),
        "machines": pack(machines),
        "due": next_due_at.tolist(),
        "last": states.last_observed.tolist(),
        "now": now,
    }
    connection.execute(QUERIES["write_states"], parameters)


def drop_snapshots(connection: psycopg.Connection, patients: NDArray[np.int32], since: NDArray[np.int64]) -> None:
    """Drop the snapshots that do not know what came late."""
    connection.execute(QUERIES["drop_snapshots_since"], [patients.tolist(), since.tolist()])


def keep_snapshots(
    connection: psycopg.Connection,
    patients: NDArray[np.int32],
    snapshots: Snapshots,
    horizon: NDArray[np.int64],
) -> None:
    """Store the snapshots that can still be needed, and drop those that no longer can.

    ``horizon``, shape (P,), is the instant before which nothing is scored again.
    """
    wanted = _still_needed(snapshots, horizon)
    if not len(wanted):
        return
    row = snapshots.row[wanted]
    connection.execute(
        QUERIES["keep_snapshots"],
        [
            patients[row].tolist(),
            snapshots.at[wanted].tolist(),
            _levels(snapshots)[wanted].tolist(),
            pack(snapshots.machines[wanted]),
        ],
    )
    concerned = np.unique(row)
    connection.execute(
        QUERIES["thin_snapshots"],
        {
            "patients": patients[concerned].tolist(),
            "horizons": horizon[concerned].tolist(),
            "kept": KEPT_OF_A_LEVEL,
        },
    )


def _still_needed(snapshots: Snapshots, horizon: NDArray[np.int64]) -> NDArray[np.intp]:
    """Choose snapshots: the newest of each fine level; of the others those since the horizon, and the last before it.

    A state that contains nothing needs no row: it is what every patient began from.
    """
    some = np.flatnonzero(snapshots.at > 0)
    if not len(some):
        return some
    # newest first, so that each one's rank among its patient's tells how many newer ones there are
    levels = _levels(snapshots)
    order = some[np.lexsort((-snapshots.at[some], levels[some], snapshots.row[some]))]
    row, at, level = snapshots.row[order], snapshots.at[order], levels[order]
    fine = level >= 0
    before = ~fine & (at < horizon[row])
    group = row * 128 + (level + 1) * 2 + before
    begins = np.flatnonzero(np.r_[True, group[1:] != group[:-1]])
    rank = np.arange(len(order)) - np.repeat(begins, np.diff(np.r_[begins, len(order)]))
    needed = np.where(fine, rank < KEPT_OF_A_LEVEL, ~before | (rank < 1))
    chosen: NDArray[np.intp] = order[needed]
    # two states of one patient can contain the same newest event; the row's key admits one
    _, first = np.unique(np.stack([snapshots.row[chosen], snapshots.at[chosen]]), axis=1, return_index=True)
    return chosen[first]


def _levels(snapshots: Snapshots) -> NDArray[np.int64]:
    """Give the level of each fine snapshot, -1 for the others."""
    number = np.maximum(snapshots.machines["instants"].astype(np.int64) // SNAPSHOT_EVERY, 1)
    lowest_bit = number & -number
    levels: NDArray[np.int64] = np.where(snapshots.fine, np.log2(lowest_bit).astype(np.int64), -1)
    return levels

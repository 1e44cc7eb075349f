"""How does a past that was recorded elsewhere come in, so that states and episodes are as if it had been live?

It walks through the observations in the order of their times, by the same writer, with the clock standing at the end of
each slice: what was overdue then is overdue then. Nobody is notified.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import psycopg
from numpy.typing import NDArray
from psycopg_pool import ConnectionPool

from ingest.admission import Admitted, Incoming
from ingest.quarantine import Quarantined
from ingest.rebuild import rebuild
from ingest.registry import UNSCORED, Registry, RegistryKeeper
from ingest.sql import QUERIES
from ingest.states import UnreadableStatesError
from ingest.writer import Outcome, write_batch
from schemas.observation import ObservationBatch

SLICE = 20_000
"""Observations in one transaction."""


def load(
    pool: ConnectionPool,
    batch: ObservationBatch,
    *,
    keeper: RegistryKeeper | None = None,
    progress: Callable[[int], None] = lambda _: None,
) -> int:
    """Store and score observations of the past; give how many were new.

    Parameters
    ----------
    pool : ConnectionPool
        Of the ingest role.
    batch : ObservationBatch
        In any order. Patients and devices are those of the registry; values are taken as plausible.
    keeper : RegistryKeeper, optional
        One that is current; read afresh where there is none.
    progress : callable
        Told the number of observations done after each slice.
    """
    registry = (keeper or RegistryKeeper(pool)).read_again()
    ordered = batch.take(np.argsort(batch.observed_at, kind="stable"))
    stored = start = 0
    while start < len(ordered):
        end = min(start + SLICE, len(ordered))
        # an instant is not cut in two: its second half would come late
        end = int(np.searchsorted(ordered.observed_at, ordered.observed_at[end - 1], side="right"))
        stored += int(store(pool, registry, ordered.take(np.arange(start, end))).stored.sum())
        start = end
        progress(start)
    return stored


def store(pool: ConnectionPool, registry: Registry, part: ObservationBatch) -> Outcome:
    """Store and score the next observations of a past, in the order of their times; what is put aside is only told."""
    whole = Admitted([_IMPORT], part, np.zeros(len(part), np.intp), [], registry)
    for left in reversed(range(_TRIES)):
        try:
            with pool.connection() as connection:
                return write_batch(connection, whole, int(part.observed_at[-1]), page=False, put_aside=_tell)
        except psycopg.errors.TransactionRollback:
            if not left:
                raise
        except UnreadableStatesError as old:
            if not left:
                raise
            rebuild(pool, old.patients)
    raise AssertionError("the last try returns or raises")


def mark_past(pool: ConnectionPool, registry: Registry, patients: NDArray[np.int32], since: int, now: int) -> None:
    """Mark the episodes recorded since then of which nobody can act on any more.

    While a past is walked through the clock stands in it, and what happened there looks as if it were happening.
    """
    people = registry.people[patients]
    scored = people["policy"] != UNSCORED
    horizon = now - registry.bank.actionable[people["policy"][scored]]
    with pool.connection() as connection:
        connection.execute(QUERIES["mark_past"], [patients[scored].tolist(), horizon.tolist(), since])


def _tell(_connection: psycopg.Connection, admitted: Admitted) -> Quarantined:
    nothing = np.zeros(len(admitted.messages), np.int64)
    return Quarantined(nothing, nothing, {}, {})


_TRIES = 3
_IMPORT = Incoming("import", b"", 0, "")

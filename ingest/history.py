"""How does a past that was recorded elsewhere come in, so that states and episodes are as if it had been live?

It walks through the observations in the order of their times, by the same writer, with the clock standing at the end of
each slice: what was overdue then is overdue then. Nobody is notified.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from psycopg_pool import ConnectionPool

from ingest.admission import Admitted, Incoming
from ingest.registry import RegistryKeeper
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
        part = ordered.take(np.arange(start, end))
        whole = Admitted([_IMPORT], part, np.zeros(len(part), np.intp), [], registry)
        with pool.connection() as connection:
            outcome: Outcome = write_batch(connection, whole, int(part.observed_at[-1]), page=False)
        stored += int(outcome.stored.sum())
        start = end
        progress(start)
    return stored


_IMPORT = Incoming("import", b"", 0, "")

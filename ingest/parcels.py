"""When is what had to wait read after all?

One parcel at a time, the oldest first, by the same second try as people use, while little else is to be done; where
there is always something else, one in a while all the same.
"""

from __future__ import annotations

import threading
import time

import structlog
from psycopg_pool import ConnectionPool

from ingest.entrance import AWAY
from ingest.failures import describe
from ingest.inbox import Inbox
from ingest.quarantine_replay import Chosen, replay
from ingest.registry import RegistryKeeper
from ingest.sql import load

_QUIET = 50
"""Messages that may wait in the inbox while there is time."""
_PAUSE_S, _WAIT_S, _LONGEST_WAIT_S = 0.05, 1.0, 10.0

_QUERIES = load("parcels.sql")

log = structlog.get_logger()


class Parcels:
    """Reads what is waiting as too many."""

    def __init__(self, pool: ConnectionPool, keeper: RegistryKeeper, inbox: Inbox) -> None:
        self._pool, self._keeper, self._inbox = pool, keeper, inbox
        self._after = 0

    def run(self, stop: threading.Event) -> None:
        """Work until ``stop``."""
        last = time.monotonic()
        while not stop.is_set():
            is_due = time.monotonic() - last > _LONGEST_WAIT_S
            found = False
            if len(self._inbox) <= _QUIET or is_due:
                found = self._read_one()
                last = time.monotonic()
            stop.wait(_PAUSE_S if found else _WAIT_S)

    def _read_one(self) -> bool:
        """Read the next parcel; say whether there was one."""
        try:
            with self._pool.connection() as connection:
                row = connection.execute(_QUERIES["next_parcel"], [self._after]).fetchone()
            if row is None:
                self._after = 0
                return False
            number, organisation = int(row[0]), int(row[1])
            replay(self._pool, self._keeper, Chosen(organisation, items=[number]), None)
        except AWAY as away:
            log.warning("parcel put back", action="parcel_retried", error=type(away).__name__)
            return False
        except Exception as failed:
            log.error("parcel not read", action="parcel_failed", **describe(failed))
            return False
        # one that cannot be read is not read again and again, but after all others
        self._after = number
        return True

"""How do the processes know of each other, and the operators of them? Each has a row in ``service_instance``."""

from __future__ import annotations

import threading
import uuid

import psycopg
import structlog
from psycopg.types.json import Jsonb
from psycopg_pool import ConnectionPool, PoolTimeout

from ingest.counters import Counters
from ingest.sql import QUERIES

BEAT_S = 1.0
ALIVE_S = 2.0
"""A process not seen for this long counts as gone: its share of the lanes falls to the others.

Two beats. One that is only slow loses nothing by it: it has its lanes' locks, and whoever has a greater share now takes
free lanes only.
"""
LEASE_S = 10.0
"""A process not seen for this long has its connections to the database ended by the others."""

log = structlog.get_logger()


class Presence:
    """One process's row: written about once a second with its counters."""

    def __init__(self, service: str, counters: Counters) -> None:
        self.service, self._counters = service, counters
        self._id = uuid.uuid4()
        self.application = f"homeward-{service} {self._id}"
        """What the process calls itself on its connections, by which others find them."""

    def beat(self, connection: psycopg.Connection) -> int:
        """Write the row and give how many processes of this service are alive, this one included."""
        connection.execute(QUERIES["beat"], [self._id, self.service, Jsonb(self._counters.snapshot())])
        row = connection.execute(QUERIES["alive"], [self.service, ALIVE_S]).fetchone()
        return max(1, int(row[0])) if row else 1

    def end_frozen(self, connection: psycopg.Connection) -> None:
        """End the connections of processes that have fallen silent and yet hold them: frozen, or cut off by half.

        Their lanes and the patients' rows that they have locked are free then, and what they were about to commit is
        not committed; the broker delivers it to the next holder. One that wakes up finds its connections gone and
        begins anew.
        """
        ended = connection.execute(QUERIES["end_frozen"], [LEASE_S]).fetchall()
        if ended:
            log.warning("a silent process's connections ended", action="frozen_ended", connections=len(ended))

    def end(self, connection: psycopg.Connection) -> None:
        """Write the last counters and say that the process is gone."""
        connection.execute(QUERIES["end_instance"], [Jsonb(self._counters.snapshot()), self._id])
        connection.execute(QUERIES["forget_instances"])

    def run(self, pool: ConnectionPool, stop: threading.Event) -> None:
        """Beat until ``stop``; for a service that needs no more than that."""
        while not stop.wait(BEAT_S):
            try:
                with pool.connection() as connection:
                    self.beat(connection)
                    self.end_frozen(connection)
            except (psycopg.Error, PoolTimeout):
                log.warning("not heard, the database is away", action="beat_missed")
        try:
            with pool.connection(timeout=BEAT_S) as connection:
                self.end(connection)
        except (psycopg.Error, PoolTimeout):
            log.warning("left without a word", action="beat_missed")

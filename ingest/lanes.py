"""Which lanes does this process hold, when there may be others?

A lane belongs to whoever has its advisory lock, taken on one connection that is used for nothing else. When that
connection dies the locks are gone, so the lanes are let go at once, unconfirmed: the next holder gets the messages.
"""

from __future__ import annotations

import math
import random
import threading

import psycopg
import structlog
from psycopg_pool import ConnectionPool

from ingest.counters import Counters
from ingest.presence import BEAT_S, Presence
from ingest.sql import QUERIES
from ingest.subscriber import Subscriber
from schemas.topic import LANES

LOCK_CLASS = 0x6C616E65
"""First key of the advisory locks; the second is the lane."""

log = structlog.get_logger()


class LaneKeeper:
    """Takes this process's fair share of the lanes, and gives back what is more."""

    def __init__(self, pool: ConnectionPool, subscriber: Subscriber, presence: Presence, counters: Counters) -> None:
        self._pool, self._subscriber = pool, subscriber
        self._presence, self._counters = presence, counters
        self._locked: set[int] = set()
        self._leaving: set[int] = set()
        self.ready = threading.Event()
        """Set while lanes are held and the database answers."""

    def run(self, stop: threading.Event) -> None:
        """Hold lanes until ``stop``; then all are given back once their connections are closed."""
        while not stop.is_set():
            try:
                with self._pool.connection() as connection:
                    self._hold(connection, stop)
            except Exception as failed:
                # whatever it was: a process without this thread would hold no lane, and say that it lives
                log.warning("lanes let go", action="lanes_lost", error=type(failed).__name__)
                self.ready.clear()
                self._locked.clear()
                self._leaving.clear()
                self._subscriber.drop_all()
                stop.wait(BEAT_S * random.uniform(0.2, 1.0))  # noqa: S311
        self.ready.clear()

    def _hold(self, connection: psycopg.Connection, stop: threading.Event) -> None:
        connection.autocommit = True
        try:
            while not stop.is_set():
                instances = self._presence.beat(connection)
                self._presence.end_frozen(connection)
                self._share(connection, math.ceil(LANES / instances))
                self._counters.set(lanes=len(self._locked), lanes_connected=self._subscriber.connected)
                all_connected = self._subscriber.connected == len(self._locked)
                if self._locked and all_connected:
                    self.ready.set()
                # until they are connected, look again soon: a first start should not take a beat longer
                stop.wait(BEAT_S if all_connected else BEAT_S / 5)
            # those who take over must not meet a connection that is still open
            self._subscriber.close()
            self._counters.set(lanes=0, lanes_connected=0, queue=0)
            self._presence.end(connection)
        finally:
            if not connection.closed:
                connection.execute("select pg_advisory_unlock_all()")
                connection.autocommit = False

    def _share(self, connection: psycopg.Connection, share: int) -> None:
        """Take lanes up to the share; leave those above it, and give back those that are left."""
        # only what was left: a lane that was taken may not be held yet, and its lock must not be given to another
        for lane in self._leaving - self._subscriber.lanes:
            connection.execute(QUERIES["give_lane"], [LOCK_CLASS, lane])
            self._locked.discard(lane)
            self._leaving.discard(lane)
        for lane in sorted(self._locked)[share:]:
            self._leaving.add(lane)
            self._subscriber.leave(lane)
        free = [lane for lane in range(LANES) if lane not in self._locked]
        random.shuffle(free)
        for lane in free:
            if len(self._locked) >= share:
                break
            row = connection.execute(QUERIES["try_lane"], [LOCK_CLASS, lane]).fetchone()
            if row and row[0]:
                self._locked.add(lane)
                self._subscriber.take(lane)

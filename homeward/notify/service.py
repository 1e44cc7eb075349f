"""What does a notifier do all day? It plans what falls due, sends what waits, and listens for word of more.

Any number may run: each takes rows that no other has locked. A notification of the database wakes it; should one get
lost, it looks by itself every second.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from pathlib import Path

import psycopg
import structlog
from psycopg_pool import ConnectionPool, PoolTimeout

from homeward.notify import displays, key, planning, sending
from homeward.notify.sql import clock
from homeward.notify.standing import Standing
from homeward.notify.ways import Outside, Ways
from schemas.database import open_pool

ROLE = "homeward_notify"
SENDERS = 4
LOOK_S = 1.0
DISPLAYS_S = 5.0
"""How often it is asked whose display has not been looked at for a minute."""
SWEEP_S = 0.5
"""What has ended is swept up no more often; senders look for themselves."""
_AWAY = (psycopg.Error, PoolTimeout)

log = structlog.get_logger()


class Bell:
    """Wakes several threads; each remembers how often it has heard it, so that none misses a ring."""

    def __init__(self) -> None:
        self._rings = 0
        self._changed = threading.Condition()

    def ring(self) -> None:
        """Wake everybody."""
        with self._changed:
            self._rings += 1
            self._changed.notify_all()

    def wait(self, heard: int, timeout_s: float) -> int:
        """Wait until it has rung more often than was heard, or for so long; give how often it has."""
        with self._changed:
            self._changed.wait_for(lambda: self._rings > heard, timeout_s)
            return self._rings


class Notifier:
    """The threads of one process."""

    def __init__(self, pool: ConnectionPool, ways: Ways, stop: threading.Event) -> None:
        self._pool, self._ways, self._stop = pool, ways, stop
        self._standing, self._jobs, self._messages = Standing(ways.kinds), Bell(), Bell()

    def run(self, ready: Callable[[], None]) -> None:
        """Work until the stop; ``ready`` is called when word of new jobs is heard."""
        work = [self._plan, self._beat, self._look, *[self._send] * SENDERS]
        threads = [threading.Thread(target=one, name=f"notify-{number}") for number, one in enumerate(work)]
        for thread in threads:
            thread.start()
        self._listen(ready)
        self._ring()
        for thread in threads:
            thread.join()

    def _ring(self) -> None:
        self._jobs.ring()
        self._messages.ring()

    def _listen(self, ready: Callable[[], None]) -> None:
        is_first = True
        while not self._stop.is_set():
            try:
                with self._pool.connection() as connection:
                    connection.commit()
                    connection.autocommit = True
                    try:
                        connection.execute("listen homeward_notify")
                        if is_first:
                            ready()
                        is_first = False
                        self._ring()
                        self._hear(connection)
                    finally:
                        if not connection.closed:
                            connection.execute("unlisten *")
                            connection.autocommit = False
            except _AWAY as failed:
                self._pause("listening", failed)

    def _hear(self, connection: psycopg.Connection) -> None:
        while not self._stop.is_set():
            for _ in connection.notifies(timeout=LOOK_S / 2, stop_after=1):
                self._ring()

    def _plan(self) -> None:
        heard, swept = 0, 0.0
        while not self._stop.is_set():
            heard = self._jobs.wait(heard, LOOK_S)
            try:
                if time.monotonic() - swept >= SWEEP_S:
                    with self._pool.connection() as connection:
                        planning.sweep(connection, clock(connection))
                    swept = time.monotonic()
                moved = 1
                while moved and not self._stop.is_set():
                    with self._pool.connection() as connection:
                        moved = planning.plan(connection, clock(connection))
                    self._standing.count_jobs(moved)
                    if moved:
                        self._messages.ring()
            except _AWAY as failed:
                self._pause("planning", failed)
            except Exception as failed:
                log.error("planning failed", action="planning_failed", error=type(failed).__name__)

    def _send(self) -> None:
        heard = 0
        while not self._stop.is_set():
            heard = self._messages.wait(heard, LOOK_S)
            try:
                while not self._stop.is_set() and self._send_one():
                    pass
            except _AWAY as failed:
                self._pause("sending", failed)
            except Exception as failed:
                # a sender that ends would be missed by nobody until the last of them has
                log.error("sender failed", action="sender_failed", error=type(failed).__name__)

    def _send_one(self) -> bool:
        with self._pool.connection() as connection:
            attempt = sending.send_next(connection, self._ways, clock(connection))
        if attempt is None:
            return False
        self._standing.count(attempt)
        if attempt.status != "delivered":
            # the job may have to hurry
            self._jobs.ring()
        return True

    def _look(self) -> None:
        while not self._stop.wait(DISPLAYS_S):
            try:
                with self._pool.connection() as connection:
                    displays.look(connection, self._ways, clock(connection))
            except _AWAY as failed:
                self._pause("displays", failed)
            except Exception as failed:
                log.error("looking for displays failed", action="displays_failed", error=type(failed).__name__)

    def _beat(self) -> None:
        while not self._stop.is_set():
            try:
                with self._pool.connection() as connection:
                    connection.commit()
                    connection.autocommit = True
                    try:
                        while not self._stop.wait(LOOK_S):
                            self._standing.beat(connection, clock(connection))
                        self._standing.end(connection)
                    finally:
                        if not connection.closed:
                            connection.execute("select pg_advisory_unlock_all()")
                            connection.autocommit = False
            except _AWAY as failed:
                self._pause("presence", failed)

    def _pause(self, what: str, failed: Exception) -> None:
        log.warning("the database is away", action="notify_retried", what=what, error=type(failed).__name__)
        self._stop.wait(LOOK_S)


def run(
    database_url: str, outside: Outside, home: Path, stop: threading.Event, ready: Callable[[], None] = lambda: None
) -> None:
    """Be a notifier until ``stop``."""
    # listening, planning, displays and presence keep a connection each, and every sender one while it sends
    with open_pool(database_url, ROLE, min_size=4, max_size=SENDERS + 5) as pool:
        with pool.connection() as connection:
            private = key.load(connection, home)
        ways = Ways(outside, private)
        try:
            Notifier(pool, ways, stop).run(ready)
        finally:
            ways.close()
    log.info("notifier left", action="notify_left")

"""What happens without a message? Someone becomes overdue, a person has acted: rows whose ``next_due_at`` has passed.

Any number of these workers may run: each takes due rows that no other has locked. It sleeps until the next instant that
is due, or a second, whichever is sooner: an instant that was entered meanwhile is at most that late.
"""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Callable

import psycopg
import structlog
from psycopg_pool import ConnectionPool, PoolTimeout

from ingest.acts import settle_pauses
from ingest.correction import correct
from ingest.counters import Counters
from ingest.failures import describe
from ingest.presence import Presence
from ingest.rebuild import rebuild
from ingest.registry import RegistryKeeper
from ingest.sql import QUERIES
from ingest.states import UnreadableStatesError
from ingest.writer import write_due
from schemas.database import open_pool

ROLE = "homeward_ingest"
MOST = 1_000
"""Patients in one transaction."""
_LONGEST_SLEEP_S = 1.0

log = structlog.get_logger()


def run(database_url: str, stop: threading.Event, ready: Callable[[], None] = lambda: None) -> None:
    """Do what falls due until ``stop``; call ``ready`` when the first look has been taken."""
    counters = Counters()
    presence = Presence("clock", counters)
    with open_pool(database_url, ROLE, min_size=3, max_size=4, application=presence.application) as pool:
        keeper = RegistryKeeper(pool)
        threads = [
            threading.Thread(target=keeper.watch, args=(stop,), name="registry", daemon=True),
            threading.Thread(target=presence.run, args=(pool, stop), name="presence", daemon=True),
        ]
        for thread in threads:
            thread.start()
        first = True
        while not stop.is_set():
            sleep_s = _turn(pool, keeper, counters)
            if first and sleep_s is not None:
                first = False
                ready()
            stop.wait(_LONGEST_SLEEP_S * random.uniform(0.5, 1.0) if sleep_s is None else sleep_s)  # noqa: S311
        for thread in threads:
            thread.join()
    log.info("clock left", action="clock_left")


def _turn(pool: ConnectionPool, keeper: RegistryKeeper, counters: Counters) -> float | None:
    """Do all that is due now; give the seconds until there is more to do, None after a failure."""
    try:
        while do_due(pool, keeper, counters, time.time_ns() // 1000):
            pass
        if ended := settle_pauses(pool, keeper.registry, time.time_ns() // 1000):
            counters.count("pauses_ended", ended)
        # one transaction a turn: what falls due does not wait for what is long past
        if corrected := correct(pool, keeper.registry):
            counters.count("patients_corrected", corrected)
            return 0.0
        with pool.connection() as connection:
            row = connection.execute(QUERIES["next_due"]).fetchone()
    except (psycopg.Error, PoolTimeout) as failed:
        log.warning("due rows put back", action="clock_retried", error=type(failed).__name__)
        return None
    except Exception as failed:
        log.error("clock failed", action="clock_failed", **describe(failed))
        return None
    if row is None or row[0] is None:
        return _LONGEST_SLEEP_S
    # rows that another worker has locked are due and not ours: look again soon, not at once
    return min(_LONGEST_SLEEP_S, max(0.02, int(row[0]) / 1_000_000 - time.time()))


def do_due(pool: ConnectionPool, keeper: RegistryKeeper, counters: Counters, now: int) -> int:
    """Do one transaction of what is due at ``now`` (microseconds UTC); give how many patients it was."""
    try:
        with pool.connection() as connection:
            patients, activated = write_due(connection, keeper.registry, now, MOST)
    except UnreadableStatesError as old:
        log.info("states made anew", action="states_rebuilt", patients=len(old.patients))
        rebuild(pool, old.patients)
        return len(old.patients)
    if patients:
        counters.count("patients_due", patients)
        counters.count_activated(activated)
        log.debug("due done", action="due_done", patients=patients, activated=len(activated))
    return patients

"""Does a count never fall, also when the rows of processes that ended long ago go?"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Any

from psycopg.types.json import Jsonb
from psycopg_pool import ConnectionPool

from dashboard.metrics import Instance, families
from ingest.counters import Counters
from ingest.presence import Presence

MONTH = timedelta(days=31)


def add(pool: ConnectionPool, service: str, silent: timedelta, counters: dict[str, Any]) -> None:
    with pool.connection() as connection:
        connection.execute(
            "insert into service_instance (instance_id, service, seen_at, counters) "
            "values (gen_random_uuid(), %s, now() - %s, %s)",
            [service, silent, Jsonb(counters)],
        )


def counted(pool: ConnectionPool) -> dict[tuple[str, str], float]:
    """What `/metrics` tells of all rows, but for how many processes there are."""
    with pool.connection() as connection:
        rows = connection.execute(
            "select service, counters, extract(epoch from now() - seen_at)::float8 from service_instance"
        ).fetchall()
    return {
        (sample.name, str(sample.labels)): sample.value
        for family in families(Instance(*row) for row in rows)
        for sample in family.samples
        if family.name not in ("homeward_instances", "homeward_silence_seconds")
    }


def count_rows(pool: ConnectionPool) -> int:
    with pool.connection() as connection:
        row = connection.execute("select count(*) from service_instance").fetchone()
    assert row is not None
    return int(row[0])


def test_what_was_counted_long_ago_goes_on_in_one_row_a_service(pool: ConnectionPool) -> None:
    old = {
        "messages": 100,
        "queue": 7,
        "ways": ["email"],
        "quarantined": {"unit": 2, "too_old": 1},
        "lateness_up_to_s": {"1": 4, "more": 1},
        "waited_s": 0.5,
    }
    for times in (1, 2, 3):  # the second and the third time there is a row to add to
        add(pool, "ingest", MONTH, old)
        add(pool, "ingest", MONTH, {"messages": 20 * times, "quarantined": {"unit": times, "malformed": 1}})
        add(pool, "notify", MONTH, {"messages_delivered": {"email": 3}, "name": "x", "is_on": True})
        add(pool, "ingest", timedelta(days=29), {"messages": 3})
        before, rows = counted(pool), count_rows(pool)
        with pool.connection() as connection:
            Presence("clock", Counters()).end(connection)
        assert counted(pool) == before
        assert before["homeward_ingest_messages_total", "{}"] == [123, 266, 429][times - 1]
        assert count_rows(pool) == [rows - 1, rows - 3, rows - 3][times - 1]


def test_two_processes_that_end_at_once_lose_no_count(pool: ConnectionPool) -> None:
    for _ in range(60):
        add(pool, "ingest", MONTH, {"messages": 1})
    before = counted(pool)

    def end(_: int) -> None:
        with pool.connection() as connection:
            Presence("clock", Counters()).end(connection)

    with ThreadPoolExecutor(4) as workers:
        list(workers.map(end, range(4)))
    assert counted(pool) == before
    assert count_rows(pool) == 1

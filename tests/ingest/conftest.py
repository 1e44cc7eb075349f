"""What do the ingest tests run on? A ward in a database of their own, and the worker's broker."""

from __future__ import annotations

import itertools
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import psycopg
import pytest
from psycopg_pool import ConnectionPool

from ingest.admission import Incoming, admit
from ingest.registry import RegistryKeeper
from ingest.writer import Outcome, write_batch
from schemas.database import open_pool
from tests.conftest import TestDatabase
from tests.ingest.ward import Ward, make_ward, payload

_wards = itertools.count()


class Desk:
    """The writer as a test uses it: hand in messages, ask the store."""

    def __init__(self, database: TestDatabase, pool: ConnectionPool, ward: Ward) -> None:
        self.database, self.pool, self.ward = database, pool, ward
        self.keeper = RegistryKeeper(pool)
        # whole milliseconds, so that times written into payloads come back equal
        now = datetime.now(UTC)
        self.start = now.replace(microsecond=now.microsecond // 1000 * 1000) - timedelta(minutes=55)

    def at(self, minutes: float) -> datetime:
        """An instant of the test: not quite an hour ago, and so many minutes later."""
        return self.start + timedelta(minutes=minutes)

    def message(self, index: int, minutes: float, values: dict[str, Any], **more: Any) -> Incoming:
        """A message of device ``index``."""
        return self.raw(self.ward.topic(index), payload(self.at(minutes), values, **more))

    def raw(self, topic: str, content: bytes) -> Incoming:
        """Any bytes on any topic, received now."""
        return Incoming.from_topic(topic, content, time.time_ns() // 1000)

    def write(self, *messages: Incoming, now: datetime | None = None) -> Outcome:
        """Have messages written as one micro-batch."""
        instant = time.time_ns() // 1000 if now is None else round(now.timestamp() * 1_000_000)
        with self.pool.connection() as connection:
            return write_batch(connection, admit(messages, self.keeper), instant)

    def ask(self, query: str, *parameters: Any) -> list[tuple[Any, ...]]:
        """Query the database as the superuser, past all row-level security."""
        with psycopg.connect(self.database.url, options="-c search_path=homeward,public") as connection:
            return connection.execute(query.encode(), parameters).fetchall()

    def stored(self) -> list[tuple[Any, ...]]:
        """All observations: patient, vital sign, instant, value; in order."""
        return self.ask("select patient_id, vital, observed_at, value from observation order by 1, 2, 3, device_id")

    def episodes(self) -> list[tuple[Any, ...]]:
        """All episodes: patient, rule, opening, phase, severity and peak; in order."""
        return self.ask(
            "select patient_id, rule, opened_at, activated_at, resolved_at, phase, severity, peak_severity "
            "from episode order by 1, 2, 3"
        )


@pytest.fixture
def pool(database: TestDatabase) -> Iterator[ConnectionPool]:
    """Connections of the role that ingest runs as."""
    with open_pool(database.url_for("homeward_ingest"), "homeward_ingest", min_size=2, max_size=6) as pool:
        yield pool


@pytest.fixture
def make_desk(database: TestDatabase, pool: ConnectionPool) -> Callable[..., Desk]:
    """Make a desk for a ward of a size, on a pathway."""

    def make(size: int = 3, policy: str = "care_home_news2") -> Desk:
        return Desk(database, pool, make_ward(database.url, size, policy, prefix=f"w{next(_wards)}"))

    return make


@pytest.fixture
def desk(make_desk: Callable[..., Desk]) -> Desk:
    """A desk for three care-home residents."""
    return make_desk()

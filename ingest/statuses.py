"""Which devices are online, and since when? What they say of themselves is stored beside the way of the observations.

A status is subscribed to with QoS 0: the broker keeps each device's newest and gives it again at every connection, so
nothing has to be confirmed and nothing is lost. The connection's thread only puts it aside; another one writes what has
come about once a second, in batches.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass

import psycopg
import structlog
from psycopg_pool import ConnectionPool, PoolTimeout

from ingest.counters import Counters
from ingest.sql import load
from schemas.status import read_status
from schemas.topic import DEVICE_CODE

MOST = 1_000
"""Senders of one batch."""
MOST_SENDERS = 50_000
"""Of how many senders a status may wait; each has one more at the broker."""
KEPT_OF_ONE = 8
_EVERY_S = 1.0
_RETRY_S = 5.0

log = structlog.get_logger()
_QUERIES = load("statuses.sql")


@dataclass(slots=True)
class Status:
    """One message on a status topic, as it came."""

    sender: str
    payload: bytes
    received_at: int


class StatusBook:
    """What has come and is not written yet: the last few of each sender, of a bounded number of senders."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._waiting: dict[str, deque[Status]] = {}
        self.dropped = 0

    def put(self, topic: str, payload: bytes, received_at: int) -> None:
        """Put a status aside; one of a topic that is not ours is passed over."""
        parts = topic.split("/")
        if len(parts) != 5 or parts[4] != "status" or not DEVICE_CODE.match(parts[3]):
            return
        status = Status(parts[3], payload, received_at)
        with self._lock:
            if status.sender in self._waiting:
                self._waiting[status.sender].append(status)
            elif len(self._waiting) < MOST_SENDERS:
                self._waiting[status.sender] = deque([status], KEPT_OF_ONE)
            else:
                self.dropped += 1

    def take(self) -> list[Status]:
        """Take one status each of some senders, the earliest first."""
        with self._lock:
            senders = list(self._waiting)[:MOST]
            taken = [self._waiting[sender].popleft() for sender in senders]
            for sender in senders:
                if not self._waiting[sender]:
                    del self._waiting[sender]
        return taken

    def put_back(self, statuses: Sequence[Status]) -> None:
        """Put back what could not be written, before what has come since."""
        with self._lock:
            for status in statuses:
                newer = self._waiting.get(status.sender, ())
                self._waiting[status.sender] = deque([status, *newer][-KEPT_OF_ONE:], KEPT_OF_ONE)


class StatusWriter:
    """The loop that writes what is in the book."""

    def __init__(self, pool: ConnectionPool, book: StatusBook, counters: Counters) -> None:
        self._pool, self._book, self._counters = pool, book, counters

    def run(self, stop: threading.Event) -> None:
        """Write until ``stop``; a database that is away is tried again, and what waits stays bounded."""
        while not stop.wait(_EVERY_S):
            while statuses := self._book.take():
                try:
                    with self._pool.connection() as connection:
                        self._counters.count("statuses", write_statuses(connection, statuses))
                except (psycopg.Error, PoolTimeout) as failed:
                    log.warning("statuses put back", action="statuses_retried", error=type(failed).__name__)
                    self._book.put_back(statuses)
                    stop.wait(_RETRY_S)
                    break


@dataclass(slots=True)
class _Row:
    """What is written of one device."""

    hub: str
    at: int
    online: bool | None = None
    session: str = ""
    battery: int | None = None
    firmware: str | None = None
    trouble: str = ""


def write_statuses(connection: psycopg.Connection, statuses: Sequence[Status]) -> int:
    """Write statuses, one of each sender; give how many devices they were about."""
    rows: dict[str, _Row] = {}
    for status in statuses:
        for code, row in _rows_of(status).items():
            # what a device says itself goes before what a hub says of it
            if code not in rows or not row.hub:
                rows[code] = row
    columns = {
        "codes": list(rows),
        "hubs": [row.hub for row in rows.values()],
        "online": [row.online for row in rows.values()],
        "sessions": [row.session for row in rows.values()],
        "batteries": [row.battery for row in rows.values()],
        "firmware": [row.firmware for row in rows.values()],
        "troubles": [row.trouble for row in rows.values()],
        "at": [row.at for row in rows.values()],
    }
    with connection.transaction():
        return connection.execute(_QUERIES["write_statuses"], columns).rowcount


def _rows_of(status: Status) -> dict[str, _Row]:
    try:
        said = read_status(status.payload)
    except ValueError as wrong:
        readable = str(wrong).replace("\0", "").encode("utf-8", "backslashreplace").decode()
        return {status.sender: _Row("", status.received_at, trouble=f"status: {readable}"[:300])}
    own = _Row("", status.received_at, said.online, _storable(said.session), said.battery, _text(said.firmware))
    parts = {
        code: _Row(status.sender, status.received_at, battery=part.battery, firmware=_text(part.firmware))
        for code, part in said.devices.items()
        if DEVICE_CODE.match(code) and code != status.sender
    }
    return {status.sender: own, **parts}


def _text(given: str | None) -> str | None:
    return None if given is None else _storable(given)


def _storable(text: str) -> str:
    """Take out what a text column cannot hold."""
    return text.replace("\0", "").encode("utf-8", "ignore").decode()

"""By how much are the clocks of devices off?

Of every observation set the time from measuring to hearing is known, that of one from the future too, which is
quarantined. Most devices send at once, so the shortest such time of a while is what the way takes, less what the clock
is ahead. The writing thread notes it, a comparison of arrays; another one stores now and then what was noted. What a
process that is killed has not stored yet is heard again with the devices' next messages.
"""

from __future__ import annotations

import threading
from dataclasses import dataclass
from typing import LiteralString, cast

import numpy as np
import psycopg
import structlog
from numpy.typing import NDArray
from psycopg_pool import ConnectionPool, PoolTimeout

from schemas import named_queries

STORE_S = 15.0
"""How long a while is: of each the shortest delay counts, so that a burst of kept observations counts as its newest."""
AT_ONCE = 5_000
"""Devices in one statement."""
NONE = np.iinfo(np.int64).max

_QUERIES = cast("dict[str, LiteralString]", named_queries.load("ingest", "device_clocks.sql"))

log = structlog.get_logger()


@dataclass(frozen=True)
class Heard:
    """What S observation sets say of the clocks of the devices that measured them.

    Attributes
    ----------
    device : int32 array, shape (S,)
    delay : int64 array, shape (S,)
        From measuring to hearing [µs]; negative where the clock is ahead.
    unset : bool array, shape (S,)
        The device says that its clock is not set.
    received_at : int64 array, shape (S,)
    """

    device: NDArray[np.int32]
    delay: NDArray[np.int64]
    unset: NDArray[np.bool_]
    received_at: NDArray[np.int64]


class DeviceClocks:
    """What one process has heard of the devices' clocks since it last stored it; arrays by device_id."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._begin(0)

    def _begin(self, size: int) -> None:
        self._shortest = np.full(size, NONE)
        self._unset_at, self._heard_at = np.zeros(size, np.int64), np.zeros(size, np.int64)

    def note(self, heard: Heard | None) -> None:
        """Remember what a micro-batch says."""
        if heard is None or not len(heard.device):
            return
        with self._lock:
            self._grow(int(heard.device.max()) + 1)
            device, set_ = heard.device, ~heard.unset
            np.maximum.at(self._heard_at, device, heard.received_at)
            np.minimum.at(self._shortest, device[set_], heard.delay[set_])
            np.maximum.at(self._unset_at, device[heard.unset], heard.received_at[heard.unset])

    def _grow(self, size: int) -> None:
        more = size - len(self._heard_at)
        if more > 0:
            self._shortest = np.append(self._shortest, np.full(more, NONE))
            self._unset_at = np.append(self._unset_at, np.zeros(more, np.int64))
            self._heard_at = np.append(self._heard_at, np.zeros(more, np.int64))

    def store(self, pool: ConnectionPool) -> int:
        """Store what was noted, and begin anew; give how many devices it was."""
        with self._lock:
            shortest, unset_at, heard_at = self._shortest, self._unset_at, self._heard_at
            self._begin(len(heard_at))
        devices = np.flatnonzero(heard_at)
        for start in range(0, len(devices), AT_ONCE):
            some = devices[start : start + AT_ONCE]
            columns = {"devices": some, "delays": shortest[some], "unset": unset_at[some], "heard": heard_at[some]}
            with pool.connection() as connection, connection.transaction():
                connection.execute(
                    _QUERIES["note_clocks"], {name: c.tolist() for name, c in columns.items()} | {"none": NONE}
                )
        return len(devices)

    def run(self, pool: ConnectionPool, stop: threading.Event) -> None:
        """Store now and then until ``stop``, and once more then."""
        while not stop.wait(STORE_S):
            self._try_to_store(pool)
        self._try_to_store(pool)

    def _try_to_store(self, pool: ConnectionPool) -> None:
        try:
            self.store(pool)
        except (psycopg.Error, PoolTimeout) as failed:
            log.warning("clocks of devices not stored", action="clocks_unstored", error=type(failed).__name__)

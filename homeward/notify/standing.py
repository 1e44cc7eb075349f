"""What does a notifier say of its work? Counts that only grow, and how many messages wait, for how long."""

from __future__ import annotations

import threading
import uuid
from bisect import bisect_left
from collections import Counter
from collections.abc import Sequence
from datetime import datetime
from typing import Any

from psycopg.types.json import Jsonb

from homeward.notify.sending import Attempt
from homeward.notify.sql import Connection, run

UP_TO_S = (0.1, 0.25, 0.5, 1.0, 2.0, 5.0, 30.0, 60.0, 600.0, 3_600.0)
"""Upper edges of the histogram of the time from an alert's plan to its delivery."""
# one notifier at a time says how many wait, since /metrics adds all of them up
_TELLS_WAITING = 0x686F6E74


class Standing:
    """The numbers of one process."""

    def __init__(self, kinds: Sequence[str] = ()) -> None:
        self._kinds = list(kinds)
        self._lock = threading.Lock()
        self._instance = uuid.uuid4()
        self._counts: dict[str, Counter[str]] = {"messages_delivered": Counter(), "messages_failed": Counter()}
        self._retried = 0
        self._jobs = 0
        self._delivered = Counter({f"{edge:g}": 0 for edge in UP_TO_S} | {"more": 0})
        self._now: dict[str, float] = {"messages_waiting": 0, "messages_oldest_s": 0.0}

    def count(self, attempt: Attempt) -> None:
        """Count an attempt at a message."""
        with self._lock:
            if attempt.status == "waiting":
                self._retried += 1
            elif attempt.status in ("delivered", "failed"):
                self._counts[f"messages_{attempt.status}"][attempt.kind] += 1
            if attempt.status == "delivered" and attempt.purpose == "alert":
                place = bisect_left(UP_TO_S, attempt.waited_s)
                self._delivered[f"{UP_TO_S[place]:g}" if place < len(UP_TO_S) else "more"] += 1

    def count_jobs(self, jobs: int) -> None:
        """Count jobs that took a step."""
        with self._lock:
            self._jobs += jobs

    def beat(self, connection: Connection, now: datetime) -> None:
        """Write this process's row; the connection keeps the lock that says who tells what waits."""
        row = connection.execute("select pg_try_advisory_lock(%s)", [_TELLS_WAITING]).fetchone()
        if row is not None and row[0]:
            [waits] = run(connection, "standing", now=now)
            self._now = {"messages_waiting": waits["waiting"], "messages_oldest_s": round(waits["oldest_s"], 1)}
        run(connection, "beat", instance=self._instance, counters=Jsonb(self.snapshot()))

    def end(self, connection: Connection) -> None:
        """Write the last counts, and that the process is gone."""
        run(connection, "end_instance", instance=self._instance, counters=Jsonb(self.snapshot()))

    def snapshot(self) -> dict[str, Any]:
        """Give everything as JSON can hold it."""
        with self._lock:
            counts = {name: dict(by_kind) for name, by_kind in self._counts.items()}
            return {
                **counts, "messages_retried": self._retried, "jobs_planned": self._jobs,
                "delivered_up_to_s": dict(self._delivered), "ways": self._kinds, **self._now,
            }  # fmt: skip

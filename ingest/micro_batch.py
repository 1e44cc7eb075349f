"""When is a micro-batch closed, and what becomes of it when something fails?

It is closed when it is full or nothing more is waiting: under load batches grow by themselves, and without it a message
waits for nothing. After the commit its messages are confirmed, in no other case. A database that is away, or another
writer in the way, is tried again; a batch that Homeward itself cannot process is halved until the culprit is alone,
which goes to quarantine: it must not block the queue.
"""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Sequence
from dataclasses import replace

import msgspec
import numpy as np
import psycopg
import structlog
from psycopg_pool import ConnectionPool, PoolTimeout

from ingest.admission import Admitted, admit
from ingest.counters import Counters
from ingest.device_clocks import DeviceClocks
from ingest.failures import describe
from ingest.formats.decoded import Rejection
from ingest.inbox import Delivery, Inbox
from ingest.parking import Parked, Parking, put_aside, with_parked
from ingest.rebuild import rebuild
from ingest.registry import RegistryKeeper
from ingest.states import UnreadableStatesError
from ingest.subscriber import Subscriber
from ingest.writer import Outcome, write_batch
from schemas.observation import ObservationBatch
from schemas.quarantine import Reason
from schemas.topic import Stream

MOST = 2_000
"""Messages of one micro-batch: larger ones gain nothing and hold more patients' locks for longer."""
_IDLE_S = 0.2
_RETRY_S = (0.05, 5.0)
_SUMMARY_S = 10.0
_STREAMS = frozenset(Stream)
# a database that may only be read, as a standby before it takes over, is as good as away
_TRY_AGAIN = (
    psycopg.OperationalError,
    psycopg.InterfaceError,
    psycopg.errors.ReadOnlySqlTransaction,
    PoolTimeout,
)

log = structlog.get_logger()


class MicroBatches:
    """The loop that takes messages, has them written, and confirms them."""

    def __init__(
        self,
        pool: ConnectionPool,
        keeper: RegistryKeeper,
        inbox: Inbox,
        subscriber: Subscriber,
        counters: Counters,
        clocks: DeviceClocks,
    ) -> None:
        self._pool, self._keeper, self._inbox = pool, keeper, inbox
        self._subscriber, self._counters, self._clocks = subscriber, counters, clocks
        self._parking = Parking()
        self._summary_at, self._since_summary = time.monotonic() + _SUMMARY_S, [0, 0, 0, 0]

    def run(self, stop: threading.Event) -> None:
        """Work until ``stop``; the micro-batch under way is finished."""
        while not stop.is_set():
            deliveries = self._inbox.take(MOST, _IDLE_S)
            self._counters.set(queue=len(self._inbox))
            if deliveries:
                self._process(deliveries, stop)
            self._summarise()

    def _process(self, deliveries: Sequence[Delivery], stop: threading.Event, failures: int = 0) -> None:
        """Have messages written and confirmed, however often it takes, unless the process is told to leave.

        ``failures`` is how often messages among these failed already for a reason of Homeward's own.
        """
        pause = _RETRY_S[0]
        while deliveries:
            try:
                self._write_and_confirm(deliveries)
                return
            except _TRY_AGAIN as failed:
                log.warning("batch put back", action="batch_retried", error=type(failed).__name__)
            except UnreadableStatesError as old:
                # after an upgrade: each patient's first message brings their record up to this version
                failures += not self._rebuild(old.patients)
                if failures > 1 and self._isolate(deliveries, old, stop):
                    return
            except Exception as failed:
                failures += 1
                log.error("batch failed", action="batch_failed", messages=len(deliveries), **describe(failed))
                if failures > 1 and self._isolate(deliveries, failed, stop):
                    return
                self._refresh()
            self._counters.count("batches_retried")
            if stop.wait(pause * random.uniform(0.5, 1.0)):  # noqa: S311
                return
            pause = min(pause * 2, _RETRY_S[1])
            # what came on a connection that is gone is delivered again
            deliveries = [delivery for delivery in deliveries if not delivery.is_stale]

    def _write_and_confirm(self, deliveries: Sequence[Delivery]) -> None:
        now, parked = self._parking.divide(deliveries, self._keeper.registry)
        admitted = admit([delivery.incoming for delivery in now], self._keeper)
        self._store(now, with_parked(admitted, parked), parked)

    def _store(self, deliveries: Sequence[Delivery], admitted: Admitted, parked: Sequence[Parked] = ()) -> None:
        started, now = time.monotonic(), time.time_ns() // 1000
        with self._pool.connection() as connection:
            outcome = write_batch(connection, admitted, now, put_aside=put_aside)
        self._subscriber.confirm(deliveries, _receipts(deliveries, outcome))
        for group in parked:
            self._subscriber.confirm(group.deliveries, _receipts_of_parked(group))
            self._counters.count("messages_parked", len(group.deliveries))
        self._parking.learn(deliveries, outcome)
        seconds = time.monotonic() - started
        self._clocks.note(admitted.heard)
        self._counters.count_batch(outcome, admitted.batch.received_at - admitted.batch.observed_at, seconds)
        self._note(outcome, seconds)

    def _isolate(self, deliveries: Sequence[Delivery], failed: Exception, stop: threading.Event) -> bool:
        """Process a failing batch in halves, and put aside a message that fails alone; say whether all is done."""
        if len(deliveries) > 1:
            middle = len(deliveries) // 2
            for half in (deliveries[:middle], deliveries[middle:]):
                self._process(half, stop, failures=1)
            return True
        messages = [deliveries[0].incoming]
        rejection = Rejection(0, Reason.UNPROCESSABLE, f"{type(failed).__name__} while it was scored; see the log")
        nothing = Admitted(messages, ObservationBatch.empty(), np.empty(0, np.intp), [rejection], self._keeper.registry)
        try:
            # counted as the values that it held, where they could be told
            admitted = admit(messages, self._keeper)
            count = len(admitted.batch) + sum(r.observations for r in admitted.rejections)
            nothing = replace(nothing, rejections=[replace(rejection, observations=max(1, count))])
        except Exception as undecoded:
            log.error("message not even decoded", action="message_failed", **describe(undecoded))
        try:
            self._store(deliveries, nothing)
        except Exception as unkept:
            log.error("message could not be put aside", action="quarantine_failed", **describe(unkept))
            return False
        return True

    def _refresh(self) -> None:
        try:
            self._keeper.read_again()  # a registry that is behind the database is the likeliest cause
        except psycopg.Error:
            log.warning("registry not read", action="registry_unread")

    def _rebuild(self, patients: list[int]) -> bool:
        try:
            rebuild(self._pool, patients)
        except Exception as failed:
            log.error("states not made anew", action="rebuild_failed", **describe(failed))
            return False
        log.info("states made anew", action="states_rebuilt", patients=len(patients))
        return True

    def _note(self, outcome: Outcome, seconds: float) -> None:
        counts = [len(outcome.stored)]
        counts += [int(part.sum()) for part in (outcome.stored, outcome.duplicate, outcome.quarantined)]
        self._since_summary = [a + b for a, b in zip(self._since_summary, counts, strict=True)]
        log.debug("batch stored", action="batch_stored", messages=counts[0], stored=counts[1], seconds=seconds)

    def _summarise(self) -> None:
        if time.monotonic() < self._summary_at:
            return
        messages, stored, duplicate, quarantined = self._since_summary
        if messages:
            log.info(
                "batches stored",
                action="batches_stored",
                messages=messages,
                stored=stored,
                duplicate=duplicate,
                quarantined=quarantined,
                queue=len(self._inbox),
            )
        self._summary_at, self._since_summary = time.monotonic() + _SUMMARY_S, [0, 0, 0, 0]


def _receipts(deliveries: Sequence[Delivery], outcome: Outcome) -> list[tuple[Delivery, bytes]]:
    """Give the receipts that were asked for, on the sender's own topic for them and nowhere else."""
    return [
        (delivery, msgspec.json.encode(outcome.receipt(position)))
        for position, delivery in enumerate(deliveries)
        if delivery.response_topic is not None and _is_own(delivery)
    ]


def _receipts_of_parked(parked: Parked) -> list[tuple[Delivery, bytes]]:
    """Say of each message that it is put aside; how many observations it has is not known yet."""
    receipt = {"stored": 0, "duplicate": 0, "quarantined": 1, "reasons": [parked.rejection.reason.value]}
    written = msgspec.json.encode(receipt)
    return [(d, written) for d in parked.deliveries if d.response_topic is not None and _is_own(d)]


def _is_own(delivery: Delivery) -> bool:
    sender, _, leaf = delivery.incoming.topic.rpartition("/")
    own, wanted = f"{sender}/receipts", delivery.response_topic or ""
    return leaf in _STREAMS and (wanted == own or wanted.startswith(own + "/")) and _is_plain(wanted)


def _is_plain(topic: str) -> bool:
    return not set("+#\0") & set(topic)

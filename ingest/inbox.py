"""Where do messages wait between the connection to the broker and the micro-batch?

The callback puts them in and does nothing else. What waits is bounded by the broker: it sends no more than each lane's
Receive Maximum before the first PUBACK.
"""

from __future__ import annotations

import contextlib
import threading
from collections import deque
from dataclasses import dataclass
from typing import Protocol

from ingest.admission import Incoming
from schemas.topic import Stream

BACKLOG_SHARE = 10
"""Of a full micro-batch the backlog has one part in so many, however much is live."""


class Connection(Protocol):
    """What is asked of a lane: to send a PUBACK, if its connection is still the one that the message came on."""

    lane: int
    stream: Stream
    generation: int

    def confirm(self, delivery: Delivery) -> None:
        """Send a message's PUBACK, unless its connection is gone."""


@dataclass(slots=True)
class Delivery:
    """A message, the connection on which it must be confirmed, and where its receipt goes."""

    incoming: Incoming
    connection: Connection
    generation: int
    packet: int
    response_topic: str | None = None
    correlation: bytes | None = None

    @property
    def is_stale(self) -> bool:
        """Whether the connection is gone; the broker delivers the message again."""
        return self.connection.generation != self.generation


class Inbox:
    """A queue from one thread to another: what is live first, and some of the backlog each time."""

    def __init__(self) -> None:
        self._live: deque[Delivery] = deque()
        self._backlog: deque[Delivery] = deque()
        self._some = threading.Event()

    def __len__(self) -> int:
        return len(self._live) + len(self._backlog)

    def put(self, delivery: Delivery) -> None:
        """Add a message; call `wake` after the last one of those that came together."""
        (self._live if delivery.connection.stream is Stream.LIVE else self._backlog).append(delivery)

    def wake(self) -> None:
        """Say that messages were put in, or that there is something else to look at."""
        self._some.set()

    def take(self, most: int, timeout: float) -> list[Delivery]:
        """Wait until there are messages, at most ``timeout`` seconds, and take those that are there, up to ``most``."""
        if not len(self):
            self._some.wait(timeout)
        self._some.clear()
        live = _pop(self._live, most - min(len(self._backlog), most // BACKLOG_SHARE))
        return live + _pop(self._backlog, most - len(live))


def _pop(waiting: deque[Delivery], most: int) -> list[Delivery]:
    taken: list[Delivery] = []
    with contextlib.suppress(IndexError):
        while len(taken) < most:
            delivery = waiting.popleft()
            if not delivery.is_stale:
                taken.append(delivery)
    return taken

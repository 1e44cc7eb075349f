"""How does one process hold many lanes with one thread?

A selector over the lanes' connections: read what has come, send what is confirmed. Other threads only leave orders
(take a lane, leave it, confirm these) and wake the thread; they never touch a connection.
"""

from __future__ import annotations

import contextlib
import selectors
import socket
import threading
import time
from collections import deque
from collections.abc import Callable, Container, Iterable
from typing import Any

import structlog

from ingest.failures import describe
from ingest.inbox import Delivery, Inbox
from ingest.lane_session import Broker, LaneSession
from ingest.statuses import StatusBook
from schemas.topic import Stream

_TURN_S = 0.1
"""How often connections are looked after when nothing happens."""
_MISC_S = 1.0

log = structlog.get_logger()


class Subscriber:
    """The connections of this process's lanes.

    Parameters
    ----------
    broker : Broker
    inbox : Inbox
        Gets the messages.
    statuses : StatusBook
        Gets what devices say of themselves.
    """

    def __init__(self, broker: Broker, inbox: Inbox, statuses: StatusBook) -> None:
        self._broker, self._inbox, self._statuses = broker, inbox, statuses
        self._orders: deque[Callable[[], None]] = deque()
        self._sessions: dict[tuple[int, Stream], LaneSession] = {}
        self._selector = selectors.DefaultSelector()
        self._wake_in, self._wake_out = socket.socketpair()
        for end in (self._wake_in, self._wake_out):
            end.setblocking(False)
        self._selector.register(self._wake_in, selectors.EVENT_READ, None)
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="subscriber", daemon=True)

    def start(self) -> None:
        """Begin to serve the lanes taken from now on."""
        self._thread.start()

    def close(self) -> None:
        """Send what is confirmed, end all connections, and wait for that."""
        self._order(self._stopping.set)
        self._thread.join()
        self._selector.close()
        self._wake_in.close()
        self._wake_out.close()

    @property
    def lanes(self) -> frozenset[int]:
        """The lanes held, connected or on the way to it."""
        return frozenset(lane for lane, _ in self._sessions.copy())

    @property
    def connected(self) -> int:
        """How many lanes are connected, with both their streams."""
        sessions = self._sessions.copy()
        broken = {lane for (lane, _), session in sessions.items() if not session.is_connected}
        return len({lane for lane, _ in sessions} - broken)

    def take(self, lane: int) -> None:
        """Connect a lane, whose lock the caller has."""
        self._order(lambda: self._take(lane))

    def leave(self, lane: int) -> None:
        """Take no more messages of a lane; it is gone from `lanes` when those taken have been confirmed."""
        self._order(lambda: self._leave({lane}))

    def leave_all(self) -> None:
        """Take no more messages at all."""
        self._order(lambda: self._leave(self.lanes))

    def drop_all(self) -> None:
        """Let go of every lane at once, confirming nothing: their locks are lost."""
        self._order(self._drop_all)

    def confirm(self, deliveries: Iterable[Delivery], receipts: Iterable[tuple[Delivery, bytes]]) -> None:
        """Send the PUBACKs of messages that are stored, and the receipts that were asked for."""
        self._order(lambda: self._confirm(deliveries, receipts))

    def _order(self, order: Callable[[], Any]) -> None:
        self._orders.append(order)
        with contextlib.suppress(OSError):  # it is awake, or gone
            self._wake_out.send(b"\0")

    # ------------------------------------------------------------------------------------- on the subscriber's thread

    def _run(self) -> None:
        misc_at = 0.0
        while not self._stopping.is_set():
            try:
                self._turn()
                if time.monotonic() >= misc_at:
                    misc_at = time.monotonic() + _MISC_S
                    for session in list(self._sessions.values()):
                        session.keep_alive()
            except Exception as failed:
                # one bad turn, whatever it was, must not end the thread that everything hangs on
                log.error("turn failed", action="subscriber_failed", **describe(failed))
                time.sleep(_TURN_S)
        for session in list(self._sessions.values()):
            session.flush()
        self._drop_all()

    def _turn(self) -> None:
        waiting = len(self._inbox)
        for key, _ in self._selector.select(_TURN_S):
            if key.data is None:
                self._wake_in.recv(4096)
            else:
                key.data.read()
        if len(self._inbox) > waiting:
            self._inbox.wake()
        while self._orders:
            self._orders.popleft()()
        for session in list(self._sessions.values()):
            session.connect_if_due()
            if session.wants_write:
                self._watch(session, full=session.flush())
            if session.is_leaving and session.unconfirmed == 0:
                self._drop(session)

    def _take(self, lane: int) -> None:
        for stream in Stream:
            if (lane, stream) not in self._sessions:
                session = LaneSession(
                    lane, stream, self._broker, self._inbox, self._statuses, self._opened, self._closed
                )
                self._sessions[lane, stream] = session

    def _leave(self, lanes: Container[int]) -> None:
        for (lane, _), session in self._sessions.items():
            if lane in lanes:
                session.leave()

    def _drop_all(self) -> None:
        for session in list(self._sessions.values()):
            self._drop(session)

    def _drop(self, session: LaneSession) -> None:
        session.close()
        self._sessions.pop((session.lane, session.stream), None)

    def _confirm(self, deliveries: Iterable[Delivery], receipts: Iterable[tuple[Delivery, bytes]]) -> None:
        for delivery, receipt in receipts:
            session = self._sessions.get((delivery.connection.lane, Stream.LIVE))
            if session is not None and delivery.response_topic is not None:
                session.publish(delivery.response_topic, receipt, delivery.correlation)
        for delivery in deliveries:
            delivery.connection.confirm(delivery)

    def _opened(self, session: LaneSession, sock: Any) -> None:
        self._selector.register(sock, selectors.EVENT_READ, session)

    def _closed(self, _session: LaneSession, sock: Any) -> None:
        self._selector.unregister(sock)

    def _watch(self, session: LaneSession, *, full: bool) -> None:
        """Be told when a full network takes more."""
        session.wants_write = full
        wire = session.wire
        if wire is not None:
            self._selector.modify(wire, selectors.EVENT_READ | (selectors.EVENT_WRITE if full else 0), session)

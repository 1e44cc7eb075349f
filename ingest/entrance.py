"""How does a request use the writer: one request, one transaction, one answer, however often it is sent?

A request may carry a key. Its answer is then kept for a day in the transaction that stores it, so the same request sent
again is answered with what was answered, also while the first one is still under way.
"""

from __future__ import annotations

import hashlib
import json
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np
import psycopg
import structlog
from psycopg.types.json import Jsonb
from psycopg_pool import ConnectionPool, PoolTimeout

from ingest.admission import Admitted, Incoming, admit
from ingest.rebuild import rebuild
from ingest.registry import RegistryKeeper
from ingest.sql import load
from ingest.states import UnreadableStatesError
from ingest.writer import Outcome, write_batch

AWAY = (psycopg.OperationalError, psycopg.InterfaceError, psycopg.errors.ReadOnlySqlTransaction, PoolTimeout)
"""The database is not there, full, or read-only for now: the request is to be sent again."""
KEPT_S = 86_400.0
"""How long an answer is kept. A device that was away for longer sends what is stored already, which does no harm."""
_PATIENCE_S = 5.0
_TRIES = 3
_MOST_OF_ONE, _MOST_AT_ONCE = 4, 24
_QUERIES = load("entrance.sql")

log = structlog.get_logger()


class BusyError(Exception):
    """Too much is under way; ``of_sender`` says whether the sender itself is the cause."""

    def __init__(self, *, of_sender: bool) -> None:
        super().__init__("too many requests at once")
        self.of_sender = of_sender


class OtherRequestError(Exception):
    """The key was used for another request."""


@dataclass(frozen=True)
class Once:
    """A request that may be sent again: whose it is, by which key it is known, and what it says."""

    organisation_id: int
    sender: str
    key: str
    asked: bytes

    @property
    def digest(self) -> bytes:
        """What tells whether it is the same request."""
        return hashlib.sha256(self.asked).digest()


@dataclass(frozen=True)
class Answer:
    """What a request is answered; ``again`` where it was answered so before."""

    status: int
    body: dict[str, Any]
    again: bool = False


class Entrance:
    """The writer as requests use it."""

    def __init__(self, pool: ConnectionPool) -> None:
        self.pool = pool
        self.keeper = RegistryKeeper(pool)
        self._stop = threading.Event()
        self._watching = threading.Thread(target=self.keeper.watch, args=(self._stop,), name="registry", daemon=True)
        self._under_way: dict[str, int] = {}
        self._counting = threading.Lock()

    def start(self) -> None:
        """Keep the registry current from now on."""
        self._watching.start()

    def close(self) -> None:
        """Stop that."""
        self._stop.set()
        self._watching.join()

    def manual_device(self, organisation_id: int) -> str | None:
        """Give the code of the organisation's device for entry by hand."""
        registry = self.keeper.registry
        mine = registry.by_hand & ~registry.retired & (registry.device_organisation == organisation_id)
        found = np.flatnonzero(mine)
        if not len(found):
            return None
        return next(code for code, device in registry.device_of.items() if device == found[0])

    def device_of_token(self, token: str) -> tuple[str, int] | None:
        """Find the device, in use, whose token this is, and its organisation."""
        digest = hashlib.sha256(token.encode()).digest()
        with self.pool.connection(timeout=_PATIENCE_S) as connection:
            row = connection.execute(_QUERIES["device_of_token"], [digest]).fetchone()
        return (str(row[0]), int(row[1])) if row else None

    @contextmanager
    def turn(self, sender: str) -> Iterator[None]:
        """Let a sender's request in, unless it or everybody together have too many under way.

        Raises
        ------
        BusyError
        """
        with self._counting:
            own = self._under_way.get(sender, 0)
            if own >= _MOST_OF_ONE or sum(self._under_way.values()) >= _MOST_AT_ONCE:
                raise BusyError(of_sender=own >= _MOST_OF_ONE)
            self._under_way[sender] = own + 1
        try:
            yield
        finally:
            with self._counting:
                self._under_way[sender] -= 1
                if not self._under_way[sender]:
                    del self._under_way[sender]

    def take(
        self,
        messages: Sequence[Incoming],
        say: Callable[[Admitted, Outcome], Answer],
        *,
        once: Once | None = None,
        refuse: Callable[[Admitted], Answer | None] = lambda _: None,
        amend: Callable[[Admitted], Admitted] = lambda admitted: admitted,
    ) -> Answer:
        """Store and score the messages of one request in one transaction; tried again where another was in the way.

        Parameters
        ----------
        messages : sequence of Incoming
        say : callable
            Makes the answer.
        once : Once, optional
            By what the request is known again.
        refuse : callable
            May give an answer instead: then nothing at all is stored.
        amend : callable
            May reject more of what was admitted.

        Raises
        ------
        OtherRequestError
            Where the key was used for another request.
        """
        for left in reversed(range(_TRIES)):
            try:
                return self._take(amend(admit(messages, self.keeper)), say, once, refuse)
            except psycopg.errors.TransactionRollback:
                if not left:
                    raise
            except UnreadableStatesError as old:
                if not left:
                    raise
                rebuild(self.pool, old.patients)
        raise AssertionError("the last try returns or raises")

    def _take(
        self,
        admitted: Admitted,
        say: Callable[[Admitted, Outcome], Answer],
        once: Once | None,
        refuse: Callable[[Admitted], Answer | None],
    ) -> Answer:
        with self.pool.connection(timeout=_PATIENCE_S) as connection, connection.transaction():
            if once is not None:
                known = claim(connection, once)
                if known is not None:
                    return known
            answer = refuse(admitted) or _write(connection, admitted, say, refuse)
            if once is not None:
                keep(connection, once, answer)
            return answer


def _write(
    connection: psycopg.Connection,
    admitted: Admitted,
    say: Callable[[Admitted, Outcome], Answer],
    refuse: Callable[[Admitted], Answer | None],
) -> Answer:
    """Store what was admitted, unless what is stored already has the request refused after all."""
    refused = None
    with connection.transaction() as attempt:
        outcome = write_batch(connection, admitted, time.time_ns() // 1000)
        in_the_end = outcome.admitted or admitted
        if outcome.contrary and (refused := refuse(in_the_end)) is not None:
            raise psycopg.Rollback(attempt)
    return refused or say(in_the_end, outcome)


def claim(connection: psycopg.Connection, once: Once) -> Answer | None:
    """Take a request's key for this transaction; give what was answered where it was taken before.

    Raises
    ------
    OtherRequestError
    """
    connection.execute(_QUERIES["forget_answers"], [KEPT_S])
    place = [once.organisation_id, once.sender, once.key]
    if connection.execute(_QUERIES["claim_request"], [*place, once.digest]).fetchone():
        return None
    row = connection.execute(_QUERIES["earlier_answer"], place).fetchone()
    if row is None or bytes(row[0]) != once.digest:
        raise OtherRequestError
    return Answer(int(row[1]), row[2], again=True)


def keep(connection: psycopg.Connection, once: Once, answer: Answer) -> None:
    """Keep the answer, in the transaction that claimed the key."""
    place = [once.organisation_id, once.sender, once.key]
    written = Jsonb(answer.body, dumps=lambda body: json.dumps(body, ensure_ascii=True))
    connection.execute(_QUERIES["keep_answer"], [answer.status, written, *place])

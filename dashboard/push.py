"""How does an open page learn within moments that something changed?

Writers tell the database's channel ``homeward_live`` in their transaction; each process listens on one connection and
passes the word to its own browsers over the WebSocket ``/live``. A message carries no observation and no name: the page
asks for what it shows, through its own session. Messages to the browser, as JSON:

- ``{"type": "changed", "patients": [1, 2], "sites": [1], "episodes": true}``: something about these patients changed;
  ``null`` for patients means many, or that messages may have been missed: ask for everything shown. ``episodes`` says
  whether an episode changed as well. Only patients whom the person may see are named. ``sites`` are where they are now:
  a list of another site has not changed; ``null``, where somebody has gone from one site to another, means any.
- ``{"type": "heartbeat", "at": "2026-11-22T08:00:00+00:00"}``: every ten seconds, and only while this process hears the
  database. A page that has had none for 25 s is not live and must say so.
- ``{"type": "signed_out"}``: the session has ended; the socket closes with code 4401.

A refused handshake tells scripts nothing: after a close, ask ``/api/v1/me``, and where that answers 401, sign in again.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import random
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Annotated, Any, NamedTuple

import msgspec
import psycopg
import psycopg_pool
from fastapi import APIRouter, WebSocket, WebSocketDisconnect
from psycopg_pool import AsyncConnectionPool

from dashboard import identity
from dashboard.gate import PUSH
from dashboard.identity import Person, Session
from dashboard.permissions import Permission, may
from dashboard.sessions import CHANNEL as SESSIONS_CHANNEL
from dashboard.sessions import Sessions
from dashboard.together import Together
from schemas.database import acting_for_async

log = logging.getLogger(__name__)

CHANNEL = "homeward_live"
HEARTBEAT_S = 10.0
# A change reaches a quiet page at once; a busy one hears of changes gathered, at most so often.
SPACING_S = 0.3
# More than this and the page asks for all it shows anyway.
MOST_NAMED = 500
SEND_TIMEOUT_S = 15.0
SIGNED_OUT = 4401
LONGEST_BACK_OFF_S = 10.0


class Told(msgspec.Struct):
    """What a writer tells: patients of an organisation changed (many, where none is named), and perhaps episodes.

    ``moved``: they are no longer where they were, and so out of the sight of some who are told of nobody.
    """

    organisation: int
    patients: list[Annotated[int, msgspec.Meta(ge=1, le=2**31 - 1)]] | None = None
    episodes: bool = False
    moved: bool = False


class Gathered(NamedTuple):
    """What a page is told in one message; ``None`` for patients means many."""

    patients: set[int] | None
    episodes: bool
    moved: bool


@dataclass(eq=False)
class Browser:
    """One open page: what has changed for it since it was last told."""

    session: Session
    patients: set[int] = field(default_factory=set)
    is_many: bool = False
    episodes: bool = False
    moved: bool = False
    is_signed_out: bool = False
    told: asyncio.Event = field(default_factory=asyncio.Event)

    def add(self, patients: Iterable[int] | None, episodes: bool, *, moved: bool = False) -> None:
        """Gather a change until the next message."""
        if patients is None:
            self.is_many = True
        else:
            self.patients.update(patients)
        self.is_many = self.is_many or len(self.patients) > MOST_NAMED
        self.episodes = self.episodes or episodes
        self.moved = self.moved or moved
        self.told.set()

    def end(self) -> None:
        """Let the page know that its session has ended."""
        self.is_signed_out = True
        self.told.set()

    def take(self) -> Gathered | None:
        """Give what was gathered and begin anew; ``None`` where nothing was."""
        if not (self.patients or self.is_many):
            return None
        gathered = Gathered(None if self.is_many else self.patients, self.episodes, self.moved)
        self.patients, self.is_many, self.episodes, self.moved = set(), False, False, False
        return gathered


class Push:
    """The listening connection of this process, and the pages that are open on it."""

    def __init__(self, url: str, pool: AsyncConnectionPool, sessions: Sessions) -> None:
        self._url = url
        self._pool = pool
        self._sessions = sessions
        self._browsers: set[Browser] = set()
        self._is_listening = False
        self._together = Together()
        self.messages = 0

    @property
    def browsers(self) -> int:
        """How many pages are open."""
        return len(self._browsers)

    async def run(self) -> None:
        """Listen until cancelled; after a lost connection anew, telling every page that it may have missed some."""
        failures = 0
        while True:
            try:
                async with await psycopg.AsyncConnection.connect(
                    self._url, autocommit=True, connect_timeout=10, application_name="homeward-push"
                ) as connection:
                    await self._listen(connection)
            except Exception as exc:
                # whatever it was, pages that wait for word in vain are worse than one more attempt
                failures = 0 if self._is_listening else failures + 1
                self._is_listening = False
                log.warning("push lost the database", extra={"action": "push_lost", "error": type(exc).__name__})
                await asyncio.sleep(random.uniform(0.1, min(LONGEST_BACK_OFF_S, 0.5 * 2 ** min(failures, 6))))  # noqa: S311

    async def _listen(self, connection: psycopg.AsyncConnection[Any]) -> None:
        await connection.execute(f"listen {CHANNEL}")
        await connection.execute(f"listen {SESSIONS_CHANNEL}")
        self._is_listening = True
        for browser in self._browsers:
            browser.add(None, True)
        while True:
            async for notice in connection.notifies(timeout=HEARTBEAT_S / 2):
                self._pass_on(notice.channel, notice.payload)
            # a connection that died in silence is noticed here, and the pages hear no heartbeat meanwhile
            await asyncio.wait_for(connection.execute("select 1"), timeout=HEARTBEAT_S)

    def _pass_on(self, channel: str, payload: str) -> None:
        if channel == SESSIONS_CHANNEL:
            for browser in self._browsers:
                if browser.session.token_hash.hex() == payload:
                    browser.end()
            return
        try:
            told = msgspec.json.decode(payload, type=Told)
        except msgspec.DecodeError:
            log.warning("push understood no word of it", extra={"action": "push_malformed", "bytes": len(payload)})
            return
        for browser in self._browsers:
            if browser.session.person.organisation_id == told.organisation:
                browser.add(told.patients, told.episodes, moved=told.moved)

    async def serve(self, websocket: WebSocket) -> None:
        """Keep one page told until it goes away or its session ends."""
        await websocket.accept()
        browser = Browser(identity.current_session())
        self._browsers.add(browser)
        tasks = [asyncio.create_task(self._tell(websocket, browser)), asyncio.create_task(_listen_for_close(websocket))]
        try:
            await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        finally:
            self._browsers.discard(browser)
            for task in tasks:
                task.cancel()
            results = await asyncio.gather(*tasks, return_exceptions=True)
        for result in results:
            if isinstance(result, Exception) and not isinstance(result, _GONE):
                log.error("push to a page failed", extra={"action": "push_failed", "error": type(result).__name__})
        with contextlib.suppress(*_GONE):
            await websocket.close(SIGNED_OUT if browser.is_signed_out else 1011)

    async def _tell(self, websocket: WebSocket, browser: Browser) -> None:
        loop = asyncio.get_running_loop()
        next_beat = loop.time()
        while True:
            if loop.time() >= next_beat:
                next_beat = loop.time() + HEARTBEAT_S
                await self._beat(websocket, browser)
            if browser.is_signed_out:
                await self._send(websocket, {"type": "signed_out"})
                return
            browser.told.clear()
            await self._send_changes(websocket, browser)
            await asyncio.sleep(SPACING_S)
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(browser.told.wait(), max(0.0, next_beat - loop.time()))

    async def _beat(self, websocket: WebSocket, browser: Browser) -> None:
        """Say that the page is live, having looked whether the session still stands."""
        try:
            session = await self._sessions.find_by_hash(browser.session.token_hash)
        except (psycopg.OperationalError, psycopg_pool.PoolTimeout):
            return  # without the database nobody can be told that they are live, nor that they are not
        if session is None:
            browser.end()
        elif self._is_listening:
            await self._send(websocket, {"type": "heartbeat", "at": datetime.now(UTC).isoformat(timespec="seconds")})

    async def _send_changes(self, websocket: WebSocket, browser: Browser) -> None:
        gathered = browser.take()
        if gathered is None or not may(browser.session.person, Permission.SEE_PATIENTS):
            return
        named: dict[int, int] | None = None
        if gathered.patients is not None:
            try:
                named = await self._visible(browser.session.person, frozenset(gathered.patients))
            except (psycopg.OperationalError, psycopg_pool.PoolTimeout):
                browser.add(None, gathered.episodes)  # asked again after the pause, and then for everything
                return
            if not named and not gathered.moved:
                return
        sites = None if named is None or gathered.moved else sorted(set(named.values()))
        patients = None if named is None else sorted(named)
        await self._send(
            websocket, {"type": "changed", "patients": patients, "sites": sites, "episodes": gathered.episodes}
        )

    async def _visible(self, person: Person, patients: frozenset[int]) -> dict[int, int]:
        """Keep the patients whom the person may see, with their sites: the database decides it, as for every question.

        Once for all pages of one person.
        """

        async def found() -> dict[int, int]:
            async with (
                self._pool.connection() as connection,
                acting_for_async(connection, person.organisation_id, person.account_id, read_only=True),
            ):
                cursor = await connection.execute(
                    "select patient_id, site_id from patient where patient_id = any(%s::integer[])", [list(patients)]
                )
                return dict(await cursor.fetchall())

        return await self._together.ask((person, patients), found)

    async def _send(self, websocket: WebSocket, message: dict[str, Any]) -> None:
        await asyncio.wait_for(websocket.send_json(message), SEND_TIMEOUT_S)
        self.messages += 1


# A page that was closed, at whatever moment it is noticed.
_GONE = (WebSocketDisconnect, RuntimeError, TimeoutError, ConnectionError)


async def _listen_for_close(websocket: WebSocket) -> None:
    """Wait until the page goes away; what it sends means nothing."""
    while (await websocket.receive())["type"] != "websocket.disconnect":
        pass


def routes(push: Push) -> APIRouter:
    """Make the WebSocket route; the gate in front of it has found the session and checked the origin."""
    router = APIRouter()
    router.add_api_websocket_route(PUSH, push.serve)
    return router

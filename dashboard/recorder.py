"""Does an answer leave before the audit log tells whom it shows? No: this stands in its way.

The gate puts one `Recorder` around every request of a signed-in person. Before the answer begins, what was read of
patients is recorded where no entry tells of it; where it cannot be recorded, nothing of it is shown.
"""

from __future__ import annotations

import psycopg
import psycopg_pool
from psycopg.types.json import Jsonb
from starlette.datastructures import Headers
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from dashboard import identity, looks, problems, store
from dashboard.looks import Looks, Remembered


class Recorder:
    """Records the looks of requests; remembers for a while what it has recorded."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app
        self._remembered = Remembered()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        token = looks.begin(scope["path"].strip("/"))
        noted = looks.current()
        assert noted is not None
        refused = False

        async def recorded(message: Message) -> None:
            nonlocal refused
            if message["type"] == "http.response.start" and message["status"] < 400:
                try:
                    await self._record(noted)
                except (psycopg.Error, psycopg_pool.PoolTimeout) as exc:
                    refused = True
                    await problems.database_problem(exc, Headers(scope=scope))(scope, receive, send)
            if not refused:
                await send(message)

        try:
            await self._app(scope, receive, recorded)
            # what was read while the answer was under way
            if not refused:
                await self._record(noted)
        finally:
            looks.end(token)

    async def _record(self, noted: Looks) -> None:
        person = identity.current_or_none()
        if person is None:
            return
        subjects = self._remembered.unknown(person.account_id, noted.owed())
        if subjects:
            told = Jsonb({"what": noted.where})
            listed = [subject[1] for subject in subjects if isinstance(subject, tuple)]
            others = [subject for subject in subjects if isinstance(subject, str)]
            async with store.transaction() as connection:
                # first the list with its names, which then need not be told of without
                if listed:
                    await connection.execute(
                        "select record_list(%s, %s, %s, %s)", [noted.where, listed, told, looks.WHILE]
                    )
                if others:
                    await connection.execute("select record_looks(%s, %s, %s)", [others, told, looks.WHILE])
            self._remembered.add(person.account_id, subjects)
        noted.settle()

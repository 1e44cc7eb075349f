"""Which sign-in does a token belong to, and when does a sign-in begin and end?

The token is 32 random bytes that only the browser knows; the database keeps its SHA-256, so that a copy of the table
signs nobody in. Nothing is cached: a sign-out or a disabled account ends everything with the next request.
"""

from __future__ import annotations

import contextlib
import hashlib
import re
import secrets
from datetime import UTC, datetime, timedelta

import psycopg
from psycopg_pool import AsyncConnectionPool

from dashboard import audit
from dashboard.identity import Person, Session
from schemas.database import acting_for_async

# A long shift with its handovers; after it everyone signs in anew.
LIFETIME = timedelta(hours=12)
# Longer than a round, a handover or a meal, so that nobody signs in twice without having gone; a computer that was left
# and shows no page of ours any more lets the next person in no longer than that.
IDLE = timedelta(hours=2)
# A use is noted no more often than this: a page makes many requests, and a session is one row.
NOTED_EVERY = timedelta(minutes=1)
# Told at sign-out, so that every process closes that session's live connections; the payload is the hash in hex.
CHANNEL = "homeward_session"
_TOKEN = re.compile(r"[A-Za-z0-9_-]{43}\Z")


class Sessions:
    """The sign-ins of this installation, as the database has them."""

    def __init__(self, pool: AsyncConnectionPool) -> None:
        self._pool = pool

    async def find(self, token: str) -> Session | None:
        """Give the session of a token, in use now; ``None`` where there is none, it has ended or has no account."""
        if not _TOKEN.match(token):
            return None
        session = await self.find_by_hash(_digest(token))
        if session is not None:
            await self._note_use(session)
        return session

    async def find_by_hash(self, token_hash: bytes) -> Session | None:
        """Give the session again later, to learn whether it still stands; asking is no use of it."""
        async with self._pool.connection() as connection:
            # every request asks this: one question needs no beginning and end of a transaction around it
            await connection.set_autocommit(True)
            try:
                cursor = await connection.execute(
                    "select account_id, organisation_id, name, role, expires_at from account_for_session(%s)",
                    [token_hash],
                )
                row = await cursor.fetchone()
            finally:
                with contextlib.suppress(psycopg.Error):  # where the connection is lost, that error is the one to tell
                    await connection.set_autocommit(False)
        return Session(token_hash, Person(*row[:4]), row[4]) if row else None

    async def open(self, person: Person, *, method: str = "password", agent: str = "") -> tuple[str, Session]:
        """Begin a session and give its token, which is nowhere else; ``agent`` is the browser by its own word."""
        token = secrets.token_urlsafe(32)
        session = Session(_digest(token), person, datetime.now(UTC) + IDLE)
        async with (
            self._pool.connection() as connection,
            acting_for_async(connection, person.organisation_id, person.account_id),
        ):
            await connection.execute("delete from session where expires_at < now()")
            await connection.execute(
                "insert into session (token_hash, organisation_id, account_id, expires_at, method, agent) "
                "values (%s, %s, %s, %s, %s, %s)",
                [session.token_hash, person.organisation_id, person.account_id, session.expires_at, method, agent],
            )
            await audit.write(connection, person, "signed_in", f"account/{person.account_id}", method=method)
        return token, session

    async def _note_use(self, session: Session) -> None:
        """Move the end away from now, up to the lifetime; the row's own time of last use decides whether it is due."""
        if session.expires_at - datetime.now(UTC) > IDLE - NOTED_EVERY:
            return
        person = session.person
        async with (
            self._pool.connection() as connection,
            acting_for_async(connection, person.organisation_id, person.account_id),
        ):
            await connection.execute(
                "update session set seen_at = now(), expires_at = least(created_at + %s, now() + %s) "
                "where token_hash = %s and seen_at <= now() - %s",
                [LIFETIME, IDLE, session.token_hash, NOTED_EVERY],
            )

    async def close(self, session: Session) -> str:
        """End a session everywhere, live connections included, and say by which method it was signed in to."""
        person = session.person
        async with (
            self._pool.connection() as connection,
            acting_for_async(connection, person.organisation_id, person.account_id),
        ):
            cursor = await connection.execute(
                "delete from session where token_hash = %s returning method", [session.token_hash]
            )
            row = await cursor.fetchone()
            await connection.execute("select pg_notify(%s, %s)", [CHANNEL, session.token_hash.hex()])
            await audit.write(connection, person, "signed_out", f"account/{person.account_id}")
        return row[0] if row else ""


def _digest(token: str) -> bytes:
    return hashlib.sha256(token.encode()).digest()

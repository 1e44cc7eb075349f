"""Who is at work in this request?

The sign-in middleware sets the person and the database for each HTTP request and each WebSocket; a ContextVar carries
them into routes, layouts and callbacks, so nothing in between passes them on and nothing can forget to.
"""

from __future__ import annotations

from contextvars import ContextVar, Token
from dataclasses import dataclass
from datetime import datetime

from psycopg_pool import AsyncConnectionPool

# The account of nobody: what acts is the command line, with rights of its own in the database.
COMMAND_LINE = 0


@dataclass(frozen=True)
class Person:
    """A signed-in person: whose eyes the database is asked to look through."""

    account_id: int
    organisation_id: int
    name: str
    role: str


@dataclass(frozen=True)
class Session:
    """One sign-in of a person; the token itself is known to their browser only."""

    token_hash: bytes
    person: Person
    expires_at: datetime


class NotSignedInError(Exception):
    """Something asked for the person at work where nobody is signed in."""


_session: ContextVar[Session | None] = ContextVar("homeward_session", default=None)
_pool: ContextVar[AsyncConnectionPool | None] = ContextVar("homeward_pool", default=None)


def current_or_none() -> Person | None:
    """Give the person at work, or ``None`` where nobody is signed in (start-up, the sign-in page)."""
    session = _session.get()
    return session.person if session else None


def current() -> Person:
    """Give the person at work.

    Raises
    ------
    NotSignedInError
        Where nobody is signed in.
    """
    return current_session().person


def current_session() -> Session:
    """Give the sign-in under which this request runs; raises as `current` does."""
    session = _session.get()
    if session is None:
        raise NotSignedInError("nobody is signed in here")
    return session


def current_pool() -> AsyncConnectionPool:
    """Give the database of the application that serves this request."""
    pool = _pool.get()
    if pool is None:
        raise NotSignedInError("no request is being served here, so there is no database to ask")
    return pool


def enter(
    pool: AsyncConnectionPool, session: Session | None
) -> tuple[Token[AsyncConnectionPool | None], Token[Session | None]]:
    """Set both for the request that begins; `leave` takes the result back."""
    return _pool.set(pool), _session.set(session)


def leave(tokens: tuple[Token[AsyncConnectionPool | None], Token[Session | None]]) -> None:
    """Forget them when the request has ended."""
    _pool.reset(tokens[0])
    _session.reset(tokens[1])

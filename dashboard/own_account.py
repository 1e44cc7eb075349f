"""How does a person look after their own account: where they are signed in, and their password?"""

from __future__ import annotations

from typing import Any

import psycopg

from dashboard import audit, identity, store
from dashboard.actions import InvalidActionError, NotThereError
from dashboard.identity import Person
from dashboard.passwords import PasswordCheck, hash_password_async, refusal
from dashboard.people import FILE, Row


async def own_sessions() -> list[Row]:
    """List where the person at work is signed in."""
    session = identity.current_session()
    return await store.fetch_from(FILE, "sessions", account=session.person.account_id, own=session.token_hash)


async def end_own_session(session_id: int) -> None:
    """End one of one's own sign-ins, live connections included."""
    person = identity.current()
    async with store.transaction() as connection:
        ended = await _run(connection, "end_session", account=person.account_id, session=session_id)
        if not ended:
            raise NotThereError("This sign-in has ended already.")
        await _tell_ended(connection, ended)
        await _note(connection, person, "session_ended")


async def end_other_sessions() -> int:
    """End all of one's own sign-ins but this one, and say how many those were."""
    session = identity.current_session()
    async with store.transaction() as connection:
        ended = await _end_others(connection, session)
        await _note(connection, session.person, "session_ended", sessions=ended)
    return ended


async def own_sign_in(connection: psycopg.AsyncConnection[Any]) -> str:
    """Give the sign-in name of the person at work."""
    [found] = await _run(connection, "own_names", account=identity.current().account_id)
    return str(found["sign_in"])


async def confirm_password(check: PasswordCheck, password: str) -> None:
    """Go on only where the person at work says their password; whoever took over an open page cannot.

    Raises
    ------
    InvalidActionError
        Where it is not the one, or was tried too often.
    """
    person = identity.current()
    async with check.turn:
        async with store.transaction(read_only=True) as connection:
            [stored] = await _run(connection, "own_hash", account=person.account_id)
        matches = await check.matches(password, stored["password_hash"])
        if stored["is_locked"]:
            raise InvalidActionError("There were too many attempts; wait 15 minutes.")
        if not matches:
            async with store.transaction() as connection:
                await connection.execute("select record_sign_in_attempt(%s, false)", [person.account_id])
                await _note(connection, person, "password_not_confirmed")
            raise InvalidActionError("The present password is not right.")


async def change_own_password(check: PasswordCheck, current: str, new: str) -> None:
    """Change the password of the person at work, who says the present one, and end their other sign-ins."""
    session = identity.current_session()
    person = session.person
    await confirm_password(check, current)
    async with store.transaction(read_only=True) as connection:
        [found] = await _run(connection, "own_names", account=person.account_id)
    why_not = refusal(new, found["sign_in"], found["name"])
    if why_not:
        raise InvalidActionError(why_not)
    hashed = await hash_password_async(new)
    async with store.transaction() as connection:
        await _run(connection, "set_password", account=person.account_id, password_hash=hashed)
        await _end_others(connection, session)
        await _note(connection, person, "password_set")


async def _end_others(connection: psycopg.AsyncConnection[Any], session: identity.Session) -> int:
    ended = await _run(connection, "end_other_sessions", account=session.person.account_id, own=session.token_hash)
    await _tell_ended(connection, ended)
    return len(ended)


async def _tell_ended(connection: psycopg.AsyncConnection[Any], ended: list[Row]) -> None:
    for row in ended:
        await _run(connection, "tell_ended", hash=row["token_hash"])


async def _note(connection: psycopg.AsyncConnection[Any], person: Person, action: str, **detail: Any) -> None:
    await audit.write(connection, person, action, f"account/{person.account_id}", **detail)


async def _run(connection: psycopg.AsyncConnection[Any], query: str, /, **parameters: Any) -> list[Row]:
    return await store.rows(connection, store.queries(FILE)[query], **parameters)

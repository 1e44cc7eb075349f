"""Where does a person want to be told, and how do they show that an address is theirs?

A code is sent to it by the notifier, as every message is; it is sealed on its way, and only its hash is kept.
"""

from __future__ import annotations

import hashlib
import hmac
import re
import secrets
from typing import Any

import psycopg

from dashboard import audit, identity, store
from dashboard.actions import InvalidActionError
from schemas import sealed, telephone

FILE = "messages.sql"
MOST_TRIES = 5
MOST_CODES = 10
"""Codes and test messages that go to a person within an hour."""
_EMAIL = re.compile(r"[^\s@<>,;\"()\[\]\\]{1,64}@[a-z0-9]([a-z0-9.-]{0,188}[a-z0-9])?\.[a-z]{2,24}\Z", re.IGNORECASE)
Row = dict[str, Any]


async def own() -> list[Row]:
    """List the addresses of the person at work."""
    return await store.fetch_from(FILE, "own_contacts", account=identity.current().account_id)


async def told() -> list[Row]:
    """List what they were told lately."""
    return await store.fetch_from(FILE, "own_deliveries", account=identity.current().account_id)


def checked_address(kind: str, given: str) -> str:
    """Tidy an address; raises `InvalidActionError` where it is none."""
    if kind == "email":
        tidy = given.strip()
        if not _EMAIL.match(tidy):
            raise InvalidActionError("That is no e-mail address; write it like name@trust.example.")
        return tidy
    try:
        return telephone.read(given)
    except ValueError as wrong:
        raise InvalidActionError(str(wrong)) from wrong


def masked(kind: str, address: str) -> str:
    """Give as much of an address as tells it from another, and not enough to reach anybody."""
    return f"…@{address.rpartition('@')[2]}" if kind == "email" else f"…{address[-3:]}"


async def add(kind: str, given: str) -> int:
    """Note an address of the person at work and send a code to it; doing it again sends another code."""
    person, address = identity.current(), checked_address(kind, given)
    code = f"{secrets.randbelow(1_000_000):06}"
    async with store.transaction() as connection:
        await limit(connection, person.account_id)
        added = await _run(
            connection, "add_contact", organisation=person.organisation_id, account=person.account_id, kind=kind,
            address=address, code_hash=_hash(person.account_id, code),
        )  # fmt: skip
        if not added:
            raise InvalidActionError("This address is confirmed already.")
        contact: int = added[0]["contact_id"]
        await _send(connection, person, "code", kind, contact, await seal(connection, code))
        await audit.write(connection, person, "contact_added", f"contact/{contact}", kind=kind)
    return contact


async def confirm(contact: int, code: str) -> None:
    """Take a code that has come back."""
    person = identity.current()
    async with store.transaction() as connection:
        rows = await _run(connection, "lock_contact", contact=contact, account=person.account_id)
        if not rows or rows[0]["verified_at"] is not None:
            raise InvalidActionError("There is no address to confirm.")
        row = rows[0]
        is_right = row["code_hash"] is not None and hmac.compare_digest(
            bytes(row["code_hash"]), _hash(person.account_id, code.strip())
        )
        spent = not row["is_fresh"] or row["code_tries"] >= MOST_TRIES
        if is_right and not spent:
            await _run(connection, "verified", contact=contact)
            await audit.write(connection, person, "contact_confirmed", f"contact/{contact}", kind=row["kind"])
            return
        # counted in this transaction, which is why the complaint comes after it
        await _run(connection, "code_tried", contact=contact)
    raise InvalidActionError("This code is no longer valid; send another." if spent else "That is not the code.")


async def set_wanted(contact: int, *, wanted: bool) -> None:
    """Say whether one wants to be told there."""
    person = identity.current()
    async with store.transaction() as connection:
        changed = await _run(connection, "set_wanted", contact=contact, account=person.account_id, wanted=wanted)
        if not changed:
            raise InvalidActionError("Only an address that is confirmed can be used.")
        await audit.write(connection, person, "contact_changed", f"contact/{contact}", wanted=wanted)


async def remove(contact: int) -> None:
    """Forget an address."""
    person = identity.current()
    async with store.transaction() as connection:
        if await _run(connection, "remove_contact", contact=contact, account=person.account_id):
            await audit.write(connection, person, "contact_removed", f"contact/{contact}")


async def test(contact: int) -> None:
    """Send a test message to an address of one's own."""
    person = identity.current()
    async with store.transaction() as connection:
        await limit(connection, person.account_id)
        rows = await _run(connection, "lock_contact", contact=contact, account=person.account_id)
        if not rows or rows[0]["verified_at"] is None:
            raise InvalidActionError("Only an address that is confirmed can be tested.")
        await _send(connection, person, "test", rows[0]["kind"], contact, None)
        await audit.write(connection, person, "test_message", f"contact/{contact}")


async def seal(connection: psycopg.AsyncConnection[Any], secret: str) -> bytes:
    """Seal something for the notifiers; raises `InvalidActionError` where none has run yet."""
    rows = await _run(connection, "public_key")
    if not rows:
        raise InvalidActionError("No notifier has run yet, so nothing can be sealed for it; start `homeward notify`.")
    return sealed.seal(bytes(rows[0]["public_key"]), secret)


async def limit(connection: psycopg.AsyncConnection[Any], account: int) -> None:
    """Refuse another code or test message to a person who was sent many lately, whoever asks for it."""
    # of two requests at once the second counts what the first has sent
    await _run(connection, "lock_codes", account=account)
    [lately] = await _run(connection, "codes_lately", account=account)
    if lately["codes"] >= MOST_CODES:
        raise InvalidActionError(f"{MOST_CODES} codes and tests were sent in the last hour; wait before the next.")


async def _send(
    connection: psycopg.AsyncConnection[Any],
    person: identity.Person,
    purpose: str,
    kind: str,
    contact: int,
    code: bytes | None,
) -> None:
    await _run(
        connection, "send", organisation=person.organisation_id, account=person.account_id, site=None, channel=None,
        purpose=purpose, kind=kind, contact=contact, sealed=code,
    )  # fmt: skip


def _hash(account: int, code: str) -> bytes:
    return hashlib.sha256(f"{account}:{code}".encode()).digest()


async def _run(connection: psycopg.AsyncConnection[Any], query: str, /, **parameters: Any) -> list[Row]:
    return await store.rows(connection, store.queries(FILE)[query], **parameters)

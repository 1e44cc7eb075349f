"""Where is somebody on call reached whose address an administrator enters, and who vouches for it?

Usually a person enters an address of their own and sends its code back. Somebody who is to be on call tonight may not
get to it: an administrator who knows the number enters it and vouches for it with their name. A test message goes there
at once, so that a wrong digit is seen before it is needed.
"""

from __future__ import annotations

from typing import Any

import psycopg

from dashboard import audit, identity, store
from dashboard.actions import InvalidActionError, NotThereError
from dashboard.contacts import FILE, checked_address, limit, masked
from dashboard.permissions import Permission, require

KINDS = ("email", "sms")
Row = dict[str, Any]


async def listed(account: int) -> list[Row]:
    """List somebody's addresses, with who vouches for each."""
    require(identity.current(), Permission.MANAGE_ACCOUNTS)
    async with store.transaction(read_only=True) as connection:
        if not await _run(connection, "is_there", account=account):
            raise NotThereError("There is no such account.")
        return await _run(connection, "own_contacts", account=account)


async def vouch(account: int, kind: str, given: str) -> int:
    """Enter an address of somebody, vouch for it, and send it a test message."""
    person = identity.current()
    require(person, Permission.MANAGE_ACCOUNTS)
    if kind not in KINDS:
        raise InvalidActionError("Choose e-mail or text message.")
    address = checked_address(kind, given)
    async with store.transaction() as connection:
        known = await _run(connection, "is_there", account=account)
        if not known:
            raise NotThereError("There is no such account.")
        if known[0]["disabled_at"] is not None:
            raise InvalidActionError("This account is disabled; enable it first.")
        whose = {"organisation": person.organisation_id, "account": account, "kind": kind}
        await limit(connection, account)
        added = await _run(connection, "vouch", address=address, by=person.account_id, **whose)
        if not added:
            raise InvalidActionError("This address is confirmed already.")
        contact: int = added[0]["contact_id"]
        await _run(connection, "send", site=None, channel=None, purpose="test", contact=contact, sealed=None, **whose)
        await audit.write(
            connection, person, "contact_vouched", f"contact/{contact}", kind=kind, account=account,
            address=masked(kind, address),
        )  # fmt: skip
    return contact


async def remove(account: int, contact: int) -> None:
    """Forget an address of somebody."""
    person = identity.current()
    require(person, Permission.MANAGE_ACCOUNTS)
    async with store.transaction() as connection:
        if not await _run(connection, "remove_contact", contact=contact, account=account):
            raise NotThereError("There is no such address.")
        await audit.write(connection, person, "contact_removed", f"contact/{contact}", account=account)


async def _run(connection: psycopg.AsyncConnection[Any], query: str, /, **parameters: Any) -> list[Row]:
    return await store.rows(connection, store.queries(FILE)[query], **parameters)

"""Who may sign in, in which role and for which sites?

An administrator never learns or chooses anybody's password: they hand over a link that lets its holder choose one, once
and within a day. The link's token is known to whoever was given it; the database has its hash.
"""

from __future__ import annotations

import hashlib
import secrets
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import psycopg

from dashboard import audit, identity, second_factor, store
from dashboard.actions import InvalidActionError, NotThereError
from dashboard.identity import Person
from dashboard.permissions import PERMISSIONS, Permission, require

FILE = "people.sql"
LINK_VALID = timedelta(hours=24)
LONGEST_NAME = 200
Row = dict[str, Any]


@dataclass(frozen=True)
class Entitlement:
    """What an account may: a role, and the sites by number, or ``None`` for every site."""

    role: str
    sites: tuple[int, ...] | None


@dataclass(frozen=True)
class Link:
    """A link to choose a password: its token goes into the address ``/choose-password``."""

    token: str
    expires_at: datetime


async def accounts(
    search: str = "",
    role: str | None = None,
    *,
    disabled: bool = True,
    limit: int = 500,
    after: tuple[str | None, int | None] = (None, None),
) -> list[Row]:
    """List the organisation's accounts by name."""
    require(identity.current(), Permission.MANAGE_ACCOUNTS)
    text = " ".join(search.split()).replace("\\", r"\\").replace("%", r"\%").replace("_", r"\_")
    given = {"role": role, "disabled": disabled, "limit": limit, "search": f"%{text}%" if text else None}
    return await store.fetch_from(FILE, "accounts", **given, account=None, after_name=after[0], after_id=after[1])


async def account(account_id: int) -> Row:
    """Give one account with what it has: sites, a second factor, identities at a provider."""
    require(identity.current(), Permission.MANAGE_ACCOUNTS)
    nothing = dict.fromkeys(("role", "search", "after_name", "after_id"))
    async with store.transaction(read_only=True) as connection:
        rows = await _run(connection, "accounts", account=account_id, disabled=True, limit=1, **nothing)
        if not rows:
            raise NotThereError("There is no such account.")
        identities = await _run(connection, "identities", account=account_id)
    return rows[0] | {"identities": identities}


async def add(sign_in: str, name: str, entitlement: Entitlement) -> tuple[int, Link]:
    """Make an account without a password, and the link by which its person chooses one."""
    person = administrator()
    sign_in, name = word(sign_in, "sign-in name").lower(), word(name, "name")
    if any(c.isspace() for c in sign_in) or sign_in.startswith("provider:"):
        raise InvalidActionError("A sign-in name has no spaces and does not begin with “provider:”.")
    _check_role(entitlement)
    async with store.transaction() as connection:
        try:
            async with connection.transaction():
                [made] = await _run(
                    connection,
                    "add_account",
                    organisation=person.organisation_id,
                    sign_in=sign_in,
                    name=name,
                    role=entitlement.role,
                    all_sites=entitlement.sites is None,
                )
        except psycopg.errors.UniqueViolation as exc:
            raise InvalidActionError(f"The sign-in name {sign_in} is taken; choose another.") from exc
        number = int(made["account_id"])
        await _give_sites(connection, number, entitlement)
        await _note(connection, "account_added", number, role=entitlement.role, sites=entitlement.sites)
        link = await _make_link(connection, person, number)
    return number, link


async def change(account_id: int, name: str, entitlement: Entitlement) -> None:
    """Give an account another name, role or sites; where its rights change, its sessions end."""
    person = administrator()
    name = word(name, "name")
    _check_role(entitlement)
    async with store.transaction() as connection:
        [before] = await _lock(connection, account_id)
        if account_id == person.account_id and before["role"] != entitlement.role:
            raise InvalidActionError("Nobody changes their own role; ask another administrator.")
        await _run(
            connection,
            "change_account",
            account=account_id,
            name=name,
            role=entitlement.role,
            all_sites=entitlement.sites is None,
        )
        await _run(connection, "remove_sites", account=account_id)
        await _give_sites(connection, account_id, entitlement)
        await _note(
            connection, "account_changed", account_id, role=entitlement.role, sites=entitlement.sites,
            role_before=before["role"],
        )  # fmt: skip


async def disable(account_id: int, reason: str = "") -> None:
    """Let nobody sign in to an account any more, and end its sessions; what it did stays in the record."""
    person = administrator()
    if account_id == person.account_id:
        raise InvalidActionError("Nobody disables their own account; ask another administrator.")
    async with store.transaction() as connection:
        await _lock(connection, account_id)
        await _run(connection, "disable", account=account_id)
        await _run(connection, "void_links", account=account_id)
        await _note(connection, "account_disabled", account_id, reason=reason[:1000])


async def enable(account_id: int) -> None:
    """Let an account be signed in to again."""
    administrator()
    async with store.transaction() as connection:
        await _lock(connection, account_id)
        await _run(connection, "enable", account=account_id)
        await _note(connection, "account_enabled", account_id)


async def make_link(account_id: int) -> Link:
    """Give a new link to choose a password; earlier ones are void."""
    person = administrator()
    _somebody_else(account_id)
    async with store.transaction() as connection:
        [found] = await _lock(connection, account_id)
        if found["disabled_at"] is not None:
            raise InvalidActionError("This account is disabled; enable it first.")
        return await _make_link(connection, person, account_id)


async def reset_second_factor(account_id: int) -> None:
    """Take an account's second factor away, for somebody who lost telephone and recovery codes."""
    administrator()
    _somebody_else(account_id)
    async with store.transaction() as connection:
        await _lock(connection, account_id)
        await second_factor.remove(connection, account_id)
        await _note(connection, "second_factor_reset", account_id)


async def link_identity(account_id: int, issuer: str, subject: str) -> None:
    """Let somebody whom a provider knows under this subject sign in to an account."""
    person = administrator()
    issuer, subject = word(issuer, "issuer"), word(subject, "subject")
    async with store.transaction() as connection:
        await _lock(connection, account_id)
        try:
            async with connection.transaction():
                await _run(
                    connection,
                    "add_identity",
                    issuer=issuer,
                    subject=subject,
                    organisation=person.organisation_id,
                    account=account_id,
                )
        except psycopg.errors.UniqueViolation as exc:
            raise InvalidActionError("This subject of the provider belongs to an account already.") from exc
        await _note(connection, "identity_linked", account_id, issuer=issuer)


async def unlink_identities(account_id: int) -> None:
    """Let nobody sign in to an account through a provider any more."""
    administrator()
    async with store.transaction() as connection:
        await _lock(connection, account_id)
        await _run(connection, "remove_identities", account=account_id)
        await _note(connection, "identity_unlinked", account_id)


async def names() -> list[Row]:
    """Name the organisation's people, for whoever checks what they did."""
    require(identity.current(), Permission.SEE_AUDIT)
    return await store.fetch_from(FILE, "names")


def token_hash(token: str) -> bytes:
    """Give what the database keeps of a link's token."""
    return hashlib.sha256(token.encode()).digest()


def link_path(link: Link) -> str:
    """Give the address of a link on this server."""
    return f"/choose-password?token={link.token}"


async def _make_link(connection: psycopg.AsyncConnection[Any], person: Person, account_id: int) -> Link:
    link = Link(secrets.token_urlsafe(32), datetime.now(UTC) + LINK_VALID)
    await _run(connection, "void_links", account=account_id)
    await _run(
        connection,
        "add_link",
        hash=token_hash(link.token),
        organisation=person.organisation_id,
        account=account_id,
        by=person.account_id or None,
        expires_at=link.expires_at,
    )
    await _note(connection, "password_link_made", account_id)
    return link


async def _give_sites(connection: psycopg.AsyncConnection[Any], account_id: int, entitlement: Entitlement) -> None:
    wanted = sorted(set(entitlement.sites or ()))
    given = await _run(connection, "add_sites", account=account_id, sites=wanted) if wanted else []
    if len(given) != len(wanted):
        raise NotThereError("There is no such site.")


async def _lock(connection: psycopg.AsyncConnection[Any], account_id: int) -> list[Row]:
    found = await _run(connection, "lock_account", account=account_id)
    if not found:
        raise NotThereError("There is no such account.")
    return found


async def _note(connection: psycopg.AsyncConnection[Any], action: str, account_id: int, **detail: Any) -> None:
    await audit.write(connection, identity.current(), action, f"account/{account_id}", **detail)


def administrator() -> Person:
    """Give the person at work, who may manage accounts; raises `NotPermittedError` where they may not."""
    person = identity.current()
    require(person, Permission.MANAGE_ACCOUNTS)
    return person


def _somebody_else(account_id: int) -> None:
    """Refuse what would let whoever finds an open page into the account that it is open with, without the password."""
    if account_id == identity.current().account_id:
        raise InvalidActionError(
            "Change your own password and second factor under “Your account”, with your present password."
        )


def _check_role(entitlement: Entitlement) -> None:
    if entitlement.role not in PERMISSIONS:
        raise InvalidActionError(f"There is no role {entitlement.role}; there are {', '.join(PERMISSIONS)}.")
    if entitlement.sites is not None and not entitlement.sites:
        raise InvalidActionError("Choose at least one site, or all sites.")


def word(given: str, what: str) -> str:
    """Tidy a name; raises `InvalidActionError` where it is none."""
    text = " ".join(given.split())
    if not text or len(text) > LONGEST_NAME or not text.isprintable():
        raise InvalidActionError(f"A {what} has 1 to {LONGEST_NAME} characters.")
    return text


async def _run(connection: psycopg.AsyncConnection[Any], query: str, /, **parameters: Any) -> list[Row]:
    return await store.rows(connection, store.queries(FILE)[query], **parameters)

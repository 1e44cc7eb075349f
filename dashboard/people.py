"""Who may sign in, in which role and for which sites; and how does a person look after their own account?

An administrator never learns or chooses anybody's password: they hand over a link that lets its holder choose one, once
and within a day. The link's token is known to whoever was given it; the database has its hash.
"""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import psycopg

from dashboard import audit, identity, second_factor, store
from dashboard.actions import InvalidActionError, NotThereError
from dashboard.identity import Person
from dashboard.passwords import PasswordCheck, hash_password_async, refusal
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
    person = _administrator()
    sign_in, name = _word(sign_in, "sign-in name").lower(), _word(name, "name")
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
    person = _administrator()
    name = _word(name, "name")
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
    person = _administrator()
    if account_id == person.account_id:
        raise InvalidActionError("Nobody disables their own account; ask another administrator.")
    async with store.transaction() as connection:
        await _lock(connection, account_id)
        await _run(connection, "disable", account=account_id)
        await _run(connection, "void_links", account=account_id)
        await _note(connection, "account_disabled", account_id, reason=reason[:1000])


async def enable(account_id: int) -> None:
    """Let an account be signed in to again."""
    _administrator()
    async with store.transaction() as connection:
        await _lock(connection, account_id)
        await _run(connection, "enable", account=account_id)
        await _note(connection, "account_enabled", account_id)


async def make_link(account_id: int) -> Link:
    """Give a new link to choose a password; earlier ones are void."""
    person = _administrator()
    _somebody_else(account_id)
    async with store.transaction() as connection:
        [found] = await _lock(connection, account_id)
        if found["disabled_at"] is not None:
            raise InvalidActionError("This account is disabled; enable it first.")
        return await _make_link(connection, person, account_id)


async def reset_second_factor(account_id: int) -> None:
    """Take an account's second factor away, for somebody who lost telephone and recovery codes."""
    _administrator()
    _somebody_else(account_id)
    async with store.transaction() as connection:
        await _lock(connection, account_id)
        await second_factor.remove(connection, account_id)
        await _note(connection, "second_factor_reset", account_id)


async def link_identity(account_id: int, issuer: str, subject: str) -> None:
    """Let somebody whom a provider knows under this subject sign in to an account."""
    person = _administrator()
    issuer, subject = _word(issuer, "issuer"), _word(subject, "subject")
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
    _administrator()
    async with store.transaction() as connection:
        await _lock(connection, account_id)
        await _run(connection, "remove_identities", account=account_id)
        await _note(connection, "identity_unlinked", account_id)


async def names() -> list[Row]:
    """Name the organisation's people, for whoever checks what they did."""
    require(identity.current(), Permission.SEE_AUDIT)
    return await store.fetch_from(FILE, "names")


# ------------------------------------------------------------------------------------------ how people sign in here


async def sign_in_rules() -> tuple[list[str], list[Row]]:
    """Give the roles that need a second factor, and the rules for who gets an account from a provider."""
    require(identity.current(), Permission.MANAGE_ACCOUNTS)
    async with store.transaction(read_only=True) as connection:
        [found] = await _run(connection, "second_factor_roles")
        return found["roles"], await _run(connection, "rules")


async def require_second_factor(roles: Sequence[str]) -> None:
    """Ask a second factor of everybody in these roles; who has none enrols one at the next sign-in."""
    _administrator()
    unknown = sorted(set(roles) - set(PERMISSIONS))
    if unknown:
        raise InvalidActionError(f"There is no role {unknown[0]}; there are {', '.join(PERMISSIONS)}.")
    async with store.transaction() as connection:
        await _run(connection, "set_second_factor_roles", roles=sorted(set(roles)))
        await audit.write(
            connection, identity.current(), "second_factor_required", "organisation", roles=sorted(set(roles))
        )


async def add_rule(issuer: str, claim: str, value: str, role: str, site: int | None) -> int:
    """Give whoever has this value of a claim an account of a role at their first sign-in through the provider."""
    person = _administrator()
    if role not in PERMISSIONS or role == "administrator":
        raise InvalidActionError("A rule gives any role but administrator; make an administrator's account by hand.")
    parts = {"issuer": _word(issuer, "issuer"), "claim": _word(claim, "claim"), "value": _word(value, "value")}
    async with store.transaction() as connection:
        try:
            async with connection.transaction():
                [made] = await _run(
                    connection, "add_rule", organisation=person.organisation_id, role=role, site=site, **parts
                )
        except psycopg.errors.UniqueViolation as exc:
            raise InvalidActionError("There is a rule for this value already; remove it first.") from exc
        except psycopg.errors.ForeignKeyViolation as exc:
            raise InvalidActionError("There is no such site.") from exc
        await audit.write(connection, person, "identity_rule_added", f"rule/{made['rule_id']}", role=role)
    return int(made["rule_id"])


async def remove_rule(rule_id: int) -> None:
    """Take a rule away; accounts that it made stay."""
    person = _administrator()
    async with store.transaction() as connection:
        if not await _run(connection, "remove_rule", rule=rule_id):
            raise NotThereError("There is no such rule.")
        await audit.write(connection, person, "identity_rule_removed", f"rule/{rule_id}")


# ---------------------------------------------------------------------------------------------------- one's own account


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
        await _note(connection, "session_ended", person.account_id)


async def end_other_sessions() -> int:
    """End all of one's own sign-ins but this one, and say how many those were."""
    session = identity.current_session()
    async with store.transaction() as connection:
        ended = await _end_others(connection, session)
        await _note(connection, "session_ended", session.person.account_id, sessions=ended)
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
                await _note(connection, "password_not_confirmed", person.account_id)
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
        await _note(connection, "password_set", person.account_id)


# ------------------------------------------------------------------------------------------------------------- parts


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


async def _end_others(connection: psycopg.AsyncConnection[Any], session: identity.Session) -> int:
    ended = await _run(connection, "end_other_sessions", account=session.person.account_id, own=session.token_hash)
    await _tell_ended(connection, ended)
    return len(ended)


async def _tell_ended(connection: psycopg.AsyncConnection[Any], ended: list[Row]) -> None:
    for row in ended:
        await _run(connection, "tell_ended", hash=row["token_hash"])


async def _note(connection: psycopg.AsyncConnection[Any], action: str, account_id: int, **detail: Any) -> None:
    await audit.write(connection, identity.current(), action, f"account/{account_id}", **detail)


def _administrator() -> Person:
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


def _word(given: str, what: str) -> str:
    text = " ".join(given.split())
    if not text or len(text) > LONGEST_NAME or not text.isprintable():
        raise InvalidActionError(f"A {what} has 1 to {LONGEST_NAME} characters.")
    return text


async def _run(connection: psycopg.AsyncConnection[Any], query: str, /, **parameters: Any) -> list[Row]:
    return await store.rows(connection, store.queries(FILE)[query], **parameters)

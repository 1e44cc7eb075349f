"""Who needs a second factor, and who of a provider of identities gets an account at the first sign-in?"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import psycopg

from dashboard import audit, identity, store
from dashboard.actions import InvalidActionError, NotThereError
from dashboard.people import FILE, Row, administrator, word
from dashboard.permissions import PERMISSIONS, Permission, require


async def read() -> tuple[list[str], list[Row]]:
    """Give the roles that need a second factor, and the rules for who gets an account from a provider."""
    require(identity.current(), Permission.MANAGE_ACCOUNTS)
    async with store.transaction(read_only=True) as connection:
        [found] = await _run(connection, "second_factor_roles")
        return found["roles"], await _run(connection, "rules")


async def require_second_factor(roles: Sequence[str]) -> None:
    """Ask a second factor of everybody in these roles; who has none enrols one at the next sign-in."""
    administrator()
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
    person = administrator()
    if role not in PERMISSIONS or role == "administrator":
        raise InvalidActionError("A rule gives any role but administrator; make an administrator's account by hand.")
    parts = {"issuer": word(issuer, "issuer"), "claim": word(claim, "claim"), "value": word(value, "value")}
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
    person = administrator()
    async with store.transaction() as connection:
        if not await _run(connection, "remove_rule", rule=rule_id):
            raise NotThereError("There is no such rule.")
        await audit.write(connection, person, "identity_rule_removed", f"rule/{rule_id}")


async def _run(connection: psycopg.AsyncConnection[Any], query: str, /, **parameters: Any) -> list[Row]:
    return await store.rows(connection, store.queries(FILE)[query], **parameters)

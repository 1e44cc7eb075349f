"""Who looked at what, who changed what, and has anyone touched the record of it?

Each organisation's entries form a chain: an entry's hash covers its content and the hash of the entry before. `verify`
walks the chain and computes every hash anew, in this process rather than in the database that it mistrusts.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any

import psycopg
from psycopg.types.json import Jsonb

from dashboard import identity, looks, store
from dashboard.permissions import Permission, require

_WALKED_AT_ONCE = 2000
# The fields in the order in which audit_digest of the first migration joins them.
_ENTRIES = """
    select audit_id, previous_hash, hash, concat_ws(e'\\x1f', organisation_id, extract(epoch from at),
        coalesce(account_id, 0), action, object, detail::text)
    from audit_log where organisation_id = %s order by audit_id
"""


@dataclass(frozen=True)
class Verification:
    """What a walk along the chain found; an empty chain is intact."""

    entries: int
    first_broken: int | None
    last_hash: str
    expected_found: bool = True

    @property
    def intact(self) -> bool:
        """Say whether every entry is as it was written, none is missing between two others, nor the expected one."""
        return self.first_broken is None and self.expected_found


def verify(connection: psycopg.Connection[Any], organisation_id: int, expected: str = "") -> Verification:
    """Walk an organisation's chain and name the first entry that is changed or follows a removed one.

    Entries cut off at the end leave a shorter chain without a break: give the ``last_hash`` of an earlier report as
    ``expected``, and it must be found again. The connection must be allowed to read the organisation's audit log
    (`schemas.database.acting_for`).
    """
    previous, count, found = b"", 0, not expected
    with connection.transaction(), connection.cursor(name="audit_walk") as cursor:
        cursor.execute(_ENTRIES, [organisation_id])
        for audit_id, previous_hash, digest, content in cursor:
            computed = hashlib.sha256(bytes(previous_hash) + content.encode()).digest()
            if bytes(previous_hash) != previous or bytes(digest) != computed:
                return Verification(count, audit_id, previous.hex(), found)
            previous, count = bytes(digest), count + 1
            found = found or previous.hex() == expected
    return Verification(count, None, previous.hex(), found)


async def verify_own() -> Verification:
    """Walk the chain of the organisation of the person at work, as `verify` does."""
    person = identity.current()
    require(person, Permission.SEE_AUDIT)
    previous, count = b"", 0
    async with (
        store.transaction(read_only=True) as connection,
        connection.cursor(name="audit_walk") as cursor,
    ):
        cursor.itersize = _WALKED_AT_ONCE
        await cursor.execute(_ENTRIES, [person.organisation_id])
        async for audit_id, previous_hash, digest, content in cursor:
            computed = hashlib.sha256(bytes(previous_hash) + content.encode()).digest()
            if bytes(previous_hash) != previous or bytes(digest) != computed:
                return Verification(count, audit_id, previous.hex())
            previous, count = bytes(digest), count + 1
    return Verification(count, None, previous.hex())


@dataclass(frozen=True)
class Search:
    """Which entries of the log someone looks for; what is not given narrows nothing."""

    account: int | None = None
    patient: int | None = None
    action: str | None = None
    since: datetime | None = None
    until: datetime | None = None


async def entries(
    search: Search, limit: int, before: int | None = None, action: str = "looked_at"
) -> list[dict[str, Any]]:
    """Give entries, the latest first; that somebody read the log, or took it along as a file, is an entry too."""
    require(identity.current(), Permission.SEE_AUDIT)
    given = asdict(search)
    told = {name: str(value) for name, value in given.items() if value is not None}
    about = given.pop("patient")
    async with store.transaction() as connection:
        found = await store.rows(
            connection, store.queries("audit.sql")["entries"], **given, about=about, limit=limit, before=before
        )
        await write(connection, identity.current(), action, "audit", search=told)
    return found


async def patient_of_nhs_number(number: str) -> int | None:
    """Say which patient has an NHS number, to those who check the record: they need not see the patient."""
    require(identity.current(), Permission.SEE_AUDIT)
    [row] = await store.fetch_from("audit.sql", "by_nhs_number", nhs_number=number)
    return None if row["number"] is None else int(row["number"])


async def names_of(numbers: Mapping[str, Sequence[int]]) -> dict[tuple[str, int], str]:
    """Name what entries keep the numbers of, as far as the person at work may see it."""
    require(identity.current(), Permission.SEE_AUDIT)
    wanted = {kind: list(numbers.get(kind, ())) for kind in ("account", "site", "patient", "device", "episode")}
    async with store.transaction(read_only=True) as connection:
        found = await store.rows(connection, store.queries("audit.sql")["names"], **wanted)
    looks.shown([row["number"] for row in found if row["kind"] == "patient"])
    return {(row["kind"], int(row["number"])): row["name"] for row in found}


async def actions_known() -> list[str]:
    """Name the actions that the log has."""
    require(identity.current(), Permission.SEE_AUDIT)
    return [row["action"] for row in await store.fetch_from("audit.sql", "actions")]


async def write(
    connection: psycopg.AsyncConnection[Any], person: identity.Person, action: str, subject: str, **detail: Any
) -> None:
    """Add an entry in the transaction of what it tells about; that transaction acts for the person's organisation."""
    await connection.execute(
        "insert into audit_log (organisation_id, account_id, action, object, detail) values (%s, %s, %s, %s, %s)",
        [person.organisation_id, person.account_id or None, action, subject, Jsonb(detail)],
    )
    looks.tell(action, subject, detail)


async def opened_patient(patient_id: int, what: str = "page") -> None:
    """Record that the person at work opened a patient's page or panel; nothing where they see no such patient."""
    async with store.transaction() as connection:
        if await store.rows(connection, store.queries("actions.sql")["visible_patient"], patient=patient_id):
            await write(connection, identity.current(), "looked_at", f"patient/{patient_id}", what=what)


async def looked_at(kind: str, identifier: int | str = "", **detail: Any) -> None:
    """Record that the person at work looked at something: ``await looked_at("patient", 12)``."""
    async with store.transaction() as connection:
        await write(connection, identity.current(), "looked_at", f"{kind}/{identifier}".rstrip("/"), **detail)

"""How does a page or a route ask the database something for the person at work?

Every question goes through one door: a transaction that tells the database whose eyes to look through, so that
row-level security answers with that person's tenant and sites and nothing else. The same door notes at whom somebody
looked (`dashboard.looks`), so that no answer leaves without an entry in the audit log.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from functools import cache
from typing import Any

import psycopg
from psycopg.rows import dict_row

from dashboard import identity, looks
from schemas import named_queries
from schemas.database import acting_for_async


@cache
def queries(file: str) -> Mapping[str, str]:
    """Read the named queries of one of this package's ``.sql`` files, once."""
    return named_queries.load("dashboard", file)


async def fetch(query_name: str, **parameters: Any) -> list[dict[str, Any]]:
    """Run a named query of ``dashboard/queries.sql`` for the person at work, in a read-only transaction."""
    return await fetch_from("queries.sql", query_name, **parameters)


async def fetch_from(file: str, query_name: str, **parameters: Any) -> list[dict[str, Any]]:
    """Run a named query of another ``.sql`` file of this package, as `fetch` does."""
    async with transaction(read_only=True) as connection:
        return await rows(connection, queries(file)[query_name], **parameters)


@asynccontextmanager
async def transaction(*, read_only: bool = False) -> AsyncIterator[psycopg.AsyncConnection]:
    """Open one transaction that acts for the person at work."""
    person = identity.current()
    try:
        async with (
            identity.current_pool().connection() as connection,
            acting_for_async(connection, person.organisation_id, person.account_id or None, read_only=read_only),
        ):
            yield connection
    except BaseException:
        looks.doubt()
        raise


async def rows(connection: psycopg.AsyncConnection, query: str, **parameters: Any) -> list[dict[str, Any]]:
    """Run one query in a transaction that is already open; parameters are written ``%(name)s``."""
    async with connection.cursor(row_factory=dict_row) as cursor:
        await cursor.execute(query, parameters)
        found = await cursor.fetchall() if cursor.description else []
    looks.read(parameters, found)
    return found

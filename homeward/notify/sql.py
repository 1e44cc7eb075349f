"""The named queries of ``queries.sql``, read once, and how one is run."""

from __future__ import annotations

from datetime import datetime
from typing import Any, LiteralString, cast

import psycopg
from psycopg.rows import dict_row

from schemas import named_queries

# the texts are files of ours, as fixed as literals; psycopg's type asks to be told so
QUERIES = cast("dict[str, LiteralString]", named_queries.load("homeward.notify", "queries.sql"))
Connection = psycopg.Connection[Any]
Row = dict[str, Any]


def run(connection: Connection, query: str, /, **parameters: Any) -> list[Row]:
    """Run a named query in the transaction that is open."""
    with connection.cursor(row_factory=dict_row) as cursor:
        cursor.execute(QUERIES[query], parameters)
        return cursor.fetchall() if cursor.description else []


def clock(connection: Connection) -> datetime:
    """Give the database's present: one clock for all notifiers."""
    row = connection.execute(QUERIES["clock"]).fetchone()
    assert row is not None
    at: datetime = row[0]
    return at

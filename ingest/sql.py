"""The named queries of ``queries.sql``, read once."""

from __future__ import annotations

from typing import LiteralString, cast

from schemas import named_queries

# the texts are files of ours, as fixed as literals; psycopg's type asks to be told so
QUERIES = cast("dict[str, LiteralString]", named_queries.load("ingest", "queries.sql"))

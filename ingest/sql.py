"""The named queries of ingest's ``.sql`` files, each file read once."""

from __future__ import annotations

from typing import LiteralString, cast

from schemas import named_queries


def load(file: str) -> dict[str, LiteralString]:
    """Read a file of named queries beside this module."""
    # the texts are files of ours, as fixed as literals; psycopg's type asks to be told so
    return cast("dict[str, LiteralString]", named_queries.load("ingest", file))


QUERIES = load("queries.sql")

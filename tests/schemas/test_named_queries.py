"""Is every query found under its name, and every mistake in a file of queries named with its line?"""

from __future__ import annotations

import pytest

from schemas import named_queries
from schemas.named_queries import QueryFileError, parse

FILE = """-- What this file is for.

-- name: first
-- why it is so
select 1;

-- name: second
select 2
from a;
"""


def test_each_query_keeps_its_comment_and_nothing_of_its_neighbours() -> None:
    found = parse(FILE, "x.sql")
    assert dict(found) == {"first": "-- why it is so\nselect 1;", "second": "select 2\nfrom a;"}


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("select 1", "no query"),
        ("-- name: \nselect 1", ":1: ''"),
        ("-- name: two words\nselect 1", ":1: 'two words'"),
        ("-- name: Upper\nselect 1", ":1: 'Upper'"),
        ("-- name: a\nselect 1\n-- name: a\nselect 2", ":3: a is there twice"),
        ("-- name: a\n-- only a comment\n", ":1: a has no SQL"),
    ],
)
def test_a_mistake_is_named_with_its_place(text: str, complaint: str) -> None:
    with pytest.raises(QueryFileError, match=r"^x\.sql") as raised:
        parse(text, "x.sql")
    assert complaint in str(raised.value)


def test_files_are_read_from_their_package() -> None:
    assert "lock_states" in named_queries.load("ingest", "queries.sql")

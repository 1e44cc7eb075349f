"""Where does the next part of a list begin?

``after`` holds the last row's place in the list's order. It says nothing that the row did not, and nothing is trusted
because of it: the question it goes into is asked for the person at work, as every other.
"""

from __future__ import annotations

import base64
import binascii
import json
from collections.abc import Callable, Sequence
from typing import Annotated, Any, TypeVar

from fastapi import HTTPException, Query

from dashboard import looks

Place = TypeVar("Place")
After = Annotated[str | None, Query(max_length=600, description="`next` of the part before")]
Limit = Annotated[int, Query(ge=1, le=1000, description="how many items at most")]


def write(place: Sequence[Any]) -> str:
    """Write a row's place as an opaque word."""
    return base64.urlsafe_b64encode(json.dumps(list(place), default=str).encode()).decode().rstrip("=")


def read(after: str | None, *parse: Callable[[Any], Any]) -> tuple[Any, ...]:
    """Read a place back, one parser an element; all ``None`` where the list begins."""
    if after is None:
        return (None,) * len(parse)
    try:
        found = json.loads(base64.urlsafe_b64decode(after + "=" * (-len(after) % 4)))
        return tuple(p(value) for p, value in zip(parse, found, strict=True))
    except (ValueError, TypeError, binascii.Error, OverflowError) as exc:
        raise HTTPException(422, "`after` is not what a list gave as `next`.") from exc


def number(value: Any) -> int:
    """Take an element that must be a row's number."""
    if not isinstance(value, int) or isinstance(value, bool) or not 0 <= value < 2**63:
        raise ValueError(value)
    return value


def text(value: Any) -> str:
    """Take an element that must be text."""
    if not isinstance(value, str):
        raise TypeError(value)
    return value


def next_of(rows: Sequence[dict[str, Any]], limit: int, *columns: str) -> str | None:
    """Give ``next`` for rows of which one more than the limit was asked for."""
    looks.withheld(rows[limit:], rows[:limit])
    return write([rows[limit - 1][c] for c in columns]) if len(rows) > limit else None

"""Which patients are in the triage list, in which order, and how many are there of each kind?"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from dashboard import identity
from dashboard.standing import Standard
from dashboard.store import fetch_from

Row = dict[str, Any]
FILE = "triage.sql"
SEVERITIES = {"red": [3], "amber": [2], "yellow": [1], "amber_red": [2, 3]}
ANY = [1, 2, 3]
OWNERS = ("anyone", "mine", "nobody", "somebody", "snoozed")


@dataclass(frozen=True)
class View:
    """Which part of the triage list someone looks at."""

    filter: str = "all"
    site: int | None = None
    search: str = ""
    pathway: int | None = None
    owner: str = "anyone"

    @property
    def includes_well(self) -> bool:
        """Whether patients without an open episode belong to it."""
        return self.filter == "all" and self.owner == "anyone"


async def pathways() -> list[Row]:
    """The pathways that patients can be on."""
    return await fetch_from(FILE, "pathways")


async def counts(view: View, known: dict[int, Standard]) -> Row:
    """The numbers on the cards, but for how many patients there are: `in_care` counts them."""
    given = {"site": view.site, "pathway": view.pathway, "overdue_rules": overdue_rules(known)}
    return (await fetch_from(FILE, "counts", **given))[0]


def overdue_rules(known: dict[int, Standard]) -> list[str]:
    """Names of all rules in force that tell that observations do not come."""
    return sorted({name for s in known.values() for name in s.overdue_rules})


async def in_care(site: int | None, pathway: int | None) -> int:
    """How many patients there are, with and without an open episode."""
    total: int = (await fetch_from(FILE, "in_care", site=site, pathway=pathway))[0]["total"]
    return total


async def intake() -> Row:
    """Since when nothing has been taken in, where that is so; and the database's present instant."""
    return (await fetch_from(FILE, "intake"))[0]


async def news(patients: Sequence[int] | None, site: int | None, since: datetime) -> list[Row]:
    """What was raised or rose since an instant."""
    named = None if patients is None else list(patients)
    return await fetch_from(FILE, "news", patients=named, site=site, since=since - OVERLAP)


OVERLAP = timedelta(seconds=2)
"""A transaction that began before the last answer may commit after it: so much is asked for again."""


async def page(
    view: View, start: int, end: int, known: dict[int, Standard], everybody: Callable[[], Awaitable[int]]
) -> tuple[list[Row], int]:
    """Rows ``start`` to ``end`` of the list, and how many rows there are in all.

    ``everybody`` is `in_care` of the view; it is asked only where those without an open episode are in the list.
    """
    search = _search(view.search)
    shared = {"site": view.site, "pathway": view.pathway}
    if view.includes_well and any(search.values()):
        return await _counted("found", start, end, **shared, **search)
    ranked = _counted(
        "with_episode",
        start,
        end,
        **shared,
        **search,
        severities=SEVERITIES.get(view.filter, ANY),
        waiting=view.filter == "waiting",
        not_reporting=view.filter == "not_reporting",
        overdue_rules=overdue_rules(known),
        owner=view.owner,
        account=identity.current().account_id,
    )
    if not view.includes_well:
        return await ranked
    (unwell, ill), total = await asyncio.gather(ranked, everybody())
    missing = max(0, end - start) - len(unwell)
    if missing > 0:
        unwell += await fetch_from(FILE, "without_episode", **shared, limit=missing, offset=max(0, start - ill))
    return unwell, total


async def _counted(query: str, start: int, end: int, **parameters: Any) -> tuple[list[Row], int]:
    """Rows of a query that tells with each how many there are; where none is in the span, the first one tells."""
    rows = await fetch_from(FILE, query, **parameters, limit=max(0, end - start), offset=start)
    if rows or not start:
        return rows, rows[0]["total"] if rows else 0
    first = await fetch_from(FILE, query, **parameters, limit=1, offset=0)
    return [], first[0]["total"] if first else 0


def _search(text: str) -> dict[str, str | None]:
    """Read a search box: digits are an NHS number, anything else a name."""
    words = " ".join(text.split()).lower()
    digits = words.replace(" ", "")
    if digits.isascii() and digits.isdigit():
        return {"name": None, "nhs": digits + "%"}
    escaped = words.replace("\\", r"\\").replace("%", r"\%").replace("_", r"\_")
    return {"name": f"%{escaped}%" if escaped else None, "nhs": None}

"""Which homes, care homes and wards are there, and how is one added?"""

from __future__ import annotations

from typing import Any
from zoneinfo import available_timezones

import psycopg

from dashboard import audit, identity, store
from dashboard.actions import InvalidActionError, NotThereError
from dashboard.permissions import Permission, require

FILE = "registration.sql"
KINDS = ("home", "care_home", "ward")
LONGEST_NAME = 200
LONGEST_ADVICE = 160
"""A text message's worth."""
Row = dict[str, Any]


async def sites() -> list[Row]:
    """List the organisation's sites with how many patients and devices each has."""
    require(identity.current(), Permission.MANAGE_SITES)
    return await store.fetch_from(FILE, "sites")


async def add(name: str, kind: str, time_zone: str = "Europe/London", advice: str | None = None) -> int:
    """Make a site; without an advice for emergencies it has Homeward's own."""
    person = identity.current()
    require(person, Permission.MANAGE_SITES)
    given, told = _checked(name, kind, time_zone), _checked_advice(advice)
    async with store.transaction() as connection:
        try:
            async with connection.transaction():
                [made] = await _run(connection, "add_site", organisation=person.organisation_id, **given)
                if told is not None:
                    await _run(connection, "change_site", site=made["site_id"], advice=told, **given)
        except psycopg.errors.UniqueViolation as exc:
            raise InvalidActionError(f"There is a site called {given['name']} already.") from exc
        await audit.write(connection, person, "site_added", f"site/{made['site_id']}", kind=kind)
    return int(made["site_id"])


async def change(site_id: int, name: str, kind: str, time_zone: str, advice: str | None = None) -> None:
    """Give a site another name, kind, time zone, or advice for emergencies; without one that stays."""
    person = identity.current()
    require(person, Permission.MANAGE_SITES)
    given, told = _checked(name, kind, time_zone), _checked_advice(advice)
    async with store.transaction() as connection:
        try:
            async with connection.transaction():
                changed = await _run(connection, "change_site", site=site_id, advice=told, **given)
        except psycopg.errors.UniqueViolation as exc:
            raise InvalidActionError(f"There is a site called {given['name']} already.") from exc
        if not changed:
            raise NotThereError("There is no such site.")
        detail = {"kind": kind, "time_zone": time_zone} | ({} if told is None else {"emergency_advice": told})
        await audit.write(connection, person, "site_changed", f"site/{site_id}", **detail)


def _checked(name: str, kind: str, time_zone: str) -> dict[str, str]:
    tidy = " ".join(name.split())
    if not tidy or len(tidy) > LONGEST_NAME or not tidy.isprintable():
        raise InvalidActionError(f"A site's name has 1 to {LONGEST_NAME} characters.")
    if kind not in KINDS:
        raise InvalidActionError(f"A site is one of {', '.join(KINDS)}.")
    if time_zone not in available_timezones():
        raise InvalidActionError(f"There is no time zone {time_zone[:60]!r}; write it like Europe/London.")
    return {"name": tidy, "kind": kind, "time_zone": time_zone}


def _checked_advice(given: str | None) -> str | None:
    if given is None:
        return None
    tidy = " ".join(given.split())
    if not 1 <= len(tidy) <= LONGEST_ADVICE or not tidy.isprintable():
        raise InvalidActionError(
            f"What to do in an emergency has 1 to {LONGEST_ADVICE} characters: it is in every answer to a text message."
        )
    return tidy


async def _run(connection: psycopg.AsyncConnection[Any], query: str, /, **parameters: Any) -> list[Row]:
    return await store.rows(connection, store.queries(FILE)[query], **parameters)

"""How is a shift handover drafted from the database, signed, and found again? All of it is audited."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from psycopg.types.json import Jsonb

from dashboard import audit, identity, looks, queries, resident_list, shift, store
from dashboard.actions import InvalidActionError
from dashboard.handover import moment
from dashboard.handover_store import OvertakenError
from dashboard.permissions import Permission, require
from dashboard.text import handover as words

FILE = "care.sql"
LONGEST_NOTE = 2000
LONGEST_SPAN = timedelta(days=7)
MOST = 5000
Row = dict[str, Any]


async def site_of(site: str | int | None) -> Row | None:
    """The site with this number, or for no number the first that this person works for, care homes first."""
    sites = await store.fetch_from(FILE, "shift_sites")
    if site:
        return next((s for s in sites if str(s["site_id"]) == str(site)), None)
    return sites[0] if sites else None


async def draft(site: Row, since: datetime, now: datetime) -> Row:
    """Tell what happened at a site since an instant."""
    if not now - LONGEST_SPAN <= since < now:
        raise InvalidActionError(f"A shift handover begins within the last {LONGEST_SPAN.days} days.")
    number = site["site_id"]
    found, known, episodes, notes = await asyncio.gather(
        store.fetch_from(FILE, "residents", site=number, limit=MOST),
        queries.standards(),
        store.fetch_from(FILE, "shift_episodes", site=number, since=since),
        store.fetch_from(FILE, "shift_notes", site=number, since=since),
    )
    if len(found) >= MOST:
        raise InvalidActionError(f"A shift handover is for fewer than {MOST:,} patients; this site has more.")
    active = [e for e in episodes if e["phase"] == "active"]
    residents = resident_list.residents(found, active, known, now, lambda at, zone: moment(at, zone, year=False))
    overdue = {name for followed in known.values() for name in followed.overdue_rules}
    entries = shift.entries(residents, episodes, notes, overdue)
    # the others are only counted
    looks.withheld(found, entries)
    return {
        "site": site["name"],
        "time_zone": site["time_zone"],
        "since": since.isoformat(),
        "entries": entries,
        "rest": len(residents) - len(entries),
        "stamp": shift.stamp(entries),
    }


async def sign(site_id: int, since: datetime, seen: str, notes: Mapping[str, str], general: str = "") -> Row | None:
    """Sign what was seen, with notes by patient; ``None`` where this person sees no such site.

    Raises
    ------
    OvertakenError
        Where something has changed since ``seen``, the stamp of the draft that was looked at.
    """
    person = identity.current()
    require(person, Permission.SIGN_HANDOVERS)
    now = datetime.now(UTC)
    site = await site_of(site_id)
    if site is None:
        return None
    written = await draft(site, since, now)
    if written["stamp"] != seen:
        raise OvertakenError(words.CHANGED)
    entries = [e | {"note": _tidy(notes.get(str(e["patient_id"]), ""))} for e in written["entries"]]
    document = written | {"entries": entries, "general": _tidy(general)}
    async with store.transaction() as connection:
        own = store.queries(FILE)
        await store.rows(connection, own["handover_lock"], kind="homeward.shift_handover", key=site_id)
        number = (await store.rows(connection, own["next_shift_number"], site=site_id))[0]["number"]
        signed = await store.rows(
            connection,
            own["sign_shift"],
            organisation=person.organisation_id,
            site=site_id,
            since=since,
            until=now,
            number=number,
            version=1,
            document=Jsonb(document),
            account=person.account_id,
            name=person.name,
            role=person.role,
        )
        subject = f"site/{site_id}"
        await audit.write(
            connection, person, "shift_handover_signed", subject, handover=signed[0]["shift_handover_id"], number=number
        )
    return signed[0]


async def correct(site_id: int, handover_id: int, notes: Mapping[str, str], general: str = "") -> Row | None:
    """Sign the next version of a shift handover: what happened stays as it was signed, the notes are new."""
    person = identity.current()
    require(person, Permission.SIGN_HANDOVERS)
    if await site_of(site_id) is None:
        return None
    async with store.transaction() as connection:
        own = store.queries(FILE)
        await store.rows(connection, own["handover_lock"], kind="homeward.shift_handover", key=site_id)
        versions = await store.rows(connection, own["shift_handovers"], site=site_id, handover=handover_id)
        if not versions:
            return None
        old = versions[0]
        if old["shift_handover_id"] != handover_id:
            raise OvertakenError(words.OVERTAKEN)
        kept = old["document"]["entries"]
        entries = [e | {"note": _tidy(notes.get(str(e["patient_id"]), e["note"]))} for e in kept]
        signed = await store.rows(
            connection,
            own["sign_shift"],
            organisation=person.organisation_id,
            site=site_id,
            since=old["since"],
            until=old["until"],
            number=old["number"],
            version=old["version"] + 1,
            document=Jsonb(old["document"] | {"entries": entries, "general": _tidy(general)}),
            account=person.account_id,
            name=person.name,
            role=person.role,
        )
        await audit.write(
            connection,
            person,
            "shift_handover_signed",
            f"site/{site_id}",
            handover=signed[0]["shift_handover_id"],
            number=old["number"],
            version=old["version"] + 1,
        )
    looks.shown(_patients(signed))
    return signed[0]


def _tidy(note: str) -> str:
    tidy = note.strip()
    if len(tidy) > LONGEST_NOTE:
        raise InvalidActionError(f"A note has at most {LONGEST_NOTE} characters; one has {len(tidy)}.")
    if "\0" in tidy:
        raise InvalidActionError("A note is text; one has a character that is none.")
    return tidy


async def signed(site_id: int, handover_id: int | None = None) -> list[Row] | None:
    """What was signed for a site, the newest first, or all versions of one; the look is recorded."""
    if await site_of(site_id) is None:
        return None
    async with store.transaction() as connection:
        found = await store.rows(connection, store.queries(FILE)["shift_handovers"], site=site_id, handover=handover_id)
        subject = f"site/{site_id}"
        told = {"what": "shift_handovers", "patients": _patients(found)}
        await audit.write(connection, identity.current(), "looked_at", subject, **told)
    return found


def _patients(handovers: Sequence[Row]) -> list[int]:
    return sorted({int(e["patient_id"]) for handover in handovers for e in handover["document"]["entries"]})


async def one_signed(site_id: int, handover_id: int) -> Row | None:
    """One signed version."""
    found = await signed(site_id, handover_id)
    return next((row for row in found or () if row["shift_handover_id"] == handover_id), None)

"""How is a patient paused who is in hospital or away, and what ends it?

While the pause lasts nothing of the patient is paged and nothing falls due; what is observed is stored and scored as
ever, and what is still active at the end is told then. It ends at its time by itself; no observation ends it.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import psycopg

from dashboard import audit, identity, store
from dashboard.actions import InvalidActionError, checked_note
from dashboard.identity import Person
from dashboard.permissions import Permission, require

FILE = "pauses.sql"
LONGEST_PAUSE = timedelta(days=28)
LONGEST_REASON = 500


@dataclass(frozen=True)
class Pause:
    """A pause in force: from when, until when, why, and whose decision it was."""

    since: datetime
    until: datetime
    reason: str
    by: str


async def pause(patient_id: int, until: datetime, reason: str) -> Pause | None:
    """Pause a patient until an instant, or give the pause in force another end; ``None`` where there is no such one."""
    person = identity.current()
    require(person, Permission.PAUSE_PATIENTS)
    reason, now = checked_note(reason), datetime.now(UTC)
    if not 0 < len(reason) <= LONGEST_REASON:
        raise InvalidActionError(
            f"A pause needs a reason of at most {LONGEST_REASON} characters, such as: in hospital."
        )
    if until.tzinfo is None or not now < until <= now + LONGEST_PAUSE:
        raise InvalidActionError(
            f"A patient is paused until a time with its zone within the next {LONGEST_PAUSE.days} days."
        )
    async with store.transaction() as connection:
        at = await _look_at(connection, patient_id)
        if at is None:
            return None
        await _run(connection, "lift", patient=patient_id, at=at, account=person.account_id)
        given = {"organisation": person.organisation_id, "account": person.account_id, "reason": reason}
        await _run(connection, "begin", patient=patient_id, at=at, until=until, **given)
        await audit.write(
            connection, person, "patient_paused", f"patient/{patient_id}", until=until.isoformat(), reason=reason
        )
        await _tell_browsers(connection, person, patient_id)
    return Pause(at, until, reason, person.name)


async def lift(patient_id: int) -> bool | None:
    """End a patient's pause now; ``False`` where they are not paused, ``None`` where there is no such patient."""
    person = identity.current()
    require(person, Permission.PAUSE_PATIENTS)
    async with store.transaction() as connection:
        at = await _look_at(connection, patient_id)
        if at is None:
            return None
        if not await _run(connection, "lift", patient=patient_id, at=at, account=person.account_id):
            return False
        await audit.write(connection, person, "patient_pause_lifted", f"patient/{patient_id}")
        await _tell_browsers(connection, person, patient_id)
    return True


async def pause_of(connection: psycopg.AsyncConnection[Any], patient_id: int) -> Pause | None:
    """Give the pause in force of a patient, in a transaction of the person at work."""
    found = await _run(connection, "pause_in_force", patient=patient_id)
    return Pause(found[0]["since"], found[0]["until"], found[0]["reason"], found[0]["by"] or "") if found else None


async def _look_at(connection: psycopg.AsyncConnection[Any], patient_id: int) -> datetime | None:
    """Have the clock look at the patient, and give the instant from which on an act counts."""
    if not await store.rows(connection, store.queries("actions.sql")["visible_patient"], patient=patient_id):
        return None
    at: datetime = (await _run(connection, "look_at", patient=patient_id))[0]["at"]
    return at


async def _tell_browsers(connection: psycopg.AsyncConnection[Any], person: Person, patient_id: int) -> None:
    payload = {"organisation": person.organisation_id, "patients": [patient_id], "episodes": True}
    await store.rows(connection, store.queries("actions.sql")["tell_browsers"], payload=json.dumps(payload))


async def _run(connection: psycopg.AsyncConnection[Any], name: str, **parameters: Any) -> list[dict[str, Any]]:
    return await store.rows(connection, store.queries(FILE)[name], **parameters)

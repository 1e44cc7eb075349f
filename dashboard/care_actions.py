"""What does a carer write when they have done what was asked? One transaction, as every act of a person."""

from __future__ import annotations

import json

from dashboard import actions, audit, identity, store
from dashboard.actions import InvalidActionError, checked_note
from dashboard.permissions import Permission, require
from schemas.episode import Event

FILE = "care.sql"
EMPTY = "Write what you did first, in a few words."


async def done(patient_id: int, body: str) -> int | None:
    """Say what was done about a resident: take on what nobody has, and note it on every open episode.

    Gives how many episodes there were; ``None`` where the person sees no such resident. The episodes stay open until
    the observations say otherwise.
    """
    person = identity.current()
    require(person, Permission.ACKNOWLEDGE)
    require(person, Permission.WRITE_NOTES)
    tidy = checked_note(body)
    if not tidy:
        raise InvalidActionError(EMPTY)
    act, own = store.queries(actions.FILE), store.queries(FILE)
    async with store.transaction() as connection:
        if not await store.rows(connection, act["visible_patient"], patient=patient_id):
            return None
        found = await store.rows(connection, own["active_of"], patient=patient_id)
        every = [row["episode_id"] for row in found]
        free = [row["episode_id"] for row in found if row["acknowledged_by"] is None]
        by = {"account": person.account_id}
        if free:
            taken = {"kind": Event.ACKNOWLEDGED.value, "episodes": free, "note": ""}
            await store.rows(connection, act["acknowledge"], episodes=free, **by)
            await store.rows(connection, act["add_events"], **taken, **by)
        noted = {"kind": Event.NOTED.value, "episodes": every, "note": tidy}
        await store.rows(connection, act["add_events"], **noted, **by)
        await store.rows(
            connection,
            own["note_of_done"],
            organisation=person.organisation_id,
            patient=patient_id,
            account=person.account_id,
            body=tidy,
        )
        for episode in free:
            await audit.write(connection, person, "episode_acknowledged", f"episode/{episode}", patient=patient_id)
        await audit.write(connection, person, "done", f"patient/{patient_id}", episodes=every)
        told = {"organisation": person.organisation_id, "patients": [patient_id], "episodes": True}
        await store.rows(connection, act["tell_browsers"], payload=json.dumps(told))
    return len(every)

"""How does a person let go of a latched episode whose condition is over?

The reset is written as an instant of the patient's course; the core, which looks at the patient within a second, ends
the episode for it. Where the condition is still there, there is nothing to reset.
"""

from __future__ import annotations

import json

from dashboard import audit, identity, store
from dashboard.actions import checked_note
from dashboard.permissions import Permission, require

FILE = "resets.sql"


async def reset(episode_id: int, note: str = "") -> bool | None:
    """Reset an episode; ``False`` where it does not wait for that, ``None`` where there is no such episode."""
    person = identity.current()
    require(person, Permission.ACKNOWLEDGE)
    note, queries = checked_note(note), store.queries(FILE)
    async with store.transaction() as connection:
        found = await store.rows(connection, queries["patient_of"], episode=episode_id)
        if not found:
            return None
        patient = found[0]["patient_id"]
        at = (await store.rows(connection, queries["look_at"], patient=patient))[0]["at"]
        locked = await store.rows(connection, queries["lock_episode"], episode=episode_id)
        if not locked or not locked[0]["waits"]:
            return False
        given = {"at": at, "account": person.account_id, "note": note}
        await store.rows(connection, queries["reset"], episode=episode_id, **given)
        await audit.write(connection, person, "episode_reset", f"episode/{episode_id}", patient=patient)
        payload = json.dumps({"organisation": person.organisation_id, "patients": [patient], "episodes": True})
        await store.rows(connection, store.queries("actions.sql")["tell_browsers"], payload=payload)
    return True

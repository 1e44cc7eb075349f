"""How does a clinician reach a patient who is not at their sites, when somebody's life may depend on it?

By NHS number and date of birth, with a reason, for at most some hours. Nobody has to permit it first, and everybody who
checks the record sees it: the entry is written by the database in the same step that opens the patient.
"""

from __future__ import annotations

from datetime import date
from typing import Any

from dashboard import identity, store
from dashboard.actions import InvalidActionError, NotThereError
from dashboard.permissions import NotPermittedError, Permission, may, require
from schemas import nhs_number

FILE = "emergency.sql"
SHORTEST_REASON, LONGEST_REASON = 10, 1000
MINUTES = 60
LONGEST_MINUTES = 12 * 60
NOBODY = (
    "Nobody in care of your organisation has this NHS number and date of birth. Check both with whoever is with them. "
    "The attempt is recorded."
)
Row = dict[str, Any]


async def open_patient(number: str, born_on: date, reason: str, minutes: int = MINUTES) -> int:
    """Open a patient to the clinician at work for some minutes, and give the patient's number."""
    require(identity.current(), Permission.OPEN_IN_EMERGENCY)
    try:
        digits = nhs_number.read(number)
    except ValueError as exc:
        raise InvalidActionError(str(exc)) from exc
    why = " ".join(reason.split())
    if not SHORTEST_REASON <= len(why) <= LONGEST_REASON:
        raise InvalidActionError(f"Say why, in {SHORTEST_REASON} to {LONGEST_REASON} characters; it is kept for good.")
    if not 0 < minutes <= LONGEST_MINUTES:
        raise InvalidActionError(f"A patient is opened for 1 to {LONGEST_MINUTES} minutes.")
    async with store.transaction() as connection:
        [found] = await store.rows(
            connection, store.queries(FILE)["open"], nhs_number=digits, born_on=born_on, reason=why, minutes=minutes
        )
    if found["patient"] is None:
        raise NotThereError(NOBODY)
    return int(found["patient"])


async def accesses(limit: int = 200, before: int | None = None) -> list[Row]:
    """List who opened whom and why, the latest first: one's own, or all for those who check."""
    person = identity.current()
    if not (may(person, Permission.SEE_AUDIT) or may(person, Permission.OPEN_IN_EMERGENCY)):
        raise NotPermittedError("Your role does not include this.")
    return await store.fetch_from(FILE, "accesses", limit=limit, before=before)


async def present(patient_id: int) -> Row | None:
    """Until when, in which zone, and why the person at work has this patient open in an emergency; ``None`` if not."""
    found = await store.fetch_from(FILE, "present", patient=patient_id, account=identity.current().account_id)
    return found[0] if found else None

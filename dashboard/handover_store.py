"""How is a patient's handover drafted from the database, signed, and found again? All of it is audited."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from psycopg.types.json import Jsonb

from dashboard import actions, audit, charts, handover, identity, queries, rows, store
from dashboard.actions import InvalidActionError
from dashboard.handover import Draft
from dashboard.permissions import Permission, require
from dashboard.standing import standard
from dashboard.text import handover as words
from dashboard.wording import microseconds

FILE = "care.sql"
LONGEST = 8000
TREND_SPAN = timedelta(hours=24)
TREND_STEP = timedelta(hours=4)
"""Of every step the highest score is told: the last of it would hide what raised an alert."""
TREND_FINENESS = timedelta(minutes=1)
NOTES_SPAN = timedelta(hours=24)
MOST_NOTES = 5
NEEDED = ("situation", "background", "assessment", "recommendation")
Row = dict[str, Any]


class OvertakenError(Exception):
    """Somebody has signed a newer version than the one that is being corrected."""


async def draft(patient_id: int) -> Draft | None:
    """Write a handover from what the record says now; ``None`` where this person sees no such patient."""
    now = datetime.now(UTC)
    patient = await queries.patient(patient_id)
    if patient is None:
        return None
    followed = standard(
        patient["document"], patient["policy_id"], patient["version"], patient["own"] or "{}", patient["usual_news2"]
    )
    valid = followed.valid_us if followed else None
    episodes, notes, last = await asyncio.gather(
        queries.episodes(patient_id, now),
        queries.notes(patient_id, now - NOTES_SPAN, MOST_NOTES),
        queries.last_of_buckets(
            patient_id, now - TREND_SPAN - timedelta(microseconds=valid or 0), now, charts.score_codes(), TREND_FINENESS
        ),
    )
    known = {} if followed is None else {patient["policy_id"]: followed}
    at = rows.situation([patient_id], {patient_id: patient}, known, now)
    trend = charts.scores_over_time(last, valid, patient["spo2_scale"]) if valid else None
    if trend is not None:
        since = microseconds(now - TREND_SPAN)
        trend = charts.highest_of_buckets(trend, since, TREND_STEP // timedelta(microseconds=1))
    return handover.draft(patient, episodes, notes, at, trend, now)


async def signed(patient_id: int) -> list[Row] | None:
    """Everything that was signed about a patient, the newest first; the look is recorded."""
    async with store.transaction() as connection:
        if not await store.rows(connection, store.queries(actions.FILE)["visible_patient"], patient=patient_id):
            return None
        found = await store.rows(connection, store.queries(FILE)["handovers"], patient=patient_id)
        await audit.write(connection, identity.current(), "looked_at", f"patient/{patient_id}", what="handovers")
    return found


async def one_signed(patient_id: int, handover_id: int) -> Row | None:
    """One signed version."""
    found = await signed(patient_id)
    return next((row for row in found or () if row["handover_id"] == handover_id), None)


async def sign(
    patient_id: int, sections: Mapping[str, str], number: int | None = None, corrects: int | None = None
) -> Row | None:
    """Sign a new handover, or with ``number`` a new version of one in the place of version ``corrects``.

    Raises
    ------
    InvalidActionError
        Where a section is missing, too long or no text.
    OvertakenError
        Where ``corrects`` is not the newest version any more.
    """
    person = identity.current()
    require(person, Permission.SIGN_HANDOVERS)
    tidy = checked_sections(sections)
    proposed = await draft(patient_id)
    if proposed is None:
        return None
    async with store.transaction() as connection:
        own = store.queries(FILE)
        if not await store.rows(connection, store.queries(actions.FILE)["visible_patient"], patient=patient_id):
            return None
        await store.rows(connection, own["handover_lock"], kind="homeward.handover", key=patient_id)
        version = 1
        if number is None:
            number = (await store.rows(connection, own["next_number"], patient=patient_id))[0]["number"]
        else:
            newest = (await store.rows(connection, own["newest_version"], patient=patient_id, number=number))[0]
            if newest["version"] is None or newest["version"] != corrects:
                raise OvertakenError(words.OVERTAKEN)
            version = newest["version"] + 1
        written = await store.rows(
            connection,
            own["sign_handover"],
            organisation=person.organisation_id,
            patient=patient_id,
            number=number,
            version=version,
            sections=Jsonb(tidy),
            facts=Jsonb(proposed.facts),
            account=person.account_id,
            name=person.name,
            role=person.role,
        )
        await audit.write(
            connection,
            person,
            "handover_signed",
            f"patient/{patient_id}",
            handover=written[0]["handover_id"],
            number=number,
            version=version,
        )
    return written[0]


def checked_sections(sections: Mapping[str, Any]) -> dict[str, str]:
    """Tidy the sections of a handover; all but the decision must say something."""
    tidy = {}
    for name, title in words.SECTIONS.items():
        body = sections.get(name, "")
        if not isinstance(body, str) or "\0" in body:
            raise InvalidActionError(f"{title}: expected text.")
        if len(body) > LONGEST:
            raise InvalidActionError(f"{title}: at most {LONGEST} characters; these are {len(body)}.")
        tidy[name] = body.strip()
    if not all(tidy[name] for name in NEEDED):
        raise InvalidActionError(words.EMPTY)
    return tidy

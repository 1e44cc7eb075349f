"""Which sites and patients are there, and what was observed of a patient?

Whom a person may not see is not there: 404, for another tenant's patient as for a number that nobody has.
"""

from __future__ import annotations

from dataclasses import asdict
from datetime import UTC, datetime, timedelta
from typing import Annotated, Any

from fastapi import APIRouter, HTTPException, Query
from pydantic import AwareDatetime

from dashboard import actions, audit, identity, pauses, store
from dashboard.actions import InvalidActionError
from dashboard.api import models, paging
from dashboard.api.paging import After, Limit
from dashboard.api.rights import PatientId, allowed
from dashboard.permissions import Permission
from schemas.episode import Severity
from schemas.observation import Flag
from schemas.vital_signs import BY_NAME, CATALOGUE

FILE = "api/queries.sql"
NOBODY = "There is no such patient."
DEFAULT_SPAN = timedelta(hours=24)
router = APIRouter(dependencies=[allowed(Permission.SEE_PATIENTS)], tags=["patients"])


@router.get("/sites")
async def sites() -> list[models.Site]:
    """List the sites that you may see."""
    return [models.Site(**row) for row in await store.fetch_from(FILE, "sites")]


@router.get("/patients")
async def patients(
    search: Annotated[str | None, Query(max_length=100, description="part of the name, or the NHS number")] = None,
    site: Annotated[int | None, Query(ge=1, le=2**31 - 1)] = None,
    discharged: Annotated[bool, Query(description="discharged patients as well")] = False,
    limit: Limit = 100,
    after: After = None,
) -> models.Page[models.PatientSummary]:
    """List patients by name."""
    family, given, identifier = paging.read(after, paging.text, paging.text, paging.number)
    async with store.transaction() as connection:
        rows = await store.rows(
            connection,
            store.queries(FILE)["patients"],
            search=None if search is None else f"%{_literal(search.strip())}%",
            nhs_number=(search or "").replace(" ", ""),
            site=site,
            discharged=discharged,
            limit=limit + 1,
            after_family=family,
            after_given=given,
            after_id=identifier,
        )
        await audit.write(
            connection, identity.current(), "looked_at", "patients", patients=[r["patient_id"] for r in rows[:limit]]
        )
    return models.Page(
        items=[models.PatientSummary(**_with_word(row)) for row in rows[:limit]],
        next=paging.next_of(rows, limit, "family_name", "given_name", "patient_id"),
    )


@router.get("/patients/{patient_id}")
async def patient(patient_id: PatientId) -> models.Patient:
    """Give one patient."""
    async with store.transaction() as connection:
        rows = await store.rows(connection, store.queries(FILE)["patient"], patient=patient_id)
        if not rows:
            raise HTTPException(404, NOBODY)
        pause = await pauses.pause_of(connection, patient_id)
        await audit.write(connection, identity.current(), "looked_at", f"patient/{patient_id}", what="patient")
    return models.Patient(**_with_word(rows[0]), pause=None if pause is None else models.Pause(**asdict(pause)))


@router.get("/patients/{patient_id}/observations")
async def observations(
    patient_id: PatientId,
    vital: Annotated[list[str] | None, Query(max_length=20, description="names of vital signs; all without")] = None,
    since: Annotated[AwareDatetime | None, Query(alias="from", description="24 hours before `to` without")] = None,
    until: Annotated[AwareDatetime | None, Query(alias="to", description="now without; not included")] = None,
    limit: Limit = 1000,
    after: After = None,
) -> models.Page[models.Observation]:
    """List a patient's observations in the order of time."""
    until = until or datetime.now(UTC)
    after_at, after_vital, after_device = paging.read(after, datetime.fromisoformat, paging.number, paging.number)
    rows = await _look(
        patient_id,
        "observations",
        vitals=None if vital is None else [_code(name) for name in vital],
        since=since or until - DEFAULT_SPAN,
        until=until,
        limit=limit + 1,
        after_at=after_at,
        after_vital=after_vital,
        after_device=after_device,
    )
    if rows is None:
        raise HTTPException(404, NOBODY)
    return models.Page(
        items=[_observation(row) for row in rows[:limit]],
        next=paging.next_of(rows, limit, "observed_at", "vital", "device_id"),
    )


@router.get("/patients/{patient_id}/notes")
async def notes(patient_id: PatientId, limit: Limit = 100, after: After = None) -> models.Page[models.Note]:
    """List the notes about a patient, the latest first."""
    (after_id,) = paging.read(after, paging.number)
    rows = await _look(patient_id, "notes", limit=limit + 1, after_id=after_id)
    if rows is None:
        raise HTTPException(404, NOBODY)
    items = [models.Note(**row) for row in rows[:limit]]
    return models.Page(items=items, next=paging.next_of(rows, limit, "note_id"))


@router.post("/patients/{patient_id}/notes", status_code=201, dependencies=[allowed(Permission.WRITE_NOTES)])
async def add_note(patient_id: PatientId, note: models.NewNote) -> models.NoteId:
    """Write a note about a patient."""
    try:
        note_id = await actions.add_note(patient_id, note.body, note.episode_id, note.key)
    except InvalidActionError as exc:
        raise HTTPException(422, str(exc)) from exc
    if note_id is None:
        raise HTTPException(404, NOBODY if note.episode_id is None else "There is no such episode of this patient.")
    return models.NoteId(note_id=note_id)


async def _look(patient_id: int, query: str, **parameters: Any) -> list[dict[str, Any]] | None:
    """Ask about one patient and record the look, in one transaction; ``None`` where the patient is not there."""
    async with store.transaction() as connection:
        seen = await store.rows(connection, store.queries(actions.FILE)["visible_patient"], patient=patient_id)
        if not seen:
            return None
        found = await store.rows(connection, store.queries(FILE)[query], patient=patient_id, **parameters)
        await audit.write(connection, identity.current(), "looked_at", f"patient/{patient_id}", what=query)
    return found


def _with_word(row: dict[str, Any]) -> dict[str, Any]:
    return row | {"severity": Severity(row["severity"]).word}


def _literal(search: str) -> str:
    """Take the signs out of the search that ``ilike`` reads as wildcards."""
    return search.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_")


def _code(name: str) -> int:
    if name not in BY_NAME:
        raise HTTPException(422, f"There is no vital sign of this name; there are {', '.join(BY_NAME)}.")
    return BY_NAME[name].code


def _observation(row: dict[str, Any]) -> models.Observation:
    vital = CATALOGUE[row["vital"] - 1]
    return models.Observation(
        vital=vital.name,
        value=row["value"],
        unit=vital.unit,
        observed_at=row["observed_at"],
        received_at=row["received_at"],
        device=row["device"],
        quality=[(flag.name or "").lower() for flag in Flag(row["flags"])],
    )

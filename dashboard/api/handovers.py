"""How does a program read, draft and sign handovers? Whom a person may not see is not there: 404."""

from __future__ import annotations

from collections.abc import Awaitable
from datetime import UTC, datetime
from typing import Annotated, Any

from fastapi import APIRouter, HTTPException, Path
from fastapi.concurrency import run_in_threadpool
from fastapi.responses import PlainTextResponse, Response
from pydantic import AwareDatetime, Field

from dashboard import audit, handover_document, handover_store, shift, shift_store
from dashboard.actions import InvalidActionError
from dashboard.api import models
from dashboard.api.models import Document
from dashboard.api.rights import PatientId, allowed
from dashboard.handover_store import OvertakenError
from dashboard.permissions import Permission

NOBODY = "There is no such patient."
NONE = "There is no such handover of this patient."
HandoverId = Annotated[int, Path(ge=1, le=2**63 - 1)]
SiteId = Annotated[int, Path(ge=1, le=2**31 - 1)]
PatientNumber = Annotated[str, Field(pattern=r"^[0-9]{1,10}$")]
ShiftNote = Annotated[str, Field(max_length=shift_store.LONGEST_NOTE)]
NO_SITE = "There is no such site, or no such handover of it."
Section = Annotated[str, Field(max_length=handover_store.LONGEST)]
router = APIRouter(dependencies=[allowed(Permission.SEE_PATIENTS)], tags=["handovers"])


class Sections(Document):
    """An SBARD handover: situation, background, assessment, recommendation, and the decision, which may be empty."""

    situation: Section
    background: Section
    assessment: Section
    recommendation: Section
    decision: Section = ""


class HandoverDraft(Document):
    """What is proposed, and what it was written from."""

    sections: Sections
    facts: dict[str, Any]


class NewHandover(Document):
    """What is to be signed; with ``number`` a new version of that handover, in the place of version ``corrects``."""

    sections: Sections
    number: Annotated[int, Field(ge=1, le=2**31 - 1)] | None = None
    corrects: Annotated[int, Field(ge=1, le=2**31 - 1)] | None = None


class Handover(HandoverDraft):
    """A signed version; ``counts`` says that no newer one of the same number supersedes it."""

    handover_id: int
    patient_id: int
    number: int
    version: int
    signed_by: int
    signed_name: str
    signed_role: str
    signed_at: datetime
    counts: bool


class ShiftNotes(Document):
    """Notes by patient's number, and one about the shift as a whole."""

    notes: Annotated[dict[PatientNumber, ShiftNote], Field(max_length=shift_store.MOST, default_factory=dict)]
    general: ShiftNote = ""


class NewShiftHandover(ShiftNotes):
    """What is to be signed: since when, and the ``stamp`` of the draft that was read."""

    since: AwareDatetime
    stamp: Annotated[str, Field(min_length=32, max_length=32)]


class ShiftHandover(Document):
    """A signed shift handover; ``counts`` says that no newer version supersedes it."""

    shift_handover_id: int
    site_id: int
    since: datetime
    until: datetime
    number: int
    version: int
    document: dict[str, Any]
    signed_by: int
    signed_name: str
    signed_role: str
    signed_at: datetime
    counts: bool


@router.get("/patients/{patient_id}/handovers")
async def handovers(patient_id: PatientId) -> list[Handover]:
    """List what was signed about a patient, the newest first, every version."""
    found = await handover_store.signed(patient_id)
    if found is None:
        raise HTTPException(404, NOBODY)
    return [Handover(**row) for row in found]


@router.get("/patients/{patient_id}/handovers/draft")
async def draft(patient_id: PatientId) -> HandoverDraft:
    """Write a handover from what the record says now; nothing is stored."""
    proposed = await handover_store.draft(patient_id)
    if proposed is None or await handover_store.signed(patient_id) is None:
        raise HTTPException(404, NOBODY)
    return HandoverDraft(sections=Sections(**proposed.sections), facts=proposed.facts)


@router.post(
    "/patients/{patient_id}/handovers",
    status_code=201,
    responses={409: {"model": models.Problem, "description": "a newer version was signed meanwhile"}},
    dependencies=[allowed(Permission.SIGN_HANDOVERS)],
)
async def sign(patient_id: PatientId, given: NewHandover) -> Handover:
    """Sign a handover in your own name; what was signed is never changed."""
    try:
        written = await handover_store.sign(patient_id, given.sections.model_dump(), given.number, given.corrects)
    except InvalidActionError as exc:
        raise HTTPException(422, str(exc)) from exc
    except OvertakenError as exc:
        raise HTTPException(409, str(exc)) from exc
    if written is None:
        raise HTTPException(404, NOBODY)
    return Handover(**written)


@router.get("/patients/{patient_id}/handovers/{handover_id}")
async def handover(patient_id: PatientId, handover_id: HandoverId) -> Handover:
    """Give one signed version."""
    return Handover(**await _one(patient_id, handover_id))


@router.get("/patients/{patient_id}/handovers/{handover_id}/pdf", response_class=Response)
async def pdf(patient_id: PatientId, handover_id: HandoverId) -> Response:
    """Give one signed version as a PDF."""
    laid_out = handover_document.of_patient(await _one(patient_id, handover_id))
    return as_pdf(await run_in_threadpool(handover_document.as_pdf, laid_out), f"handover-{handover_id}.pdf")


@router.get("/patients/{patient_id}/handovers/{handover_id}/text", response_class=PlainTextResponse)
async def plain(patient_id: PatientId, handover_id: HandoverId) -> PlainTextResponse:
    """Give one signed version as plain text."""
    laid_out = handover_document.of_patient(await _one(patient_id, handover_id))
    return PlainTextResponse(handover_document.as_text(laid_out))


def as_pdf(content: bytes, name: str) -> Response:
    """Answer with a PDF under a name that says nothing of whom it is about."""
    return Response(
        content, media_type="application/pdf", headers={"Content-Disposition": f'inline; filename="{name}"'}
    )


@router.get("/sites/{site_id}/handovers")
async def shift_handovers(site_id: SiteId) -> list[ShiftHandover]:
    """List the shift handovers that were signed for a site, the newest first, every version."""
    found = await shift_store.signed(site_id)
    if found is None:
        raise HTTPException(404, NO_SITE)
    return [ShiftHandover(**row) for row in found]


@router.get("/sites/{site_id}/handovers/draft")
async def shift_draft(site_id: SiteId, since: AwareDatetime | None = None) -> dict[str, Any]:
    """Write what happened at a site since an instant, by default since its shift began; nothing is stored."""
    site, now = await shift_store.site_of(site_id), datetime.now(UTC)
    if site is None:
        raise HTTPException(404, NO_SITE)
    beginning = since or shift.begun(now, site["shift_times"], site["time_zone"])
    written = await _tell(shift_store.draft(site, beginning, now))
    await audit.looked_at("site", site_id, what="shift_draft", patients=[e["patient_id"] for e in written["entries"]])
    return written


@router.post(
    "/sites/{site_id}/handovers",
    status_code=201,
    responses={409: {"model": models.Problem, "description": "something has changed since it was drafted"}},
    dependencies=[allowed(Permission.SIGN_HANDOVERS)],
)
async def sign_shift(site_id: SiteId, given: NewShiftHandover) -> ShiftHandover:
    """Sign the handover of a shift as it was drafted, with notes."""
    signed = shift_store.sign(site_id, given.since, given.stamp, given.notes, given.general)
    return ShiftHandover(**await _tell(signed))


@router.post(
    "/sites/{site_id}/handovers/{handover_id}/versions",
    status_code=201,
    responses={409: {"model": models.Problem, "description": "a newer version was signed meanwhile"}},
    dependencies=[allowed(Permission.SIGN_HANDOVERS)],
)
async def correct_shift(site_id: SiteId, handover_id: HandoverId, given: ShiftNotes) -> ShiftHandover:
    """Sign the next version of a shift handover: its notes are new, what happened stays as it was signed."""
    return ShiftHandover(**await _tell(shift_store.correct(site_id, handover_id, given.notes, given.general)))


@router.get("/sites/{site_id}/handovers/{handover_id}")
async def shift_handover(site_id: SiteId, handover_id: HandoverId) -> ShiftHandover:
    """Give one signed version."""
    return ShiftHandover(**await _tell(shift_store.one_signed(site_id, handover_id)))


@router.get("/sites/{site_id}/handovers/{handover_id}/pdf", response_class=Response)
async def shift_pdf(site_id: SiteId, handover_id: HandoverId) -> Response:
    """Give one signed version as a PDF."""
    laid_out = handover_document.of_shift(await _tell(shift_store.one_signed(site_id, handover_id)))
    return as_pdf(await run_in_threadpool(handover_document.as_pdf, laid_out), f"shift-{handover_id}.pdf")


@router.get("/sites/{site_id}/handovers/{handover_id}/text", response_class=PlainTextResponse)
async def shift_plain(site_id: SiteId, handover_id: HandoverId) -> PlainTextResponse:
    """Give one signed version as plain text."""
    laid_out = handover_document.of_shift(await _tell(shift_store.one_signed(site_id, handover_id)))
    return PlainTextResponse(handover_document.as_text(laid_out))


async def _tell(asked: Awaitable[dict[str, Any] | None]) -> dict[str, Any]:
    """Wait for an answer about a site, and turn what it cannot do into the interface's words."""
    try:
        found = await asked
    except InvalidActionError as exc:
        raise HTTPException(422, str(exc)) from exc
    except OvertakenError as exc:
        raise HTTPException(409, str(exc)) from exc
    if found is None:
        raise HTTPException(404, NO_SITE)
    return found


async def _one(patient_id: int, handover_id: int) -> dict[str, Any]:
    found = await handover_store.one_signed(patient_id, handover_id)
    if found is None:
        raise HTTPException(404, NONE)
    return found

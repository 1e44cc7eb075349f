"""Who is in hospital or away, so that nothing of them is paged?"""

from __future__ import annotations

from dataclasses import asdict

from fastapi import APIRouter, HTTPException, Response

from dashboard import pauses
from dashboard.actions import InvalidActionError
from dashboard.api import models
from dashboard.api.rights import PatientId, allowed
from dashboard.permissions import Permission
from dashboard.problems import problem

NOBODY = "There is no such patient."
router = APIRouter(
    dependencies=[allowed(Permission.SEE_PATIENTS), allowed(Permission.PAUSE_PATIENTS)], tags=["patients"]
)


@router.post("/patients/{patient_id}/pause")
async def pause(patient_id: PatientId, given: models.NewPause) -> models.Pause:
    """Pause a patient until an instant, at most four weeks ahead; a pause in force gets this end and this reason."""
    try:
        found = await pauses.pause(patient_id, given.until, given.reason)
    except InvalidActionError as exc:
        raise HTTPException(422, str(exc)) from exc
    if found is None:
        raise HTTPException(404, NOBODY)
    return models.Pause(**asdict(found))


@router.delete(
    "/patients/{patient_id}/pause",
    status_code=204,
    response_class=Response,
    responses={409: {"model": models.Problem, "description": "the patient is not paused"}},
)
async def lift(patient_id: PatientId) -> Response:
    """End a patient's pause now."""
    lifted = await pauses.lift(patient_id)
    if lifted is None:
        raise HTTPException(404, NOBODY)
    if not lifted:
        return problem(409, "This patient is not paused.")
    return Response(status_code=204)

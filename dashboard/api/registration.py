"""How do patients and sites come in and go: the JSON interface to `dashboard.registration` and `dashboard.sites`."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Path, Response

from dashboard import audit, emergency, registration, sites
from dashboard.api import account_models as models
from dashboard.api.models import Problem
from dashboard.api.rights import PatientId, allowed
from dashboard.permissions import Permission
from dashboard.problems import problem
from dashboard.registration import KnownPatientError, NewPatient

SiteId = Annotated[int, Path(ge=1, le=2**31 - 1)]
router = APIRouter()
_registrar = allowed(Permission.REGISTER_PATIENTS)


@router.post(
    "/patients",
    status_code=201,
    response_model=models.PatientId,
    tags=["patients"],
    dependencies=[_registrar],
    responses={409: {"model": Problem, "description": "somebody with this NHS number is registered"}},
)
async def register(given: models.NewPatient) -> Any:
    """Take somebody into care, with a pathway and devices where given; all of it or nothing."""
    target = given.target_saturation
    fields = given.model_dump(exclude={"site_id", "target_saturation", "devices"})
    new = NewPatient(
        **fields,
        site=given.site_id,
        target=None if target is None else (target.lowest, target.highest),
        devices=tuple(given.devices),
    )
    try:
        return models.PatientId(patient_id=await registration.register(new))
    except KnownPatientError as exc:
        if exc.patient_id is not None:
            await audit.looked_at("patient", exc.patient_id, what="registration")
        return problem(409, str(exc), patient_id=exc.patient_id)


@router.post(
    "/patients/{patient_id}/discharge",
    status_code=204,
    response_class=Response,
    tags=["patients"],
    dependencies=[_registrar],
)
async def discharge(patient_id: PatientId, given: models.Discharge) -> Response:
    """Let somebody go; their devices are free, and nothing is scored any more."""
    await registration.discharge(patient_id, given.reason)
    return Response(status_code=204)


@router.post(
    "/patients/{patient_id}/readmission",
    status_code=204,
    response_class=Response,
    tags=["patients"],
    dependencies=[_registrar],
)
async def readmit(patient_id: PatientId, given: models.Readmission) -> Response:
    """Take somebody who was discharged into care again."""
    await registration.readmit(patient_id, given.site_id, given.pathway, given.reason)
    return Response(status_code=204)


@router.post(
    "/patients/{patient_id}/move",
    status_code=204,
    response_class=Response,
    tags=["patients"],
    dependencies=[_registrar],
)
async def move(patient_id: PatientId, given: models.Move) -> Response:
    """Move somebody with their devices to another site."""
    await registration.move(patient_id, given.site_id, given.room, given.reason)
    return Response(status_code=204)


@router.post(
    "/emergency-access", status_code=201, tags=["patients"], dependencies=[allowed(Permission.OPEN_IN_EMERGENCY)]
)
async def open_in_emergency(given: models.EmergencyOpening) -> models.PatientId:
    """Open a patient outside your sites for a while; the reason is kept for good."""
    number = await emergency.open_patient(given.nhs_number, given.born_on, given.reason, given.minutes)
    return models.PatientId(patient_id=number)


@router.get("/emergency-access", tags=["audit"], dependencies=[allowed(Permission.SEE_AUDIT)])
async def emergency_accesses() -> list[models.EmergencyAccess]:
    """List who opened whom and why, the latest first."""
    names = models.EmergencyAccess.model_fields
    return [models.EmergencyAccess(**{n: row[n] for n in names}) for row in await emergency.accesses()]


@router.post("/sites", status_code=201, tags=["sites"], dependencies=[allowed(Permission.MANAGE_SITES)])
async def add_site(given: models.NewSite) -> models.SiteId:
    """Make a site."""
    return models.SiteId(site_id=await sites.add(given.name, given.kind, given.time_zone, given.emergency_advice))


@router.put(
    "/sites/{site_id}",
    status_code=204,
    response_class=Response,
    tags=["sites"],
    dependencies=[allowed(Permission.MANAGE_SITES)],
)
async def change_site(site_id: SiteId, given: models.NewSite) -> Response:
    """Change a site's name, kind or time zone, and its advice for emergencies where it is given."""
    await sites.change(site_id, given.name, given.kind, given.time_zone, given.emergency_advice)
    return Response(status_code=204)

"""Which addresses answer other systems' questions? Reading; the way in is ingest's, beside these.

Every look at a patient is in the audit log, as on the pages. Whom a person may not see is not there.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any
from urllib.parse import urlencode

from fastapi import APIRouter, Depends, HTTPException, Request
from fastapi.responses import JSONResponse

from dashboard import audit, identity, store
from dashboard.api import paging
from dashboard.api.rights import allowed
from dashboard.fhir import capability, resources
from dashboard.fhir.resources import DIASTOLIC, SYSTOLIC, Resource
from dashboard.fhir.search import (
    count_in,
    nhs_number_in,
    patient_in,
    refuse_unknown,
    search_of_patients,
    span_in,
    vitals_in,
)
from dashboard.permissions import Permission
from dashboard.wording import instant
from schemas.fhir import MEDIA_TYPE, PANEL, PREFIX, ObservationId

FILE = "fhir/queries.sql"
NONE = "There is no such resource."
_AFTER = "_after"
_JSON = ("*/*", "application/*", MEDIA_TYPE, "application/json", "text/json")


def routes() -> APIRouter:
    """Make the router."""
    router = APIRouter(prefix=PREFIX, include_in_schema=False, dependencies=[Depends(_refuse_other_formats)])
    sees_patients = [allowed(Permission.SEE_PATIENTS)]
    router.get("/metadata")(metadata)
    router.get("/Patient", dependencies=sees_patients)(patients)
    router.get("/Patient/{given}", dependencies=sees_patients)(patient)
    router.get("/Observation", dependencies=sees_patients)(observations)
    router.get("/Observation/{given}", dependencies=sees_patients)(observation)
    return router


async def _refuse_other_formats(request: Request) -> None:
    wanted = request.query_params.get("_format")
    accepted = [part.partition(";")[0].strip().lower() for part in request.headers.get("accept", "*/*").split(",")]
    is_json = wanted in (MEDIA_TYPE, "application/json", "json") if wanted else any(a in _JSON for a in accepted)
    if not is_json:
        raise HTTPException(406, f"Only {MEDIA_TYPE} is spoken here.")


async def metadata(request: Request) -> JSONResponse:
    """Say what this server can do; anybody may ask."""
    return _answer(capability.statement(_base(request)))


async def patient(given: str) -> JSONResponse:
    """Give one patient."""
    rows = await _patients(**search_of_patients(patient=_number(given)))
    if not rows:
        raise HTTPException(404, NONE)
    return _answer(resources.patient(rows[0]))


async def patients(request: Request) -> JSONResponse:
    """Find a patient by NHS number or by id."""
    given = request.query_params
    refuse_unknown(given, ("identifier", "_id", "_count"))
    if ("identifier" in given) == ("_id" in given):
        raise HTTPException(
            400, "State an identifier, such as identifier=https://fhir.nhs.uk/Id/nhs-number|9434765919."
        )
    wanted = {"nhs_number": nhs_number_in(given)} if "identifier" in given else {"patient": _number(given["_id"], -1)}
    rows = await _patients(**search_of_patients(**wanted))
    return _answer(resources.searchset(_base(request), [resources.patient(r) for r in rows], _own(request), None))


async def observation(given: str) -> JSONResponse:
    """Give one observation."""
    identity_ = ObservationId.read(given)
    if identity_ is None or identity_.at > 32_503_680_000_000_000:
        raise HTTPException(404, NONE)
    at = instant(identity_.at)
    pressures = [SYSTOLIC.code, DIASTOLIC.code]
    rows = await _observations(
        identity_.patient_id,
        since=at,
        until=at + timedelta(microseconds=1),
        vitals=pressures if identity_.vital == PANEL else [identity_.vital],
        device=identity_.device_id,
        limit=1,
    )
    if not rows or (identity_.vital == PANEL) != (len(rows[0]["vitals"]) > 1):
        raise HTTPException(404, NONE)
    return _answer(resources.observation(rows[0]))


async def observations(request: Request) -> JSONResponse:
    """List a patient's observations, the latest first."""
    given = request.query_params
    refuse_unknown(given, ("patient", "subject", "code", "date", "_count", "_sort", _AFTER))
    if given.get("_sort", "-date") != "-date":
        raise HTTPException(400, "Parameter _sort: only -date, the latest first.")
    place = paging.read(given.get(_AFTER), datetime.fromisoformat, paging.number, paging.number)
    count, (since, until) = count_in(given), span_in(given)
    rows = await _observations(
        patient_in(given), since=since, until=until, vitals=vitals_in(given), after=place, limit=count + 1
    )
    after = paging.next_of(rows, count, "observed_at", "device_id", "panel")
    next_ = None
    if after is not None:
        pairs = [(name, value) for name, value in given.multi_items() if name != _AFTER]
        next_ = f"{_base(request)}/Observation?{urlencode([*pairs, (_AFTER, after)])}"
    found = [resources.observation(row) for row in rows[:count]]
    return _answer(resources.searchset(_base(request), found, _own(request), next_))


async def _patients(**wanted: Any) -> list[dict[str, Any]]:
    async with store.transaction() as connection:
        rows = await store.rows(connection, store.queries(FILE)["patients"], **wanted, limit=2)
        for row in rows:
            await audit.write(connection, identity.current(), "looked_at", f"patient/{row['patient_id']}", what="fhir")
    return rows


async def _observations(
    patient_id: int,
    *,
    since: datetime,
    until: datetime,
    vitals: list[Any] | None,
    limit: int,
    device: int | None = None,
    after: tuple[Any, ...] = (None, None, None),
) -> list[dict[str, Any]]:
    """Ask for one patient's observations, and record the look; 404 where the person sees no such patient."""
    async with store.transaction() as connection:
        seen = await store.rows(connection, store.queries("actions.sql")["visible_patient"], patient=patient_id)
        if not seen:
            raise HTTPException(404, NONE)
        rows = await store.rows(
            connection,
            store.queries(FILE)["observations"],
            patient=patient_id,
            since=since,
            until=until,
            vitals=vitals,
            device=device,
            pressures=[SYSTOLIC.code, DIASTOLIC.code],
            pressure=SYSTOLIC.code,
            after_at=after[0],
            after_device=after[1],
            after_panel=after[2],
            limit=limit,
        )
        await audit.write(connection, identity.current(), "looked_at", f"patient/{patient_id}", what="fhir")
    return rows


def _number(given: str, otherwise: int | None = None) -> int:
    if given.isascii() and given.isdigit() and len(given) < 10:
        return int(given)
    if otherwise is None:
        raise HTTPException(404, NONE)
    return otherwise


def _base(request: Request) -> str:
    return str(request.base_url).rstrip("/") + PREFIX


def _own(request: Request) -> str:
    return str(request.url)


def _answer(resource: Resource) -> JSONResponse:
    return JSONResponse(resource, media_type=MEDIA_TYPE)

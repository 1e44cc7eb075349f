"""How does somebody take a patient's observations along as a table? As CSV, row by row, however many there are."""

from __future__ import annotations

import csv
import io
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Annotated, Any

from fastapi import APIRouter, HTTPException, Query
from fastapi.responses import StreamingResponse
from pydantic import AwareDatetime

from dashboard import audit, identity, store
from dashboard.api.rights import PatientId, allowed
from dashboard.permissions import Permission
from schemas.observation import Flag
from schemas.vital_signs import CATALOGUE

NOBODY = "There is no such patient."
COLUMNS = ("observed_at", "received_at", "vital_sign", "loinc", "value", "unit", "quality", "device")
BLOCK = 2000
LONGEST = timedelta(days=366)
router = APIRouter(dependencies=[allowed(Permission.SEE_PATIENTS)], tags=["patients"])


@router.get("/patients/{patient_id}/observations.csv", response_class=StreamingResponse)
async def observations(
    patient_id: PatientId,
    since: Annotated[AwareDatetime | None, Query(description="a day before `until` where it is not given")] = None,
    until: Annotated[AwareDatetime | None, Query(description="now where it is not given")] = None,
) -> StreamingResponse:
    """Give the observations of a span of at most a year, oldest first, in the catalogue's units and in UTC."""
    end = until or datetime.now(UTC)
    begin = since or end - timedelta(days=1)
    if not begin < end <= begin + LONGEST:
        raise HTTPException(422, f"Ask for a span of at most {LONGEST.days} days that ends after it begins.")
    async with store.transaction() as connection:
        if not await store.rows(connection, store.queries("actions.sql")["visible_patient"], patient=patient_id):
            raise HTTPException(404, NOBODY)
        span = {"since": begin.isoformat(), "until": end.isoformat()}
        await audit.write(connection, identity.current(), "exported", f"patient/{patient_id}", what="csv", **span)
    name = f"observations-{patient_id}-{begin:%Y%m%d}-{end:%Y%m%d}.csv"
    return StreamingResponse(
        _lines(patient_id, begin, end),
        media_type="text/csv; charset=utf-8",
        headers={"Content-Disposition": f'attachment; filename="{name}"'},
    )


async def _lines(patient_id: int, since: datetime, until: datetime) -> AsyncIterator[str]:
    yield _csv([COLUMNS])
    async with store.transaction(read_only=True) as connection, connection.cursor(name="export") as cursor:
        cursor.itersize = BLOCK
        await cursor.execute(
            store.queries("api/queries.sql")["export"], {"patient": patient_id, "since": since, "until": until}
        )
        while block := await cursor.fetchmany(BLOCK):
            yield _csv([_row(*row) for row in block])


def _row(observed_at: datetime, received_at: datetime, vital: int, value: float, flags: int, device: str) -> list[Any]:
    sign = CATALOGUE[vital - 1]
    quality = " ".join(flag.name.lower() for flag in Flag if flags & flag and flag.name)
    times = (at.astimezone(UTC).isoformat() for at in (observed_at, received_at))
    return [*times, sign.name, sign.loinc, f"{value:g}", sign.unit, quality, device or ""]


def _csv(rows: Any) -> str:
    text = io.StringIO()
    csv.writer(text, lineterminator="\r\n").writerows(rows)
    return text.getvalue()

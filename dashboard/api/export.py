"""How does somebody take a patient's observations along as a table? As CSV, day by day, however many there are.

Each day is a question of its own, so that whoever takes the file slowly, or stops taking it, keeps nothing from others.
"""

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
LONGEST = timedelta(days=366)
AT_ONCE = timedelta(days=1)
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
    while since < until:
        end = min(since + AT_ONCE, until)
        found = await store.fetch_from("api/queries.sql", "export", patient=patient_id, since=since, until=end)
        if found:
            yield _csv([_row(row) for row in found])
        since = end


def _row(row: dict[str, Any]) -> list[Any]:
    sign = CATALOGUE[row["vital"] - 1]
    quality = " ".join(flag.name.lower() for flag in Flag if row["flags"] & flag and flag.name)
    times = (row[at].astimezone(UTC).isoformat() for at in ("observed_at", "received_at"))
    return [*times, sign.name, sign.loinc, f"{row['value']:g}", sign.unit, quality, row["code"] or ""]


def _csv(rows: Any) -> str:
    text = io.StringIO()
    csv.writer(text, lineterminator="\r\n").writerows(rows)
    return text.getvalue()

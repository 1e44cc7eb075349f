"""What waits in quarantine, and what is done with it? Trying again is ingest's route beside these."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any, Literal, Self

from fastapi import APIRouter, HTTPException, Query
from pydantic import AwareDatetime, Field, model_validator

from dashboard import audit, identity, quarantine, store
from dashboard.api import models, paging
from dashboard.api.paging import After, Limit
from dashboard.api.rights import allowed
from dashboard.permissions import Permission
from dashboard.quarantine import Chosen, InvalidError, TakenError
from schemas.quarantine import REMEDY, Reason

FILE = "api/queries.sql"
_Number = Annotated[int, Field(ge=0, le=2**63 - 1)]
_Id = Annotated[int, Field(ge=0, le=2**31 - 1)]
router = APIRouter(dependencies=[allowed(Permission.SEE_QUARANTINE)], tags=["running"])


class Message(models.Document):
    """The newest messages of a cause."""

    quarantine_id: int
    detail: str
    observations: int
    received_at: datetime
    payload_bytes: int
    payload: str


class Cause(models.Document):
    """Messages that wait for the same reason, from the same source; ``up_to`` is the newest one's number."""

    reason: str
    remedy: str
    source: str
    device_id: int
    device: str | None
    messages: int
    observations: int
    first_at: datetime
    last_at: datetime
    up_to: int
    newest: list[Message]


class Discard(models.Document):
    """Some messages by their numbers, or all of one cause, and why they are not wanted."""

    items: Annotated[list[_Number], Field(min_length=1, max_length=500)] | None = None
    reason: Annotated[str, Field(max_length=64)] | None = None
    source: Annotated[str, Field(max_length=400)] | None = None
    device_id: _Id | None = None
    up_to: _Number | None = None
    after: _Number = 0
    note: Annotated[str, Field(min_length=1, max_length=quarantine.LONGEST_NOTE)]

    @model_validator(mode="after")
    def _says_which(self) -> Self:
        if (self.items is None) == (self.reason is None):
            raise ValueError("name either items or a reason")
        return self


class Discarded(models.Document):
    """How many were discarded; where ``next`` is not null, ask again with it as ``after``."""

    messages: int
    next: int | None
    up_to: int


class PastAssignment(models.Document):
    """To whom a device belonged, from when to when; until now and on where ``until`` is null."""

    device_id: _Id
    patient_id: _Id
    user: Annotated[int, Field(ge=0, le=32767)] = 0
    since: Annotated[AwareDatetime, Field(alias="from")]
    until: AwareDatetime | None = None


@router.get("/quarantine")
async def waiting(
    status: Literal["waiting", "replayed", "discarded"] | None = "waiting",
    reason: Annotated[Reason | None, Query()] = None,
    limit: Limit = 100,
    after: After = None,
) -> models.Page[models.Quarantined]:
    """List what could not be stored, the latest first."""
    (after_id,) = paging.read(after, paging.number)
    given = {"status": status, "reason": reason, "limit": limit + 1, "after_id": after_id}
    async with store.transaction() as connection:
        rows = await store.rows(connection, store.queries(FILE)["quarantine"], **given)
        told = {"messages": len(rows[:limit]), **quarantine.of_whom(rows[:limit])}
        await audit.write(connection, identity.current(), "looked_at", "quarantine", **told)
    items = [_quarantined(row) for row in rows[:limit]]
    return models.Page(items=items, next=paging.next_of(rows, limit, "quarantine_id"))


@router.get("/quarantine/causes")
async def causes() -> list[Cause]:
    """List what waits, by cause, with the newest messages of each."""
    names = set(Message.model_fields)
    found = []
    for row in await quarantine.causes():
        newest = [Message(**{name: m[name] for name in names}) for m in row["newest"]]
        kept = {name: row[name] for name in Cause.model_fields if name not in ("newest", "remedy")}
        found.append(Cause(**kept, remedy=remedy(row["reason"]), newest=newest))
    return found


@router.post("/quarantine/discard", dependencies=[allowed(Permission.MEND_QUARANTINE)])
async def discard(given: Discard) -> Discarded:
    """Discard waiting messages, at most 500 at a time; they are kept, with who did it, when and why."""
    chosen = Chosen(given.items, given.reason, given.source, given.device_id, given.up_to)
    try:
        done, next_, up_to = await quarantine.discard(chosen, given.note, given.after)
    except InvalidError as exc:
        raise HTTPException(422, str(exc)) from exc
    return Discarded(messages=done, next=next_, up_to=up_to)


@router.post(
    "/quarantine/assign",
    status_code=204,
    dependencies=[allowed(Permission.MEND_QUARANTINE), allowed(Permission.SEE_PATIENTS)],
    responses={409: {"model": models.Problem, "description": "it belongs to somebody within that time"}},
)
async def assign(given: PastAssignment) -> None:
    """Give a device to a patient for a time that has passed, so that what waits can be replayed."""
    try:
        done = await quarantine.assign(given.device_id, given.patient_id, given.user, given.since, given.until)
    except InvalidError as exc:
        raise HTTPException(422, str(exc)) from exc
    except TakenError as exc:
        raise HTTPException(409, "The device belongs to somebody within that time; choose another time.") from exc
    if not done:
        raise HTTPException(404, "There is no such device or patient.")


def remedy(reason: str) -> str:
    """Say what is to be done about a reason."""
    return REMEDY[Reason(reason)] if reason in set(Reason) else ""


def _quarantined(row: dict[str, Any]) -> models.Quarantined:
    kept = {name: row[name] for name in row if name not in ("device_id", "payload", "detail", "patients")}
    payload = quarantine.shown(row["payload"], identity.current())
    detail = quarantine.said(row["detail"])
    return models.Quarantined(**kept, detail=detail, remedy=remedy(row["reason"]), payload=payload)

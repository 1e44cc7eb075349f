"""By which routes are messages in quarantine tried again? Ingest's: only its role may write observations.

A request tries a bounded number, and its answer says where to go on, so that a cause with thousands of messages is
worked off request by request while whoever asked for it sees how far it has come.
"""

# Annotations are not postponed here: FastAPI could not find the dependency that is passed in.
from collections.abc import Callable
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Annotated, Any, TypeVar

from fastapi import APIRouter, Depends, HTTPException
from fastapi.concurrency import run_in_threadpool
from pydantic import BaseModel, ConfigDict, Field, model_validator

from ingest.entrance import AWAY, Entrance
from ingest.quarantine_replay import Chosen, left, newest, observed_span, replay

PATH = "/api/v1/quarantine"
_Found = TypeVar("_Found")
_Number = Annotated[int, Field(ge=0, le=2**63 - 1)]


@dataclass(frozen=True)
class Mender:
    """Who works on the quarantine, and for which organisation."""

    organisation_id: int
    account_id: int


class Choice(BaseModel):
    """Some messages by their numbers, or all that wait for one cause, up to a number."""

    model_config = ConfigDict(extra="forbid")

    items: Annotated[list[_Number], Field(min_length=1, max_length=500)] | None = None
    reason: Annotated[str, Field(max_length=64)] | None = None
    source: Annotated[str, Field(max_length=400)] | None = None
    device_id: Annotated[int, Field(ge=0, le=2**31 - 1)] | None = None
    up_to: _Number | None = None
    after: _Number = 0

    @model_validator(mode="after")
    def _says_which(self) -> "Choice":
        if (self.items is None) == (self.reason is None):
            raise ValueError("name either items or a reason")
        return self


class Replayed(BaseModel):
    """What became of the messages tried; where ``next`` is not null, ask again with it as ``after``."""

    messages: int
    done: int
    waiting: int
    stored: int
    duplicate: int
    reasons: dict[str, int]
    next: int | None
    up_to: int
    left: int


class Span(BaseModel):
    """From when to when the observations of waiting messages are, and for which users of their device."""

    first: datetime | None
    last: datetime | None
    users: list[int]


def routes(entrance: Entrance, authenticate: Callable[..., Any]) -> APIRouter:
    """Make the router; ``authenticate`` is a dependency that gives the `Mender`, or refuses the request."""
    router = APIRouter(tags=["running"], prefix=PATH)

    @router.post("/replay")
    async def again(given: Choice, mender: Annotated[Mender, Depends(authenticate)]) -> Replayed:
        """Try waiting messages again, about a hundred at a time; what is refused again goes on waiting."""
        return await _asked(_replay, entrance, given, mender)

    @router.post("/span")
    async def span(given: Choice, mender: Annotated[Mender, Depends(authenticate)]) -> Span:
        """Say for which time a device has to be assigned, for its waiting messages to be stored."""
        return await _asked(_span, entrance, given, mender)

    return router


async def _asked(
    work: Callable[[Entrance, Choice, Mender], _Found], entrance: Entrance, given: Choice, mender: Mender
) -> _Found:
    try:
        return await run_in_threadpool(work, entrance, given, mender)
    except AWAY as failed:
        raise HTTPException(503, "The database is away; try again.", {"Retry-After": "5"}) from failed


def _chosen(given: Choice, mender: Mender, up_to: int) -> Chosen:
    return Chosen(mender.organisation_id, given.items, given.reason, given.source, given.device_id, up_to)


def _replay(entrance: Entrance, given: Choice, mender: Mender) -> Replayed:
    with entrance.pool.connection() as connection:
        up_to = newest(connection) if given.up_to is None else given.up_to
    chosen = _chosen(given, mender, up_to)
    found = replay(entrance.pool, entrance.keeper, chosen, mender.account_id, given.after)
    with entrance.pool.connection() as connection:
        still = 0 if found.next is None else left(connection, chosen, found.next)
    return Replayed(**asdict(found), up_to=up_to, left=still)


def _span(entrance: Entrance, given: Choice, mender: Mender) -> Span:
    with entrance.pool.connection() as connection:
        up_to = newest(connection) if given.up_to is None else given.up_to
        first, last, users = observed_span(connection, _chosen(given, mender, up_to))
    return Span(first=first, last=last, users=users)

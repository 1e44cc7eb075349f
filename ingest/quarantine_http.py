"""By which routes are messages in quarantine tried again? Ingest's: only its role may write observations.

A request tries a bounded number, and its answer says where to go on, so that a cause with thousands of messages is
worked off request by request while whoever asked for it sees how far it has come.
"""

# Annotations are not postponed here: FastAPI could not find the dependency that is passed in.
from collections.abc import Awaitable, Callable
from dataclasses import asdict, dataclass, replace
from datetime import datetime
from typing import Annotated, Any, TypeVar

from fastapi import APIRouter, Depends, HTTPException
from fastapi.concurrency import run_in_threadpool
from pydantic import BaseModel, ConfigDict, Field, model_validator

from ingest.entrance import AWAY, Entrance
from ingest.quarantine_replay import AT_ONCE, LOOKED_AT, Chosen, observed_span, replay

PATH = "/api/v1/quarantine"
_Found = TypeVar("_Found")
_Number = Annotated[int, Field(ge=0, le=2**63 - 1)]


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


@dataclass(frozen=True)
class Seen:
    """Which messages of a choice this person may see: the next ones, how many come after them, and up to which."""

    items: list[int]
    left: int
    up_to: int


@dataclass(frozen=True)
class Mender:
    """Who works on the quarantine, for which organisation, and how to ask which of the messages are theirs to see."""

    organisation_id: int
    account_id: int
    seen: Callable[[Choice, int], Awaitable[Seen]]


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
        return await _asked(_replay, entrance, given, mender, await mender.seen(given, AT_ONCE))

    @router.post("/span")
    async def span(given: Choice, mender: Annotated[Mender, Depends(authenticate)]) -> Span:
        """Say for which time a device has to be assigned, for its waiting messages to be stored."""
        return await _asked(_span, entrance, given, mender, await mender.seen(given, LOOKED_AT))

    return router


async def _asked(
    work: Callable[[Entrance, Chosen, Mender, Seen, int], _Found],
    entrance: Entrance,
    given: Choice,
    mender: Mender,
    seen: Seen,
) -> _Found:
    chosen = Chosen(
        mender.organisation_id, given.items, given.reason, given.source, given.device_id, seen.up_to, within=seen.items
    )
    try:
        return await run_in_threadpool(work, entrance, chosen, mender, seen, given.after)
    except AWAY as failed:
        raise HTTPException(503, "The database is away; try again.", {"Retry-After": "5"}) from failed


def _replay(entrance: Entrance, chosen: Chosen, mender: Mender, seen: Seen, after: int) -> Replayed:
    found = replay(entrance.pool, entrance.keeper, chosen, mender.account_id, after)
    if seen.left:
        # others may have had some of these in hand: on with what comes after them
        found = replace(found, next=seen.items[-1])
    return Replayed(**asdict(found), up_to=seen.up_to, left=seen.left)


def _span(entrance: Entrance, chosen: Chosen, _: Mender, __: Seen, ___: int) -> Span:
    with entrance.pool.connection() as connection:
        first, last, users = observed_span(connection, chosen)
    return Span(first=first, last=last, users=users)

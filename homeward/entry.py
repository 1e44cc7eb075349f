"""Who may send observations over HTTP: devices with a token, and people for patients whom they may see.

`ingest` owns the routes and the writing, `dashboard` knows the person; neither imports the other, so they are put
together here.
"""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager

from fastapi import APIRouter, HTTPException, Request
from fastapi.concurrency import run_in_threadpool

from dashboard import audit, identity, quarantine, store
from dashboard.fhir.search import search_of_patients
from dashboard.permissions import NotPermittedError, Permission, require
from homeward import replay_route
from ingest import fhir_http, quarantine_http, sms_http
from ingest.entrance import AWAY, Entrance
from ingest.http import Sender, routes
from ingest.quarantine_http import Choice, Mender, Seen
from ingest.service import ROLE
from schemas.database import open_pool

TOKEN = re.compile(r"hwd_[A-Za-z0-9_-]{43}\Z")
"""A device's token; its beginning tells it from a person's."""


@contextmanager
def other_ways_in(database_url: str) -> Iterator[list[APIRouter]]:
    """Give the routes by which observations come in beside the broker, for as long as the pages are served."""
    with open_pool(database_url, ROLE, min_size=2, max_size=6) as pool:
        entrance = Entrance(pool)
        entrance.start()
        try:
            sender = sender_for(entrance)
            yield [
                routes(entrance, sender),
                fhir_http.routes(entrance, sender),
                sms_http.routes(entrance),
                quarantine_http.routes(entrance, mender),
                replay_route.routes(pool),
            ]
        finally:
            entrance.close()


def sender_for(entrance: Entrance) -> Callable[[Request], Awaitable[Sender]]:
    """Make the dependency that finds who sends."""

    async def sender(request: Request) -> Sender:
        credential = _credential(request.headers.get("authorization", ""))
        return _person() if credential is None else await _device(entrance, *credential)

    return sender


def _credential(header: str) -> tuple[str | None, str] | None:
    """Read a device's credential: its token as a bearer, or as the password of its code; None where there is none."""
    kind, _, given = header.partition(" ")
    if kind.lower() == "bearer" and TOKEN.match(given.strip()):
        return None, given.strip()
    if kind.lower() != "basic":
        return None
    try:
        code, _, token = base64.b64decode(given.strip(), validate=True).decode().partition(":")
    except (binascii.Error, UnicodeDecodeError):
        return "", ""
    return code, token


async def _device(entrance: Entrance, code: str | None, token: str) -> Sender:
    try:
        found = await run_in_threadpool(entrance.device_of_token, token) if TOKEN.match(token) else None
    except AWAY as failed:
        raise HTTPException(503, "The database is away; send it again.", {"Retry-After": "5"}) from failed
    if found is None or code not in (None, found[0]):
        ways = {"WWW-Authenticate": 'Basic realm="Homeward", Bearer'}
        raise HTTPException(401, "No device in use has this token; make one with `homeward device token`.", ways)
    return Sender(found[1], found[0])


def _person() -> Sender:
    """Take the person at work as the sender; writing about patients is a right of those who care for them."""
    try:
        person = identity.current()
        require(person, Permission.WRITE_NOTES)
    except identity.NotSignedInError as nobody:
        ways = {"WWW-Authenticate": 'Basic realm="Homeward", Bearer'}
        raise HTTPException(401, "Sign in first, or send a device's token.", ways) from nobody
    except NotPermittedError as refused:
        raise HTTPException(403, str(refused)) from refused
    return Sender(
        person.organisation_id,
        may_enter_for=_is_visible,
        account_id=person.account_id,
        patient_of_nhs_number=_patient_of_nhs_number,
    )


async def mender() -> Mender:
    """Take the person at work as the one who has messages tried again."""
    try:
        person = identity.current()
        require(person, Permission.MEND_QUARANTINE)
    except NotPermittedError as refused:
        raise HTTPException(403, str(refused)) from refused
    return Mender(person.organisation_id, person.account_id, _seen)


async def _seen(given: Choice, limit: int) -> Seen:
    """Say which messages of a choice the person may see: only the database, looking with their eyes, knows."""
    chosen = quarantine.Chosen(given.items, given.reason, given.source, given.device_id, given.up_to)
    return Seen(*await quarantine.waiting(chosen, given.after, limit))


async def _is_visible(patient: int) -> bool:
    """Say whether the person may enter for a patient, and record that they do; all people share one device."""
    async with store.transaction() as connection:
        seen = await store.rows(connection, store.queries("actions.sql")["visible_patient"], patient=patient)
        if seen:
            await audit.write(connection, identity.current(), "entered_by_hand", f"patient/{patient}")
    return bool(seen)


async def _patient_of_nhs_number(number: str) -> int | None:
    """Find a patient for whom the person may enter, and record that they do."""
    found = await store.fetch_from("fhir/queries.sql", "patients", **search_of_patients(nhs_number=number), limit=2)
    patient = int(found[0]["patient_id"]) if len(found) == 1 else None
    return patient if patient is not None and await _is_visible(patient) else None

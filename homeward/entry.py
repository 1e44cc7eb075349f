"""Who may send observations over HTTP, beside the pages: people signed in, for patients whom they may see.

`ingest` owns the route and the writing, `dashboard` knows the person; neither imports the other, so they are put
together here.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from fastapi import APIRouter, HTTPException

from dashboard import identity, store
from dashboard.permissions import NotPermittedError, Permission, require
from ingest.http import Entrance, Sender, routes
from ingest.service import ROLE
from schemas.database import open_pool


@contextmanager
def entry_by_hand(database_url: str) -> Iterator[APIRouter]:
    """Give the route by which observations are entered, for as long as the pages are served."""
    with open_pool(database_url, ROLE, min_size=2, max_size=4) as pool:
        entrance = Entrance(pool)
        entrance.start()
        try:
            yield routes(entrance, _signed_in_person)
        finally:
            entrance.close()


async def _signed_in_person() -> Sender:
    """Take the person at work as the sender; writing about patients is a right of those who care for them."""
    try:
        person = identity.current()
        require(person, Permission.WRITE_NOTES)
    except identity.NotSignedInError as nobody:
        raise HTTPException(401, "Sign in first.") from nobody
    except NotPermittedError as refused:
        raise HTTPException(403, str(refused)) from refused
    return Sender(person.organisation_id, may_enter_for=_is_visible)


async def _is_visible(patient: int) -> bool:
    return bool(await store.fetch_from("actions.sql", "visible_patient", patient=patient))

"""How does somebody with a link from an administrator choose their password?

The link is good once and for a day; a look at it changes nothing, so that a mail scanner that follows it does no harm.
"""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter, Request
from fastapi.responses import Response
from psycopg_pool import AsyncConnectionPool

from dashboard import audit, forms, store
from dashboard.forms import Field, Forms
from dashboard.identity import Person
from dashboard.incoming import client_address, field
from dashboard.passwords import hash_password_async, refusal
from dashboard.people import FILE, token_hash
from dashboard.text import sign_in as words
from dashboard.throttle import Throttle
from schemas.database import acting_for_async

PATH = "/choose-password"
_FIELDS = (
    Field("password", words.NEW_PASSWORD, kind="password", complete="new-password"),
    Field("again", words.REPEAT_PASSWORD, kind="password", complete="new-password"),
)
_LONGEST_TOKEN = 100


def routes(pool: AsyncConnectionPool, pages: Forms) -> APIRouter:
    """Make the page at the end of a link."""
    router = APIRouter(include_in_schema=False)
    throttle = Throttle()

    def form(token: str, *, error: str = "", status: int = 200) -> Response:
        body = forms.form(PATH, _FIELDS, words.SAVE_PASSWORD, hidden={"token": token}, error=error)
        return pages.page(words.CHOOSE_TITLE, words.CHOOSE_LEAD, body, error=error, status=status)

    def gone(status: int = 410) -> Response:
        return pages.page(words.CHOOSE_TITLE, words.LINK_GONE, forms.link("/sign-in", words.SIGN_IN), status=status)

    @router.get(PATH)
    async def show(request: Request) -> Response:
        token = request.query_params.get("token", "")[:_LONGEST_TOKEN]
        if throttle.wait_s("", client_address(request)) > 0:
            return gone(429)
        if await _holder(pool, token) is None:
            throttle.failed("", client_address(request))
            return gone()
        return form(token)

    @router.post(PATH)
    async def take(request: Request) -> Response:
        async with request.form(max_files=0, max_fields=10) as given:
            token, password, again = (field(given, name) for name in ("token", "password", "again"))
        if throttle.wait_s("", client_address(request)) > 0:
            return gone(429)
        found = await _holder(pool, token[:_LONGEST_TOKEN])
        if found is None:
            throttle.failed("", client_address(request))
            return gone()
        person, sign_in = found
        why_not = words.NOT_THE_SAME if password != again else refusal(password, sign_in, person.name)
        if why_not:
            return form(token, error=why_not, status=422)
        if not await _redeem(pool, person, token, password):
            return gone()
        body = forms.link("/sign-in", words.SIGN_IN, button=True)
        return pages.page(words.PASSWORD_SAVED, words.PASSWORD_SAVED_LEAD, body)

    return router


async def _holder(pool: AsyncConnectionPool, token: str) -> tuple[Person, str] | None:
    """Say whose link this is, where it can still be used."""
    async with pool.connection() as connection:
        cursor = await connection.execute(
            "select account_id, organisation_id, name, role, sign_in from account_for_link(%s)", [token_hash(token)]
        )
        row = await cursor.fetchone()
    return (Person(*row[:4]), row[4]) if row else None


async def _redeem(pool: AsyncConnectionPool, person: Person, token: str, password: str) -> bool:
    """Use the link up and set the password in one transaction; False where somebody else was faster."""
    hashed = await hash_password_async(password)
    async with (
        pool.connection() as connection,
        acting_for_async(connection, person.organisation_id, person.account_id),
    ):
        if not await _run(connection, "use_link", hash=token_hash(token)):
            return False
        await _run(connection, "set_password", account=person.account_id, password_hash=hashed)
        ended = await _run(connection, "end_other_sessions", account=person.account_id, own=b"")
        for row in ended:
            await _run(connection, "tell_ended", hash=row["token_hash"])
        await audit.write(connection, person, "password_set", f"account/{person.account_id}", by="link")
    return True


async def _run(connection: Any, query: str, **parameters: Any) -> list[dict[str, Any]]:
    return await store.rows(connection, store.queries(FILE)[query], **parameters)

"""Which routes does the JSON interface have?"""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter, Depends, HTTPException, Request, Response
from fastapi.security import APIKeyCookie, HTTPBearer
from psycopg_pool import AsyncConnectionPool

from dashboard import identity
from dashboard.api import (
    accounts,
    certificates,
    devices,
    episodes,
    export,
    governance,
    handovers,
    messages,
    models,
    patients,
    pauses,
    quarantine,
    registration,
    running,
)
from dashboard.auth import REFUSED, Cookie, Refusal, SignIn, Ticket
from dashboard.device_acts import Logins
from dashboard.identity import Person
from dashboard.incoming import agent_of, client_address
from dashboard.permissions import PERMISSIONS
from dashboard.sessions import Sessions

PREFIX = "/api/v1"
CODE_NEEDED = "This account has a second factor: send its code as `code` too."
ENROL_FIRST = "This account's role needs a second factor: sign in on the pages once to enrol one."
PROBLEMS: dict[int | str, dict[str, object]] = {
    status: {"model": models.Problem, "content": {"application/problem+json": {}}} for status in (401, 403, 404, 422)
}


def routes(
    pool: AsyncConnectionPool, sign_in: SignIn, sessions: Sessions, cookie: Cookie, logins: Logins | None
) -> APIRouter:
    """Make the whole interface; the gate in front of it has found the person already."""
    known = [
        Depends(HTTPBearer(auto_error=False, description="the token of POST /api/v1/sign-in")),
        Depends(APIKeyCookie(name=cookie.name, auto_error=False, description="the cookie of the sign-in page")),
    ]
    router = APIRouter(prefix=PREFIX, responses=PROBLEMS)
    _add_sign_in(router, sign_in, sessions)
    for part in (
        patients.router,
        export.router,
        pauses.router,
        episodes.router,
        handovers.router,
        quarantine.router,
        running.routes(pool),
        certificates.routes(logins),
        accounts.routes(sign_in),
        registration.router,
        governance.router,
        devices.routes(logins),
        messages.router,
    ):
        router.include_router(part, dependencies=known)
    return router


def _add_sign_in(router: APIRouter, sign_in: SignIn, sessions: Sessions) -> None:
    @router.post("/sign-in", tags=["sign-in"])
    async def begin(request: Request, given: models.SignInRequest) -> models.SignedIn:
        """Sign in; the token in the answer goes into `Authorization: Bearer` of every other request."""
        where, agent = client_address(request), agent_of(request)
        result: Any = await sign_in.attempt(given.sign_in, given.password, where, agent)
        if isinstance(result, Ticket):
            if result.enrols:
                raise HTTPException(401, ENROL_FIRST)
            if not given.code:
                raise HTTPException(401, CODE_NEEDED)
            result = await sign_in.second(result.sealed, given.code, where, agent)
        if isinstance(result, Refusal):
            wait = {"Retry-After": str(int(result.wait_s) + 1)}
            raise HTTPException(429 if result.wait_s else 401, REFUSED, wait if result.wait_s else None)
        token, session, *_ = result
        return models.SignedIn(token=token, expires_at=session.expires_at, account=_account(session.person))

    @router.post("/sign-out", tags=["sign-in"], status_code=204)
    async def end() -> Response:
        """End the session, and every live connection under it."""
        await sessions.close(identity.current_session())
        return Response(status_code=204)

    @router.get("/me", tags=["sign-in"])
    async def me() -> models.Account:
        """Say who is signed in, and what their role may do."""
        return _account(identity.current())


def _account(person: Person) -> models.Account:
    return models.Account(
        account_id=person.account_id,
        organisation_id=person.organisation_id,
        name=person.name,
        role=person.role,
        permissions=sorted(PERMISSIONS.get(person.role, frozenset())),
    )

"""Which routes does the JSON interface have?"""

from __future__ import annotations

from fastapi import APIRouter, Depends, HTTPException, Request, Response
from fastapi.security import APIKeyCookie, HTTPBearer
from psycopg_pool import AsyncConnectionPool

from dashboard import identity
from dashboard.api import episodes, models, patients, pauses, quarantine, running
from dashboard.auth import REFUSED, Cookie, Refusal, SignIn, client_address
from dashboard.identity import Person
from dashboard.permissions import PERMISSIONS
from dashboard.sessions import Sessions

PREFIX = "/api/v1"
PROBLEMS: dict[int | str, dict[str, object]] = {
    status: {"model": models.Problem, "content": {"application/problem+json": {}}} for status in (401, 403, 404, 422)
}


def routes(pool: AsyncConnectionPool, sign_in: SignIn, sessions: Sessions, cookie: Cookie) -> APIRouter:
    """Make the whole interface; the gate in front of it has found the person already."""
    known = [
        Depends(HTTPBearer(auto_error=False, description="the token of POST /api/v1/sign-in")),
        Depends(APIKeyCookie(name=cookie.name, auto_error=False, description="the cookie of the sign-in page")),
    ]
    router = APIRouter(prefix=PREFIX, responses=PROBLEMS)
    _add_sign_in(router, sign_in, sessions)
    for part in (patients.router, pauses.router, episodes.router, quarantine.router, running.routes(pool)):
        router.include_router(part, dependencies=known)
    return router


def _add_sign_in(router: APIRouter, sign_in: SignIn, sessions: Sessions) -> None:
    @router.post("/sign-in", tags=["sign-in"])
    async def begin(request: Request, given: models.SignInRequest) -> models.SignedIn:
        """Sign in; the token in the answer goes into `Authorization: Bearer` of every other request."""
        result = await sign_in.attempt(given.sign_in, given.password, client_address(request))
        if isinstance(result, Refusal):
            wait = {"Retry-After": str(int(result.wait_s) + 1)}
            raise HTTPException(429 if result.wait_s else 401, REFUSED, wait if result.wait_s else None)
        token, session = result
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

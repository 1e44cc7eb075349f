"""How does a person come in through a provider of identities, and to which account?

An account belongs to an issuer and a subject: linked by an administrator beforehand, or made at the first sign-in by a
rule of the organisation. An e-mail address links nobody: providers let people change it.
"""

from __future__ import annotations

import logging
from dataclasses import astuple
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from fastapi import APIRouter, Request
from fastapi.responses import RedirectResponse, Response
from psycopg.types.json import Jsonb
from psycopg_pool import AsyncConnectionPool

from dashboard import audit, forms
from dashboard.forms import Forms
from dashboard.identity import Person
from dashboard.incoming import agent_of, first_page, local_path
from dashboard.provider import Flow, Provider, ProviderError
from dashboard.seal import BrokenSealError, Seal
from dashboard.sessions import Sessions
from dashboard.text import sign_in as words
from schemas.database import acting_for_async

if TYPE_CHECKING:
    from dashboard.auth import Cookie

log = logging.getLogger(__name__)
PATH, BACK = "/sign-in/provider", "/sign-in/provider/back"
FLOW_VALID = timedelta(minutes=10)
_PURPOSE = "provider flow"
LONGEST_NAME = 200


def routes(
    pool: AsyncConnectionPool, provider: Provider, sessions: Sessions, cookie: Cookie, seal: Seal, pages: Forms
) -> APIRouter:
    """Make the way to the provider and the way back."""
    router = APIRouter(include_in_schema=False)
    flow_cookie = "__Host-homeward_flow" if cookie.secure else "homeward_flow"

    def failed(exc: Exception, said: str = words.PROVIDER_FAILED, status: int = 401) -> Response:
        log.warning("sign-in through the provider failed", extra={"action": "provider_failed", "error": str(exc)})
        response = pages.page(
            words.SIGN_IN, said, forms.link("/sign-in", words.SIGN_IN_AGAIN, button=True), status=status
        )
        response.delete_cookie(flow_cookie, path="/", secure=cookie.secure, httponly=True, samesite="lax")
        return response

    @router.get(PATH)
    async def begin(request: Request) -> Response:
        target = local_path(request.query_params.get("next", "/"))
        try:
            address, flow = await provider.begin(_redirect_uri(request), target)
        except ProviderError as exc:
            return failed(exc, status=503)
        response = RedirectResponse(address, status_code=303)
        response.set_cookie(
            flow_cookie,
            seal.close(_PURPOSE, astuple(flow)),
            max_age=int(FLOW_VALID.total_seconds()),
            path="/",
            secure=cookie.secure,
            httponly=True,
            samesite="lax",
        )
        return response

    @router.get(BACK)
    async def back(request: Request) -> Response:
        given = request.query_params
        try:
            flow = Flow(*seal.open(_PURPOSE, request.cookies.get(flow_cookie, ""), within=FLOW_VALID))
            # where the provider says `error`, there is no code
            claims = await provider.finish(
                _redirect_uri(request), flow, given.get("code", "")[:2000], given.get("state", "")[:200]
            )
        except (BrokenSealError, ProviderError) as exc:
            return failed(exc)
        try:
            person = await _account(pool, provider, claims)
        except ProviderError as exc:
            return failed(exc, status=503)
        if person is None:
            return failed(ProviderError("nobody has this identity here"), words.PROVIDER_UNKNOWN, 403)
        token, _ = await sessions.open(person, method="provider", agent=agent_of(request))
        response = RedirectResponse(first_page(local_path(flow.target), person), status_code=303)
        cookie.give(response, token)
        response.delete_cookie(flow_cookie, path="/", secure=cookie.secure, httponly=True, samesite="lax")
        return response

    return router


async def _account(pool: AsyncConnectionPool, provider: Provider, claims: dict[str, Any]) -> Person | None:
    """Find the account of an identity, or make the one that a rule of the provider's organisation gives it."""
    issuer, subject = provider.issuer, claims["sub"]
    async with pool.connection() as connection:
        cursor = await connection.execute("select organisation_of_provider(%s)", [provider.organisation])
        found = await cursor.fetchone()
        organisation = found and found[0]
        if organisation is None:
            raise ProviderError("no organisation has this provider; HOMEWARD_OIDC_ORGANISATION says whose it is")
        cursor = await connection.execute(
            "select account_id, organisation_id, name, role from account_for_identity(%s, %s, %s)",
            [organisation, issuer, subject],
        )
        row = await cursor.fetchone()
        if row is not None:
            return Person(*row)
        name = str(claims.get("name") or claims.get("preferred_username") or subject)[:LONGEST_NAME]
        cursor = await connection.execute(
            "select account_id, organisation_id, name, role from account_by_rule(%s, %s, %s, %s, %s)",
            [organisation, issuer, subject, " ".join(name.split()) or subject, Jsonb(_said(claims))],
        )
        row = await cursor.fetchone()
    if row is None:
        return None
    person = Person(*row)
    async with pool.connection() as connection, acting_for_async(connection, person.organisation_id):
        await audit.write(connection, person, "account_added", f"account/{person.account_id}", by="identity rule")
    return person


def _said(claims: dict[str, Any]) -> dict[str, Any]:
    """Keep of the claims what a rule can speak of: text, and lists of text."""
    return {
        name: value
        for name, value in claims.items()
        if isinstance(value, str) or (isinstance(value, list) and all(isinstance(v, str) for v in value))
    }


def _redirect_uri(request: Request) -> str:
    return f"{str(request.base_url).rstrip('/')}{BACK}"

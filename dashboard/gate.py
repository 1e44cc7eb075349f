"""Who comes in?

One pure ASGI middleware for HTTP and WebSocket alike, in front of everything: routes, Dash's callbacks and the push.
What is not named here as open needs a session. Requests that change something must come from our own pages: the cookie
alone does not show that.
"""

from __future__ import annotations

import logging
from http.cookies import CookieError, SimpleCookie
from urllib.parse import quote

import psycopg
import psycopg_pool
from fastapi.responses import RedirectResponse, Response
from psycopg_pool import AsyncConnectionPool
from starlette.datastructures import Headers
from starlette.types import ASGIApp, Receive, Scope, Send

from dashboard import identity, problems
from dashboard.identity import Session
from dashboard.recorder import Recorder
from dashboard.sessions import Sessions

log = logging.getLogger(__name__)
# Served to anybody, without a look at the session: our own files, and what machines ask.
STATIC = ("/assets/", "/_dash-component-suites/")
MACHINES = frozenset({"/healthz", "/readyz", "/metrics", "/openapi.json", "/_favicon.ico"})
# Served to anybody, who may be signed in.
OPEN = frozenset(
    {"/sign-in", "/sign-in/code", "/sign-in/provider", "/sign-in/provider/back", "/choose-password", "/api/v1/sign-in"}
)
# Asked by devices and gateways too, which are nobody signed in: these routes look at the credential themselves.
OWN_CREDENTIALS = frozenset({"/api/v1/observations", "/api/v1/sms"})
FHIR = "/fhir/"
SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})
PUSH = "/live"


class Gate:
    """Finds the session of each request and WebSocket, and refuses those that need one and have none."""

    def __init__(self, app: ASGIApp, pool: AsyncConnectionPool, sessions: Sessions, cookie_name: str) -> None:
        self._app = Recorder(app)
        self._pool = pool
        self._sessions = sessions
        self._cookie_name = cookie_name

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] not in ("http", "websocket") or is_public(scope["path"]):
            await self._app(scope, receive, send)
            return
        headers = Headers(scope=scope)
        token, is_cookie = self._token(headers)
        if (is_cookie or not token) and not is_own_page(scope, headers):
            await refuse(scope, receive, send, problems.problem(403, "This request came from another site."))
            return
        try:
            session = await self._sessions.find(token) if token else None
        except (psycopg.OperationalError, psycopg_pool.PoolTimeout) as exc:
            await refuse(scope, receive, send, problems.database_problem(exc, headers))
            return
        if session is None and not (scope["type"] == "http" and is_open(scope["path"])):
            await refuse(scope, receive, send, _ask_to_sign_in(scope, headers))
            return
        if scope["type"] == "websocket" and scope["path"] != PUSH:
            # Dash's own socket runs callbacks in a worker that outlives the sign-in; nothing of ours uses it
            await refuse(scope, receive, send, problems.problem(404, "No such WebSocket."))
            return
        await self._pass(scope, receive, send, session)

    async def _pass(self, scope: Scope, receive: Receive, send: Send, session: Session | None) -> None:
        tokens = identity.enter(self._pool, session)
        try:
            await self._app(scope, receive, send)
        finally:
            identity.leave(tokens)

    def _token(self, headers: Headers) -> tuple[str, bool]:
        """Give the token, and whether it is the cookie's, which browsers send along with other sites' requests."""
        kind, _, given = headers.get("authorization", "").partition(" ")
        if kind.lower() == "bearer":
            return given.strip(), False
        try:
            morsel = SimpleCookie(headers.get("cookie", "")).get(self._cookie_name)
        except CookieError:
            morsel = None
        return (morsel.value, True) if morsel else ("", False)


def is_public(path: str) -> bool:
    """Say whether a path is for anybody and knows no person."""
    return path in MACHINES or path.startswith(STATIC)


def is_open(path: str) -> bool:
    """Say whether a route answers people who are not signed in, by a credential of another kind or with a refusal."""
    return path in OPEN or path in OWN_CREDENTIALS or path.startswith(FHIR)


def is_own_page(scope: Scope, headers: Headers) -> bool:
    """Say whether a request may have been sent by one of our own pages, or by no browser at all.

    Every browser names the origin of what it sends, a WebSocket included, unless it is a GET. A program that is not a
    browser names none, and it cannot be made to send somebody else's cookie.
    """
    if scope["type"] == "http" and scope["method"] in SAFE_METHODS:
        return True
    site = headers.get("sec-fetch-site")
    if site is not None and site not in ("same-origin", "none"):
        return False
    origin = headers.get("origin")
    if origin is None:
        return True
    netloc = origin.partition("://")[2]
    return netloc != "" and netloc == headers.get("host", "")


def _ask_to_sign_in(scope: Scope, headers: Headers) -> Response:
    path = scope["path"]
    is_page = scope["type"] == "http" and scope["method"] == "GET" and "text/html" in headers.get("accept", "")
    if not is_page or path.startswith(("/api/", "/fhir/", "/_dash")):
        return problems.problem(401, "Sign in first.", headers={"WWW-Authenticate": "Bearer"})
    query = scope["query_string"].decode("latin-1")
    target = "" if path == "/" and not query else "?next=" + quote(path + (f"?{query}" if query else ""), safe="/")
    return RedirectResponse(f"/sign-in{target}", status_code=303)


async def refuse(scope: Scope, receive: Receive, send: Send, response: Response) -> None:
    """Answer a request; a WebSocket is refused before it opens, which its browser sees as a failed handshake."""
    if scope["type"] == "websocket":
        await receive()
        await send({"type": "websocket.close", "code": 1008, "reason": ""})
        return
    await response(scope, receive, send)

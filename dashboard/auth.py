"""How does a person sign in and out?

One form that works without JavaScript, one JSON route for programs, one answer for every reason of refusal, and the
same time for an account that does not exist. The cookie is ``SameSite=Lax`` and not ``Strict``: a link to a patient in
an e-mail must find the signed-in person, and no GET changes anything.
"""

from __future__ import annotations

import html
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib import resources
from pathlib import Path
from string import Template
from urllib.parse import urlsplit

from fastapi import APIRouter, Request
from fastapi.responses import HTMLResponse, RedirectResponse, Response
from psycopg_pool import AsyncConnectionPool
from starlette.datastructures import FormData

from dashboard import audit, identity
from dashboard.identity import Person, Session
from dashboard.passwords import PasswordCheck
from dashboard.sessions import LIFETIME, Sessions
from dashboard.throttle import Throttle
from schemas.database import acting_for_async

REFUSED = (
    "That sign-in name and password do not fit together, or there were too many attempts. "
    "Try again, wait 15 minutes, or ask an administrator."
)
LONGEST_NAME, LONGEST_PASSWORD = 200, 1000


@dataclass(frozen=True)
class Refusal:
    """Why nobody is signed in: never more than that it failed, or that the next attempt must wait."""

    wait_s: float = 0.0


class SignIn:
    """Checks who is there and begins their session."""

    def __init__(self, pool: AsyncConnectionPool, sessions: Sessions) -> None:
        self._pool = pool
        self._sessions = sessions
        self._passwords = PasswordCheck()
        self._throttle = Throttle()

    async def prepare(self) -> None:
        """Do beforehand what would make the first attempt slower than the next."""
        await self._passwords.prepare()

    async def attempt(self, sign_in: str, password: str, address: str) -> tuple[str, Session] | Refusal:
        """Give a new session's token where name and password fit, else a refusal that says nothing more."""
        name = sign_in.strip().lower()
        if not name or max(len(name) - LONGEST_NAME, len(password) - LONGEST_PASSWORD) > 0 or "\0" in name:
            return Refusal()
        wait_s = self._throttle.wait_s(name, address)
        if wait_s > 0:
            return Refusal(wait_s)
        person = await self._person(name, password)
        if person is None:
            self._throttle.failed(name, address)
            return Refusal()
        self._throttle.succeeded(name, address)
        return await self._sessions.open(person)

    async def _person(self, name: str, password: str) -> Person | None:
        """Look the account up, compare, and count the attempt; the same steps whether the account exists or not."""
        async with self._pool.connection() as connection:
            cursor = await connection.execute(
                "select account_id, organisation_id, name, role, password_hash, locked_until "
                "from account_for_sign_in(%s)",
                [name],
            )
            row = await cursor.fetchone()
        account = Person(*row[:4]) if row else None
        matches = await self._passwords.matches(password, row[4] if row else None)
        locked = row is not None and row[5] is not None and row[5] > datetime.now(UTC)
        succeeded = matches and not locked
        await self._record(account, succeeded, locked)
        return account if succeeded else None

    async def _record(self, account: Person | None, succeeded: bool, locked: bool) -> None:
        """Count the attempt on the account; one made while it is locked must not prolong the lock."""
        async with self._pool.connection() as connection:
            if not locked:
                await connection.execute(
                    "select record_sign_in_attempt(%s, %s)", [account.account_id if account else 0, succeeded]
                )
            if account and not succeeded:
                async with acting_for_async(connection, account.organisation_id):
                    await audit.write(
                        connection, account, "sign_in_failed", f"account/{account.account_id}", locked=locked
                    )


@dataclass(frozen=True)
class Cookie:
    """The session cookie; over TLS its name makes browsers refuse one set by a sub-domain or without ``Secure``."""

    secure: bool

    @property
    def name(self) -> str:
        """The name under which the token travels."""
        return "__Host-homeward_session" if self.secure else "homeward_session"

    def give(self, response: Response, token: str) -> None:
        """Hand the token to the browser."""
        response.set_cookie(
            self.name,
            token,
            max_age=int(LIFETIME.total_seconds()),
            path="/",
            secure=self.secure,
            httponly=True,
            samesite="lax",
        )

    def take(self, response: Response) -> None:
        """Make the browser forget it."""
        response.delete_cookie(self.name, path="/", secure=self.secure, httponly=True, samesite="lax")


def local_path(given: str) -> str:
    """Give the address to go to after sign-in: a page of this server, or the first page for anything else."""
    if not given.startswith("/") or given.startswith("//") or "\\" in given or not given.isprintable():
        return "/"
    return "/" if urlsplit(given).path.startswith(("/sign-in", "/sign-out", "/_dash", "/api/")) else given


def routes(sign_in: SignIn, sessions: Sessions, cookie: Cookie, assets: Path) -> APIRouter:
    """Make the routes of the form: show it, take it, and sign out."""
    router = APIRouter(include_in_schema=False)
    page = SignInPage(assets)

    @router.get("/sign-in")
    async def show(request: Request) -> Response:
        target = local_path(request.query_params.get("next", "/"))
        if identity.current_or_none():
            return RedirectResponse(target, status_code=303)
        return HTMLResponse(page.render(target))

    @router.post("/sign-in")
    async def take(request: Request) -> Response:
        async with request.form(max_files=0, max_fields=10) as form:
            name, password, target = _field(form, "sign_in"), _field(form, "password"), local_path(_field(form, "next"))
        result = await sign_in.attempt(name, password, client_address(request))
        if isinstance(result, Refusal):
            headers = {"Retry-After": str(int(result.wait_s) + 1)} if result.wait_s else {}
            text = page.render(target, sign_in=name, error=REFUSED)
            return HTMLResponse(text, status_code=429 if result.wait_s else 401, headers=headers)
        response = RedirectResponse(target, status_code=303)
        cookie.give(response, result[0])
        return response

    @router.post("/sign-out")
    async def sign_out() -> Response:
        await sessions.close(identity.current_session())
        response = RedirectResponse("/sign-in", status_code=303)
        cookie.take(response)
        return response

    return router


def client_address(request: Request) -> str:
    """Give the address that the request came from; behind a proxy, the one that a trusted proxy names."""
    return request.client.host if request.client else "unknown"


def _field(form: FormData, name: str) -> str:
    value = form.get(name)
    return value if isinstance(value, str) else ""


class SignInPage:
    """The form as HTML, with the dashboard's own style sheets."""

    def __init__(self, assets: Path) -> None:
        self._template = Template(resources.files("dashboard").joinpath("sign_in.html").read_text(encoding="utf-8"))
        sheets = sorted(assets.glob("*.css")) if assets.is_dir() else []
        self._styles = "\n".join(
            f'<link rel="stylesheet" href="/assets/{html.escape(s.name)}?m={s.stat().st_mtime}">' for s in sheets
        )

    def render(self, target: str, *, sign_in: str = "", error: str = "") -> str:
        """Write the page; ``error`` is announced and tied to both fields."""
        note = f'<p class="error" role="alert" id="error">{html.escape(error)}</p>' if error else ""
        return self._template.substitute(
            styles=self._styles,
            next=html.escape(target),
            sign_in=html.escape(sign_in[:LONGEST_NAME]),
            error=note,
            described=' aria-invalid="true" aria-describedby="error"' if error else "",
        )

"""How does a person sign in and out?

One form that works without JavaScript, one JSON route for programs, one answer for every reason of refusal, and the
same time for an account that does not exist. The cookie is ``SameSite=Lax`` and not ``Strict``: a link to a patient in
an e-mail must find the signed-in person, and no GET changes anything.
"""

from __future__ import annotations

import html
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from importlib import resources
from string import Template
from typing import Any
from urllib.parse import quote

import psycopg
from fastapi import APIRouter, Request
from fastapi.responses import HTMLResponse, RedirectResponse, Response
from psycopg_pool import AsyncConnectionPool

from dashboard import audit, forms, identity, second_factor, second_step
from dashboard.forms import Forms
from dashboard.identity import Person, Session
from dashboard.incoming import agent_of, client_address, field, first_page, local_path
from dashboard.passwords import PasswordCheck
from dashboard.provider import Provider
from dashboard.seal import Seal
from dashboard.second_factor import Answer, Enrolment, SecondFactor
from dashboard.sessions import LIFETIME, Sessions
from dashboard.text import kept
from dashboard.text import sign_in as words
from dashboard.throttle import Throttle
from schemas.database import acting_for_async

REFUSED = (
    "That sign-in name and password do not fit together, or there were too many attempts. "
    "Try again, wait 15 minutes, or ask an administrator."
)
LONGEST_NAME, LONGEST_PASSWORD = 200, 1000
# Long enough to install an app and scan a picture.
TICKET_VALID = timedelta(minutes=15)
_TICKET = "sign-in ticket"
_ENDED = {"session": kept.ENDED, "kept": kept.ENDED_KEPT}


@dataclass(frozen=True)
class Refusal:
    """Why nobody is signed in: never more than that it failed, or that the next attempt must wait."""

    wait_s: float = 0.0


@dataclass(frozen=True)
class Ticket:
    """The password was right, and a second factor is asked for: a code, or one to be enrolled first."""

    sealed: str
    enrols: bool


class SignIn:
    """Checks who is there and begins their session."""

    def __init__(
        self, pool: AsyncConnectionPool, sessions: Sessions, seal: Seal, clock: Callable[[], float] = time.time
    ) -> None:
        self._pool = pool
        self._sessions = sessions
        self._seal = seal
        self.factor = SecondFactor(seal, clock)
        self.passwords = PasswordCheck()
        self._throttle = Throttle()

    async def prepare(self) -> None:
        """Do beforehand what would make the first attempt slower than the next."""
        await self.passwords.prepare()

    async def attempt(
        self, sign_in: str, password: str, address: str, agent: str = ""
    ) -> tuple[str, Session] | Refusal | Ticket:
        """Give a new session's token where name and password fit, else a refusal that says nothing more.

        Where the account has a second factor or its role needs one, give a ticket for that step instead.
        """
        name = sign_in.strip().lower()
        if not name or max(len(name) - LONGEST_NAME, len(password) - LONGEST_PASSWORD) > 0 or "\0" in name:
            return Refusal()
        async with self.passwords.turn:
            wait_s = self._throttle.wait_s(name, address)
            if wait_s > 0:
                return Refusal(wait_s)
            person = await self._person(name, password)
            if person is None:
                self._throttle.failed(name, address)
                return Refusal()
            self._throttle.succeeded(name, address)
        async with self._acting_for(person) as connection:
            required, has = await second_factor.is_required(connection, person)
        if required or has:
            content = [person.account_id, person.organisation_id, person.name, person.role, name]
            return Ticket(self._seal.close(_TICKET, content), enrols=not has)
        return await self._sessions.open(person, agent=agent)

    async def second(
        self, sealed: str, code: str, address: str, agent: str = ""
    ) -> tuple[str, Session, list[str]] | Refusal:
        """Take the code that a ticket waits for; after an enrolment also give the recovery codes.

        Raises
        ------
        BrokenSealError
            Where the ticket is none of ours or too old: the person begins anew.
        """
        person, name = self.holder(sealed)
        wait_s = self._throttle.wait_s(name, address)
        if wait_s > 0:
            return Refusal(wait_s)
        made: list[str] = []
        async with self._acting_for(person) as connection:
            _, has = await second_factor.is_required(connection, person)
            if has:
                answer, method = await self.factor.check(connection, person, code)
            else:
                answer, made = await self.factor.confirm(connection, person, code)
                method = "second_factor"
        if answer is not Answer.RIGHT:
            self._throttle.failed(name, address)
            return Refusal()
        return *await self._sessions.open(person, method=method, agent=agent), made

    async def enrolment(self, sealed: str) -> Enrolment | None:
        """Give what an authenticator app is told, the same again while it is not confirmed; ``None`` where it is."""
        person, name = self.holder(sealed)
        async with self._acting_for(person) as connection:
            _, has = await second_factor.is_required(connection, person)
            if has:
                return None
            found = await self.factor.under_way(connection, person, name)
            return found or await self.factor.begin(connection, person, name)

    def holder(self, sealed: str) -> tuple[Person, str]:
        """Say whose ticket this is, and their sign-in name."""
        *who, name = self._seal.open(_TICKET, sealed, within=TICKET_VALID)
        return Person(*who), name

    @asynccontextmanager
    async def _acting_for(self, person: Person) -> AsyncIterator[psycopg.AsyncConnection[Any]]:
        async with (
            self._pool.connection() as connection,
            acting_for_async(connection, person.organisation_id, person.account_id),
        ):
            yield connection

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
        matches = await self.passwords.matches(password, row[4] if row else None)
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


def routes(sign_in: SignIn, sessions: Sessions, cookie: Cookie, pages: Forms, provider: Provider | None) -> APIRouter:
    """Make the routes of the form: show it, take it, and sign out."""
    router = APIRouter(include_in_schema=False)
    page = SignInPage(pages.styles, provider.name if provider else "")

    @router.get("/sign-in")
    async def show(request: Request) -> Response:
        target = local_path(request.query_params.get("next", "/"))
        if identity.current_or_none():
            return RedirectResponse(target, status_code=303)
        ended = request.query_params.get("ended", "")
        leave = provider.leave_address if provider and ended == "provider" else ""
        return HTMLResponse(page.render(target, leave=leave, ended=_ENDED.get(ended, "")))

    @router.post("/sign-in")
    async def take(request: Request) -> Response:
        async with request.form(max_files=0, max_fields=10) as form:
            name, password, target = field(form, "sign_in"), field(form, "password"), local_path(field(form, "next"))
        result = await sign_in.attempt(name, password, client_address(request), agent_of(request))
        if isinstance(result, Refusal):
            headers = {"Retry-After": str(int(result.wait_s) + 1)} if result.wait_s else {}
            text = page.render(target, sign_in=name, error=REFUSED)
            return HTMLResponse(text, status_code=429 if result.wait_s else 401, headers=headers)
        if isinstance(result, Ticket):
            return await second_step.show(pages, sign_in, result.sealed, target)
        response = RedirectResponse(first_page(target, result[1].person), status_code=303)
        cookie.give(response, result[0])
        return response

    @router.post("/sign-out")
    async def sign_out() -> Response:
        method = await sessions.close(identity.current_session())
        elsewhere = method == "provider" and provider is not None and provider.leave_address
        response = RedirectResponse("/sign-in?ended=provider" if elsewhere else "/sign-in", status_code=303)
        cookie.take(response)
        return response

    return router


class SignInPage:
    """The form as HTML, with the dashboard's own style sheets."""

    def __init__(self, styles: str, provider: str) -> None:
        self._template = Template(resources.files("dashboard").joinpath("sign_in.html").read_text(encoding="utf-8"))
        self._styles = styles
        self._provider = provider

    def render(self, target: str, *, sign_in: str = "", error: str = "", leave: str = "", ended: str = "") -> str:
        """Write the page; ``error`` is announced and tied to both fields, ``ended`` says why one is here again."""
        return self._template.substitute(
            styles=self._styles,
            next=html.escape(target),
            sign_in=html.escape(sign_in[:LONGEST_NAME]),
            error=forms.alert(error) + forms.status(ended) + self._leave(leave),
            described=' aria-invalid="true" aria-describedby="error"' if error else "",
            provider=self._way_in(target),
        )

    def _way_in(self, target: str) -> str:
        if not self._provider:
            return ""
        address = f"/sign-in/provider?next={quote(target, safe='/')}"
        return f'<p class="sign-in-or">{forms.link(address, f"Sign in with {self._provider}")}</p>'

    def _leave(self, address: str) -> str:
        if not address:
            return ""
        said = words.PROVIDER_ENDED.format(name=self._provider)
        return f'<p role="status">{html.escape(said)} {forms.link(address, words.LEAVE)}</p>'

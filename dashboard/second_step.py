"""What does a person see between the right password and the pages, where a second factor is asked for?

Without a session: the ticket in a hidden field says whose step this is. Where the role needs a factor and the person
has none, the step enrols one and then shows the recovery codes, once.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from fastapi import APIRouter, Request
from fastapi.responses import RedirectResponse, Response

from dashboard import forms
from dashboard.forms import Field, Forms
from dashboard.incoming import agent_of, client_address, field, first_page, local_path
from dashboard.seal import BrokenSealError
from dashboard.text import sign_in as words

if TYPE_CHECKING:
    from dashboard.auth import Cookie, SignIn

PATH = "/sign-in/code"
CODE = Field("code", words.CODE, complete="one-time-code", mode="numeric")
ANY_CODE = Field("code", words.CODE, complete="one-time-code", hint=words.CODE_HINT)


async def show(
    pages: Forms, sign_in: SignIn, ticket: str, target: str, *, error: str = "", status: int = 200
) -> Response:
    """Ask for the code, and show what to enrol where nothing is enrolled yet."""
    enrolment = await sign_in.enrolment(ticket)
    hidden = {"ticket": ticket, "next": target}
    if enrolment is None:
        body = forms.form(PATH, [ANY_CODE], words.CONTINUE, hidden=hidden, error=error)
        return pages.page(words.CODE_TITLE, words.CODE_LEAD, body, error=error, status=status)
    body = (
        forms.picture(enrolment.svg, words.QR)
        + forms.paragraph(f"{words.SECRET} {enrolment.secret}")
        + forms.form(PATH, [CODE], words.CONTINUE, hidden=hidden, error=error)
    )
    return pages.page(words.ENROL_TITLE, words.ENROL_LEAD, body, error=error, status=status)


def routes(sign_in: SignIn, cookie: Cookie, pages: Forms) -> APIRouter:
    """Make the route that takes the code."""
    router = APIRouter(include_in_schema=False)

    @router.get(PATH)
    async def start_again() -> Response:
        return RedirectResponse("/sign-in", status_code=303)

    @router.post(PATH)
    async def take(request: Request) -> Response:
        async with request.form(max_files=0, max_fields=10) as given:
            ticket, code, target = field(given, "ticket"), field(given, "code"), local_path(field(given, "next"))
        try:
            result = await sign_in.second(ticket, code[:100], client_address(request), agent_of(request))
            if not isinstance(result, tuple):
                status = 429 if result.wait_s else 401
                return await show(pages, sign_in, ticket, target, error=words.CODE_REFUSED, status=status)
        except BrokenSealError:
            body = forms.link("/sign-in", words.SIGN_IN_AGAIN, button=True)
            return pages.page(words.CODE_TITLE, words.TOO_LATE, body, status=401)
        token, session, codes = result
        target = first_page(target, session.person)
        response: Response = RedirectResponse(target, status_code=303)
        if codes:
            body = (
                forms.code_list(codes, words.RECOVERY_TITLE)
                + forms.paragraph(words.RECOVERY_KEEP)
                + forms.link(target, words.RECOVERY_DONE, button=True)
            )
            response = pages.page(words.RECOVERY_TITLE, words.RECOVERY_LEAD, body)
        cookie.give(response, token)
        return response

    return router

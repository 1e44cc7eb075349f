"""How does a person look after their own account: password, second factor, and where they are signed in?"""

from __future__ import annotations

import base64
from typing import Any

import psycopg
import psycopg_pool
from dash import ALL, Dash, Input, Output, State, ctx, dcc, html, no_update

from dashboard import fields, identity, own_account, queries, second_factor, store, text
from dashboard.actions import InvalidActionError, NotThereError
from dashboard.auth import SignIn
from dashboard.fields import bad, good
from dashboard.second_factor import Answer, Enrolment
from dashboard.shell import scrollable, trouble
from dashboard.text import accounts as words
from dashboard.wording import clock, zone_name

PATH = "/account"

# each names the one before it as well, so the order matters
_BROWSERS = (("Edg/", "Edge"), ("Firefox/", "Firefox"), ("Chrome/", "Chrome"), ("Safari/", "Safari"))
_SYSTEMS = (
    ("iPad", "an iPad"), ("iPhone", "an iPhone"), ("Android", "Android"), ("Windows", "Windows"),
    ("Macintosh", "a Mac"), ("Linux", "Linux"),
)  # fmt: skip
_FAILURES = (InvalidActionError, NotThereError)
_UNREADABLE = (psycopg.Error, psycopg_pool.PoolTimeout)


def layout() -> Any:
    """The page before its data."""
    person = identity.current()
    who = f"{person.name}, {text.ROLES.get(person.role, person.role)}"
    return html.Div(
        [
            dcc.Store(id="account-turn", data=0),
            html.Div(
                html.Div([html.H1(words.ACCOUNT), html.P(who)]),
                className="page-head",
            ),
            html.Div([_password(), html.Div(id="account-factor"), html.Div(id="account-sessions")], className="stack"),
        ],
        className="page form-page",
        id="main",
        tabIndex="-1",
    )


def _password() -> Any:
    return html.Section(
        [
            html.H2(words.PASSWORD),
            html.Div(
                [
                    fields.secret("account-current", words.CURRENT_PASSWORD, "current-password"),
                    html.Div(),
                    fields.secret("account-new", words.NEW_PASSWORD, "new-password", words.NEW_HINT),
                    fields.secret("account-again", words.NEW_AGAIN, "new-password", " "),
                ],
                className="form-grid",
            ),
            html.Div([fields.button("account-password", words.CHANGE_PASSWORD)], className="form-acts"),
            fields.said("account-password-said"),
        ],
        className="card section stack",
    )


class AccountPage:
    """The page's callbacks, with what the application checks passwords and codes by."""

    def __init__(self, sign_in: SignIn) -> None:
        self._sign_in = sign_in

    async def change_password(
        self, clicks: int | None, current: str | None, new: str | None, again: str | None, turn: int
    ) -> list[Any]:
        """Change the password, and empty the boxes."""
        if not clicks:
            return [no_update] * 5
        if (new or "") != (again or ""):
            return [bad(words.NOT_THE_SAME), *[no_update] * 4]
        try:
            await own_account.change_own_password(self._sign_in.passwords, (current or "")[:1000], new or "")
        except _FAILURES as exc:
            return [bad(str(exc)), *[no_update] * 4]
        except _UNREADABLE:
            return [trouble(), *[no_update] * 4]
        return [good(words.PASSWORD_CHANGED), "", "", "", turn + 1]

    async def fill_factor(self, _: Any) -> Any:
        """How the account is protected, and what can be done about it."""
        person = identity.current()
        try:
            async with store.transaction() as connection:
                required, has = await second_factor.is_required(connection, person)
                left = await second_factor.codes_left(connection, person)
        except _UNREADABLE:
            return trouble()
        if has:
            content = [html.P(words.FACTOR_ON), html.P(words.CODES_LEFT.format(count=left))]
            acts = [("codes", words.NEW_CODES)] + ([] if required else [("remove", words.REMOVE_FACTOR)])
        else:
            content, acts = [html.P(words.FACTOR_OFF)], [("begin", words.SET_UP)]
        return html.Section(
            [
                html.H2(words.SECOND_FACTOR),
                *content,
                fields.secret("factor-password", words.NEEDS_PASSWORD, "current-password"),
                html.Div(
                    [fields.button({"type": "factor-act", "act": kind}, label, quiet=True) for kind, label in acts],
                    className="form-acts",
                ),
                html.Div(id="factor-step", className="stack"),
            ],
            className="card section stack",
        )

    async def act(self, _: Any, password: str | None, turn: int) -> tuple[Any, Any]:
        """Begin an enrolment, make new recovery codes, or remove the factor; each only with the password."""
        if not ctx.triggered or not ctx.triggered[0]["value"]:
            return no_update, no_update
        person = identity.current()
        try:
            await own_account.confirm_password(self._sign_in.passwords, (password or "")[:1000])
            async with store.transaction() as connection:
                kind = ctx.triggered_id["act"]
                if kind == "remove":
                    await second_factor.remove_own(connection, person)
                    return good(words.FACTOR_REMOVED), turn + 1
                if kind == "codes":
                    return _codes(await second_factor.new_recovery_codes(connection, person)), no_update
                sign_in = await own_account.own_sign_in(connection)
                enrolment = await self._sign_in.factor.begin(connection, person, sign_in)
                return (_scan(enrolment), no_update) if enrolment else (no_update, turn + 1)
        except _FAILURES as exc:
            return bad(str(exc)), no_update
        except _UNREADABLE:
            return trouble(), no_update

    async def confirm(self, clicks: int | None, code: str | None) -> tuple[Any, Any]:
        """Take the first code; from then on the factor protects the account."""
        if not clicks:
            return no_update, no_update
        try:
            async with store.transaction() as connection:
                answer, made = await self._sign_in.factor.confirm(connection, identity.current(), (code or "")[:100])
        except _UNREADABLE:
            return no_update, trouble()
        if answer is not Answer.RIGHT:
            return no_update, bad(words.CODE_WRONG)
        return _codes(made), no_update


def _scan(enrolment: Enrolment) -> Any:
    picture = "data:image/svg+xml;base64," + base64.b64encode(enrolment.svg.encode()).decode()
    return html.Div(
        [
            html.P(words.SCAN.format(secret=enrolment.secret)),
            html.Div(html.Img(src=picture, alt=words.SET_UP), className="qr"),
            fields.box("factor-code", words.CODE, inputProps={"inputMode": "numeric"}, autoComplete="one-time-code"),
            html.Div([fields.button("factor-confirm", words.CONFIRM)], className="form-acts"),
            fields.said("factor-said"),
        ],
        className="stack",
    )


def _codes(codes: list[str]) -> Any:
    items = [html.Li(html.Code(code)) for code in codes]
    return html.Div(
        [good(words.CODES_SHOWN), html.Ul(items, className="codes", **{"aria-label": words.SECOND_FACTOR})],
        role="status",
    )


async def fill_sessions(_: Any) -> Any:
    """Where the person is signed in."""
    try:
        found, zone = await own_account.own_sessions(), await queries.own_zone()
    except _UNREADABLE:
        return trouble()
    return html.Section(
        [
            html.H2(words.SESSIONS),
            html.P(f"{text.times_in(zone_name(zone, found[0]['now']))}.", className="muted") if found else None,
            scrollable(fields.table(words.SESSION_COLUMNS, [_session(row, zone) for row in found]), words.SESSIONS),
            html.Div([fields.button("sessions-others", words.END_OTHERS, quiet=True)], className="form-acts")
            if len(found) > 1
            else None,
            fields.said("sessions-said"),
        ],
        className="card section stack",
    )


def _session(row: dict[str, Any], zone: str) -> Any:
    end: Any = html.Strong(words.THIS_ONE)
    if not row["is_this"]:
        end = html.Button(
            words.END,
            id={"type": "session-end", "session": row["session_id"]},
            className="button-small",
            type="button",
            n_clicks=0,
        )
    return html.Tr(
        [
            html.Td(clock(row["created_at"], zone, row["now"]), className="tight"),
            html.Td(clock(row["seen_at"], zone, row["now"]), className="tight"),
            html.Td(words.METHODS.get(row["method"], row["method"]), className="tight"),
            html.Td(browser_named(row["agent"])),
            html.Td(end, className="number"),
        ]
    )


def browser_named(agent: str) -> str:
    """Say which browser on what this is, of what browsers say of themselves; a program by its own words."""
    browser = next((name for sign, name in _BROWSERS if sign in agent), "")
    system = next((name for sign, name in _SYSTEMS if sign in agent), "")
    return " on ".join(word for word in (browser, system) if word) or agent[:40] or "–"


async def end_sessions(_: Any, __: Any, turn: int) -> tuple[Any, Any]:
    """End one sign-in, or all but this one."""
    if not ctx.triggered or not ctx.triggered[0]["value"]:
        return no_update, no_update
    try:
        if ctx.triggered_id == "sessions-others":
            await own_account.end_other_sessions()
        else:
            await own_account.end_own_session(int(ctx.triggered_id["session"]))
    except NotThereError:
        return no_update, turn + 1
    except _UNREADABLE:
        return trouble(), no_update
    return no_update, turn + 1


def register(app: Dash) -> None:
    """Wire the page."""
    page = AccountPage(app.server.state.sign_in)
    app.callback(
        Output("account-password-said", "children"),
        Output("account-current", "value"),
        Output("account-new", "value"),
        Output("account-again", "value"),
        Output("account-turn", "data", allow_duplicate=True),
        Input("account-password", "n_clicks"),
        State("account-current", "value"),
        State("account-new", "value"),
        State("account-again", "value"),
        State("account-turn", "data"),
        prevent_initial_call=True,
    )(page.change_password)
    app.callback(Output("account-factor", "children"), Input("account-turn", "data"))(page.fill_factor)
    app.callback(
        Output("factor-step", "children"),
        Output("account-turn", "data", allow_duplicate=True),
        Input({"type": "factor-act", "act": ALL}, "n_clicks"),
        State("factor-password", "value"),
        State("account-turn", "data"),
        prevent_initial_call=True,
    )(page.act)
    app.callback(
        Output("factor-step", "children", allow_duplicate=True),
        Output("factor-said", "children"),
        Input("factor-confirm", "n_clicks"),
        State("factor-code", "value"),
        prevent_initial_call=True,
    )(page.confirm)
    app.callback(Output("account-sessions", "children"), Input("account-turn", "data"))(fill_sessions)
    app.callback(
        Output("sessions-said", "children"),
        Output("account-turn", "data"),
        Input({"type": "session-end", "session": ALL}, "n_clicks"),
        Input("sessions-others", "n_clicks"),
        State("account-turn", "data"),
        prevent_initial_call=True,
    )(end_sessions)

"""Where does the person at work want to be told, and what were they told lately?"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import psycopg
import psycopg_pool
from dash import ALL, Dash, Input, Output, State, ctx, dcc, html, no_update

from dashboard import contacts, proposals
from dashboard import message_parts as parts
from dashboard.actions import InvalidActionError
from dashboard.shell import scrollable, trouble
from dashboard.text import messages as words
from dashboard.wording import ago

PATH = "/account/messages"
_UNREADABLE = (psycopg.Error, psycopg_pool.PoolTimeout)
REFRESH_MS = 3_000


def layout() -> Any:
    """The page before its data."""
    add = html.Div(
        [
            html.H2(words.ADD),
            html.Div(
                [
                    parts.choice("own-kind", words.KIND, {k: words.WAYS[k] for k in ("email", "sms")}, "email"),
                    parts.box("own-address", words.ADDRESS, hint=words.ADDRESS_HINT),
                    parts.button("own-add", words.SEND_CODE),
                ],
                className="m-row",
            ),
        ],
        className="card section",
    )
    return html.Div(
        [
            html.Div(html.Div([html.H1(words.OWN), html.P(words.OWN_LEAD)]), className="page-head"),
            dcc.Store(id="own-turn", data=0),
            dcc.Interval(id="own-tick", interval=REFRESH_MS),
            html.Div(id="own-said"),
            proposals.stored_of("own-address"),
            parts.loading("own-list"),
            add,
            parts.loading("own-told"),
        ],
        className="page m-page",
        id="main",
        tabIndex="-1",
    )


async def fill(_: Any) -> Any:
    """The addresses."""
    try:
        own = await contacts.own()
    except _UNREADABLE:
        return trouble()
    listed = [_contact(row) for row in own] or [html.P(words.NO_ADDRESS, className="empty")]
    return html.Div([html.H2(words.ADDRESSES), *listed], className="card section")


async def fill_told(_: Any, __: Any) -> Any:
    """What was told, read again while the page is open."""
    try:
        told = await contacts.told()
    except _UNREADABLE:
        return trouble()
    now = datetime.now(UTC)
    rows = [_told(row, now) for row in told]
    below = scrollable(parts.table(words.TOLD_COLUMNS, rows), words.TOLD) if rows else html.P(words.TOLD_EMPTY)
    return html.Div([html.H2(words.TOLD), below], className="card section")


def _contact(row: dict[str, Any]) -> Any:
    number, address = row["contact_id"], row["address"]

    def act(kind: str, label: str) -> Any:
        name = {"type": "own-act", "act": kind, "contact": number}
        return parts.button(name, label, quiet=True, **{"aria-label": f"{label}: {address}"})

    if row["verified_at"] is None:
        code = {"type": "own-code", "contact": number}
        more = [
            html.Span(words.NOT_CONFIRMED, className="state state-bad"),
            parts.box(code, words.CODE, **{"aria-label": f"{words.CODE}: {address}"}),
            act("confirm", words.CONFIRM),
        ]
    else:
        label = f"{words.USED}: {address}"
        name = {"type": "own-act", "act": "wanted", "contact": number}
        pressed = {"aria-pressed": "true" if row["wanted"] else "false", "aria-label": label}
        more = [
            html.Span(
                words.VOUCHED.format(name=row["vouched_by"]) if row["vouched_by"] else words.CONFIRMED_SINCE,
                className="state state-good",
            ),
            html.Button(words.USED, id=name, type="button", n_clicks=0, className="button m-quiet m-toggle", **pressed),
            act("test", words.TEST),
        ]
    return html.Div(
        [
            html.Div([html.Strong(address), html.Div(words.WAYS[row["kind"]], className="muted")], className="m-who"),
            *more,
            act("remove", words.REMOVE),
        ],
        className="m-contact",
    )


def _told(row: dict[str, Any], now: datetime) -> Any:
    what = [words.PURPOSES[row["purpose"]], html.Div(row["site"], className="muted") if row["site"] else None]
    return html.Tr(
        [
            html.Td(ago((now - row["created_at"]).total_seconds())),
            html.Td(what),
            html.Td(words.WAYS[row["kind"]]),
            html.Td(parts.outcome(row)),
        ]
    )


async def add(clicks: int, kind: str, address: str | None, turn: int) -> tuple[Any, Any, Any]:
    """Note an address and send its code."""
    if not clicks:
        return no_update, no_update, no_update
    try:
        await contacts.add(kind, (address or "")[:300])
    except InvalidActionError as exc:
        return parts.said(str(exc), good=False), no_update, no_update
    except _UNREADABLE:
        return parts.said(words.FAILED, good=False), no_update, no_update
    said = parts.said(words.CODE_SENT, good=True)
    return no_update, turn + 1, proposals.stored(address, said, said)


async def act(_: Any, codes: list[str], ids: list[dict[str, Any]], turn: int) -> tuple[Any, Any]:
    """Do what one of an address's buttons says."""
    pressed = ctx.triggered_id
    if not pressed or not ctx.triggered[0]["value"]:
        return no_update, no_update
    contact, kind = int(pressed["contact"]), pressed["act"]
    given = {name["contact"]: code for name, code in zip(ids, codes, strict=True)}
    try:
        message = await _do(kind, contact, given.get(contact) or "")
    except InvalidActionError as exc:
        # what is in the boxes stays: somebody may be writing the right code already
        return parts.said(str(exc), good=False), no_update
    except _UNREADABLE:
        return parts.said(words.FAILED, good=False), no_update
    return parts.said(message, good=True), turn + 1


async def _do(kind: str, contact: int, code: str) -> str:
    if kind == "confirm":
        await contacts.confirm(contact, code[:20])
        return words.CONFIRMED
    if kind == "test":
        await contacts.test(contact)
        return words.OWN_TEST_SENT
    if kind == "remove":
        await contacts.remove(contact)
        return words.REMOVED
    wanted = next((row["wanted"] for row in await contacts.own() if row["contact_id"] == contact), False)
    await contacts.set_wanted(contact, wanted=not wanted)
    return words.CHANGED


def register(app: Dash) -> None:
    """Wire the page."""
    app.callback(Output("own-list", "children"), Input("own-turn", "data"))(fill)
    app.callback(Output("own-told", "children"), Input("own-turn", "data"), Input("own-tick", "n_intervals"))(fill_told)
    app.callback(
        Output("own-said", "children", allow_duplicate=True),
        Output("own-turn", "data", allow_duplicate=True),
        Output("own-address-stored", "data"),
        Input("own-add", "n_clicks"),
        State("own-kind", "value"),
        State("own-address", "value"),
        State("own-turn", "data"),
        prevent_initial_call=True,
    )(add)
    proposals.register_emptying(app, "own-address", "own-said")
    app.callback(
        Output("own-said", "children"),
        Output("own-turn", "data"),
        Input({"type": "own-act", "act": ALL, "contact": ALL}, "n_clicks"),
        State({"type": "own-code", "contact": ALL}, "value"),
        State({"type": "own-code", "contact": ALL}, "id"),
        State("own-turn", "data"),
        prevent_initial_call=True,
    )(act)

"""Which webhooks, chats and ways for text messages has the organisation, and what may their messages carry?"""

from __future__ import annotations

from typing import Any
from urllib.parse import urlsplit

import dash_mantine_components as dmc
import psycopg
import psycopg_pool
from dash import ALL, Dash, Input, Output, State, ctx, dcc, html, no_update

from dashboard import escalations, identity, text
from dashboard import message_parts as parts
from dashboard.actions import InvalidActionError, NotThereError
from dashboard.permissions import NotPermittedError, Permission, may
from dashboard.shell import scrollable, trouble
from dashboard.text import messages as words

PATH = "/messages/channels"
_UNREADABLE = (psycopg.Error, psycopg_pool.PoolTimeout)
_PROVIDERS = {"sms_notify": "govuk_notify", "sms_gateway": "gateway"}


def layout() -> Any:
    """The page before its data."""
    add = html.Div(
        [
            html.H2(words.ADD_CHANNEL),
            html.Div(
                [
                    parts.choice("channel-kind", words.CHANNEL_KIND, words.CHANNEL_KINDS, "webhook"),
                    parts.box("channel-name", words.CHANNEL_NAME),
                    parts.choice("channel-identity", words.CHANNEL_IDENTITY, words.IDENTITIES, "none"),
                ],
                className="m-row",
            ),
            html.Div(
                [
                    parts.box("channel-url", words.CHANNEL_URL, hint=words.CHANNEL_URL_HINT),
                    parts.box("channel-template", words.CHANNEL_TEMPLATE, hint=words.CHANNEL_TEMPLATE_HINT),
                    dmc.PasswordInput(
                        id="channel-secret",
                        label=words.CHANNEL_SECRET,
                        description=words.CHANNEL_SECRET_HINT,
                        value="",
                        size="sm",
                        autoComplete="off",
                    ),
                ],
                className="m-row",
            ),
            parts.button("channel-add", words.ADD_CHANNEL),
        ],
        className="card section",
    )
    return parts.page(
        PATH,
        words.CHANNELS_LEAD,
        dcc.Store(id="channel-turn", data=0),
        html.Div(id="channel-said"),
        parts.loading("channel-list"),
        add,
    )


async def fill(_: Any) -> Any:
    """The list, or why there is none."""
    if not may(identity.current(), Permission.SET_UP_MESSAGES):
        return trouble(text.NOT_ALLOWED)
    try:
        found = (await escalations.setup()).channels
    except _UNREADABLE:
        return trouble()
    if not found:
        return html.Div(words.CHANNELS_EMPTY, className="card empty")
    rows = [_row(row) for row in found.values()]
    return html.Div(scrollable(parts.table(words.CHANNEL_COLUMNS, rows), words.CHANNELS), className="card")


def _row(row: dict[str, Any]) -> Any:
    def act(kind: str, label: str) -> Any:
        name = {"type": "channel-act", "act": kind, "channel": row["channel_id"]}
        return parts.button(name, label, quiet=True, **{"aria-label": f"{label}: {row['name']}"})

    # the host is enough to know it by; what follows may be as good as a password
    leads_to = urlsplit(row["settings"].get("url", "")).hostname or "–"
    can_test = row["kind"] in ("webhook", "apprise")
    return html.Tr(
        [
            html.Td(html.Strong(row["name"])),
            html.Td(words.WAYS[row["kind"]]),
            html.Td(words.IDENTITIES[row["identity"]]),
            html.Td(leads_to),
            html.Td([act("test", words.TEST) if can_test else None, act("remove", words.REMOVE)], className="m-acts"),
        ]
    )


async def add(
    clicks: int,
    kind: str,
    name: str | None,
    shown: str,
    url: str | None,
    template: str | None,
    secret: str | None,
    turn: int,
) -> tuple[Any, Any, Any]:
    """Set a channel up, and forget its secret here."""
    if not clicks:
        return no_update, no_update, no_update
    settings = {"url": url or "", "template": template or "", "provider": _PROVIDERS.get(kind, "")}
    try:
        await escalations.add_channel(kind.split("_")[0], name or "", shown, settings, secret or "")
    except (InvalidActionError, NotPermittedError) as exc:
        return parts.said(str(exc), good=False), no_update, no_update
    except _UNREADABLE:
        return parts.said(words.FAILED, good=False), no_update, no_update
    return parts.said(words.CHANNEL_ADDED, good=True), turn + 1, ""


async def act(_: Any, turn: int) -> tuple[Any, Any]:
    """Test a channel or take it out of use."""
    pressed = ctx.triggered_id
    if not pressed or not ctx.triggered[0]["value"]:
        return no_update, no_update
    try:
        if pressed["act"] == "test":
            await escalations.test_channel(int(pressed["channel"]))
            return parts.said(words.TEST_SENT, good=True), no_update
        await escalations.retire_channel(int(pressed["channel"]))
    except (InvalidActionError, NotThereError, NotPermittedError) as exc:
        return parts.said(str(exc), good=False), turn + 1
    except _UNREADABLE:
        return parts.said(words.FAILED, good=False), no_update
    return parts.said(words.CHANNEL_REMOVED, good=True), turn + 1


def register(app: Dash) -> None:
    """Wire the page."""
    app.callback(Output("channel-list", "children"), Input("channel-turn", "data"))(fill)
    app.callback(
        Output("channel-said", "children", allow_duplicate=True),
        Output("channel-turn", "data", allow_duplicate=True),
        Output("channel-secret", "value"),
        Input("channel-add", "n_clicks"),
        State("channel-kind", "value"),
        State("channel-name", "value"),
        State("channel-identity", "value"),
        State("channel-url", "value"),
        State("channel-template", "value"),
        State("channel-secret", "value"),
        State("channel-turn", "data"),
        prevent_initial_call=True,
    )(add)
    app.callback(
        Output("channel-said", "children"),
        Output("channel-turn", "data"),
        Input({"type": "channel-act", "act": ALL, "channel": ALL}, "n_clicks"),
        State("channel-turn", "data"),
        prevent_initial_call=True,
    )(act)

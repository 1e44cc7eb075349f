"""How is a device registered, and what does it need to know to connect?"""

from __future__ import annotations

from typing import Any

import dash_mantine_components as dmc
import psycopg
import psycopg_pool
from dash import Dash, Input, Output, State, html, no_update
from dash.exceptions import PreventUpdate

from dashboard import device_list, device_parts, identity, queries, store, text
from dashboard.device_acts import FILE, BrokerError, DeviceError, Logins, acts
from dashboard.permissions import NotPermittedError, Permission, may, require
from dashboard.shell import icon, trouble
from dashboard.text import devices as words

PATH = "/devices/new"
UNREADABLE = (psycopg.Error, psycopg_pool.PoolTimeout)
_BY_CERTIFICATE = "certificate"


def layout() -> Any:
    """The page: a form whose choices are filled in when it is there."""
    crumbs = html.Div(html.A([icon("back"), words.BACK], href="/devices"), className="crumbs")
    if not may(identity.current_or_none(), Permission.MANAGE_DEVICES):
        return html.Div([crumbs, trouble(text.NOT_ALLOWED)], className="page device-page", id="main", tabIndex="-1")
    return html.Div(
        [
            crumbs,
            html.Div([html.H1(words.ADD), html.P(words.NEW_LEAD, className="muted")]),
            html.Div(id="new-said"),
            html.Div(_form(), id="new-form", className="card device-new"),
        ],
        className="page device-page",
        id="main",
        tabIndex="-1",
    )


def _form() -> list[Any]:
    return [
        dmc.TextInput(id="new-code", label=words.CODE, description=words.CODE_HINT, required=True),
        dmc.Select(
            id="new-kind",
            label=words.KIND,
            required=True,
            data=[{"value": kind, "label": name} for kind, name in text.DEVICE_KINDS.items() if kind != "manual"],
        ),
        dmc.Select(id="new-site", label=words.SITE, value="", allowDeselect=False, searchable=True,
                   data=[{"value": "", "label": words.EVERYWHERE}]),
        dmc.Select(id="new-hub", label=words.HUB, value="", allowDeselect=False, searchable=True,
                   data=[{"value": "", "label": words.NO_HUB}]),
        html.Div(words.SIGNS_IN, className="device-label"),
        dmc.SegmentedControl(
            id="new-login",
            data=[{"value": "password", "label": words.PASSWORD}, {"value": "certificate", "label": words.CERTIFICATE}],
            value="password",
            **{"aria-label": words.SIGNS_IN},
        ),
        html.Button(words.NEW_ACT, id="new-add", type="button", className="button", n_clicks=0),
    ]  # fmt: skip


async def fill_choices(_: Any) -> tuple[Any, Any]:
    """The sites and hubs that a device may have."""
    if not may(identity.current(), Permission.MANAGE_DEVICES):
        return no_update, no_update
    try:
        sites, hubs = await queries.sites(), await device_list.hubs()
    except UNREADABLE:
        return no_update, no_update
    return (
        [{"value": "", "label": words.EVERYWHERE}]
        + [{"value": str(site["site_id"]), "label": site["name"]} for site in sites],
        [{"value": "", "label": words.NO_HUB}] + [{"value": hub, "label": hub} for hub in hubs],
    )


async def add(
    logins: Logins | None, clicks: int | None, code: Any, kind: Any, site: Any, hub: Any, login: Any
) -> tuple[Any, Any]:
    """Register the device, and tell what it needs in the place of the form."""
    if not clicks:
        raise PreventUpdate
    code = str(code or "").strip()
    if not (code and kind):
        return trouble(words.NO_KIND if code else words.NO_CODE), no_update
    try:
        require(identity.current(), Permission.MANAGE_DEVICES)
        made = await acts(logins).add(
            code,
            str(kind),
            site=int(site) if str(site or "").isdigit() else None,
            hub=str(hub) if hub else None,
            certificate=login == _BY_CERTIFICATE,
        )
        found = await store.fetch_from(FILE, "device", code=code)
    except (DeviceError, BrokerError, NotPermittedError) as refused:
        return trouble(str(refused)), no_update
    except UNREADABLE:
        return trouble(words.NOT_STORED), no_update
    ways_on = html.Div(
        [
            html.A(words.OPEN, href=f"/devices/{found[0]['device_id']}", className="button"),
            html.A(words.ANOTHER, href=PATH, className="button quiet"),
        ],
        className="device-buttons page-head",
    )
    needs_login = not hub or login == _BY_CERTIFICATE
    told = device_parts.secret_card(made) if needs_login else device_parts.behind_hub_card(made, str(hub))
    return None, [told, ways_on]


def register(app: Dash) -> None:
    """Wire the page."""
    logins: Logins | None = app.server.state.device_logins

    async def pressed(*given: Any) -> tuple[Any, Any]:
        return await add(logins, *given)

    app.callback(
        Output("new-site", "data"), Output("new-hub", "data"), Input("new-form", "id"), prevent_initial_call=False
    )(fill_choices)
    app.callback(
        Output("new-said", "children"),
        Output("new-form", "children"),
        Input("new-add", "n_clicks"),
        State("new-code", "value"),
        State("new-kind", "value"),
        State("new-site", "value"),
        State("new-hub", "value"),
        State("new-login", "value"),
        prevent_initial_call=True,
    )(pressed)

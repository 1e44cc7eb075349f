"""Which pages are there, at which addresses, and which page does an address show?

A page is a module with `PATH`, `layout` and `register`, which wires its callbacks. The layout of one patient's page
takes the number that is in its address, and so does one device's.
"""

from __future__ import annotations

import re
from collections.abc import Awaitable
from typing import Any

import psycopg
import psycopg_pool
from dash import Dash, Input, Output, dcc, html

from dashboard import audit, identity, shell, text
from dashboard.pages import (
    account,
    audit_log,
    channels,
    devices,
    emergency_access,
    enrol,
    ladders,
    messages,
    observe,
    own_messages,
    patient_handover,
    people,
    policies,
    quarantine,
    residents,
    rotas,
    round_list,
    shift_handover,
    sites,
    system,
    triage,
)
from dashboard.pages import device as one_device
from dashboard.pages import device_new as new_device
from dashboard.pages import patient as one_patient

_FIXED = (
    triage,
    residents,
    round_list,
    shift_handover,
    devices,
    quarantine,
    system,
    enrol,
    emergency_access,
    people,
    sites,
    policies,
    audit_log,
    account,
    messages,
    ladders,
    rotas,
    channels,
    own_messages,
)
_OF_A_PATIENT = (
    one_patient,
    observe,
    patient_handover,
)
_LAYOUTS = {page.PATH: page.layout for page in _FIXED}
PATHS = (*_LAYOUTS, *(page.PATH for page in _OF_A_PATIENT))
# pages that show many patients at once, as the audit log calls them
_LISTS = {
    triage.PATH: "triage",
    devices.PATH: "devices",
    residents.PATH: "residents",
    round_list.PATH: "round_list",
    shift_handover.PATH: "shift",
}
# vendored and fetched when the first chart is drawn, so not part of every page
_LAZY = r"plotly-basic"
_PATIENT = [(re.compile(page.PATH.format(patient_id=r"(\d{1,9})") + r"\Z"), page.layout) for page in _OF_A_PATIENT]
# one device, and registering one: below the list of them
_DEVICE = re.compile(r"/devices/(\d{1,9})\Z")
_LAYOUTS[new_device.PATH] = new_device.layout
_LISTS[devices.PATH] = "devices"
PATHS = (*PATHS, new_device.PATH, one_device.PATH)


def register(app: Dash) -> None:
    """Give the application its layout and the callbacks of all pages."""
    app.config.assets_ignore = _LAZY
    app.layout = shell.layout
    shell.register(app)
    app.callback(Output("page", "children"), Input("url", "pathname"))(show)
    pages_of_callbacks = app.server.state.pages_of_callbacks = {}
    for page in (*_FIXED, *_OF_A_PATIENT, one_device, new_device):
        before = set(app.callback_map)
        page.register(app)
        name = _LISTS.get(page.PATH, page.__name__.rpartition(".")[2])
        pages_of_callbacks.update(dict.fromkeys(set(app.callback_map) - before, name))


async def show(pathname: str | None) -> Any:
    """Give the page at an address; nothing is shown where the look at it cannot be recorded."""
    try:
        return await _shown(pathname)
    except (psycopg.Error, psycopg_pool.PoolTimeout):
        return html.Div(shell.trouble(), className="page", id="main", tabIndex="-1")


async def _shown(pathname: str | None) -> Any:
    path = pathname or "/"
    if path == "/":
        path = shell.first_page(identity.current())
    for address, layout in _PATIENT:
        if found := address.match(path):
            await audit.opened_patient(int(found[1]))
            return await layout(int(found[1]))
    if found := _DEVICE.match(path):
        return await one_device.layout(int(found[1]))
    if path in _LAYOUTS:
        if path in _LISTS:
            await audit.looked_at(_LISTS[path])
        page = _LAYOUTS[path]()
        return await page if isinstance(page, Awaitable) else page
    return html.Div(
        [html.H1(text.NOT_FOUND), html.P(dcc.Link(text.BACK, href="/"))], className="page", id="main", tabIndex="-1"
    )

"""Which pages are there, at which addresses, and which page does an address show?

A page is a module with `register`, which wires its callbacks. One at a fixed address also has `PATH` and `layout`.
"""

from __future__ import annotations

import contextlib
import re
from collections.abc import Awaitable
from typing import Any

import psycopg
import psycopg_pool
from dash import Dash, Input, Output, dcc, html

from dashboard import audit, shell, text
from dashboard.pages import devices, quarantine, system, triage
from dashboard.pages import patient as one_patient

_FIXED = (
    triage,
    devices,
    quarantine,
    system,
)
_LAYOUTS = {page.PATH: page.layout for page in _FIXED}
PATHS = (*_LAYOUTS, one_patient.PATH)
# vendored and fetched when the first chart is drawn, so not part of every page
_LAZY = r"plotly-basic"
_PATIENT = re.compile(r"/patients/(\d{1,9})\Z")


def register(app: Dash) -> None:
    """Give the application its layout and the callbacks of all pages."""
    app.config.assets_ignore = _LAZY
    app.layout = shell.layout
    shell.register(app)
    app.callback(Output("page", "children"), Input("url", "pathname"))(show)
    for page in (*_FIXED, one_patient):
        page.register(app)


async def _record(entry: Awaitable[None]) -> None:
    """Write an entry into the audit log; where the database is away the page says so itself, and shows nothing."""
    with contextlib.suppress(psycopg.OperationalError, psycopg_pool.PoolTimeout):
        await entry


async def show(pathname: str | None) -> Any:
    """Give the page at an address."""
    path = pathname or "/"
    if found := _PATIENT.match(path):
        await _record(audit.opened_patient(int(found[1])))
        return await one_patient.layout(int(found[1]))
    if path in _LAYOUTS:
        if path == "/":
            await _record(audit.looked_at("triage"))
        return _LAYOUTS[path]()
    return html.Div(
        [html.H1(text.NOT_FOUND), html.P(dcc.Link(text.BACK, href="/"))], className="page", id="main", tabIndex="-1"
    )

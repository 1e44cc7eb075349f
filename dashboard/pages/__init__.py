"""Which pages are there, at which addresses, how is each called, and which page does an address show?

A page is a module with `PATH`, `layout` and `register`, which wires its callbacks. Where an address has a number in it,
one patient's or one device's, the layout takes that number.
"""

from __future__ import annotations

import re
from collections.abc import Awaitable
from dataclasses import dataclass
from functools import cached_property
from types import ModuleType
from typing import Any

import psycopg
import psycopg_pool
from dash import ClientsideFunction, Dash, Input, Output, dcc, html

from dashboard import audit, identity, shell, text
from dashboard.pages import (
    account,
    audit_log,
    channels,
    device,
    device_new,
    devices,
    emergency_access,
    enrol,
    ladders,
    messages,
    observe,
    own_messages,
    patient,
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
from dashboard.text import titles


@dataclass(frozen=True)
class Page:
    """A page: its module, what it is called, and as a look at which list of patients the audit log has it."""

    module: ModuleType
    title: str
    look: str = ""

    @property
    def is_of_a_patient(self) -> bool:
        """Whether it is one patient's."""
        return "{patient_id}" in self.module.PATH

    @cached_property
    def pattern(self) -> re.Pattern[str]:
        """What its address looks like, with the number that may be in it as a group."""
        return re.compile(self.module.PATH.format(patient_id=r"(\d{1,9})", device_id=r"(\d{1,9})"), re.ASCII)


PAGES = (
    Page(triage, titles.TRIAGE, "triage"),
    Page(residents, titles.RESIDENTS, "residents"),
    Page(round_list, titles.ROUND, "round_list"),
    Page(shift_handover, titles.SHIFT, "shift"),
    Page(patient, titles.PATIENT),
    Page(observe, titles.OBSERVE),
    Page(patient_handover, titles.PATIENT_HANDOVER),
    Page(enrol, titles.ENROL),
    Page(emergency_access, titles.EMERGENCY),
    Page(devices, titles.DEVICES, "devices"),
    Page(device_new, titles.DEVICE_NEW),
    Page(device, titles.DEVICE),
    Page(quarantine, titles.QUARANTINE),
    Page(people, titles.PEOPLE),
    Page(sites, titles.SITES),
    Page(policies, titles.POLICIES),
    Page(audit_log, titles.AUDIT),
    Page(messages, titles.MESSAGES),
    Page(ladders, titles.LADDERS),
    Page(rotas, titles.ROTAS),
    Page(channels, titles.CHANNELS),
    Page(system, titles.SYSTEM),
    Page(account, titles.ACCOUNT),
    Page(own_messages, titles.OWN_MESSAGES),
)
PATHS = tuple(page.module.PATH for page in PAGES)


def register(app: Dash) -> None:
    """Give the application its layout and the callbacks of all pages."""
    app.layout = shell.layout
    shell.register(app)
    app.callback(Output("page", "children"), Input("url", "pathname"))(show)
    app.clientside_callback(ClientsideFunction("homeward", "title"), Input("page", "children"))
    pages_of_callbacks = app.server.state.pages_of_callbacks = {}
    for page in PAGES:
        before = set(app.callback_map)
        page.module.register(app)
        name = page.look or page.module.__name__.rpartition(".")[2]
        pages_of_callbacks.update(dict.fromkeys(set(app.callback_map) - before, name))


async def show(pathname: str | None) -> Any:
    """Give the page at an address; nothing is shown where the look at it cannot be recorded."""
    try:
        return await _shown(pathname)
    except (psycopg.Error, psycopg_pool.PoolTimeout):
        return _called(titles.NOT_AVAILABLE, html.Div(shell.trouble(), className="page", id="main", tabIndex="-1"))


async def _shown(pathname: str | None) -> Any:
    path = pathname or "/"
    if path == "/":
        path = shell.first_page(identity.current())
    for page in PAGES:
        if found := page.pattern.fullmatch(path):
            numbers = [int(number) for number in found.groups()]
            if page.is_of_a_patient:
                await audit.opened_patient(numbers[0])
            elif page.look:
                await audit.looked_at(page.look)
            made = page.module.layout(*numbers)
            return _called(page.title.format(*numbers), await made if isinstance(made, Awaitable) else made)
    nothing = [html.H1(text.NOT_FOUND), html.P(dcc.Link(text.BACK, href="/"))]
    return _called(titles.NOT_FOUND, html.Div(nothing, className="page", id="main", tabIndex="-1"))


def _called(title: str, page: Any) -> Any:
    """Let the page carry the title that the browser's tab and history show while it is there."""
    setattr(page, "data-title", f"{title} · {text.BRAND}")
    return page

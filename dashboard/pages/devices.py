"""Which devices are there, whose are they, and when was each last heard?"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import dash_mantine_components as dmc
import psycopg
import psycopg_pool
from dash import Dash, Input, Output, html

from dashboard import identity, queries, text
from dashboard.permissions import Permission, may
from dashboard.shell import icon, scrollable, trouble
from dashboard.wording import ago, full_name

SHOWN = 500
SILENT_AFTER = timedelta(days=1)
"""Longer than this without an observation and a device is called silent here; alarms follow the policy instead."""


def layout() -> Any:
    """The page before its data."""
    return html.Div(
        [
            html.Div(
                [
                    html.Div([html.H1(text.DEVICES), html.P(text.DEVICES_LEAD)]),
                    dmc.TextInput(
                        id="device-search",
                        placeholder=text.DEVICE_SEARCH,
                        debounce=250,
                        leftSection=icon("search"),
                        className="triage-search",
                        **{"aria-label": text.DEVICE_SEARCH},
                    ),
                ],
                className="page-head",
            ),
            html.Div(html.Div(text.LOADING, className="loading-note"), id="device-list"),
        ],
        className="page",
        id="main",
        tabIndex="-1",
    )


async def fill(search: str | None, site: str | None) -> Any:
    """The list, or why there is none."""
    person = identity.current()
    if not may(person, Permission.SEE_DEVICES):
        return trouble(text.NOT_ALLOWED)
    try:
        found = await queries.devices(int(site) if site else None, (search or "")[:200], SHOWN, 0)
    except (psycopg.Error, psycopg_pool.PoolTimeout):
        return trouble()
    if not found:
        return html.Div(text.DEVICES_EMPTY, className="card empty")
    now = datetime.now(UTC)
    head = html.Thead(html.Tr([html.Th(name, scope="col") for name in text.DEVICE_COLUMNS]))
    table = html.Table([head, html.Tbody([_row(d, now) for d in found])], className="list")
    more = found[0]["total"] - len(found)
    note = html.P(text.more_rows(more), className="empty") if more > 0 else None
    return html.Div([scrollable(table, text.DEVICES), note], className="card")


def _row(device: dict[str, Any], now: datetime) -> Any:
    name = full_name(device["given_name"], device["family_name"]) if device["patient_id"] else "–"
    whose = html.A(name, href=f"/patients/{device['patient_id']}", className="inside") if device["patient_id"] else "–"
    last = device["last_observed_at"]
    return html.Tr(
        [
            html.Td(html.Strong(device["code"])),
            html.Td(text.DEVICE_KINDS.get(device["kind"], device["kind"])),
            html.Td(whose),
            html.Td(device["site"] or "–"),
            html.Td(device["hub"] or "–"),
            html.Td(ago((now - last).total_seconds()) if last else "–", className="numeric"),
            html.Td(_state(device, now)),
        ]
    )


def _state(device: dict[str, Any], now: datetime) -> Any:
    last = device["last_observed_at"]
    if device["retired_at"]:
        return html.Span(text.DEVICE_STATES["retired"], className="state")
    if device["patient_id"] is None:
        return html.Span(text.DEVICE_STATES["spare"], className="state")
    if last is None:
        return html.Span(text.DEVICE_STATES["never"], className="state state-bad")
    silent = now - last > SILENT_AFTER
    return html.Span(
        text.DEVICE_STATES["silent" if silent else "reporting"], className=f"state state-{'bad' if silent else 'good'}"
    )


def register(app: Dash) -> None:
    """Wire the page."""
    app.callback(Output("device-list", "children"), Input("device-search", "value"), Input("site", "value"))(fill)

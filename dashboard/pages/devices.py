"""Which devices are there, whose are they, and when was each last heard?"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import dash_mantine_components as dmc
import psycopg
import psycopg_pool
from dash import Dash, Input, Output, html

from dashboard import identity, queries, text
from dashboard.device_clock import clock_words
from dashboard.permissions import Permission, may
from dashboard.shell import icon, long_list, trouble
from dashboard.wording import ago, full_name

PATH = "/devices"

SHOWN = 500
SILENT_AFTER = timedelta(days=1)
"""Longer than this without an observation and a device is called silent here; alarms follow the policy instead."""

_FIELDS = ("code", "kind", "patient", "site", "hub", "last", "clock", "state")
_DRAWN: dict[str, dict[str, Any]] = {
    "code": {"width": 190, "cellClass": "strong"},
    "patient": {"cellRenderer": "HwLink"},
    "state": {"cellRenderer": "HwState"},
}
COLUMNS: list[dict[str, Any]] = [
    {"field": field, "headerName": name} | _DRAWN.get(field, {})
    for field, name in zip(_FIELDS, text.DEVICE_COLUMNS, strict=True)
]


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
    more = found[0]["total"] - len(found)
    note = html.P(text.more_rows(more), className="empty") if more > 0 else None
    return html.Div([long_list("devices", text.DEVICES, COLUMNS, [_row(d, now) for d in found]), note])


def _row(device: dict[str, Any], now: datetime) -> dict[str, Any]:
    last, patient = device["last_observed_at"], device["patient_id"]
    state, kind = _state(device, now)
    return {
        "code": device["code"],
        "kind": text.DEVICE_KINDS.get(device["kind"], device["kind"]),
        "patient": full_name(device["given_name"], device["family_name"]) if patient else "–",
        "href": f"/patients/{patient}" if patient else None,
        "site": device["site"] or "–",
        "hub": device["hub"] or "–",
        "last": ago((now - last).total_seconds()) if last else "–",
        "clock": clock_words(device["clock_unset"], device["clock_skew_us"]),
        "state": text.DEVICE_STATES[state],
        "state_kind": kind,
    }


def _state(device: dict[str, Any], now: datetime) -> tuple[str, str]:
    last = device["last_observed_at"]
    if device["retired_at"]:
        return "retired", ""
    if device["patient_id"] is None:
        return "spare", ""
    if last is None:
        return "never", "bad"
    return ("silent", "bad") if now - last > SILENT_AFTER else ("reporting", "good")


def register(app: Dash) -> None:
    """Wire the page."""
    app.callback(Output("device-list", "children"), Input("device-search", "value"), Input("site", "value"))(fill)

"""How does a clinician open somebody who is not at their sites, when waiting would harm them?"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import psycopg
import psycopg_pool
from dash import Dash, Input, Output, State, dcc, html, no_update

from dashboard import emergency, fields, identity, queries, text
from dashboard.actions import InvalidActionError, NotThereError
from dashboard.fields import bad, good
from dashboard.permissions import NotPermittedError, Permission, may
from dashboard.shell import icon, scrollable, trouble
from dashboard.text import accounts as words
from dashboard.wording import clock, zone_name

PATH = "/emergency"

_UNREADABLE = (psycopg.Error, psycopg_pool.PoolTimeout)


def layout() -> Any:
    """The form, and what was opened before."""
    return html.Div(
        [
            dcc.Store(id="emergency-turn", data=0),
            html.Div(html.Div([html.H1(words.EMERGENCY), html.P(words.EMERGENCY_LEAD)]), className="page-head"),
            _form() if may(identity.current(), Permission.OPEN_IN_EMERGENCY) else trouble(text.NOT_ALLOWED),
            html.Div(id="emergency-list"),
        ],
        className="page form-page",
        id="main",
        tabIndex="-1",
    )


def _form() -> Any:
    return html.Div(
        [
            fields.box("emergency-number", words.NHS_NUMBER, required=True, autoComplete="off"),
            fields.box("emergency-born-on", words.BORN_ON, words.BORN_HINT, required=True, autoComplete="off"),
            html.Div(
                fields.lines("emergency-reason", words.REASON, words.EMERGENCY_REASON_HINT, required=True),
                className="wide",
            ),
            html.Div([fields.button("emergency-open", words.OPEN_NOW)], className="wide form-acts"),
            html.Div(fields.said("emergency-said"), className="wide"),
        ],
        className="form-grid card section",
    )


async def open_patient(
    clicks: int | None, number: str | None, born_on: str | None, reason: str | None, turn: int
) -> tuple[Any, Any]:
    """Open the patient, and give the way to the record."""
    if not clicks:
        return no_update, no_update
    day = fields.read_date(born_on or "")
    if day is None:
        return bad(words.NOT_A_DATE), no_update
    try:
        patient = await emergency.open_patient(number or "", day, reason or "")
    except (InvalidActionError, NotThereError, NotPermittedError) as exc:
        return bad(str(exc)), no_update
    except _UNREADABLE:
        return trouble(), no_update
    return good(dcc.Link(words.OPEN_RECORD, href=f"/patients/{patient}")), turn + 1


async def fill(_: Any) -> Any:
    """Whom one has opened before."""
    if not may(identity.current(), Permission.OPEN_IN_EMERGENCY):
        return None
    try:
        found, zone = await emergency.accesses(limit=20), await queries.own_zone()
    except _UNREADABLE:
        return trouble()
    if not found:
        return None
    now = datetime.now(UTC)
    rows = [
        html.Tr(
            [
                html.Td(clock(e["started_at"], zone, now), className="tight"),
                html.Td(e["account"]),
                html.Td(
                    dcc.Link(str(e["patient_id"]), href=f"/patients/{e['patient_id']}")
                    if e["is_open"]
                    else str(e["patient_id"])
                ),
                html.Td(e["reason"]),
                html.Td(clock(e["expires_at"], zone, now), className="tight"),
            ]
        )
        for e in found
    ]
    return html.Section(
        [
            html.H2(words.OWN_OPENINGS),
            html.P(f"{text.times_in(zone_name(zone, now))}.", className="muted"),
            scrollable(fields.table(words.EMERGENCY_COLUMNS, rows), words.OWN_OPENINGS),
        ],
        className="card section stack",
        style={"marginTop": "16px"},
    )


async def banner(patient_id: int) -> Any:
    """What stands on the page of a patient whom the person at work opened in an emergency."""
    found = await emergency.present(patient_id)
    if found is None:
        return None
    zone = found["time_zone"]
    until = f"{clock(found['expires_at'], zone, datetime.now(UTC))}, {zone_name(zone, found['expires_at'])}"
    said = words.EMERGENCY_BANNER.format(until=until, reason=found["reason"])
    return html.Div([icon("emergency"), " ", said], className="emergency-banner", role="status")


def register(app: Dash) -> None:
    """Wire the page."""
    app.callback(
        Output("emergency-said", "children"),
        Output("emergency-turn", "data"),
        Input("emergency-open", "n_clicks"),
        State("emergency-number", "value"),
        State("emergency-born-on", "value"),
        State("emergency-reason", "value"),
        State("emergency-turn", "data"),
        prevent_initial_call=True,
    )(open_patient)
    app.callback(Output("emergency-list", "children"), Input("emergency-turn", "data"))(fill)

"""Who needs somebody first? The list of patients, worst first, with everything needed to decide in one row."""

from __future__ import annotations

import asyncio
import logging
from datetime import UTC, datetime, timedelta
from typing import Any

import psycopg
import psycopg_pool
from dash import ALL, ClientsideFunction, Dash, Input, Output, State, dcc, html

from dashboard import (
    identity,
    queries,
    rows,
    text,
    timeline,
    told,
    told_parts,
    triage_acts,
    triage_list,
    triage_panel,
)
from dashboard import triage_parts as parts
from dashboard.patient_charts import standard_of
from dashboard.permissions import Permission, may
from dashboard.shell import trouble
from dashboard.text import triage as words

PATH = "/"

log = logging.getLogger(__name__)
UNREADABLE = (psycopg.Error, psycopg_pool.PoolTimeout)
FIRST_VIEW = {"filter": "all", "site": "", "search": "", "pathway": "", "owner": "anyone"}
LATEST_SPAN = timedelta(days=7)
LATEST_ENTRIES = 6


def layout() -> Any:
    """The page before its first data: the frame, the cards and an empty grid that asks for its rows."""
    person = identity.current_or_none()
    may_act, may_note = may(person, Permission.ACKNOWLEDGE), may(person, Permission.WRITE_NOTES)
    return html.Div(
        [
            *_stores(),
            parts.head(),
            html.Div(id="triage-intake"),
            html.Div(id="triage-trouble", **{"data-failed": text.TROUBLE}),
            html.Div([parts.card(name) for name in text.CARDS], className="cards", role="group",
                     **{"aria-label": text.FILTER_BY}),
            parts.bar(may_act),
            html.Div(
                [
                    parts.grid(),
                    html.Div(id="triage-empty", className="grid-empty", hidden=True),
                    triage_panel.frame(may_act, may_note),
                ],
                className="grid-box",
            ),
            parts.foot(),
            html.Div(id="triage-status", className="visually-hidden", role="status"),
            html.Div(id="triage-announce", className="visually-hidden", role="log", **{"aria-live": "polite"}),
            parts.help_dialog(),
        ],
        className="page triage",
        id="main",
        tabIndex="-1",
    )  # fmt: skip


def _stores() -> list[Any]:
    return [
        dcc.Store(id="triage-view", data=FIRST_VIEW),
        dcc.Store(id="triage-segments", data=list(text.SEGMENTS)),
        dcc.Store(id="triage-act"),
        dcc.Store(id="triage-said"),
        dcc.Store(id="triage-open"),
    ]


async def fill_pathways(_: Any) -> list[dict[str, str]]:
    """The pathways to choose from."""
    found = [] if identity.current_or_none() is None else await triage_list.pathways()
    listed = [{"value": str(w["pathway_id"]), "label": w["title"]} for w in found]
    return [{"value": "", "label": words.ALL_PATHWAYS}, *listed]


async def act(asked: dict[str, Any] | None) -> tuple[dict[str, Any] | None, Any]:
    """Do what somebody chose in a row, in the panel or for the selected, and say what came of it."""
    if not asked:
        return None, None
    back = {"turn": asked.get("turn"), "kind": asked.get("kind"), "patient": asked.get("patient")}
    try:
        said = await triage_acts.perform(asked)
    except UNREADABLE as exc:
        log.warning("an act was not stored", extra={"action": "act_failed", "error": type(exc).__name__})
        return {"words": words.FAILED, "lines": [words.FAILED], "done": False, **back}, trouble(words.FAILED)
    return {**said, **back}, None


async def fill_panel(wanted: dict[str, Any] | None) -> tuple[Any, ...]:
    """One patient, for the panel."""
    nothing = (html.P(words.NOTHING, className="muted"), None, None, None)
    if not wanted or not wanted.get("patient"):
        return nothing
    number, now = int(wanted["patient"]), datetime.now(UTC)
    try:
        patient, listed, events, notes = await asyncio.gather(
            queries.patient(number),
            queries.open_episodes([number]),
            queries.events(number, now - LATEST_SPAN, LATEST_ENTRIES),
            queries.notes(number, now - LATEST_SPAN, LATEST_ENTRIES),
        )
        found = listed.get(number, [])
        waiting = [e for e in found if e["acknowledged_at"] is None and e["snoozed_until"] is None]
        telling = patient and await told.of_patient(
            waiting, patient["site_id"], patient["time_zone"], now, text.SEVERITY
        )
    except UNREADABLE:
        return trouble(), None, None, None
    person = identity.current()
    if patient is None:
        return (html.P(text.UNKNOWN_PATIENT), None, None, None)
    followed = standard_of(patient)
    at = rows.situation([number], {number: patient}, {patient["policy_id"]: followed} if followed else {}, now)
    latest = timeline.entries(timeline.Happened(events, notes), LATEST_ENTRIES)
    return (
        triage_panel.who(patient, max((e["severity"] for e in found), default=0)),
        [
            triage_panel.episodes(found, at, patient, person, now, may(person, Permission.ACKNOWLEDGE)),
            told_parts.block(telling, patient["time_zone"], now) if telling else None,
        ],
        triage_panel.contact(patient),
        triage_panel.latest(latest, patient["time_zone"], now),
    )


def register(app: Dash) -> None:
    """Wire the page."""
    app.callback(Output("triage-pathway", "data"), Input("triage-segments", "data"))(fill_pathways)
    app.callback(
        Output("triage-said", "data"),
        Output("triage-trouble", "children", allow_duplicate=True),
        Input("triage-act", "data"),
        prevent_initial_call=True,
    )(act)
    app.callback(
        Output("panel-who", "children"),
        Output("panel-episodes", "children"),
        Output("panel-contact", "children"),
        Output("panel-latest", "children"),
        Input("triage-open", "data"),
        prevent_initial_call=True,
    )(fill_panel)
    _register_in_the_browser(app)


def _register_in_the_browser(app: Dash) -> None:
    app.clientside_callback(
        ClientsideFunction("homeward", "afterAct"), Output("triage-status", "children"), Input("triage-said", "data")
    )
    app.clientside_callback(
        ClientsideFunction("homeward", "rows"),
        Output("triage-grid", "getRowsResponse"),
        Output("triage-trouble", "children"),
        Output("triage-empty", "children"),
        Output("triage-empty", "hidden"),
        Input("triage-grid", "getRowsRequest"),
        State("triage-view", "data"),
    )
    app.clientside_callback(
        ClientsideFunction("homeward", "view"),
        Output("triage-view", "data"),
        Input({"kind": "card", "filter": ALL}, "n_clicks"),
        Input("triage-segment", "value"),
        Input("site", "value"),
        Input("triage-search", "value"),
        Input("triage-pathway", "value"),
        Input("triage-owner", "value"),
        State("triage-view", "data"),
    )
    app.clientside_callback(
        ClientsideFunction("homeward", "showView"),
        Output("triage-segment", "value"),
        Output({"kind": "card", "filter": ALL}, "aria-pressed"),
        Input("triage-view", "data"),
        State("triage-segments", "data"),
        State({"kind": "card", "filter": ALL}, "id"),
        prevent_initial_call=True,
    )

"""How is this one patient: who are they, how are they now, how has it been, and what has been done?"""

from __future__ import annotations

import asyncio
import logging
from datetime import UTC, datetime, timedelta
from typing import Any

import dash_mantine_components as dmc
import psycopg
import psycopg_pool
from dash import ALL, Dash, Input, Output, State, ctx, dcc, html, no_update

from dashboard import (
    actions,
    identity,
    patient_charts,
    patient_limits,
    patient_pause,
    patient_reset,
    proposals,
    queries,
    rows,
    text,
    timeline,
    told,
    told_parts,
)
from dashboard import patient_parts as parts
from dashboard.pages import emergency_access, leaving
from dashboard.permissions import NotPermittedError, Permission, may
from dashboard.shell import badge, trouble
from dashboard.store import fetch_from
from dashboard.text import proposals as asking
from schemas.episode import Severity

PATH = "/patients/{patient_id}"

log = logging.getLogger(__name__)
UNREADABLE = (psycopg.Error, psycopg_pool.PoolTimeout)
USUAL_SPAN = timedelta(days=30)
# the last day is what one compares with the usual, so it is not part of it
USUAL_UNTIL = timedelta(days=1)
TIMELINE_SPAN = timedelta(days=30)
TIMELINE_ENTRIES = 40
SHORTEST_GAP = timedelta(hours=1)


async def layout(patient_id: int) -> Any:
    """The page of one patient; the same answer where there is none and where this person may not see them."""
    person = identity.current()
    try:
        found, devices, opened = await asyncio.gather(
            queries.patient(patient_id),
            fetch_from("patient.sql", "devices", patient=patient_id),
            emergency_access.banner(patient_id),
        )
    except UNREADABLE:
        return _alone(trouble())
    if found is None or not may(person, Permission.SEE_PATIENTS):
        return _alone(html.P(text.UNKNOWN_PATIENT, className="card empty"))
    return html.Div(
        [
            dcc.Store(id="patient-id", data=patient_id),
            dcc.Store(id="patient-acts", data=0),
            html.Div(
                [parts.crumbs(found), parts.ways_on(patient_id, may(person, Permission.WRITE_NOTES))],
                className="patient-top",
            ),
            opened,
            parts.banner(found),
            html.Div(id="patient-said", className="said", role="status"),
            html.Div(
                [
                    html.Div(
                        [
                            html.Div(id="patient-episodes"),
                            patient_reset.frame(),
                            html.Div(id="patient-vitals", className="vitals"),
                            patient_charts.section(found),
                        ],
                        className="main-column",
                    ),
                    html.Div(
                        [
                            _notes() if may(person, Permission.WRITE_NOTES) else None,
                            patient_pause.section() if may(person, Permission.PAUSE_PATIENTS) else None,
                            patient_limits.section(found) if may(person, Permission.SET_LIMITS) else None,
                            parts.devices_section(devices, found["time_zone"], found["now"]),
                            parts.timeline_section(found),
                            await leaving.section(found),
                        ],
                        className="side-column",
                    ),
                ],
                className="columns",
            ),
        ],
        className="page patient",
        id="main",
        tabIndex="-1",
    )


def _alone(content: Any) -> Any:
    return html.Div([parts.back(), html.H1(text.PATIENT), content], className="page patient", id="main", tabIndex="-1")


def _notes() -> Any:
    return html.Section(
        [
            html.Label(html.H2(text.ADD_NOTE), htmlFor="note-body"),
            dmc.Textarea(id="note-body", placeholder=text.NOTE_PLACEHOLDER, minRows=3, autosize=True, maxRows=10,
                         inputProps={"maxLength": actions.LONGEST_NOTE}),
            html.Button(text.SAVE_NOTE, id="note-save", className="button", type="button"),
            proposals.stored_of("note-body"),
            html.Div(id="note-said", className="said", role="status"),
        ],
        className="card section note-form",
    )  # fmt: skip


async def fill_now(patient_id: int, *_: Any) -> tuple[Any, Any, Any, Any]:
    """The present: open episodes, each vital sign's last value, the badge beside the name, what waits for a reset."""
    try:
        found = await queries.patient(patient_id)
        if found is None:
            return no_update, no_update, no_update, no_update
        now = datetime.now(UTC)
        open_now = (await queries.open_episodes([patient_id])).get(patient_id, [])
        usual = await queries.usual_ranges(patient_id, now - USUAL_SPAN, now - USUAL_UNTIL)
        held = [e for e in await queries.episodes(patient_id, now) if e["phase"] == "active"]
        waiting = [e for e in open_now if e["acknowledged_at"] is None and e["snoozed_until"] is None]
        telling = await told.of_patient(waiting, found["site_id"], found["time_zone"], now, text.SEVERITY)
    except UNREADABLE as exc:
        log.warning("patient could not be read", extra={"action": "patient_unreadable", "error": type(exc).__name__})
        return trouble(), no_update, no_update, no_update
    followed = patient_charts.standard_of(found)
    known = {} if followed is None else {found["policy_id"]: followed}
    at = rows.situation([patient_id], {patient_id: found}, known, now)
    allowed = may(identity.current(), Permission.ACKNOWLEDGE)
    names = {e["episode_id"]: e for e in held}
    worst = max((e["severity"] for e in open_now), default=0)
    return (
        html.Div(
            [
                parts.open_episodes(open_now, names, at, found, now, allowed),
                told_parts.section(telling, found["time_zone"], now) if telling else None,
            ],
            className="stack",
        ),
        parts.vitals(at, found, usual, now),
        badge(worst, text.SEVERITY[Severity(worst)]) if worst else None,
        not (allowed and any(e["waits_for_reset"] for e in open_now)),
    )


async def fill_timeline(patient_id: int, *_: Any) -> Any:
    """Everything that happened, newest first."""
    now = datetime.now(UTC)
    since = now - TIMELINE_SPAN
    listed = {"patient": patient_id, "since": since, "limit": TIMELINE_ENTRIES}
    try:
        found = await queries.patient(patient_id)
        happened = await asyncio.gather(
            queries.events(patient_id, since, TIMELINE_ENTRIES),
            queries.notes(patient_id, since, TIMELINE_ENTRIES),
            queries.device_gaps(patient_id, since, SHORTEST_GAP, TIMELINE_ENTRIES),
            fetch_from("patient.sql", "overrides", **listed),
            fetch_from("patient.sql", "device_changes", **listed),
            fetch_from("patient.sql", "pauses", patient=patient_id, since=since, until=now),
            fetch_from("patient.sql", "late_arrivals", **listed, longer=SHORTEST_GAP),
        )
    except UNREADABLE:
        return trouble()
    if found is None:
        return no_update
    listed_entries = timeline.entries(timeline.Happened(*happened), TIMELINE_ENTRIES)
    return parts.timeline_list(listed_entries, found["time_zone"], found["now"])


async def acknowledge(clicks: list[int | None], acts: int) -> tuple[Any, Any]:
    """Take on the one episode whose button was pressed."""
    if not ctx.triggered_id or not any(clicks):
        return no_update, no_update
    try:
        outcome = await actions.acknowledge([int(ctx.triggered_id["episode"])])
    except NotPermittedError as exc:
        return str(exc), no_update
    except UNREADABLE:
        return text.ACKNOWLEDGE_FAILED, no_update
    if outcome.held:
        return f"{text.HELD_BY} {outcome.held[0].by}", acts + 1
    return (text.ACKNOWLEDGED if outcome.done else text.GONE), acts + 1


async def save_note(_: int | None, body: str | None, patient_id: int, acts: int) -> tuple[Any, Any, Any]:
    """Keep a note; the box is emptied only when what it holds is stored."""
    if not (body or "").strip():
        return no_update, text.NOTE_EMPTY, no_update
    try:
        written = await actions.add_note(patient_id, body or "")
    except (NotPermittedError, actions.InvalidActionError) as exc:
        return no_update, str(exc), no_update
    except UNREADABLE:
        return no_update, text.NOTE_FAILED, no_update
    if written is None:
        return no_update, text.NOTE_FAILED, no_update
    return proposals.stored(body, text.NOTE_SAVED, asking.NOTE_MORE), no_update, acts + 1


def register(app: Dash) -> None:
    """Wire the page."""
    leaving.register(app)
    patient, live, acts = Input("patient-id", "data"), Input("live-patient", "data"), Input("patient-acts", "data")
    app.callback(
        Output("patient-episodes", "children"),
        Output("patient-vitals", "children"),
        Output("patient-badge", "children"),
        Output("patient-reset", "hidden"),
        patient,
        live,
        acts,
    )(fill_now)
    app.callback(Output("patient-timeline", "children"), patient, live, acts)(fill_timeline)
    app.callback(
        Output("patient-said", "children"),
        Output("patient-acts", "data"),
        Input({"kind": "acknowledge", "episode": ALL}, "n_clicks"),
        State("patient-acts", "data"),
        prevent_initial_call=True,
    )(acknowledge)
    app.callback(
        Output("note-body-stored", "data"),
        Output("note-said", "children"),
        Output("patient-acts", "data", allow_duplicate=True),
        Input("note-save", "n_clicks"),
        State("note-body", "value"),
        State("patient-id", "data"),
        State("patient-acts", "data"),
        prevent_initial_call=True,
    )(save_note)
    proposals.register_emptying(app, "note-body", "note-said")
    for part in (patient_charts, patient_pause, patient_limits, patient_reset):
        part.register(app)

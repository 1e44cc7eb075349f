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

from dashboard import actions, charts, figures, identity, queries, rows, text, timeline
from dashboard import patient_parts as parts
from dashboard.figures import Span, Words
from dashboard.pages import emergency_access, leaving
from dashboard.permissions import NotPermittedError, Permission, may
from dashboard.shell import badge, trouble
from dashboard.standing import standard
from dashboard.wording import microseconds, zone_name
from schemas.episode import Severity

PATH = "/patients/{patient_id}"

log = logging.getLogger(__name__)
UNREADABLE = (psycopg.Error, psycopg_pool.PoolTimeout)
USUAL_SPAN = timedelta(days=30)
# the last day is what one compares with the usual, so it is not part of it
USUAL_UNTIL = timedelta(days=1)
TIMELINE_SPAN = timedelta(days=30)
TIMELINE_ENTRIES = 40
TABLE_ROWS = 200
SHORTEST_GAP = timedelta(hours=1)
GRAPH = {"displayModeBar": False, "displaylogo": False, "showSendToCloud": False, "responsive": True,
         "scrollZoom": False, "doubleClick": False}  # fmt: skip


async def layout(patient_id: int) -> Any:
    """The page of one patient; the same answer where there is none and where this person may not see them."""
    person = identity.current()
    try:
        found, devices, opened = await asyncio.gather(
            queries.patient(patient_id), queries.devices_of(patient_id), emergency_access.banner(patient_id)
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
                            html.Div(id="patient-vitals", className="vitals"),
                            _charts(found),
                            parts.observations_section(found),
                        ],
                        className="main-column",
                    ),
                    html.Div(
                        [
                            _notes() if may(person, Permission.WRITE_NOTES) else None,
                            parts.devices_section(devices),
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


def _charts(found: dict[str, Any]) -> Any:
    return html.Section(
        [
            html.Div(
                [
                    html.H2(text.VITAL_SIGNS),
                    html.Span(text.times_in(zone_name(found["time_zone"], found["now"])), className="zone"),
                    dmc.SegmentedControl(
                        id="patient-span",
                        data=[{"value": key, "label": words} for key, words in text.SPANS.items()],
                        value="24h",
                        size="sm",
                        **{"aria-label": text.SPAN},
                    ),
                ],
                className="section-head",
            ),
            parts.legend(),
            html.Div(id="patient-trouble"),
            html.Div(
                dcc.Graph(id="patient-chart", config=GRAPH, figure={}, style={"minHeight": "320px"}),
                role="img",
                **{"aria-label": text.CHART_LABEL},
            ),
        ],
        className="card section",
        **{"aria-label": text.VITAL_SIGNS},
    )


def _notes() -> Any:
    return html.Section(
        [
            html.Label(html.H2(text.ADD_NOTE), htmlFor="note-body"),
            dmc.Textarea(id="note-body", placeholder=text.NOTE_PLACEHOLDER, minRows=3, autosize=True, maxRows=10,
                         inputProps={"maxLength": actions.LONGEST_NOTE}),
            html.Button(text.SAVE_NOTE, id="note-save", className="button", type="button"),
            html.Div(id="note-said", className="said", role="status"),
        ],
        className="card section note-form",
    )  # fmt: skip


async def fill_now(patient_id: int, *_: Any) -> tuple[Any, Any, Any]:
    """The present: open episodes, each vital sign's last value, and the badge beside the name."""
    try:
        found = await queries.patient(patient_id)
        if found is None:
            return no_update, no_update, no_update
        now = datetime.now(UTC)
        open_now = (await queries.open_episodes([patient_id])).get(patient_id, [])
        usual = await queries.usual_ranges(patient_id, now - USUAL_SPAN, now - USUAL_UNTIL)
        held = [e for e in await queries.episodes(patient_id, now) if e["phase"] == "active"]
    except UNREADABLE as exc:
        log.warning("patient could not be read", extra={"action": "patient_unreadable", "error": type(exc).__name__})
        return trouble(), no_update, no_update
    followed = standard(
        found["document"], found["policy_id"], found["version"], found["own"] or "{}", found["usual_news2"]
    )
    known = {} if followed is None else {found["policy_id"]: followed}
    at = rows.situation([patient_id], {patient_id: found}, known, now)
    allowed = may(identity.current(), Permission.ACKNOWLEDGE)
    names = {e["episode_id"]: e for e in held}
    worst = max((e["severity"] for e in open_now), default=0)
    return (
        parts.open_episodes(open_now, names, found, now, allowed),
        parts.vitals(at, found, usual, now),
        badge(worst, text.SEVERITY[Severity(worst)]) if worst else None,
    )


async def fill_chart(patient_id: int, span: str, scheme: str | None, *_: Any) -> tuple[Any, Any]:
    """The charts over the chosen span."""
    if scheme not in figures.THEMES:
        return no_update, no_update
    try:
        found = await queries.patient(patient_id)
        if found is None:
            return no_update, no_update
        return await _figure(found, charts.RESOLUTIONS.get(span, charts.RESOLUTIONS["24h"]), scheme), None
    except UNREADABLE as exc:
        log.warning("chart could not be read", extra={"action": "chart_unreadable", "error": type(exc).__name__})
        return no_update, trouble()


async def _figure(found: dict[str, Any], resolution: charts.Resolution, scheme: str) -> Any:
    patient_id, now = found["patient_id"], datetime.now(UTC)
    since = now - resolution.span
    followed = standard(
        found["document"], found["policy_id"], found["version"], found["own"] or "{}", found["usual_news2"]
    )
    counts = await queries.observation_counts(patient_id, since, now)
    dense = charts.dense(counts)
    sparse = [code for code in counts if code not in dense]
    valid = followed.valid_us if followed else None
    single, bucketed, episodes, last = await asyncio.gather(
        queries.observations(patient_id, since, now, sparse),
        queries.observations_bucketed(patient_id, since, now, dense, resolution.bucket),
        queries.episodes(patient_id, since),
        queries.last_of_buckets(
            patient_id, since - timedelta(microseconds=valid or 0), now, charts.score_codes(), resolution.score_bucket
        ),
    )
    scores = charts.scores_over_time(last, valid, found["spo2_scale"]) if valid else None
    stack = charts.panels(single, bucketed, scores, followed, found["spo2_scale"])
    axis = Span(microseconds(since), microseconds(now), found["time_zone"])
    words = Words(text.SUSPECTED_REPEAT, text.INCOMPLETE_SHORT, text.NEWS2)
    return figures.vital_signs(stack, axis, charts.shades(episodes, axis.until), scheme, words)


async def fill_timeline(patient_id: int, *_: Any) -> Any:
    """What happened, newest first."""
    since = datetime.now(UTC) - TIMELINE_SPAN
    try:
        found, events, notes, gaps = await asyncio.gather(
            queries.patient(patient_id),
            queries.events(patient_id, since, TIMELINE_ENTRIES),
            queries.notes(patient_id, since, TIMELINE_ENTRIES),
            queries.device_gaps(patient_id, since, SHORTEST_GAP, TIMELINE_ENTRIES),
        )
    except UNREADABLE:
        return trouble()
    if found is None:
        return no_update
    told = timeline.entries(events, notes, gaps, TIMELINE_ENTRIES)
    return parts.timeline_list(told, found["time_zone"], found["now"])


async def fill_table(patient_id: int, opened: Any, span: str, *_: Any) -> Any:
    """The observations themselves, once somebody opens the table."""
    if not opened:
        return no_update
    now = datetime.now(UTC)
    try:
        found, observed = await asyncio.gather(
            queries.patient(patient_id),
            queries.observation_table(patient_id, now - charts.RESOLUTIONS[span].span, now, TABLE_ROWS),
        )
    except UNREADABLE:
        return trouble()
    return no_update if found is None else parts.observation_table(observed, found["time_zone"], found["now"])


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
    """Keep a note; the box is emptied only when it is stored."""
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
    return "", text.NOTE_SAVED, acts + 1


def register(app: Dash) -> None:
    """Wire the page."""
    leaving.register(app)
    patient, live, acts = Input("patient-id", "data"), Input("live-patient", "data"), Input("patient-acts", "data")
    app.callback(
        Output("patient-episodes", "children"),
        Output("patient-vitals", "children"),
        Output("patient-badge", "children"),
        patient,
        live,
        acts,
    )(fill_now)
    app.callback(
        Output("patient-chart", "figure"),
        Output("patient-trouble", "children"),
        patient,
        Input("patient-span", "value"),
        Input("scheme", "data"),
        live,
    )(fill_chart)
    app.callback(Output("patient-timeline", "children"), patient, live, acts)(fill_timeline)
    app.callback(
        Output("patient-table", "children"),
        patient,
        Input("patient-observations", "n_clicks"),
        Input("patient-span", "value"),
        live,
    )(fill_table)
    app.callback(
        Output("patient-said", "children"),
        Output("patient-acts", "data"),
        Input({"kind": "acknowledge", "episode": ALL}, "n_clicks"),
        State("patient-acts", "data"),
        prevent_initial_call=True,
    )(acknowledge)
    app.callback(
        Output("note-body", "value"),
        Output("note-said", "children"),
        Output("patient-acts", "data", allow_duplicate=True),
        Input("note-save", "n_clicks"),
        State("note-body", "value"),
        State("patient-id", "data"),
        State("patient-acts", "data"),
        prevent_initial_call=True,
    )(save_note)

"""How has a patient been: as charts, as the NEWS2 chart, as averages and as a table, over hours or a year?"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import dash_mantine_components as dmc
import numpy as np
import psycopg
import psycopg_pool
from dash import ALL, Dash, Input, Output, State, ctx, dcc, html, no_update

from dashboard import chart_window, charts, figures, news2_table, queries, standing, text
from dashboard import patient_parts as parts
from dashboard import patient_views as views
from dashboard.chart_window import Window
from dashboard.figure_parts import THEMES, Span, Words
from dashboard.shell import trouble
from dashboard.standing import NEWS2_CODES, Standard
from dashboard.store import fetch_from
from dashboard.text import patient as words
from dashboard.wording import clock, microseconds, zone_name
from schemas.vital_signs import CATALOGUE, VITALS

Row = dict[str, Any]
FILE = "patient.sql"
log = logging.getLogger(__name__)
UNREADABLE = (psycopg.Error, psycopg_pool.PoolTimeout)
GRAPH = {"displayModeBar": False, "displaylogo": False, "showSendToCloud": False, "responsive": True,
         "scrollZoom": False, "doubleClick": False}  # fmt: skip
NOTHING = {"xaxis": {"visible": False}, "yaxis": {"visible": False}, "height": 40, "paper_bgcolor": "rgba(0,0,0,0)",
           "plot_bgcolor": "rgba(0,0,0,0)"}  # fmt: skip
TABLE_ROWS = 200
MARKS = 200
GAPS = 40
SHORTEST_GAP = timedelta(hours=1)
SET_WIDTH = timedelta(minutes=15)
SETS = 10
MOST_OF_A_SET = 4
SETS_SPAN = timedelta(days=14)
PROTOCOL_SPAN = timedelta(days=28)


def section(found: Row) -> Any:
    """The frame of the charts: which stretch, in which form, and the ways through time."""
    return html.Section(
        [
            dcc.Store(id="patient-window"),
            dcc.Store(id="patient-zone", data=found["time_zone"]),
            html.Div(
                [
                    html.H2(text.VITAL_SIGNS),
                    html.Span(text.times_in(zone_name(found["time_zone"], found["now"])), className="zone"),
                    dmc.SegmentedControl(
                        id="patient-view", data=[{"value": k, "label": v} for k, v in words.VIEWS.items()],
                        value="charts", size="sm", **{"aria-label": words.VIEW},
                    ),
                ],
                className="section-head",
            ),
            html.Div(
                [
                    dmc.SegmentedControl(
                        id="patient-span", data=[{"value": k, "label": v} for k, v in words.SPANS.items()],
                        value="24h", size="sm", **{"aria-label": text.SPAN},
                    ),
                    html.Div(
                        [
                            html.Button(label, id={"kind": "move", "act": act}, type="button", className="quiet-button")
                            for act, label in words.MOVES.items()
                        ],
                        className="moves",
                        role="group",
                        **{"aria-label": words.MOVE},
                    ),
                    html.Span(id="patient-shown", className="zone", role="status"),
                ],
                className="section-head chart-ways",
            ),
            html.Div(id="patient-trouble"),
            html.Div(
                [
                    parts.legend(),
                    html.Div(
                        dcc.Graph(id="patient-chart", config=GRAPH, figure={"data": [], "layout": NOTHING},
                                  style=_as_high(NOTHING)),
                        role="img",
                        **{"aria-label": text.CHART_LABEL},
                    ),
                ],
                id="patient-charts",
            ),
            html.Div(id="patient-other"),
        ],
        className="card section",
        **{"aria-label": text.VITAL_SIGNS},
    )  # fmt: skip


async def fill_chart(
    patient_id: int, span: str, zoom: Mapping[str, Any] | None, scheme: str | None, view: str, *_: Any
) -> tuple[Any, ...]:
    """The charts over the chosen stretch."""
    if scheme not in THEMES:
        return (no_update,) * 4
    now = datetime.now(UTC)
    seen = chart_window.window(span, zoom, now)
    try:
        found = await queries.patient(patient_id)
        if found is None:
            return (no_update,) * 4
        shown = _shown(seen, found["time_zone"], now)
        if view != "charts":
            return no_update, no_update, None, shown
        figure = await _figure(found, seen, scheme)
        said = None if figure["data"] else html.P(text.NO_OBSERVATIONS, className="empty")
        return figure, _as_high(figure["layout"]), said, shown
    except UNREADABLE as exc:
        log.warning("chart could not be read", extra={"action": "chart_unreadable", "error": type(exc).__name__})
        return no_update, no_update, trouble(), no_update


def _as_high(layout: Mapping[str, Any]) -> dict[str, str]:
    """Give the chart's place the chart's height.

    Plotly forgets the height that a layout states as soon as it fits a chart to its place: when the window changes,
    or when the first drawing ends after the second began. The chart would then lie over what stands below it.
    """
    return {"height": f"{layout['height']}px"}


def _shown(seen: Window, zone: str, now: datetime) -> str:
    return (
        ""
        if seen.is_live
        else f"{words.SHOWN}: {clock(seen.since, zone, now)} {words.TO} {clock(seen.until, zone, now)}"
    )


async def _figure(found: Row, seen: Window, scheme: str) -> Any:
    patient_id, followed = found["patient_id"], standard_of(found)
    resolution = charts.resolution(seen.span)
    valid = followed.valid_us if followed else None
    span = {"patient": patient_id, "since": seen.since, "until": seen.until}
    (single, bucketed), last, gaps = await asyncio.gather(
        _observed(patient_id, seen, resolution),
        queries.last_of_buckets(
            patient_id, seen.since - timedelta(microseconds=valid or 0), seen.until, charts.score_codes(),
            resolution.score_bucket,
        ),
        _gaps(patient_id, seen),
    )  # fmt: skip
    episodes, events, notes, pauses = await asyncio.gather(
        queries.episodes(patient_id, seen.since),
        queries.events(patient_id, seen.since, MARKS),
        queries.notes(patient_id, seen.since, MARKS),
        fetch_from(FILE, "pauses", **span),
    )
    scores = charts.scores_over_time(last, valid, found["spo2_scale"]) if valid else None
    if not single and not bucketed:
        return {"data": [], "layout": NOTHING}
    stack = charts.panels(single, bucketed, scores, followed, found["spo2_scale"])
    axis = Span(microseconds(seen.since), microseconds(seen.until), found["time_zone"])
    behind = charts.shades(episodes, gaps, pauses, axis.until)
    inside = Words(text.SUSPECTED_REPEAT, text.INCOMPLETE_SHORT, text.NEWS2)
    return figures.vital_signs(stack, axis, behind, scheme, inside, charts.marks(events, notes))


async def _observed(
    patient_id: int, seen: Window, resolution: charts.Resolution
) -> tuple[Sequence[Row], Sequence[Row]]:
    """What is drawn one by one, and what in buckets; a long span is never read row by row."""
    span = (patient_id, seen.since, seen.until)
    if seen.span > charts.LONG:
        rows = await fetch_from(
            FILE, "observations_long", patient=patient_id, since=seen.since, until=seen.until, width=resolution.bucket
        )
        counts: dict[int, int] = {}
        for row in rows:
            counts[row["vital"]] = counts.get(row["vital"], 0) + row["observations"]
    else:
        rows, counts = [], await queries.observation_counts(*span)
    dense = charts.dense(counts)
    single = await queries.observations(*span, [code for code in counts if code not in dense])
    if seen.span > charts.LONG:
        return single, [row for row in rows if row["vital"] in dense]
    return single, await queries.observations_bucketed(*span, dense, resolution.bucket)


async def _gaps(patient_id: int, seen: Window) -> list[Row]:
    if seen.span > charts.LONG:
        return []
    found = await queries.device_gaps(patient_id, seen.since, SHORTEST_GAP, GAPS)
    return [g for g in found if g["since"] < seen.until]


def standard_of(found: Row) -> Standard | None:
    """The policy as it stands for this patient."""
    return standing.standard(
        found["document"], found["policy_id"], found["version"], found["own"] or "{}", found["usual_news2"]
    )


async def fill_view(
    patient_id: int, view: str, span: str, zoom: Mapping[str, Any] | None, *_: Any
) -> tuple[dict[str, str], Any]:
    """Whatever is chosen beside the charts; only that is read."""
    if view not in ("news2", "averages", "table"):
        return {}, None
    now = datetime.now(UTC)
    seen = chart_window.window(span, zoom, now)
    try:
        found = await queries.patient(patient_id)
        if found is None:
            return {}, None
        body = await {"news2": _news2, "averages": _averages, "table": _table}[view](found, seen)
    except UNREADABLE:
        body = trouble()
    return {"display": "none"}, body


async def _table(found: Row, seen: Window) -> Any:
    observed = await queries.observation_table(found["patient_id"], seen.since, seen.until, TABLE_ROWS)
    return views.table(found, observed, seen)


async def _averages(found: Row, seen: Window) -> Any:
    rows = await fetch_from(
        FILE, "pressures", patient=found["patient_id"], since=seen.until - PROTOCOL_SPAN, until=seen.until,
        vitals=list(charts.PRESSURES),
    )  # fmt: skip
    return views.averages(rows, found["time_zone"])


async def _news2(found: Row, seen: Window) -> Any:
    """The last observation sets up to the end of the stretch, each scored as it was charted."""
    last = await queries.last_of_buckets(
        found["patient_id"], seen.until - SETS_SPAN, seen.until, list(NEWS2_CODES), SET_WIDTH
    )
    found_sets = observation_sets(last, found["spo2_scale"])
    # a monitor sends lone values between the sets: the last of all is shown, and otherwise what is most of a set
    sets = [s for s in found_sets[:-1] if len(s.values) >= MOST_OF_A_SET][-SETS + 1 :] + found_sets[-1:]
    if not sets:
        return html.P(words.NO_SETS, className="empty")
    return news2_table.chart(sets, found["spo2_scale"], found["time_zone"])


def observation_sets(rows: Sequence[Row], spo2_scale: int) -> list[news2_table.ObservationSet]:
    """What was charted within a quarter of an hour is one set; a lone value of a monitor is a set as well."""
    grouped: dict[datetime, dict[int, Row]] = {}
    for row in rows:
        grouped.setdefault(row["at"], {})[row["vital"]] = row
    sets = []
    for bucket in sorted(grouped):
        own = grouped[bucket]
        values = np.full((1, VITALS), np.nan)
        for code, row in own.items():
            values[0, code] = row["value"]
        scored = standing.score(values, [spo2_scale])
        newest = max(r["observed_at"] for r in own.values())
        named = {CATALOGUE[c - 1].name: float(r["value"]) for c, r in own.items() if c in NEWS2_CODES}
        sets.append(
            news2_table.ObservationSet(
                newest, named, float(scored.lower[0]), float(scored.upper[0]), bool(scored.red[0])
            )
        )
    return sets


async def move(_: Any, relayout: Any, span: str, zoom: Any, zone: str) -> Any:
    """Another stretch: drawn on the chart, or by the buttons; another span ends the zoom."""
    now = datetime.now(UTC)
    pressed = ctx.triggered_id
    if pressed == "patient-span":
        return None
    if pressed == "patient-chart":
        found = chart_window.drawn(relayout, zone)
        return no_update if found is None else found
    if isinstance(pressed, dict) and ctx.triggered and ctx.triggered[0]["value"]:
        return chart_window.moved(chart_window.window(span, zoom, now), str(pressed["act"]), now)
    return no_update


def register(app: Dash) -> None:
    """Wire the charts and what stands in their place."""
    patient, live = Input("patient-id", "data"), Input("live-patient", "data")
    span, zoom, view = Input("patient-span", "value"), Input("patient-window", "data"), Input("patient-view", "value")
    app.callback(
        Output("patient-chart", "figure"),
        Output("patient-chart", "style"),
        Output("patient-trouble", "children"),
        Output("patient-shown", "children"),
        patient,
        span,
        zoom,
        Input("scheme", "data"),
        view,
        live,
    )(fill_chart)
    app.callback(
        Output("patient-charts", "style"), Output("patient-other", "children"), patient, view, span, zoom, live
    )(fill_view)
    app.callback(
        Output("patient-window", "data"),
        Input({"kind": "move", "act": ALL}, "n_clicks"),
        Input("patient-chart", "relayoutData"),
        Input("patient-span", "value"),
        State("patient-window", "data"),
        State("patient-zone", "data"),
        prevent_initial_call=True,
    )(move)

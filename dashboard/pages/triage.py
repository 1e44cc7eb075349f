"""Who needs somebody first? The list of patients, worst first, with everything needed to decide in one row."""

from __future__ import annotations

import asyncio
import logging
from datetime import UTC, datetime, timedelta
from typing import Any

import dash_ag_grid as dag
import dash_mantine_components as dmc
import psycopg
import psycopg_pool
from dash import ALL, ClientsideFunction, Dash, Input, Output, State, dcc, html

from dashboard import actions, identity, queries, rows, text
from dashboard.permissions import NotPermittedError, Permission, may
from dashboard.queries import View
from dashboard.shell import icon, trouble
from dashboard.wording import elapsed
from schemas.vital_signs import BY_NAME

PATH = "/"

log = logging.getLogger(__name__)
UNREADABLE = (psycopg.Error, psycopg_pool.PoolTimeout)
BLOCK_ROWS = 50
TREND_SPAN = timedelta(hours=24)
TREND_BUCKET = timedelta(minutes=20)
FIRST_VIEW = {"filter": "all", "site": "", "search": ""}


def layout() -> Any:
    """The page before its first data: the frame, the cards and an empty grid that asks for its rows."""
    return html.Div(
        [
            dcc.Store(id="triage-view", data=FIRST_VIEW),
            dcc.Store(id="triage-segments", data=list(text.SEGMENTS)),
            dcc.Store(id="triage-said"),
            html.Div(
                [
                    html.H1(text.TRIAGE),
                    dmc.TextInput(
                        id="triage-search",
                        placeholder=text.SEARCH,
                        debounce=250,
                        size="sm",
                        className="triage-search",
                        leftSection=icon("search"),
                        **{"aria-label": text.SEARCH},
                    ),
                    dmc.SegmentedControl(
                        id="triage-segment",
                        data=[{"value": f, "label": text.FILTERS[f]} for f in text.SEGMENTS],
                        value=FIRST_VIEW["filter"],
                        size="sm",
                        **{"aria-label": text.FILTER_BY},
                    ),
                ],
                className="triage-head",
            ),
            html.Div(id="triage-trouble"),
            html.Div([_card(name) for name in text.CARDS], className="cards", role="group",
                     **{"aria-label": text.FILTER_BY}),
            html.Div(
                [_grid(), html.Div(id="triage-empty", className="grid-empty", hidden=True)],
                className="grid-box",
            ),
            html.Div([html.Span([html.Kbd(key), what]) for key, what in text.SHORTCUTS], className="keys"),
            html.Div(id="triage-status", className="visually-hidden", role="status"),
        ],
        className="page triage",
        id="main",
        tabIndex="-1",
    )  # fmt: skip


def _card(name: str) -> Any:
    level = {"red": 3, "amber": 2, "yellow": 1}.get(name)
    mark = [icon(f"level-{level}")] if level else []
    return html.Button(
        [
            html.Span([*mark, text.FILTERS[name]], className="count-label"),
            html.Span("–", className="count-number", id=f"count-{name}"),
            html.Span("", className="count-hint", id=f"hint-{name}"),
        ],
        id={"kind": "card", "filter": name},
        className=f"count card-{name}" + (f" level-{level}" if level else ""),
        type="button",
        **{"aria-pressed": "false"},
    )


def _grid() -> Any:
    person = identity.current_or_none()
    owner = {
        "acknowledge": text.ACKNOWLEDGE,
        "acknowledging": text.ACKNOWLEDGING,
        "acknowledged": text.ACKNOWLEDGED,
        "allowed": may(person, Permission.ACKNOWLEDGE),
        "stale": text.STALE,
    }
    return html.Div(
        dag.AgGrid(
            id="triage-grid",
            className="hw-grid",
            columnDefs=_columns(owner),
            defaultColDef={"sortable": False, "resizable": False, "suppressHeaderMenuButton": True,
                           "suppressMovable": True},
            rowModelType="infinite",
            getRowId="params.data.id",
            rowClassRules={
                "row-3": "params.data && params.data.level === 3",
                "row-2": "params.data && params.data.level === 2",
                "row-1": "params.data && params.data.level === 1",
                "row-taken": "params.data && params.data.waiting.length === 0",
            },
            columnSize="responsiveSizeToFit",
            dashGridOptions={
                "rowHeight": 48,
                "headerHeight": 38,
                "cacheBlockSize": BLOCK_ROWS,
                "maxBlocksInCache": 6,
                "cacheOverflowSize": 1,
                "infiniteInitialRowCount": 12,
                # one request at a time: the component remembers one only
                "maxConcurrentDatasourceRequests": 1,
                "rowBuffer": 6,
                "suppressCellFocus": False,
                "animateRows": False,
                "suppressDragLeaveHidesColumns": True,
                "enableCellTextSelection": True,
                "ensureDomOrder": True,
            },
            style={"height": "100%", "width": "100%"},
        )
    )  # fmt: skip


def _columns(owner: dict[str, Any]) -> list[dict[str, Any]]:
    names = text.COLUMNS
    short = {name: BY_NAME[name].short_label for name in rows.SHOWN}
    number = {"cellClass": "number", "headerClass": "ag-right-aligned-header"}
    return [
        {"colId": "severity", "headerName": names["severity"], "cellRenderer": "HwSeverity", "width": 102,
         "minWidth": 102, "maxWidth": 102},
        {"colId": "patient", "headerName": names["patient"], "cellRenderer": "HwPatient", "width": 182,
         "minWidth": 168},
        {"colId": "reason", "headerName": names["reason"], "cellRenderer": "HwReason", "width": 250, "minWidth": 150},
        {"colId": "news2", "headerName": names["news2"], "cellRenderer": "HwScore", "width": 78, "minWidth": 74,
         "maxWidth": 84, **number},
        *(
            {"colId": name, "headerName": short[name], "cellRenderer": "HwValue", "width": 66, "minWidth": 62,
             "maxWidth": 86,
             "cellRendererParams": owner, **number}
            for name in rows.SHOWN
        ),
        {"colId": "trend", "headerName": names["trend"], "cellRenderer": "HwTrend", "width": 140, "minWidth": 120},
        {"colId": "since", "headerName": names["since"], "cellRenderer": "HwSince", "width": 100, "minWidth": 97,
         "maxWidth": 110,
         **number},
        {"colId": "owner", "headerName": names["owner"], "cellRenderer": "HwOwner", "width": 140, "minWidth": 134,
         "cellRendererParams": owner},
        {"colId": "tile", "headerName": names["patient"], "cellRenderer": "HwTile", "hide": True, "flex": 1,
         "cellRendererParams": {**owner, "names": short}},
    ]  # fmt: skip


async def fill_rows(request: dict[str, Any] | None, view: dict[str, str]) -> tuple[Any, Any, str, bool]:
    """Answer the grid's request for a block of rows; it waits for every answer, so there always is one."""
    if not request:
        return {"rowData": [], "rowCount": 0}, None, "", True
    try:
        found, total, unreadable = await block(_view(view), int(request["startRow"]), int(request["endRow"]))
    except UNREADABLE as exc:
        log.warning("triage could not be read", extra={"action": "triage_unreadable", "error": type(exc).__name__})
        return {"rowData": [], "rowCount": 0}, trouble(), "", True
    searched = bool(view["search"].strip())
    said = trouble(text.STATE_UNREADABLE) if unreadable else None
    return {"rowData": found, "rowCount": total}, said, text.NO_MATCH if searched else text.NONE_OPEN, total > 0


async def block(view: View, start: int, end: int) -> tuple[list[dict[str, Any]], int, tuple[int, ...]]:
    """Rows ``start`` to ``end`` as the grid shows them, how many there are in all, and whose state is unreadable."""
    known = await queries.standards()
    page, total = await queries.triage_page(view, start, end, known)
    patients = [row["patient_id"] for row in page]
    if not patients:
        return [], total, ()
    now = datetime.now(UTC)
    details, episodes = await asyncio.gather(queries.patients_in_view(patients), queries.open_episodes(patients))
    at = rows.situation(patients, details, known, now)
    shown = {p: rows.trend_vital(at, at.position[p], r.get("rule")) for p, r in zip(patients, page, strict=True)}
    trends = await queries.trends([(p, v) for p, v in shown.items() if v], now - TREND_SPAN, TREND_BUCKET)
    return (
        [
            rows.grid_row(r, at, episodes.get(p, ()), trends.get(p, ()), shown[p], now)
            for p, r in zip(patients, page, strict=True)
        ],
        total,
        at.unreadable,
    )


def _view(view: dict[str, str]) -> View:
    site = view.get("site") or ""
    chosen = view.get("filter", "all")
    return View(
        chosen if chosen in text.FILTERS else "all", int(site) if site.isdigit() else None, view.get("search", "")[:200]
    )


async def fill_counts(_: Any, view: dict[str, str]) -> list[Any]:
    """The numbers on the cards, then their hints."""
    try:
        counts = await queries.triage_counts(_view(view).site, await queries.standards())
    except UNREADABLE:
        return ["–"] * len(text.CARDS) + [""] * len(text.CARDS)
    numbers = [f"{counts[name]:,}" for name in text.CARDS]
    hints = [f"{counts[name + '_waiting']} waiting" if counts[name] else "" for name in ("red", "amber", "yellow")]
    median = counts["median_waiting_s"]
    hints.append("" if median is None else f"median {elapsed(median)}")
    hints.append(f"of {counts['patients']:,}")
    return numbers + hints


async def acknowledge(pressed: dict[str, Any] | None) -> tuple[dict[str, Any] | None, Any]:
    """Take on exactly the episodes that the row showed, and say what came of it."""
    if not pressed:
        return None, None
    wanted = [int(e) for e in pressed["value"]["episodes"]]
    try:
        outcome = await actions.acknowledge(wanted)
    except NotPermittedError as exc:
        return {"words": str(exc), "turn": pressed["timestamp"]}, trouble(str(exc))
    except UNREADABLE:
        return {"words": text.ACKNOWLEDGE_FAILED, "turn": pressed["timestamp"]}, trouble(text.ACKNOWLEDGE_FAILED)
    words = text.ACKNOWLEDGED if outcome.done else text.GONE
    if outcome.held:
        words = f"{text.HELD_BY} {outcome.held[0].by}"
    return {"words": words, "turn": pressed["timestamp"]}, None


def register(app: Dash) -> None:
    """Wire the page."""
    app.callback(
        Output("triage-grid", "getRowsResponse"),
        Output("triage-trouble", "children"),
        Output("triage-empty", "children"),
        Output("triage-empty", "hidden"),
        Input("triage-grid", "getRowsRequest"),
        State("triage-view", "data"),
    )(fill_rows)
    app.callback(
        [Output(f"count-{name}", "children") for name in text.CARDS]
        + [Output(f"hint-{name}", "children") for name in text.CARDS],
        Input("live-counts", "data"),
        Input("triage-view", "data"),
    )(fill_counts)
    app.callback(
        Output("triage-said", "data"),
        Output("triage-trouble", "children", allow_duplicate=True),
        Input("triage-grid", "cellRendererData"),
        prevent_initial_call=True,
    )(acknowledge)
    app.clientside_callback(
        ClientsideFunction("homeward", "afterAcknowledge"),
        Output("triage-status", "children"),
        Input("triage-said", "data"),
    )
    app.clientside_callback(
        ClientsideFunction("homeward", "view"),
        Output("triage-view", "data"),
        Input({"kind": "card", "filter": ALL}, "n_clicks"),
        Input("triage-segment", "value"),
        Input("site", "value"),
        Input("triage-search", "value"),
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

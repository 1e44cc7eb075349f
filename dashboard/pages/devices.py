"""Which devices are there, whose are they, and which of them need somebody?"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import dash_ag_grid as dag
import dash_mantine_components as dmc
import psycopg
import psycopg_pool
from dash import ALL, ClientsideFunction, Dash, Input, Output, State, ctx, dcc, html, no_update

from dashboard import device_list, identity, text
from dashboard.device_list import STATES, Chosen
from dashboard.device_parts import row_of
from dashboard.permissions import Permission, may
from dashboard.shell import icon, trouble
from dashboard.text import devices as words

PATH = "/devices"
BLOCK_ROWS = 100
REFRESH_MS = 15_000
FIRST_VIEW = {"state": "in_use", "kind": "", "search": "", "site": ""}
UNREADABLE = (psycopg.Error, psycopg_pool.PoolTimeout)

_FIELDS = ("code", "standing", "patient", "kind", "site", "hub", "battery", "clock", "last")
_DRAWN: dict[str, dict[str, Any]] = {
    "code": {"cellRenderer": "HwDeviceLink", "minWidth": 190, "cellClass": "strong"},
    "standing": {"cellRenderer": "HwDeviceState", "minWidth": 165},
    "patient": {"cellRenderer": "HwDevicePatient", "minWidth": 150},
    "kind": {"minWidth": 165},
    "battery": {"cellRenderer": "HwDeviceState"},
    "clock": {"cellRenderer": "HwDeviceState"},
    "last": {"minWidth": 150},
}
COLUMNS: list[dict[str, Any]] = [
    {"field": field, "headerName": name, "valueGetter": {"function": f"params.data && params.data.{field}"}}
    | _DRAWN.get(field, {})
    for field, name in zip(_FIELDS, words.COLUMNS, strict=True)
]


def layout() -> Any:
    """The page before its data."""
    person = identity.current_or_none()
    if not may(person, Permission.SEE_DEVICES):
        return html.Div(trouble(text.NOT_ALLOWED), className="page", id="main", tabIndex="-1")
    add = html.A(words.ADD, href="/devices/new", className="button")
    return html.Div(
        [
            dcc.Store(id="device-view", data=FIRST_VIEW),
            dcc.Interval(id="device-refresh", interval=REFRESH_MS),
            html.Div(
                [
                    html.Div([html.H1(text.DEVICES), html.P(words.LEAD)]),
                    dmc.TextInput(
                        id="device-search",
                        placeholder=text.DEVICE_SEARCH,
                        debounce=250,
                        leftSection=icon("search"),
                        className="triage-search",
                        **{"aria-label": text.DEVICE_SEARCH},
                    ),
                    dmc.Select(
                        id="device-kind",
                        data=[{"value": "", "label": words.ALL_KINDS}]
                        + [{"value": kind, "label": name} for kind, name in text.DEVICE_KINDS.items()],
                        value="",
                        allowDeselect=False,
                        className="device-kind",
                        **{"aria-label": words.KIND},
                    ),
                    add if may(person, Permission.MANAGE_DEVICES) else None,
                ],
                className="page-head",
            ),
            html.Div(id="device-trouble"),
            html.Div(
                [_card(state) for state in STATES],
                className="cards device-cards",
                role="group",
                **{"aria-label": words.FILTER_BY},
            ),
            html.Div([_grid(), html.Div(words.NONE, id="device-empty", className="grid-empty", hidden=True)],
                     className="grid-box"),
        ],
        className="page triage",
        id="main",
        tabIndex="-1",
    )  # fmt: skip


def _card(state: str) -> Any:
    return html.Button(
        [
            html.Span(words.FILTERS[state], className="count-label"),
            html.Span("–", className="count-number", id=f"device-count-{state}"),
            # zero offline means nothing where most never say whether they are
            html.Span(className="count-hint", id="device-hint-offline") if state == "offline" else None,
        ],
        id={"kind": "device-card", "filter": state},
        className="count",
        type="button",
        **{"aria-pressed": "true" if state == FIRST_VIEW["state"] else "false"},
    )


def _grid() -> Any:
    return html.Div(
        dag.AgGrid(
            id="device-grid",
            className="hw-grid quiet",
            columnDefs=COLUMNS,
            defaultColDef={
                "sortable": False,
                "suppressHeaderMenuButton": True,
                "suppressMovable": True,
                "minWidth": 110,
            },
            rowModelType="infinite",
            getRowId="params.data.id",
            columnSize="responsiveSizeToFit",
            dashGridOptions={
                "rowHeight": 40,
                "headerHeight": 38,
                "cacheBlockSize": BLOCK_ROWS,
                "maxBlocksInCache": 6,
                "cacheOverflowSize": 1,
                "infiniteInitialRowCount": 12,
                # one request at a time: the component remembers one only
                "maxConcurrentDatasourceRequests": 1,
                "enableCellTextSelection": True,
                "ensureDomOrder": True,
                "animateRows": False,
            },
            style={"height": "100%", "width": "100%"},
        ),
        className="list-of-devices",
        role="region",
        **{"aria-label": text.DEVICES},
    )


async def fill(request: dict[str, Any] | None, view: dict[str, str] | None) -> tuple[Any, Any, bool]:
    """The rows that the grid asks for."""
    if request is None:
        return no_update, no_update, True
    if not may(identity.current(), Permission.SEE_DEVICES):
        return {"rowData": [], "rowCount": 0}, trouble(text.NOT_ALLOWED), True
    first = max(0, int(request.get("startRow") or 0))
    limit = min(BLOCK_ROWS, max(1, int(request.get("endRow") or BLOCK_ROWS) - first))
    try:
        found = await device_list.rows(_chosen(view or FIRST_VIEW), limit, first)
    except UNREADABLE:
        return {"rowData": [], "rowCount": 0}, trouble(), True
    now = datetime.now(UTC)
    total = found[0]["total"] if found else first
    return {"rowData": [row_of(d, now) for d in found], "rowCount": total}, None, total > 0


async def count(_: Any, view: dict[str, str] | None) -> list[Any]:
    """How many devices each filter leaves, and which filter is on."""
    chosen = _chosen(view or FIRST_VIEW)
    pressed = ["true" if state == chosen.state else "false" for state in STATES]
    if not may(identity.current(), Permission.SEE_DEVICES):
        return ["–"] * len(STATES) + ["", pressed]
    try:
        found = await device_list.counts(chosen.site)
    except UNREADABLE:
        return ["–"] * len(STATES) + ["", pressed]
    return [f"{found[state]:,}" for state in STATES] + [words.silent(found["silent"]), pressed]


async def choose(
    _: Any, search: str | None, kind: str | None, site: str | None, view: dict[str, str] | None
) -> dict[str, str]:
    """What is looked for, after the search, the kind, the site or a filter was changed."""
    card = ctx.triggered_id
    state = (view or FIRST_VIEW)["state"]
    if isinstance(card, dict) and card.get("filter") in STATES and ctx.triggered and ctx.triggered[0]["value"]:
        state = str(card["filter"])
    return {"state": state, "kind": kind or "", "search": (search or "")[:200], "site": site or ""}


def _chosen(view: dict[str, str]) -> Chosen:
    state, site, kind = view.get("state") or "in_use", str(view.get("site") or ""), view.get("kind") or None
    return Chosen(
        state if state in STATES else "in_use",
        kind if kind in text.DEVICE_KINDS else None,
        int(site) if site.isascii() and site.isdigit() and len(site) < 10 else None,
        str(view.get("search") or ""),
    )


def register(app: Dash) -> None:
    """Wire the page."""
    app.callback(
        Output("device-grid", "getRowsResponse"),
        Output("device-trouble", "children"),
        Output("device-empty", "hidden"),
        Input("device-grid", "getRowsRequest"),
        State("device-view", "data"),
    )(fill)
    app.callback(
        [Output(f"device-count-{state}", "children") for state in STATES]
        + [Output("device-hint-offline", "children")]
        + [Output({"kind": "device-card", "filter": ALL}, "aria-pressed")],
        Input("device-refresh", "n_intervals"),
        Input("device-view", "data"),
    )(count)
    app.callback(
        Output("device-view", "data"),
        Input({"kind": "device-card", "filter": ALL}, "n_clicks"),
        Input("device-search", "value"),
        Input("device-kind", "value"),
        Input("site", "value"),
        State("device-view", "data"),
        prevent_initial_call=True,
    )(choose)
    app.clientside_callback(
        ClientsideFunction("homewardDevices", "show"),
        Output("device-grid", "className"),
        Input("device-view", "data"),
        Input("device-refresh", "n_intervals"),
        State("device-grid", "className"),
    )

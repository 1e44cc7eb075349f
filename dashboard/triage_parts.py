"""What is the triage page made of before its first data: filters, cards, the list and the line above it?"""

from __future__ import annotations

from typing import Any

import dash_ag_grid as dag
import dash_mantine_components as dmc
from dash import html

from dashboard import identity, rows, text
from dashboard.permissions import Permission, may
from dashboard.shell import icon
from dashboard.text import triage as words
from dashboard.triage_list import OWNERS
from schemas.vital_signs import BY_NAME

BLOCK_ROWS = 50


def head() -> Any:
    """The title, the search and the tools."""
    return html.Div(
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
            html.Button(
                [icon("sound"), words.SOUND], id="sound", type="button", className="tool", **{"aria-pressed": "false"}
            ),
            html.Button(
                [html.Kbd("?"), words.HELP], id="help-open", type="button", className="tool keys-tool",
                **{"data-open": "help"},
            ),
        ],
        className="triage-head",
    )  # fmt: skip


def _filters() -> Any:
    return html.Div(
        [
            dmc.SegmentedControl(
                id="triage-segment",
                data=[{"value": f, "label": text.FILTERS[f]} for f in text.SEGMENTS],
                value="all",
                size="sm",
                **{"aria-label": text.FILTER_BY},
            ),
            dmc.Select(
                id="triage-pathway", data=[{"value": "", "label": words.ALL_PATHWAYS}], value="", allowDeselect=False,
                size="sm", className="triage-choice", comboboxProps={"shadow": "md"},
                **{"aria-label": words.PATHWAY},
            ),
            dmc.Select(
                id="triage-owner", data=[{"value": o, "label": words.OWNERS[o]} for o in OWNERS], value="anyone",
                allowDeselect=False, size="sm", className="triage-choice narrow", comboboxProps={"shadow": "md"},
                **{"aria-label": words.OWNER},
            ),
        ],
        className="triage-filters",
    )  # fmt: skip


def bar(may_act: bool) -> Any:
    """One line above the list: the filters or what to do with the selected, what came of it, what is new."""
    snoozes = [
        html.Button(label, type="button", className="quiet-button",
                    **{"data-bulk": "snooze", "data-minutes": str(minutes), "aria-label": f"{words.SNOOZE} {label}"})
        for minutes, label in words.SNOOZES.items()
    ]  # fmt: skip
    bulk = html.Div(
        [
            html.Strong(id="bulk-count"),
            dmc.TextInput(id="bulk-reason", className="bulk-reason", placeholder=words.REASON, size="sm",
                          inputProps={"maxLength": 4000}, **{"aria-label": words.REASON}),
            html.Button(words.ACKNOWLEDGE, type="button", className="button", **{"data-bulk": "acknowledge"}),
            html.Span(words.SNOOZE, className="muted"),
            *snoozes,
            html.Button(words.CLEAR, type="button", className="quiet-button", **{"data-close": "selection"}),
        ],
        id="bulk",
        className="bulk",
        hidden=True,
        role="group",
        **{"aria-label": words.SEVERAL},
    )  # fmt: skip
    return html.Div(
        [
            _filters(),
            bulk if may_act else None,
            html.Div(id="triage-outcome", className="outcome"),
            html.Button(id="news-pill", className="news-pill", type="button", hidden=True, title=words.SHOW_NEW),
        ],
        className="list-bar",
    )


def foot() -> Any:
    """The keys that are used most."""
    return html.Div([html.Span([html.Kbd(key), what]) for key, what in text.SHORTCUTS], className="keys")


def help_dialog() -> Any:
    """Every key, in a dialog of the browser's own: it holds the focus and gives it back."""
    return html.Dialog(
        [
            html.H2(words.HELP_TITLE),
            html.Dl([part for key, what in words.KEYS for part in (html.Dt(html.Kbd(key)), html.Dd(what))]),
            html.Button(words.CLOSE, type="button", className="quiet-button", **{"data-close": "help"}),
        ],
        id="help",
        className="help",
        **{"aria-label": words.HELP_TITLE},
    )


def card(name: str) -> Any:
    """A number that is a filter as well."""
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


def grid() -> Any:
    """The list, which asks for its rows block by block."""
    person = identity.current_or_none()
    owner = {
        "acknowledge": text.ACKNOWLEDGE,
        "acknowledging": text.ACKNOWLEDGING,
        "acknowledged": text.ACKNOWLEDGED,
        "allowed": may(person, Permission.ACKNOWLEDGE),
        "stale": text.STALE,
        "select": words.SELECT,
        "snoozed": words.SNOOZED_UNTIL,
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
                "rowHeight": 86,
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
    pick = {"colId": "pick", "headerName": words.SELECT, "headerClass": "only-heard",
            "cellRenderer": "HwPick", "width": 38, "minWidth": 38, "maxWidth": 38,
            "headerTooltip": words.SELECT, "cellRendererParams": owner}  # fmt: skip
    # what can be wide gives its room to the reason, which has to be read
    return [
        *([pick] if owner["allowed"] else []),
        {"colId": "severity", "headerName": names["severity"], "cellRenderer": "HwSeverity", "width": 102,
         "minWidth": 102, "maxWidth": 102},
        {"colId": "patient", "headerName": names["patient"], "cellRenderer": "HwPatient", "width": 160,
         "minWidth": 150, "maxWidth": 200},
        {"colId": "reason", "headerName": names["reason"], "cellRenderer": "HwReason", "width": 320, "minWidth": 180},
        {"colId": "news2", "headerName": names["news2"], "cellRenderer": "HwScore", "width": 68, "minWidth": 66,
         "maxWidth": 78, **number},
        *(
            {"colId": name, "headerName": short[name], "cellRenderer": "HwValue", "width": 62, "minWidth": 60,
             "maxWidth": 72,
             "cellRendererParams": owner, **number}
            for name in rows.SHOWN
        ),
        {"colId": "trend", "headerName": names["trend"], "cellRenderer": "HwTrend", "width": 120, "minWidth": 110,
         "maxWidth": 170},
        {"colId": "since", "headerName": names["since"], "cellRenderer": "HwSince", "width": 97, "minWidth": 97,
         "maxWidth": 104,
         **number},
        {"colId": "owner", "headerName": names["owner"], "cellRenderer": "HwOwner", "width": 134, "minWidth": 132,
         "maxWidth": 156, "cellRendererParams": owner},
        {"colId": "tile", "headerName": names["patient"], "cellRenderer": "HwTile", "hide": True, "flex": 1,
         "cellRendererParams": {**owner, "names": short}},
    ]  # fmt: skip

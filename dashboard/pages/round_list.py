"""Which sheet does a carer take along on a round where no tablet can go? Everybody of the home, with room to write."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any
from zoneinfo import ZoneInfo

from dash import Dash, Input, Output, dcc, html

from dashboard import identity, site_choice, text
from dashboard.pages.residents import UNREADABLE, residents_of
from dashboard.permissions import Permission, may
from dashboard.resident_list import Resident
from dashboard.shell import icon, scrollable, trouble
from dashboard.text import care as words
from dashboard.wording import zone_name

PATH = "/residents/round"

BLANKS = 8


def layout() -> Any:
    """The page before its data."""
    return html.Div(
        [
            html.Nav(
                html.A([icon("back"), words.RESIDENTS], href="/residents", className="inside"),
                className="crumbs no-print",
                **{"aria-label": words.BACK_TO_RESIDENTS},
            ),
            dcc.Store(id="round-turn", data=0),
            html.Div(
                [
                    html.Div(
                        [site_choice.heading("round", words.ROUND), html.P(words.ROUND_LEAD, className="no-print")]
                    ),
                    html.Button(words.PRINT, className="button no-print print-page", type="button"),
                ],
                className="page-head",
            ),
            site_choice.others("round"),
            html.Div(html.Div(text.LOADING, className="loading-note"), id="round-list"),
        ],
        className="page care round",
        id="main",
        tabIndex="-1",
    )


async def fill(site: str | None) -> Any:
    """The sheet, or why there is none."""
    person = identity.current()
    if not may(person, Permission.SEE_PATIENTS):
        return trouble(text.NOT_ALLOWED)
    try:
        where, found = await residents_of(site)
    except UNREADABLE:
        return trouble()
    if where is None or not found:
        return html.P(words.NO_RESIDENTS, className="card empty")
    now = datetime.now(UTC)
    at = now.astimezone(ZoneInfo(where["time_zone"]))
    stamp = f"{where['name']}, {at.day} {at:%B %Y}, {at:%H:%M} {zone_name(where['time_zone'], now)}, {person.name}"
    head = html.Thead(html.Tr([html.Th(name, scope="col") for name in words.ROUND_COLUMNS]))
    table = html.Table([head, html.Tbody([_row(r) for r in found])], className="list round-table")
    return [html.P(stamp, className="round-stamp numeric"), scrollable(table, words.ROUND)]


def _row(resident: Resident) -> Any:
    usual = "" if resident.usual is None else str(resident.usual)
    score = resident.score.removeprefix("NEWS2 ").partition(";")[0]
    due = f"{words.AWAY}: {resident.away}" if resident.away else resident.due_words().removeprefix(f"{words.DUE_AT} ")
    cells = [resident.room, resident.name, due, score or "–", usual]
    return html.Tr([*map(html.Td, cells), *(html.Td(className="blank") for _ in range(BLANKS))])


def register(app: Dash) -> None:
    """Wire the page."""
    site_choice.register(app, "round", words.ROUND)
    app.callback(Output("round-list", "children"), Input("site", "value"))(fill)

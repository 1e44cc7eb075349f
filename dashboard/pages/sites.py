"""Which homes, care homes and wards are there?"""

from __future__ import annotations

from typing import Any
from zoneinfo import available_timezones

import psycopg
import psycopg_pool
from dash import ALL, Dash, Input, Output, State, ctx, dcc, html, no_update

from dashboard import fields, identity, proposals, sites, text
from dashboard.actions import InvalidActionError, NotThereError
from dashboard.fields import bad, good
from dashboard.permissions import NotPermittedError, Permission, may
from dashboard.shell import scrollable, trouble
from dashboard.text import accounts as words
from dashboard.text import proposals as asking

PATH = "/sites"

ZONE = "Europe/London"
_BOXES = ("site-name", "site-advice")
_UNREADABLE = (psycopg.Error, psycopg_pool.PoolTimeout)
_ZONES = sorted(
    zone for zone in available_timezones() if "/" in zone and not zone.startswith(("Etc/", "posix", "right"))
)


def layout() -> Any:
    """The page before its data."""
    return html.Div(
        [
            dcc.Store(id="sites-turn", data=0),
            dcc.Store(id="site-id"),
            *proposals.stores("site"),
            html.Div(html.Div([html.H1(words.SITES_TITLE), html.P(words.SITES_LEAD)]), className="page-head"),
            html.Div(
                [
                    html.Div(html.Div(text.LOADING, className="loading-note"), id="sites-list"),
                    proposals.question("site", asking.NOT_SAVED),
                    html.Section(
                        [
                            html.H2(words.ADD_SITE, id="site-form-title"),
                            html.Div(
                                [
                                    fields.box("site-name", words.NAME),
                                    fields.choice("site-kind", words.KIND, list(words.KINDS.items()), "care_home"),
                                    fields.choice(
                                        "site-zone", words.TIME_ZONE, [(z, z) for z in _ZONES], ZONE, searchable=True
                                    ),
                                ],
                                className="form-grid",
                            ),
                            fields.lines("site-advice", words.EMERGENCY, words.EMERGENCY_HINT),
                            html.Div(
                                [
                                    fields.button("site-save", words.SAVE),
                                    fields.button("site-cancel", words.CANCEL, quiet=True),
                                ],
                                className="form-acts",
                            ),
                            fields.said("site-said"),
                        ],
                        className="card section stack",
                        **{"aria-labelledby": "site-form-title"},
                    ),
                ],
                className="stack",
            ),
        ],
        className="page",
        id="main",
        tabIndex="-1",
    )


async def fill(_: Any) -> Any:
    """The list, or why there is none."""
    if not may(identity.current(), Permission.MANAGE_SITES):
        return trouble(text.NOT_ALLOWED)
    try:
        found = await sites.sites()
    except _UNREADABLE:
        return trouble()
    if not found:
        return html.Div(words.NO_SITES, className="card empty")
    table = fields.table(words.SITE_COLUMNS, [_row(site) for site in found])
    return html.Div(scrollable(table, words.SITES_TITLE), className="card")


def _row(site: dict[str, Any]) -> Any:
    button = html.Button(
        words.CHANGE,
        id={"type": "site-open", "site": site["site_id"]},
        className="button-small",
        type="button",
        n_clicks=0,
        **{"aria-label": f"{words.CHANGE}: {site['name']}"},
    )
    return html.Tr(
        [
            html.Td(html.Strong(site["name"])),
            html.Td(words.KINDS.get(site["kind"], site["kind"]), className="tight"),
            html.Td(site["time_zone"], className="tight"),
            html.Td(site["emergency_advice"]),
            html.Td(f"{site['patients']:,}", className="numeric"),
            html.Td(f"{site['devices']:,}", className="numeric"),
            html.Td(button, className="number"),
        ]
    )


async def open_form(_: Any) -> tuple[Any, Any]:
    """The site whose button was pressed, for the form."""
    if not ctx.triggered or not ctx.triggered[0]["value"]:
        return no_update, no_update
    try:
        found = {s["site_id"]: s for s in await sites.sites()}
    except (*_UNREADABLE, NotPermittedError):
        return no_update, trouble()
    site = found.get(int(ctx.triggered_id["site"]))
    if site is None:
        return no_update, no_update
    written = {"site-name": site["name"], "site-advice": site["emergency_advice"] or ""}
    more = (site["site_id"], words.CHANGE_SITE, site["kind"], site["time_zone"])
    return proposals.proposal(written, site["name"], *more), ""


async def empty_form(clicks: int | None) -> list[Any]:
    """The form for a new site; who presses this has said that what is in it is not wanted."""
    if not clicks:
        return [no_update] * 9
    return ["", "", None, words.ADD_SITE, "care_home", ZONE, "", {}, None]


async def save(
    clicks: int | None,
    site: int | None,
    name: str | None,
    kind: str | None,
    zone: str | None,
    advice: str | None,
    turn: int,
) -> tuple[Any, ...]:
    """Make or change the site."""
    if not clicks:
        return (no_update,) * 4
    try:
        if site is None:
            await sites.add(name or "", kind or "", zone or "", advice or None)
        else:
            await sites.change(site, name or "", kind or "", zone or "", advice or "")
    except (InvalidActionError, NotThereError, NotPermittedError) as exc:
        return bad(str(exc)), *(no_update,) * 3
    except _UNREADABLE:
        return trouble(), *(no_update,) * 3
    # what is saved may be replaced without a question
    return good(words.SAVED), turn + 1, {"site-name": name, "site-advice": advice}, None


def register(app: Dash) -> None:
    """Wire the page."""
    app.callback(Output("sites-list", "children"), Input("sites-turn", "data"))(fill)
    more = (("site-id", "data"), ("site-form-title", "children"), ("site-kind", "value"), ("site-zone", "value"))
    proposals.register(app, "site", _BOXES, [Output(*which) for which in more])
    app.callback(
        Output("site-proposed", "data"),
        Output("site-said", "children", allow_duplicate=True),
        Input({"type": "site-open", "site": ALL}, "n_clicks"),
        prevent_initial_call=True,
    )(open_form)
    app.callback(
        *(Output(box, "value", allow_duplicate=True) for box in _BOXES),
        *(Output(*which, allow_duplicate=True) for which in more),
        Output("site-said", "children", allow_duplicate=True),
        Output("site-written", "data", allow_duplicate=True),
        Output("site-proposed", "data", allow_duplicate=True),
        Input("site-cancel", "n_clicks"),
        prevent_initial_call=True,
    )(empty_form)
    app.callback(
        Output("site-said", "children"),
        Output("sites-turn", "data"),
        Output("site-written", "data"),
        Output("site-proposed", "data", allow_duplicate=True),
        Input("site-save", "n_clicks"),
        State("site-id", "data"),
        State("site-name", "value"),
        State("site-kind", "value"),
        State("site-zone", "value"),
        State("site-advice", "value"),
        State("sites-turn", "data"),
        prevent_initial_call=True,
    )(save)

"""Which of one's sites does a page show that shows one at a time, and where does somebody wait at the others?

The choice above every page may say "All sites". A page that can only show one of them says in its heading which, and
offers the others with how many wait there: what is not shown must not look as if it were not there.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import psycopg
import psycopg_pool
from dash import ALL, ClientsideFunction, Dash, Input, Output, html

from dashboard import identity, queries
from dashboard.permissions import Permission, may
from dashboard.store import fetch_from
from dashboard.text import site_choice as words

Row = dict[str, Any]
MOST = 12
"""Sites that are offered; those where most wait come first, and all are in the choice above the page."""
UNREADABLE = (psycopg.Error, psycopg_pool.PoolTimeout)


def shown_of(site: str | None, sites: Sequence[Row]) -> Row | None:
    """Give the chosen site; where none is, the first care home that this person works for, or the first site."""
    chosen = next((s for s in sites if str(s["site_id"]) == (site or "")), None)
    return chosen or next((s for s in sites if s["kind"] == "care_home"), sites[0] if sites else None)


def heading(page: str, title: str) -> Any:
    """A page's heading, which will name its site."""
    return html.H1(title, id=f"{page}-title")


def others(page: str) -> Any:
    """Where the other sites will be offered."""
    return html.Div(id=f"{page}-sites", className="no-print")


def register(app: Dash, page: str, title: str) -> None:
    """Wire heading and choice of a page."""

    async def fill(site: str | None, _: Any) -> tuple[Any, Any]:
        person = identity.current()
        if not may(person, Permission.SEE_PATIENTS):
            return title, None
        try:
            sites = await queries.sites()
            shown = shown_of(site, sites)
            waiting = await _waiting() if not site and len(sites) > 1 else None
        except UNREADABLE:  # the page itself says so
            return title, None
        if shown is None:
            return title, None
        return f"{title}: {shown['name']}", None if waiting is None else _choice(page, shown, sites, waiting)

    app.callback(
        Output(f"{page}-title", "children"),
        Output(f"{page}-sites", "children"),
        Input("site", "value"),
        Input(f"{page}-turn", "data"),
    )(fill)
    app.clientside_callback(
        ClientsideFunction("homeward", "chooseSite"),
        Output("site", "value", allow_duplicate=True),
        Input({"kind": "choose-site", "page": page, "site": ALL}, "n_clicks"),
        prevent_initial_call=True,
    )


async def _waiting() -> dict[int, int]:
    return {row["site_id"]: row["waiting"] for row in await fetch_from("triage.sql", "waiting_by_site")}


def _choice(page: str, shown: Row, sites: Sequence[Row], waiting: dict[int, int]) -> Any:
    rest = [s for s in sites if s is not shown]
    rest.sort(key=lambda s: (-waiting.get(s["site_id"], 0), s["name"]))
    buttons = [
        html.Button(
            [s["name"], html.Span(words.waiting(waiting.get(s["site_id"], 0)), className="count-tag")],
            id={"kind": "choose-site", "page": page, "site": s["site_id"]},
            type="button",
            className="button quiet",
        )
        for s in rest[:MOST]
    ]
    more = html.P(words.more(len(rest) - MOST), className="muted") if len(rest) > MOST else None
    return html.Div(
        [html.P(words.one_of(shown["name"], len(sites))), html.Div(buttons, className="site-choice-sites"), more],
        className="site-choice card",
        role="group",
        **{"aria-label": words.OTHERS},
    )

"""What could not be stored, why, and what is to be done about it?"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import psycopg
import psycopg_pool
from dash import Dash, Input, Output, html

from dashboard import identity, queries, text
from dashboard.permissions import Permission, may
from dashboard.shell import scrollable, trouble
from dashboard.wording import ago
from schemas.quarantine import REMEDY, Reason

PATH = "/quarantine"


def layout() -> Any:
    """The page before its data."""
    return html.Div(
        [
            html.Div(html.Div([html.H1(text.QUARANTINE), html.P(text.QUARANTINE_LEAD)]), className="page-head"),
            html.Div(html.Div(text.LOADING, className="loading-note"), id="quarantine-list"),
        ],
        className="page",
        id="main",
        tabIndex="-1",
    )


async def fill(_: Any) -> Any:
    """The list by reason and device, or why there is none."""
    if not may(identity.current(), Permission.SEE_QUARANTINE):
        return trouble(text.NOT_ALLOWED)
    try:
        groups = await queries.quarantine_groups()
    except (psycopg.Error, psycopg_pool.PoolTimeout):
        return trouble()
    if not groups:
        return html.Div(text.QUARANTINE_EMPTY, className="card empty")
    now = datetime.now(UTC)
    head = html.Thead(html.Tr([html.Th(name, scope="col") for name in text.QUARANTINE_COLUMNS]))
    table = html.Table([head, html.Tbody([_row(g, now) for g in groups])], className="list")
    return html.Div(scrollable(table, text.QUARANTINE), className="card")


def _row(group: dict[str, Any], now: datetime) -> Any:
    reason = group["reason"]
    remedy = REMEDY[Reason(reason)] if reason in set(Reason) else ""
    return html.Tr(
        [
            html.Td(html.Strong(reason.replace("_", " ").capitalize())),
            html.Td([html.Div(remedy), html.Div(group["detail"], className="muted")]),
            html.Td(group["device"] or group["topic"]),
            html.Td(f"{group['observations']:,}", className="number"),
            html.Td(ago((now - group["last_at"]).total_seconds()), className="numeric"),
        ]
    )


def register(app: Dash) -> None:
    """Wire the page."""
    app.callback(Output("quarantine-list", "children"), Input("live-counts", "data"))(fill)

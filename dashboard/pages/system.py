"""Does the installation run: which services have said something of themselves lately?"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import psycopg
import psycopg_pool
from dash import Dash, Input, Output, html

from dashboard import certificate_parts, identity, queries, reachable, store, text, told_parts
from dashboard.device_acts import BrokerError, Logins
from dashboard.permissions import Permission, may
from dashboard.shell import scrollable, trouble
from dashboard.text import accounts, certificates
from dashboard.text import messages as words
from dashboard.wording import ago, day, elapsed

PATH = "/system"

SILENT_AFTER = timedelta(minutes=1)


def layout() -> Any:
    """The page before its data."""
    return html.Div(
        [
            html.Div(html.Div([html.H1(text.SYSTEM), html.P(text.SYSTEM_LEAD)]), className="page-head"),
            html.Div(
                [
                    html.Div(html.Div(text.LOADING, className="loading-note"), id="system-list"),
                    html.Div(id="system-certificates"),
                ],
                className="stack",
            ),
        ],
        className="page",
        id="main",
        tabIndex="-1",
    )


async def fill(_: Any) -> Any:
    """The list of services, or why there is none."""
    if not may(identity.current(), Permission.SEE_SYSTEM):
        return trouble(text.NOT_ALLOWED)
    try:
        services = await queries.services()
        stored = await queries.last_stored()
        [messages] = await store.fetch_from("messages.sql", "standing")
        [database] = await store.fetch_from("system.sql", "database")
        untold = await reachable.standing(datetime.now(UTC))
    except (psycopg.Error, psycopg_pool.PoolTimeout):
        return trouble()
    if not services:
        return html.Div(text.SYSTEM_EMPTY, className="card empty")
    newest = stored["last_observed_at"]
    told = "–" if newest is None else ago((services[0]["now"] - newest).total_seconds())
    head = html.Thead(html.Tr([html.Th(name, scope="col") for name in text.SYSTEM_COLUMNS]))
    table = html.Table([head, html.Tbody([_row(s) for s in services])], className="list")
    listed = [html.P(f"{text.NEWEST}: {told}", className="muted section"), scrollable(table, text.SYSTEM)]
    return html.Div(
        [html.Div(listed, className="card"), _messages(messages, untold), _database(database)], className="stack"
    )


async def fill_certificates(logins: Logins | None) -> Any:
    """Until when certificates hold: looked at once a visit, as it may mean asking servers that are slow to answer."""
    if not may(identity.current(), Permission.SEE_SYSTEM) or logins is None:
        return None
    try:
        found = await asyncio.to_thread(logins.certificates)
        return certificate_parts.card(await certificate_parts.visible(found))
    except BrokerError as unreadable:
        return certificate_parts.section(trouble(certificates.UNREADABLE.format(unreadable)))
    except (psycopg.Error, psycopg_pool.PoolTimeout):
        return trouble()


def _database(found: dict[str, Any]) -> Any:
    """How large the database is, and by which programs and which schema it is kept."""
    facts = (
        (accounts.DATABASE_SIZE, f"{found['size'] / 2**30:,.2f} GB"),
        (accounts.OLDEST, "–" if found["oldest"] is None else day(found["oldest"])),
        (accounts.POSTGRES, str(found["postgres"])),
        (accounts.TIMESCALE, f"{found['timescale']} ({found['edition']})"),
        (accounts.MIGRATION, f"{found['migration']}, {day(found['migrated_at'])}"),
        (accounts.CONNECTIONS, str(found["connections"])),
    )
    listed = [html.Div([html.Dt(name), html.Dd(value)], className="fact") for name, value in facts]
    return html.Section(
        [html.H2(accounts.DATABASE), html.Dl(listed, className="facts")], className="card section stack"
    )


def _messages(standing: dict[str, Any], untold: Sequence[str]) -> Any:
    """How messages stand, and what keeps somebody from being told."""
    waiting, oldest, without = standing["waiting"], standing["oldest_at"], standing["without_ladder"]
    lines: list[Any] = [html.P(words.standing(waiting, standing["failed"], _age(oldest)), className="section")]
    if without:
        lines.append(trouble(words.without_ladder(without)))
    if standing["nobody"]:
        lines.append(trouble(words.nobody(standing["nobody"])))
    lines.append(told_parts.warnings(untold))
    return html.Div([html.H2(words.MESSAGES, className="section"), *lines], className="card")


def _age(at: datetime | None) -> str:
    return "" if at is None else elapsed((datetime.now(UTC) - at).total_seconds())


def _row(service: dict[str, Any]) -> Any:
    silent = service["now"] - service["seen_at"] > SILENT_AFTER
    return html.Tr(
        [
            html.Td(html.Strong(service["service"])),
            html.Td(str(service["instances"]), className="numeric"),
            html.Td(ago((service["now"] - service["started_at"]).total_seconds())),
            html.Td(ago((service["now"] - service["seen_at"]).total_seconds())),
            html.Td(
                html.Span(
                    text.SILENT if silent else text.RUNNING, className=f"state state-{'bad' if silent else 'good'}"
                )
            ),
        ]
    )


def register(app: Dash) -> None:
    """Wire the page."""
    logins: Logins | None = app.server.state.device_logins

    async def opened(_: Any) -> Any:
        return await fill_certificates(logins)

    app.callback(Output("system-list", "children"), Input("live-beat", "data"))(fill)
    app.callback(Output("system-certificates", "children"), Input("system-certificates", "id"))(opened)

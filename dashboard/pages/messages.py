"""Which messages were sent to whom, and what became of each?"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import psycopg
import psycopg_pool
from dash import Dash, Input, Output, dcc, html

from dashboard import escalations, identity, reachable, store, text, told_parts
from dashboard import message_parts as parts
from dashboard.permissions import Permission, may
from dashboard.shell import badge, scrollable, trouble
from dashboard.text import messages as words
from dashboard.text import told as told_words
from dashboard.wording import ago
from schemas.episode import Severity

PATH = "/messages"
SHOWN = 100
REFRESH_MS = 5_000


def layout() -> Any:
    """The page before its data."""
    states = {"": words.ANY_STATUS} | {key: name for key, (name, _) in words.STATES.items()}
    return parts.page(
        PATH,
        words.MESSAGES_LEAD,
        dcc.Interval(id="sent-tick", interval=REFRESH_MS),
        html.Div(id="sent-standing"),
        html.Div(parts.choice("sent-status", words.STATUS, states, ""), className="m-row"),
        parts.loading("sent-list"),
    )


async def fill(status: str | None, _: Any) -> Any:
    """The list, or why there is none."""
    if not may(identity.current(), Permission.SET_UP_MESSAGES):
        return trouble(text.NOT_ALLOWED)
    try:
        found = await escalations.deliveries(status if status in words.STATES else None, SHOWN)
    except (psycopg.Error, psycopg_pool.PoolTimeout):
        return trouble()
    if not found:
        return html.Div(words.SENT_EMPTY, className="card empty")
    now = datetime.now(UTC)
    more = found[0]["total"] - len(found)
    return html.Div(
        [
            scrollable(parts.table(words.SENT_COLUMNS, [_row(row, now) for row in found]), words.SENT),
            html.P(text.more_rows(more), className="empty") if more > 0 else None,
        ],
        className="card",
    )


async def fill_standing(_: Any) -> Any:
    """Which tiers reach nobody, and how many alerts have told nobody."""
    if not may(identity.current(), Permission.SET_UP_MESSAGES):
        return None
    try:
        [found] = await store.fetch_from("messages.sql", "standing")
        untold = await reachable.standing(datetime.now(UTC))
    except (psycopg.Error, psycopg_pool.PoolTimeout):
        return trouble()
    lines = [words.without_ladder(found["without_ladder"])] if found["without_ladder"] else []
    lines += [words.nobody(found["nobody"])] if found["nobody"] else []
    return told_parts.warnings([*lines, *untold])


def _row(row: dict[str, Any], now: datetime) -> Any:
    what: list[Any] = [words.PURPOSES[row["purpose"]]]
    if row["purpose"] == "alert":
        count = f" × {row['episodes']}" if row["episodes"] > 1 else ""
        what = [badge(row["severity"], text.SEVERITY[Severity(row["severity"])]), count]
    receiver = row["receiver"] or (words.FIXED_ADDRESS if row["is_fixed"] else "–")
    return html.Tr(
        [
            html.Td(ago((now - row["created_at"]).total_seconds()), className="numeric"),
            html.Td(what),
            html.Td(row["site"] or "–"),
            html.Td(
                [words.WAYS[row["kind"]], html.Div(receiver, className="muted") if row["kind"] != "wall" else None]
            ),
            html.Td([row["tier"] or "–", f" ({told_words.AGAIN})" if row["again"] else None]),
            html.Td(parts.outcome(row)),
        ]
    )


def register(app: Dash) -> None:
    """Wire the page."""
    app.callback(Output("sent-standing", "children"), Input("sent-tick", "n_intervals"))(fill_standing)
    app.callback(
        Output("sent-list", "children"), Input("sent-status", "value"), Input("sent-tick", "n_intervals")
    )(fill)  # fmt: skip

"""How is it shown until when certificates hold? Devices' only as far as whoever looks may see the device."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

from dash import html

from dashboard import store
from dashboard.shell import scrollable
from dashboard.text import certificates as words
from dashboard.wording import day
from schemas.certificates import Certificate, Holder

FILE = "system.sql"
SHOWN = 10
"""Of devices' certificates those that end first."""


async def visible(found: Sequence[Certificate]) -> list[Certificate]:
    """Leave out the devices of others: those of other sites, and of other organisations of the same installation."""
    codes = [c.name for c in found if c.holder is Holder.DEVICE]
    rows = await store.fetch_from(FILE, "codes_seen", codes=codes) if codes else []
    seen = {row["code"] for row in rows}
    return [c for c in found if c.holder is not Holder.DEVICE or c.name in seen]


def card(found: Sequence[Certificate]) -> Any:
    """Show them, those of devices last, what ends first first."""
    now = datetime.now(UTC)
    devices = sorted((c for c in found if c.holder is Holder.DEVICE), key=lambda c: (c.ends, c.name))
    # all that need somebody are named
    some = devices[: max(SHOWN, sum(c.ends_soon(now) for c in devices))]
    rows = [_row(c, now) for c in [*(c for c in found if c.holder is not Holder.DEVICE), *some]]
    if not rows:
        return section(html.P(words.NONE, className="muted section"))
    head = html.Thead(html.Tr([html.Th(name, scope="col") for name in words.COLUMNS]))
    table = scrollable(html.Table([head, html.Tbody(rows)], className="list"), words.TITLE)
    later = len(devices) - len(some)
    return section(table, html.P(words.LATER.format(later), className="muted section") if later else None)


def section(*content: Any) -> Any:
    """Put something under the heading."""
    head = [html.H2(words.TITLE, className="section"), html.P(words.LEAD, className="muted section")]
    return html.Section([*head, *content], className="card")


def _row(one: Certificate, now: datetime) -> Any:
    if one.ends <= now:
        state, kind = words.ENDED, "bad"
    else:
        state, kind = (words.ENDS_SOON, "bad") if one.ends_soon(now) else (words.HOLDS, "good")
    return html.Tr(
        [
            html.Td(html.Strong(words.WHOSE[one.holder.value].format(one.name))),
            html.Td(day(one.ends), className="tight"),
            html.Td(words.left(one.days_left(now)), className="tight"),
            html.Td(html.Span(state, className=f"state state-{kind}")),
        ]
    )

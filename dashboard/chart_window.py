"""Which stretch of time do the charts show: the last hours, days or months, or what somebody zoomed into?

Pure: what was pressed or drawn on the chart in, the stretch in microseconds UTC out.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from dashboard.wording import instant, microseconds

SPANS = {
    "24h": timedelta(hours=24),
    "7d": timedelta(days=7),
    "30d": timedelta(days=30),
    "90d": timedelta(days=90),
    "1y": timedelta(days=365),
}
SHORTEST = timedelta(minutes=10)
LONGEST = timedelta(days=366)


@dataclass(frozen=True)
class Window:
    """From when to when; ``is_live`` where it ends now and moves on with the time."""

    since: datetime
    until: datetime
    is_live: bool

    @property
    def span(self) -> timedelta:
        """How long it is."""
        return self.until - self.since


def window(span: str, zoom: Mapping[str, Any] | None, now: datetime) -> Window:
    """The stretch to show: what was zoomed into, or the chosen span up to now."""
    if zoom:
        try:
            since, until = instant(int(zoom["since"])), instant(int(zoom["until"]))
        except (KeyError, TypeError, ValueError, OverflowError):
            since = until = now
        if SHORTEST <= until - since <= LONGEST:
            return Window(since, until, False)
    return Window(now - SPANS.get(span, SPANS["24h"]), now, True)


def moved(seen: Window, act: str, now: datetime) -> dict[str, int] | None:
    """The stretch after a button was pressed; ``None`` is the chosen span up to now."""
    middle, half = seen.since + seen.span / 2, seen.span / 2
    step = seen.span / 2
    if act == "in":
        half = max(half / 2, SHORTEST / 2)
        # from the present one looks closer at the present
        middle = seen.until - half if now - seen.until < seen.span / 20 else middle
    elif act == "out":
        half = min(half * 2, LONGEST / 2)
    elif act == "earlier":
        middle -= step
    elif act == "later":
        middle += step
    else:
        return None
    if middle + half > now:
        middle = now - half
    return {"since": microseconds(middle - half), "until": microseconds(middle + half)}


def drawn(relayout: Mapping[str, Any] | None, zone: str) -> dict[str, int] | None:
    """What somebody drew on the chart: its ends are wall-clock times of the zone; ``None`` where it is no zoom."""
    ends = {
        name.rpartition(".")[2]: value
        for name, value in (relayout or {}).items()
        if name.startswith("xaxis") and name.endswith(("range[0]", "range[1]"))
    }
    try:
        since, until = (
            datetime.fromisoformat(str(ends[f"range[{end}]"])).replace(tzinfo=ZoneInfo(zone)) for end in (0, 1)
        )
    except (KeyError, ValueError):
        return None
    if until - since < SHORTEST:
        until = since + SHORTEST
    return {"since": microseconds(since), "until": microseconds(until)}

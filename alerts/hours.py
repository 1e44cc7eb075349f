"""Is a window of the week, such as nights from Friday on, open at an instant, and when does it next open or close?

Windows are of local wall-clock time, so they follow the site's clocks: in spring the hour that does not exist opens
nothing, in autumn the hour that comes twice counts both times. `datetime` is used on purpose: these are single instants
of single sites, and the calendar is what matters about them.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Literal
from zoneinfo import ZoneInfo

import msgspec

Day = Literal["mon", "tue", "wed", "thu", "fri", "sat", "sun"]
DAYS: tuple[Day, ...] = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
DAY_MIN = 24 * 60
WEEK_MIN = 7 * DAY_MIN
_CLOCK = re.compile(r"([01]\d|2[0-3]):[0-5]\d\Z")
_MINUTE = timedelta(minutes=1)


class HoursError(ValueError):
    """A window cannot be read; the message says where and what was expected."""


class Window(msgspec.Struct, forbid_unknown_fields=True, frozen=True):
    """Days and hours of local time; one whose end is not after its start goes on past midnight.

    A night belongs to the day on which it begins. Start and end the same: all day.
    """

    days: tuple[Day, ...] = DAYS
    start: str = "00:00"
    end: str = "00:00"


def minute_of(clock: str, where: str) -> int:
    """Turn ``07:30`` into minutes since midnight."""
    if not _CLOCK.match(clock):
        raise HoursError(f"{where}: {clock!r} is no time of day; write it as 07:30")
    return int(clock[:2]) * 60 + int(clock[3:])


def check(window: Window, where: str) -> None:
    """Raise `HoursError` where the window cannot be used."""
    minute_of(window.start, where)
    minute_of(window.end, where)
    if not window.days:
        raise HoursError(f"{where}: no day is named; name at least one of {', '.join(DAYS)}")


def minutes_of_week(window: Window) -> set[int]:
    """Give the minutes of a week, from Monday 00:00, in which the window is open."""
    start, end = minute_of(window.start, "start"), minute_of(window.end, "end")
    length = (end - start) % DAY_MIN or DAY_MIN
    return {(DAYS.index(day) * DAY_MIN + start + minute) % WEEK_MIN for day in window.days for minute in range(length)}


def is_open(window: Window, at: datetime, zone: str) -> bool:
    """Say whether the window is open at an aware instant, by the clocks of the zone."""
    local = at.astimezone(ZoneInfo(zone))
    minute, day = local.hour * 60 + local.minute, local.weekday()
    start, end = minute_of(window.start, "start"), minute_of(window.end, "end")
    today, yesterday = DAYS[day] in window.days, DAYS[day - 1] in window.days
    if start < end:
        return today and start <= minute < end
    return (today and minute >= start) or (yesterday and minute < end)


def first_when(at: datetime, holds: Callable[[datetime], bool], within: timedelta) -> datetime | None:
    """Find the first instant from ``at`` on at which something holds that changes at whole minutes only.

    Looked up minute by minute: windows, and the clocks' own changes, begin and end at whole minutes everywhere, and
    eight days have 11,520 of them.
    """
    if holds(at):
        return at
    minute = at.astimezone(UTC).replace(second=0, microsecond=0) + _MINUTE
    while minute <= at + within:
        if holds(minute):
            return minute
        minute += _MINUTE
    return None

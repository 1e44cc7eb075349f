"""How are numbers, names and times written on the screens?"""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

MINUTE = 60
HOUR = 60 * MINUTE
DAY = 24 * HOUR


def nhs_number(digits: str | None) -> str:
    """Write an NHS number in its 3-3-4 form."""
    return f"{digits[:3]} {digits[3:6]} {digits[6:]}" if digits else ""


def full_name(given: str, family: str) -> str:
    """Write a name as people say it."""
    return f"{given} {family}"


def initials(name: str) -> str:
    """Take the first letters of the first and last part of a name."""
    parts = name.split()
    return (parts[0][:1] + (parts[-1][:1] if len(parts) > 1 else "")).upper() if parts else ""


def place(site: str, room: str) -> str:
    """Write where a patient is."""
    return f"{site}, {room}" if room else site


def age(born: date, on: date) -> int:
    """Count whole years."""
    return on.year - born.year - ((on.month, on.day) < (born.month, born.day))


def elapsed(seconds: float) -> str:
    """Write a length of time in at most two units: ``56 min``, ``2 h 16 min``, ``3 d 4 h``."""
    whole = max(0, int(seconds))
    if whole < HOUR:
        return f"{whole // MINUTE} min"
    if whole < DAY:
        hours, minutes = whole // HOUR, whole % HOUR // MINUTE
        return f"{hours} h {minutes} min" if minutes else f"{hours} h"
    days, hours = whole // DAY, whole % DAY // HOUR
    return f"{days} d {hours} h" if hours else f"{days} d"


def ago(seconds: float) -> str:
    """Write how long something is past."""
    return "just now" if seconds < MINUTE else f"{elapsed(seconds)} ago"


def clock(at: datetime, zone: str, now: datetime) -> str:
    """Write an instant in the site's zone, as short as can be: ``08:14``, ``yesterday 21:40``, ``3 Nov 21:40``."""
    local, today = at.astimezone(ZoneInfo(zone)), now.astimezone(ZoneInfo(zone)).date()
    time = f"{local:%H:%M}"
    if local.date() == today:
        return time
    if local.date() == today - timedelta(days=1):
        return f"yesterday {time}"
    year = f" {local.year}" if local.year != today.year else ""
    return f"{local.day} {local:%b}{year} {time}"


def day(at: date) -> str:
    """Write a day: ``3 Nov 2026``."""
    return f"{at.day} {at:%b %Y}"


def brief_clock(at: datetime, zone: str, now: datetime) -> str:
    """Write an instant as `clock` does, for a line with little room: of the last twelve hours it needs no day.

    Otherwise each line of the list would be longer, and be cut, in the first hours of every night.
    """
    is_recent = timedelta(0) <= now - at < timedelta(hours=12)
    return clock(at, zone, at if is_recent else now)


def typed(local: datetime) -> str:
    """Write a local time as people type it into a box: ``3 Nov 2026 21:40``."""
    return f"{local.day} {local:%b %Y %H:%M}"


def zone_name(zone: str, at: datetime) -> str:
    """Say which zone times are in: ``Europe/London (GMT)``."""
    return f"{zone} ({at.astimezone(ZoneInfo(zone)):%Z})"


def score_range(lower: float, upper: float) -> str:
    """Write an aggregate score, as a range where the set is incomplete."""
    return f"{lower:.0f}" if lower == upper else f"{lower:.0f}–{upper:.0f}"


def microseconds(at: datetime) -> int:
    """Turn an aware instant into microseconds since 1970 UTC, without a float in between."""
    return (at - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(microseconds=1)


def instant(microseconds_utc: int) -> datetime:
    """Turn microseconds since 1970 UTC into an aware instant."""
    return datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=int(microseconds_utc))

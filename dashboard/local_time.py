"""Which instant does somebody mean who types a time of a place's clocks, and how is it written to mean the same again?

The hour that the clocks repeat in autumn is told apart by the zone's short name after it: ``25 Oct 2026 01:30 GMT``.
Without it such a time is refused, as one that the clocks leave out in spring is: neither is guessed.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime
from zoneinfo import ZoneInfo

from dashboard.fields import read_time
from dashboard.text import local_time as words
from dashboard.wording import typed

_MARKED = re.compile(r"(?P<time>.*\d\d?:\d\d)\s+(?P<mark>[A-Za-z+-]\S*)")


class LocalTimeError(ValueError):
    """What was typed is no instant, or could be two; the message says what to type."""


def read(text: str, zone: str) -> datetime:
    """Read a time as people type it, as UTC; one that states its offset is that instant.

    Raises
    ------
    LocalTimeError
        Where it is no time, or the clocks of the zone do not show it once on that day.
    """
    try:
        return _read(text, zone).astimezone(UTC)
    except OverflowError as exc:  # in the first or the last hours of the calendar
        raise LocalTimeError(words.NOT_A_TIME) from exc


def _read(text: str, zone: str) -> datetime:
    marked = _MARKED.fullmatch(text.strip())
    mark = marked["mark"] if marked else ""
    told = read_time(marked["time"] if marked else text)
    if told is None or (mark and told.tzinfo is not None):
        raise LocalTimeError(words.NOT_A_TIME)
    if told.tzinfo is not None:
        return told
    meant = _meant(told, zone)
    if not meant:
        raise LocalTimeError(words.NO_SUCH_TIME.format(time=f"{told:%H:%M}"))
    named = [at for at in meant if not mark or f"{at:%Z}".casefold() == mark.casefold()]
    if not named:
        raise LocalTimeError(words.OTHER_NAME.format(mark=mark, named=f"{meant[0]:%Z}"))
    if len(named) > 1:
        first, second = (f"{at:%H:%M %Z}" for at in meant)
        raise LocalTimeError(words.TWICE.format(time=f"{told:%H:%M}", first=first, second=second))
    return named[0]


def write(at: datetime, zone: str) -> str:
    """Write an instant as people type it, so that `read` gives it again."""
    return f"{typed(at.astimezone(ZoneInfo(zone)))}{which(at, zone)}"


def which(at: datetime, zone: str) -> str:
    """Give what stands after the time where the clocks show it twice on that day, such as `` GMT``; else nothing."""
    local = at.astimezone(ZoneInfo(zone))
    return f" {local:%Z}" if len(_meant(local.replace(tzinfo=None), zone)) > 1 else ""


def _meant(wall: datetime, zone: str) -> list[datetime]:
    """Give the instants at which the zone's clocks show a time: one, none in spring, two in autumn."""
    here = ZoneInfo(zone)
    first, second = (wall.replace(tzinfo=here, fold=fold) for fold in (0, 1))
    if first.utcoffset() == second.utcoffset():
        return [first]
    exists = first.astimezone(UTC).astimezone(here).replace(tzinfo=None) == first.replace(tzinfo=None)
    return [first, second] if exists else []

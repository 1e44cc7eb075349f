"""At which instant was something observed, and if a time does not say, why not?"""

from __future__ import annotations

from datetime import UTC, datetime
from zoneinfo import ZoneInfo

from ingest.formats.json_document import Refused
from schemas.quarantine import Reason

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
LAST_SECOND = 253_402_300_799
"""The last second of the year 9999, since 1970: beyond it no calendar here goes."""


def microseconds(text: str, where: str = "time") -> int:
    """Read an ISO 8601 time with an offset as microseconds since 1970 UTC, exactly.

    Raises
    ------
    Refused
        Where it is no time, or a time without an offset from UTC.
    """
    try:
        when = datetime.fromisoformat(text)
    except ValueError:
        raise Refused(
            Reason.WRONG_TYPE, f"{where}: {text!r} is not ISO 8601; expected like 2026-11-22T08:00:00.123+00:00"
        ) from None
    if when.tzinfo is None:
        raise Refused(Reason.TIME_WITHOUT_ZONE, f"{where}: {text!r} has no offset; expected like +00:00 at its end")
    since = when - EPOCH  # written out: every native message passes here
    return (since.days * 86_400 + since.seconds) * 1_000_000 + since.microseconds


def from_unix_seconds(seconds: float, where: str = "time") -> int:
    """Read seconds since 1970 UTC."""
    if not 0 < seconds <= LAST_SECOND:
        raise Refused(Reason.WRONG_TYPE, f"{where}: {seconds:g} are no seconds since 1970")
    return round(seconds * 1_000_000)


def from_local(when: datetime, zone: str | None, where: str = "time") -> int:
    """Read what a device's own clock showed, by the time zone in the device's record.

    The hour that the clocks leave out in spring was on no right clock, and the one that they repeat in autumn was there
    twice: neither tells the instant, and none is chosen.

    Raises
    ------
    Refused
        Where the device has no time zone, or its clock's time is no instant, or two.
    """
    if zone is None:
        detail = f"{where}: {when} is local time, and the device's record has no time zone; state it, then replay"
        raise Refused(Reason.TIME_WITHOUT_ZONE, detail)
    try:
        here = ZoneInfo(zone)
    except (KeyError, ValueError, OSError):  # what a text that is no zone's name can bring about
        detail = f"{where}: the device's time zone {zone!r} is not known; correct it, then replay"
        raise Refused(Reason.TIME_WITHOUT_ZONE, detail) from None
    first, second = when.replace(tzinfo=here, fold=0), when.replace(tzinfo=here, fold=1)
    if first.utcoffset() == second.utcoffset():
        return _since_epoch(first)
    exists = first.astimezone(UTC).astimezone(here).replace(tzinfo=None) == when
    what = "was there twice" if exists else "did not exist"
    raise Refused(
        Reason.AMBIGUOUS_TIME, f"{where}: {when} {what} in {zone}, where the clocks changed; expected an instant"
    )


def _since_epoch(when: datetime) -> int:
    since = when - EPOCH
    return (since.days * 86_400 + since.seconds) * 1_000_000 + since.microseconds

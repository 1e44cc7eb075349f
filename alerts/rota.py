"""Who is on call at an instant? A week's pattern, and what departs from it for once: exactly one answer, or a hole.

Patterns that overlap are refused, so that there is never a choice. Of overrides the one entered last holds.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import groupby

import msgspec

from alerts import hours
from alerts.hours import DAY_MIN, DAYS, WEEK_MIN, Window

EXAMPLE = "2026-12-24T20:00:00+00:00"
"""How an instant is written in a document."""


class RotaError(ValueError):
    """A rota cannot be used; the message says where, what and what was expected."""


class Shift(Window, frozen=True, kw_only=True):
    """Who is on call in a window of every week."""

    account: int


class Override(msgspec.Struct, forbid_unknown_fields=True, frozen=True):
    """Who is on call from one instant to another, whatever the pattern says; nobody is an answer too."""

    start: datetime
    end: datetime
    account: int | None = None


class Rota(msgspec.Struct, forbid_unknown_fields=True, frozen=True):
    """A document: the zone whose clocks it follows, the pattern, and the overrides in the order of their entry."""

    zone: str = "Europe/London"
    shifts: tuple[Shift, ...] = ()
    overrides: tuple[Override, ...] = ()


@dataclass(frozen=True)
class OnCall:
    """The one answer; without an account it is a hole."""

    account: int | None
    is_override: bool = False


@dataclass(frozen=True)
class Span:
    """Who is on call from one instant to another."""

    start: datetime
    end: datetime
    on_call: OnCall


def read(document: object) -> Rota:
    """Read a document and check it.

    Raises
    ------
    RotaError
        Where it cannot be used.
    """
    try:
        rota = msgspec.convert(document, Rota)
        for number, shift in enumerate(rota.shifts, 1):
            hours.check(shift, f"shift {number}")
    except msgspec.ValidationError as exc:
        hint = f"; write it as {EXAMPLE}" if "RFC3339" in str(exc) else ""
        raise RotaError(f"{exc}{hint}") from exc
    except hours.HoursError as exc:
        raise RotaError(str(exc)) from exc
    _refuse_overlap(rota)
    for number, override in enumerate(rota.overrides, 1):
        if override.start.tzinfo is None or override.end.tzinfo is None:
            raise RotaError(f"override {number}: its times have no zone; write them as {EXAMPLE}")
        if override.end <= override.start:
            raise RotaError(f"override {number}: it ends before it begins; put the later time second")
    return rota


def _refuse_overlap(rota: Rota) -> None:
    taken: dict[int, int] = {}
    for number, shift in enumerate(rota.shifts, 1):
        for minute in sorted(hours.minutes_of_week(shift)):
            if minute in taken:
                day, clock = DAYS[minute // DAY_MIN], minute % DAY_MIN
                raise RotaError(
                    f"shift {number}: it overlaps shift {taken[minute]} on {day} at {clock // 60:02}:{clock % 60:02}; "
                    "one person is on call at a time, so end one where the other begins"
                )
            taken[minute] = number


def on_call(rota: Rota, at: datetime) -> OnCall:
    """Say who is on call at an aware instant."""
    for override in reversed(rota.overrides):
        if override.start <= at < override.end:
            return OnCall(override.account, True)
    for shift in rota.shifts:
        if hours.is_open(shift, at, rota.zone):
            return OnCall(shift.account)
    return OnCall(None)


def spans(rota: Rota, start: datetime, end: datetime) -> Iterator[Span]:
    """Give who is on call from ``start`` to ``end``, holes included, without a gap between two spans."""
    minutes = [start + timedelta(minutes=n) for n in range(int((end - start) / timedelta(minutes=1)))]
    for answer, run in groupby(minutes, lambda at: on_call(rota, at)):
        within = list(run)
        yield Span(within[0], within[-1] + timedelta(minutes=1), answer)


def weekly_holes(rota: Rota) -> list[tuple[int, int]]:
    """Give the stretches of the week that the pattern leaves open, as minutes from Monday 00:00."""
    covered: set[int] = set().union(*(hours.minutes_of_week(shift) for shift in rota.shifts))
    holes = []
    for is_covered, run in groupby(range(WEEK_MIN), covered.__contains__):
        within = list(run)
        if not is_covered:
            holes.append((within[0], within[-1] + 1))
    return holes

"""Who is to be told of an episode, and when, if nobody takes it on? A site's tiers, laid out in time.

`plan` is pure: the same ladder, severity and beginning give the same steps, so the notifier, the preview on the page
and a look back at what should have happened agree.

A tier that is closed at its time is passed over, and those after it move up: nobody waits for somebody who is not told.
Where all of them are closed, the plan begins when the first one opens: late, but not lost. Quiet hours put off what is
not red to their end.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Annotated, Literal

import msgspec

from alerts import hours
from alerts.hours import Window
from schemas.episode import Severity

By = Literal["chosen", "email", "sms"]
Word = Literal["red", "amber", "yellow"]
LONGEST_MIN = 24 * 60
MOST_TIERS = 8
# a week, and what a change of the clocks may add
_LOOK_AHEAD = timedelta(days=8)


class LadderError(ValueError):
    """A ladder cannot be used; the message says where, what and what was expected."""


class PersonReceiver(msgspec.Struct, tag_field="kind", tag="person", forbid_unknown_fields=True, frozen=True):
    """Somebody with an account, by the ways that they have chosen or by one of them."""

    account: int
    by: By = "chosen"


class RotaReceiver(msgspec.Struct, tag_field="kind", tag="rota", forbid_unknown_fields=True, frozen=True):
    """Whoever is on call then."""

    rota: str
    by: By = "chosen"


class AddressReceiver(msgspec.Struct, tag_field="kind", tag="address", forbid_unknown_fields=True, frozen=True):
    """A fixed address, such as a ward's telephone."""

    by: Literal["email", "sms"]
    address: Annotated[str, msgspec.Meta(min_length=3, max_length=254)]


class ChannelReceiver(msgspec.Struct, tag_field="kind", tag="channel", forbid_unknown_fields=True, frozen=True):
    """A webhook or a team's chat that the organisation has set up."""

    channel: int


class WallReceiver(msgspec.Struct, tag_field="kind", tag="wall", forbid_unknown_fields=True, frozen=True):
    """The site's display."""


Receiver = PersonReceiver | RotaReceiver | AddressReceiver | ChannelReceiver | WallReceiver


class Tier(msgspec.Struct, forbid_unknown_fields=True, frozen=True):
    """Who is told after so many minutes without acknowledgement, from which severity on, and in which hours."""

    name: Annotated[str, msgspec.Meta(min_length=1, max_length=80)]
    receivers: tuple[Receiver, ...]
    after_min: Annotated[int, msgspec.Meta(ge=0, le=LONGEST_MIN)] = 0
    severity: Word = "yellow"
    hours: Window = Window()

    def is_for(self, severity: int) -> bool:
        """Say whether an episode is severe enough for it."""
        return severity >= Severity.of(self.severity)


class Ladder(msgspec.Struct, forbid_unknown_fields=True, frozen=True):
    """A document: the tiers in their order, and the hours in which only red is told.

    Where it says so, the last tier is told again every so many minutes for as long as nobody acknowledges.
    """

    tiers: tuple[Tier, ...]
    quiet: Window | None = None
    repeat_min: Annotated[int, msgspec.Meta(ge=1, le=LONGEST_MIN)] | None = None


@dataclass(frozen=True)
class Step:
    """A tier's turn."""

    at: datetime
    tier: Tier


def read(document: object) -> Ladder:
    """Read a document and check it.

    Raises
    ------
    LadderError
        Where it cannot be used.
    """
    try:
        ladder = msgspec.convert(document, Ladder)
        for tier in ladder.tiers:
            hours.check(tier.hours, f"tier {tier.name!r}")
        if ladder.quiet is not None:
            hours.check(ladder.quiet, "quiet hours")
    except (msgspec.ValidationError, hours.HoursError) as exc:
        raise LadderError(str(exc)) from exc
    if ladder.quiet is not None and len(hours.minutes_of_week(ladder.quiet)) == hours.WEEK_MIN:
        raise LadderError("quiet hours: they never end, so that only red would be told; leave some time open")
    if not 1 <= len(ladder.tiers) <= MOST_TIERS:
        raise LadderError(f"tiers: a ladder has 1 to {MOST_TIERS} of them; this one has {len(ladder.tiers)}")
    for number, tier in enumerate(ladder.tiers):
        if tier.name in {other.name for other in ladder.tiers[:number]}:
            raise LadderError(f"tier {tier.name!r}: there are two of this name; give each its own")
        if not tier.receivers:
            raise LadderError(f"tier {tier.name!r}: nobody is named; name a person, a rota, an address or a channel")
    return ladder


def plan(ladder: Ladder, severity: int, begun: datetime, zone: str) -> list[Step]:
    """Lay out whom an episode of this severity reaches, if nobody takes it on.

    Parameters
    ----------
    ladder : Ladder
    severity : int
        Of `schemas.episode.Severity`.
    begun : datetime
        Since when it waits; aware.
    zone : str
        The site's, such as ``Europe/London``.

    Returns
    -------
    list of Step
        In the order of their instants; empty where no tier is for this severity or none ever opens.
    """
    tiers = [tier for tier in ladder.tiers if tier.is_for(severity)]
    if not tiers:
        return []
    earliest = begun + timedelta(minutes=min(tier.after_min for tier in tiers))
    opening = hours.first_when(
        earliest, lambda at: any(_may(ladder, tier, severity, at, zone) for tier in tiers), _LOOK_AHEAD
    )
    if opening is None:
        return []
    # whoever is the first to be open is told then, and the others so much later as they come after that one
    first = min(tier.after_min for tier in tiers if _may(ladder, tier, severity, opening, zone))
    found = []
    for tier in tiers:
        at = opening + timedelta(minutes=tier.after_min - first)
        if at >= opening:
            at = _after_quiet(ladder, severity, at, zone)
            if hours.is_open(tier.hours, at, zone):
                found.append(Step(at, tier))
    return sorted(found, key=lambda step: step.at)


def again(ladder: Ladder, tier: Tier, severity: int, told: datetime, zone: str) -> datetime | None:
    """Say when the last tier, told at an instant, is told next if nobody acknowledges; never, unless it says so.

    What is not red waits for the end of quiet hours, and everything for the tier's own hours.
    """
    if ladder.repeat_min is None:
        return None
    return opens(ladder, tier, severity, told + timedelta(minutes=ladder.repeat_min), zone)


def opens(ladder: Ladder, tier: Tier, severity: int, at: datetime, zone: str) -> datetime | None:
    """Say when a tier may be told of this severity, from an instant on; never, where it stays closed for a week."""
    return hours.first_when(at, lambda then: _may(ladder, tier, severity, then, zone), _LOOK_AHEAD)


def _may(ladder: Ladder, tier: Tier, severity: int, at: datetime, zone: str) -> bool:
    return not is_quiet(ladder, severity, at, zone) and hours.is_open(tier.hours, at, zone)


def is_quiet(ladder: Ladder, severity: int, at: datetime, zone: str) -> bool:
    """Say whether this severity is told nobody at an instant; red always is."""
    return severity < Severity.RED and ladder.quiet is not None and hours.is_open(ladder.quiet, at, zone)


def _after_quiet(ladder: Ladder, severity: int, at: datetime, zone: str) -> datetime:
    found = hours.first_when(at, lambda then: not is_quiet(ladder, severity, then, zone), _LOOK_AHEAD)
    return at if found is None else found

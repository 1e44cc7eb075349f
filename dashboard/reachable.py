"""Whom does a tier of a ladder reach at an instant, and why nobody? Known before an alert, so that it can be mended.

It follows what the notifier does (`homeward/notify/receivers.py`): who has no confirmed address, a channel that was
taken away, an hour in which nobody is on call, a way for which nothing is set up, a wall without a display.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import lru_cache, partial
from typing import Any

import psycopg

from alerts import hours
from alerts import ladder as ladders
from alerts import rota as rotas
from alerts.hours import Window
from alerts.ladder import AddressReceiver, ChannelReceiver, Ladder, PersonReceiver, Receiver, RotaReceiver, Tier
from alerts.rota import Rota, RotaError
from dashboard import store
from dashboard.text import told as words
from dashboard.wording import clock

FILE = "told.sql"
WALL, SMS, EMAIL = "wall", "sms", "email"
LOOK_LASTS = timedelta(minutes=5)
"""So long holds what a notifier saw of a display. It looks once a minute, and cannot while the broker is away."""
_A_WEEK = timedelta(days=8)
Row = dict[str, Any]


@dataclass(frozen=True)
class Means:
    """Who and what can be told, and by which ways; ``notifiers`` are the ways of each notifier that runs."""

    people: Mapping[int, Row]
    rotas: Mapping[str, Row]
    channels: Mapping[int, Row]
    displays: Mapping[int, Row]
    notifiers: tuple[tuple[str, ...], ...]
    _read: dict[str, Rota | RotaError] = field(default_factory=dict, compare=False, repr=False)

    def on_call(self, name: str, at: datetime) -> int | None:
        """Say who has a rota at an instant; raises `RotaError` where it cannot be read.

        It is read once: to check one takes as long as to ask it a hundred times, and many sites name the same.
        """
        if name not in self.rotas:
            return None
        if name not in self._read:
            try:
                self._read[name] = rotas.read(self.rotas[name]["document"])
            except RotaError as exc:
                self._read[name] = exc
        found = self._read[name]
        if isinstance(found, RotaError):
            raise found
        return rotas.on_call(found, at).account

    def lacks(self, way: str) -> str:
        """Say what keeps a way from being used at all; nothing where it can be."""
        if way == EMAIL and self.notifiers and not any(EMAIL in ways for ways in self.notifiers):
            return words.NO_MAIL_SERVER
        if way == WALL and self.notifiers and not any(WALL in ways for ways in self.notifiers):
            return words.NO_BROKER
        if way == SMS and not any(channel["kind"] == SMS for channel in self.channels.values()):
            return words.NO_TEXTS
        return ""


@dataclass(frozen=True)
class Reached:
    """A receiver: its name, the ways by which it is reached then, and where there is none, why."""

    name: str
    ways: tuple[str, ...]
    why: str = ""


@dataclass(frozen=True)
class Hole:
    """A tier that reaches nobody, from an instant on, and why."""

    tier: str
    at: datetime
    why: str


async def means(connection: psycopg.AsyncConnection[Any]) -> Means:
    """Read it, for the organisation of the person at work."""

    async def ask(query: str) -> list[Row]:
        return await store.rows(connection, store.queries(FILE)[query])

    return Means(
        {row["account_id"]: row for row in await ask("people")},
        {row["name"]: row for row in await ask("rotas")},
        {row["channel_id"]: row for row in await ask("channels")},
        {row["site_id"]: row for row in await ask("displays")},
        tuple(tuple(row["ways"]) for row in await ask("notifiers")),
    )


def reached(found: Means, receiver: Receiver, site: int | None, at: datetime, zone: str) -> Reached:
    """Say how a receiver is reached at an instant, or why not."""
    if isinstance(receiver, AddressReceiver):
        return _by(found, receiver.address, (receiver.by,))
    if isinstance(receiver, ChannelReceiver):
        channel = found.channels.get(receiver.channel)
        return Reached(channel["name"], (channel["kind"],)) if channel else Reached("", (), words.NO_CHANNEL)
    if isinstance(receiver, PersonReceiver):
        return _person(found, receiver.account, receiver.by)
    if isinstance(receiver, RotaReceiver):
        return _on_call(found, receiver, at)
    return _wall(found, site, at, zone)


def _on_call(found: Means, receiver: RotaReceiver, at: datetime) -> Reached:
    try:
        account = found.on_call(receiver.rota, at)
    except RotaError:
        return Reached(receiver.rota, (), words.NO_ROTA)
    return _person(found, account, receiver.by) if account is not None else Reached(receiver.rota, (), words.NO_ONE_ON)


def _person(found: Means, account: int, by: str) -> Reached:
    person = found.people.get(account)
    if person is None:
        return Reached("", (), words.NO_PERSON)
    asked = tuple(way for way in person["ways"] if by in ("chosen", way)) or tuple(person["ways"])
    return _by(found, person["name"], asked) if asked else Reached(person["name"], (), words.NO_ADDRESS)


def _by(found: Means, name: str, asked: tuple[str, ...]) -> Reached:
    lacking = {way: found.lacks(way) for way in asked}
    ways = tuple(way for way, why in lacking.items() if not why)
    return Reached(name, ways, "" if ways else next(iter(lacking.values())))


def _wall(found: Means, site: int | None, at: datetime, zone: str) -> Reached:
    """Say whether the site's display is told; of all sites' displays only whether there is a way to them.

    Where nobody has looked yet nobody knows: a notifier looks within a minute of the ladder that names a display.
    """
    if why := found.lacks(WALL):
        return Reached("", (), why)
    if site is None:
        return Reached("", (WALL,))
    seen = found.displays.get(site)
    if seen is None or seen["age"] > LOOK_LASTS:
        return Reached("", (), words.UNKNOWN_DISPLAY)
    if seen["is_connected"]:
        return Reached("", (WALL,))
    return Reached("", (), words.NO_DISPLAY.format(since=clock(seen["since"], zone, at)))


def tier_reaches_nobody(found: Means, tier: Tier, site: int | None, at: datetime, zone: str) -> str:
    """Say why a tier reaches nobody at an instant; nothing where it reaches somebody."""
    each = [reached(found, receiver, site, at, zone) for receiver in tier.receivers]
    if any(one.ways for one in each):
        return ""
    return words.listed(dict.fromkeys(f"{one.name}: {one.why}" if one.name else one.why for one in each))


def holes(found: Means, ladder: Ladder, site: int | None, now: datetime, zone: str) -> list[Hole]:
    """Find the tiers that reach nobody: now, or where their hours are over, when those begin the next time."""
    each = []
    for tier in ladder.tiers:
        opens = _opens(tier.hours, zone, now.replace(second=0, microsecond=0))
        if opens is not None and (why := tier_reaches_nobody(found, tier, site, at := max(now, opens), zone)):
            each.append(Hole(tier.name, at, why))
    return each


@lru_cache(maxsize=1024)
def _opens(window: Window, zone: str, minute: datetime) -> datetime | None:
    """Find when a window is open next; a thousand sites of one ladder ask once."""
    return hours.first_when(minute, partial(hours.is_open, window, zone=zone), _A_WEEK)


async def standing(now: datetime) -> list[str]:
    """Write what keeps anybody from being told, for those who run it: a line a tier, with the sites it holds for."""
    async with store.transaction(read_only=True) as connection:
        found = await means(connection)
        sites = await store.rows(connection, store.queries(FILE)["sites"])
        rows = await store.rows(connection, store.queries(FILE)["ladders"])
    in_force = {row["site_id"]: _read(row["document"]) for row in rows}
    lines = [] if found.notifiers else [words.NO_NOTIFIER]
    # a thousand sites take some tenths of a second, in which others want their pages
    return lines + await asyncio.to_thread(_lines, found, sites, in_force, now)


def _lines(
    found: Means, sites: Sequence[Row], in_force: Mapping[int | None, Ladder | None], now: datetime
) -> list[str]:
    where: dict[tuple[str, str], list[str]] = {}
    for site in sites:
        own = site["site_id"] if site["site_id"] in in_force else None
        for hole in _holes_of(found, in_force[own], site, now) if own in in_force else ():
            where.setdefault((hole.tier, hole.why), []).append(site["name"])
    return [
        words.tier_reaches_nobody(tier, why, "" if len(names) == len(sites) else words.listed(names))
        for (tier, why), names in where.items()
    ]


async def standing_at(site: Row, now: datetime) -> list[str]:
    """Write the same for one site, for those who work there: before an alert as well as during one."""
    async with store.transaction(read_only=True) as connection:
        found = await means(connection)
        rows = await store.rows(connection, store.queries(FILE)["ladder"], site=site["site_id"])
    if not rows:
        return [words.NO_LADDER]
    if not found.notifiers:
        return [words.NO_NOTIFIER]
    return [words.tier_reaches_nobody(h.tier, h.why) for h in _holes_of(found, _read(rows[0]["document"]), site, now)]


def _read(document: object) -> Ladder | None:
    try:
        return ladders.read(document)
    except ladders.LadderError:
        return None


def _holes_of(found: Means, ladder: Ladder | None, site: Row, now: datetime) -> list[Hole]:
    if ladder is None:
        return [Hole("", now, words.UNREADABLE)]
    return holes(found, ladder, site["site_id"], now, site["time_zone"])

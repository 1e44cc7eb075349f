"""How is it set up who is told of an alert: ladders, rotas and channels, each change with who, when and why?"""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from urllib.parse import urlsplit

import psycopg
from psycopg.types.json import Jsonb

from alerts import ladder as ladders
from alerts import rota as rotas
from alerts.ladder import AddressReceiver, ChannelReceiver, Ladder, LadderError, PersonReceiver, RotaReceiver, Tier
from alerts.rota import RotaError
from dashboard import audit, identity, reachable, store
from dashboard.actions import InvalidActionError, NotThereError
from dashboard.contacts import checked_address, seal
from dashboard.permissions import Permission, require
from dashboard.reachable import Means, Reached
from schemas.episode import Severity

FILE = "messages.sql"
LONGEST_REASON = 300
IDENTITIES = ("none", "initials", "name")
KINDS = ("email", "sms", "webhook", "apprise")
Row = dict[str, Any]


@dataclass(frozen=True)
class Setup:
    """All that the pages show: sites, what is in force, and who can be told how."""

    sites: list[Row]
    ladders: dict[int | None, Row]
    rotas: dict[str, Row]
    people: dict[int, Row]
    channels: dict[int, Row]
    means: Means

    def ladder_for(self, site: int | None) -> Row | None:
        """Give the ladder that holds for a site: its own, or the organisation's."""
        return self.ladders.get(site) or self.ladders.get(None)

    def zone_of(self, site: int | None) -> str:
        """Give a site's zone; the organisation's ladder is tried out in that of its first site."""
        return next((s["time_zone"] for s in self.sites if site in (None, s["site_id"])), "Europe/London")


@dataclass(frozen=True)
class Stage:
    """A step of the preview: when, which tier, and each receiver with how it is reached, or why not."""

    at: datetime
    tier: Tier
    reached: tuple[Reached, ...]


async def setup() -> Setup:
    """Read everything at once."""
    require(identity.current(), Permission.SET_UP_MESSAGES)
    async with store.transaction(read_only=True) as connection:
        return Setup(
            await _run(connection, "all_sites"),
            {row["site_id"]: row for row in await _run(connection, "ladders")},
            {row["name"]: row for row in await _run(connection, "rotas")},
            {row["account_id"]: row for row in await _run(connection, "reachable")},
            {row["channel_id"]: row for row in await _run(connection, "channels")},
            await reachable.means(connection),
        )


def preview(found: Setup, ladder: Ladder, site: int | None, severity: Severity, at: datetime) -> list[Stage]:
    """Say whom an alert would reach that is raised at an instant, if nobody took it on."""
    zone = found.zone_of(site)
    return [
        Stage(s.at, s.tier, tuple(reachable.reached(found.means, r, site, s.at, zone) for r in s.tier.receivers))
        for s in ladders.plan(ladder, severity, at, zone)
    ]


async def publish_ladder(site: int | None, document: dict[str, Any], reason: str, after: int | None = None) -> int:
    """Put the next version of a ladder in force; with ``after``, only where that version is still the newest."""
    try:
        ladder = ladders.read(document)
    except LadderError as exc:
        raise InvalidActionError(str(exc)) from exc
    found = await setup()
    if site is not None and site not in {s["site_id"] for s in found.sites}:
        raise InvalidActionError("There is no such site.")
    for tier in ladder.tiers:
        for receiver in tier.receivers:
            _check_receiver(found, receiver, tier.name)
    which, subject = {"site": site}, f"ladder/{site or 'organisation'}"
    return await _publish("ladder", which, _tidied(document), reason, subject, after)


async def ladder_versions(site: int | None) -> list[Row]:
    """List the last versions of a site's ladder, or of the organisation's, the newest first."""
    require(identity.current(), Permission.SET_UP_MESSAGES)
    return await store.fetch_from(FILE, "ladder_versions", site=site)


def _check_receiver(found: Setup, receiver: ladders.Receiver, tier: str) -> None:
    known = (
        (isinstance(receiver, PersonReceiver) and receiver.account in found.people)
        or (isinstance(receiver, RotaReceiver) and receiver.rota in found.rotas)
        or (isinstance(receiver, ChannelReceiver) and receiver.channel in found.channels)
        or isinstance(receiver, AddressReceiver | ladders.WallReceiver)
    )
    if not known:
        raise InvalidActionError(f"tier {tier!r}: one of its receivers is no longer there; choose again.")


def _tidied(document: dict[str, Any]) -> dict[str, Any]:
    """Give a ladder's document with its fixed addresses tidied: a telephone number in international form."""
    tiers = [{**tier, "receivers": [_tidied_receiver(r) for r in tier["receivers"]]} for tier in document["tiers"]]
    return {**document, "tiers": tiers}


def _tidied_receiver(receiver: dict[str, Any]) -> dict[str, Any]:
    if receiver["kind"] != "address":
        return receiver
    return {**receiver, "address": checked_address(receiver["by"], receiver["address"])}


async def publish_rota(name: str, document: dict[str, Any], reason: str, after: int | None = None) -> int:
    """Put the next version of a rota in force; with ``after``, only where that version is still the newest."""
    tidy = " ".join(name.split())
    if not 1 <= len(tidy) <= 80:
        raise InvalidActionError("A rota's name has 1 to 80 characters.")
    try:
        rota = rotas.read(document)
    except RotaError as exc:
        raise InvalidActionError(str(exc)) from exc
    found = await setup()
    asked: Sequence[int | None] = [*(s.account for s in rota.shifts), *(o.account for o in rota.overrides)]
    if any(account is not None and account not in found.people for account in asked):
        raise InvalidActionError("Somebody in this rota may no longer sign in; choose somebody else.")
    return await _publish("rota", {"name": tidy}, document, reason, f"rota/{tidy}", after)


async def _publish(
    kind: str, which: dict[str, Any], document: dict[str, Any], reason: str, subject: str, after: int | None
) -> int:
    person = identity.current()
    require(person, Permission.SET_UP_MESSAGES)
    why = reason.strip()
    if not 1 <= len(why) <= LONGEST_REASON:
        raise InvalidActionError(f"Say why, in 1 to {LONGEST_REASON} characters: it is kept with the version.")
    async with store.transaction() as connection:
        given = {"organisation": person.organisation_id, **which}
        [following] = await _run(connection, f"next_{kind}", **given)
        if after is not None and after != following["version"] - 1:
            raise InvalidActionError(
                f"Somebody has put version {following['version'] - 1} in force since this form was filled: reload the "
                "page and look at it first."
            )
        try:
            async with connection.transaction():
                await _run(
                    connection, f"add_{kind}", document=Jsonb(document), author=person.name, reason=why,
                    version=following["version"], **given,
                )  # fmt: skip
        except psycopg.errors.UniqueViolation as exc:
            raise InvalidActionError("Somebody else has published one just now; look at it first.") from exc
        await audit.write(connection, person, f"{kind}_published", subject, version=following["version"], reason=why)
    return int(following["version"])


async def add_channel(kind: str, name: str, identity_shown: str, settings: dict[str, str], secret: str) -> int:
    """Set a channel up; its secret is sealed, and nobody sees it again."""
    person = identity.current()
    require(person, Permission.SET_UP_MESSAGES)
    tidy, secret = " ".join(name.split()), secret.strip()
    if not 1 <= len(tidy) <= 80:
        raise InvalidActionError("A channel's name has 1 to 80 characters.")
    if kind not in KINDS or identity_shown not in IDENTITIES:
        raise InvalidActionError("Choose what kind of channel it is, and what its messages may carry.")
    kept = _checked_settings(kind, settings, secret)
    async with store.transaction() as connection:
        hidden = await seal(connection, secret) if secret else None
        try:
            async with connection.transaction():
                [made] = await _run(
                    connection, "add_channel", organisation=person.organisation_id, kind=kind, name=tidy,
                    identity=identity_shown, settings=Jsonb(kept), sealed=hidden,
                )  # fmt: skip
        except psycopg.errors.UniqueViolation as exc:
            raise InvalidActionError(
                "There is one already: a channel's name is used once, and there is one way for e-mail and for text "
                "messages. Remove the old one first."
            ) from exc
        await audit.write(
            connection, person, "channel_added", f"channel/{made['channel_id']}", kind=kind, identity=identity_shown
        )
    return int(made["channel_id"])


def _checked_settings(kind: str, settings: dict[str, str], secret: str) -> dict[str, str]:
    url = settings.get("url", "").strip()
    if kind == "email":
        return {}
    if kind == "apprise":
        if not urlsplit(secret).scheme:
            raise InvalidActionError("Enter the service's address, such as slack://… or msteams://….")
        return {}
    if kind == "sms" and settings.get("provider") == "govuk_notify":
        if not secret or not settings.get("template", "").strip():
            raise InvalidActionError("GOV.UK Notify needs an API key and the template's id.")
        return {"provider": "govuk_notify", "template": settings["template"].strip()}
    parts = urlsplit(url)
    if parts.scheme not in ("https", "http") or not parts.hostname or parts.username:
        raise InvalidActionError("Enter an address such as https://hooks.example/alerts, without a login in it.")
    if kind == "webhook":
        if len(secret) < 16:
            raise InvalidActionError(
                f"A webhook's secret has at least 16 characters; such as {secrets.token_urlsafe(24)}"
            )
        return {"url": url}
    return {"provider": "gateway", "url": url}


async def retire_channel(channel: int) -> None:
    """Take a channel out of use."""
    person = identity.current()
    require(person, Permission.SET_UP_MESSAGES)
    async with store.transaction() as connection:
        rows = await _run(connection, "retire_channel", channel=channel)
        if not rows:
            raise NotThereError("There is no such channel.")
        await audit.write(connection, person, "channel_retired", f"channel/{channel}", kind=rows[0]["kind"])


async def test_channel(channel: int) -> None:
    """Send a test message by a channel that has no person's address: a webhook or a team's chat."""
    person = identity.current()
    require(person, Permission.SET_UP_MESSAGES)
    async with store.transaction() as connection:
        rows = await _run(connection, "channel", channel=channel)
        if not rows:
            raise NotThereError("There is no such channel.")
        if rows[0]["kind"] not in ("webhook", "apprise"):
            raise InvalidActionError("E-mail and text messages are tested on the page Your messages.")
        await _run(
            connection, "send", organisation=person.organisation_id, account=person.account_id, site=None,
            channel=channel, purpose="test", kind=rows[0]["kind"], contact=None, sealed=None,
        )  # fmt: skip
        await audit.write(connection, person, "test_message", f"channel/{channel}")


async def deliveries(status: str | None, limit: int) -> list[Row]:
    """List messages with their outcome, the latest first."""
    require(identity.current(), Permission.SET_UP_MESSAGES)
    return await store.fetch_from(FILE, "deliveries", status=status, limit=limit)


async def _run(connection: psycopg.AsyncConnection[Any], query: str, /, **parameters: Any) -> list[Row]:
    return await store.rows(connection, store.queries(FILE)[query], **parameters)

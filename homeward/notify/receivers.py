"""Whom does a tier mean at this moment? A rota's answer, a person's ways, addresses, channels, the wall."""

from __future__ import annotations

import uuid
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from alerts import rota as rotas
from alerts.ladder import AddressReceiver, ChannelReceiver, PersonReceiver, RotaReceiver, Tier
from homeward.notify.sql import Connection, Row, run

_NAMESPACE = uuid.UUID("5f7d6f0e-3c86-4a52-9c1f-0d0c2f0f6f9b")


@dataclass(frozen=True)
class Destination:
    """One way to one receiver."""

    kind: str
    channel: int | None = None
    account: int | None = None
    contact: int | None = None
    address: str = ""

    def key(self, job: int, began: datetime, step: int) -> str:
        """Give what every attempt at one message to this receiver carries, and no other message does."""
        own = f"{self.kind}:{self.channel}:{self.contact}:{self.address}"
        return str(uuid.uuid5(_NAMESPACE, f"{job}:{began.timestamp()}:{step}:{own}"))


def of_tier(connection: Connection, organisation: int, tier: Tier, now: datetime) -> list[Destination]:
    """Find them; none where nobody is on call, or whoever is has no address yet."""
    found: list[Destination] = []
    for receiver in tier.receivers:
        if isinstance(receiver, PersonReceiver):
            found += _of_person(connection, organisation, receiver.account, receiver.by)
        elif isinstance(receiver, RotaReceiver):
            account = on_call(connection, organisation, receiver.rota, now)
            found += [] if account is None else _of_person(connection, organisation, account, receiver.by)
        elif isinstance(receiver, AddressReceiver):
            found.append(Destination(receiver.by, address=receiver.address))
        elif isinstance(receiver, ChannelReceiver):
            rows = run(connection, "channels", organisation=organisation, channels=[receiver.channel])
            found += [Destination(row["kind"], channel=row["channel_id"]) for row in rows]
        else:
            found.append(Destination("wall"))
    return _once(found)


def on_call(connection: Connection, organisation: int, name: str, now: datetime) -> int | None:
    """Ask the version of a rota that is in force who is on call; nobody where it cannot be read."""
    rows = run(connection, "rota", organisation=organisation, name=name)
    return rotas.on_call(rotas.read(rows[0]["document"]), now).account if rows else None


def _of_person(connection: Connection, organisation: int, account: int, by: str) -> list[Destination]:
    """Take the way that is asked for; somebody who has not got it is told by another, not left out."""
    rows = run(connection, "contacts", organisation=organisation, accounts=[account])
    asked: list[Row] = [row for row in rows if by in ("chosen", row["kind"])]
    return [Destination(row["kind"], account=account, contact=row["contact_id"]) for row in asked or rows]


def _once(found: Iterable[Destination]) -> list[Destination]:
    return list(dict.fromkeys(found))

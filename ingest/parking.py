"""Which messages of a crowded micro-batch have to wait, so that one sender does not delay the others?

The broker hands a lane's messages out in their order, so those of everybody else in the lane are behind what one device
floods it with: the only help is to take the flood off quickly. What is over a sender's share is not read but kept
whole, many messages to a row of quarantine, and confirmed; `ingest.parcels` reads it when there is time. Where nobody
has to wait, nobody has a share.
"""

from __future__ import annotations

import hashlib
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace

import msgspec
import psycopg

from ingest.admission import Admitted, Incoming
from ingest.formats import parcel
from ingest.formats.decoded import Rejection
from ingest.inbox import Delivery
from ingest.limits import KEPT_A_DAY, SHARE
from ingest.quarantine import Quarantined, write_quarantine
from ingest.registry import Registry
from ingest.sql import load
from ingest.writer import Outcome
from schemas.quarantine import Reason
from schemas.topic import Stream

CROWDED = 1_000
"""Messages of a micro-batch from which on others wait: half a full one."""
_MOST_REMEMBERED = 10_000
_DAY_S = 86_400
_NOISE = 0.9
"""Part of a sender's messages that are refused whole, from which on it is noise: a hub has no more than a device."""

_QUERIES = load("parcels.sql")


@dataclass(frozen=True)
class Parked:
    """Messages of one sender that wait: as the one message that is put aside, and as they were delivered."""

    incoming: Incoming
    deliveries: Sequence[Delivery]
    rejection: Rejection


class Parking:
    """The shares of one process; remembers only senders that had too much."""

    def __init__(self) -> None:
        self._noisy: set[str] = set()
        self._kept: Counter[str] = Counter()
        self._day = 0

    def divide(self, deliveries: Sequence[Delivery], registry: Registry) -> tuple[list[Delivery], list[Parked]]:
        """Say which messages are read now, and put the others into parcels."""
        if len(deliveries) < CROWDED:
            return list(deliveries), []
        live = [d for d in deliveries if d.connection.stream is Stream.LIVE]
        room = {
            sender: share
            for sender, count in Counter(d.incoming.sender for d in live).items()
            if count > (share := self._share(sender, registry))
        }
        if not room:
            return list(deliveries), []
        now: list[Delivery] = []
        later: dict[tuple[str, str], list[Delivery]] = {}
        for delivery in deliveries:
            sender = delivery.incoming.sender
            if sender not in room or delivery.connection.stream is not Stream.LIVE:
                now.append(delivery)
            elif room[sender] or not parcel.fits(delivery.incoming.payload):
                room[sender] = max(0, room[sender] - 1)
                now.append(delivery)
            else:
                later.setdefault((sender, delivery.incoming.topic), []).append(delivery)
        return now, [parked for group in later.values() for parked in self._park(group)]

    def learn(self, deliveries: Sequence[Delivery], outcome: Outcome) -> None:
        """Remember of whom nothing could be used, in a crowded micro-batch that was read."""
        if len(deliveries) < SHARE:
            return
        counts = Counter(d.incoming.sender for d in deliveries)
        busy = {sender for sender, count in counts.items() if count >= SHARE}
        useless: Counter[str] = Counter()
        for position, delivery in enumerate(deliveries):
            if delivery.incoming.sender in busy:
                useless[delivery.incoming.sender] += not (outcome.stored[position] or outcome.duplicate[position])
        for sender in busy:
            is_noise = useless[sender] >= _NOISE * counts[sender]
            (self._noisy.add if is_noise else self._noisy.discard)(sender)
        if len(self._noisy) > _MOST_REMEMBERED:
            self._noisy.clear()

    def _share(self, sender: str, registry: Registry) -> int:
        if sender in self._noisy:
            return SHARE
        device = registry.device_of.get(sender)
        return SHARE * (1 + (0 if device is None else int(registry.spoken_for[device])))

    def _park(self, deliveries: Sequence[Delivery]) -> list[Parked]:
        found = []
        start = 0
        for content, count in parcel.pack([d.incoming.payload for d in deliveries]):
            group = deliveries[start : start + count]
            start += count
            first = group[0].incoming
            if self._may_keep(first.sender, len(content)):
                detail = f"sender: {count} messages beyond its share of {SHARE} in a crowded moment; kept whole"
                rejection = Rejection(0, Reason.TOO_MANY, detail, count)
            else:
                detail = f"sender: {count} messages beyond the {KEPT_A_DAY >> 20} MB that are kept in a day; not kept"
                rejection = Rejection(0, Reason.NOT_KEPT, detail, count)
                content = msgspec.json.encode(
                    {"messages": count, "bytes": len(content), "sha256": hashlib.sha256(content).hexdigest()}
                )
            found.append(Parked(replace(first, payload=content), group, rejection))
        return found

    def _may_keep(self, sender: str, size: int) -> bool:
        day = int(time.time() // _DAY_S)
        if day != self._day or len(self._kept) > _MOST_REMEMBERED:
            self._day, self._kept = day, Counter()
        if self._kept[sender] + size > KEPT_A_DAY:
            return False
        self._kept[sender] += size
        return True


def with_parked(admitted: Admitted, parked: Sequence[Parked]) -> Admitted:
    """Add parcels to what was admitted: each is a message behind the others, put aside whole."""
    if not parked:
        return admitted
    start = len(admitted.messages)
    rejections = [replace(p.rejection, message=start + i) for i, p in enumerate(parked)]
    return replace(
        admitted,
        messages=[*admitted.messages, *(p.incoming for p in parked)],
        rejections=[*admitted.rejections, *rejections],
    )


def put_aside(connection: psycopg.Connection, admitted: Admitted) -> Quarantined:
    """Keep the rejections, and count for the page of devices of whom messages had to wait."""
    excess: dict[int, list[int]] = {}
    for rejection in admitted.rejections:
        if rejection.reason in (Reason.TOO_MANY, Reason.NOT_KEPT):
            device = admitted.registry.device_of.get(admitted.messages[rejection.message].sender)
            if device is not None:
                counts = excess.setdefault(device, [0, 0])
                counts[rejection.reason is Reason.NOT_KEPT] += rejection.observations
    if excess:
        rows = [(device, *counts) for device, counts in sorted(excess.items())]
        connection.execute(_QUERIES["note_excess"], [list(column) for column in zip(*rows, strict=True)])
    return write_quarantine(connection, admitted)

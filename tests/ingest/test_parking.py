"""Does a device that sends without end delay the others, vanish, or fill the disk?"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ingest import parking as parking_module
from ingest.admission import Incoming, admit
from ingest.formats import parcel
from ingest.formats.json_document import Refused
from ingest.inbox import Delivery, Inbox
from ingest.limits import LARGEST_PAYLOAD, SHARE
from ingest.parcels import Parcels
from ingest.parking import CROWDED, Parking, put_aside, with_parked
from ingest.writer import Outcome, write_batch
from schemas.quarantine import Reason
from schemas.topic import Stream, receipts_topic
from tests.conftest import TestBroker
from tests.ingest.conftest import Desk
from tests.ingest.formats.reading import decoded, instants, reasons, values
from tests.ingest.ward import payload
from tests.ingest.workers import Sender, Workers, clean_lanes, workers
from tests.waiting import PATIENCE_S, wait_until

__all__ = ["clean_lanes", "workers"]  # fixtures


@dataclass
class Line:
    """A connection that takes confirmations."""

    stream: Stream = Stream.LIVE
    lane: int = 0
    generation: int = 1
    confirmed: list[Delivery] = field(default_factory=list)

    def confirm(self, delivery: Delivery) -> None:
        self.confirmed.append(delivery)


def deliveries(*messages: Incoming, stream: Stream = Stream.LIVE) -> list[Delivery]:
    line = Line(stream)
    return [Delivery(message, line, 1, packet) for packet, message in enumerate(messages, start=1)]


def nothing_of(count: int) -> Outcome:
    nothing = np.zeros(count, np.int64)
    return Outcome(nothing, nothing, np.ones(count, np.int64))


def garbage(desk: Desk, index: int, count: int) -> list[Incoming]:
    return [desk.raw(desk.ward.topic(index), b"garbage %d" % i) for i in range(count)]


def test_nobody_waits_where_there_is_room(desk: Desk) -> None:
    some = deliveries(*garbage(desk, 0, CROWDED - 1))
    assert Parking().divide(some, desk.keeper.registry) == (some, [])


def test_a_crowd_without_a_crowder_is_read(make_desk: Callable[..., Desk]) -> None:
    desk = make_desk(30)
    every = deliveries(*(m for i in range(30) for m in garbage(desk, i, SHARE)))
    assert Parking().divide(every, desk.keeper.registry) == (every, [])


def test_what_is_over_the_share_is_kept_whole_and_in_order(desk: Desk) -> None:
    flood, other = garbage(desk, 0, 2 * CROWDED), garbage(desk, 1, SHARE)
    now, parked = Parking().divide(deliveries(*flood, *other), desk.keeper.registry)
    assert [d.incoming for d in now] == [*flood[:SHARE], *other]
    assert [p.rejection.reason for p in parked] == [Reason.TOO_MANY] * len(parked)
    assert [c for p in parked for c in parcel.unpack(p.incoming.payload)] == [m.payload for m in flood[SHARE:]]
    assert [d.incoming for p in parked for d in p.deliveries] == flood[SHARE:]
    assert sum(p.rejection.observations for p in parked) == 2 * CROWDED - SHARE


def test_a_hub_has_the_shares_of_its_devices_while_it_is_no_noise(make_desk: Callable[..., Desk]) -> None:
    desk = make_desk(30)
    flood = deliveries(*(desk.raw(desk.ward.hub_topic, b"garbage %d" % i) for i in range(2 * CROWDED)))
    parking = Parking()
    assert parking.divide(flood, desk.keeper.registry) == (flood, [])
    parking.learn(flood, nothing_of(len(flood)))
    now, _ = parking.divide(flood, desk.keeper.registry)
    assert len(now) == SHARE
    stored = nothing_of(len(now))
    stored.stored[:] = 1
    parking.learn(now, stored)
    assert parking.divide(flood, desk.keeper.registry) == (flood, [])


def test_a_backlog_is_never_parked(desk: Desk) -> None:
    flood = deliveries(*garbage(desk, 0, 2 * CROWDED), stream=Stream.BACKLOG)
    assert Parking().divide(flood, desk.keeper.registry) == (flood, [])


def test_a_disk_is_not_filled_by_one_device(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(parking_module, "KEPT_A_DAY", LARGEST_PAYLOAD)
    large = [desk.raw(desk.ward.topic(0), b"%06d" % i + b"x" * 1_000) for i in range(CROWDED)]
    now, parked = Parking().divide(deliveries(*large), desk.keeper.registry)
    lost = [p for p in parked if p.rejection.reason is Reason.NOT_KEPT]
    assert len(now) + sum(p.rejection.observations for p in parked) == CROWDED
    assert lost
    assert sum(len(p.incoming.payload) for p in parked) < 2 * LARGEST_PAYLOAD
    write(desk, now, parked)
    [(messages, not_kept)] = desk.ask("select messages, not_kept from device_excess")
    assert (messages + not_kept, not_kept) == (CROWDED - SHARE, sum(p.rejection.observations for p in lost))


def write(desk: Desk, now: list[Delivery], parked: list[parking_module.Parked]) -> Outcome:
    admitted = with_parked(admit([d.incoming for d in now], desk.keeper), parked)
    with desk.pool.connection() as connection:
        return write_batch(connection, admitted, time.time_ns() // 1000, put_aside=put_aside)


def test_what_was_parked_is_read_when_there_is_time(desk: Desk) -> None:
    flood = garbage(desk, 0, CROWDED)
    hidden = desk.message(0, 1, {"pulse": 71})
    flood.insert(CROWDED // 2, hidden)
    now, parked = Parking().divide(deliveries(*flood), desk.keeper.registry)
    write(desk, now, parked)
    assert desk.stored() == []
    waiting = "select reason, sum(observations)::int from quarantine where status = 'waiting' group by 1 order by 1"
    assert desk.ask(waiting) == [("malformed", SHARE), ("too_many", CROWDED + 1 - SHARE)]
    assert desk.ask("select messages, not_kept from device_excess") == [(CROWDED + 1 - SHARE, 0)]
    stop = threading.Event()
    reader = threading.Thread(target=Parcels(desk.pool, desk.keeper, Inbox()).run, args=(stop,))
    reader.start()
    try:
        wait_until(lambda: desk.ask(waiting) == [("malformed", CROWDED)], "all garbage is known as such")
    finally:
        stop.set()
        reader.join()
    assert [row[1:] for row in desk.stored()] == [(6, desk.at(1), 71)]


def test_a_parcel_is_read_as_its_messages() -> None:
    at = "2026-11-22T08:00:00+00:00"
    good = b'{"time": "%s", "values": {"pulse": 71}}' % at.encode()
    [(content, count)] = parcel.pack([good, b"?", good])
    assert count == 3
    out = decoded(content)
    assert (out.value, reasons(out), instants(out)) == ([71, 71], ["malformed"], [at, at])
    assert out.rejections[0].detail.startswith("(1) payload:")
    assert reasons(decoded(parcel.pack([content])[0][0])) == ["malformed"]
    assert values(decoded(content[:-1])) == values(decoded(parcel.MAGIC)) == {}


@given(st.lists(st.binary(max_size=50) | st.integers(1, LARGEST_PAYLOAD - 100).map(bytes), min_size=1, max_size=6))
def test_what_is_packed_comes_out_again(contents: list[bytes]) -> None:
    packed = parcel.pack(contents)
    assert [c for content, _ in packed for c in parcel.unpack(content)] == contents
    assert [len(parcel.unpack(content)) for content, _ in packed] == [count for _, count in packed]
    assert all(len(content) <= LARGEST_PAYLOAD for content, _ in packed)


@given(st.binary(max_size=60))
def test_no_bytes_are_a_parcel_by_accident(content: bytes) -> None:
    try:
        found = parcel.unpack(parcel.MAGIC + content)
    except Refused:
        return
    assert parcel.pack(found)[0][0] == parcel.MAGIC + content


# --------------------------------------------------------------------------------------------- through the real broker

FLOOD = 10_000


def test_a_flood_of_one_device_is_set_aside_whole_and_read_later(
    broker: TestBroker, make_desk: Callable[..., Desk], workers: Workers
) -> None:
    desk = make_desk(17)
    first = workers.start()  # makes the lanes' sessions
    first.kill()
    first.wait()
    bad, good = (Sender(broker, desk.ward.devices[i]) for i in (0, 16))  # both in lane 0
    receipts = receipts_topic(0, desk.ward.devices[16])
    good.client.subscribe(receipts, 1)
    for sent in [bad.publish(desk.ward.topic(0), b"garbage %d" % i) for i in range(FLOOD)]:
        sent.wait_for_publish(PATIENCE_S)
    bad.publish(desk.ward.topic(0), payload(desk.at(1), {"pulse": 72})).wait_for_publish(PATIENCE_S)
    good.publish(desk.ward.topic(16), payload(desk.at(1), {"pulse": 71}), ResponseTopic=receipts)
    read = "select coalesce(sum(observations), 0)::int from quarantine where reason = 'malformed'"
    workers.start()
    assert good.receipts.get(timeout=PATIENCE_S)[1]["stored"] == 1
    wait_until(lambda: desk.ask(read) == [(FLOOD,)], "all garbage is in quarantine and read")
    wait_until(lambda: len(desk.stored()) == 2, "what was sound in the flood is stored")
    assert desk.ask("select count(*) from quarantine where reason = 'too_many' and status = 'waiting'") == [(0,)]
    [(code, parked, not_kept)] = desk.ask(
        "select code, messages, not_kept from device_excess join device using (device_id)"
    )
    assert (code, not_kept) == (desk.ward.devices[0], 0)
    assert parked > SHARE  # how much of it, that is a matter of how fast this machine reads
    for sender in (bad, good):
        sender.close()

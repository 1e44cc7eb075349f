"""Is it known which device is online, since when, and what it says of its battery, whatever comes late or is wrong?"""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any
from urllib.parse import urlsplit

import paho.mqtt.client as mqtt
import pytest
from hypothesis import given
from hypothesis import strategies as st
from jsonschema import Draft202012Validator
from paho.mqtt.enums import CallbackAPIVersion

from ingest import service
from ingest.statuses import KEPT_OF_ONE, MOST, MOST_SENDERS, Status, StatusBook, write_statuses
from schemas.status import DeviceStatus, read_status, status_json_schema
from schemas.topic import lane_of, status_topic
from tests.conftest import TestBroker
from tests.ingest.conftest import Desk
from tests.ingest.workers import clean_lanes
from tests.waiting import PATIENCE_S, wait_until

__all__ = ["clean_lanes"]  # a fixture

NOW = time.time_ns() // 1000
SECOND = 1_000_000


def status(sender: str, seconds: float = 0, **said: Any) -> Status:
    """What a device says, so many seconds after now."""
    return Status(sender, json.dumps(said).encode(), NOW + round(seconds * SECOND))


class Standing:
    """Writes statuses as ingest does, and reads them back."""

    def __init__(self, desk: Desk) -> None:
        self.desk, self.ward = desk, desk.ward

    def write(self, *statuses: Status) -> None:
        """Write one batch."""
        with self.desk.pool.connection() as connection:
            write_statuses(connection, statuses)

    def of(self, code: str) -> dict[str, Any]:
        """Read how a device stands."""
        names = ("online", "since_us", "battery", "firmware", "trouble")
        rows = self.desk.ask(
            "select online, (extract(epoch from since) * 1000000)::bigint, battery, firmware, trouble "
            "from device_standing join device using (device_id) where code = %s",
            code,
        )
        return dict(zip(names, rows[0], strict=True)) if rows else {}


@pytest.fixture
def standing(desk: Desk) -> Standing:
    return Standing(desk)


def test_online_and_offline_are_told_since_they_changed(standing: Standing) -> None:
    device = standing.ward.devices[0]
    standing.write(status(device, 0, online=True, battery=80, firmware="1.2"))
    standing.write(status(device, 60, online=True, battery=79))
    found = standing.of(device)
    assert (found["online"], found["since_us"], found["battery"], found["firmware"]) == (True, NOW, 79, "1.2")
    standing.write(status(device, 90, online=False))
    standing.write(status(device, 95, online=False))
    found = standing.of(device)
    assert (found["online"], found["since_us"], found["battery"]) == (False, NOW + 90 * SECOND, 79)


def test_a_late_last_will_of_an_older_connection_says_nothing(standing: Standing) -> None:
    device = standing.ward.devices[0]
    standing.write(status(device, 0, online=True, session="a"))
    standing.write(status(device, 10, online=True, session="b"))
    standing.write(status(device, 11, online=False, session="a"))
    assert standing.of(device)["online"] is True
    standing.write(status(device, 20, online=False, session="b"))
    assert standing.of(device)["online"] is False


def test_a_hub_tells_of_its_own_devices_and_of_no_others(standing: Standing, make_desk: Callable[..., Desk]) -> None:
    hub, device = standing.ward.hub, standing.ward.devices[1]
    stranger = make_desk().ward.devices[0]
    parts = {device: {"battery": 12}, stranger: {"battery": 99}, "unknown": {"battery": 1}, "not a code": {}}
    standing.write(status(hub, 0, online=True, devices=parts))
    assert standing.of(hub)["online"] is True
    found = standing.of(device)
    assert (found["online"], found["since_us"], found["battery"]) == (None, None, 12)
    assert standing.of(stranger) == {}
    # in one batch with its hub's, the device's own word counts
    standing.write(status(device, 5, online=True, battery=50), status(hub, 5, online=True, devices=parts))
    assert (standing.of(device)["battery"], standing.of(device)["online"]) == (50, True)


@pytest.mark.parametrize(
    ("payload", "says"),
    [
        (b"", "truncated"),
        (b'{"online": "yes"}', "bool"),
        (b'{"online": true, "battery": 400}', "100"),
        (b"\xff\x00", "JSON"),
        (b"[" * 70_000, "bytes"),
        (b'{"online": true, "firmware": "' + b"x" * 65 + b'"}', "64"),
    ],
)
def test_what_cannot_be_read_is_told_and_changes_nothing_else(standing: Standing, payload: bytes, says: str) -> None:
    device = standing.ward.devices[2]
    standing.write(status(device, 0, online=True, battery=80))
    standing.write(Status(device, payload, NOW + SECOND))
    found = standing.of(device)
    assert says in found["trouble"]
    assert (found["online"], found["battery"]) == (True, 80)
    standing.write(status(device, 2, online=True))
    assert standing.of(device)["trouble"] == ""


def test_text_that_no_column_holds_is_stored_without_it(standing: Standing) -> None:
    device = standing.ward.devices[0]
    standing.write(status(device, 0, online=True, firmware="1\0.2", session="\0"))
    assert standing.of(device)["firmware"] == "1.2"


@given(st.binary(max_size=200))
def test_any_bytes_are_read_or_refused(content: bytes) -> None:
    try:
        found = read_status(content)
    except ValueError:
        return  # anything else fails the test
    assert isinstance(found, DeviceStatus)
    Draft202012Validator(status_json_schema()).validate(json.loads(content))


def test_the_book_keeps_the_newest_of_each_and_stays_bounded() -> None:
    book = StatusBook()
    for number in range(KEPT_OF_ONE + 3):
        book.put("homeward/v1/0/hub/status", str(number).encode(), number)
    book.put("homeward/v1/0/hub/observations", b"", 0)
    book.put("homeward/v1/0/not a code/status", b"", 0)
    assert [s.payload for s in book.take()] == [b"3"]
    rest = []
    while found := book.take():
        rest += found
    assert [s.payload for s in rest] == [str(n).encode() for n in range(4, KEPT_OF_ONE + 3)]
    for number in range(MOST_SENDERS + 5):
        book.put(f"homeward/v1/0/d{number}/status", b"", 0)
    assert book.dropped == 5
    assert len(book.take()) == MOST


def test_what_is_put_back_comes_before_what_has_come_since() -> None:
    book = StatusBook()
    book.put("homeward/v1/0/hub/status", b"1", 1)
    taken = book.take()
    book.put("homeward/v1/0/hub/status", b"2", 2)
    book.put_back(taken)
    assert [book.take()[0].payload, book.take()[0].payload] == [b"1", b"2"]


@pytest.fixture
def ingest(desk: Desk, broker: TestBroker, clean_lanes: None) -> Iterator[None]:
    """An ingest worker in this process."""
    stop, ready = threading.Event(), threading.Event()
    login = ("homeward-ingest", broker.add_service("homeward-ingest"))
    url = desk.database.url_for("homeward_ingest")
    thread = threading.Thread(target=service.run, args=(url, broker.url, *login, stop, ready.set))
    thread.start()
    assert ready.wait(PATIENCE_S)
    yield
    stop.set()
    thread.join(PATIENCE_S)


def test_the_broker_tells_that_a_device_is_gone(standing: Standing, broker: TestBroker, ingest: None) -> None:
    device = standing.ward.devices[0]
    address, topic = urlsplit(broker.url), status_topic(lane_of(device), device)
    client = mqtt.Client(CallbackAPIVersion.VERSION2, protocol=mqtt.MQTTv5, reconnect_on_failure=False)
    client.username_pw_set(device, broker.add_device(device))
    client.will_set(topic, b'{"online": false, "session": "s"}', qos=1, retain=True)
    client.connect(address.hostname or "", address.port or 0)
    client.loop_start()
    client.publish(topic, b'{"online": true, "session": "s", "battery": 33}', qos=1, retain=True).wait_for_publish(
        PATIENCE_S
    )
    wait_until(lambda: standing.of(device).get("online"))
    assert standing.of(device)["battery"] == 33
    sock = client.socket()
    assert sock is not None
    client.loop_stop()
    sock.close()  # without a word, as when the mains fail
    wait_until(lambda: standing.of(device)["online"] is False)
    rows = standing.desk.ask("select count(*) from quarantine")
    assert rows == [(0,)]

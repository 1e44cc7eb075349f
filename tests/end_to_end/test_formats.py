"""Does what gateways, scales and hubs of others say get through the broker into the store, and only for their own?"""

from __future__ import annotations

import itertools
import json
import re
import threading
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import paho.mqtt.client as mqtt
import psycopg
import pytest
from paho.mqtt.enums import CallbackAPIVersion

from ingest.service import run as run_ingest
from schemas.topic import observations_topic
from schemas.vital_signs import CATALOGUE
from tests.conftest import TestBroker, TestDatabase
from tests.ingest.ward import Ward, make_ward
from tests.ingest.workers import begin_lanes
from tests.waiting import PATIENCE_S, wait_until

pytestmark = pytest.mark.slow
NOW = datetime.now(UTC).replace(microsecond=0) - timedelta(minutes=5)
_numbers = itertools.count(1)


class House:
    """A ward's devices at a broker with ingest at work, and what the store has of them."""

    def __init__(self, database: TestDatabase, broker: TestBroker, ward: Ward) -> None:
        self.database, self.broker, self.ward = database, broker, ward

    def ask(self, query: str, *parameters: Any) -> list[tuple[Any, ...]]:
        """Ask the database as its superuser."""
        options = "-c search_path=homeward,public"
        with psycopg.connect(self.database.url, autocommit=True, options=options) as connection:
            return connection.execute(query.encode(), parameters).fetchall()

    def add_device(
        self, code: str, wearer: int | None, *, hub: str | None = None, kind: str = "scale", **more: Any
    ) -> str:
        """Register a device, its login and whose it is."""
        [(device,)] = self.ask(
            "insert into device (organisation_id, hub_id, code, kind, lane, time_zone) values "
            "(%s, (select device_id from device where code = %s), %s, %s, 3, %s) returning device_id",
            self.ward.organisation, hub, code, kind, more.get("zone"),
        )  # fmt: skip
        for user in more.get("users", [0]) if wearer is not None else []:
            self.ask(
                "insert into device_assignment (organisation_id, device_id, patient_id, device_user, during) "
                "values (%s, %s, %s, %s, tstzrange(now() - interval '30 days', null)) returning 1",
                self.ward.organisation, device, self.ward.patients[wearer], user,
            )  # fmt: skip
        return code

    def publish(self, user: str, topic: str, content: Any, qos: int = 0) -> None:
        """Publish as somebody with an old client: MQTT 3.1.1, which is all that gateways speak."""
        address = re.fullmatch(r"mqtt://(.+):(\d+)", self.broker.url)
        assert address is not None
        client = mqtt.Client(CallbackAPIVersion.VERSION2, client_id=f"{user}-{next(_numbers)}", protocol=mqtt.MQTTv311)
        client.username_pw_set(user, self.broker.add_device(user))
        client.connect(address[1], int(address[2]))
        client.loop_start()
        written = content if isinstance(content, str | bytes) else json.dumps(content)
        client.publish(topic, written, qos).wait_for_publish(PATIENCE_S)
        client.disconnect()
        client.loop_stop()

    def stored(self, code: str) -> list[tuple[str, float, int]]:
        """What is stored of a device: vital sign, value, patient; in order."""
        rows = self.ask(
            "select vital, round(value::numeric, 3), patient_id from observation join device using (device_id) "
            "where code = %s order by observed_at, vital",
            code,
        )
        return [(CATALOGUE[vital - 1].name, float(value), self.ward.patients.index(p)) for vital, value, p in rows]

    def refused(self, topic: str) -> list[str]:
        """Why what came on a topic waits in quarantine."""
        return [reason for (reason,) in self.ask("select reason from quarantine where topic = %s order by 1", topic)]


@pytest.fixture(scope="module")
def house(module_database: TestDatabase, broker: TestBroker) -> Iterator[House]:
    stop, ready = threading.Event(), threading.Event()
    user = "ingest-of-formats"
    login = (user, broker.add_service(user))
    ward = make_ward(module_database.url, 3, prefix="formats")
    url = module_database.url_for("homeward_ingest")
    ingest = threading.Thread(target=run_ingest, args=(url, broker.url, *login, stop, ready.set))
    ingest.start()
    try:
        assert ready.wait(PATIENCE_S)
        yield House(module_database, broker, ward)
    finally:
        stop.set()
        ingest.join()
        begin_lanes(broker, 0)  # nothing is kept there for the tests that come after


def heard(address: str, **more: Any) -> dict[str, Any]:
    at = NOW.strftime("%Y-%m-%dT%H:%M:%SZ")
    return {"id": address, "rssi": -70, "model_id": "XMTZC05HM", "unit": "kg", "weight": 82.4, "UTCtime": at} | more


def test_a_gateways_scale_is_stored_for_its_wearer(house: House) -> None:
    gateway = house.add_device("gateway-1", None, kind="hub")
    scale = house.add_device("A4C138000001", 1, hub=gateway)
    topic = f"home/{gateway}/BTtoMQTT/{scale}"
    house.publish(gateway, topic, heard("A4:C1:38:00:00:01"))
    wait_until(lambda: house.stored(scale), "the weight is stored")
    assert house.stored(scale) == [("weight", 82.4, 1)]
    # heard again and again: the same second is the same observation, the next one is another
    house.publish(gateway, topic, heard("A4:C1:38:00:00:01", rssi=-60))
    later = (NOW + timedelta(seconds=1)).strftime("%Y-%m-%dT%H:%M:%SZ")
    house.publish(gateway, topic, heard("A4:C1:38:00:00:01", UTCtime=later, weight=82.5))
    wait_until(lambda: len(house.stored(scale)) > 1, "the second weight is stored")
    assert house.stored(scale) == [("weight", 82.4, 1), ("weight", 82.5, 1)]


def test_a_gateway_speaks_for_its_own_devices_only(house: House) -> None:
    first, second = (house.add_device(f"gateway-{n}", None, kind="hub") for n in (2, 3))
    scale = house.add_device("A4C138000002", 1, hub=first)
    own, others = (f"home/{gateway}/BTtoMQTT/{scale}" for gateway in (second, first))
    house.publish(second, others, heard("A4:C1:38:00:00:02"))
    house.publish(second, own, heard("A4:C1:38:00:00:02"))
    stranger = f"home/{second}/BTtoMQTT/A4C1380000FF"
    house.publish(second, stranger, heard("A4:C1:38:00:00:FF"))
    wait_until(lambda: house.refused(own) and house.refused(stranger), "both wait in quarantine")
    assert (house.refused(own), house.refused(stranger)) == (["not_permitted"], ["unknown_device"])
    # the broker let nothing through on the other gateway's topic
    assert house.refused(others) == house.stored(scale) == []


def test_a_hub_that_names_a_device_of_another_is_refused_in_every_format(house: House) -> None:
    hub = house.add_device("hub-4", None, kind="hub")
    foreign = house.ward.devices[0]
    topic = observations_topic(3, hub)
    at = NOW.isoformat()
    quantity = {"value": 71, "system": "http://unitsofmeasure.org", "code": "/min"}
    observation = {
        "resourceType": "Observation",
        "status": "final",
        "code": {"coding": [{"system": "http://loinc.org", "code": "8867-4"}]},
        "device": {"reference": f"Device/{foreign}"},
        "effectiveDateTime": at,
        "valueQuantity": quantity,
    }
    header = {
        "id": "1",
        "creation_date_time": at,
        "schema_id": {"namespace": "omh", "name": "heart-rate", "version": "2.0"},
        "user_id": foreign,
    }
    body = {"heart_rate": {"value": 71, "unit": "beats/min"}, "effective_time_frame": {"date_time": at}}
    record = {"characteristic": "2A5E", "value": "005f004700", "encoding": "hex", "time": at, "device": foreign}
    for content in (observation, {"header": header, "body": body}, record):
        house.publish(hub, topic, content, qos=1)
    wait_until(lambda: len(house.refused(topic)) == 3, "all three wait in quarantine")
    assert house.refused(topic) == ["not_permitted"] * 3
    assert house.stored(foreign) == []


def test_a_scale_that_knows_one_topic_only_is_stored(house: House) -> None:
    scale = house.add_device("data", 2)
    other = house.add_device("scale-2", 2)
    line = f"{round(NOW.timestamp())};58.4;521;3.5;5"
    house.publish(other, "data", line.replace("58.4", "99.9"))  # the broker lets nobody else publish there
    house.publish(scale, "data", line)
    wait_until(lambda: house.stored(scale), "the weight is stored")
    assert house.stored(scale) == [("weight", 58.4, 2)]
    house.publish(other, observations_topic(3, other), line, qos=1)
    wait_until(lambda: house.stored(other), "the other scale's weight is stored")
    assert house.stored(other) == [("weight", 58.4, 2)]


def test_a_cuffs_history_is_read_by_its_zone_for_both_users(house: House) -> None:
    cuff = house.add_device("cuff-9", 0, kind="cuff", zone="Asia/Kolkata", users=[1])
    local = (NOW + timedelta(hours=5, minutes=30)).strftime("%Y-%m-%d %H:%M:%S")
    table = f"datetime,dia,sys,bpm,mov,ihb,user\n{local},88,142,71,0,1,1\n{local},80,120,70,0,0,2\n"
    topic = observations_topic(3, cuff)
    house.publish(cuff, topic, table, qos=1)
    wait_until(lambda: house.stored(cuff), "the history is stored")
    assert house.stored(cuff) == [("bp_systolic", 142, 0), ("bp_diastolic", 88, 0), ("pulse", 71, 0)]
    assert house.ask(
        "select distinct observed_at, flags from observation join device using (device_id) where code = %s", cuff
    ) == [(NOW, 2)]
    assert house.refused(topic) == ["unassigned"]  # nobody is the second user


def test_a_bluetooth_record_is_read_by_the_zone_of_its_own_device(house: House) -> None:
    hub = house.add_device("hub-5", None, kind="hub")
    cuff = house.add_device("cuff-10", 1, hub=hub, kind="cuff", zone="UTC")
    clock = NOW.year.to_bytes(2, "little") + bytes([NOW.month, NOW.day, NOW.hour, NOW.minute, NOW.second])
    value = bytes.fromhex("02" + "8e00" + "5800" + "6a00") + clock
    record = {"characteristic": "2A35", "value": value.hex(), "encoding": "hex", "device": cuff}
    house.publish(hub, observations_topic(3, hub), [record], qos=1)
    wait_until(lambda: house.stored(cuff), "the record is stored")
    assert house.stored(cuff) == [("bp_systolic", 142, 1), ("bp_diastolic", 88, 1)]

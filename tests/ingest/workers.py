"""Who takes part where ingest runs as its user runs it? Workers that can be killed, and senders at the broker."""

from __future__ import annotations

import itertools
import json
import os
import queue
import re
import subprocess
import sys
import threading
from collections.abc import Iterator
from typing import Any

import paho.mqtt.client as mqtt
import pytest
from paho.mqtt.enums import CallbackAPIVersion
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties

from ingest.lane_session import client_id
from schemas.topic import LANES, Stream
from tests.conftest import TestBroker, TestDatabase
from tests.waiting import PATIENCE_S, wait_until

USER = "homeward-ingest"


class Sender:
    """A device or hub at the broker: publishes and collects its receipts."""

    def __init__(self, broker: TestBroker, user: str) -> None:
        address = re.fullmatch(r"mqtt://(.+):(\d+)", broker.url)
        assert address is not None
        self.receipts: queue.Queue[tuple[bytes | None, dict[str, Any]]] = queue.Queue()
        self.client = mqtt.Client(CallbackAPIVersion.VERSION2, client_id=f"test-{user}", protocol=mqtt.MQTTv5)
        self.client.username_pw_set(user, broker.add_device(user))
        self.client.on_message = lambda _c, _u, m: self.receipts.put(
            (getattr(m.properties, "CorrelationData", None), json.loads(m.payload))
        )
        self.client.connect(address[1], int(address[2]))
        self.client.loop_start()
        wait_until(self.client.is_connected, "the sender is connected")

    def publish(self, topic: str, content: bytes, **properties: Any) -> mqtt.MQTTMessageInfo:
        """Publish with QoS 1."""
        sent = Properties(PacketTypes.PUBLISH)
        for name, value in properties.items():
            setattr(sent, name, value)
        return self.client.publish(topic, content, qos=1, properties=sent)

    def close(self) -> None:
        """Leave the broker."""
        self.client.disconnect()
        self.client.loop_stop()


class Workers:
    """Ingest workers in processes of their own."""

    def __init__(self, broker: TestBroker, database_url: str) -> None:
        self._environment = os.environ | {
            "TEST_DATABASE_URL": database_url,
            "TEST_MQTT_URL": broker.url,
            "TEST_MQTT_USER": USER,
            "TEST_MQTT_PASSWORD": broker.add_service(USER),
        }
        self._running: list[subprocess.Popen[str]] = []

    def start(self, kind: str = "ingest") -> subprocess.Popen[str]:
        """Start one and wait until it is ready."""
        command = [sys.executable, "-m", "tests.ingest.worker", kind]
        worker = subprocess.Popen(command, env=self._environment, stdout=subprocess.PIPE, text=True)
        self._running.append(worker)
        said: list[str] = []
        is_ready = threading.Event()

        def listen() -> None:
            for line in worker.stdout or ():
                said.append(line)
                if line == "ready\n":
                    is_ready.set()

        threading.Thread(target=listen, daemon=True).start()
        assert is_ready.wait(PATIENCE_S), f"the worker is not ready after {PATIENCE_S} s; it said: {''.join(said)}"
        return worker

    def end(self) -> None:
        """Kill what is left."""
        for worker in self._running:
            worker.kill()
            worker.wait()
            if worker.stdout is not None:
                worker.stdout.close()


def begin_lanes(broker: TestBroker, kept_s: int) -> None:
    """Begin a new session of each lane that subscribes to nothing, and leave it; the broker keeps it for so long."""
    properties = Properties(PacketTypes.CONNECT)
    properties.SessionExpiryInterval = kept_s
    address = re.fullmatch(r"mqtt://(.+):(\d+)", broker.url)
    assert address is not None
    password = broker.add_service(USER)
    for lane, stream in itertools.product(range(LANES), Stream):
        client = mqtt.Client(CallbackAPIVersion.VERSION2, client_id=client_id(lane, stream), protocol=mqtt.MQTTv5)
        client.username_pw_set(USER, password)
        gone = threading.Event()
        client.on_connect = lambda c, *_: c.disconnect()
        client.on_disconnect = lambda *_, gone=gone: gone.set()
        client.connect(address[1], int(address[2]), clean_start=True, properties=properties)
        client.loop_start()
        assert gone.wait(PATIENCE_S)
        client.loop_stop()


@pytest.fixture
def clean_lanes(broker: TestBroker) -> Iterator[None]:
    """Lanes without messages of an earlier test: their sessions are ended."""
    yield
    begin_lanes(broker, 0)


@pytest.fixture
def workers(broker: TestBroker, database: TestDatabase, clean_lanes: None) -> Iterator[Workers]:
    found = Workers(broker, database.url_for("homeward_ingest"))
    yield found
    found.end()

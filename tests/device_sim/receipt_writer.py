"""A small real subscriber that answers every message with its receipt, as ingest does after its commit."""

import threading
from collections.abc import Callable
from typing import Any, Self
from urllib.parse import urlsplit

import msgspec
import paho.mqtt.client as mqtt
from paho.mqtt.enums import CallbackAPIVersion
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties

from schemas.topic import parse
from tests.waiting import PATIENCE_S


class ReceiptWriter:
    """Counts the first delivery of a payload as stored, any other as duplicate; `mute` ones get no receipt."""

    def __init__(self, url: str, user: str, password: str, *topics: str) -> None:
        self.received: list[bytes] = []
        self.mute: Callable[[int], bool] = lambda number: False
        self._seen: set[bytes] = set()
        self.changed = threading.Condition()
        self._subscribed = False
        parts = urlsplit(url)
        self._client = mqtt.Client(CallbackAPIVersion.VERSION2, client_id=user, protocol=mqtt.MQTTv5)
        self._client.username_pw_set(user, password)
        self._client.on_connect = lambda client, *_: client.subscribe([(topic, 1) for topic in topics])
        self._client.on_subscribe = self._on_subscribe
        self._client.on_message = self._on_message
        self._client.reconnect_delay_set(1, 1)
        properties = Properties(PacketTypes.CONNECT)
        properties.SessionExpiryInterval = 600
        self._client.connect(parts.hostname or "", parts.port or 1883, clean_start=False, properties=properties)

    def __enter__(self) -> Self:
        self._client.loop_start()
        self.wait_for(lambda: self._subscribed)
        return self

    def __exit__(self, *_: object) -> None:
        self._client.disconnect()
        self._client.loop_stop()

    def wait_for(self, condition: Callable[[], bool]) -> None:
        with self.changed:
            assert self.changed.wait_for(condition, PATIENCE_S)

    def _on_subscribe(self, *_: Any) -> None:
        with self.changed:
            self._subscribed = True
            self.changed.notify_all()

    def _on_message(self, client: mqtt.Client, _userdata: Any, message: mqtt.MQTTMessage) -> None:
        with self.changed:
            number = len(self.received)
            self.received.append(message.payload)
            self.changed.notify_all()
        if self.mute(number):
            return
        count = len(msgspec.json.decode(message.payload)["values"])
        repeated = message.payload in self._seen
        self._seen.add(message.payload)
        properties = Properties(PacketTypes.PUBLISH)
        properties.CorrelationData = message.properties.CorrelationData
        topic = message.properties.ResponseTopic
        assert parse(topic).device == parse(message.topic).device
        receipt = {"stored": 0 if repeated else count, "duplicate": count if repeated else 0, "quarantined": 0}
        client.publish(topic, msgspec.json.encode(receipt), qos=1, properties=properties)

"""How does a message reach a display on a wall? On its site's MQTT topic, with opaque numbers and nothing else.

A display subscribes with QoS 1 and a session of its own, and drops a repeat by its key.
"""

from __future__ import annotations

import json
import threading
from urllib.parse import urlsplit

import paho.mqtt.client as mqtt
from paho.mqtt.enums import CallbackAPIVersion

from homeward.notify.failure import DeliveryError
from homeward.notify.message import Message
from schemas.topic import site_alerts_topic

CONFIRM_S = 5.0


class Wall:
    """The connection to the broker; it comes back by itself."""

    def __init__(self, url: str, user: str = "", password: str = "") -> None:
        parts = urlsplit(url)
        self._client = mqtt.Client(CallbackAPIVersion.VERSION2, protocol=mqtt.MQTTv5)
        if user:
            self._client.username_pw_set(user, password)
        secure = parts.scheme == "mqtts"
        if secure:
            self._client.tls_set()
        self._client.reconnect_delay_set(1, 10)
        self._connected = threading.Event()
        self._client.on_connect = lambda *_: self._connected.set()
        self._client.on_disconnect = lambda *_: self._connected.clear()
        self._client.connect_async(parts.hostname or "", parts.port or (8883 if secure else 1883))
        self._client.loop_start()

    def close(self) -> None:
        """Disconnect."""
        self._client.disconnect()
        self._client.loop_stop()

    def send(self, message: Message) -> None:
        """Publish it and wait for the broker's PUBACK."""
        if message.site_id is None:
            raise DeliveryError("a display belongs to a site, and none is named", permanent=True)
        if not self._connected.wait(CONFIRM_S):
            raise DeliveryError("the broker does not answer")
        facts = message.facts
        for episode in facts["episodes"]:
            # whatever the way may carry elsewhere: a wall has readers whom nobody signed in
            episode.pop("name", None)
        sent = self._client.publish(site_alerts_topic(message.site_id), json.dumps(facts), qos=1)
        try:
            sent.wait_for_publish(CONFIRM_S)
        except (ValueError, RuntimeError) as exc:
            raise DeliveryError("the broker did not take it") from exc
        if not sent.is_published():
            raise DeliveryError("the broker did not confirm it")

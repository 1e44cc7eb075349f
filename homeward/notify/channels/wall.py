"""How does a message reach a display on a wall? On its site's MQTT topic, with opaque numbers and nothing else.

A display subscribes with QoS 1, and drops a repeat by its key. A publish that nobody subscribes to is confirmed as
well: only the reason in the broker's PUBACK tells the two apart.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Sequence
from typing import Any
from urllib.parse import urlsplit

import paho.mqtt.client as mqtt
from paho.mqtt.enums import CallbackAPIVersion
from paho.mqtt.properties import Properties
from paho.mqtt.reasoncodes import ReasonCode

from homeward.notify.failure import DeliveryError
from homeward.notify.message import Message
from schemas.topic import site_alerts_topic

CONFIRM_S = 5.0
NO_DISPLAY = "sent, no display was connected"
PRESENCE = "presence"
"""The type of what a display hears once a minute: nothing to show, but one that misses it knows that it is cut off."""
_NOBODY_SUBSCRIBES = 0x10


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
        self._answers: dict[int, ReasonCode] = {}
        self._client.on_connect = lambda *_: self._connected.set()
        self._client.on_disconnect = lambda *_: self._connected.clear()
        self._client.on_publish = self._on_publish
        self._client.connect_async(parts.hostname or "", parts.port or (8883 if secure else 1883))
        self._client.loop_start()

    def close(self) -> None:
        """Disconnect."""
        self._client.disconnect()
        self._client.loop_stop()

    def send(self, message: Message) -> None:
        """Publish it, wait for the broker's PUBACK, and believe what that says."""
        if message.site_id is None:
            raise DeliveryError("a display belongs to a site, and none is named", permanent=True)
        facts = message.facts
        for episode in facts["episodes"]:
            # whatever the way may carry elsewhere: a wall has readers whom nobody signed in
            episode.pop("name", None)
        if not self._is_heard(self._publish(message.site_id, facts)):
            raise DeliveryError(NO_DISPLAY)

    def heard(self, sites: Sequence[int]) -> dict[int, bool]:
        """Say at which of these sites a display is connected; raises `DeliveryError` where the broker cannot say.

        A site whose presence it refuses is left out, and so is every one after the first that it does not confirm.
        """
        sent = {site: self._publish(site, {"type": PRESENCE, "site": site}) for site in sites}
        found: dict[int, bool] = {}
        for site, one in sent.items():
            try:
                answer = self._answer(one)
            except DeliveryError:
                if not found:
                    raise
                break
            if not answer.is_failure:
                found[site] = answer.value != _NOBODY_SUBSCRIBES
        return found

    def _publish(self, site: int, facts: dict[str, Any]) -> mqtt.MQTTMessageInfo:
        if not self._connected.wait(CONFIRM_S):
            raise DeliveryError("the broker does not answer")
        return self._client.publish(site_alerts_topic(site), json.dumps(facts), qos=1)

    def _is_heard(self, sent: mqtt.MQTTMessageInfo) -> bool:
        answer = self._answer(sent)
        if answer.is_failure:
            raise DeliveryError(f"the broker refused it ({answer})")
        return bool(answer.value != _NOBODY_SUBSCRIBES)

    def _answer(self, sent: mqtt.MQTTMessageInfo) -> ReasonCode:
        try:
            sent.wait_for_publish(CONFIRM_S)
        except (ValueError, RuntimeError) as exc:
            raise DeliveryError("the broker did not take it") from exc
        if not sent.is_published():
            raise DeliveryError("the broker did not confirm it")
        return self._answers.pop(sent.mid)

    def _on_publish(
        self, _client: mqtt.Client, _data: object, mid: int, reason: ReasonCode, _properties: Properties
    ) -> None:
        # paho calls this before it counts the message as published, so whoever waits for that finds the answer here
        self._answers[mid] = reason

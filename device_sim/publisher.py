"""How does a device or a hub get its messages to the broker and know that they are stored?

A message is kept until its receipt (stored, duplicate or quarantined) has come back; a PUBACK alone is not enough, for
a broker may lose what it has confirmed. What has no receipt in time, or was under way when the connection broke, is
published again; ingest recognises the repeat.
"""

from __future__ import annotations

import threading
import time
import uuid
import zlib
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Self
from urllib.parse import urlsplit

import msgspec
import paho.mqtt.client as mqtt
from paho.mqtt.enums import CallbackAPIVersion
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties
from paho.mqtt.reasoncodes import ReasonCode

from device_sim.provisioning import lane_of
from schemas.status import DeviceStatus, PartStatus
from schemas.topic import backlog_topic, observations_topic, receipts_topic, status_topic

CONNECT_TIMEOUT_S = 15.0
# How long the broker keeps our session, and the receipts that come meanwhile, when the connection is lost.
SESSION_EXPIRY_S = 3600


FIRMWARE = "simulator"
MOST_TOLD = 500
"""Of how many devices a hub's status tells."""


class PublishError(Exception):
    """Messages cannot be published; the message says why and what to do."""


@dataclass
class Tally:
    """What became of everything published, counted in observations."""

    published: int = 0
    stored: int = 0
    duplicates: int = 0
    quarantined: int = 0
    messages: int = 0
    republished: int = 0

    @property
    def unaccounted(self) -> int:
        """Observations whose receipt has not come."""
        return self.published - self.stored - self.duplicates - self.quarantined

    def add(self, other: Tally) -> None:
        """Add another's counts to these."""
        for name in self.__dataclass_fields__:
            setattr(self, name, getattr(self, name) + getattr(other, name))


class Receipt(msgspec.Struct):
    """What ingest answers after the commit."""

    stored: int = 0
    duplicate: int = 0
    quarantined: int = 0
    reasons: list[str] = []


@dataclass
class _Kept:
    """A message without receipt."""

    topic: str
    payload: bytes
    observations: int
    published_at: float
    handed_over: mqtt.MQTTMessageInfo | None


def battery_of(device: str) -> int:
    """Give a device a battery that is the same in every run, and low in one of a dozen."""
    return 8 + zlib.crc32(f"battery of {device}".encode()) % 93


class Publisher:
    """One login at the broker, publishing on its own topic for itself or, as a hub, for its devices."""

    def __init__(
        self,
        url: str,
        user: str,
        password: str | None,
        *,
        window: int = 2000,
        receipt_timeout_s: float = 30.0,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        parts = urlsplit(url)
        if parts.scheme not in ("mqtt", "mqtts") or not parts.hostname:
            raise PublishError(f"broker address {url!r}: expected mqtt://host:port or mqtts://host:port")
        self._host = parts.hostname
        self._port = parts.port or (8883 if parts.scheme == "mqtts" else 1883)
        lane = lane_of(user)
        self._topic, self._backlog = observations_topic(lane, user), backlog_topic(lane, user)
        self._receipts = receipts_topic(lane, user)
        self._status = status_topic(lane, user)
        self._user = user
        session = uuid.uuid4().hex[:8]
        self._said = DeviceStatus(True, session, battery_of(user), FIRMWARE)
        # the same session in the Last Will: it may come after the next connection's word
        self._offline = msgspec.json.encode({"online": False, "session": session})
        self._timeout_s = receipt_timeout_s
        self._clock = clock
        self._window = window
        self._room = window
        self._changed = threading.Condition()
        self._kept: dict[bytes, _Kept] = {}
        self._again: deque[bytes] = deque()
        self._number = 0
        self._connected = False
        self._is_news = False
        self._refused: str | None = None
        self.tally = Tally()
        self._client = self._make_client(user, password, tls=parts.scheme == "mqtts")

    def _make_client(self, user: str, password: str | None, *, tls: bool) -> mqtt.Client:
        client = mqtt.Client(
            CallbackAPIVersion.VERSION2,
            client_id=f"{user}-{self._said.session}",
            protocol=mqtt.MQTTv5,
        )
        client.username_pw_set(user, password)
        if tls:
            client.tls_set()
        client.reconnect_delay_set(1, 10)
        client.max_inflight_messages_set(self._window + 1)
        client.will_set(self._status, self._offline, qos=1, retain=True)
        client.on_connect = self._on_connect
        client.on_disconnect = self._on_disconnect
        client.on_message = self._on_receipt
        client.on_publish = self._on_puback
        return client

    def __enter__(self) -> Self:
        """Connect, and wait until receipts can come."""
        properties = Properties(PacketTypes.CONNECT)  # type: ignore[no-untyped-call]
        properties.SessionExpiryInterval = SESSION_EXPIRY_S
        try:
            self._client.connect(
                self._host,
                self._port,
                keepalive=30,
                clean_start=mqtt.MQTT_CLEAN_START_FIRST_ONLY,
                properties=properties,
            )
        except OSError as exc:
            raise PublishError(
                f"broker {self._host}:{self._port}: no connection ({exc.strerror or exc}); "
                "check HOMEWARD_MQTT_URL and that the broker runs"
            ) from exc
        self._client.loop_start()
        with self._changed:
            ready = self._changed.wait_for(lambda: self._connected or self._refused is not None, CONNECT_TIMEOUT_S)
        if self._refused is not None or not ready:
            why = self._refused or f"no answer within {CONNECT_TIMEOUT_S:.0f} s"
            self._client.disconnect()
            self._client.loop_stop()
            raise PublishError(f"broker {self._host}:{self._port}: not let in ({why}); check the login")
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._client.is_connected():
            self._client.publish(self._status, self._offline, qos=1, retain=True)
            properties = Properties(PacketTypes.DISCONNECT)  # type: ignore[no-untyped-call]
            properties.SessionExpiryInterval = 0  # nobody comes back under this client id
            self._client.disconnect(properties=properties)
        self._client.loop_stop()

    def publish(
        self, payload: bytes, observations: int, stop: threading.Event | None = None, *, is_backlog: bool = False
    ) -> bool:
        """Publish one message as soon as there is room for it; False where `stop` was set first.

        Parameters
        ----------
        payload : bytes
            One native message, or a list of them.
        observations : int
            How many values it carries.
        stop : threading.Event, optional
            Ends the wait for room.
        is_backlog : bool
            It was kept for want of a connection, and yields to what is live.
        """
        while True:
            self._republish()
            with self._changed:
                if self._refused is not None:
                    raise PublishError(f"broker {self._host}:{self._port}: {self._refused}; check the login's rights")
                if stop is not None and stop.is_set():
                    return False
                if len(self._kept) < self._room:
                    break
                self._changed.wait(0.2)  # woken by a receipt; looks at `stop` and at late receipts in between
        self._number += 1
        correlation = self._number.to_bytes(8, "big")
        kept = _Kept(self._backlog if is_backlog else self._topic, payload, observations, self._clock(), None)
        with self._changed:
            self._kept[correlation] = kept
            self.tally.published += observations
            self.tally.messages += 1
        self._send(correlation, kept)
        return True

    def wait_for_receipts(self, timeout_s: float, stop: threading.Event | None = None) -> bool:
        """Wait until every message has its receipt; False where time or `stop` came first."""
        deadline = self._clock() + timeout_s
        while True:
            self._republish()
            with self._changed:
                if not self._kept:
                    return True
                if self._refused is not None or self._clock() >= deadline or (stop is not None and stop.is_set()):
                    return False
                self._changed.wait(0.2)

    def speak_for(self, device: str) -> None:
        """Have the status tell of a device as well, as a hub does, from the next connection or `tend` on."""
        if device != self._user and device not in self._said.devices and len(self._said.devices) < MOST_TOLD:
            parts = {**self._said.devices, device: PartStatus(battery_of(device), FIRMWARE)}
            self._said = msgspec.structs.replace(self._said, devices=parts)
            self._is_news = True

    def _tell(self) -> None:
        if self._is_news and self._connected:
            self._is_news = False
            self._client.publish(self._status, msgspec.json.encode(self._said), qos=1, retain=True)

    def tend(self) -> None:
        """Publish again what is due for it; for times in which nothing new is published."""
        self._republish()
        self._tell()

    def _send(self, correlation: bytes, kept: _Kept) -> None:
        properties = Properties(PacketTypes.PUBLISH)  # type: ignore[no-untyped-call]
        properties.ResponseTopic = self._receipts
        properties.CorrelationData = correlation
        # paho keeps a message that it cannot send now and sends it after its own reconnect
        handed_over = self._client.publish(kept.topic, kept.payload, qos=1, properties=properties)
        if handed_over.rc == mqtt.MQTT_ERR_NO_CONN:
            handed_over.rc = mqtt.MQTT_ERR_SUCCESS  # or `is_published` would raise for ever after
        kept.handed_over = handed_over
        kept.published_at = self._clock()

    def _republish(self) -> None:
        """Send again what the broker took without a receipt coming back, and what a lost session left behind."""
        late = self._clock() - self._timeout_s
        with self._changed:
            if not self._connected:
                return
            due = [c for c in self._again if c in self._kept]
            self._again.clear()
            for correlation, kept in self._kept.items():
                if kept.published_at > late:
                    break  # in order of publication
                if kept.handed_over is not None and kept.handed_over.is_published():
                    due.append(correlation)
            again = [(c, self._kept.pop(c)) for c in dict.fromkeys(due)]
            self._kept.update(again)
        for correlation, kept in again:
            self.tally.republished += kept.observations
            self._send(correlation, kept)

    def _on_connect(
        self,
        client: mqtt.Client,
        _userdata: Any,
        flags: mqtt.ConnectFlags,
        reason: ReasonCode,
        granted: Properties | None,
    ) -> None:
        if reason.is_failure:
            with self._changed:
                self._refused = str(reason)
                self._changed.notify_all()
            return
        # paho does not keep to the broker's receive maximum by itself, and a broker hangs up on whoever exceeds it;
        # one place is for the status
        self._room = min(self._window, max(getattr(granted, "ReceiveMaximum", self._window + 1) - 1, 1))
        if not flags.session_present:
            client.subscribe(self._receipts, qos=1)
        client.publish(self._status, msgspec.json.encode(self._said), qos=1, retain=True)
        with self._changed:
            if not flags.session_present:
                # receipts that were on their way are gone with the session
                self._again.extend(
                    c for c, k in self._kept.items() if k.handed_over is not None and k.handed_over.is_published()
                )
            self._connected = True
            self._changed.notify_all()

    def _on_puback(
        self, _client: mqtt.Client, _userdata: Any, _mid: int, reason: ReasonCode, _properties: Properties | None
    ) -> None:
        if reason.is_failure:  # "no matching subscribers" is none: ingest may come later
            with self._changed:
                self._refused = f"publishing on {self._topic} is refused ({reason})"
                self._changed.notify_all()

    def _on_disconnect(
        self, _client: mqtt.Client, _userdata: Any, _flags: Any, _reason: ReasonCode, _properties: Properties | None
    ) -> None:
        with self._changed:
            self._connected = False

    def _on_receipt(self, _client: mqtt.Client, _userdata: Any, message: mqtt.MQTTMessage) -> None:
        correlation = getattr(message.properties, "CorrelationData", b"")
        try:
            receipt = msgspec.json.decode(message.payload, type=Receipt)
        except msgspec.DecodeError:
            return  # not a receipt; the message is kept and published again
        with self._changed:
            if self._kept.pop(correlation, None) is None:
                return  # the receipt of a repeat: the first one has counted
            self.tally.stored += receipt.stored
            self.tally.duplicates += receipt.duplicate
            self.tally.quarantined += receipt.quarantined
            self._changed.notify_all()

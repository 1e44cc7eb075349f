"""What is one lane's persistent session with the broker, from connecting to letting go?

A lane has two, one for each stream: the broker hands out a session's messages in their order, so what is live would
wait behind a backlog in the same one. All methods run on the subscriber's thread. A message is confirmed only on the
connection that it came on; whatever was not confirmed when a connection ends is delivered again, here or to the next
holder of the lane.
"""

from __future__ import annotations

import random
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

import paho.mqtt.client as mqtt
import structlog
from paho.mqtt.enums import CallbackAPIVersion
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties
from paho.mqtt.subscribeoptions import SubscribeOptions

from ingest.admission import Incoming
from ingest.buffered_socket import BufferedClient, BufferedSocket
from ingest.inbox import Delivery, Inbox
from ingest.statuses import StatusBook
from schemas.topic import FOREIGN_FILTERS, FOREIGN_LANE, Stream, lane_filter, status_filter

KEEPALIVE_S = 30
SESSION_EXPIRY_S = 14 * 86_400
"""How long the broker keeps messages for a lane that nobody holds."""
RECEIVE_MAXIMUM = {Stream.LIVE: 2_000, Stream.BACKLOG: 500}
"""Messages of a session that may wait for their PUBACK: with 16 lanes what one process can have in memory."""
RECEIPTS_UNDERWAY = 1_000
_RETRY_S = (0.2, 10.0)
_QOS = 1
_OPTIONS = SubscribeOptions(qos=_QOS, retainHandling=SubscribeOptions.RETAIN_SEND_IF_NEW_SUB)

log = structlog.get_logger()


@dataclass(frozen=True)
class Broker:
    """The broker's address and our login."""

    url: str
    user: str | None = None
    password: str | None = None


def client_id(lane: int, stream: Stream = Stream.LIVE) -> str:
    """Give the client id of a lane's session; whoever connects under it continues the session."""
    return f"homeward-ingest-lane-{lane}" + ("" if stream is Stream.LIVE else f"-{stream}")


class LaneSession:
    """One stream of one lane: connects, reads, confirms, and comes back after a lost connection."""

    def __init__(
        self,
        lane: int,
        stream: Stream,
        broker: Broker,
        inbox: Inbox,
        statuses: StatusBook,
        opened: Callable[[LaneSession, Any], None],
        closed: Callable[[LaneSession, Any], None],
    ) -> None:
        self.lane, self.stream = lane, stream
        self.generation = 0
        self._foreign: int | None = None
        self.unconfirmed = 0
        self.wants_write = False
        self.is_connected = False
        self.is_leaving = False
        self._inbox, self._statuses = inbox, statuses
        self._status_request: int | None = None
        self._retry_s, self._retry_at = _RETRY_S[0], 0.0
        self._address = urlsplit(broker.url)
        client = BufferedClient(
            CallbackAPIVersion.VERSION2,
            client_id=client_id(lane, stream),
            protocol=mqtt.MQTTv5,
            manual_ack=True,
            reconnect_on_failure=False,
        )
        client.username_pw_set(broker.user, broker.password)
        client.max_inflight_messages_set(RECEIPTS_UNDERWAY)
        if self._address.scheme == "mqtts":
            client.tls_set()
        client.on_connect = self._on_connect
        client.on_disconnect = self._on_disconnect
        client.on_subscribe = self._on_subscribe
        client.on_message = self._on_message
        client.on_socket_open = lambda _c, _u, sock: opened(self, sock)
        client.on_socket_close = lambda _c, _u, sock: closed(self, sock)
        client.on_socket_register_write = self._on_wants_write
        self._client = client

    def connect_if_due(self) -> None:
        """Connect where there is no connection and the pause after the last attempt is over."""
        if self._client.wire is not None or self.is_leaving or time.monotonic() < self._retry_at:
            return
        self._plan_retry()
        properties = Properties(PacketTypes.CONNECT)  # type: ignore[no-untyped-call]
        properties.SessionExpiryInterval = SESSION_EXPIRY_S
        properties.ReceiveMaximum = RECEIVE_MAXIMUM[self.stream]
        port = self._address.port or (8883 if self._address.scheme == "mqtts" else 1883)
        try:
            self._client.connect(
                self._address.hostname or "", port, KEEPALIVE_S, clean_start=False, properties=properties
            )
        except OSError as failed:
            log.warning("broker not reached", action="broker_unreached", lane=self.lane, error=type(failed).__name__)

    def read(self) -> None:
        """Take the messages that have come; paho handles everything else."""
        wire = self._client.wire
        if wire is None:
            return
        wire.fill()
        while True:
            while message := wire.next_message():
                self._take(message.topic, message.payload, message.packet)
            if not wire.has_packet():
                return
            self._client.loop_read()
            if self._client.wire is not wire:
                return

    def flush(self) -> bool:
        """Send what is to be sent; say whether the network is too full for all of it."""
        self.wants_write = False
        if self._client.want_write():
            self._client.loop_write()
        wire = self._client.wire
        try:
            return wire is not None and wire.flush()
        except OSError:
            self._client.loop_read()  # notices the lost connection and says so
            return False

    @property
    def wire(self) -> BufferedSocket | None:
        """The connection's socket; None while there is none."""
        return self._client.wire

    def keep_alive(self) -> None:
        """Ping where it is time to."""
        self._client.loop_misc()

    def confirm(self, delivery: Delivery) -> None:
        """Send a message's PUBACK, unless its connection is gone."""
        wire = self._client.wire
        if wire is not None and delivery.generation == self.generation:
            self.unconfirmed -= 1
            if delivery.packet:  # what was published with QoS 0 has no number, and asks for no PUBACK
                wire.confirm(delivery.packet)
                self.wants_write = True

    def publish(self, topic: str, payload: bytes, correlation: bytes | None) -> None:
        """Publish a receipt."""
        properties = Properties(PacketTypes.PUBLISH)  # type: ignore[no-untyped-call]
        if correlation is not None:
            properties.CorrelationData = correlation
        self._client.publish(topic, payload, qos=_QOS, properties=properties)

    def leave(self) -> None:
        """Take no more messages from here on; what was taken is still confirmed."""
        self.is_leaving = True

    def close(self) -> None:
        """End the connection; the session stays with the broker."""
        self.is_leaving = True
        self.generation += 1
        if self._client.wire is not None:
            self._client.disconnect()
            self._client.loop_write()
        self.is_connected = False

    def _plan_retry(self) -> None:
        self._retry_at = time.monotonic() + self._retry_s * random.uniform(0.5, 1.0)  # noqa: S311
        self._retry_s = min(self._retry_s * 2, _RETRY_S[1])

    def _on_connect(self, client: mqtt.Client, _u: Any, flags: Any, reason: Any, _p: Any) -> None:
        if reason.is_failure:
            log.error("broker refused", action="broker_refused", lane=self.lane, reason=str(reason))
            return
        self._retry_s = _RETRY_S[0]
        self.is_connected = flags.session_present
        # every time: who held the lane may have been killed between making the session and subscribing
        client.subscribe(lane_filter(self.lane, self.stream), options=_OPTIONS)
        if self.stream is Stream.LIVE:
            # every time: the broker then gives each device's newest status again
            self._status_request = client.subscribe(status_filter(self.lane), 0)[1]
        if self.lane == FOREIGN_LANE and self.stream is Stream.LIVE:
            # at every connection, as nothing comes twice: a session may be older than these subscriptions
            _, self._foreign = client.subscribe([(topic, _OPTIONS) for topic in FOREIGN_FILTERS])
        log.debug("lane connected", action="lane_connected", lane=self.lane, session=flags.session_present)

    def _on_subscribe(self, _c: mqtt.Client, _u: Any, packet: int, reasons: list[Any], _p: Any) -> None:
        if packet in (self._foreign, self._status_request):
            # a broker whose rules do not know of these topics yet must not cost the lane
            if any(reason.is_failure for reason in reasons):
                what = "gateways" if packet == self._foreign else "status"
                log.warning("broker refused some topics", action="topics_refused", lane=self.lane, topics=what)
        elif any(reason.is_failure for reason in reasons):
            log.error("broker refused the lane", action="lane_refused", lane=self.lane, reason=str(reasons[0]))
        else:
            self.is_connected = True

    def _on_disconnect(self, _c: mqtt.Client, _u: Any, _f: Any, reason: Any, _p: Any) -> None:
        self.generation += 1
        self.unconfirmed = 0
        self.is_connected = False
        if not self.is_leaving:
            log.warning("lane disconnected", action="lane_disconnected", lane=self.lane, reason=str(reason))
            self._plan_retry()

    def _on_message(self, _c: mqtt.Client, _u: Any, message: mqtt.MQTTMessage) -> None:
        """Take a message that has properties, or a status; the others come straight from the wire."""
        if not message.qos and (topic := _topic(message)).endswith("/status"):
            self._statuses.put(topic, bytes(message.payload), time.time_ns() // 1000)
            return
        properties = vars(message.properties) if message.properties else {}
        self._take(
            _topic(message),
            bytes(message.payload),
            message.mid,
            properties.get("ResponseTopic"),
            properties.get("CorrelationData"),
        )

    def _take(
        self, topic: str, payload: bytes, packet: int, response: str | None = None, correlation: bytes | None = None
    ) -> None:
        if self.is_leaving:
            return
        self.unconfirmed += 1
        incoming = Incoming.from_topic(topic, payload, time.time_ns() // 1000)
        self._inbox.put(Delivery(incoming, self, self.generation, packet, response, correlation))

    def _on_wants_write(self, _c: Any, _u: Any, _s: Any) -> None:
        self.wants_write = True


def _topic(message: mqtt.MQTTMessage) -> str:
    try:
        return message.topic
    except UnicodeDecodeError:
        return "not UTF-8"

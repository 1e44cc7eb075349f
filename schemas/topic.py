"""What do MQTT topics look like, and which parts carry meaning?

``homeward/v1/{lane}/{device}/observations``, ``…/backlog``, ``…/receipts`` and ``…/status``. Device codes are opaque:
no name and no NHS number ever travels in a topic. Beside these there are two topics of devices that cannot be told
where to publish.
"""

from __future__ import annotations

import re
import zlib
from enum import StrEnum
from typing import NamedTuple

LANES = 16
PREFIX = "homeward/v1"
DEVICE_CODE = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,63}\Z")


class Stream(StrEnum):
    """Which of a lane's two streams: what is observed now goes before what was kept for want of a connection."""

    LIVE = "observations"
    BACKLOG = "backlog"


class Topic(NamedTuple):
    """The parts of a topic below ``homeward/v1``."""

    lane: int
    device: str
    leaf: str


def lane_of(code: str) -> int:
    """Choose the lane of a device: the same on every machine and in every process."""
    return zlib.crc32(code.encode()) % LANES


def topic_of(code: str) -> str:
    """Where the device of this code publishes."""
    return observations_topic(lane_of(code), code)


def observations_topic(lane: int, device: str) -> str:
    """Where a device or hub publishes its observations."""
    return f"{PREFIX}/{lane}/{device}/{Stream.LIVE}"


def backlog_topic(lane: int, device: str) -> str:
    """Where a device or hub publishes what it kept while it had no connection: it yields to what is live."""
    return f"{PREFIX}/{lane}/{device}/{Stream.BACKLOG}"


def receipts_topic(lane: int, device: str) -> str:
    """Where a device or hub asks for the receipts of what it published."""
    return f"{PREFIX}/{lane}/{device}/receipts"


def status_topic(lane: int, device: str) -> str:
    """Where a device or hub says that it is online; its Last Will says the contrary."""
    return f"{PREFIX}/{lane}/{device}/status"


def site_alerts_topic(site_id: int) -> str:
    """Where a display on a site's wall hears of alerts; ``sites`` stands where a device's topics have their lane."""
    return f"{PREFIX}/sites/{site_id}/alerts"


def lane_filter(lane: int, stream: Stream) -> str:
    """What an ingest worker subscribes to for one stream of one lane."""
    return f"{PREFIX}/{lane}/+/{stream}"


def status_filter(lane: int) -> str:
    """What an ingest worker subscribes to for the status of a lane's devices."""
    return f"{PREFIX}/{lane}/+/status"


GATEWAY_FILTER = "home/+/BTtoMQTT/+"
"""Where gateways of Theengs and OpenMQTTGateway publish: ``home/{gateway}/BTtoMQTT/{address}``."""
SCALE_TOPIC = "data"
"""Where the export2garmin scale bridge publishes. It names nobody: the device registered under this code is meant."""
FOREIGN_FILTERS = (GATEWAY_FILTER, SCALE_TOPIC)
FOREIGN_LANE = 0
"""The lane that hears the topics of others, which name none."""


def gateway_of(topic: str) -> str | None:
    """Give the code of the gateway in a gateway's topic; None for any other topic."""
    parts = topic.split("/")
    return parts[1] if len(parts) == 4 and parts[0] == "home" and parts[2] == "BTtoMQTT" else None


def foreign_sender(topic: str) -> str | None:
    """Give the code of the device that publishes on a topic of others; None where it is none of them."""
    return SCALE_TOPIC if topic == SCALE_TOPIC else gateway_of(topic)


def parse(topic: str) -> Topic:
    """Take a topic apart.

    Raises
    ------
    ValueError
        Where it is not one of Homeward's.
    """
    parts = topic.split("/")
    if len(parts) != 5 or parts[0] != "homeward" or parts[1] != "v1":
        raise ValueError(f"topic {topic!r}: expected {PREFIX}/{{lane}}/{{device}}/observations")
    lane, device, leaf = parts[2:]
    if not lane.isascii() or not lane.isdigit() or int(lane) >= LANES or str(int(lane)) != lane:
        raise ValueError(f"topic {topic!r}: lane {lane!r} is not a number from 0 to {LANES - 1}")
    if not DEVICE_CODE.match(device):
        raise ValueError(f"topic {topic!r}: device {device!r} is not a device code")
    return Topic(int(lane), device, leaf)

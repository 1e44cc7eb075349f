"""How do the tests play the display of a site, which hears its alerts from the broker?"""

from __future__ import annotations

import contextlib
import json
import threading
from collections.abc import Iterator
from typing import Any

import paho.mqtt.client as mqtt
from paho.mqtt.enums import CallbackAPIVersion

from schemas.topic import site_alerts_topic
from tests.conftest import TestBroker
from tests.waiting import PATIENCE_S, wait_until


@contextlib.contextmanager
def display(broker: TestBroker, site: int, listens_to: int | None = None) -> Iterator[list[dict[str, Any]]]:
    """Be the display of a site, listening to that site or to another, and give what is heard."""
    user, heard, subscribed = f"display-{site}", list[dict[str, Any]](), threading.Event()
    password = broker.server.credentials(user).password
    broker.accounts.add_display(user, password, site_alerts_topic(site))
    host, port = broker.url.removeprefix("mqtt://").split(":")
    client = mqtt.Client(CallbackAPIVersion.VERSION2, protocol=mqtt.MQTTv5)
    client.username_pw_set(user, password)
    client.on_message = lambda _c, _u, m: heard.append(json.loads(m.payload))
    client.on_subscribe = lambda *_: subscribed.set()
    client.connect(host, int(port))
    client.loop_start()
    wait_until(client.is_connected, "the display is connected")
    client.subscribe(site_alerts_topic(site if listens_to is None else listens_to), qos=1)
    assert subscribed.wait(PATIENCE_S)
    yield heard
    client.disconnect()
    client.loop_stop()

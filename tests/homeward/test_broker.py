"""Does the broker let a login use its own topics and nothing else, and does it keep what LIBRARIES of its kind lose?"""

import queue
from collections.abc import Iterator
from urllib.parse import urlsplit

import paho.mqtt.client as mqtt
import pytest
from paho.mqtt.enums import CallbackAPIVersion

from homeward.broker_accounts import BrokerAccounts
from homeward.local import SetupError
from tests.conftest import TestBroker
from tests.waiting import PATIENCE_S


class Peer:
    """One connection, whose receipts and messages can be waited for."""

    def __init__(self, broker: TestBroker, user: str, password: str) -> None:
        self.connected: queue.Queue[str] = queue.Queue()
        self.receipts: queue.Queue[str] = queue.Queue()
        self.messages: queue.Queue[mqtt.MQTTMessage] = queue.Queue()
        self.gone: queue.Queue[str] = queue.Queue()
        self.subscribed: queue.Queue[str] = queue.Queue()
        self.client = mqtt.Client(CallbackAPIVersion.VERSION2, protocol=mqtt.MQTTv5)
        self.client.username_pw_set(user, password)
        self.client.on_connect = lambda *a: self.connected.put(str(a[3]))
        self.client.on_publish = lambda *a: self.receipts.put(str(a[3]))
        self.client.on_message = lambda *a: self.messages.put(a[2])
        self.client.on_disconnect = lambda *a: self.gone.put(str(a[3]))
        self.client.on_subscribe = lambda *a: self.subscribed.put(str(a[3][0]))
        address = urlsplit(broker.url)
        self.client.connect(address.hostname, address.port)
        self.client.loop_start()
        self.outcome = self.connected.get(timeout=PATIENCE_S)

    def publish(self, topic: str, payload: bytes = b"{}") -> str:
        """Publish at QoS 1 and return the broker's reason."""
        self.client.publish(topic, payload, qos=1)
        return self.receipts.get(timeout=PATIENCE_S)

    def subscribe(self, topic: str) -> None:
        """Subscribe at QoS 1 and wait for the answer."""
        self.client.subscribe(topic, qos=1)
        self.subscribed.get(timeout=PATIENCE_S)

    def close(self) -> None:
        """Disconnect."""
        self.client.disconnect()
        self.client.loop_stop()


@pytest.fixture
def peers(broker: TestBroker) -> Iterator[dict[str, Peer]]:
    """A service, a device, and another device."""
    broker_peers = {"service": Peer(broker, "listener", broker.add_service("listener"))}
    for device in ("cuff-7", "cuff-8"):
        broker_peers[device] = Peer(broker, device, broker.add_device(device))
    yield broker_peers
    for peer in broker_peers.values():
        peer.close()


def test_a_device_publishes_on_its_own_topic_only(peers: dict[str, Peer]) -> None:
    # not everything: other tests have left retained words of their devices' standing at this broker
    for device in ("cuff-7", "cuff-8"):
        peers["service"].subscribe(f"homeward/v1/+/{device}/#")
    assert peers["cuff-7"].publish("homeward/v1/3/cuff-8/observations") == "Not authorized"
    assert peers["cuff-7"].publish("homeward/v2/03/cuff-7/observations") == "Not authorized"
    assert peers["cuff-7"].publish("$CONTROL/dynamic-security/v1") == "Not authorized"
    # nor what a display on a wall takes for the notifier's, even where a site had the device's code for its number
    assert peers["cuff-7"].publish("homeward/v1/sites/cuff-7/alerts") == "Not authorized"
    assert peers["cuff-7"].publish("homeward/v1/3/cuff-7/observations") == "Success"
    assert peers["service"].messages.get(timeout=PATIENCE_S).topic == "homeward/v1/3/cuff-7/observations"
    assert peers["service"].messages.empty()


def test_a_device_receives_its_own_receipts_only(peers: dict[str, Peer]) -> None:
    peers["cuff-8"].subscribe("#")
    assert peers["cuff-7"].publish("homeward/v1/3/cuff-7/observations").startswith(("Success", "No matching"))
    for device in ("cuff-7", "cuff-8"):
        peers["service"].publish(f"homeward/v1/3/{device}/receipts")
    assert peers["cuff-8"].messages.get(timeout=PATIENCE_S).topic == "homeward/v1/3/cuff-8/receipts"
    assert peers["cuff-8"].messages.empty()


def test_a_service_does_not_pose_as_a_device(peers: dict[str, Peer]) -> None:
    assert peers["service"].publish("homeward/v1/3/cuff-7/observations") == "Not authorized"


def test_a_payload_of_ten_megabytes_is_refused(peers: dict[str, Peer]) -> None:
    peers["cuff-7"].client.publish("homeward/v1/3/cuff-7/observations", b"x" * 10_000_000, qos=1)
    assert peers["cuff-7"].gone.get(timeout=PATIENCE_S) != "Normal disconnection"


def test_an_unknown_login_and_a_name_with_wildcards_are_refused(broker: TestBroker) -> None:
    for user in ("nobody-we-know", "+", "#"):
        peer = Peer(broker, user, "guess")
        assert peer.outcome == "Not authorized"
        peer.close()


def test_an_account_can_be_given_again_and_taken_away(broker: TestBroker) -> None:
    broker.accounts.add_devices([("scale-1", "first"), ("scale-2", "other")])
    broker.accounts.add_device("scale-1", "second")
    old, new = Peer(broker, "scale-1", "first"), Peer(broker, "scale-1", "second")
    assert old.outcome == "Not authorized"
    assert new.outcome == "Success"
    broker.accounts.remove("scale-1")
    broker.accounts.remove("scale-1")
    assert new.gone.get(timeout=PATIENCE_S)
    old.close()
    new.close()


def test_a_wrong_administrator_is_told_so(broker: TestBroker) -> None:
    with pytest.raises(SetupError, match="refused the account administrator: Not authorized"):
        BrokerAccounts(broker.url, broker.server.admin.user, "guess")

"""Does the broker let hubs in over TLS, by password or by certificate, and nobody else from outside?"""

import queue
import socket
import ssl
from pathlib import Path

import paho.mqtt.client as mqtt
import psutil
import pytest
from paho.mqtt.enums import CallbackAPIVersion

from device_sim.publisher import Publisher
from homeward.local.authority import Issued, fingerprint_of
from homeward.local.broker import HubAddress, PrivateBroker
from homeward.local.errors import SetupError
from homeward.local.programs import Programs
from homeward.local.watchdog import Watchdog
from schemas.topic import topic_of
from tests.conftest import TestBroker
from tests.device_sim.receipt_writer import ReceiptWriter
from tests.waiting import PATIENCE_S, wait_until


class Hub:
    """One connection over TLS, whose fate can be waited for."""

    def __init__(self, address: HubAddress, context: ssl.SSLContext, user: str = "", password: str = "") -> None:
        self.connected: queue.Queue[str] = queue.Queue()
        self.published: queue.Queue[str] = queue.Queue()
        self.gone: queue.Queue[str] = queue.Queue()
        self.client = mqtt.Client(CallbackAPIVersion.VERSION2, protocol=mqtt.MQTTv5, reconnect_on_failure=False)
        if user:
            self.client.username_pw_set(user, password)
        self.client.tls_set_context(context)
        self.client.on_connect = lambda *a: self.connected.put(str(a[3]))
        self.client.on_publish = lambda *a: self.published.put(str(a[3]))
        self.client.on_disconnect = lambda *a: (self.gone.put(str(a[3])), self.connected.put(f"gone: {a[3]}"))
        self.client.connect(address.host, address.port)
        self.client.loop_start()
        self.outcome = self.connected.get(timeout=PATIENCE_S)

    def publish(self, topic: str) -> str:
        """Publish at QoS 1 and return the broker's reason."""
        self.client.publish(topic, b"{}", qos=1)
        return self.published.get(timeout=PATIENCE_S)

    def close(self) -> None:
        """Disconnect."""
        self.client.disconnect()
        self.client.loop_stop()


@pytest.fixture
def context(broker: TestBroker) -> ssl.SSLContext:
    """What a hub that trusts this installation's authority, and no other, connects with."""
    return ssl.create_default_context(cadata=broker.server.authority.certificate)


def with_certificate(broker: TestBroker, issued: Issued, folder: Path) -> ssl.SSLContext:
    """What a device with a certificate connects with."""
    found = ssl.create_default_context(cadata=broker.server.authority.certificate)
    (folder / "device.pem").write_text(issued.certificate + issued.key)
    found.load_cert_chain(folder / "device.pem")
    return found


def outcome(address: HubAddress, context: ssl.SSLContext, user: str = "", password: str = "") -> str:
    """Try to connect, and give what came of it; TLS 1.3 tells of a refused certificate only when something is read."""
    try:
        hub = Hub(address, context, user, password)
    except OSError as refused:
        return type(refused).__name__
    hub.close()
    return hub.outcome


def test_a_hub_signs_in_over_tls_by_password_and_keeps_to_its_own_topics(
    broker: TestBroker, context: ssl.SSLContext
) -> None:
    hub = Hub(broker.server.hubs, context, "hub-tls", broker.add_device("hub-tls"))
    assert hub.outcome == "Success"
    assert hub.publish("homeward/v1/3/hub-tls/observations").startswith(("Success", "No matching"))
    assert hub.publish("homeward/v1/3/cuff-7/observations") == "Not authorized"
    hub.close()
    assert outcome(broker.server.hubs, context, "hub-tls", "guess") != "Success"
    assert outcome(broker.server.hubs, context) != "Success"


def test_the_fingerprint_tells_the_authority_that_signed_for_the_broker(
    broker: TestBroker, context: ssl.SSLContext
) -> None:
    host, port, _ = broker.server.hubs
    with socket.create_connection((host, port)) as plain, context.wrap_socket(plain, server_hostname=host) as wire:
        assert wire.version() == "TLSv1.3"
    assert fingerprint_of(broker.server.authority.certificate) == broker.server.authority.fingerprint
    # whoever does not know the authority notices
    with socket.create_connection((host, port)) as plain, pytest.raises(ssl.SSLCertVerificationError):
        ssl.create_default_context().wrap_socket(plain, server_hostname=host)


def test_a_certificate_signs_a_device_in_without_a_password_until_it_is_revoked(
    broker: TestBroker, context: ssl.SSLContext, tmp_path: Path
) -> None:
    broker.accounts.add_device("cuff-c", "never told to anybody")
    by_certificate = with_certificate(broker, broker.server.authority.issue("cuff-c"), tmp_path)
    hub = Hub(broker.server.hubs_with_certificate, by_certificate)
    assert hub.outcome == "Success"
    assert hub.publish("homeward/v1/3/cuff-c/observations").startswith(("Success", "No matching"))
    assert hub.publish("homeward/v1/3/hub-tls/observations") == "Not authorized"
    # a password is no way in there, nor is a user name beside the certificate's
    assert outcome(broker.server.hubs_with_certificate, context, "hub-x", broker.add_device("hub-x")) != "Success"
    posing = Hub(broker.server.hubs_with_certificate, by_certificate, "hub-x", "pw")
    assert posing.publish("homeward/v1/3/hub-x/observations") == "Not authorized"
    posing.close()
    broker.server.revoke("cuff-c")
    broker.accounts.remove("cuff-c")
    assert hub.gone.get(timeout=PATIENCE_S)
    hub.close()
    wait_until(lambda: outcome(broker.server.hubs_with_certificate, by_certificate) != "Success")
    # others are let in as before
    (tmp_path / "other").mkdir()
    other = with_certificate(broker, broker.server.authority.issue("cuff-d"), tmp_path / "other")
    assert outcome(broker.server.hubs_with_certificate, other) == "Success"


def test_another_authority_s_certificate_is_refused(broker: TestBroker, tmp_path: Path) -> None:
    from homeward.local.authority import Authority

    stranger = Authority(tmp_path / "stranger")
    stranger.ensure()
    context = with_certificate(broker, stranger.issue("cuff-7"), tmp_path)
    assert outcome(broker.server.hubs_with_certificate, context) != "Success"


def test_without_tls_only_this_machine_is_heard(service_folder: Path, programs: Programs, watchdog: Watchdog) -> None:
    """Named for the network, TLS listens to it; the plain listener does not, and the certificate has the name."""
    server = PrivateBroker(service_folder / "open", programs, HubAddress("hub.example.nhs.uk", 0))
    server.start(watchdog)
    try:
        assert server.pid is not None
        heard = psutil.Process(server.pid).net_connections("inet")
        listening = {(c.laddr.port, c.laddr.ip) for c in heard if c.status == psutil.CONN_LISTEN}
        plain = int(server.url.rpartition(":")[2])
        assert {ip for port, ip in listening if port == plain} == {"127.0.0.1"}
        for hubs in (server.hubs, server.hubs_with_certificate):
            assert hubs.host == "hub.example.nhs.uk"
            assert "0.0.0.0" in {ip for port, ip in listening if port == hubs.port}
        context = ssl.create_default_context(cadata=server.authority.certificate)
        with (
            socket.create_connection(("127.0.0.1", server.hubs.port)) as wire,
            context.wrap_socket(wire, server_hostname="hub.example.nhs.uk") as secured,
        ):
            assert secured.version()
        ports, fingerprint = (server.hubs, server.hubs_with_certificate), server.authority.fingerprint
        server.stop()
        server.start(watchdog)
        assert (server.hubs, server.hubs_with_certificate) == ports
        assert server.authority.fingerprint == fingerprint
    finally:
        server.stop()


def test_a_fixed_port_that_is_taken_is_said_and_not_replaced(
    service_folder: Path, programs: Programs, watchdog: Watchdog
) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        fixed = HubAddress("127.0.0.1", taken.getsockname()[1], is_fixed=True)
        server = PrivateBroker(service_folder / "fixed", programs, fixed)
        with pytest.raises(SetupError, match="HOMEWARD_MQTT_TLS"):
            server.start(watchdog)


@pytest.fixture
def trusted(broker: TestBroker, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """The broker's address over TLS, its authority named as the machine's own are."""
    file = tmp_path / "ca.crt"
    file.write_text(broker.server.authority.certificate)
    monkeypatch.setenv("SSL_CERT_FILE", str(file))
    host, port, _ = broker.server.hubs
    return f"mqtts://{host}:{port}"


def test_a_hub_of_ours_publishes_over_tls_and_gets_its_receipts(broker: TestBroker, trusted: str) -> None:
    topic = topic_of("hub-s")
    with (
        ReceiptWriter(broker.url, "writer-s", broker.add_service("writer-s"), topic) as _,
        Publisher(trusted, "hub-s", broker.add_device("hub-s")) as publisher,
    ):
        assert publisher.publish(b'{"time": "2026-01-01T00:00:00Z", "values": {"pulse": 60}}', 1)
        assert publisher.wait_for_receipts(PATIENCE_S)
        assert publisher.tally.unaccounted == 0

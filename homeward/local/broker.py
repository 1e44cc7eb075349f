"""How does an installation run a Mosquitto of its own?

Accounts are the dynamic security plug-in's, so a new device needs no restart. That plug-in (as of 2.0) does not put a
user's name into a topic, so what a device may do stands in an access file: everything below its own name, nothing
else. Mosquitto asks the file first, and the plug-in's roles where the file does not allow it. A device may subscribe to
any pattern, as the file has no say in that, but no message reaches it that it may not read.

It listens three times: without TLS on this machine only, for the services; with TLS for hubs that have a password; and
with TLS for devices that have a certificate, whose name is their login. One listener cannot do both of these: Mosquitto
either asks every connection for a certificate or none.
"""

import base64
import hashlib
import json
import os
import signal
import socket
from pathlib import Path
from typing import NamedTuple

from homeward.local import process
from homeward.local.authority import Authority, names_of_this_machine
from homeward.local.errors import SetupError
from homeward.local.programs import Programs
from homeward.local.server_folder import Manner, ServerFolder
from homeward.local.watchdog import Watchdog
from schemas.topic import FOREIGN_FILTERS, LANES, PREFIX

MANNER = Manner("Mosquitto", "mosquitto", (signal.SIGTERM,), start_timeout_s=20.0, stop_grace_s=10.0)
ADMIN = "homeward-admin"
ADMIN_ROLE = "homeward-admin"
PROVISIONING_ROLE = "homeward-provisioning"
SERVICE_ROLE = "homeward-service"
NOTIFIER_ROLE = "homeward-notifier"
DISPLAY_ROLE = "homeward-display"
CONTROL = "$CONTROL/dynamic-security/#"
HASH_ITERATIONS = 10_000
MANY_CONNECTIONS = ("/bin/sh", "-c", 'ulimit -S -n "$(ulimit -H -n)"; exec "$@"', "mosquitto")
"""Starts a program that may have as many connections as the system lets it; a login's usual 1024 are few."""

SETTINGS = """\
# Written by Homeward at every start.
listener {tls_port}{tls_bind}
cafile {tls}/ca.crt
certfile {tls}/server.crt
keyfile {tls}/server.key
listener {certificate_port}{tls_bind}
cafile {tls}/ca.crt
certfile {tls}/server.crt
keyfile {tls}/server.key
crlfile {tls}/revoked.pem
require_certificate true
use_identity_as_username true
# the last to be opened: once it answers, all do
listener {port} {host}
allow_anonymous false
plugin {plugin}
plugin_opt_config_file {accounts}
acl_file {access}
# Mosquitto's own limits would drop an offline subscriber's messages past the thousandth.
persistence true
persistence_location {store}/
autosave_interval 2
persistent_client_expiration 14d
max_inflight_messages 0
max_queued_messages 0
max_queued_bytes 0
# What gateways publish with QoS 0 waits for ingest as well: they know no other.
queue_qos0_messages true
message_size_limit {largest_payload}
max_packet_size {largest_packet}
retain_available true
set_tcp_nodelay true
connection_messages false
log_dest stderr
log_type error
log_type warning
log_type notice
log_timestamp_format %Y-%m-%dT%H:%M:%S
"""
LARGEST_PAYLOAD = 2**20
LARGEST_PACKET = LARGEST_PAYLOAD + 2**16

# The lanes one by one: what begins with `sites` there is the notifier's, and no device's whose code is a site's number.
_OF_ITS_LANE = "".join(
    f"pattern write {PREFIX}/{lane}/%u/#\npattern read {PREFIX}/{lane}/%u/receipts\n" for lane in range(LANES)
)
ACCESS = f"""\
# Every login may do this with the topics of its own name; roles add to it.
{_OF_ITS_LANE}# Gateways and scales of others, which cannot be told where to publish: each under its own name as well.
pattern write home/%u/BTtoMQTT/+
pattern write %u
"""

# What each role may do: (kind of access, topics).
ROLES = {
    ADMIN_ROLE: [
        ("publishClientSend", CONTROL),
        ("publishClientReceive", CONTROL),
        ("subscribePattern", CONTROL),
        ("publishClientReceive", "$SYS/#"),
        ("subscribePattern", "$SYS/#"),
    ],
    # may give and take logins, and hears nothing that devices send
    PROVISIONING_ROLE: [
        ("publishClientSend", CONTROL),
        ("publishClientReceive", CONTROL),
        ("subscribePattern", CONTROL),
    ],
    SERVICE_ROLE: [
        ("publishClientSend", "homeward/v1/+/+/receipts"),
        ("publishClientReceive", "homeward/v1/#"),
        ("subscribePattern", "homeward/v1/#"),
        *((kind, topic) for topic in FOREIGN_FILTERS for kind in ("publishClientReceive", "subscribePattern")),
    ],
    NOTIFIER_ROLE: [("publishClientSend", f"{PREFIX}/sites/+/alerts")],
}


class Credentials(NamedTuple):
    """A login of the broker."""

    user: str
    password: str


class HubAddress(NamedTuple):
    """Where hubs connect with TLS: the name that they use, and the port; 0 takes a free one.

    Anything but a name of this machine for itself opens the ports to the network.
    """

    host: str
    port: int
    is_fixed: bool = False

    @property
    def is_local(self) -> bool:
        """Whether only this machine can connect."""
        return self.host in ("127.0.0.1", "localhost", "::1")


class PrivateBroker:
    """One folder's Mosquitto: started and stopped by one process, its address readable by every process of the user."""

    def __init__(self, folder: Path, programs: Programs, hubs: HubAddress | None = None) -> None:
        self._programs = programs
        self._hubs = hubs or HubAddress(process.HOST, 0)
        self._server = ServerFolder(folder, MANNER)
        self._folder = self._server.path
        self._settings = self._folder / "mosquitto.conf"
        self._accounts = self._folder / "accounts.json"
        self._tls = self._folder / "tls"
        self.authority = Authority(self._folder / "authority")
        self._watchdog: Watchdog | None = None

    @property
    def pid(self) -> int | None:
        """The broker's process, where this process started it."""
        return self._server.pid

    @property
    def url(self) -> str:
        """The broker's address, without a login."""
        return f"mqtt://{process.HOST}:{self._server.port}"

    @property
    def hubs(self) -> HubAddress:
        """Where hubs with a password connect over TLS."""
        return HubAddress(self._read("tls_host"), int(self._read("tls_port")))

    @property
    def hubs_with_certificate(self) -> HubAddress:
        """Where devices with a certificate connect."""
        return HubAddress(self._read("tls_host"), int(self._read("certificate_port")))

    @property
    def has_started(self) -> bool:
        """Whether the broker has ever been started here: only then has it certificates."""
        return (self._tls / "server.crt").exists()

    @property
    def server_certificate(self) -> str:
        """The certificate that it shows to hubs, as PEM."""
        try:
            return (self._tls / "server.crt").read_text()
        except OSError as failed:
            raise SetupError(f"{self._tls / 'server.crt'} cannot be read ({failed.strerror}).") from failed

    @property
    def admin(self) -> Credentials:
        """The login that may manage the broker's accounts, and nothing else."""
        return self.credentials(ADMIN)

    def credentials(self, user: str) -> Credentials:
        """Return the login that belongs to a user here; make it known to the broker with `BrokerAccounts` first."""
        return Credentials(user, self._server.password(user))

    def is_running(self) -> bool:
        """Tell whether the broker listens."""
        if not (self._folder / "port").exists():
            return False
        with socket.socket() as probe:
            return probe.connect_ex((process.HOST, self._server.port)) == 0

    def start(self, watchdog: Watchdog | None = None) -> None:
        """Start the broker, ending first what a killed parent left behind, and wait until it listens."""
        self._server.open(self._settings)
        self._watchdog = watchdog
        try:
            self._server.account.make_folder(self._folder / "store")
            self._prepare_tls()
            self._server.account.write_secret(self._folder / "access.acl", ACCESS)
            if not self._accounts.exists():
                self._server.account.write_secret(self._accounts, json.dumps(self._first_accounts(), indent=1))
            command: list[str | Path] = [*MANY_CONNECTIONS, self._programs.mosquitto, "-c", self._settings]
            self._server.launch(command, self._configure, self.is_running, watchdog)
        except BaseException:
            self.stop()
            raise

    def stop(self) -> None:
        """Stop the broker, which saves its sessions, and let go of the folder."""
        self._server.close(self._watchdog)

    def revoke(self, code: str, *, but: str = "") -> None:
        """Let a device's certificates in no more, except one; the broker reads the list while it runs."""
        if self.authority.revoke(code, but=but):
            self._server.account.write_secret(self._tls / "revoked.pem", self.authority.revoked)
            for running in process.find(MANNER.program, self._settings):
                running.send_signal(signal.SIGHUP)

    def _prepare_tls(self) -> None:
        """Lay out what the listeners read: the authority and its list, and a certificate that lasts a while yet."""
        self.authority.ensure()
        account, present = self._server.account, self._tls / "server.crt"
        account.make_folder(self._tls)
        account.write_secret(self._tls / "ca.crt", self.authority.certificate)
        account.write_secret(self._tls / "revoked.pem", self.authority.revoked)
        names = names_of_this_machine(self._hubs.host)
        made = self.authority.server_certificate(present.read_text() if present.exists() else "", names)
        if made is not None:
            account.write_secret(self._tls / "server.key", made.key)
            account.write_secret(present, made.certificate)

    def _read(self, name: str) -> str:
        """Read what the last start has written down."""
        try:
            return (self._folder / name).read_text()
        except OSError as failed:
            raise SetupError(f"{self._folder / name} cannot be read; start the installation first.") from failed

    def _choose_port(self, name: str, wanted: int, taken: set[int]) -> int:
        """Take the port that hubs know from the last start, else the usual one, else a free one."""
        host = process.HOST if self._hubs.is_local else ""
        place = self._folder / name
        known = int(place.read_text()) if place.exists() and not self._hubs.is_fixed else wanted
        port = process.free_port(known or None, host)
        while port in taken:
            port = process.free_port(None, host)
        if self._hubs.is_fixed and port != wanted:
            raise SetupError(
                f"Port {wanted} cannot be listened on for hubs; stop the program that uses it, or set "
                "HOMEWARD_MQTT_TLS to another host:port."
            )
        self._server.account.write_secret(place, str(port))
        return port

    def _configure(self, port: int) -> None:
        wanted = self._hubs.port
        self._server.account.write_secret(self._folder / "tls_host", self._hubs.host)
        tls_port = self._choose_port("tls_port", wanted, {port})
        certificate_port = self._choose_port("certificate_port", wanted and wanted + 1, {port, tls_port})
        text = SETTINGS.format(
            port=port,
            host=process.HOST,
            tls=self._tls,
            tls_port=tls_port,
            tls_bind=f" {process.HOST}" if self._hubs.is_local else "",
            certificate_port=certificate_port,
            plugin=self._programs.dynamic_security,
            accounts=self._accounts,
            access=self._folder / "access.acl",
            store=self._folder / "store",
            largest_payload=LARGEST_PAYLOAD,
            largest_packet=LARGEST_PACKET,
        )
        if self._server.account.changes:
            text += f"user {self._server.account.name}\n"
        self._server.account.write_secret(self._settings, text)

    def _first_accounts(self) -> dict[str, object]:
        """Return the plug-in's first configuration: the administrator, the roles, and nothing allowed by default."""
        salt = os.urandom(12)
        password = self._server.password(ADMIN).encode()
        digest = hashlib.pbkdf2_hmac("sha512", password, salt, HASH_ITERATIONS)
        admin = {
            "username": ADMIN,
            "password": base64.b64encode(digest).decode(),
            "salt": base64.b64encode(salt).decode(),
            "iterations": HASH_ITERATIONS,
            "roles": [{"rolename": ADMIN_ROLE}],
        }
        default = {"publishClientSend": False, "publishClientReceive": False, "subscribe": False, "unsubscribe": True}
        roles = [{"rolename": role, "acls": access_rules(role)} for role in ROLES]
        return {"defaultACLAccess": default, "clients": [admin], "groups": [], "roles": roles}


def access_rules(role: str) -> list[dict[str, object]]:
    """Return a role's rules in the plug-in's words."""
    return [{"acltype": kind, "topic": topic, "priority": 0, "allow": True} for kind, topic in ROLES[role]]

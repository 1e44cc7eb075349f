"""Which services make up an installation, what is each of them told, and when are they ready?"""

from __future__ import annotations

import json
import sys
import urllib.error
import urllib.request
from pathlib import Path

from homeward.installation import INGEST_LOGIN, NOTIFY_LOGIN, PROVISIONING_LOGIN, Installation, with_login
from homeward.local import process
from homeward.local.broker import NOTIFIER_ROLE, PROVISIONING_ROLE
from homeward.local.errors import SetupError
from homeward.servers import require_free_port
from homeward.settings import Settings
from homeward.supervisor import Say, Service, Supervisor

READY_S = 60.0
# The simulator ends before those whom it waits for.
SIMULATOR_STAGE = 2
# Where the usual port is taken, the next ones are tried.
PORTS_TRIED = 20


def command(*words: str) -> list[str]:
    """Give the command line of one of Homeward's own commands."""
    return [sys.executable, "-m", "homeward", *words]


def check_http(settings: Settings) -> None:
    """Say at once where the address that was set is taken: before servers are started for nothing."""
    if "http" in settings.model_fields_set and settings.http_port:
        require_free_port(settings.http_host, settings.http_port)


def choose_http(settings: Settings, say: Say) -> str:
    """Give the dashboard's host:port: as set, or the first free one from the usual one on."""
    host, port = settings.http_host, settings.http_port
    if port == 0:
        return f"{host}:{process.free_port()}"
    if "http" in settings.model_fields_set:
        return settings.http
    for candidate in range(port, port + PORTS_TRIED):
        try:
            require_free_port(host, candidate)
        except SetupError:
            continue
        if candidate != port:
            say(f"Port {port} is taken; using {candidate}")
        return f"{host}:{candidate}"
    return f"{host}:{process.free_port()}"


def browser_address(http: str) -> str:
    """Give the address for a browser on this machine."""
    host, _, port = http.rpartition(":")
    return f"http://{'127.0.0.1' if host in ('0.0.0.0', '[::]', '::') else host}:{port}"  # noqa: S104 - compared only


def start_dashboard(installation: Installation, supervisor: Supervisor, http: str) -> None:
    """Start the pages and the API; they take longest to load, so first."""
    addresses = installation.addresses
    installation.service_login(PROVISIONING_LOGIN, PROVISIONING_ROLE)
    environment = installation.environment(
        database_url=addresses.database_url("homeward_dashboard"),
        ingest_database_url=addresses.ingest_database_url,
        mqtt_url=addresses.settings.mqtt_url or "",
        http=http,
        tls_proxy=addresses.settings.tls_proxy,
        public_url=addresses.settings.public_url or "",
        **({"mqtt_tls": addresses.settings.mqtt_tls} if "mqtt_tls" in addresses.settings.model_fields_set else {}),
    )
    supervisor.start(Service("dashboard", command("dashboard"), environment))


def start_scoring(installation: Installation, supervisor: Supervisor) -> None:
    """Start ingest and the clock."""
    addresses = installation.addresses
    database_url = addresses.database_url("homeward_ingest")
    broker_url = with_login(addresses.mqtt_url, installation.service_login(INGEST_LOGIN))
    ready_file(installation).unlink(missing_ok=True)
    ingest = installation.environment(
        database_url=database_url, mqtt_url=broker_url, ready_file=str(ready_file(installation))
    )
    supervisor.start(Service("ingest", command("ingest"), ingest))
    supervisor.start(Service("clock", command("clock"), installation.environment(database_url=database_url)))


def start_notifier(installation: Installation, supervisor: Supervisor, address: str, mail_url: str) -> None:
    """Start what tells people of episodes.

    Messages link to `address`, and mail is handed in at `mail_url`, unless the settings know better ones.
    """
    addresses, settings = installation.addresses, installation.addresses.settings
    environment = installation.environment(
        database_url=addresses.database_url("homeward_notify"),
        mqtt_url=with_login(addresses.mqtt_url, installation.service_login(NOTIFY_LOGIN, NOTIFIER_ROLE)),
        smtp_url=settings.smtp_url or mail_url,
        public_url=settings.public_url or address,
        message_networks=settings.message_networks,
    )
    supervisor.start(Service("notify", command("notify"), environment))


def ready_file(installation: Installation) -> Path:
    """Where ingest leaves word that it holds its lanes: what is published from then on is not missed."""
    return installation.home / "ingest.ready"


def await_services(installation: Installation, supervisor: Supervisor, address: str) -> None:
    """Wait until ingest hears the broker and the dashboard answers that all parts are ready."""
    supervisor.await_ready("ingest", ready_file(installation).exists, READY_S)
    supervisor.await_ready("dashboard", lambda: _answers(f"{address}/healthz"), READY_S)
    supervisor.await_ready("ingest", lambda: _answers(f"{address}/readyz"), READY_S)


def _answers(url: str) -> bool:
    try:
        with urllib.request.urlopen(url, timeout=5) as answer:  # noqa: S310 - our own http address
            return bool(json.load(answer).get("status") == "ok")
    except (OSError, urllib.error.URLError, json.JSONDecodeError):
        return False

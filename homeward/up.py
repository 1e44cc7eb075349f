"""What happens between "start" and "stop" of an installation, with or without a demonstration in it?

Servers, schema, services; a line when it is ready; watching over them; services stopped in order, and a line of counts.
Standard output carries nothing but the two JSON lines; everything for people's eyes goes to standard error.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psycopg
from rich.markup import escape

from device_sim.provisioning import topic_of
from device_sim.publisher import Tally
from homeward import provisioning, services
from homeward.installation import ADMIN_ROLE, Addresses, Installation, Login, make_home, running_installation
from homeward.logs import log_to_file
from homeward.progress import Progress
from homeward.settings import load_settings
from homeward.signals import StopSignal
from homeward.supervisor import Supervisor
from ingest.service import ROLE as INGEST_ROLE
from schemas.database import open_pool
from schemas.episode import Severity

WORDS = {Severity.RED: "red", Severity.AMBER: "amber", Severity.YELLOW: "yellow"}


@dataclass(frozen=True)
class Mailbox:
    """A mail server that delivers to a folder, where an installation has none of its own."""

    port: int
    folder: Path

    @property
    def url(self) -> str:
        """Where mail is handed in."""
        return f"smtp://127.0.0.1:{self.port}?from=homeward@localhost"


@dataclass(frozen=True)
class Content:
    """What an installation has been filled with: who may sign in, which devices there are, and how a hub is let in."""

    users: list[dict[str, str]] = field(default_factory=list)
    devices: list[dict[str, Any]] = field(default_factory=list)
    hub: Login | None = None
    hub_topic: str | None = None
    mail: Mailbox | None = None


Fill = Callable[[Installation, Progress], Content]
Then = Callable[[Installation, Supervisor, Content], None]


def run(
    fill: Fill,
    *,
    seconds: float | None = None,
    as_json: bool = False,
    then: Then = lambda *_: None,
    tally: Callable[[Installation], Tally] = lambda _: Tally(),
) -> None:
    """Run an installation until `seconds` have passed since it was ready, or until it is told to stop.

    Parameters
    ----------
    fill : callable
        Gives the installation its content, once the schema is there.
    then : callable
        Starts what else runs, once the services are ready.
    tally : callable
        Says at the end what became of everything published.
    """
    stop = StopSignal()
    settings = load_settings()
    make_home(settings.home)
    log_to_file(settings.home / "logs" / "homeward.log")
    with Progress() as progress, ExitStack() as stack:
        services.check_http(settings)
        installation = stack.enter_context(running_installation(settings, progress.say))
        supervisor = Supervisor(installation.watchdog, installation.home / "logs", progress.say)
        stack.callback(supervisor.stop_all)
        http = services.choose_http(settings, progress.say)
        address = services.browser_address(http)
        services.start_dashboard(installation, supervisor, http)
        content = fill(installation, progress)
        progress.say("Starting ingest, clock, notifier and dashboard")
        services.start_scoring(installation, supervisor)
        services.start_notifier(installation, supervisor, address, content.mail.url if content.mail else "")
        services.await_services(installation, supervisor, address)
        then(installation, supervisor, content)
        progress.done()
        stop.be_patient()
        _announce(installation, supervisor, content, address, progress, as_json=as_json)
        until = None if seconds is None else time.monotonic() + seconds
        supervisor.watch_over(stop.event, until)
        progress.say("Stopping")
        supervisor.stop_stage(services.SIMULATOR_STAGE)
        counts = _counts(installation, tally(installation))
        supervisor.stop_all()
    if as_json:
        print(json.dumps({"event": "end", **counts}), flush=True)


def _announce(
    installation: Installation,
    supervisor: Supervisor,
    content: Content,
    address: str,
    progress: Progress,
    *,
    as_json: bool,
) -> None:
    addresses = installation.addresses
    if as_json:
        line = {
            "event": "ready",
            "http": address,
            "database_url": addresses.owner_url,
            "mqtt": addresses.mqtt_url,
            "mqtt_tls": _tls_url(addresses),
            "mqtt_ca": addresses.broker.authority.fingerprint if addresses.broker else None,
            "mqtt_user": content.hub.user if content.hub else None,
            "mqtt_password": content.hub.password if content.hub else None,
            "mqtt_topic": content.hub_topic,
            "mail": str(content.mail.folder) if content.mail else None,
            "users": content.users,
            "devices": content.devices,
            "pids": {**installation.pids, **supervisor.pids},
        }
        print(json.dumps(line), flush=True)
    console = progress.console
    console.print(f"\n[bold]Homeward is at [link={address}]{address}[/link][/bold]\n")
    for user in content.users:
        role = user["role"].replace("_", " ")
        password = escape(user.get("password") or "as it was given at the first start")
        console.print(f"  {role:<14} [bold]{escape(user['sign_in']):<8}[/] {password:<22} {escape(user['name'])}")
    if addresses.broker is not None:
        console.print(f"\nHubs connect to {_tls_url(addresses)}; `homeward device add` gives each its login.")
    if content.mail is not None:
        console.print(f"\nMails to whoever is on call lie in {escape(str(content.mail.folder))}.")
    console.print(f"\nLogs in {escape(str(installation.home / 'logs'))}. Ctrl-C stops everything.\n")


def _tls_url(addresses: Addresses) -> str | None:
    """Give the address for hubs; somebody else's broker is where the settings say."""
    if addresses.broker is None:
        return addresses.mqtt_url if addresses.mqtt_url.startswith("mqtts:") else None
    host, port, _ = addresses.hub_address()
    return f"mqtts://{host}:{port}"


def _counts(installation: Installation, tally: Tally) -> dict[str, Any]:
    """Count what was published and what became of it, and the episodes that are active now."""
    # ingest's role sees the episodes of every organisation; the settings' own account need not see any
    url = installation.addresses.database_url(INGEST_ROLE)
    with open_pool(url, INGEST_ROLE) as pool, pool.connection() as connection:
        rows = connection.execute(
            "select severity, count(*) from episode where phase = 'active' group by severity"
        ).fetchall()
    active: dict[int, int] = dict(rows)
    return {
        "published": tally.published,
        "stored": tally.stored,
        "duplicates": tally.duplicates,
        "quarantined": tally.quarantined,
        "episodes": {word: int(active.get(int(severity), 0)) for severity, word in WORDS.items()},
    }


def fill_empty(organisation: str | None, hub: str | None) -> Fill:
    """Give an installation without demonstration data an organisation and an administrator."""

    def fill(installation: Installation, progress: Progress) -> Content:
        progress.say("Looking for the organisation and its administrator")
        url = installation.addresses.database_url(ADMIN_ROLE)
        with open_pool(url, ADMIN_ROLE) as pool, pool.connection() as connection:
            number = provisioning.only_organisation(connection, organisation)
            users = _administrators(connection, number)
            provisioning.ensure_manual_device(connection, number)
            devices = provisioning.devices(connection, number)
            if hub is not None and hub not in {d["code"] for d in devices}:
                provisioning.add_device(connection, number, hub, "hub")
        described = [
            {"id": d["code"], "topic": topic_of(d["code"]), "patient": (d["patients"] or [None])[0],
             "kind": d["kind"]}
            for d in devices
            if not d["retired"] and d["kind"] not in ("hub", "manual")
        ]  # fmt: skip
        if hub is None:
            return Content(users, described)
        topics = [topic_of(d["code"]) for d in devices if d["hub"] == hub]
        return Content(users, described, installation.hub_login(hub, topics), topic_of(hub))

    return fill


def _administrators(connection: psycopg.Connection[Any], organisation: int) -> list[dict[str, str]]:
    """List the administrators; the first is made where there is none, and only then is there a password to tell."""
    known = [a for a in provisioning.accounts(connection, organisation) if a["role"] == "administrator"]
    if known:
        return [{"name": a["name"], "sign_in": a["sign_in"], "role": a["role"]} for a in known if a["enabled"]]
    password = provisioning.new_password()
    provisioning.add_account(connection, organisation, "admin", "Administrator", "administrator", password)
    return [{"name": "Administrator", "sign_in": "admin", "role": "administrator", "password": password}]

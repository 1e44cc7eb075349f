"""What does this installation find on its machine, what is wrong, and what should be done about it?"""

import contextlib
import http.client
import json
import os
import platform
import shutil
import socket
import sys
from collections.abc import Callable, Iterator
from dataclasses import asdict, replace
from pathlib import Path
from urllib.parse import urlsplit

import psycopg
from rich.console import Console

from homeward.doctor_certificates import look
from homeward.findings import Finding
from homeward.installation import Addresses
from homeward.local.account import service_account
from homeward.local.broker import PrivateBroker
from homeward.local.errors import SetupError
from homeward.local.postgres import PrivatePostgres
from homeward.local.programs import SPACE_NEEDED, Programs, find_programs, programs_folder
from homeward.servers import ANSWER_S, require_broker, require_database, require_free_port
from homeward.settings import Settings, load_settings, unknown_settings

OLDEST_PYTHON = (3, 11)
DATA_SPACE = 2 * 2**30
LOOPBACK = ("127.0.0.1", "localhost", "::1")
MARKS = {"ok": "[green]ok  [/]", "warn": "[yellow]warn[/]", "fail": "[red]fail[/]"}


def check() -> list[Finding]:
    """Look at everything an installation needs; changes nothing and fetches nothing."""
    findings = [_python(), _environment(), *_settings()]
    try:
        settings = load_settings()
    except SetupError:
        return findings
    programs = find_programs()
    findings += [*_programs(settings, programs), *_space(settings.home), _account(), _time_zones()]
    findings += [_database(settings, programs), *_ingest_database(settings), _broker(settings, programs)]
    findings += [_mail_server(settings), *_ladders(settings, programs)]
    return [*findings, *look(Addresses(settings, programs)), _http(settings), *_tls(settings)]


def report(as_json: bool = False) -> int:
    """Print the findings and return the exit code: 1 where something is wrong."""
    findings = check()
    if as_json:
        print(json.dumps({"findings": [asdict(finding) for finding in findings]}))
    else:
        console = Console(highlight=False, soft_wrap=True)
        for finding in findings:
            console.print(f"{MARKS[finding.state]} {finding.subject}: ", end="")
            console.print(" ".join(filter(None, (finding.sentence, finding.remedy))), markup=False)
    return int(any(finding.state == "fail" for finding in findings))


def _tried(subject: str, attempt: Callable[[], str]) -> Finding:
    try:
        return Finding(subject, "ok", f"{attempt()}.")
    except SetupError as failed:
        return Finding(subject, "fail", str(failed))


def _python() -> Finding:
    words = f"Python {platform.python_version()}."
    if sys.version_info < OLDEST_PYTHON:
        return Finding("python", "fail", words, "Homeward needs 3.11 or newer.")
    return Finding("python", "ok", words)


def _environment() -> Finding:
    if sys.prefix == sys.base_prefix:
        return Finding("environment", "warn", "Not run from a virtual environment.", "Use .venv, made by `make setup`.")
    return Finding("environment", "ok", f"{sys.prefix}.")


def _settings() -> Iterator[Finding]:
    for name in unknown_settings():
        yield Finding("settings", "warn", f"{name} is not a setting of Homeward.", "Is it misspelt?")
    try:
        settings = load_settings()
        yield Finding("settings", "ok", f"Data in {settings.home}, dashboard on {settings.http}.")
    except SetupError as failed:
        yield Finding("settings", "fail", str(failed))


def _programs(settings: Settings, programs: Programs | None) -> Iterator[Finding]:
    if programs is not None:
        for name, version, origin in (
            ("PostgreSQL", programs.postgres_version, programs.postgres_origin),
            ("Mosquitto", programs.mosquitto_version, programs.mosquitto_origin),
        ):
            place = "the machine's own" if origin == "machine" else f"in {origin}"
            yield Finding("programs", "ok", f"{name} {version}, {place}.")
        return
    if settings.database_url and settings.mqtt_url:
        yield Finding("programs", "ok", "None needed: the settings name both servers.")
    elif shutil.which("apt-get") and shutil.which("dpkg"):
        yield Finding("programs", "warn", "Not fetched yet.", "`make setup` fetches them (about 40 MB).")
    else:
        yield Finding(
            "programs",
            "fail",
            "Neither TimescaleDB and Mosquitto nor an apt to fetch them with.",
            "Install both, or set HOMEWARD_DATABASE_URL and HOMEWARD_MQTT_URL.",
        )


def _space(home: Path) -> Iterator[Finding]:
    for subject, folder, needed in (
        ("data folder", home, DATA_SPACE),
        ("programs folder", programs_folder(), SPACE_NEEDED),
    ):
        present = next(parent for parent in (folder, *folder.parents) if parent.exists())
        free = shutil.disk_usage(present).free
        words = f"{folder} has {free // 2**20} MB free."
        if not present.is_dir() or not os.access(present, os.W_OK):
            yield Finding(subject, "fail", f"{folder} cannot be written.", "Set HOMEWARD_HOME to a folder of your own.")
        elif free < needed:
            yield Finding(subject, "warn", words, f"Keep at least {needed // 2**20} MB free.")
        else:
            yield Finding(subject, "ok", words)


def _account() -> Finding:
    return _tried("account", lambda: f"Private servers run as '{service_account().name}'")


def _time_zones() -> Finding:
    if Path("/usr/share/zoneinfo/UTC").exists():
        return Finding("time zones", "ok", "Present.")
    return Finding("time zones", "warn", "/usr/share/zoneinfo is missing.", "Install the package tzdata.")


def _database(settings: Settings, programs: Programs | None) -> Finding:
    if settings.database_url:
        url = settings.database_url
        return _tried("database", lambda: require_database(url))
    if programs is not None:
        private = PrivatePostgres(settings.home / "postgres", programs)
        if private.is_running():
            return _tried("database", lambda: f"Private: {require_database(private.superuser_url)}")
    return Finding("database", "ok", "Private, not running; `homeward up` starts it.")


def _ingest_database(settings: Settings) -> Iterator[Finding]:
    if url := settings.ingest_database_url:
        found = _tried("database for entry", lambda: require_database(url))
        yield replace(found, sentence=found.sentence.replace("HOMEWARD_DATABASE_URL", "HOMEWARD_INGEST_DATABASE_URL"))


def _broker(settings: Settings, programs: Programs | None) -> Finding:
    if settings.mqtt_url:
        url = settings.mqtt_url
        return _tried("broker", lambda: require_broker(url))
    with contextlib.suppress(SetupError, PermissionError):
        if programs is not None and PrivateBroker(settings.home / "broker", programs).is_running():
            private = PrivateBroker(settings.home / "broker", programs)
            return _tried("broker", lambda: f"Private: {require_broker(private.url)}")
    return Finding("broker", "ok", "Private, not running; `homeward up` starts it.")


def _mail_server(settings: Settings) -> Finding:
    if not settings.smtp_url:
        folder = settings.home / "mail"
        # not folder.exists(), which raises where somebody else's folder may not be entered
        is_demonstration = os.access(folder, os.F_OK)
        words = f"the demonstration's mails lie in {folder}" if is_demonstration else "nobody can be told by e-mail"
        return Finding("mail server", "ok", f"None is set; {words}.")
    parts = urlsplit(settings.smtp_url)
    port = parts.port or (465 if parts.scheme == "smtps" else 587)
    try:
        with socket.create_connection((parts.hostname or "", port), ANSWER_S):
            return Finding("mail server", "ok", f"Something listens at {parts.hostname}:{port}.")
    except OSError as failed:
        words = f"Nothing answers at {parts.hostname}:{port} ({failed.strerror or failed})."
        return Finding("mail server", "fail", words, "Check HOMEWARD_SMTP_URL.")


def _ladders(settings: Settings, programs: Programs | None) -> Iterator[Finding]:
    """Look for sites of which nobody would be told; a database that is not there yet has none."""
    url = settings.database_url
    if url is None and programs is not None:
        private = PrivatePostgres(settings.home / "postgres", programs)
        url = private.url_for("homeward_notify") if private.is_running() else None
    if url is None:
        return
    with contextlib.suppress(psycopg.Error), psycopg.connect(url, connect_timeout=int(ANSWER_S)) as connection:
        row = connection.execute("select current_user").fetchone()
        if row != ("homeward_notify",):
            connection.execute("set role homeward_notify")
        sites = connection.execute(
            "select name from homeward.site s where not exists (select from homeward.ladder l where "
            "l.organisation_id = s.organisation_id and (l.site_id = s.site_id or l.site_id is null)) order by name"
        ).fetchall()
        if sites:
            names = ", ".join(name for (name,) in sites[:5]) + (f" and {len(sites) - 5} more" if len(sites) > 5 else "")
            words = f"No ladder is in force for {names}: nobody is told of their alerts."
            yield Finding("messages", "warn", words, "Publish one on the page Messages.")


def _http(settings: Settings) -> Finding:
    try:
        require_free_port(settings.http_host, settings.http_port)
    except SetupError as failed:
        if _is_homeward(settings):
            return Finding("dashboard", "ok", f"Homeward itself answers at {settings.http}.")
        return Finding("dashboard", "warn", str(failed))
    return Finding("dashboard", "ok", f"{settings.http} is free.")


def _is_homeward(settings: Settings) -> bool:
    """Ask what listens on the dashboard's port whether it is one of ours."""
    host = "127.0.0.1" if settings.http_host in ("0.0.0.0", "::") else settings.http_host  # noqa: S104 - compared only
    connection = http.client.HTTPConnection(host, settings.http_port, timeout=ANSWER_S)
    try:
        connection.request("GET", "/fhir/R4/metadata")
        said = json.loads(connection.getresponse().read())
        return bool(said["software"]["name"] == "Homeward")
    except (OSError, http.client.HTTPException, ValueError, KeyError, TypeError):
        return False
    finally:
        connection.close()


def _tls(settings: Settings) -> Iterator[Finding]:
    """Look whether passwords and observations cross a network in the clear."""
    if settings.tls_proxy:
        yield Finding("proxy", "ok", f"TLS ends at {settings.tls_proxy}; sign-in works over TLS only.")
    elif settings.http_host not in LOOPBACK:
        yield Finding(
            "proxy",
            "warn",
            f"The dashboard on {settings.http} can be reached from other machines without TLS.",
            "Put a proxy that ends TLS in front, and set HOMEWARD_TLS_PROXY to its address.",
        )

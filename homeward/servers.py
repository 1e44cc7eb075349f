"""Will the servers do that the settings name: a database, a broker, a port that is free?"""

from __future__ import annotations

import socket
import threading
from urllib.parse import urlsplit

import paho.mqtt.client as mqtt
import psycopg
from paho.mqtt.enums import CallbackAPIVersion

from homeward.local.errors import SetupError
from homeward.local.programs import OLDEST_POSTGRES

OLDEST_TIMESCALE = (2, 10)
ANSWER_S = 5.0


def require_database(url: str) -> str:
    """Return in words which server answers at the address; raise `SetupError` where it is none we can use."""
    try:
        with psycopg.connect(url, connect_timeout=int(ANSWER_S), autocommit=True) as connection:
            version = connection.info.server_version
            row = connection.execute(
                "select default_version, coalesce(current_setting('timescaledb.license', true), 'unknown') "
                "from pg_available_extensions where name = 'timescaledb'"
            ).fetchone()
    except psycopg.OperationalError as failed:
        reason = str(failed).strip().splitlines()[0]
        raise SetupError(f"The database does not answer ({reason}); check HOMEWARD_DATABASE_URL.") from failed
    words = f"PostgreSQL {version // 10000}.{version % 10000}"
    if version < OLDEST_POSTGRES * 10000:
        raise SetupError(f"The database is {words} and Homeward needs {OLDEST_POSTGRES} or newer; upgrade the server.")
    if row is None:
        raise SetupError(f"The database is {words} without TimescaleDB; install the extension on the server.")
    extension, edition = row
    if tuple(int(part) for part in extension.split(".")[:2]) < OLDEST_TIMESCALE:
        oldest = ".".join(map(str, OLDEST_TIMESCALE))
        raise SetupError(f"The database has TimescaleDB {extension} and Homeward needs {oldest} or newer; upgrade it.")
    return f"{words} with TimescaleDB {extension} ({_edition(edition)})"


def require_broker(url: str) -> str:
    """Return in words what answers at the address; raise `SetupError` where it is no MQTT 5 broker."""
    parts = urlsplit(url)
    answered = threading.Event()
    client = mqtt.Client(CallbackAPIVersion.VERSION2, protocol=mqtt.MQTTv5)
    # A refusal will do: only an MQTT 5 broker sends one.
    client.on_connect = lambda *_: answered.set()
    if parts.scheme == "mqtts":
        client.tls_set()
    port = parts.port or (8883 if parts.scheme == "mqtts" else 1883)
    where = f"{parts.hostname}:{port}"
    try:
        client.connect(parts.hostname or "", port)
    except OSError as failed:
        raise SetupError(f"No broker answers at {where} ({failed}); check HOMEWARD_MQTT_URL.") from failed
    client.loop_start()
    spoke = answered.wait(ANSWER_S)
    client.disconnect()
    client.loop_stop()
    if not spoke:
        raise SetupError(f"What listens at {where} does not speak MQTT 5; check HOMEWARD_MQTT_URL.")
    return f"an MQTT 5 broker answers at {where}"


def require_free_port(host: str, port: int) -> None:
    """Raise `SetupError` where another program listens on the port."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError as failed:
            raise SetupError(
                f"{host}:{port} cannot be listened on ({failed.strerror}); stop the program that uses it, or set "
                "HOMEWARD_HTTP to another host:port."
            ) from failed


def _edition(license_name: str) -> str:
    editions = {"apache": "Apache edition, without compression", "timescale": "Community edition, with compression"}
    return editions.get(license_name, "edition known once the extension is loaded")

"""How many messages a second go the whole way, beside the broker alone and beside the usual script, and how soon?

python -m benchmarks.ingest [--seconds N] [--patients N] [--json]

One run, one machine, its own private servers: what a broker delivers to a subscriber that only acknowledges; a callback
with one INSERT and commit a message; Homeward with storing and scoring. Then the time from publishing to being told of
the commit of the episode that the message raised, at 500 messages a second.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import logging
import multiprocessing as mp
import signal
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from multiprocessing.context import SpawnProcess
from multiprocessing.sharedctypes import Synchronized
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import numpy as np
import paho.mqtt.client as mqtt
import psycopg
import structlog
from paho.mqtt.enums import CallbackAPIVersion

from alerts.policy import shipped
from alerts.state import initial, pack
from benchmarks.load import Load, Publisher
from homeward.broker_accounts import BrokerAccounts
from homeward.local.broker import PrivateBroker
from homeward.local.postgres import SUPERUSER, PrivatePostgres
from homeward.local.programs import ensure_programs
from homeward.local.watchdog import Watchdog
from ingest.service import ROLE
from ingest.service import run as run_ingest
from schemas.database import migrate

HUB, SERVICE = "load-hub", "homeward-ingest"
EVERYTHING = "homeward/v1/+/+/observations"
LATENCY_RATE = 500
SECONDS, PATIENTS, WORKERS = 20.0, 300_000, 1
_WARM_UP_S = 4.0


@dataclass(frozen=True)
class Servers:
    """The private servers of one run and the logins of the parts."""

    database_url: str
    ingest_url: str
    mqtt_url: str
    hub_password: str
    service_password: str
    admin: tuple[str, str]

    def load(self, patients: int, **more: Any) -> Load:
        """Give what the hub publishes."""
        return Load(self.mqtt_url, HUB, self.hub_password, patients, **more)


@contextmanager
def servers() -> Iterator[Servers]:
    """Start a TimescaleDB that keeps its promises (fsync) and a Mosquitto, and stop them at the end."""
    programs, watchdog = ensure_programs(), Watchdog()
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="homeward-bench-")))
        folder.chmod(0o755)
        postgres = PrivatePostgres(folder / "postgres", programs)
        broker = PrivateBroker(folder / "broker", programs)
        for server in (postgres, broker):
            server.start(watchdog)
            stack.callback(server.stop)
        url = postgres.url_for(SUPERUSER)
        migrate(url)
        postgres.enable_logins([ROLE])
        with BrokerAccounts(broker.url, *broker.admin) as accounts:
            hub, service = broker.credentials(HUB), broker.credentials(SERVICE)
            accounts.add_device(*hub)
            accounts.add_service(*service)
        yield Servers(url, postgres.url_for(ROLE), broker.url, hub.password, service.password, broker.admin)
    watchdog.end_all()


def enter_patients(url: str, count: int) -> None:
    """Enter patients, a device each, on the care-home pathway, with a state as if they were known."""
    document = shipped("care_home_news2").text
    with psycopg.connect(url, options="-c search_path=homeward,public") as connection:
        connection.execute(
            "insert into organisation (name) values ('Load'); "
            "insert into site (organisation_id, name, kind) values (1, 'Load', 'ward'); "
            "insert into pathway (organisation_id, name, title) values (1, 'care_home_news2', 'Load'); "
        )
        connection.execute(
            "insert into policy (organisation_id, pathway_id, version, document, sha256, author, source, reason) "
            "values (1, 1, 1, %s, %s, 'benchmark', 'benchmark', 'benchmark')",
            [document, hashlib.sha256(document.encode()).digest()],
        )
        connection.execute("update pathway set policy_id = 1")
        connection.execute("insert into device (organisation_id, code, kind, lane) values (1, %s, 'hub', 0)", [HUB])
        for statement in (
            "insert into patient (organisation_id, site_id, family_name, given_name, born_on) "
            "select 1, 1, 'F' || i, 'G', '1950-01-01' from generate_series(0, %(last)s) i",
            "insert into device (organisation_id, hub_id, code, kind, lane) "
            "select 1, 1, 'b-' || i, 'monitor', i %% 16 from generate_series(0, %(last)s) i",
            "insert into device_assignment (organisation_id, device_id, patient_id, during) "
            "select 1, i + 2, i + 1, tstzrange(now() - interval '30 days', null) from generate_series(0, %(last)s) i",
            "insert into enrolment (organisation_id, patient_id, pathway_id, started_at) "
            "select 1, i + 1, 1, now() - interval '1 hour' from generate_series(0, %(last)s) i",
            "insert into patient_state (patient_id, machine) "
            "select i + 1, %(machine)b from generate_series(0, %(last)s) i",
        ):
            connection.execute(statement.encode(), {"last": count - 1, "machine": pack(initial(1))[0]})
        connection.commit()
        connection.autocommit = True
        connection.execute("vacuum analyze")
        connection.execute("checkpoint")


def rate(publisher: Publisher, arrived: Callable[[], int], seconds: float) -> float:
    """Give the messages a second over a window after the warm-up, while the publisher keeps the far end busy."""
    publisher.start()
    _watch(publisher, arrived, _WARM_UP_S)
    began, before = time.monotonic(), arrived()
    _watch(publisher, arrived, seconds)
    found = (arrived() - before) / (time.monotonic() - began)
    publisher.stop()
    return found


def _watch(publisher: Publisher, arrived: Callable[[], int], seconds: float) -> None:
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        publisher.check()
        publisher.arrived.value = arrived()
        time.sleep(0.1)


def _client(servers: Servers, count: Synchronized[int], on_message: Callable[..., None]) -> mqtt.Client:
    """Connect a subscriber that sets its count from -1 to 0 when it is subscribed."""

    def on_subscribe(*_: Any) -> None:
        count.value = 0

    address = urlsplit(servers.mqtt_url)
    client = mqtt.Client(CallbackAPIVersion.VERSION2, client_id="subscriber", protocol=mqtt.MQTTv5)
    client.username_pw_set(SERVICE, servers.service_password)
    client.on_connect = lambda c, *_: c.subscribe(EVERYTHING, 1)
    client.on_subscribe = on_subscribe
    client.on_message = on_message
    client.connect(address.hostname or "", address.port or 1883)
    return client


def _only_acknowledge(servers: Servers, count: Synchronized[int]) -> None:
    def on_message(_c: Any, _u: Any, _m: Any) -> None:
        count.value += 1

    _client(servers, count, on_message).loop_forever()


def _insert_each(servers: Servers, count: Synchronized[int]) -> None:
    """Do what the usual script does: decode, INSERT, commit, for each message in the callback."""
    connection = psycopg.connect(servers.database_url, options="-c search_path=homeward,public")
    codes = {"bp_systolic": 4, "bp_diastolic": 5, "pulse": 6}

    def on_message(_c: Any, _u: Any, message: mqtt.MQTTMessage) -> None:
        found = json.loads(message.payload)
        patient = int(found["device"].removeprefix("b-")) + 1
        rows: list[Any] = []
        for name, value in found["values"].items():
            rows += [found["time"], value, patient, patient + 1, codes[name]]
        connection.execute(
            "insert into observation (observed_at, received_at, value, patient_id, device_id, vital) values "
            "(%s, now(), %s, %s, %s, %s), (%s, now(), %s, %s, %s, %s), (%s, now(), %s, %s, %s, %s) "
            "on conflict do nothing",
            rows,
        )
        connection.commit()
        count.value += 1

    _client(servers, count, on_message).loop_forever()


def measure_subscriber(servers: Servers, target: Callable[..., None], patients: int, seconds: float) -> float:
    """Measure a subscriber in a process of its own."""
    context = mp.get_context("spawn")
    count: Synchronized[int] = context.Value("q", -1)
    process = context.Process(target=target, args=(servers, count), daemon=True)
    process.start()
    try:
        while count.value < 0:
            if not process.is_alive():
                raise RuntimeError("benchmark: the subscriber ended before it was subscribed")
            time.sleep(0.05)
        return rate(Publisher(servers.load(patients)), lambda: count.value, seconds)
    finally:
        process.kill()
        process.join()


def _ingest(servers: Servers) -> None:
    stop = threading.Event()
    signal.signal(signal.SIGTERM, lambda *_: stop.set())
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.WARNING))
    run_ingest(servers.ingest_url, servers.mqtt_url, SERVICE, servers.service_password, stop)


@contextmanager
def ingest_workers(servers: Servers, workers: int) -> Iterator[Callable[[str], int]]:
    """Run ingest workers in processes of their own; gives the sum of one of their counters."""
    with ingest_processes(servers, workers) as (counter, _):
        yield counter


Processes = list[SpawnProcess]


@contextmanager
def ingest_processes(servers: Servers, workers: int) -> Iterator[tuple[Callable[[str], int], Processes]]:
    """Do the same, and give the processes as well."""
    context = mp.get_context("spawn")
    processes = [context.Process(target=_ingest, args=(servers,), daemon=True) for _ in range(workers)]
    for process in processes:
        process.start()
    with psycopg.connect(servers.database_url, autocommit=True) as connection:

        def counter(name: str) -> int:
            row = connection.execute(
                "select coalesce(sum((counters->>%s)::bigint), 0) from homeward.service_instance", [name]
            ).fetchone()
            return int(row[0]) if row else 0

        end = time.monotonic() + 60
        while counter("lanes_connected") < 16:
            if time.monotonic() > end:
                raise RuntimeError("ingest did not get its lanes within a minute")
            time.sleep(0.1)
        try:
            yield counter, processes
        finally:
            for process in processes:
                process.terminate()
                process.join(30)


def measure_latency(servers: Servers, patients: int, seconds: float) -> dict[str, float]:
    """Publish ill patients at a fixed rate; from the time in the message to being told of its episode's commit."""
    told: dict[int, float] = {}
    ill = servers.load(patients, rate=LATENCY_RATE, values='{"respiration_rate":28,"spo2":88,"pulse":135}')
    publisher = Publisher(ill)
    with psycopg.connect(servers.database_url, autocommit=True) as listener:
        listener.execute("listen homeward_live")
        publisher.start()
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            for notice in listener.notifies(timeout=0.2, stop_after=1):
                now = time.time()
                for patient in json.loads(notice.payload).get("patients", ()):
                    told.setdefault(patient, now)
            publisher.arrived.value = len(told)
        publisher.stop()
    with psycopg.connect(servers.database_url) as connection:
        rows = connection.execute(
            "select patient_id, extract(epoch from opened_at)::float8 from homeward.episode where rule = 'news2'"
        ).fetchall()
    latency = np.array([told[patient] - opened for patient, opened in rows if patient in told])
    half = len(latency) // 10  # the first ones are the worker warming up
    p50, p99 = np.percentile(latency[half:], [50, 99]) * 1000
    return {"episodes": len(latency), "p50_ms": round(p50, 1), "p99_ms": round(p99, 1)}


def run(seconds: float, patients: int, workers: int, tell: Callable[[str], None]) -> dict[str, Any]:
    """Do all parts and give their figures."""
    with servers() as found:
        tell(f"entering {patients} patients")
        enter_patients(found.database_url, patients)
        tell("the broker alone")
        alone = measure_subscriber(found, _only_acknowledge, patients, seconds)
        tell("one INSERT and commit a message")
        script = measure_subscriber(found, _insert_each, patients, min(seconds, 10))
        tell("Homeward")
        with ingest_workers(found, workers) as counter:
            publisher = Publisher(found.load(patients, ahead=30_000))
            homeward = rate(publisher, lambda: counter("messages"), seconds)
            while counter("messages") < publisher.sent.value:
                time.sleep(0.2)
            tell(f"episodes at {LATENCY_RATE} messages a second")
            latency = measure_latency(found, patients, seconds)
    return {
        "patients": patients,
        "messages_per_s": {"broker_alone": round(alone), "insert_each": round(script), "homeward": round(homeward)},
        "of_broker_alone": round(homeward / alone, 2),
        "times_insert_each": round(homeward / script, 1),
        "episode_latency": latency,
    }


def main() -> None:
    """Measure, and print the figures."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=SECONDS, help="length of each part's window")
    parser.add_argument("--patients", type=int, default=PATIENTS, help="as many as messages in a minute")
    parser.add_argument("--workers", type=int, default=WORKERS, help="ingest processes")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    tell: Callable[[str], None] = (lambda _: None) if options.json else lambda what: print(what, "…", flush=True)
    figures = run(options.seconds, options.patients, options.workers, tell)
    print(json.dumps(figures) if options.json else json.dumps(figures, indent=2))


if __name__ == "__main__":
    main()

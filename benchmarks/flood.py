"""How long does a device wait while another one floods the broker with garbage, in its lane and in another?

python -m benchmarks.flood [--messages N] [--json]

One run, one machine, its own private servers. Two devices ask for a receipt of each of five observations a second:
without a flood; while a third, of the lane of the first, publishes messages that nobody can read; and once more, with
fewer, by an ingest that sets nothing aside.
"""

from __future__ import annotations

import argparse
import json
import logging
import multiprocessing as mp
import queue
import signal
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any, LiteralString
from urllib.parse import urlsplit

import numpy as np
import paho.mqtt.client as mqtt
import psycopg
import structlog
from paho.mqtt.enums import CallbackAPIVersion
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties

from benchmarks.ingest import SERVICE, Servers, enter_patients, servers
from benchmarks.load import Load, Publisher
from homeward.broker_accounts import BrokerAccounts
from ingest import parking
from ingest.service import run as run_ingest
from schemas.topic import LANES, observations_topic, receipts_topic

BAD, BESIDE, ELSEWHERE = "b-0", "b-16", "b-17"
"""The first two in lane 0, the third in lane 1."""
MESSAGES, WITHOUT_LIMIT = 1_000_000, 100_000
_CONNECTED: LiteralString = (
    "select coalesce(sum((counters->>'lanes_connected')::bigint), 0) from homeward.service_instance "
    "where seen_at > now() - interval '10 s'"
)
_PUT_ASIDE: LiteralString = "select coalesce(sum(observations), 0) from homeward.quarantine"
_EVERY_S, _CALM_S, _PATIENCE_S = 0.2, 10.0, 600.0


def _ingest(where: Servers, limited: bool) -> None:
    stop = threading.Event()
    signal.signal(signal.SIGTERM, lambda *_: stop.set())
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.WARNING))
    if not limited:
        parking.CROWDED = 10**9
    run_ingest(where.ingest_url, where.mqtt_url, SERVICE, where.service_password, stop)


@contextmanager
def _worker(where: Servers, *, limited: bool) -> Iterator[None]:
    process = mp.get_context("spawn").Process(target=_ingest, args=(where, limited), daemon=True)
    process.start()
    end = time.monotonic() + 60
    # a lane's session must be there before what is published to it
    while _ask(where, _CONNECTED) < LANES:
        if time.monotonic() > end:
            raise RuntimeError("ingest did not get its lanes within a minute")
        time.sleep(0.1)
    try:
        yield
    finally:
        process.terminate()
        process.join(60)
        process.kill()


class Patient:
    """A device that publishes five observations a second and waits for the receipt of each."""

    def __init__(self, where: Servers, code: str) -> None:
        address = urlsplit(where.mqtt_url)
        lane = int(code.removeprefix("b-")) % LANES
        self._topic, self._answers = observations_topic(lane, code), receipts_topic(lane, code)
        self.client = mqtt.Client(CallbackAPIVersion.VERSION2, client_id=code, protocol=mqtt.MQTTv5)
        self.client.username_pw_set(code, code)
        self._receipts: queue.Queue[float] = queue.Queue()
        self.client.on_message = lambda *_: self._receipts.put(time.monotonic())
        self.client.on_connect = lambda c, *_: c.subscribe(self._answers, 1)
        self.client.connect(address.hostname or "", address.port or 1883)
        self.client.loop_start()

    def delays(self, is_over: Callable[[], bool]) -> list[float]:
        """Publish until it is over; give the seconds from each publish to its receipt."""
        found = []
        while not is_over():
            properties = Properties(PacketTypes.PUBLISH)  # type: ignore[no-untyped-call]
            properties.ResponseTopic = self._answers
            content = {"time": datetime.now(UTC).isoformat(), "values": {"pulse": 71}}
            started = time.monotonic()
            self.client.publish(self._topic, json.dumps(content), 1, properties=properties)
            found.append(self._receipts.get(timeout=_PATIENCE_S) - started)
            time.sleep(max(0.0, _EVERY_S - found[-1]))
        return found


def _watch(patients: Mapping[str, Patient], is_over: Callable[[], bool]) -> dict[str, Any]:
    """Let the patients publish until it is over; give what each of them waited."""
    with ThreadPoolExecutor(len(patients)) as threads:
        running = {where: threads.submit(patient.delays, is_over) for where, patient in patients.items()}
        return {where: _summary(found.result()) for where, found in running.items()}


def _flood(where: Servers, patients: Mapping[str, Patient], messages: int) -> dict[str, Any]:
    """Publish garbage as fast as the broker takes it, and watch the patients until all of it is off the broker."""
    before = _ask(where, _PUT_ASIDE)
    publisher = Publisher(Load(where.mqtt_url, BAD, BAD, 1, ahead=messages, numbered=True, values='"nonsense"'))
    began = time.monotonic()
    publisher.start()
    waited = _watch(patients, lambda: _ask(where, _PUT_ASIDE) - before >= messages)
    publisher.stop()
    return {"messages": messages, "put_aside_in_s": round(time.monotonic() - began, 1), **waited}


def _summary(delays: list[float]) -> dict[str, Any]:
    p50, p99 = np.percentile(delays, [50, 99]) * 1000
    return {"p50_ms": round(p50, 1), "p99_ms": round(p99, 1), "longest_s": round(max(delays), 1)}


def _ask(where: Servers, query: LiteralString) -> int:
    with psycopg.connect(where.database_url) as connection:
        row = connection.execute(query).fetchone()
    return int(row[0]) if row else 0


def run(messages: int, unlimited: int, tell: Callable[[str], None]) -> dict[str, Any]:
    """Do all parts and give their figures."""
    with servers() as where:
        enter_patients(where.database_url, 32)
        with BrokerAccounts(where.mqtt_url, *where.admin) as accounts:
            for device in (BAD, BESIDE, ELSEWHERE):
                accounts.add_device(device, device)
        patients = {"same_lane": Patient(where, BESIDE), "another_lane": Patient(where, ELSEWHERE)}
        with _worker(where, limited=True):
            tell("without a flood")
            calm = _watch(patients, _after(_CALM_S))
            tell(f"{messages:,} messages of garbage")
            limited = _flood(where, patients, messages)
        tell(f"{unlimited:,} messages of garbage, nothing set aside")
        with _worker(where, limited=False):
            _watch(patients, _after(_CALM_S))
            without = _flood(where, patients, unlimited)
        for patient in patients.values():
            patient.client.loop_stop()
    return {"calm": calm, "flood": limited, "flood_nothing_set_aside": without}


def _after(seconds: float) -> Callable[[], bool]:
    end = time.monotonic() + seconds
    return lambda: time.monotonic() > end


def main() -> None:
    """Measure, and print the figures."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--messages", type=int, default=MESSAGES)
    parser.add_argument("--unlimited", type=int, default=WITHOUT_LIMIT, help="messages of the part without limits")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    tell: Callable[[str], None] = (lambda _: None) if options.json else lambda what: print(what, "…", flush=True)
    figures = run(options.messages, options.unlimited, tell)
    print(json.dumps(figures) if options.json else json.dumps(figures, indent=2))


if __name__ == "__main__":
    main()

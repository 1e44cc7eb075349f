"""Does one small machine carry half a million patients, and what happens when hubs come back or a worker dies?

python -m benchmarks.country [--seconds N] [--patients N] [--json]

One message a minute of half a million patients is 8,300 a second. Broker, database, ingest and the load share the
machine. Beside it what the same database does alone with the same COPY and the same states.
"""

from __future__ import annotations

import argparse
import itertools
import json
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import psutil
import psycopg

from benchmarks.ingest import Servers, enter_patients, ingest_processes, rate, servers
from benchmarks.load import Publisher
from ingest.copy_format import pack
from ingest.sql import QUERIES
from ingest.states import lock_states, write_states
from schemas.observation import ObservationBatch
from schemas.topic import Stream

COUNTRY_RATE, LIVE_RATE, BACKLOG = 8_300, 2_000, 100_000
SECONDS, PATIENTS = 60.0, 50_000
KEPT_MIN, RETURNING = 50.0, 2_000
Tell = Callable[[str], None]


def sustained(found: Servers, patients: int, seconds: float) -> dict[str, Any]:
    """Publish at the country's rate; is all of it stored as it comes, how soon, and is memory flat?"""
    with ingest_processes(found, 1) as (counter, processes), _told(found) as told:
        publisher, waiting, memory = Publisher(found.load(patients, rate=COUNTRY_RATE, ahead=10**9)), [], []
        worker, before = psutil.Process(processes[0].pid), counter("messages")
        publisher.start()
        first, end, began = time.time(), time.monotonic() + seconds, time.monotonic()
        while time.monotonic() < end:
            publisher.check()
            waiting.append(publisher.sent.value - (counter("messages") - before))
            memory.append(worker.memory_info().rss / 2**20)
            told.listen(1)
        done, took = counter("messages") - before, time.monotonic() - began
        sent = publisher.sent.value
        publisher.stop()
        _until(lambda: counter("messages") - before >= publisher.sent.value)
        told_of = told.percentiles(first, patients)
    third = len(waiting) // 3
    return {
        "offered_per_s": round(sent / took),
        "stored_per_s": round(done / took),
        "commit_p50_ms": told_of["p50_ms"],
        "commit_p99_ms": told_of["p99_ms"],
        "waiting_median_second_third": int(np.median(waiting[third : 2 * third])),
        "waiting_median_last_third": int(np.median(waiting[2 * third :])),
        "worker_mb_after_a_third": round(memory[third]),
        "worker_mb_at_the_end": round(memory[-1]),
    }


def database_alone(found: Servers, patients: int, seconds: float) -> float:
    """Give the messages a second of transactions that lock states, COPY three values each, and write the states."""
    done, sizes = 0, 2_000
    start = np.int64(time.time_ns() // 1000)
    with psycopg.connect(found.ingest_url, options="-c search_path=homeward,public") as connection:
        began = time.monotonic()
        for turn in itertools.count():
            if time.monotonic() - began > seconds:
                break
            chosen = (np.arange(sizes, dtype=np.int32) + turn * sizes) % patients + 1
            chosen = np.unique(chosen)
            rows = np.repeat(chosen, 3)
            at = np.full(len(rows), start + turn)
            batch = ObservationBatch.of(rows, rows + 1, np.tile([4, 5, 6], len(chosen)), at, at, rows * 1.0, rows * 0)
            with connection.transaction():
                states = lock_states(connection, chosen)
                with connection.cursor().copy(QUERIES["copy_observations"]) as copy:
                    copy.write(pack(batch))
                write_states(connection, states, states.machines, np.full(len(chosen), 2**62), int(start))
            done += len(chosen)
        return done / (time.monotonic() - began)


def latency(found: Servers, patients: int, seconds: float, messages_per_s: int) -> dict[str, Any]:
    """Publish at a rate; from the instant in each patient's first message to being told of its commit."""
    with _told(found) as told:
        publisher = Publisher(found.load(patients, rate=messages_per_s, ahead=10**9))
        began = time.time()
        publisher.start()
        told.listen(seconds)
        publisher.stop()
        return told.percentiles(began, patients)


def returning_hubs(found: Servers, patients: int, first: int, stream: Stream) -> dict[str, Any]:
    """Publish what hubs kept, of patients unheard of till then, on one stream or the other, beside a live rate."""
    with ingest_processes(found, 1), _told(found) as told:
        kept = found.load(RETURNING, most=BACKLOG, kept_min=KEPT_MIN, stream=stream, first=first, ahead=10**9)
        live = Publisher(found.load(patients, rate=LIVE_RATE // 2, ahead=10**9))
        backlog, began = Publisher(kept), time.time()
        live.start()
        told.listen(5)
        backlog.start()
        while told.returned(first) < 3 * BACKLOG and time.time() - began < 300:
            told.listen(0.5)
        took = time.time() - began - 5
        backlog.stop()
        live.stop()
        return {**told.percentiles(began, patients), "backlog_stored_s": round(took, 1)}


def workers(found: Servers, patients: int, seconds: float) -> dict[str, Any]:
    """Compare two ingest processes with one, then kill one of two and wait for its lanes."""
    figures: dict[str, Any] = {}
    for count in (1, 2):
        with ingest_processes(found, count) as (counter, processes):
            publisher = Publisher(found.load(patients, ahead=30_000))
            before = counter("messages")
            figures[f"messages_per_s_{count}"] = round(
                rate(publisher, lambda before=before, c=counter: c("messages") - before, seconds)  # type: ignore[misc]
            )
            _until(lambda p=publisher, c=counter, b=before: c("messages") - b >= p.sent.value)  # type: ignore[misc]
            if count == 2:
                figures["takeover_s"] = _takeover(found, processes[0].kill)
    figures["two_beside_one"] = round(figures["messages_per_s_2"] / figures["messages_per_s_1"], 2)
    return figures


def _takeover(found: Servers, kill: Callable[[], None]) -> float:
    query = "select 1 from homeward.service_instance where service = 'ingest' and seen_at > %s and "
    query += "(counters->>'lanes_connected')::int = 16"
    with psycopg.connect(found.database_url, autocommit=True) as connection:
        row = connection.execute("select now()").fetchone()
        began = time.monotonic()
        kill()
        _until(lambda: connection.execute(query.encode(), row).fetchone() is not None)
        return round(time.monotonic() - began, 1)


def bytes_on_disk(found: Servers) -> float:
    """Give the bytes of an observation in the store, indexes included."""
    with psycopg.connect(found.database_url) as connection:
        row = connection.execute(
            "select hypertable_size('homeward.observation')::float8 / count(*) from homeward.observation"
        ).fetchone()
    return float(row[0]) if row else 0.0


class _Told:
    """When was each patient's first commit told of?"""

    def __init__(self, connection: psycopg.Connection[Any]) -> None:
        self._connection = connection
        self._at: dict[int, float] = {}

    def listen(self, seconds: float) -> None:
        """Listen for a while."""
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            for notice in self._connection.notifies(timeout=0.2, stop_after=1):
                now = time.time()
                for patient in json.loads(notice.payload).get("patients", ()):
                    self._at.setdefault(patient, now)

    def returned(self, first: int) -> int:
        """Give the observations stored of those whose hubs came back."""
        query = "select count(*) from homeward.observation where patient_id > %s and patient_id <= %s"
        row = self._connection.execute(query, [first, first + RETURNING]).fetchone()
        return int(row[0]) if row else 0

    def percentiles(self, began: float, patients: int) -> dict[str, Any]:
        """Compare with the instants in the messages."""
        rows = self._connection.execute(
            "select patient_id, extract(epoch from min(observed_at))::float8 from homeward.observation "
            "where observed_at > to_timestamp(%s) and patient_id <= %s group by 1",
            [began, patients],
        ).fetchall()
        found = sorted((at, self._at[patient] - at) for patient, at in rows if patient in self._at)
        waits = np.array([wait for _, wait in found])[len(found) // 20 :]  # the first are the worker warming up
        p50, p99 = np.percentile(waits, [50, 99]) * 1000
        return {"messages": len(waits), "p50_ms": round(p50, 1), "p99_ms": round(p99, 1)}


@contextmanager
def _told(found: Servers) -> Iterator[_Told]:
    with psycopg.connect(found.database_url, autocommit=True) as connection:
        connection.execute("listen homeward_live")
        yield _Told(connection)


def _until(condition: Callable[[], bool], timeout_s: float = 300) -> None:
    end = time.monotonic() + timeout_s
    while not condition():
        if time.monotonic() > end:
            raise RuntimeError("benchmark: what was waited for did not come about")
        time.sleep(0.05)


def run(seconds: float, patients: int, tell: Tell) -> dict[str, Any]:
    """Do all parts and give their figures."""
    with servers() as found:
        tell(f"entering {patients + 2 * RETURNING} patients")
        enter_patients(found.database_url, patients + 2 * RETURNING)
        tell("two ingest processes beside one, and one of them killed")
        figures: dict[str, Any] = {"workers": workers(found, patients, min(seconds, 15))}
        tell("the database alone")
        alone = database_alone(found, patients, min(seconds, 15))
        tell(f"{COUNTRY_RATE} messages a second for {seconds:.0f} s")
        figures["country"] = sustained(found, patients, seconds)
        figures["country"]["database_alone_per_s"] = round(alone)
        figures["bytes_per_observation"] = round(bytes_on_disk(found), 1)
        tell(f"latency at {LIVE_RATE} messages a second")
        with ingest_processes(found, 1):
            figures["latency"] = latency(found, patients, 20, LIVE_RATE)
        for first, stream in ((patients, Stream.BACKLOG), (patients + RETURNING, Stream.LIVE)):
            tell(f"{BACKLOG} kept messages on …/{stream}")
            figures[f"returning_hubs_on_{stream}"] = returning_hubs(found, patients, first, stream)
    return figures


def main() -> None:
    """Measure, and print the figures."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=SECONDS, help="length of the country's window")
    parser.add_argument("--patients", type=int, default=PATIENTS)
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    figures = run(options.seconds, options.patients, lambda what: print(what, "…", file=sys.stderr, flush=True))
    print(json.dumps(figures, indent=None if options.json else 2))


if __name__ == "__main__":
    main()

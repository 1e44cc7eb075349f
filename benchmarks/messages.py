"""How soon after its commit has an episode's message been handed to the mail server?

python -m benchmarks.messages [--seconds N] [--rate N] [--json]

A notifier in a process of its own, a private TimescaleDB that keeps its promises (fsync), a real SMTP server in a
process of its own. Episodes with their jobs are committed at a steady rate, each at another site, so that none waits
for others of a storm; then many at once. Beside it: what one SMTP dialogue alone takes.
"""

from __future__ import annotations

import argparse
import json
import logging
import multiprocessing as mp
import smtplib
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import numpy as np
import psycopg
import structlog
from aiosmtpd.controller import Controller

from homeward.local import process
from homeward.local.postgres import SUPERUSER, PrivatePostgres
from homeward.local.programs import ensure_programs
from homeward.local.watchdog import Watchdog
from homeward.notify import service
from homeward.notify.ways import Outside
from schemas.database import migrate

RATE, SECONDS, AT_ONCE = 20.0, 20.0, 300
_PATIENCE_S = 60.0


class _Sink:
    """Takes every mail and notes when it had it, by the subject's site."""

    def __init__(self) -> None:
        self.arrived: dict[str, float] = {}

    async def handle_DATA(self, _server: Any, _session: Any, envelope: Any) -> str:
        subject = next(line for line in envelope.content.split(b"\r\n") if line.startswith(b"Subject:"))
        self.arrived[subject.decode().rpartition(", ")[2]] = time.time()
        return "250 OK"


def _serve_mail(port: int, out: Connection) -> None:
    sink = _Sink()
    controller = Controller(sink, hostname="127.0.0.1", port=port)
    controller.start()
    out.send("ready")
    while out.recv() == "what":
        out.send(dict(sink.arrived))
    controller.stop()


def _notify(url: str, smtp: str, home: str, out: Connection) -> None:
    logging.disable()
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.CRITICAL))
    stop = threading.Event()
    threading.Thread(target=lambda: (out.recv(), stop.set()), daemon=True).start()
    service.run(url, Outside("https://homeward.example", smtp), Path(home), stop, lambda: out.send("ready"))


@contextmanager
def _running(target: Any, *given: Any) -> Iterator[Connection]:
    context = mp.get_context("spawn")
    near, far = context.Pipe()
    worker = context.Process(target=target, args=(*given, far))
    worker.start()
    assert near.recv() == "ready"
    try:
        yield near
    finally:
        near.send("stop")
        worker.join(20)


def _fill(connection: psycopg.Connection[Any], sites: int) -> None:
    ladder = {
        "tiers": [{"name": "Nurse", "receivers": [{"kind": "address", "by": "email", "address": "ward@x.example"}]}]
    }
    connection.execute(
        "insert into organisation (name) values ('Load'); "
        "insert into pathway (organisation_id, name, title) values (1, 'x', 'Load'); "
        "insert into policy (organisation_id, pathway_id, version, document, sha256, author, source, reason) "
        "values (1, 1, 1, '', sha256(''), 'benchmark', 'benchmark', 'benchmark')"
    )
    connection.execute(
        "insert into site (organisation_id, name, kind) select 1, 'S' || i, 'ward' from generate_series(1, %s) i",
        [sites],
    )
    connection.execute(
        "insert into patient (organisation_id, site_id, family_name, given_name, born_on) "
        "select 1, i, 'F', 'G', '1950-01-01' from generate_series(1, %s) i",
        [sites],
    )
    connection.execute(
        "insert into ladder (organisation_id, version, document, author, reason) values (1, 1, %s, 'x', 'x')",
        [json.dumps(ladder)],
    )


_RAISE = """
    with raised as (
        insert into episode (organisation_id, patient_id, policy_id, rule, opened_at, activated_at, phase, severity,
            peak_severity)
        select 1, p, 1, 'x', now(), now(), 'active', 3, 3 from unnest(%s::int[]) p
        returning episode_id)
    insert into notification_job (organisation_id, episode_id, key, severity)
    select 1, episode_id, episode_id::text, 3 from raised
"""


def _await(mail: Connection, sites: list[int]) -> dict[str, float]:
    end = time.monotonic() + _PATIENCE_S
    while time.monotonic() < end:
        mail.send("what")
        arrived: dict[str, float] = mail.recv()
        if all(f"S{site}" in arrived for site in sites):
            return arrived
        time.sleep(0.05)
    raise RuntimeError("not every message arrived")


def _dialogue_ms(port: int) -> float:
    took = []
    for number in range(50):
        begun = time.perf_counter()
        with smtplib.SMTP("127.0.0.1", port) as smtp:
            smtp.sendmail("a@x.example", ["b@x.example"], f"Subject: x, warm-{number}\r\n\r\nx")
        took.append(time.perf_counter() - begun)
    return round(float(np.median(took)) * 1000, 1)


def measure(rate: float, seconds: float) -> dict[str, Any]:
    """Measure on servers of its own."""
    programs, watchdog = ensure_programs(), Watchdog()
    steady = int(rate * seconds)
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="homeward-bench-")))
        folder.chmod(0o755)
        postgres = PrivatePostgres(folder / "postgres", programs)
        postgres.start(watchdog)
        stack.callback(postgres.stop)
        migrate(postgres.url_for(SUPERUSER))
        postgres.enable_logins([service.ROLE])
        port = process.free_port()
        mail = stack.enter_context(_running(_serve_mail, port))
        options = "-c search_path=homeward,public"
        connection = stack.enter_context(psycopg.connect(postgres.url_for(SUPERUSER), options=options, autocommit=True))
        _fill(connection, steady + AT_ONCE)
        alone = _dialogue_ms(port)
        given = (postgres.url_for(service.ROLE), f"smtp://127.0.0.1:{port}", str(folder / "home"))
        stack.enter_context(_running(_notify, *given))
        committed, begun = {}, time.monotonic()
        for site in range(1, steady + 1):
            time.sleep(max(0.0, begun + site / rate - time.monotonic()))
            connection.execute(_RAISE, [[site]])
            committed[site] = time.time()
        arrived = _await(mail, list(committed))
        took = np.array([arrived[f"S{site}"] - at for site, at in committed.items()]) * 1000
        many = list(range(steady + 1, steady + AT_ONCE + 1))
        connection.execute(_RAISE, [many])
        at = time.time()
        arrived = _await(mail, many)
        last = max(arrived[f"S{site}"] for site in many) - at
    watchdog.end_all()
    return {
        "commit_to_smtp_ms": {
            name: round(float(np.percentile(took, q)), 1) for name, q in (("p50", 50), ("p99", 99), ("max", 100))
        },
        "at_once": {"messages": AT_ONCE, "last_after_s": round(last, 2)},
        "one_dialogue_alone_ms": alone,
    }


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rate", type=float, default=RATE, help="episodes a second")
    parser.add_argument("--seconds", type=float, default=SECONDS)
    parser.add_argument("--json", action="store_true")
    given = parser.parse_args()
    figures = measure(given.rate, given.seconds)
    print(json.dumps(figures) if given.json else json.dumps(figures, indent=1))


if __name__ == "__main__":
    main()

"""Does every observation end exactly once in the store, and every episode come once, whatever is killed at any moment?

Servers, two ingest workers and a clock of its own; a hub that numbers its sets and keeps each until its receipt. One of
the processes is killed (-9) again and again, each time after a number of receipts drawn by chance, and started anew.

    python -m tests.end_to_end.chaos --kills 300 --seed 7
"""

from __future__ import annotations

import argparse
import json
import os
import random
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path

import psycopg

from device_sim.publisher import Publisher
from homeward.accounts import Account, accounts
from homeward.broker_accounts import BrokerAccounts
from homeward.local.broker import PrivateBroker
from homeward.local.errors import SetupError
from homeward.local.postgres import PrivatePostgres
from homeward.local.programs import ensure_programs
from homeward.local.watchdog import Watchdog
from ingest.replay import Replayed, replay_all
from schemas.database import migrate, open_pool
from tests.ingest.ward import make_ward, payload
from tests.waiting import PATIENCE_S, wait_until

ROLE, USER = "homeward_ingest", "homeward-ingest"
PATIENTS = 32
MOST_BETWEEN_KILLS = 400
RECEIPT_TIMEOUT_S = 3.0


@dataclass(frozen=True)
class Outcome:
    """What came of it; counts are of observations but for ``kills`` and ``paged``."""

    kills: dict[str, int]
    published: int
    receipted: int
    stored: int
    quarantined: int
    twice: int
    account: Account
    replayed: Replayed
    paged_twice: int
    seconds: float

    def faults(self) -> list[str]:
        """Name everything that is not as it must be."""
        found = [*self.account.faults, *(d.sentence for _, d in self.replayed.differences)]
        if not self.published == self.receipted == self.stored + self.quarantined:
            found.append(f"{self.published} published, {self.receipted} with receipts, {self.stored} stored")
        if self.twice:
            found.append(f"{self.twice} observations are stored twice")
        if self.paged_twice:
            found.append(f"{self.paged_twice} episodes are notified more than once at a severity")
        if not self.replayed.episodes:
            found.append("no episode came up: nothing was tried")
        return found


@dataclass
class _Stage:
    """The servers, and the processes that may be killed, by name."""

    postgres: PrivatePostgres
    broker: PrivateBroker
    watchdog: Watchdog
    environment: dict[str, str]
    workers: dict[str, subprocess.Popen[str]] = field(default_factory=dict)

    def start_worker(self, name: str) -> None:
        command = [sys.executable, "-m", "tests.ingest.worker", name.partition("-")[0]]
        self.workers[name] = subprocess.Popen(
            command, env=self.environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, text=True
        )

    def kill(self, name: str) -> None:
        """Kill a process and start it anew; it is on its own from then on."""
        if name in self.workers:
            self.workers[name].kill()
            self.workers[name].wait()
            self.start_worker(name)
            return
        server = self.postgres if name == "postgres" else self.broker
        assert server.pid is not None
        os.kill(server.pid, signal.SIGKILL)
        server.stop()
        wait_until(lambda: self._starts(server), f"{name} starts again")

    def _starts(self, server: PrivatePostgres | PrivateBroker) -> bool:
        try:
            server.start(self.watchdog)
        except SetupError:
            return False  # what the killed one left behind is still going
        return True

    def end(self) -> None:
        for worker in self.workers.values():
            worker.kill()
            worker.wait()


def run(kills: int, seed: int, tell: Callable[[str], None] = lambda _: None) -> Outcome:
    """Kill so many times, and say what came of it all."""
    chance, began, done = random.Random(seed), time.monotonic(), dict[str, int]()
    with _stage() as stage:
        url = stage.postgres.superuser_url
        ward = make_ward(url, PATIENTS, prefix="chaos")
        with BrokerAccounts(stage.broker.url, *stage.broker.admin) as logins:
            hub, service = stage.broker.credentials(ward.hub), stage.broker.credentials(USER)
            logins.add_device(*hub)
            logins.add_service(*service)
        for name in ("ingest-1", "ingest-2", "clock"):
            stage.start_worker(name)
        with Publisher(stage.broker.url, *hub, receipt_timeout_s=RECEIPT_TIMEOUT_S, window=500) as publisher:
            stop = threading.Event()
            publishing = threading.Thread(target=_publish, args=(publisher, ward.devices, stop))
            publishing.start()
            try:
                for number in range(kills):
                    wanted = publisher.tally.stored + chance.randrange(MOST_BETWEEN_KILLS)
                    wait_until(lambda wanted=wanted: publisher.tally.stored >= wanted, "receipts come")  # type: ignore[misc]
                    name = chance.choice([*stage.workers, "postgres", "broker"])
                    tell(f"{number + 1}: {name}")
                    stage.kill(name)
                    done[name] = done.get(name, 0) + 1
            finally:
                stop.set()
                publishing.join()
            assert publisher.wait_for_receipts(PATIENCE_S), f"{publisher.tally.unaccounted} without receipt"
            tally = publisher.tally
        return _judge(stage, done, tally.published, tally.stored + tally.duplicates + tally.quarantined, began)


@contextmanager
def _stage() -> Iterator[_Stage]:
    programs, watchdog = ensure_programs(), Watchdog()
    with ExitStack() as stack:
        stack.callback(watchdog.end_all)
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="homeward-chaos-")))
        folder.chmod(0o755)
        # durable: a killed database must keep what it has committed
        postgres = PrivatePostgres(folder / "postgres", programs)
        broker = PrivateBroker(folder / "broker", programs)
        for server in (postgres, broker):
            server.start(watchdog)
            stack.callback(server.stop)
        migrate(postgres.superuser_url)
        postgres.enable_logins([ROLE])
        environment = os.environ | {
            "TEST_DATABASE_URL": postgres.url_for(ROLE),
            "TEST_MQTT_URL": broker.url,
            "TEST_MQTT_USER": USER,
            "TEST_MQTT_PASSWORD": broker.credentials(USER).password,
        }
        stage = _Stage(postgres, broker, watchdog, environment)
        stack.callback(stage.end)
        yield stage


def _publish(publisher: Publisher, devices: list[str], stop: threading.Event) -> None:
    """Publish numbered sets, each person's a second apart in their time; every eighth person gets worse half-way."""
    start, number = datetime.now(UTC) - timedelta(minutes=50), 0
    while not stop.is_set():
        person, turn = number % len(devices), number // len(devices)
        number += 1
        is_ill = person % 8 == 0 and turn % 60 >= 30
        values = {"spo2": 84 if is_ill else 97, "pulse": 135 if is_ill else 70, "respiration_rate": 16}
        at = start + timedelta(seconds=turn)
        publisher.publish(payload(at, values, device=devices[person], sequence=number), len(values), stop)


def _judge(stage: _Stage, kills: dict[str, int], published: int, receipted: int, began: float) -> Outcome:
    with psycopg.connect(stage.postgres.superuser_url, options="-c search_path=homeward,public") as connection:

        def ask(query: str) -> int:
            row = connection.execute(query.encode()).fetchone()
            return int(row[0]) if row else 0

        stored = ask("select count(*) from observation")
        once = ask("select count(*) from (select distinct patient_id, vital, observed_at from observation) o")
        quarantined = ask("select coalesce(sum(observations), 0) from quarantine")
        paged_twice = ask(
            "select count(*) from (select from notification_job group by episode_id, severity having count(*) > 1) j"
        )
        (account,) = accounts(connection)
    with open_pool(stage.postgres.url_for(ROLE), ROLE) as pool:
        replayed = replay_all(pool, 0)
    seconds = round(time.monotonic() - began, 1)
    return Outcome(
        kills, published, receipted, stored, quarantined, stored - once, account, replayed, paged_twice, seconds
    )


def main() -> int:
    """Run, print what came of it, and give the exit code."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--kills", type=int, default=300)
    parser.add_argument("--seed", type=int, default=random.randrange(1_000_000))
    options = parser.parse_args()
    outcome = run(options.kills, options.seed, lambda what: print(what, file=sys.stderr, flush=True))
    faults = outcome.faults()
    replayed = {"episodes": outcome.replayed.episodes, "transitions": outcome.replayed.transitions}
    counts = {name: getattr(outcome, name) for name in ("published", "receipted", "stored", "quarantined", "seconds")}
    print(json.dumps({"seed": options.seed, "kills": outcome.kills, **counts, **replayed, "faults": faults}))
    return int(bool(faults))


if __name__ == "__main__":
    sys.exit(main())

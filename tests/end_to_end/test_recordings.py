"""Does a real recording, played through broker and ingest into the database, raise what it must and lose nothing?"""

import os
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from importlib import resources
from pathlib import Path
from typing import Any

import psycopg
import pytest

from device_sim import recording, run
from device_sim.provisioning import provision
from device_sim.publisher import Tally
from homeward.provisioning import ensure_organisation, publish_policy
from ingest.service import run as run_ingest
from schemas.database import open_pool
from schemas.episode import Severity
from schemas.observation import Flag
from tests.conftest import TestBroker, TestDatabase
from tests.ingest.workers import begin_lanes
from tests.waiting import PATIENCE_S

RECORDINGS = Path(__file__).parents[3] / "shared" / "data" / "recordings"
HUB = "hub-of-recordings"
pytestmark = pytest.mark.slow


@dataclass(frozen=True)
class Installation:
    """A broker and a database with ingest at work between them."""

    database: TestDatabase
    broker: run.Broker

    def play(self, name: str, policy: str, speed: float = float("inf")) -> Tally:
        """Register who is in a recording, and play it re-dated to now."""
        path = RECORDINGS / f"{name}.csv.gz"
        if not path.exists():
            assert not os.environ.get("CI"), f"{path} is missing"
            pytest.skip("the recordings are not beside this checkout")
        contents = recording.survey(path)
        text = resources.files("alerts").joinpath(f"policies/{policy}.toml").read_text(encoding="utf-8")
        url = self.database.url_for("homeward_admin")
        with open_pool(url, "homeward_admin") as pool, pool.connection() as admin:
            organisation = ensure_organisation(admin, "Recordings")
            publish_policy(admin, organisation, text, author="test", reason="test")
            [(site,)] = self.rows(
                "insert into site (organisation_id, name, kind) values (%s, 'Ward', 'ward') "
                "on conflict (organisation_id, name) do update set kind = 'ward' returning site_id",
                organisation,
            )
            [(pathway,)] = self.rows("select pathway_id from pathway where name = %s", policy)
            provision(admin, organisation, site, contents.persons(), contents.entries(), pathway, hub=HUB)
        return run.play(contents, self.broker, speed=speed, now=time.time_ns() // 1000)

    def rows(self, query: str, *parameters: Any) -> list[tuple[Any, ...]]:
        """Ask the database as its superuser."""
        options = "-c search_path=homeward,public"
        with psycopg.connect(self.database.url, autocommit=True, options=options) as connection:
            return connection.execute(query.encode(), parameters).fetchall()


@pytest.fixture
def installation(database: TestDatabase, broker: TestBroker) -> Iterator[Installation]:
    stop, ready = threading.Event(), threading.Event()
    login = ("ingest-of-recordings", broker.add_service("ingest-of-recordings"))
    url = database.url_for("homeward_ingest")
    ingest = threading.Thread(target=run_ingest, args=(url, broker.url, *login, stop, ready.set))
    ingest.start()
    try:
        assert ready.wait(PATIENCE_S)
        yield Installation(database, run.Broker(broker.url, HUB, broker.add_device(HUB)))
    finally:
        stop.set()
        ingest.join()
        begin_lanes(broker, 0)  # nothing is kept there for the tests that come after


def test_each_desaturated_person_has_one_red_episode(installation: Installation) -> None:
    tally = installation.play("oximetry_desaturation", "pulse_oximetry_home")
    assert tally.published == tally.stored + tally.duplicates + tally.quarantined == 48_432
    # what was pending until another oximeter of the same second spoke was never told to anybody
    episodes = installation.rows(
        "select patient_id, peak_severity, retrospective from episode "
        "where activated_at is not null and phase <> 'withdrawn' order by 1"
    )
    assert len({patient for patient, _, _ in episodes}) == len(episodes) == 6
    assert {(severity, late) for _, severity, late in episodes} == {(Severity.RED, False)}
    # the channel without a probe says 0 all the time: kept in quarantine, and no observation
    unplugged = "device_id in (select device_id from device where code like '%%-unplugged')"
    assert installation.rows(f"select count(*) from observation where {unplugged}") == [(0,)]
    quarantined = f"select sum(observations) from quarantine where {unplugged} and reason = 'implausible'"
    assert installation.rows(quarantined) == [(tally.quarantined,)]


def test_repeats_three_hours_later_are_suspected(installation: Installation) -> None:
    tally = installation.play("home_blood_pressure", "blood_pressure_home")
    assert tally.published == tally.stored + tally.duplicates + tally.quarantined == 1_442
    [(stored, suspected)] = installation.rows(
        "select count(*), count(*) filter (where flags & %s > 0) from observation", int(Flag.SUSPECTED_REPEAT)
    )
    assert stored == tally.stored
    assert 400 < suspected < 700


@pytest.mark.timeout(900)  # 76,000 messages, each with a receipt
@pytest.mark.parametrize("name", ["sepsis_2019", "bidmc_bedside"])
def test_nothing_of_a_recording_is_unaccounted_for(installation: Installation, name: str) -> None:
    tally = installation.play(name, "care_home_news2")
    [(stored,)] = installation.rows("select count(*) from observation")
    [(quarantined,)] = installation.rows("select coalesce(sum(observations), 0) from quarantine")
    assert (stored, quarantined) == (tally.stored, tally.quarantined)
    assert tally.unaccounted == 0
    assert tally.published > 30_000


def test_playing_it_again_meets_the_same_people(installation: Installation) -> None:
    for _ in range(2):
        installation.play("home_blood_pressure", "blood_pressure_home")
    assert installation.rows("select count(*) from patient") == [(28,)]
    assert installation.rows("select count(*) from device where kind <> 'hub'") == [(28,)]
    assert installation.rows("select count(*) from device_assignment") == [(28,)]

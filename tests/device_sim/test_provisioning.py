"""Are simulated people and devices registered once, completely, and within one organisation?"""

from collections.abc import Iterator
from datetime import date
from itertools import islice

import psycopg
import pytest

from device_sim.cohort import make_cohort
from device_sim.people import load_names, nhs_numbers, portrait, stranger
from device_sim.provisioning import (
    DeviceEntry,
    ProvisioningError,
    lane_of,
    provision,
    topic_of,
)
from schemas.database import open_pool
from schemas.topic import parse
from tests.conftest import TestDatabase

START = 1_795_305_600_000_000


@pytest.fixture
def organisations(database: TestDatabase) -> list[tuple[int, int]]:
    """Two organisations with a site each, as (organisation_id, site_id)."""
    made = []
    with psycopg.connect(database.url, autocommit=True, options="-c search_path=homeward,public") as connection:
        for name in ("North", "South"):
            row = connection.execute(
                "with o as (insert into organisation (name) values (%s) returning organisation_id) "
                "insert into site (organisation_id, name, kind) select organisation_id, 'Ward', 'ward' from o "
                "returning organisation_id, site_id",
                [name],
            ).fetchone()
            assert row is not None
            made.append((row[0], row[1]))
    return made


@pytest.fixture
def admin(database: TestDatabase) -> Iterator[psycopg.Connection]:
    with open_pool(database.url_for("homeward_admin"), "homeward_admin") as pool, pool.connection() as connection:
        yield connection


def counts(database: TestDatabase) -> dict[str, int]:
    with psycopg.connect(database.url, options="-c search_path=homeward,public") as connection:
        found = {}
        for table in ("patient", "device", "device_assignment", "enrolment", "audit_log"):
            row = connection.execute(f"select count(*) from {table}").fetchone()
            found[table] = row[0] if row else 0
        return found


def pathway(database: TestDatabase, organisation: int, name: str = "some_pathway") -> int:
    with psycopg.connect(database.url, options="-c search_path=homeward,public") as connection:
        row = connection.execute(
            "insert into pathway (organisation_id, name, title) values (%s, %s, 'Some') returning pathway_id",
            [organisation, name],
        ).fetchone()
        assert row is not None
        return int(row[0])


def test_a_cohort_is_registered_once(
    database: TestDatabase, organisations: list[tuple[int, int]], admin: psycopg.Connection
) -> None:
    organisation, site = organisations[0]
    cohort = make_cohort(40, ["shared_device"] * 2 + ["sepsis"] * 38, 1, START)
    way = pathway(database, organisation)
    first = provision(admin, organisation, site, cohort.persons(), cohort.devices(), way, hub="hub-1")
    before = counts(database)
    again = provision(admin, organisation, site, cohort.persons(), cohort.devices(), way, hub="hub-1")
    assert counts(database) == before
    assert (first.patients, first.devices) == (again.patients, again.devices)
    assert (first.new_patients, again.new_patients, again.new_devices) == (40, 0, 0)
    assert before["patient"] == before["enrolment"] == 40
    assert before["device"] == len(cohort.devices()) + 1
    assert before["device_assignment"] == len(cohort.table)
    with psycopg.connect(database.url, options="-c search_path=homeward,public") as connection:
        query = (
            "select count(*) from device d join device h on h.device_id = d.hub_id and h.kind = 'hub' where d.lane = %s"
        )
        lanes = sum(connection.execute(query, [lane]).fetchone()[0] for lane in range(16))  # type: ignore[index]
    assert lanes == len(cohort.devices())


def test_a_larger_cohort_of_the_same_seed_adds_the_others_only(
    database: TestDatabase, organisations: list[tuple[int, int]], admin: psycopg.Connection
) -> None:
    organisation, site = organisations[0]
    small, large = (make_cohort(n, "stable", 1, START) for n in (5, 9))
    first = provision(admin, organisation, site, small.persons(), small.devices())
    second = provision(admin, organisation, site, large.persons(), large.devices())
    assert second.new_patients == 4
    assert all(second.patients[key] == patient for key, patient in first.patients.items())


def test_enrolment_moves_to_the_pathway_asked_for(
    database: TestDatabase, organisations: list[tuple[int, int]], admin: psycopg.Connection
) -> None:
    organisation, site = organisations[0]
    cohort = make_cohort(3, "stable", 1, START)
    for name in ("first", "second"):
        provision(admin, organisation, site, cohort.persons(), cohort.devices(), pathway(database, organisation, name))
    with psycopg.connect(database.url, options="-c search_path=homeward,public") as connection:
        rows = connection.execute(
            "select p.name, e.ended_at is null from enrolment e join pathway p using (pathway_id)"
        ).fetchall()
    assert sorted(rows) == [("first", False)] * 3 + [("second", True)] * 3


def test_another_organisations_device_is_refused_and_nothing_is_left_behind(
    database: TestDatabase, organisations: list[tuple[int, int]], admin: psycopg.Connection
) -> None:
    cohort = make_cohort(3, "stable", 1, START)
    provision(admin, *organisations[0], cohort.persons(), cohort.devices())
    before = counts(database)
    with pytest.raises(ProvisioningError, match="another organisation"):
        provision(admin, *organisations[1], cohort.persons(), cohort.devices())
    assert counts(database) == before


def test_device_codes_and_holders_are_checked(organisations: list[tuple[int, int]], admin: psycopg.Connection) -> None:
    person = stranger("a", date(2026, 11, 22))
    with pytest.raises(ProvisioningError, match="a code has"):
        provision(admin, *organisations[0], [person], [DeviceEntry("a/b", "cuff", {0: "a"})])
    with pytest.raises(ProvisioningError, match="not among the people"):
        provision(admin, *organisations[0], [person], [DeviceEntry("ab", "cuff", {0: "b"})])


def test_nhs_numbers_have_a_valid_check_digit() -> None:
    for number in islice(nhs_numbers("somebody"), 500):
        digits = [int(d) for d in number]
        assert number.startswith("999")
        assert len(digits) == 10
        # the weights of all ten digits, the check digit's 1 included, add up to a multiple of 11
        assert sum(d * w for d, w in zip(digits, range(10, 0, -1), strict=True)) % 11 == 0


def test_names_are_many_and_stay_the_same() -> None:
    people = [portrait(str(n), n, female=n % 2 == 0, born_on=date(1950, 1, 1)) for n in range(300)]
    assert people[7] == portrait("7", 7, female=False, born_on=date(1950, 1, 1))
    assert len({(p.given_name, p.family_name) for p in people}) > 200
    assert all(len(parts[1][part]) > 0 for parts in load_names() for part in ("female", "male", "family"))


def test_lanes_are_spread_and_part_of_the_topic() -> None:
    lanes = [lane_of(f"device-{n}") for n in range(1600)]
    assert min(lanes.count(lane) for lane in range(16)) > 60
    assert parse(topic_of("cuff-7")).lane == lane_of("cuff-7")

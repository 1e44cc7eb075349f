"""Is deleted what is past its organisation's rule, and nothing else, and does history stay as it was judged?"""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import psycopg
import pytest
from psycopg_pool import ConnectionPool

from homeward import retention
from homeward.provisioning import ProvisioningError
from ingest.correction import correct
from ingest.replay import replay_all
from schemas.database import open_pool
from tests.conftest import TestDatabase
from tests.ingest.conftest import Desk

NOW = datetime.now(UTC)


@pytest.fixture
def keep(database: TestDatabase) -> Callable[[Desk, int], None]:
    def set_months(desk: Desk, months: int) -> None:
        with open_pool(database.url_for("homeward_admin"), "homeward_admin") as found, found.connection() as connection:
            retention.set_rule(connection, desk.ward.organisation, months, "the board", "our record plan")

    return set_months


@pytest.fixture
def apply(database: TestDatabase) -> Callable[..., retention.Applied]:
    def run(**options: Any) -> retention.Applied:
        with open_pool(database.url_for(retention.ROLE), retention.ROLE) as found, found.connection() as connection:
            return retention.apply(connection, **options)

    return run


def enter(desk: Desk, days_ago: float, pulse: float = 70.0, patient: int = 0) -> None:
    """Put an old observation where it would be by now."""
    desk.ask(
        "insert into observation select %s, %s, %s, %s, device_id, 6 from device where code = %s returning 1",
        NOW - timedelta(days=days_ago), NOW - timedelta(days=days_ago), pulse, desk.ward.patients[patient],
        desk.ward.devices[patient],
    )  # fmt: skip


def ages(desk: Desk) -> list[int]:
    rows = desk.ask("select observed_at from observation where patient_id = any(%s) order by 1", desk.ward.patients)
    return [round((NOW - at).total_seconds() / 86_400) for (at,) in rows]


def test_each_organisation_keeps_what_its_rule_says(
    make_desk: Callable[..., Desk], keep: Callable[[Desk, int], None], apply: Callable[..., retention.Applied]
) -> None:
    short, long, unruled = make_desk(), make_desk(), make_desk()
    for desk in (short, long, unruled):
        for days in (1, 100, 200, 400, 800):
            enter(desk, days)
    assert apply().before == {}
    keep(short, 6)
    keep(long, 12)
    planned = apply(dry_run=True)
    assert (planned.chunks, planned.observations) == (0, 5)
    assert ages(short) == [800, 400, 200, 100, 1]
    assert apply().observations == 5
    assert (ages(short), ages(long), ages(unruled)) == ([100, 1], [200, 100, 1], [800, 400, 200, 100, 1])
    assert apply().observations == 0
    keep(unruled, 12)
    # now nobody needs the oldest chunks
    done = apply()
    assert done.chunks >= 2
    assert ages(unruled) == [200, 100, 1]
    entries = short.ask("select action from audit_log where organisation_id = %s order by 1", short.ward.organisation)
    assert {action for (action,) in entries} == {"retention", "retention_set"}


def test_what_an_open_episode_rests_on_is_kept(
    desk: Desk, keep: Callable[[Desk, int], None], apply: Callable[..., retention.Applied]
) -> None:
    for days in (300, 250, 230, 1):
        enter(desk, days)
        enter(desk, days, patient=1)
    desk.ask(
        "insert into episode (organisation_id, patient_id, policy_id, rule, opened_at, phase, severity, peak_severity) "
        "select organisation_id, %s, policy_id, 'x', %s, 'active', 1, 1 from policy returning 1",
        desk.ward.patients[0], NOW - timedelta(days=240),
    )  # fmt: skip
    keep(desk, 6)
    apply()
    rows = desk.ask("select patient_id, count(*) from observation group by 1 order by 1")
    assert rows == [(desk.ward.patients[0], 3), (desk.ward.patients[1], 1)]


def test_what_was_judged_on_deleted_observations_is_not_taken_back(
    desk: Desk, pool: ConnectionPool, keep: Callable[[Desk, int], None], apply: Callable[..., retention.Applied]
) -> None:
    desk.ask("update enrolment set started_at = %s returning 1", NOW - timedelta(days=390))
    first = NOW - timedelta(days=300)
    for minutes, values in ((0, {"spo2": 85}), (60, {"spo2": 85}), (120, {"spo2": 97, "pulse": 70})):
        complete = {"respiration_rate": 16, "bp_systolic": 120, "pulse": 70, "temperature": 36.8}
        at = first + timedelta(minutes=minutes)
        message = desk.message(0, (at - desk.start).total_seconds() / 60, complete | values)
        desk.write(message, now=at)
    desk.write(desk.message(0, 50, complete | {"spo2": 97}))
    before = desk.episodes()
    assert before
    assert {phase for *_, phase, _, _ in before} == {"resolved"}
    keep(desk, 6)
    assert apply().chunks >= 1
    # as after an observation that came too late: the patient's history is judged again, from what is left
    desk.ask("update patient_state set late_noted_at = now() where patient_id = %s returning 1", desk.ward.patients[0])
    assert correct(pool, desk.keeper.read_again(), timedelta(0)) == 1
    assert desk.episodes() == before
    assert replay_all(pool, 0).differences == []


def test_a_rule_is_sensible_and_reasoned(desk: Desk, keep: Callable[[Desk, int], None]) -> None:
    with pytest.raises(ProvisioningError, match="expected 3 to 1200"):
        keep(desk, 1)


def test_recent_observations_are_dropped_by_nobody(database: TestDatabase) -> None:
    with (
        open_pool(database.url_for(retention.ROLE), retention.ROLE) as found,
        found.connection() as connection,
        pytest.raises(psycopg.errors.RaiseException, match="last three months"),
    ):
        connection.execute("select drop_observation_chunks(now())")

"""Does a pause keep its patient quiet to its end, whatever is observed, and tell then what is still so?"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta

from ingest.acts import settle_pauses
from ingest.clock import do_due
from ingest.counters import Counters
from ingest.replay import replay_all
from tests.ingest.conftest import Desk
from tests.ingest.test_writer import ILL, WELL

HOUR = timedelta(hours=1)


def _pause(desk: Desk, since: datetime, until: datetime, index: int = 0) -> None:
    desk.ask(
        """with a as (insert into account (organisation_id, sign_in, name, role)
            values (%s, gen_random_uuid()::text, 'A', 'clinician') returning account_id)
        insert into patient_pause (organisation_id, patient_id, since, ends_at, reason, account_id)
        select %s, %s, %s, %s, 'in hospital', account_id from a returning 1""",
        desk.ward.organisation,
        desk.ward.organisation,
        desk.ward.patients[index],
        since,
        until,
    )


def _due(desk: Desk, now: datetime) -> None:
    while do_due(desk.pool, desk.keeper, Counters(), round(now.timestamp() * 1e6)):
        pass


def _settle(desk: Desk, now: datetime) -> int:
    return settle_pauses(desk.pool, desk.keeper.registry, round(now.timestamp() * 1e6))


def _jobs(desk: Desk) -> list[tuple[object, ...]]:
    return desk.ask(
        "select patient_id, j.severity from notification_job j join episode using (episode_id) order by job_id"
    )


def test_what_falls_due_in_a_pause_falls_due_as_long_after_its_end(make_desk: Callable[..., Desk]) -> None:
    desk = make_desk(2)
    paused, other = desk.ward.patients
    desk.write(*(desk.message(i, 0, WELL) for i in (0, 1)))
    begins, ends = desk.at(0) + 2 * HOUR, desk.at(0) + 30 * HOUR
    _pause(desk, begins, ends)
    _due(desk, desk.at(0) + 29 * HOUR)
    overdue = "select patient_id, opened_at from episode where rule = 'observations_overdue' order by opened_at"
    assert desk.ask(overdue) == [(other, desk.at(0) + 14 * HOUR)]
    _due(desk, ends + 13 * HOUR)
    assert len(desk.ask(overdue)) == 1
    _due(desk, ends + 15 * HOUR)
    assert desk.ask(overdue)[1:] == [(paused, ends + 14 * HOUR)]
    assert replay_all(desk.pool, 0).differences == []


def test_nothing_is_paged_in_a_pause_and_what_is_left_at_its_end_once(make_desk: Callable[..., Desk]) -> None:
    desk = make_desk(3)
    ends = desk.at(48)
    for index in (0, 1):
        _pause(desk, desk.at(1), ends, index)
    for minute in (2, 4, 6):
        desk.write(*(desk.message(i, minute, ILL) for i in range(3)), now=desk.at(minute))
    recovered = [desk.message(1, minute, WELL) for minute in (8, 41, 44)]
    desk.write(*recovered, now=desk.at(44))
    assert [(p, s) for p, s in _jobs(desk)] == [(desk.ward.patients[2], 3)]
    assert _settle(desk, ends - timedelta(minutes=1)) == 0
    assert _settle(desk, ends) == 2
    assert _jobs(desk) == [(desk.ward.patients[2], 3), (desk.ward.patients[0], 3)]
    assert _settle(desk, ends) == 0
    # what comes after the end is paged as ever
    desk.write(desk.message(1, 52, ILL), now=desk.at(52))
    assert [p for p, _ in _jobs(desk)] == [desk.ward.patients[i] for i in (2, 0, 1)]
    assert replay_all(desk.pool, 0).differences == []


def test_a_pause_lifted_early_ends_then(desk: Desk) -> None:
    desk.write(desk.message(0, 0, WELL))
    _pause(desk, desk.at(1), desk.at(0) + 100 * HOUR)
    _due(desk, desk.at(0) + 20 * HOUR)
    lifted = desk.at(0) + 21 * HOUR
    desk.ask("with u as (update patient_pause set lifted_at = %s returning 1) select * from u", lifted)
    desk.ask("with u as (update patient_state set next_due_at = now() returning 1) select * from u")
    _due(desk, lifted + 15 * HOUR)
    found = desk.ask("select opened_at from episode where rule = 'observations_overdue' order by 1")
    assert found[-1:] == [(lifted + 14 * HOUR,)]
    assert replay_all(desk.pool, 0).differences == []

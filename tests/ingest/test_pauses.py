"""Does a pause keep its patient quiet to its end, whatever is observed, and tell then what is still so?"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from datetime import datetime, timedelta

from alerts.policy import shipped
from ingest.acts import settle_pauses
from ingest.clock import do_due
from ingest.counters import Counters
from ingest.replay import replay_all
from tests.ingest.conftest import Desk
from tests.ingest.test_writer import ILL, WELL

HOUR = timedelta(hours=1)
LATCHING = shipped("pulse_oximetry_home").text.replace("[[limit]]", "[[limit]]\nlatching = true", 1)


def publish(desk: Desk, document: str, at: datetime | None = None) -> None:
    """Put a further version of the ward's policy in force, as if it had been so for two hours, or since an instant."""
    desk.ask(
        """with p as (insert into policy (organisation_id, pathway_id, version, document, sha256, author, source,
            reason, published_at)
            select organisation_id, pathway_id, (select max(version) + 1 from policy), %s, %s, 'a', 's', 'r',
                coalesce(%s, now() - interval '2 hours')
            from pathway
            returning policy_id, pathway_id)
        update pathway w set policy_id = p.policy_id from p where p.pathway_id = w.pathway_id returning 1""",
        document,
        hashlib.sha256(document.encode()).digest(),
        at,
    )


def course(desk: Desk, start: float, values: str) -> None:
    for i, value in enumerate(values.split()):
        desk.write(desk.message(0, start + i, {"spo2": float(value)}), now=desk.at(start + i))


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


def test_what_a_writer_that_was_held_up_raises_at_the_end_of_a_pause_is_told_once(
    make_desk: Callable[..., Desk],
) -> None:
    desk = make_desk(2)
    ends = desk.at(10)
    for index in (0, 1):
        desk.write(desk.message(index, 0, WELL), now=desk.at(0))
        _pause(desk, desk.at(1), ends, index)
    # the one writes while the pauses are settled; the other took its instant before that and the lock after it
    with desk.pool.connection() as connection, connection.transaction():
        connection.execute("select from patient_state where patient_id = %s for update", [desk.ward.patients[0]])
        assert _settle(desk, ends) == 1
    desk.write(*(desk.message(i, minute, ILL) for i in (0, 1) for minute in (5, 7)), now=desk.at(9.9))
    assert [p for p, _ in _jobs(desk)] == [desk.ward.patients[1]]
    assert _settle(desk, ends) == 1
    assert [p for p, _ in _jobs(desk)] == [desk.ward.patients[i] for i in (1, 0)]
    assert _settle(desk, ends) == 0


def test_what_comes_back_in_a_pause_after_it_was_taken_on_is_told_at_its_end(make_desk: Callable[..., Desk]) -> None:
    desk = make_desk(1, "pulse_oximetry_home")
    publish(desk, LATCHING)
    course(desk, 0, "91 91")
    desk.ask(
        """with a as (insert into account (organisation_id, sign_in, name, role)
            select organisation_id, 'a', 'A', 'clinician' from organisation returning account_id), e as (
        update episode set acknowledged_by = account_id, acknowledged_at = now(), acknowledged_severity = 3
        from a returning episode.*)
        insert into episode_event (organisation_id, episode_id, patient_id, kind, at, severity, account_id)
        select organisation_id, episode_id, patient_id, 'acknowledged', now(), severity, acknowledged_by from e
        returning 1"""
    )
    assert len(_jobs(desk)) == 1
    ends = desk.at(40)
    _pause(desk, desk.at(2), ends)
    course(desk, 3, "97 " * 20)
    course(desk, 26, "93 93")
    assert desk.ask("select acknowledged_by from episode") == [(None,)]
    assert len(_jobs(desk)) == 1
    assert _settle(desk, ends) == 1
    assert len(_jobs(desk)) == 2
    # and once
    _pause(desk, desk.at(41), desk.at(42))
    assert _settle(desk, desk.at(42)) == 1
    assert len(_jobs(desk)) == 2
    # nobody has taken it on since; its condition is over and comes back
    desk.ask("with u as (update notification_job set created_at = %s returning 1) select * from u", desk.at(42))
    _pause(desk, desk.at(43), desk.at(54))
    course(desk, 44, "97 97 97 93 93")
    assert len(_jobs(desk)) == 2
    assert _settle(desk, desk.at(54)) == 1
    assert len(_jobs(desk)) == 3
    assert replay_all(desk.pool, 0).differences == []

"""Is everybody told whose turn it is, at the right minute, and nobody for whom it is not?

The present is an argument, so that hours pass in no time. The database is the real one, on the notifier's own role.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime

import pytest

from homeward.notify import planning
from tests.conftest import TestDatabase
from tests.homeward.notify.house import NOW, House, by_mail, minutes, open_house, tier

TWO = (tier("Home", by_mail("home@x.example")), tier("Nurse", by_mail("nurse@x.example"), after=10))


@pytest.fixture
def house(module_database: TestDatabase) -> Iterator[House]:
    with open_house(module_database) as found:
        yield found


def test_the_next_tier_is_told_when_nobody_takes_it_on_in_time(house: House) -> None:
    house.ladder(*TWO, tier("Doctor", by_mail("doctor@x.example"), after=25))
    episode = house.raise_episode()
    house.plan(NOW)
    assert house.told() == [("Home", "home@x.example")]
    house.set("update delivery set status = 'delivered'")
    house.plan(NOW + minutes(9.9))
    assert len(house.told()) == 1
    house.plan(NOW + minutes(10))
    house.plan(NOW + minutes(24.9))
    assert [t for t, _ in house.told()] == ["Home", "Nurse"]
    house.plan(NOW + minutes(25))
    assert [t for t, _ in house.told()] == ["Home", "Nurse", "Doctor"]
    events = house.ask(
        "select kind, note, severity from episode_event where episode_id = %s and kind = 'escalated' order by at",
        episode,
    )
    assert events == [("escalated", "Nurse", 3), ("escalated", "Doctor", 3)]
    house.plan(NOW + minutes(60))
    assert len(house.told()) == 3
    assert house.jobs() == [("delivered", "told")]


@pytest.mark.parametrize(
    ("act", "outcome"),
    [
        ("acknowledged_at = now(), acknowledged_by = (select min(account_id) from account)", "acknowledged"),
        ("phase = 'resolved', resolved_at = now()", "resolved"),
        ("phase = 'withdrawn'", "withdrawn"),
    ],
)
def test_what_is_taken_on_or_over_is_told_no_further(house: House, act: str, outcome: str) -> None:
    house.ladder(*TWO)
    house.raise_episode()
    house.plan(NOW)
    house.set(f"update episode set {act} where phase = 'active'")
    house.plan(NOW + minutes(11))
    assert house.told() == [("Home", "home@x.example")]
    assert house.jobs() == [("cancelled", outcome)]
    # and what had not gone out by then does not go either
    assert house.ask("select status, outcome from delivery") == [("cancelled", "no longer needed")]


def test_a_snooze_puts_the_ladder_off_and_its_end_begins_it_again(house: House) -> None:
    house.ladder(*TWO)
    episode = house.raise_episode()
    house.plan(NOW)
    until = NOW + minutes(30)
    # as the dashboard's statement does
    house.set("update episode set snoozed_until = %s, snoozed_severity = 3 where episode_id = %s", until, episode)
    house.set(
        "insert into notification_job (organisation_id, episode_id, key, severity, created_at, run_at) "
        "values (%s, %s, %s, 3, %s, %s)",
        house.organisation, episode, f"{episode}:3:snoozed:1", NOW + minutes(1), until,
    )  # fmt: skip
    house.plan(NOW + minutes(29))
    assert [t for t, _ in house.told()] == ["Home"]
    assert house.jobs()[0][1] == "told anew"
    house.plan(until)
    assert [t for t, _ in house.told()] == ["Home", "Home"]
    house.plan(until + minutes(10))
    assert [t for t, _ in house.told()] == ["Home", "Home", "Nurse"]


def test_a_snooze_that_is_ended_early_is_told_at_once(house: House) -> None:
    house.ladder(*TWO)
    episode = house.raise_episode()
    house.set("update episode set snoozed_until = %s where episode_id = %s", NOW + minutes(30), episode)
    house.set(
        "insert into notification_job (organisation_id, episode_id, key, severity, created_at, run_at) "
        "values (%s, %s, %s, 3, %s, %s)",
        house.organisation, episode, f"{episode}:3:snoozed:1", NOW, NOW + minutes(30),
    )  # fmt: skip
    house.plan(NOW + minutes(1))
    assert house.told() == []
    house.set("update episode set snoozed_until = null")
    house.plan(NOW + minutes(2))
    assert [t for t, _ in house.told()] == ["Home"]


def test_renewed_worsening_is_told_once_and_more_urgently(house: House) -> None:
    house.ladder(*TWO)
    episode = house.raise_episode(severity=2)
    house.plan(NOW)
    house.set("update episode set severity = 3 where episode_id = %s", episode)
    house.job(episode, 3, NOW + minutes(1))
    house.job(episode, 3, NOW + minutes(1))
    house.plan(NOW + minutes(1))
    assert house.jobs()[0][1] == house.jobs()[1][1] == "told anew"
    assert house.ask("select severity, count(*) from delivery group by 1 order by 1") == [(2, 1), (3, 1)]


def test_many_episodes_of_one_site_become_one_message(house: House) -> None:
    house.ladder(*TWO)
    for number in range(planning.STORM_MESSAGES):
        house.raise_episode(at=NOW + minutes(number / 10))
        house.plan(NOW + minutes(number / 10))
    assert len(house.told()) == planning.STORM_MESSAGES
    for number in range(40):
        house.raise_episode(at=NOW + minutes(0.5), patient=number % 2)
        house.plan(NOW + minutes(0.5 + number / 1000))
    assert len(house.told()) == planning.STORM_MESSAGES
    elsewhere = house.raise_episode(at=NOW + minutes(0.6), patient=2)
    house.plan(NOW + minutes(0.6))
    assert len(house.told()) == planning.STORM_MESSAGES + 1, "another site's alert waits for nobody"
    house.plan(NOW + minutes(1))
    lists = house.ask("select count(*) from delivery_episode group by delivery_id order by delivery_id")
    assert [row[0] for row in lists] == [1, 1, 1, 1, 40]
    told = house.ask("select count(distinct episode_id), count(*) from delivery_episode")
    assert told == [(planning.STORM_MESSAGES + 41, planning.STORM_MESSAGES + 41)]
    assert elsewhere in {row[0] for row in house.ask("select episode_id from delivery_episode")}


def test_red_does_not_wait_behind_a_storm_of_yellow(house: House) -> None:
    house.ladder(*TWO)
    for number in range(10):
        house.raise_episode(severity=1, at=NOW + minutes(number / 100))
        house.plan(NOW + minutes(number / 100))
    assert len(house.told()) == planning.STORM_MESSAGES
    house.raise_episode(severity=3, at=NOW + minutes(0.2))
    house.plan(NOW + minutes(0.2))
    assert house.ask("select max(severity), count(*) from delivery") == [(3, planning.STORM_MESSAGES + 1)]


def test_when_nothing_gets_through_the_next_tier_is_told_at_once(house: House) -> None:
    house.ladder(*TWO)
    house.raise_episode()
    house.plan(NOW)
    house.set("update delivery set attempts = 1, outcome = 'the mail server does not answer'")
    house.plan(NOW + minutes(0.05))
    assert len(house.told()) == 1, "once is not enough to give up"
    house.set("update delivery set attempts = 2")
    house.plan(NOW + minutes(0.1))
    assert [t for t, _ in house.told()] == ["Home", "Nurse"]
    # and the first goes on being tried
    assert house.ask("select status from delivery order by delivery_id") == [("waiting",), ("waiting",)]


def test_a_tier_that_reaches_nobody_is_passed_at_once(house: House) -> None:
    house.contact("nurse", "nurse@x.example")
    house.rota("Nights", [{"account": house.account("nurse"), "start": "20:00", "end": "08:00"}])
    on_call = {"kind": "rota", "rota": "Nights"}
    house.ladder(tier("On call", on_call), tier("Office", by_mail("office@x.example"), after=30))
    noon = datetime(2026, 6, 10, 11, tzinfo=UTC)
    house.raise_episode(at=noon)
    house.plan(noon)
    assert house.told() == [("Office", "office@x.example")]
    night = datetime(2026, 6, 10, 22, tzinfo=UTC)
    house.raise_episode(at=night)
    house.plan(night)
    assert house.told()[1:] == [("On call", "nurse@x.example")]


def test_while_there_is_nobody_to_tell_the_job_waits_and_says_so(house: House) -> None:
    house.ladder(tier("Nurse", {"kind": "person", "account": house.account("nurse")}))
    house.raise_episode()
    house.plan(NOW)
    assert house.jobs() == [("waiting", planning.NOBODY)]
    house.contact("nurse", "nurse@x.example")
    house.plan(NOW + planning.AGAIN)
    assert house.told() == [("Nurse", "nurse@x.example")]
    assert house.jobs() == [("waiting", "told")]


def test_without_a_ladder_nothing_is_lost_and_a_site_falls_back_to_the_organisations(house: House) -> None:
    house.raise_episode()
    house.plan(NOW)
    assert house.jobs() == [("waiting", planning.NO_LADDER)]
    house.ladder(*TWO)
    house.plan(NOW + minutes(1))
    assert house.told() == [("Home", "home@x.example")]
    house.ladder(tier("Own", by_mail("own@x.example")), site=house.site)
    house.raise_episode(at=NOW + minutes(2))
    house.plan(NOW + minutes(2))
    assert house.told()[-1] == ("Own", "own@x.example")


def test_who_has_begun_on_a_ladder_goes_on_with_that_version(house: House) -> None:
    house.ladder(*TWO)
    house.raise_episode()
    house.plan(NOW)
    house.set("update delivery set status = 'delivered'")
    house.ladder(tier("Other", by_mail("other@x.example")))
    house.plan(NOW + minutes(10))
    assert [t for t, _ in house.told()] == ["Home", "Nurse"]
    assert house.ask("select count(distinct ladder_id) from notification_job") == [(1,)]


def test_amber_waits_for_the_end_of_quiet_hours_and_red_does_not(house: House) -> None:
    house.ladder(*TWO, quiet={"start": "22:00", "end": "07:00"})
    night = datetime(2026, 6, 10, 23, tzinfo=UTC)
    house.raise_episode(severity=2, at=night)
    house.raise_episode(severity=3, at=night)
    house.plan(night)
    assert house.ask("select severity from delivery") == [(3,)]
    house.plan(datetime(2026, 6, 11, 5, 59, tzinfo=UTC))
    assert (2,) not in house.ask("select severity from delivery")
    house.plan(datetime(2026, 6, 11, 6, tzinfo=UTC))  # seven o'clock in summer
    assert (2,) in house.ask("select severity from delivery")


def test_a_clock_that_goes_back_an_hour_delays_nobody(house: House) -> None:
    house.ladder(*TWO)
    house.raise_episode()
    house.plan(NOW)
    house.set("update delivery set status = 'delivered'")
    early = NOW - minutes(60)
    house.plan(early)
    house.plan(early + minutes(10))
    assert [t for t, _ in house.told()] == ["Home", "Nurse"]
    house.raise_episode(at=NOW)
    house.plan(early + minutes(11))
    assert [t for t, _ in house.told()][2:] == ["Home"]
    assert house.ask("select bool_and(run_at <= %s) from delivery where status = 'waiting'", early + minutes(11)) == [
        (True,)
    ]


def test_a_disabled_account_is_told_nothing(house: House) -> None:
    house.contact("nurse", "nurse@x.example")
    house.contact("carer", "carer@x.example")
    both = [{"kind": "person", "account": house.account(name)} for name in ("nurse", "carer")]
    house.ladder(tier("Both", *both))
    house.set("update account set disabled_at = now() where sign_in = 'nurse'")
    house.raise_episode()
    house.plan(NOW)
    assert house.told() == [("Both", "carer@x.example")]


def test_two_planners_at_once_plan_each_job_once(house: House) -> None:
    house.ladder(*TWO)
    for number in range(20):
        house.raise_episode(patient=number % 4)
    import psycopg

    options = "-c search_path=homeward,public"
    with (
        psycopg.connect(house.database.url_for("homeward_notify"), options=options) as one,
        psycopg.connect(house.database.url_for("homeward_notify"), options=options) as other,
    ):
        assert planning.plan(one, NOW) == 20
        assert planning.plan(other, NOW) == 0
        one.commit()
        other.commit()
    assert house.ask("select count(*), count(distinct job_id) from delivery_episode") == [(20, 20)]


def test_nobody_is_told_of_a_patient_in_a_pause_and_afterwards_the_ladder_begins_again(house: House) -> None:
    house.ladder(*TWO)
    patient = house.trusts.north.patients[0].patient_id
    house.raise_episode()
    house.plan(NOW)
    house.set(
        "insert into patient_pause (organisation_id, patient_id, since, ends_at, reason, account_id) "
        "values (%s, %s, %s, 'infinity', 'in hospital', %s)",
        house.organisation, patient, NOW + minutes(5), house.account("nurse"),
    )  # fmt: skip
    house.plan(NOW + minutes(10))
    house.plan(NOW + minutes(20))
    assert [t for t, _ in house.told()] == ["Home"]
    assert house.jobs() == [("waiting", planning.PAUSED)]
    house.set("update patient_pause set lifted_at = %s", NOW + minutes(30))
    house.plan(NOW + minutes(30))
    assert [t for t, _ in house.told()] == ["Home", "Home"]
    house.plan(NOW + minutes(40))
    assert [t for t, _ in house.told()] == ["Home", "Home", "Nurse"]

"""Is one silent device beside a working one told once, by name, and does the record say what was missing when?"""

from __future__ import annotations

from datetime import datetime, timedelta

import pytest

from alerts.policy import shipped
from ingest.clock import do_due
from ingest.counters import Counters
from ingest.replay import replay_all
from tests.ingest.conftest import Desk
from tests.ingest.test_pauses import publish
from tests.ingest.test_writer import WELL

HOUR = timedelta(hours=1)
MONITOR = {name: value for name, value in WELL.items() if name != "spo2"}
EPISODE = "select phase, opened_at, sentence, explanation->'silent' from episode"
EVENTS = "select kind, at from episode_event where not retracted order by at, event_id"


def ago(desk: Desk, hours: float) -> datetime:
    return desk.at(-60 * hours)


def observe(desk: Desk, hours: float, values: dict[str, float], index: int = 0) -> None:
    desk.write(desk.message(index, -60 * hours, values), now=ago(desk, hours))


def due(desk: Desk, hours: float) -> None:
    while do_due(desk.pool, desk.keeper, Counters(), round(ago(desk, hours).timestamp() * 1e6)):
        pass


def test_a_silent_oximeter_beside_a_working_monitor_is_told_once_and_by_name(desk: Desk) -> None:
    desk.ask("update enrolment set started_at = now() - interval '41 hours' returning 1")
    desk.keeper.read_again()
    observe(desk, 40, WELL)
    for hours in (34, 28, 22):
        observe(desk, hours, MONITOR)
    alone = "No oxygen saturation for longer than 12 h and 2 h of grace, while other observations come in."
    assert desk.ask(EPISODE) == [("active", ago(desk, 26), alone, ["spo2"])]
    due(desk, 6)
    ((_, _, sentence, silent),) = desk.ask(EPISODE)
    assert sentence == "No observations at all for longer than 12 h and 2 h of grace."
    assert len(silent) == 5
    observe(desk, 5, MONITOR)
    assert desk.ask(EPISODE) == [("active", ago(desk, 26), alone, ["spo2"])]
    observe(desk, 4, WELL)
    assert [row[0] for row in desk.ask(EPISODE)] == ["resolved"]
    assert desk.ask(EVENTS) == [
        ("activated", ago(desk, 26)),
        ("severity", ago(desk, 8)),
        ("severity", ago(desk, 5)),
        ("resolved", ago(desk, 4)),
    ]
    assert desk.ask("select count(*) from notification_job") == [(1,)]
    assert replay_all(desk.pool, 0).differences == []


def enrolled(desk: Desk) -> None:
    desk.ask("update enrolment set started_at = now() - interval '41 hours' returning 1")
    desk.keeper.read_again()


def take_on(desk: Desk) -> None:
    desk.ask(
        "update episode set acknowledged_at = now(), acknowledged_severity = severity, "
        "snoozed_until = now() + interval '1 hour', snoozed_severity = severity returning 1"
    )


def held_and_jobs(desk: Desk) -> tuple[bool, bool, int]:
    ((taken, put_off),) = desk.ask("select acknowledged_at is not null, snoozed_until is not null from episode")
    ((jobs,),) = desk.ask("select count(*) from notification_job")
    return taken, put_off, jobs


@pytest.mark.parametrize("looks", [(9, 6), (6,)])
def test_who_has_taken_on_a_silent_oximeter_is_told_once_that_nothing_comes_at_all(
    desk: Desk, looks: tuple[int, ...]
) -> None:
    enrolled(desk)
    observe(desk, 40, WELL)
    for hours in (34, 28, 24):
        observe(desk, hours, MONITOR)
    assert held_and_jobs(desk) == (False, False, 1)
    take_on(desk)
    # the thermometer is the next to fall silent: no news; two hours later everything is
    observe(desk, 22, {name: value for name, value in MONITOR.items() if name != "temperature"})
    for hours in looks:
        assert held_and_jobs(desk) == (True, True, 1)
        due(desk, hours)
    assert held_and_jobs(desk) == (False, False, 2)
    ((_, opened, sentence, silent),) = desk.ask(EPISODE)
    assert (opened, len(silent)) == (ago(desk, 26), 5)
    assert sentence == "No observations at all for longer than 12 h and 2 h of grace."
    assert desk.ask(EVENTS) == [
        ("activated", ago(desk, 26)),
        ("severity", ago(desk, 10)),
        ("severity", ago(desk, 8)),
    ]
    take_on(desk)
    observe(desk, 5, MONITOR)
    due(desk, 4)
    assert held_and_jobs(desk) == (True, True, 2)
    assert replay_all(desk.pool, 0).differences == []


def test_everything_that_falls_silent_at_once_is_told_once(desk: Desk) -> None:
    enrolled(desk)
    observe(desk, 40, WELL)
    due(desk, 20)
    assert held_and_jobs(desk) == (False, False, 1)
    take_on(desk)
    due(desk, 4)
    assert held_and_jobs(desk) == (True, True, 1)


def test_a_version_that_comes_to_need_all_takes_over_an_episode_without_a_past(desk: Desk) -> None:
    whole = shipped("care_home_news2").text
    enrolled(desk)
    publish(desk, whole.replace('needs = "all"\n', ""), ago(desk, 41))
    desk.keeper.read_again()
    observe(desk, 40, WELL)
    observe(desk, 32, MONITOR)
    due(desk, 17)
    take_on(desk)
    publish(desk, whole, ago(desk, 16))
    desk.keeper.read_again()
    observe(desk, 15, {"soft_signs": 0})
    assert desk.ask(EVENTS) == [("activated", ago(desk, 18))]
    assert held_and_jobs(desk) == (True, True, 1)
    observe(desk, 14, MONITOR)
    assert desk.ask(EVENTS) == [("activated", ago(desk, 18)), ("severity", ago(desk, 14))]
    ((phase, opened, _, silent),) = desk.ask(EPISODE)
    assert (phase, opened, silent) == ("active", ago(desk, 18), ["spo2"])
    assert replay_all(desk.pool, 0).differences == []


def test_a_version_that_comes_to_need_all_tells_what_is_silent_and_replays(desk: Desk) -> None:
    whole = shipped("care_home_news2").text
    any_of_them = whole.replace('needs = "all"\n', "")
    assert any_of_them != whole
    desk.ask("update enrolment set started_at = now() - interval '41 hours' returning 1")
    publish(desk, any_of_them, ago(desk, 41))
    desk.keeper.read_again()
    observe(desk, 40, WELL)
    for hours in (30, 20):
        observe(desk, hours, MONITOR)
    assert desk.ask(EPISODE) == []
    publish(desk, whole, ago(desk, 16))
    desk.keeper.read_again()
    observe(desk, 15, MONITOR)
    ((phase, opened, _, silent),) = desk.ask(EPISODE)
    assert (phase, opened, silent) == ("active", ago(desk, 20), ["spo2"])
    assert replay_all(desk.pool, 0).differences == []

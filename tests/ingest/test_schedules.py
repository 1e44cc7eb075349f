"""Is one silent device beside a working one told once, by name, and does the record say what was missing when?"""

from __future__ import annotations

from datetime import datetime, timedelta

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
    assert sentence == "No observations for longer than 12 h and 2 h of grace."
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

"""Is history as if everything had come in order, once what came too late has been taken into account?"""

from __future__ import annotations

import random
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest

from alerts.policy import shipped
from ingest.correction import correct
from ingest.rebuild import rebuild
from ingest.replay import replay_all
from tests.ingest.conftest import Desk
from tests.ingest.test_pauses import course, publish
from tests.ingest.test_writer import ILL, WELL

AT_ONCE = timedelta(0)


def _story(desk: Desk, patient: int) -> list[tuple[Any, ...]]:
    """What stands of a patient's episodes and their events."""
    return desk.ask(
        "select e.rule, e.opened_at, e.activated_at, e.resolved_at, e.phase, e.severity, e.peak_severity, v.kind, "
        "v.at, v.severity, v.value from episode e join episode_event v using (episode_id) "
        "where e.patient_id = %s and e.phase <> 'withdrawn' and not v.retracted order by e.opened_at, e.rule, v.at",
        patient,
    )


def _send(desk: Desk, index: int, course: dict[int, dict[str, Any]], hours: list[int]) -> None:
    for hour in hours:
        desk.write(desk.message(index, -60 * hour, course[hour]))


def test_history_is_as_if_all_had_come_in_order(make_desk: Callable[..., Desk]) -> None:
    desk, chance = make_desk(2), random.Random(4)
    course = {hour: chance.choice((WELL, ILL, {"pulse": 135}, {"temperature": 39.4})) for hour in range(60, 0, -1)}
    in_time = list(range(60, 0, -1))
    too_late = [58, 57, 56, 55, 51, 50]
    _send(desk, 0, course, [h for h in in_time if h not in too_late])
    _send(desk, 0, course, too_late)
    _send(desk, 1, course, in_time)
    first, second = desk.ward.patients
    assert desk.ask("select count(*) from observation where flags & 32 <> 0")[0][0] > 0
    jobs = desk.ask("select count(*) from notification_job")
    assert correct(desk.pool, desk.keeper.registry, timedelta(hours=1)) == 0  # more may be under way
    assert correct(desk.pool, desk.keeper.registry, AT_ONCE) == 1
    assert _story(desk, first) == _story(desk, second) != []
    assert desk.ask("select count(*) from observation where flags & 32 <> 0") == [(0,)]
    assert desk.ask("select count(*) from notification_job") == jobs
    assert replay_all(desk.pool, 0).differences == []
    before = desk.ask("select * from episode_event order by event_id"), desk.ask("select machine from patient_state")
    assert correct(desk.pool, desk.keeper.registry, AT_ONCE) == 0
    desk.ask("update patient_state set late_noted_at = now() returning 1")
    assert correct(desk.pool, desk.keeper.registry, AT_ONCE) == 2
    after = desk.ask("select * from episode_event order by event_id"), desk.ask("select machine from patient_state")
    assert after == before
    # and ingest goes on as if nothing had been
    for index in (0, 1):
        desk.write(desk.message(index, 5, WELL), desk.message(index, -30, ILL), desk.message(index, 6, WELL))
    assert _story(desk, first) == _story(desk, second)


def test_what_is_found_in_the_past_is_marked_and_paged_to_nobody(desk: Desk) -> None:
    desk.write(*(desk.message(0, -60 * hours, WELL) for hours in range(30, 0, -1)))
    desk.write(desk.message(0, -60 * 40, ILL), desk.message(0, -60 * 39, WELL), desk.message(0, -60 * 38, WELL))
    desk.ask("delete from notification_job returning 1")
    assert correct(desk.pool, desk.keeper.registry, AT_ONCE) == 1
    found = desk.ask("select opened_at, phase, peak_severity, retrospective from episode where rule = 'news2'")
    assert found == [(desk.at(-60 * 40), "resolved", 3, True)]
    assert desk.ask("select count(*) from notification_job") == [(0,)]
    assert {flags for (flags,) in desk.ask("select flags from observation")} == {0}


@pytest.mark.parametrize("made_anew", [False, True])
def test_what_comes_late_from_before_a_version_is_judged_by_the_one_before(
    make_desk: Callable[..., Desk], made_anew: bool
) -> None:
    desk = make_desk(1, "pulse_oximetry_home")
    course(desk, 0, "96 " * 9)
    publish(desk, shipped("pulse_oximetry_home").text.replace("amber = 94", "amber = 97"), desk.at(10))
    desk.keeper.read_again()
    course(desk, 12, "98")
    if made_anew:
        rebuild(desk.pool)
    else:
        desk.write(desk.message(0, 7.5, {"spo2": 96}), now=desk.at(13))
        assert correct(desk.pool, desk.keeper.registry, AT_ONCE) == 1
    assert desk.episodes() == []
    # by the version in force 96 % is low
    course(desk, 14, "96 96 96")
    assert [(opened, phase) for _, _, opened, _, _, phase, *_ in desk.episodes()] == [(desk.at(14), "active")]
    assert desk.ask("select count(*) from notification_job") == [(1,)]
    assert replay_all(desk.pool, 0).differences == []


def test_of_what_comes_in_time_from_before_a_version_somebody_is_told(make_desk: Callable[..., Desk]) -> None:
    desk = make_desk(1, "pulse_oximetry_home")
    course(desk, 0, "96 93 96")
    publish(desk, shipped("pulse_oximetry_home").text.replace("amber = 94", "amber = 95"), desk.at(10))
    desk.keeper.read_again()
    course(desk, 12, "96")
    desk.write(desk.message(0, 1.5, {"spo2": 91}), now=desk.at(13))
    assert correct(desk.pool, desk.keeper.registry, AT_ONCE) == 1
    assert desk.ask("select phase, severity, retrospective from episode") == [("active", 2, False)]
    assert desk.ask("select count(*) from notification_job") == [(1,)]
    assert replay_all(desk.pool, 0).differences == []


@pytest.mark.parametrize("after", ["", "97 " * 20])
def test_what_is_taken_back_leaves_the_reason_from_before(make_desk: Callable[..., Desk], after: str) -> None:
    desk = make_desk(1, "pulse_oximetry_home")
    reason = "select phase, severity, sentence, (explanation->>'value')::float from episode"
    desk.write(*(desk.message(0, minute, {"spo2": 94}) for minute in range(20)))
    ((_, _, before, _),) = desk.ask(reason)
    assert before == "Oxygen saturation 94 %, limit 94 % or less, 2 times in a row."
    # so many more that the newest snapshot is of after the episode's last change
    desk.write(*(desk.message(0, 20 + minute / 2, {"spo2": 94}) for minute in range(20)))
    desk.write(*(desk.message(0, minute, {"spo2": 91}) for minute in (31, 33)))
    assert desk.ask(reason)[0][1:] == (3, "Oxygen saturation 91 %, limit 92 % or less, 2 times in a row.", 91)
    for place, value in enumerate(after.split()):
        desk.write(desk.message(0, 34 + place, {"spo2": float(value)}))
    jobs = desk.ask("select count(*) from notification_job")
    desk.write(desk.message(0, 32, {"spo2": 94}))
    assert correct(desk.pool, desk.keeper.registry, AT_ONCE) == 1
    ((phase, _, sentence, value),) = desk.ask(reason)
    assert (phase, sentence, value) == ("resolved" if after else "active", before, 94)
    assert desk.ask("select count(*) from notification_job") == jobs
    assert correct(desk.pool, desk.keeper.registry, AT_ONCE) == 0
    assert replay_all(desk.pool, 0).differences == []

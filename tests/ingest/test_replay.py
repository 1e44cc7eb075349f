"""Does the replay confirm what was said, whatever the order of arrival was, and find what was tampered with?"""

from __future__ import annotations

import random
from collections.abc import Callable
from datetime import timedelta

import pytest

from alerts.policy import shipped
from ingest.replay import ReplayError, replay_all, replay_episode
from tests.ingest.conftest import Desk
from tests.ingest.test_writer import ILL, WELL


def _live(desk: Desk, seed: int) -> None:
    """Have a course arrive out of order, late and twice."""
    chance = random.Random(seed)
    for index in range(len(desk.ward.patients)):
        course = [desk.message(index, 2 * step, chance.choice((WELL, ILL, {"pulse": 135}))) for step in range(25)]
        course += chance.sample(course, 5)
        for i in range(0, len(course) - 1, 3):
            course[i], course[chance.randrange(len(course))] = course[chance.randrange(len(course))], course[i]
        for start in range(0, len(course), 4):
            desk.write(*course[start : start + 4])


def test_what_was_said_comes_out_again_whatever_the_order_of_arrival(make_desk: Callable[..., Desk]) -> None:
    desk = make_desk(4)
    _live(desk, 3)
    found = replay_all(desk.pool, 0)
    assert found.differences == []
    assert found.patients == 4
    assert found.episodes == len([e for e in desk.episodes() if e[5] != "withdrawn"]) > 0
    assert found.transitions > found.episodes


def test_an_episode_is_replayed_with_what_explains_it(desk: Desk) -> None:
    desk.write(desk.message(0, 0, ILL))
    ((episode,),) = desk.ask("select episode_id from episode")
    explained, found = replay_episode(desk.pool, episode)
    assert (found.differences, found.episodes, found.transitions) == ([], 1, 1)
    assert explained["policy"] == "care_home_news2"
    assert explained["explanation"]["values"]["pulse"] == ILL["pulse"]
    with pytest.raises(ReplayError, match="no episode"):
        replay_episode(desk.pool, episode + 1)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ("update episode_event set value = value + 1e-9", "with severity 3 and value 11.000000001"),
        ("update episode_event set severity = 2", "with severity 2"),
        ("update episode_event set at = at + interval '1 microsecond'", "activated at"),
        ("delete from episode_event", "the replay has, the store has not activated"),
        ("update episode set peak_severity = 2", "at its worst 2"),
        ("update observation set value = value - 30 where vital = 6", "with severity 3 and value"),
    ],
)
def test_what_was_tampered_with_is_found(desk: Desk, change: str, said: str) -> None:
    desk.write(desk.message(0, 0, ILL))
    desk.ask(f"{change} returning 1")
    found = replay_all(desk.pool, 0)
    assert {patient for patient, _ in found.differences} == {desk.ward.patients[0]}
    assert any(said in d.sentence for _, d in found.differences), found.differences
    later = round((desk.at(0) + timedelta(minutes=5)).timestamp() * 1_000_000)
    assert replay_all(desk.pool, later).differences == []


def test_each_span_is_replayed_under_the_version_that_was_in_force(make_desk: Callable[..., Desk]) -> None:
    desk = make_desk(1, "pulse_oximetry_home")
    desk.write(*(desk.message(0, minute, {"spo2": 94}) for minute in (0, 5)), now=desk.at(6))
    assert [e[6] for e in desk.episodes()] == [2]
    stricter = shipped("pulse_oximetry_home").text.replace("amber = 94", "amber = 96").replace("red = 92", "red = 94")
    desk.ask(
        "with made as (insert into policy (organisation_id, pathway_id, version, document, sha256, author, source, "
        "reason, published_at) select organisation_id, pathway_id, 2, %s, sha256(%s), 'a', 's', 'r', %s from pathway "
        "returning policy_id, pathway_id) update pathway w set policy_id = made.policy_id from made "
        "where w.pathway_id = made.pathway_id returning 1",
        stricter,
        stricter.encode(),
        desk.at(10),
    )
    desk.keeper.read_again()
    desk.write(*(desk.message(0, minute, {"spo2": 94}) for minute in (12, 14)), now=desk.at(15))
    assert [e[6] for e in desk.episodes()] == [3]
    found = replay_all(desk.pool, 0)
    assert (found.differences, found.transitions) == ([], 3)


def test_each_span_is_replayed_with_the_limits_that_were_somebodys_own_then(make_desk: Callable[..., Desk]) -> None:
    desk = make_desk(2, "copd")
    desk.write(*(desk.message(i, minute, {"spo2": 89}) for i in (0, 1) for minute in (0, 5)), now=desk.at(6))
    assert desk.episodes() == []
    for version, (document, minute) in enumerate(
        (('{"limits": {"below_target": {"amber": 90}}}', 10), ("{}", 20)), start=1
    ):
        desk.ask(
            """insert into enrolment_override (organisation_id, patient_id, enrolment_id, version, document, policy_id,
                author, reason, created_at)
            select e.organisation_id, e.patient_id, e.enrolment_id, %s, %s, y.policy_id, 'a', 'r', %s
            from enrolment e join policy y using (pathway_id) where e.patient_id = %s returning 1""",
            version,
            document,
            desk.at(minute),
            desk.ward.patients[0],
        )
        desk.keeper.read_again()
        desk.write(
            *(desk.message(i, minute + m, {"spo2": 89}) for i in (0, 1) for m in (1, 3)), now=desk.at(minute + 4)
        )
    told = desk.ask("select patient_id, kind from episode_event where not retracted order by event_id")
    assert told == [(desk.ward.patients[0], kind) for kind in ("opened", "activated")]
    found = replay_all(desk.pool, 0)
    assert (found.differences, found.transitions) == ([], 2)

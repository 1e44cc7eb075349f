"""Does a latched episode stay until a person resets it, wake whoever has taken it on, and replay?"""

from __future__ import annotations

from collections.abc import Callable

from ingest.replay import replay_all
from tests.ingest.conftest import Desk
from tests.ingest.test_pauses import LATCHING, _due, course, publish


def _latched(make_desk: Callable[..., Desk]) -> Desk:
    desk = make_desk(1, "pulse_oximetry_home")
    publish(desk, LATCHING)
    return desk


def _stands(desk: Desk) -> list[tuple[object, ...]]:
    return desk.ask("select phase, severity from episode where rule = 'low_saturation' order by opened_at")


def test_it_stays_after_recovery_and_wakes_who_has_taken_it_on_when_the_condition_is_back(
    make_desk: Callable[..., Desk],
) -> None:
    desk = _latched(make_desk)
    course(desk, 0, "91 91")
    desk.ask(
        """with a as (insert into account (organisation_id, sign_in, name, role)
            select organisation_id, 'a', 'A', 'clinician' from organisation returning account_id)
        update episode set acknowledged_by = account_id, acknowledged_at = now(), acknowledged_severity = 3
        from a returning 1"""
    )
    course(desk, 2, "97 " * 20)
    assert _stands(desk) == [("active", 3)]
    kinds = "select kind from episode_event where not retracted order by at, event_id"
    assert [k for (k,) in desk.ask(kinds)] == ["opened", "activated", "cleared"]
    ((sentence,),) = desk.ask("select sentence from episode")
    assert sentence == "Oxygen saturation 97 %: back above the limit; stays until somebody resets it."
    course(desk, 25, "93 93")
    assert [k for (k,) in desk.ask(kinds)] == ["opened", "activated", "cleared", "activated"]
    assert desk.ask("select acknowledged_by from episode") == [(None,)]
    assert desk.ask("select count(*) from notification_job") == [(2,)]
    assert replay_all(desk.pool, 0).differences == []


def test_a_reset_resolves_it_and_the_replay_knows(make_desk: Callable[..., Desk]) -> None:
    desk = _latched(make_desk)
    course(desk, 0, "91 91 " + "97 " * 20)
    assert _stands(desk) == [("active", 3)]
    desk.ask(
        """insert into episode_event (organisation_id, episode_id, patient_id, kind, at, account_id)
        select organisation_id, episode_id, patient_id, 'reset', %s, null from episode returning 1""",
        desk.at(30),
    )
    desk.ask("update patient_state set next_due_at = %s returning 1", desk.at(30))
    _due(desk, desk.at(31))
    assert _stands(desk) == [("resolved", 0)]
    assert desk.ask("select resolved_at from episode") == [(desk.at(30),)]
    # what comes late belongs before the reset, and is scored there
    desk.write(desk.message(0, 28, {"spo2": 91.0}), desk.message(0, 29, {"spo2": 91.0}), now=desk.at(40))
    assert _stands(desk) == [("active", 3)]
    assert replay_all(desk.pool, 0).differences == []

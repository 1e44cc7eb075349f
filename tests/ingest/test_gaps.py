"""Is what is observed between two enrolments unscored, whenever it comes, and the course after the return right?"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta

import pytest

from ingest.correction import correct
from ingest.rebuild import rebuild
from ingest.replay import replay_all
from tests.ingest.conftest import Desk
from tests.ingest.test_writer import ILL, WELL


def _discharge(desk: Desk, at: datetime) -> None:
    desk.ask("with u as (update enrolment set ended_at = %s returning 1) select * from u", at)
    desk.ask("with u as (update patient set discharged_at = %s returning 1) select * from u", at)
    desk.keeper.read_again()


def _return(desk: Desk, at: datetime) -> None:
    desk.ask("with u as (update patient set discharged_at = null returning 1) select * from u")
    desk.ask(
        "with u as (insert into enrolment (organisation_id, patient_id, pathway_id, started_at) "
        "select organisation_id, patient_id, pathway_id, %s from enrolment returning 1) select * from u",
        at,
    )
    desk.keeper.read_again()


def _was_away(make_desk: Callable[..., Desk], *then: float) -> Desk:
    """Somebody who was discharged at minute 6 and came back at minute 12, and was ill in between and since."""
    desk = make_desk(1)
    for minute in (0, 2):
        desk.write(desk.message(0, minute, WELL), now=desk.at(minute))
    _discharge(desk, desk.at(6))
    for minute in then:
        desk.write(desk.message(0, minute, ILL), now=desk.at(minute))
    _return(desk, desk.at(12))
    return desk


@pytest.mark.parametrize("made_anew", [False, True])
def test_what_was_observed_in_the_gap_opens_nothing_after_the_return(
    make_desk: Callable[..., Desk], made_anew: bool
) -> None:
    desk = _was_away(make_desk, 8, 10)
    for minute in (14, 16):
        desk.write(desk.message(0, minute, ILL), now=desk.at(minute))
    if made_anew:
        rebuild(desk.pool)
    desk.write(desk.message(0, 15, ILL), now=desk.at(17))
    correct(desk.pool, desk.keeper.registry, timedelta(0))
    for minute in range(18, 50, 2):
        desk.write(desk.message(0, minute, WELL), now=desk.at(minute))
    assert [(opened, phase) for _, _, opened, _, _, phase, *_ in desk.episodes()] == [(desk.at(14), "resolved")]
    assert replay_all(desk.pool, 0).differences == []


@pytest.mark.parametrize("seen_since", [False, True])
def test_what_arrives_from_the_gap_after_the_return_is_stored_and_not_scored(
    make_desk: Callable[..., Desk], seen_since: bool
) -> None:
    desk = _was_away(make_desk)
    if seen_since:
        desk.write(desk.message(0, 14, WELL), now=desk.at(14))
    outcome = desk.write(*(desk.message(0, minute, ILL) for minute in (8, 9)), now=desk.at(15))
    assert int(outcome.stored.sum()) == 2 * len(ILL)
    desk.write(desk.message(0, 16, WELL), now=desk.at(16))
    assert desk.episodes() == []
    assert replay_all(desk.pool, 0).differences == []
    assert correct(desk.pool, desk.keeper.registry, timedelta(0)) == 1
    assert desk.episodes() == []
    assert desk.ask("select count(*) from notification_job") == [(0,)]
    assert replay_all(desk.pool, 0).differences == []

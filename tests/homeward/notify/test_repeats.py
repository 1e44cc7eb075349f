"""Is the last tier told again for as long as its ladder says so, and never oftener, in quiet hours, or as a storm?"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime

import pytest

from homeward.notify import planning
from homeward.notify.sql import run
from homeward.notify.ways import Outside, Ways
from tests.conftest import TestDatabase
from tests.homeward.notify.house import NOW, PRIVATE, House, Mailbox, by_mail, minutes, open_house, tier

TWO = (tier("Home", by_mail("home@x.example")), tier("Nurse", by_mail("nurse@x.example"), after=10))


@pytest.fixture
def house(module_database: TestDatabase) -> Iterator[House]:
    with open_house(module_database) as found:
        yield found


def through(house: House) -> None:
    house.set("update delivery set status = 'delivered', attempts = 1 where status = 'waiting'")


def plan_each_minute(house: House, begin: datetime, count: int) -> None:
    for minute in range(count):
        house.plan(begin + minutes(minute))
        through(house)


def test_the_last_tier_is_told_again_until_somebody_acknowledges(house: House) -> None:
    house.ladder(*TWO, repeat_min=15)
    episode = house.raise_episode()
    plan_each_minute(house, NOW, 56)
    told = house.ask("select tier, again, created_at from delivery order by delivery_id")
    assert [(name, again, round((at - NOW).total_seconds() / 60)) for name, again, at in told] == [
        ("Home", False, 0), ("Nurse", False, 10), ("Nurse", True, 25), ("Nurse", True, 40), ("Nurse", True, 55),
    ]  # fmt: skip
    assert len({key for (key,) in house.ask("select key from delivery")}) == 5, "a repeat is no repeat of the message"
    assert house.jobs() == [("waiting", planning.REPEATS)]
    # what is told again is no new step of the history
    assert house.ask("select note from episode_event where kind = 'escalated'") == [("Nurse",)]
    house.set("update episode set acknowledged_at = now() where episode_id = %s", episode)
    plan_each_minute(house, NOW + minutes(56), 30)
    assert len(house.told()) == 5
    assert house.jobs() == [("delivered", "acknowledged")]


def test_a_repeat_that_does_not_get_through_is_not_written_again(house: House) -> None:
    house.ladder(*TWO, repeat_min=15)
    house.raise_episode()
    for minute in range(41):
        house.plan(NOW + minutes(minute))
        house.set("update delivery set attempts = 5, outcome = 'the mail server does not answer'")
    # the second tier is hurried, since the first reached nobody; no repeat is
    times = [
        round((at - NOW).total_seconds() / 60) for (at,) in house.ask("select created_at from delivery order by 1")
    ]
    assert times == [0, 1]


def test_repeats_do_not_pile_up_while_a_way_is_down(house: House) -> None:
    mailbox = Mailbox()
    ways = Ways(Outside("http://x.example", mailbox.url), PRIVATE)
    mailbox.stop()
    house.ladder(tier("Nurse", by_mail("nurse@x.example"), {"kind": "wall"}), repeat_min=5)
    house.raise_episode()
    for minute in range(0, 8 * 60, 5):
        house.plan(NOW + minutes(minute))
        house.send(ways, NOW + minutes(minute))
    waiting = house.ask("select kind, count(*) from delivery where status = 'waiting' group by kind order by kind")
    assert waiting == [("email", 1), ("wall", 1)]
    mailbox.start()
    house.send(ways, NOW + minutes(8 * 60 + 5))
    assert mailbox.to == ["nurse@x.example"]
    # once it is through, the next repeat is due as before; the display still has its one message
    house.plan(NOW + minutes(8 * 60 + 10))
    house.send(ways, NOW + minutes(8 * 60 + 10))
    mailbox.stop()
    assert mailbox.to == ["nurse@x.example"] * 2
    assert house.ask("select count(*) from delivery where kind = 'wall'") == [(1,)]


def test_of_several_told_together_only_whom_nothing_waits_for_are_told_again(house: House) -> None:
    house.ladder(tier("Nurse", by_mail("nurse@x.example")), repeat_min=5)
    house.raise_episode()
    house.plan(NOW)
    through(house)
    later = house.raise_episode(patient=2)
    house.plan(NOW)
    house.plan(NOW + minutes(5))
    rows = house.ask(
        "select d.again, array_agg(x.episode_id) from delivery d join delivery_episode x using (delivery_id) "
        "where d.status = 'waiting' group by d.delivery_id order by d.delivery_id"
    )
    assert [again for again, _ in rows] == [False, True]
    assert rows[0][1] == [later]
    assert later not in rows[1][1]


def test_a_repeat_that_a_storm_puts_off_keeps_the_quiet_hours(house: House) -> None:
    house.ladder(tier("Nurse", by_mail("nurse@x.example")), repeat_min=60, quiet={"start": "22:00", "end": "07:00"})
    evening = datetime(2026, 6, 10, 20, 50, tzinfo=UTC)  # ten to ten in summer
    for number in range(planning.STORM_MESSAGES + 1):
        at = evening + minutes(number / 2)
        house.raise_episode(severity=1, at=at)
        house.plan(at)
        through(house)
    assert len(house.told()) == planning.STORM_MESSAGES + 1
    last = datetime(2026, 6, 10, 20, 59, 30, tzinfo=UTC)
    for number, (job,) in enumerate(house.ask("select job_id from notification_job order by 1")):
        house.set("update notification_job set run_at = %s where job_id = %s", last + minutes(number / 60), job)
    for second in range(120):
        house.plan(last + minutes(second / 60))
        through(house)
    assert house.ask("select count(*), max(created_at) from delivery where again") == [(3, last + minutes(2 / 60))]
    ends = datetime(2026, 6, 11, 6, 0, tzinfo=UTC)
    assert house.ask("select distinct run_at from notification_job") == [(ends,)]


def test_a_repeat_that_comes_late_keeps_the_quiet_hours(house: House) -> None:
    house.ladder(tier("Nurse", by_mail("nurse@x.example")), repeat_min=30, quiet={"start": "22:00", "end": "07:00"})
    evening = datetime(2026, 6, 10, 20, 25, tzinfo=UTC)
    house.raise_episode(severity=1, at=evening)
    house.plan(evening)
    through(house)
    house.plan(evening + minutes(45))  # no notifier ran when it was due
    assert len(house.told()) == 1
    assert house.ask("select run_at from notification_job") == [(datetime(2026, 6, 11, 6, 0, tzinfo=UTC),)]


def test_what_is_new_is_sent_before_what_is_told_again(house: House) -> None:
    house.ladder(tier("Nurse", by_mail("nurse@x.example")), repeat_min=5)
    house.raise_episode()
    house.plan(NOW)
    through(house)
    house.plan(NOW + minutes(5))
    new = house.raise_episode(at=NOW + minutes(6), patient=2)
    house.plan(NOW + minutes(6))
    [taken] = run(house.notify, "take_delivery", now=NOW + minutes(6))
    assert not taken["again"]
    assert house.ask("select episode_id from delivery_episode where delivery_id = %s", taken["delivery_id"]) == [(new,)]


def test_quiet_hours_put_off_what_is_not_red(house: House) -> None:
    house.ladder(tier("Nurse", by_mail("nurse@x.example")), repeat_min=30, quiet={"start": "22:00", "end": "07:00"})
    evening = datetime(2026, 6, 10, 20, 45, tzinfo=UTC)  # a quarter to ten in summer
    house.raise_episode(severity=2, at=evening)
    house.raise_episode(severity=3, at=evening, patient=2)
    for step in range(0, 10 * 60, 15):
        house.plan(evening + minutes(step))
        through(house)
    rows = house.ask("select severity, created_at from delivery order by delivery_id")
    amber = [at for severity, at in rows if severity == 2]
    assert amber == [evening, datetime(2026, 6, 11, 6, 0, tzinfo=UTC), datetime(2026, 6, 11, 6, 30, tzinfo=UTC)]
    assert len([at for severity, at in rows if severity == 3]) == 20


def test_repeats_of_a_storm_stay_few_messages(house: House) -> None:
    house.ladder(tier("Nurse", by_mail("nurse@x.example")), repeat_min=10)
    for number in range(30):
        at = NOW + minutes(number / 10)
        house.raise_episode(at=at, patient=number % 2)
        house.plan(at)
        through(house)
    before = len(house.told())
    for tenth in range(200):
        house.plan(NOW + minutes(5 + tenth / 10))
        through(house)
    rows = house.ask("select created_at, count(*) from delivery where again group by 1 order by 1")
    assert rows
    for at, _ in rows:
        within = [other for other, _ in rows if at <= other < at + planning.STORM_WINDOW]
        assert len(within) <= planning.STORM_MESSAGES
    assert len(house.told()) - before < 30, "each of thirty alerts was due twice"
    told = house.ask(
        "select count(distinct x.episode_id) from delivery_episode x join delivery d using (delivery_id) where d.again"
    )
    assert told == [(30,)], "and each of them is told again"


def test_what_is_new_does_not_wait_behind_repeats(house: House) -> None:
    house.ladder(tier("Nurse", by_mail("nurse@x.example")), repeat_min=5)
    for number in range(planning.STORM_MESSAGES):
        house.raise_episode(at=NOW + minutes(number / 10))
        house.plan(NOW + minutes(number / 10))
        through(house)
    for tenth in range(4):
        house.plan(NOW + minutes(5 + tenth / 10))
        through(house)
    before = len(house.told())
    house.raise_episode(at=NOW + minutes(5.35))
    house.plan(NOW + minutes(5.35))
    assert len(house.told()) == before + 1

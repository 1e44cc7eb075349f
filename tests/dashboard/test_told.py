"""Does it say who was told and who was not, by what happened, and who is next, by the plan of the present severity?"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from psycopg_pool import AsyncConnectionPool

from alerts import ladder as ladders
from dashboard import identity, reachable, text, told
from dashboard.identity import Person, Session
from dashboard.reachable import Means
from dashboard.told import Found, Telling
from schemas.database import open_async_pool
from tests.conftest import TestDatabase
from tests.homeward.notify.house import House, by_mail, minutes, open_house, tier

ZONE = "Europe/London"
NOW = datetime(2026, 6, 10, 13, 2, tzinfo=UTC)  # two minutes past two by the clocks of the site
ROSA = {"name": "Rosa Mbeki", "ways": ["email"]}
CONNECTED = {"is_connected": True, "since": NOW - minutes(90), "age": minutes(1)}
LADDER = {
    "tiers": [
        {"name": "Display", "receivers": [{"kind": "wall"}]},
        {"name": "Nurse", "after_min": 10, "receivers": [{"kind": "rota", "rota": "Nights"}]},
    ]
}
DAYS_ONLY = {"name": "Nights", "document": {"shifts": [{"account": 1, "start": "08:00", "end": "20:00"}]}}


def means(**change: Any) -> Means:
    """Everybody can be told."""
    return replace(Means({1: ROSA}, {"Nights": DAYS_ONLY}, {}, {1: CONNECTED}, (("email", "wall"),)), **change)


def job(**change: Any) -> dict[str, Any]:
    given = {
        "episode_id": 7, "job_id": 1, "severity": 3, "status": "waiting", "outcome": "told", "key": "7:3",
        "created_at": NOW, "began_at": NOW, "steps": 1, "document": LADDER, "run_at": NOW + minutes(10),
    }  # fmt: skip
    return given | change


def sent(**change: Any) -> dict[str, Any]:
    given = {
        "job_id": 1, "created_at": NOW, "ended_at": None, "kind": "wall", "tier": "Display", "step": 0, "again": False,
        "status": "delivered", "outcome": "", "attempts": 1, "receiver": "", "is_fixed": False,
    }  # fmt: skip
    return given | change


def tell(
    jobs: Any = None, deliveries: Any = (), courses: Any = (), now: datetime = NOW, others: Any = (), **change: Any
) -> Telling:
    found = Found(
        {7: list(deliveries)}, {} if jobs is None else {7: jobs}, {7: list(courses)}, LADDER, means(**change), 1
    )
    episode = {"episode_id": 7, "severity": 3, "since": NOW, "rule": "news2", "sentence": "NEWS2 8."}
    return told.telling(found, [episode, *others], ZONE, now, text.SEVERITY)


def test_the_present_severity_has_its_own_beginning() -> None:
    courses = [{"at": NOW - minutes(52), "severity": 2}, {"at": NOW, "severity": 3}]
    telling = tell(job(), courses=courses, now=NOW + minutes(3))
    assert telling.course == "Red since 14:02 (3 min), amber since 13:10."
    # what the events do not tell of is taken from the episode
    assert tell(job(), courses=courses[:1]).course == "Red since 14:02 (0 min)."


def test_of_several_that_wait_it_says_of_which_it_tells_and_which_the_others_are() -> None:
    assert tell(job()).others == ""
    silent = {"episode_id": 9, "severity": 1, "since": NOW, "rule": "overdue", "explanation": {"grace": "2 h"},
              "sentence": "No observations at all for longer than 12 h and 2 h of grace."}  # fmt: skip
    fast = {"episode_id": 8, "severity": 2, "since": NOW, "rule": "pulse", "sentence": "Pulse 131, limit 130 or more."}
    telling = tell(job(), [sent()], others=[silent])
    assert telling.others == "About: NEWS2 8. 1 more waits: yellow, No observations at all for longer than 12 h."
    assert telling.lines == tell(job(), [sent()]).lines
    several = tell(job(), others=[silent, fast, *({**silent, "episode_id": n} for n in range(20, 23))]).others
    assert several.startswith("About: NEWS2 8. 5 more wait: amber, Pulse 131, limit 130 or more; yellow, No ")
    assert several.endswith("; and 2 more.")


def test_the_past_is_what_happened_and_the_future_is_the_plan() -> None:
    telling = tell(job(), [sent()])
    assert [(line.words, line.is_through) for line in telling.lines] == [
        ("Display: display, sent to the display", True)
    ]
    assert telling.next == "Next, while nobody is on it: Nurse 14:12."
    assert telling.warnings == ()


def test_a_display_that_nobody_connected_was_not_reached() -> None:
    missed = sent(status="waiting", outcome="sent, no display was connected", attempts=2)
    [line] = tell(job(run_at=NOW), [missed]).lines
    assert line.words == "Display: display, not reached so far: sent, no display was connected"
    assert line.is_through is False
    assert tell(job(run_at=NOW), [missed]).next.endswith("Nurse 14:02."), "and the next tier is told at once"
    [fresh] = tell(job(), [sent(status="waiting", attempts=0)]).lines
    assert fresh.is_through is None


def test_a_tier_that_reached_nobody_is_named_though_it_left_no_message() -> None:
    mail = sent(step=1, tier="Nurse", kind="email", receiver="Rosa Mbeki", created_at=NOW + minutes(1))
    lines = tell(job(steps=2, run_at=None), [mail]).lines
    assert [line.words for line in lines] == [
        "Display: reached nobody",
        "Nurse: Rosa Mbeki, e-mail, taken by the mail server",
    ]


@pytest.mark.parametrize(
    ("change", "why"),
    [
        ({"people": {1: {"name": "Rosa Mbeki", "ways": []}}}, "Rosa Mbeki: no confirmed address in use"),
        ({"people": {}}, "a person who may no longer sign in"),
        ({"rotas": {}}, "Nights: nobody is on call"),
        ({"rotas": {"Nights": {"document": {"shifts": 1}}}}, "Nights: its rota cannot be read"),
        ({"notifiers": (("wall",),)}, "Rosa Mbeki: no mail server is set up"),
        ({"people": {1: {"name": "Rosa Mbeki", "ways": ["sms"]}}}, "Rosa Mbeki: no way for text messages is set up"),
    ],
)
def test_who_is_next_and_cannot_be_reached_is_said_with_the_reason(change: dict[str, Any], why: str) -> None:
    assert tell(job(), [sent()], **change).warnings == (f"Nurse reaches nobody: {why}.",)


def test_without_a_notifier_nobody_is_told_whatever_the_plan_says() -> None:
    assert "does not run" in tell(job(), [sent()], notifiers=()).warnings[0]


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (
            {"status": "delivered", "steps": 2, "run_at": None},
            "Every tier had its turn. Nobody is told again by itself.",
        ),
        (
            {"steps": 2, "document": LADDER | {"repeat_min": 20}, "run_at": NOW + timedelta(minutes=30)},
            "Next, while nobody is on it: Nurse again 14:32, every 20 min until somebody acknowledges.",
        ),
        (
            {"began_at": None, "steps": 0, "outcome": "until its hours begin", "run_at": NOW + minutes(60)},
            "Nobody is told before 15:02, when the hours of the ladder begin.",
        ),
        ({"status": "cancelled", "outcome": "no tier is for this severity"}, "of this severity"),
    ],
)
def test_the_end_of_a_ladder_is_said_as_it_is(change: dict[str, Any], said: str) -> None:
    assert said in tell(job(**change), [sent()]).next


def test_when_nothing_got_through_to_anybody_it_says_so() -> None:
    assert tell(job(status="failed", steps=2, run_at=None), [sent(status="failed")]).warnings == (
        "No message got through to anybody.",
    )
    assert tell().next.startswith("Nobody is told of this alert")


def test_a_hole_is_known_before_an_alert() -> None:
    ladder = ladders.read(LADDER)
    gone = {1: CONNECTED | {"is_connected": False, "since": NOW - minutes(30)}, 2: CONNECTED}
    found = reachable.holes(means(displays=gone), ladder, 1, NOW, ZONE)
    assert [(hole.tier, hole.why) for hole in found] == [("Display", "no display is connected at the site since 13:32")]
    assert reachable.holes(means(displays=gone), ladder, 2, NOW, ZONE) == [], "another site's display"
    [night] = reachable.holes(means(), ladder, 1, NOW + minutes(9 * 60), ZONE)
    assert (night.tier, night.why) == ("Nurse", "Nights: nobody is on call")


@pytest.mark.parametrize(
    ("change", "why"),
    [
        ({"notifiers": (("email",), ())}, "no broker is set up that displays are told by"),
        ({"displays": {}}, "nobody knows whether a display is connected at the site"),
        (
            {"displays": {1: CONNECTED | {"age": reachable.LOOK_LASTS + minutes(0.1)}}},
            "nobody knows whether a display is connected at the site",
        ),
    ],
)
def test_a_display_that_nobody_can_tell_is_a_hole(change: dict[str, Any], why: str) -> None:
    ladder = ladders.read({"tiers": LADDER["tiers"][:1]})
    assert [hole.why for hole in reachable.holes(means(**change), ladder, 1, NOW, ZONE)] == [why]
    just = {1: CONNECTED | {"age": reachable.LOOK_LASTS}}
    assert reachable.holes(means(displays=just), ladder, 1, NOW, ZONE) == []
    assert reachable.holes(means(displays={}), ladder, None, NOW, ZONE) == [], "no site's display in particular"


def test_how_long_ago_a_display_was_looked_at_is_read_by_the_clock_of_the_database(house: House) -> None:
    house.set("delete from site_display")
    house.set(
        "insert into site_display (organisation_id, site_id, is_connected, since, looked_at) "
        "values (%s, %s, true, now(), now() - interval '2 years')", house.organisation, house.site,
    )  # fmt: skip
    found = as_person(house, "nurse", "clinician", house.trusts.north, 0, house.site)
    assert found.means.displays[house.site]["age"] > timedelta(days=700)
    house.set("delete from site_display")


@pytest.fixture
def house(module_database: TestDatabase) -> Iterator[House]:
    with open_house(module_database) as found:
        yield found


def as_person(house: House, name: str, role: str, trust: Any, episode: int, site: int) -> Found:
    person = Person(trust.accounts[name], trust.organisation_id, name, role)

    async def work() -> Found:
        pool: AsyncConnectionPool = open_async_pool(house.database.url_for("homeward_dashboard"), "homeward_dashboard")
        await pool.open()
        tokens = identity.enter(pool, Session(b"", person, datetime.now(UTC) + timedelta(hours=1)))
        try:
            return await told.read([episode], site)
        finally:
            identity.leave(tokens)
            await pool.close()

    return asyncio.run(work())


def test_who_sees_the_patient_sees_who_was_told_and_nobody_elses_address(house: House) -> None:
    house.contact("nurse", "rosa@trust.example")
    house.ladder(tier("Nurse", {"kind": "person", "account": house.account("nurse")}, by_mail("ward@trust.example")))
    episode = house.raise_episode()
    house.plan(datetime.now(UTC))
    north, south = house.trusts.north, house.trusts.south
    found = as_person(house, "nurse", "clinician", north, episode, house.site)
    rows = found.deliveries[episode]
    assert len(rows) == 2
    assert found.jobs[episode]["steps"] == 1
    assert "trust.example" not in repr(found.deliveries) + repr(found.means)
    assert found.means.people[house.account("nurse")]["ways"] == ["email"]
    stranger = as_person(house, "south-nurse", "clinician", south, episode, house.site)
    assert stranger.deliveries == {}
    assert stranger.jobs == {}
    assert stranger.ladder is None
    assert set(stranger.means.people) <= set(south.accounts.values())

"""Does a ladder say of every episode whom it reaches and when, late rather than never, and never too early?"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from alerts import hours, ladder
from alerts.hours import DAYS, Window
from alerts.ladder import Ladder, LadderError, Tier, WallReceiver, plan
from schemas.episode import Severity


def wall(*parts: int) -> datetime:
    """Write a time of day without its zone, which hypothesis adds."""
    return datetime(*parts, tzinfo=UTC).replace(tzinfo=None)  # type: ignore[misc,arg-type]


LONDON = "Europe/London"
instants = st.datetimes(wall(2026, 3, 27), wall(2026, 10, 27), timezones=st.just(UTC))
whole_hours = st.integers(0, 23).map(lambda h: f"{h:02}:00")
windows = st.builds(Window, st.sets(st.sampled_from(DAYS), min_size=1).map(tuple), whole_hours, whole_hours)
tiers = st.builds(
    Tier, st.text("abc", min_size=1, max_size=3), st.just((WallReceiver(),)), st.sampled_from([0, 5, 15, 60]),
    st.sampled_from(["yellow", "amber", "red"]), windows,
)  # fmt: skip
ladders = st.builds(
    Ladder,
    st.lists(tiers, min_size=1, max_size=4).map(tuple),
    st.one_of(st.none(), st.just(Window(DAYS, "22:00", "07:00"))),
)
severities = st.sampled_from([Severity.YELLOW, Severity.AMBER, Severity.RED])
WALL = [{"kind": "wall"}]


@settings(max_examples=60, deadline=None)
@given(ladders, severities, instants)
def test_steps_keep_the_order_the_hours_the_severity_and_the_quiet(
    found: Ladder, severity: Severity, begun: datetime
) -> None:
    steps = plan(found, severity, begun, LONDON)
    assert steps == plan(found, severity, begun, LONDON)
    assert [s.at for s in steps] == sorted(s.at for s in steps)
    for step in steps:
        assert step.at >= begun
        assert step.tier.is_for(severity)
        assert hours.is_open(step.tier.hours, step.at, LONDON)
        assert not ladder.is_quiet(found, severity, step.at, LONDON)
    if any(tier.is_for(severity) for tier in found.tiers) and severity == Severity.RED:
        assert steps, "somebody is open within a week, so red reaches somebody"


@settings(deadline=None)
@given(instants, severities)
def test_always_open_tiers_are_told_after_their_minutes(begun: datetime, severity: Severity) -> None:
    found = ladder.read({"tiers": [{"name": str(m), "after_min": m, "receivers": WALL} for m in (0, 10, 30)]})
    assert [s.at - begun for s in plan(found, severity, begun, LONDON)] == [timedelta(minutes=m) for m in (0, 10, 30)]


@settings(max_examples=60, deadline=None)
@given(ladders, severities, instants, st.integers(1, ladder.LONGEST_MIN))
def test_the_last_tier_is_told_again_in_its_hours_and_never_sooner(
    found: Ladder, severity: Severity, told: datetime, minutes: int
) -> None:
    last = found.tiers[-1]
    assert ladder.again(found, last, severity, told, LONDON) is None
    at = ladder.again(msgspec.structs.replace(found, repeat_min=minutes), last, severity, told, LONDON)
    if at is None:
        assert severity != Severity.RED, "every tier opens within a week, so red is told again"
        return
    assert at >= told + timedelta(minutes=minutes)
    assert hours.is_open(last.hours, at, LONDON)
    assert not ladder.is_quiet(found, severity, at, LONDON)


@pytest.mark.parametrize("minutes", [0, -5, 1441, "20", 2.5])
def test_a_number_of_minutes_that_cannot_be_meant_is_refused(minutes: Any) -> None:
    with pytest.raises(LadderError, match="repeat_min"):
        ladder.read({"tiers": [{"name": "x", "receivers": WALL}], "repeat_min": minutes})


def test_days_and_nights_have_their_own_tier_and_the_doctor_is_next() -> None:
    found = ladder.read(
        {
            "tiers": [
                {"name": "Day", "receivers": WALL, "hours": {"start": "08:00", "end": "20:00"}},
                {"name": "Night", "receivers": WALL, "hours": {"start": "20:00", "end": "08:00"}},
                {"name": "Doctor", "receivers": WALL, "after_min": 15, "severity": "red"},
            ]
        }
    )
    sunday_3 = datetime(2026, 6, 14, 2, tzinfo=UTC)
    assert [s.tier.name for s in plan(found, Severity.RED, sunday_3, LONDON)] == ["Night", "Doctor"]
    assert [s.tier.name for s in plan(found, Severity.AMBER, sunday_3 + timedelta(hours=8), LONDON)] == ["Day"]


def test_those_after_a_closed_tier_move_up() -> None:
    found = ladder.read(
        {
            "tiers": [
                {"name": "Night", "receivers": WALL, "after_min": 2, "hours": {"start": "20:00", "end": "08:00"}},
                {"name": "Nurse", "receivers": WALL, "after_min": 12},
                {"name": "Doctor", "receivers": WALL, "after_min": 30},
            ]
        }
    )
    noon = datetime(2026, 6, 13, 11, tzinfo=UTC)
    told = [(s.tier.name, (s.at - noon) / timedelta(minutes=1)) for s in plan(found, Severity.RED, noon, LONDON)]
    assert told == [("Nurse", 2), ("Doctor", 20)]


def test_where_all_are_closed_the_plan_begins_when_the_first_opens() -> None:
    office = {"days": ["mon", "tue", "wed", "thu", "fri"], "start": "09:00", "end": "17:00"}
    found = ladder.read(
        {
            "tiers": [
                {"name": "Office", "receivers": WALL, "hours": office},
                {"name": "Manager", "receivers": WALL, "after_min": 20, "hours": office},
            ]
        }
    )
    saturday = datetime(2026, 6, 13, 10, tzinfo=UTC)
    monday_9 = datetime(2026, 6, 15, 8, tzinfo=UTC)
    told = [(s.tier.name, s.at) for s in plan(found, Severity.RED, saturday, LONDON)]
    assert told == [("Office", monday_9), ("Manager", monday_9 + timedelta(minutes=20))]


@pytest.mark.parametrize(
    ("night", "morning"),
    [
        (datetime(2026, 3, 28, 23, tzinfo=UTC), datetime(2026, 3, 29, 6, tzinfo=UTC)),
        (datetime(2026, 10, 24, 22, tzinfo=UTC), datetime(2026, 10, 25, 7, tzinfo=UTC)),
    ],
)
def test_quiet_hours_end_at_seven_by_the_clocks_that_jumped(night: datetime, morning: datetime) -> None:
    found = ladder.read({"tiers": [{"name": "x", "receivers": WALL}], "quiet": {"start": "22:00", "end": "07:00"}})
    assert [s.at for s in plan(found, Severity.AMBER, night, LONDON)] == [morning]
    assert [s.at for s in plan(found, Severity.RED, night, LONDON)] == [night]


def test_a_severity_that_no_tier_is_for_reaches_nobody() -> None:
    found = ladder.read({"tiers": [{"name": "x", "receivers": WALL, "severity": "red"}]})
    assert plan(found, Severity.AMBER, datetime(2026, 6, 13, 10, tzinfo=UTC), LONDON) == []


@pytest.mark.parametrize(
    ("wrong", "complaint"),
    [
        ({"tiers": []}, "a ladder has 1 to 8"),
        ({"tiers": [{"name": "x", "receivers": []}]}, "tier 'x': nobody is named"),
        ({"tiers": [{"name": "x", "receivers": WALL}] * 2}, "tier 'x': there are two of this name"),
        ({"tiers": [{"name": "x", "receivers": WALL, "after_min": -1}]}, "after_min"),
        ({"tiers": [{"name": "x", "receivers": WALL, "severity": "purple"}]}, "severity"),
        ({"tiers": [{"name": "x", "receivers": WALL, "hours": {"start": "25:00"}}]}, "tier 'x': '25:00' is no time"),
        ({"tiers": [{"name": "x", "receivers": [{"kind": "fax"}]}]}, "fax"),
        ({"tiers": [{"name": "x", "receivers": WALL}], "quiet": {}}, "quiet hours: they never end"),
        ([], "Expected `object`"),
    ],
)
def test_a_ladder_that_cannot_be_used_is_refused_with_its_place(wrong: Any, complaint: str) -> None:
    with pytest.raises(LadderError, match=complaint):
        ladder.read(wrong)

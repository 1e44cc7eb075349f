"""Is a window open by the site's own clocks, also on the two days on which these jump?"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from alerts import hours
from alerts.hours import DAYS, Window


def wall(*parts: int) -> datetime:
    """Write a time of day without its zone, which hypothesis adds."""
    return datetime(*parts, tzinfo=UTC).replace(tzinfo=None)  # type: ignore[misc,arg-type]


ZONES = ("Europe/London", "Europe/Dublin", "Atlantic/Stanley", "Australia/Lord_Howe", "UTC")
# the two jumps of London's clocks in 2026 lie in the middle of these days
instants = st.one_of(
    st.datetimes(wall(2026, 1, 1), wall(2027, 12, 31), timezones=st.just(UTC)),
    st.datetimes(wall(2026, 3, 28, 22), wall(2026, 3, 29, 4), timezones=st.just(UTC)),
    st.datetimes(wall(2026, 10, 24, 22), wall(2026, 10, 25, 4), timezones=st.just(UTC)),
)
clocks = st.builds(lambda h, m: f"{h:02}:{m:02}", st.integers(0, 23), st.integers(0, 59))
windows = st.builds(Window, st.sets(st.sampled_from(DAYS), min_size=1).map(tuple), clocks, clocks)


@settings(deadline=None)
@given(instants, clocks, clocks, st.sampled_from(ZONES))
def test_day_and_night_share_every_instant(at: datetime, start: str, end: str, zone: str) -> None:
    if start != end:
        day, night = Window(DAYS, start, end), Window(DAYS, end, start)
        assert hours.is_open(day, at, zone) != hours.is_open(night, at, zone)


@settings(deadline=None)
@given(instants, windows, st.sampled_from(ZONES))
def test_being_open_follows_the_wall_clock_and_nothing_else(at: datetime, window: Window, zone: str) -> None:
    local = at.astimezone(ZoneInfo(zone))
    minute = local.weekday() * hours.DAY_MIN + local.hour * 60 + local.minute
    assert hours.is_open(window, at, zone) == (minute in hours.minutes_of_week(window))


@settings(deadline=None)
@given(instants, windows, st.sampled_from(ZONES))
def test_a_window_opens_within_eight_days_and_not_before_it_is_said_to(at: datetime, window: Window, zone: str) -> None:
    found = hours.first_when(at, lambda then: hours.is_open(window, then, zone), timedelta(days=8))
    if found is None:  # its only minutes of the week do not exist in the week of the jump
        assert len(hours.minutes_of_week(window)) <= 60
        return
    assert at <= found <= at + timedelta(days=8)
    assert hours.is_open(window, found, zone)
    if found > at:
        assert not hours.is_open(window, at, zone)
        assert not hours.is_open(window, found - timedelta(minutes=1), zone)


def test_the_hour_that_does_not_exist_and_the_one_that_comes_twice() -> None:
    early = Window(DAYS, "01:00", "02:00")
    spring = [datetime(2026, 3, 29, 0, 30, tzinfo=UTC) + timedelta(minutes=30 * n) for n in range(4)]
    assert [hours.is_open(early, at, "Europe/London") for at in spring] == [False, False, False, False]
    autumn = [datetime(2026, 10, 24, 23, 30, tzinfo=UTC) + timedelta(minutes=30 * n) for n in range(7)]
    assert [hours.is_open(early, at, "Europe/London") for at in autumn] == [False, True, True, True, True, False, False]


def test_a_night_belongs_to_the_day_on_which_it_begins() -> None:
    friday_nights = Window(("fri",), "20:00", "08:00")
    saturday_3 = datetime(2026, 6, 13, 2, tzinfo=UTC)  # 03:00 in London
    assert hours.is_open(friday_nights, saturday_3, "Europe/London")
    assert not hours.is_open(friday_nights, saturday_3 - timedelta(days=1), "Europe/London")


@pytest.mark.parametrize("clock", ["7:00", "24:00", "12:60", "noon", "07:00\n", ""])
def test_what_is_no_time_of_day_is_refused(clock: str) -> None:
    with pytest.raises(hours.HoursError, match="write it as 07:30"):
        hours.check(Window(DAYS, clock), "tier 'x'")

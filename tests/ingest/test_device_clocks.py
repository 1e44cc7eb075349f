"""Is what a device's clock is off by estimated from what is heard, and from nothing else?"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from ingest.admission import admit
from ingest.device_clocks import DeviceClocks
from tests.ingest.conftest import Desk
from tests.ingest.ward import payload


def _hear(desk: Desk, clocks: DeviceClocks, index: int, ages_s: list[float], **more: object) -> None:
    """Have a device send observations that it measured so long ago, by its own clock, and store what is noted."""
    now = datetime.now(UTC)
    for age in ages_s:
        message = desk.raw(desk.ward.topic(index), payload(now - timedelta(seconds=age), {"pulse": 70}, **more))
        message.received_at = round(now.timestamp() * 1e6)
        clocks.note(admit([message], desk.keeper).heard)
    clocks.store(desk.pool)


def _clock(desk: Desk, index: int) -> tuple[object, ...]:
    ((skew, unset),) = desk.ask(
        "select skew_us / 1e6::float8, unset_at >= heard_at from device_clock join device using (device_id) "
        "where code = %s",
        desk.ward.devices[index],
    )
    return skew, unset


def test_a_skew_is_found_behind_bursts_and_single_wrong_times(desk: Desk) -> None:
    clocks = DeviceClocks()
    for _ in range(6):
        _hear(desk, clocks, 0, [7200, 3600, -118])  # two minutes ahead, and it keeps observations for later
        _hear(desk, clocks, 1, [1.5, 900])
    _hear(desk, clocks, 0, [5000])
    _hear(desk, clocks, 1, [-3600])  # quarantined, and heard all the same
    assert _clock(desk, 0) == (pytest.approx(118, abs=1), None)
    assert _clock(desk, 1) == (pytest.approx(-1.5, abs=1), None)


def test_a_clock_an_hour_ahead_is_seen_although_all_of_it_is_quarantined(desk: Desk) -> None:
    clocks = DeviceClocks()
    for _ in range(3):
        _hear(desk, clocks, 0, [-3599])
    assert _clock(desk, 0) == (pytest.approx(3599, abs=1), None)


def test_a_clock_that_is_not_set_says_so_until_it_is(desk: Desk) -> None:
    clocks = DeviceClocks()
    _hear(desk, clocks, 0, [86_400 * 30], quality=["clock_unset"])
    assert _clock(desk, 0) == (0, True)
    _hear(desk, clocks, 0, [2])
    assert _clock(desk, 0) == (pytest.approx(-2, abs=1), False)


def test_what_is_entered_by_hand_says_nothing_of_a_clock(desk: Desk) -> None:
    desk.ask("update device set kind = 'manual' where code = %s returning 1", desk.ward.devices[0])
    desk.keeper.read_again()
    clocks = DeviceClocks()
    _hear(desk, clocks, 0, [4000])
    assert desk.ask("select count(*) from device_clock") == [(0,)]

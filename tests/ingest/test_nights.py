"""Is the night of a patient's limits the night at their site?"""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from zoneinfo import ZoneInfo

import pytest

from alerts.policy import shipped
from ingest.replay import replay_all
from tests.ingest.conftest import Desk
from tests.ingest.test_resets import publish

KATHMANDU = ZoneInfo("Asia/Kathmandu")  # a quarter to six hours from UTC


@pytest.mark.parametrize(("zone", "expected"), [("Asia/Kathmandu", [2]), ("UTC", []), ("Nowhere/Such", [])])
def test_a_night_is_local_to_the_site(make_desk: Callable[..., Desk], zone: str, expected: list[int]) -> None:
    desk = make_desk(1, "pulse_oximetry_home")
    desk.ask("update site set time_zone = %s returning 1", zone)
    local = desk.start.astimezone(KATHMANDU)
    begins, ends = (f"{local + timedelta(hours=h):%H:%M}" for h in (-2, 2))
    night = f'amber = 94\nnight = {{ from = "{begins}", to = "{ends}", amber = 96 }}'
    publish(desk, shipped("pulse_oximetry_home").text.replace("amber = 94", night))
    desk.keeper.read_again()
    desk.write(*(desk.message(0, minute, {"spo2": 96.0}) for minute in (0, 5)))
    assert [e[6] for e in desk.episodes() if e[1] == "low_saturation"] == expected
    sentences = [s for (s,) in desk.ask("select sentence from episode where rule = 'low_saturation'")]
    assert all(s.startswith("Oxygen saturation 96 %, limit 96 % or less at night") for s in sentences)
    assert replay_all(desk.pool, 0).differences == []

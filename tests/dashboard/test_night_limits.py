"""Do the pages hold a value against the limit that was in force when it was observed, as the core does?"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from alerts import state
from alerts.policy import parse
from dashboard import charts, figures, rows
from dashboard.figure_parts import Panel, Series, Span, Words
from dashboard.standing import LimitLine, Standard, standard
from dashboard.wording import microseconds
from schemas.episode import Severity
from schemas.vital_signs import BY_NAME
from tests.alerts.in_memory_ward import MINUTE, START, Seen, Ward
from tests.alerts.made_up_policies import opening

pytestmark = pytest.mark.pure

POLICY = (
    opening("nights", "Nights", actionable="40 d")
    + """
[[limit]]
name = "fast_pulse"
title = "Fast pulse"
vital = "pulse"
side = "high"
amber = 110
red = 130
night = { from = "22:00", to = "06:30", amber = 100 }
source = "test"
[[limit]]
name = "low_saturation"
title = "Low saturation"
vital = "spo2"
side = "low"
red = 90
night = { from = "12:15", to = "12:45", red = 88 }
source = "test"
"""
)
ZONES = ("Europe/London", "Asia/Kathmandu", "Australia/Lord_Howe")
PULSE, SPO2 = BY_NAME["pulse"].code, BY_NAME["spo2"].code
YEAR_MIN = 366 * 1440


def nights() -> Standard:
    found = standard(POLICY)
    assert found is not None
    return found


def at(text: str) -> int:
    return microseconds(datetime.fromisoformat(text).replace(tzinfo=UTC))


@pytest.mark.parametrize(
    ("instant", "value", "severity"),
    [
        ("2026-07-10T20:59", 105, Severity.NONE),  # 21:59 in London's summer
        ("2026-07-10T21:00", 105, Severity.AMBER),
        ("2026-07-11T05:29", 99.5, Severity.AMBER),  # charted as 100
        ("2026-07-11T05:30", 105, Severity.NONE),
        ("2026-12-10T21:59", 105, Severity.NONE),
        ("2026-12-10T22:00", 105, Severity.AMBER),
        ("2026-12-10T22:00", 130, Severity.RED),  # what the night does not state stays
        ("2026-12-10T12:00", 110, Severity.AMBER),
    ],
)
def test_a_value_is_coloured_by_the_limit_of_its_own_instant(instant: str, value: float, severity: Severity) -> None:
    assert nights().severity_of(PULSE, value, at(instant), "Europe/London") is severity
    # the last value is judged by when it was observed, and not by when somebody looks
    machine = state.initial(1)
    machine["recent"][0, PULSE, 0], machine["recent_at"][0, PULSE, 0] = value, at(instant)
    detail = {"machine": state.pack(machine)[0], "policy_id": 1, "time_zone": "Europe/London"}
    now = datetime.fromisoformat(instant).replace(tzinfo=UTC) + timedelta(hours=5)
    cell = rows.value_cell(rows.situation([7], {7: detail}, {1: nights()}, now), 0, PULSE)
    assert cell is not None
    assert cell["level"] == severity


@settings(max_examples=150, deadline=None)
@given(
    st.integers(0, YEAR_MIN),
    st.sampled_from([(PULSE, v / 4) for v in range(396, 524)] + [(SPO2, v / 4) for v in range(348, 364)]),
    st.sampled_from(ZONES),
)
def test_the_page_says_what_the_core_says(minute: int, observed: tuple[int, float], zone: str) -> None:
    ward = Ward([parse(POLICY)], zones=(zone,))
    seen = Seen(0, minute, *observed)
    ward.feed([seen], seen.at)
    raised = max((e["severity"] for e in ward.standing().values()), default=0)
    assert nights().severity_of(*observed, START + minute * MINUTE, zone) == raised


def test_the_chart_has_a_line_by_day_and_one_by_night() -> None:
    assert set(nights().lines(PULSE, 1)) == {
        LimitLine(110, Severity.AMBER, "Fast pulse", (390, 1320)),
        LimitLine(100, Severity.AMBER, "Fast pulse", (1320, 390)),
        LimitLine(130, Severity.RED, "Fast pulse"),
    }


def drawn(since: str, hours: int) -> tuple[list[dict[str, Any]], list[str]]:
    single = [
        {"vital": PULSE, "observed_at": datetime.fromisoformat(since).replace(tzinfo=UTC), "value": value, "flags": 0}
        for value in (98.0, 112.0)
    ]
    (panel,) = charts.panels(single, [], None, nights(), 1)
    span = Span(at(since), at(since) + hours * 60 * MINUTE, "Europe/London")
    layout = figures.vital_signs([panel], span, (), "light", Words())["layout"]
    return [s for s in layout["shapes"] if s["type"] == "line"], [a["text"] for a in layout["annotations"]]


def test_each_line_is_drawn_where_it_is_in_force_on_either_side_of_a_change_of_the_clocks() -> None:
    lines, said = drawn("2026-10-24T11:00", 25)  # noon to noon in London, and an hour more
    assert [(s["y0"], s["x0"][5:16], s["x1"][5:16]) for s in lines] == [
        (110, "10-24T12:00", "10-24T22:00"),
        (110, "10-25T06:30", "10-25T12:00"),
        (100, "10-24T22:00", "10-25T06:30"),
        (130, "10-24T12:00", "10-25T12:00"),
    ]
    assert said[1:] == ["110, 06:30–22:00", "100, 22:00–06:30"]


def test_on_an_axis_of_a_year_both_lines_are_whole_and_say_when_they_hold() -> None:
    lines, said = drawn("2026-01-01T00:00", 24 * 365)
    assert [(s["y0"], s["x0"][:10], s["x1"][:10]) for s in lines] == [
        (value, "2026-01-01", "2027-01-01") for value in (110, 100, 130)
    ]
    assert said[1:] == ["110, 06:30–22:00", "100, 22:00–06:30"]


def test_where_one_line_belongs_to_two_vital_signs_it_is_named_as_well() -> None:
    limit = LimitLine(150, Severity.AMBER, "Sys BP", (1320, 390))
    pressure = Series("Systolic pressure", np.array([START]), np.array([150.0]), unit="mmHg")
    panel = Panel("Blood pressure", limits=(limit,), series=(pressure,), names_limits=True)
    figure = figures.vital_signs([panel], Span(START, START + MINUTE), (), "dark", Words())
    assert figure["layout"]["annotations"][1]["text"] == "Sys BP 150, 22:00–06:30"

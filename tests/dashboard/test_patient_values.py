"""Do averages, stretches of time and the NEWS2 chart come out as the guideline, the clock and the College say?"""

from datetime import UTC, date, datetime, timedelta

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from alerts.load_rules import NEWS2_BANDS, load_bands
from alerts.news2 import news2
from dashboard import chart_window, charts, news2_table
from dashboard.averages import Reading, average
from dashboard.wording import microseconds

NOW = datetime(2026, 11, 25, 12, 0, tzinfo=UTC)


def reading(day: int, hour: int, systolic: float, diastolic: float = 80) -> Reading:
    return Reading(datetime(2026, 11, day, hour, 30, tzinfo=UTC), systolic, diastolic)


def test_the_first_day_is_discarded_and_the_rest_averaged() -> None:
    found = average(
        [reading(1, 8, 190), reading(1, 20, 190), reading(2, 8, 130), reading(2, 20, 140), reading(3, 8, 132),
         reading(4, 9, 134), reading(4, 9, 136)], "Europe/London",
    )  # fmt: skip
    assert found.overall is not None
    assert (found.overall.systolic, found.overall.readings) == (pytest.approx((130 + 140 + 132 + 134 + 136) / 5), 5)
    assert found.morning is not None
    assert found.morning.readings == 4
    assert found.evening is not None
    assert found.evening.systolic == 140
    assert [d.discarded for d in found.days] == [True, False, False, False]
    assert found.days[2].evening is None
    assert found.is_enough


def test_three_days_are_not_enough_and_only_the_last_seven_count() -> None:
    assert not average([reading(d, 8, 130) for d in (1, 2, 3)], "Europe/London").is_enough
    found = average([reading(d, 8, 100 + d) for d in range(1, 12)], "Europe/London")
    assert [d.day for d in found.days] == [date(2026, 11, d) for d in range(5, 12)]
    assert found.overall is not None
    assert found.overall.systolic == pytest.approx(108.5)
    assert average([], "Europe/London").overall is None


def test_what_a_day_and_a_morning_are_is_the_patients_own() -> None:
    at = datetime(2026, 7, 1, 11, 30, tzinfo=UTC)  # half past noon in London
    found = average([Reading(at - timedelta(days=1), 130, 80), Reading(at, 130, 80)], "Europe/London")
    assert found.morning is None
    assert found.evening is not None


@given(st.sampled_from(sorted(chart_window.SPANS)), st.lists(st.sampled_from(["in", "out", "earlier", "later"])))
def test_no_way_through_time_leaves_the_year_or_passes_the_present(span: str, acts: list[str]) -> None:
    zoom = None
    for act in acts:
        zoom = chart_window.moved(chart_window.window(span, zoom, NOW), act, NOW)
        seen = chart_window.window(span, zoom, NOW)
        assert chart_window.SHORTEST <= seen.span <= chart_window.LONGEST
        assert seen.until <= NOW + timedelta(seconds=1)
    assert chart_window.moved(chart_window.window(span, zoom, NOW), "now", NOW) is None


def test_what_is_drawn_on_the_chart_is_in_the_sites_zone_across_the_changeover() -> None:
    drawn = {"xaxis6.range[0]": "2026-10-24 12:00:00", "xaxis6.range[1]": "2026-10-25 12:00"}
    found = chart_window.drawn(drawn, "Europe/London")
    assert found == {
        "since": microseconds(datetime(2026, 10, 24, 11, tzinfo=UTC)),
        "until": microseconds(datetime(2026, 10, 25, 12, tzinfo=UTC)),
    }
    for nothing in (None, {}, {"autosize": True}, {"xaxis.range[0]": "<script>", "xaxis.range[1]": "1"}):
        assert chart_window.drawn(nothing, "Europe/London") is None
    assert chart_window.window("24h", {"since": "x", "until": None}, NOW).is_live


@pytest.mark.parametrize("span", chart_window.SPANS.values())
def test_no_stretch_is_read_in_more_buckets_than_have_room(span: timedelta) -> None:
    found = charts.resolution(span)
    assert span / found.bucket <= 366
    assert span / found.score_bucket <= 366


@given(
    st.sampled_from([1, 2]),
    st.sampled_from([0, 1]),
    st.floats(60, 100),
    st.floats(3, 60),
    st.floats(33, 42),
    st.integers(0, 4),
)
def test_each_value_falls_into_the_one_band_that_gives_its_points(
    scale: int, oxygen: int, spo2: float, respiration: float, temperature: float, consciousness: int
) -> None:
    values = {"spo2": spo2, "respiration_rate": respiration, "temperature": temperature, "on_oxygen": float(oxygen),
              "consciousness": float(consciousness)}  # fmt: skip
    scored = news2(
        respiration_rate=np.array([respiration]), spo2=np.array([spo2]), on_oxygen=np.array([oxygen]),
        bp_systolic=np.array([np.nan]), pulse=np.array([np.nan]), consciousness=np.array([float(consciousness)]),
        temperature=np.array([temperature]), spo2_scale=np.array([scale]),
    )  # fmt: skip
    columns = {"respiration_rate": 0, "spo2": 1, "on_oxygen": 2, "consciousness": 5, "temperature": 6}
    for name, value in values.items():
        bands = news2_table.bands_of(name, scale if name == "spo2" else None)
        met = [b for b in bands if news2_table.falls_in(b, value, oxygen)]
        assert len(met) == 1, (name, value)
        assert met[0].points == scored.points[0, columns[name]], (name, value)


def test_the_chart_has_every_band_of_the_table_and_no_other() -> None:
    shown = [b.line for _, name, scale in news2_table._SECTIONS for b in news2_table.bands_of(name, scale)]
    assert sorted(shown) == sorted(b.line for b in load_bands(NEWS2_BANDS))

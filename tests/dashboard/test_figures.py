"""Do the charts say what was observed: gaps broken, ranges as ranges, repeats apart, times in the site's zone?"""

from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np
import plotly.graph_objects as go
import pytest

from dashboard import charts, figure_times, figures
from dashboard.figure_parts import THEMES, Panel, Scores, Series, Shade, Span, Words
from dashboard.standing import LimitLine
from dashboard.wording import microseconds
from schemas.episode import Severity
from schemas.observation import Flag
from schemas.vital_signs import BY_NAME

HOUR = 3_600_000_000
START = microseconds(datetime(2026, 11, 21, 8, tzinfo=UTC))
WORDS = Words("Suspected repeat", "NEWS2 incomplete", "NEWS2")
SPAN = Span(START, START + 24 * HOUR)


def hours(*given: float) -> Any:
    return START + (np.array(given) * HOUR).astype(np.int64)


def draw(*panels: Panel, shades: tuple[Shade, ...] = (), scheme: str = "light") -> dict[str, Any]:
    figure = figures.vital_signs(panels, SPAN, shades, scheme, WORDS)
    # plotly's own classes know every property: they refuse one that is misspelt
    go.Figure(figure)
    return figure


def pulse(at: Any, value: Any, **more: Any) -> Series:
    return Series("Pulse", at, np.array(value, dtype=float), unit="/min", **more)


def test_a_gap_breaks_the_line() -> None:
    at = hours(0, 1, 2, 12, 13)
    (trace,) = draw(Panel("Pulse", (pulse(at, [70, 71, 72, 73, 74]),)))["data"]
    assert trace["y"] == [70, 71, 72, None, 73, 74]
    assert trace["mode"] == "lines+markers"


def test_a_steady_line_is_not_broken() -> None:
    (trace,) = draw(Panel("Pulse", (pulse(hours(0, 6, 12.5, 18), [70, 71, 72, 73]),)))["data"]
    assert None not in trace["y"]


def test_two_cadences_are_one_line_and_only_silences_break_it() -> None:
    thrice_a_day = np.arange(0, 40, 8.0)
    worn = 40 + np.arange(30) / 60
    at = hours(*thrice_a_day, *worn, *(worn + 3))
    assert list(figure_times.gap_positions(at)) == [len(thrice_a_day) + len(worn)]
    assert len(figure_times.gap_positions(hours(1))) == len(figure_times.gap_positions(hours())) == 0


def test_points_are_marked_where_they_have_room() -> None:
    at = hours(0, 6, 12, *(12 + np.arange(1, 30) / 60))
    (trace,) = draw(Panel("Pulse", (pulse(at, np.full(len(at), 70.0)),)))["data"]
    assert trace["marker"]["size"][:3] == [5, 5, 5]
    assert set(trace["marker"]["size"][4:-1]) == {0}


def test_a_dense_vital_sign_is_a_middle_line_in_a_shaded_range() -> None:
    at = hours(0, 1, 2)
    series = pulse(at, [70, 71, 72], low=np.array([60.0, 61, 62]), high=np.array([80.0, 81, 82]))
    low, high, middle = draw(Panel("Pulse", (series,)))["data"]
    assert high["fill"] == "tonexty"
    assert (low["y"], high["y"], middle["y"]) == ([60, 61, 62], [80, 81, 82], [70, 71, 72])


def test_suspected_repeats_are_hollow_and_apart_from_the_line() -> None:
    panel = Panel("Pulse", (pulse(hours(0, 1), [70, 71]),), (pulse(hours(3), [70]),))
    line, repeats = draw(panel)["data"]
    assert line["y"] == [70, 71]
    assert repeats["marker"]["symbol"] == "circle-open"
    assert repeats["name"] == "Suspected repeat"


def test_an_incomplete_score_is_a_range_and_never_a_point_of_the_line() -> None:
    scores = Scores(hours(0, 1, 2), np.array([3.0, 2, 4]), np.array([3.0, 7, 4]))
    complete, bar, end = draw(Panel("NEWS2", scores=scores))["data"]
    assert complete["y"] == [3, None, 4]
    assert bar["y"] == [2, 7, None]
    assert (end["y"], end["customdata"]) == ([2], [7])


def test_limits_are_dashed_and_episodes_shaded_in_every_panel() -> None:
    limit = LimitLine(92.0, Severity.RED, "Low")
    panel = Panel("SpO2", (pulse(hours(0, 1), [95, 91]),), limits=(limit,))
    figure = draw(panel, panel, shades=(Shade(START + HOUR, START + 30 * HOUR, Severity.RED),))
    lines = [s for s in figure["layout"]["shapes"] if s["type"] == "line"]
    boxes = [s for s in figure["layout"]["shapes"] if s["type"] == "rect"]
    assert [(s["y0"], s["line"]["dash"]) for s in lines] == [(92, "dash")] * 2
    assert [s["yref"] for s in boxes] == ["y domain", "y2 domain"]
    # what reaches beyond the axis is cut at its end
    assert boxes[0]["x1"] == "2026-11-22T08:00:00"


def test_panels_share_the_time_axis_and_do_not_overlap() -> None:
    panel = Panel("Pulse", (pulse(hours(0, 1), [70, 71]),))
    layout = draw(panel, panel, panel)["layout"]
    domains = [layout[name]["domain"] for name in ("yaxis", "yaxis2", "yaxis3")]
    assert domains[0][0] > domains[1][1] > domains[1][0] > domains[2][1]
    assert {layout[name]["range"][0] for name in ("xaxis", "xaxis2", "xaxis3")} == {"2026-11-21T08:00:00"}
    assert [layout[n].get("matches") for n in ("xaxis", "xaxis2", "xaxis3")] == ["x3", "x3", None]


def test_a_far_limit_does_not_flatten_the_line() -> None:
    panel = Panel("Pulse", (pulse(hours(0, 1), [70, 74]),), limits=(LimitLine(131, Severity.RED, "High"),))
    low, high = draw(panel)["layout"]["yaxis"]["range"]
    assert 60 < low < 70
    assert 74 < high < 90


def test_ordinary_noise_does_not_look_like_a_plunge() -> None:
    panel = Panel("Temperature", (pulse(hours(0, 1), [37.0, 36.8]),), decimals=1, least_span=1.9)
    low, high = draw(panel)["layout"]["yaxis"]["range"]
    assert high - low >= 1.9
    assert low < 36.8 < 37.0 < high
    assert {
        "respiration_rate": 8,
        "spo2": 4,
        "bp_systolic": 108,
        "pulse": 39,
        "temperature": pytest.approx(1.9),
    } == charts.ORDINARY_SPANS


def test_nothing_observed_draws_an_empty_figure() -> None:
    assert draw()["data"] == []
    assert draw(Panel("Pulse"))["data"] == []


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_both_colour_schemes_have_every_colour(scheme: str) -> None:
    theme = THEMES[scheme]
    assert set(theme.severity) == {Severity.YELLOW, Severity.AMBER, Severity.RED}
    draw(Panel("Pulse", (pulse(hours(0, 1), [70, 71]),)), scheme=scheme)


def test_times_are_the_clock_on_the_wall_on_both_sides_of_a_changeover() -> None:
    # British clocks went back at 01:00 UTC on 25 October 2026
    before, after = datetime(2026, 10, 25, 0, 30, tzinfo=UTC), datetime(2026, 10, 25, 1, 30, tzinfo=UTC)
    at = np.array([microseconds(before), microseconds(after)])
    shown = figure_times.local_times(at, "Europe/London")
    assert [str(t)[:16] for t in shown] == ["2026-10-25T01:30", "2026-10-25T01:30"]
    assert len(figure_times.local_times(np.array([], dtype=np.int64), "Europe/London")) == 0


def observed(hour: float, name: str, value: float, flags: int = 0) -> dict[str, Any]:
    at = datetime(2026, 11, 21, 8, tzinfo=UTC) + timedelta(hours=hour)
    return {
        "vital": BY_NAME[name].code, "observed_at": at, "at": at, "value": value, "flags": flags, "device_id": 1,
    }  # fmt: skip


def test_repeats_are_kept_out_of_the_line() -> None:
    rows = [
        observed(0, "bp_systolic", 140),
        observed(3, "bp_systolic", 140, Flag.SUSPECTED_REPEAT),
        observed(6, "bp_systolic", 150),
        observed(6, "bp_diastolic", 90),
    ]
    (panel,) = charts.panels(rows, [], None, None, 1)
    assert [list(s.value) for s in panel.series] == [[140, 150], [90]]
    assert [list(s.value) for s in panel.repeats] == [[140]]


SET = {
    "respiration_rate": 16, "spo2": 97, "on_oxygen": 0, "bp_systolic": 124, "pulse": 72, "consciousness": 0,
    "temperature": 36.6,
}  # fmt: skip


def test_a_score_over_time_carries_values_forward_and_lets_them_expire() -> None:
    rows = [observed(0, name, value) for name, value in SET.items()]
    rows.append(observed(4, "pulse", 95))
    rows.append(observed(20, "pulse", 95))
    scores = charts.scores_over_time(rows, 12 * HOUR, 1)
    assert scores is not None
    assert list(scores.lower) == [0, 1, 1]
    assert list(scores.upper[:2]) == [0, 1]
    # at 20 h only the pulse still counts: nothing but a range can be said
    assert scores.upper[2] == 18
    assert charts.scores_over_time([], 12 * HOUR, 1) is None

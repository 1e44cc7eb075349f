"""How does the NEWS2 chart of the Royal College of Physicians look for a patient's last observation sets?

The chart's own layout: a row for each band of a parameter, coloured by its points, the values where they fall, and the
aggregate score at the bottom. The bands are those of the table that the scores come from; the College forbids others.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import ROUND_HALF_UP, Decimal
from typing import Any
from zoneinfo import ZoneInfo

from dash import html

from alerts.load_rules import NEWS2_BANDS, BandRow, load_bands
from alerts.news2_chart import PARAMETERS
from dashboard.shell import scrollable
from dashboard.text import patient as words
from dashboard.wording import score_range
from schemas.vital_signs import BY_NAME

_BANDS = load_bands(NEWS2_BANDS)
_SECTIONS = (
    ("A+B", "respiration_rate", None),
    ("A+B", "spo2", 1),
    ("A+B", "spo2", 2),
    ("", "on_oxygen", None),
    ("C", "bp_systolic", None),
    ("C", "pulse", None),
    ("D", "consciousness", None),
    ("E", "temperature", None),
)
_LETTERS = "ACVPU"


@dataclass(frozen=True)
class ObservationSet:
    """What was charted together: when, the values by vital sign, and the bounds of the score."""

    at: datetime
    values: Mapping[str, float]
    lower: float
    upper: float
    red: bool


def bands_of(parameter: str, scale: int | None) -> list[BandRow]:
    """The bands of one section of the chart, from its top downwards: high values first, as on paper."""
    found = [b for b in _BANDS if b.parameter == parameter and b.scale == scale]
    if parameter in ("consciousness", "on_oxygen"):
        return found
    return sorted(found, key=lambda b: (b.on_oxygen or 0, b.lower if b.lower is not None else Decimal("-Infinity")),
                  reverse=True)  # fmt: skip


def falls_in(band: BandRow, value: float, on_oxygen: float | None) -> bool:
    """Whether a value, rounded as the chart reads it, belongs to a band."""
    if band.on_oxygen is not None and int(on_oxygen or 0) != band.on_oxygen:
        return False
    steps = (Decimal(repr(value)) / band.resolution).quantize(Decimal(1), ROUND_HALF_UP)
    read = steps * band.resolution
    return (band.lower is None or read >= band.lower) and (band.upper is None or read <= band.upper)


def label(band: BandRow) -> str:
    """What the chart writes beside a band."""
    if band.parameter == "consciousness":
        low, high = int(band.lower or 0), int(band.upper or 0)
        return " ".join(_LETTERS[low : high + 1])
    if band.parameter == "on_oxygen":
        return words.OXYGEN if band.lower else words.AIR
    by = "" if band.on_oxygen is None else f" {words.ON_OXYGEN if band.on_oxygen else words.ON_AIR}"
    if band.lower is None:
        return f"≤ {band.upper}{by}"
    if band.upper is None:
        return f"≥ {band.lower}{by}"
    return f"{band.lower}–{band.upper}{by}"


def chart(sets: Sequence[ObservationSet], spo2_scale: int, zone: str) -> Any:
    """The whole chart, oldest set first."""
    local = [s.at.astimezone(ZoneInfo(zone)) for s in sets]
    head = html.Tr(
        [html.Th(words.PARAMETER, scope="col"), html.Th(words.BAND, scope="col"),
         *(html.Th([html.Span(f"{t.day} {t:%b}"), html.Br(), f"{t:%H:%M}"], scope="col") for t in local),
         html.Th(words.POINTS, scope="col", className="number")]
    )  # fmt: skip
    bodies = [_section(letter, name, scale, sets, spo2_scale) for letter, name, scale in _SECTIONS]
    table = html.Table(
        [html.Thead(head), *bodies, html.Tbody(_total(sets), className="news2-total")], className="news2-chart"
    )
    return html.Div([scrollable(table, words.NEWS2_CHART), html.P(words.RCP, className="acknowledgement")])


def _section(letter: str, name: str, scale: int | None, sets: Sequence[ObservationSet], spo2_scale: int) -> Any:
    is_read = scale is None or scale == spo2_scale
    bands = bands_of(name, scale)
    title = BY_NAME[name].label + ("" if scale is None else f", {words.SCALE} {scale}")
    rows = []
    for position, band in enumerate(bands):
        first = []
        if position == 0:
            unread = [] if is_read else [html.Br(), html.Span(words.NOT_READ, className="muted")]
            heading = [html.Span(letter, className="news2-letter"), title, *unread]
            first = [html.Th(heading, rowSpan=len(bands), scope="rowgroup")]
        cells = [_cell(band, s, is_read) for s in sets]
        points = html.Td(str(band.points), className="number")
        rows.append(html.Tr([*first, html.Th(label(band), scope="row", className="band"), *cells, points],
                            className=f"points-{band.points}" if is_read else "unread"))  # fmt: skip
    return html.Tbody(rows)


def _cell(band: BandRow, charted: ObservationSet, is_read: bool) -> Any:
    value = charted.values.get(band.parameter)
    if not is_read or value is None or not falls_in(band, value, charted.values.get("on_oxygen")):
        return html.Td()
    sign = BY_NAME[band.parameter]
    shown = _LETTERS[int(value)] if band.parameter == "consciousness" else "✓"
    if band.parameter not in ("consciousness", "on_oxygen"):
        shown = f"{value:.{sign.decimals}f}"
    return html.Td(shown, className="charted")


def _total(sets: Sequence[ObservationSet]) -> Any:
    cells = []
    for s in sets:
        incomplete = s.lower != s.upper
        cells.append(
            html.Td(
                score_range(s.lower, s.upper) + (" !" if s.red else ""),
                className="incomplete" if incomplete else "",
                title=". ".join(
                    part for part in (words.INCOMPLETE if incomplete else "", words.RED_SCORE if s.red else "") if part
                ),
            )
        )
    return html.Tr([html.Th(words.AGGREGATE, colSpan=2, scope="row"), *cells, html.Td()])


assert {name for _, name, _ in _SECTIONS} == set(PARAMETERS), "the chart shows every parameter of the score"

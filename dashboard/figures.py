"""How are a patient's vital signs drawn over time? Arrays in, a plotly figure out: pure, so tested without a browser.

The figure is the plain mapping that plotly.js reads. Building it through plotly's classes checks every property and
takes a quarter of a second, which on the server's event loop everybody would wait for; the tests do that check instead.

All panels share one time axis, in the site's zone. A dense vital sign is a middle line in a shaded range; sparse ones
are points joined by a line. A line never bridges a gap, and an incomplete NEWS2 is drawn as the range in which it lies.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import numpy as np
from numpy.typing import NDArray

from dashboard.standing import LimitLine
from schemas.episode import Severity

Part = dict[str, Any]
Times = NDArray[np.int64]
Values = NDArray[np.float64]

PANEL_HEIGHT_PX = 158
_TITLE_PX = 42
_MARGIN_PX = {"l": 46, "r": 14, "t": 30, "b": 34}
_GAPS_OF_USUAL = 3.5
"""A step of this many usual steps is a gap."""
_AROUND = 7
"""Steps on either side that say what is usual there."""


@dataclass(frozen=True)
class Theme:
    """The colours of a figure in one colour scheme; assets/homeward.css has the same ones."""

    text: str
    muted: str
    grid: str
    surface: str
    lines: tuple[str, ...]
    severity: dict[Severity, str]


THEMES = {
    "light": Theme(
        text="#16212b",
        muted="#55626f",
        grid="#e6ebef",
        surface="#ffffff",
        lines=("#1d5f9e", "#0b7a75", "#6a3fb5", "#a8500f", "#3d4f5f"),
        severity={Severity.RED: "#b3121d", Severity.AMBER: "#a85400", Severity.YELLOW: "#8a6d00"},
    ),
    "dark": Theme(
        text="#e8edf2",
        muted="#a7b3bf",
        grid="#2b343d",
        surface="#171d23",
        lines=("#6db3f2", "#4fc9bf", "#b79af2", "#f0a262", "#b9c6d2"),
        severity={Severity.RED: "#ff8d92", Severity.AMBER: "#ffb56b", Severity.YELLOW: "#ecd06a"},
    ),
}


@dataclass(frozen=True)
class Series:
    """One line: T instants [µs since 1970 UTC] and values; low and high where it stands for a range."""

    name: str
    at: Times
    value: Values
    low: Values | None = None
    high: Values | None = None
    colour: int = 0
    unit: str = ""


@dataclass(frozen=True)
class Scores:
    """NEWS2 over time: T instants and bounds; equal where the observation set was complete."""

    at: Times
    lower: Values
    upper: Values


@dataclass(frozen=True)
class Panel:
    """One chart of the stack."""

    title: str
    series: tuple[Series, ...] = ()
    repeats: tuple[Series, ...] = ()
    limits: tuple[LimitLine, ...] = ()
    scores: Scores | None = None
    decimals: int = 0
    names_limits: bool = False
    """Whether each limit says what it belongs to: needed where a panel has two lines."""


@dataclass(frozen=True)
class Shade:
    """An episode behind the charts [µs since 1970 UTC]."""

    since: int
    until: int
    severity: Severity


@dataclass(frozen=True)
class Words:
    """The few words inside a figure."""

    repeat: str = ""
    incomplete: str = ""
    score: str = ""


@dataclass(frozen=True)
class Span:
    """The time axis: from, to [µs since 1970 UTC], and the zone it is written in."""

    since: int
    until: int
    zone: str = "UTC"


def local_times(at: Times, zone: str) -> NDArray[np.datetime64]:
    """Write instants as wall-clock times of a zone: plotly knows no zones.

    Parameters
    ----------
    at : int array, shape (T,)
        Instants [µs since 1970 UTC].
    zone : str
        Name in the time-zone database.

    Returns
    -------
    datetime64[us] array, shape (T,)
        What a clock on the wall showed. The offset is looked up once an hour, so a changeover is exact.
    """
    hour_us = 3_600_000_000
    hours, where = np.unique(at // hour_us, return_inverse=True)
    info = ZoneInfo(zone)
    epoch = datetime(1970, 1, 1, tzinfo=UTC)
    offsets = [(epoch + timedelta(hours=int(h))).astimezone(info).utcoffset() or timedelta() for h in hours]
    offset_us = np.array([o // timedelta(microseconds=1) for o in offsets], dtype=np.int64)
    shifted = at + (offset_us[where] if len(at) else 0)
    return shifted.astype("datetime64[us]")


def gap_positions(at: Times) -> NDArray[np.intp]:
    """Find where a line must be broken.

    Parameters
    ----------
    at : int array, shape (T,)
        Instants in order [µs since 1970 UTC].

    Returns
    -------
    int array, shape (G,)
        Positions before which several usual steps are missing. What is usual is asked on both sides: who was observed
        thrice a day and now wears a monitor has no gap where the one becomes the other.
    """
    steps = np.diff(at)
    if not len(steps):
        return np.empty(0, np.intp)
    found = [
        i + 1
        for i in np.flatnonzero(steps > _GAPS_OF_USUAL * np.median(steps))
        if steps[i]
        > _GAPS_OF_USUAL * max(_usual(steps[max(0, i - _AROUND) : i]), _usual(steps[i + 1 : i + 1 + _AROUND]))
    ]
    return np.array(found, dtype=np.intp)


def _usual(steps: NDArray[np.int64]) -> float:
    return float(np.median(steps)) if len(steps) else 0.0


def broken(series: Series) -> Series:
    """Put a missing value into each gap, so that no line is drawn across it."""
    positions = gap_positions(series.at)
    if not len(positions):
        return series

    def with_nan(values: Values | None) -> Values | None:
        return None if values is None else np.insert(values, positions, np.nan)

    at = np.insert(series.at, positions, series.at[positions - 1] + 1)
    value = np.insert(series.value, positions, np.nan)
    return Series(series.name, at, value, with_nan(series.low), with_nan(series.high), series.colour, series.unit)


def vital_signs(panels: Sequence[Panel], span: Span, shades: Sequence[Shade], scheme: str, words: Words) -> Part:
    """Draw the stack of panels of one patient on a common time axis.

    Parameters
    ----------
    panels : sequence of Panel
        From top to bottom.
    span : Span
        The time axis.
    shades : sequence of Shade
        Episodes, drawn behind every panel.
    scheme : str
        ``light`` or ``dark``.
    words : Words
        The few words inside the figure.

    Returns
    -------
    dict
        ``data`` and ``layout`` of a plotly figure.
    """
    theme = THEMES[scheme]
    traces: list[Part] = []
    layout = _layout(len(panels), span, theme)
    for row, panel in enumerate(panels, start=1):
        drawn = [_line(s, panel, span, theme) for s in panel.series]
        drawn.append([_repeats(s, span, theme, words) for s in panel.repeats])
        if panel.scores is not None:
            drawn.append(_scores(panel.scores, span, theme, words))
        axes = {"xaxis": _axis("x", row), "yaxis": _axis("y", row)}
        traces += [trace | axes for part in drawn for trace in part]
        layout["shapes"] += _episodes(row, shades, span, theme) + _limits(row, panel, span, theme)
        layout["annotations"] += [_title(row, panel, theme), *_limit_names(row, panel, theme)]
        layout |= _axes(row, len(panels), panel, span, theme)
    return {"data": traces, "layout": layout}


def _axis(letter: str, row: int) -> str:
    return letter if row == 1 else f"{letter}{row}"


def _x(at: Times, span: Span) -> list[str]:
    return [str(t) for t in np.datetime_as_string(local_times(at, span.zone), unit="s")]


def _y(values: Values) -> list[float | None]:
    return [None if np.isnan(v) else round(float(v), 2) for v in values]


def _line(series: Series, panel: Panel, span: Span, theme: Theme) -> list[Part]:
    series = broken(series)
    colour, x = theme.lines[series.colour % len(theme.lines)], _x(series.at, span)
    sparse = series.low is None
    middle = {
        "type": "scatter",
        "x": x,
        "y": _y(series.value),
        "name": series.name,
        "mode": "lines+markers" if sparse else "lines",
        "line": {"color": colour, "width": 1.8},
        "marker": {"size": _marker_sizes(series.at, span), "color": colour, "line": {"width": 0}},
        "hovertemplate": f"%{{y:.{panel.decimals}f}} {series.unit}<extra>{series.name}</extra>",
    }
    if series.low is None or series.high is None:
        return [middle]
    edge = {"type": "scatter", "x": x, "line": {"width": 0}, "hoverinfo": "skip", "mode": "lines"}
    shaded = {"fill": "tonexty", "fillcolor": _faded(colour, 0.2)}
    return [edge | {"y": _y(series.low)}, edge | {"y": _y(series.high)} | shaded, middle]


def _marker_sizes(at: Times, span: Span) -> list[int]:
    """A point of its own where it has room; in a crowd the line alone."""
    room = (span.until - span.since) / _MARKERS_ACROSS
    steps = np.diff(at, prepend=at[:1] - span.until, append=at[-1:] + span.until)
    return [5 if alone else 0 for alone in np.maximum(steps[:-1], steps[1:]) > room] if len(at) else []


_MARKERS_ACROSS = 150
"""This many points have room beside each other in a panel."""


def _repeats(series: Series, span: Span, theme: Theme, words: Words) -> Part:
    return {
        "type": "scatter",
        "x": _x(series.at, span),
        "y": _y(series.value),
        "name": words.repeat,
        "mode": "markers",
        "marker": {"symbol": "circle-open", "size": 9, "color": theme.muted, "line": {"width": 2}},
        "hovertemplate": f"%{{y}} {series.unit}<extra>{series.name}: {words.repeat.lower()}</extra>",
    }


def _scores(scores: Scores, span: Span, theme: Theme, words: Words) -> list[Part]:
    complete = scores.lower == scores.upper
    found = []
    if complete.any():
        found.append(_complete(scores, complete, span, theme, words))
    if not complete.all():
        found += _bounds(scores.at[~complete], scores.lower[~complete], scores.upper[~complete], span, theme, words)
    return found


def _complete(scores: Scores, complete: NDArray[np.bool_], span: Span, theme: Theme, words: Words) -> Part:
    return {
        "type": "scatter",
        "x": _x(scores.at, span),
        "y": _y(np.where(complete, scores.lower, np.nan)),
        "name": words.score,
        "mode": "lines+markers",
        "line": {"color": theme.lines[4], "width": 1.8, "shape": "hv"},
        "marker": {"size": 5, "color": theme.lines[4]},
        "hovertemplate": f"%{{y:.0f}}<extra>{words.score}</extra>",
    }


def _bounds(at: Times, lower: Values, upper: Values, span: Span, theme: Theme, words: Words) -> list[Part]:
    """Incomplete sets: a bar from the least to the most the score can be, never a point that looks like a score."""
    bars = np.stack([lower, upper, np.full(len(at), np.nan)], axis=1).ravel()
    bar = {
        "type": "scatter",
        "x": _x(np.repeat(at, 3), span),
        "y": _y(bars),
        "name": words.incomplete,
        "mode": "lines",
        "line": {"color": _faded(theme.lines[4], 0.45), "width": 5},
        "hoverinfo": "skip",
    }
    end = {
        "type": "scatter",
        "x": _x(at, span),
        "y": _y(lower),
        "customdata": _y(upper),
        "mode": "markers",
        "marker": {"symbol": "circle-open", "size": 6, "color": theme.lines[4], "line": {"width": 1.5}},
        "hovertemplate": f"%{{y:.0f}}–%{{customdata:.0f}}<extra>{words.incomplete}</extra>",
    }
    return [bar, end]


def _limits(row: int, panel: Panel, span: Span, theme: Theme) -> list[Part]:
    start, end = _x(np.array([span.since, span.until], dtype=np.int64), span)
    return [
        {
            "type": "line",
            "x0": start,
            "x1": end,
            "y0": limit.value,
            "y1": limit.value,
            "xref": _axis("x", row),
            "yref": _axis("y", row),
            "line": {"color": theme.severity[limit.severity], "width": 1.2, "dash": "dash"},
            "layer": "between",
        }
        for limit in panel.limits
    ]


def _episodes(row: int, shades: Sequence[Shade], span: Span, theme: Theme) -> list[Part]:
    found = []
    for shade in shades:
        start, end = max(shade.since, span.since), min(shade.until, span.until)
        if start >= end or shade.severity is Severity.NONE:
            continue
        x0, x1 = _x(np.array([start, end], dtype=np.int64), span)
        found.append(
            {
                "type": "rect",
                "x0": x0,
                "x1": x1,
                "y0": 0,
                "y1": 1,
                "xref": _axis("x", row),
                "yref": f"{_axis('y', row)} domain",
                "fillcolor": _faded(theme.severity[shade.severity], 0.11),
                "line": {"width": 0},
                "layer": "below",
            }
        )
    return found


def _faded(colour: str, opacity: float) -> str:
    red, green, blue = (int(colour[i : i + 2], 16) for i in (1, 3, 5))
    return f"rgba({red},{green},{blue},{opacity})"


def _range(panel: Panel) -> list[float] | None:
    """Fit the values, and the limits that are near them: a far-off limit must not flatten the line."""
    parts = [s.value for s in (*panel.series, *panel.repeats)]
    parts += [a for s in panel.series for a in (s.low, s.high) if a is not None]
    if panel.scores is not None:
        parts += [panel.scores.lower, panel.scores.upper]
    values = np.concatenate(parts) if parts else np.array([])
    values = values[~np.isnan(values)]
    if not len(values):
        return None
    low, high = float(values.min()), float(values.max())
    reach = max(high - low, 10.0 ** (1 - panel.decimals) / 2)
    for limit in panel.limits:
        # the score's own thresholds are few and low, so they are always shown
        if panel.scores is not None or low - reach <= limit.value <= high + reach:
            low, high = min(low, limit.value), max(high, limit.value)
    pad = 0.08 * max(high - low, reach)
    return [low - pad, high + pad]


def _title(row: int, panel: Panel, theme: Theme) -> Part:
    return {
        "text": panel.title,
        "xref": "paper",
        "yref": f"{_axis('y', row)} domain",
        "x": 0,
        "y": 1,
        "xanchor": "left",
        "yanchor": "bottom",
        "yshift": 4,
        "xshift": -40,
        "showarrow": False,
        "font": {"color": theme.text, "size": 13},
    }


def _limit_names(row: int, panel: Panel, theme: Theme) -> list[Part]:
    shown = _range(panel)
    if not panel.names_limits or shown is None:
        return []
    return [
        {
            "text": f"{limit.label} {limit.value:g}",
            "xref": f"{_axis('x', row)} domain",
            "yref": _axis("y", row),
            "x": 0.004,
            "y": limit.value,
            "xanchor": "left",
            "yanchor": "bottom",
            "showarrow": False,
            "font": {"color": theme.severity[limit.severity], "size": 10.5},
        }
        for limit in panel.limits
        if shown[0] <= limit.value <= shown[1]
    ]


def _axes(row: int, panels: int, panel: Panel, span: Span, theme: Theme) -> Part:
    start, end = _x(np.array([span.since, span.until], dtype=np.int64), span)
    font = {"color": theme.muted, "size": 11}
    last = row == panels
    x = {
        "anchor": _axis("y", row),
        "type": "date",
        "range": [start, end],
        "gridcolor": theme.grid,
        "tickfont": font,
        "showticklabels": last,
        "showspikes": True,
        "spikemode": "across",
        "spikethickness": 1,
        "spikedash": "dot",
        "spikecolor": theme.muted,
        "hoverformat": "%a %-d %b %H:%M",
        "tickformatstops": _TICK_FORMATS,
        "nticks": 7,
        "fixedrange": True,
    }
    if not last:
        x["matches"] = _axis("x", panels)
    # each panel's title stands in the gap above it
    gap = _TITLE_PX / (PANEL_HEIGHT_PX * panels)
    height = (1 - gap * (panels - 1)) / panels
    top = 1 - (row - 1) * (height + gap)
    y = {
        "anchor": _axis("x", row),
        "domain": [max(0.0, top - height), top],
        "range": _range(panel),
        "nticks": 4,
        "gridcolor": theme.grid,
        "zeroline": False,
        "tickfont": font,
        "fixedrange": True,
    }
    suffix = "" if row == 1 else str(row)
    return {f"xaxis{suffix}": x, f"yaxis{suffix}": y}


def _layout(panels: int, span: Span, theme: Theme) -> Part:
    return {
        "height": _MARGIN_PX["t"] + _MARGIN_PX["b"] + PANEL_HEIGHT_PX * max(1, panels),
        "margin": _MARGIN_PX,
        "paper_bgcolor": "rgba(0,0,0,0)",
        "plot_bgcolor": "rgba(0,0,0,0)",
        "font": {"family": "Inter Variable, system-ui, sans-serif", "color": theme.text, "size": 12},
        "hovermode": "x",
        "hoversubplots": "axis",
        "hoverlabel": {
            "bgcolor": theme.surface,
            "bordercolor": theme.grid,
            "font": {"color": theme.text, "size": 12},
        },
        "dragmode": False,
        "showlegend": False,
        "uirevision": span.zone,
        "shapes": [],
        "annotations": [],
    }


_TICK_FORMATS = [
    {"dtickrange": [None, 3_600_000], "value": "%H:%M"},
    {"dtickrange": [3_600_000, 43_200_000], "value": "%H:%M\n%a %-d %b"},
    {"dtickrange": [43_200_000, None], "value": "%a %-d %b"},
]

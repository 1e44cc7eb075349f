"""What frames each panel: its axes, its title, its limits, and the episodes behind it?"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from dashboard.figure_parts import Panel, Part, Shade, Span, Theme, faded
from dashboard.figure_times import of_each_day, x
from dashboard.standing import LimitLine
from schemas.episode import Severity

PANEL_HEIGHT_PX = 158
_TITLE_PX = 42
_MARGIN_PX = {"l": 46, "r": 14, "t": 30, "b": 34}


def axis(letter: str, row: int) -> str:
    """The name of an axis of a panel, as plotly counts them."""
    return letter if row == 1 else f"{letter}{row}"


def limits(row: int, panel: Panel, span: Span, theme: Theme) -> list[Part]:
    """The alarm limits of a panel, as dashed lines; one that is in force by night alone, or by day, where it is."""
    return [
        {
            "type": "line",
            "x0": start,
            "x1": end,
            "y0": limit.value,
            "y1": limit.value,
            "xref": axis("x", row),
            "yref": axis("y", row),
            "line": {"color": theme.severity[limit.severity], "width": 1.2, "dash": "dash"},
            "layer": "between",
        }
        for limit in panel.limits
        for start, end in of_each_day(limit.hours, span)
    ]


def episodes(row: int, shades: Sequence[Shade], span: Span, theme: Theme) -> list[Part]:
    """What lies behind a panel: episodes, silences, pauses."""
    found = []
    for shade in shades:
        start, end = max(shade.since, span.since), min(shade.until, span.until)
        if start >= end or (shade.severity is Severity.NONE and shade.kind == "episode"):
            continue
        fill = {"gap": faded(theme.muted, 0.16), "pause": faded(theme.lines[1], 0.16)}.get(
            shade.kind, faded(theme.severity.get(shade.severity, theme.muted), 0.11)
        )
        left, right = x(np.array([start, end], dtype=np.int64), span)
        found.append(
            {
                "type": "rect",
                "x0": left,
                "x1": right,
                "y0": 0,
                "y1": 1,
                "xref": axis("x", row),
                "yref": f"{axis('y', row)} domain",
                "fillcolor": fill,
                "line": {"width": 0},
                "layer": "below",
            }
        )
    return found


def value_range(panel: Panel) -> list[float] | None:
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
    lacking = max(0.0, panel.least_span - (high - low)) / 2
    low, high = low - lacking, high + lacking
    pad = 0.08 * max(high - low, reach)
    return [low - pad, high + pad]


def title(row: int, panel: Panel, theme: Theme) -> Part:
    """The name of a panel, in the gap above it."""
    return {
        "text": panel.title,
        "xref": "paper",
        "yref": f"{axis('y', row)} domain",
        "x": 0,
        "y": 1,
        "xanchor": "left",
        "yanchor": "bottom",
        "yshift": 4,
        "xshift": -40,
        "showarrow": False,
        "font": {"color": theme.text, "size": 13},
    }


def limit_names(row: int, panel: Panel, theme: Theme) -> list[Part]:
    """What each limit belongs to, where a panel has two lines; and when it is in force, where that is not always."""
    shown = value_range(panel)
    if shown is None:
        return []
    return [
        {
            "text": _limit_name(limit, panel),
            "xref": f"{axis('x', row)} domain",
            "yref": axis("y", row),
            "x": 0.004,
            "y": limit.value,
            "xanchor": "left",
            "yanchor": "bottom",
            "showarrow": False,
            "font": {"color": theme.severity[limit.severity], "size": 10.5},
        }
        for limit in panel.limits
        if (panel.names_limits or limit.hours) and shown[0] <= limit.value <= shown[1]
    ]


def _limit_name(limit: LimitLine, panel: Panel) -> str:
    name = f"{limit.label} {limit.value:g}" if panel.names_limits else f"{limit.value:g}"
    if limit.hours is None:
        return name
    begins, ends = (f"{minute // 60:02}:{minute % 60:02}" for minute in limit.hours)
    return f"{name}, {begins}–{ends}"


def axes(row: int, panels: int, panel: Panel, span: Span, theme: Theme) -> Part:
    """The two axes of a panel; all share the time axis of the last one."""
    start, end = x(np.array([span.since, span.until], dtype=np.int64), span)
    font = {"color": theme.muted, "size": 11}
    last = row == panels
    time = {
        "anchor": axis("y", row),
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
    }
    if not last:
        time["matches"] = axis("x", panels)
    # each panel's title stands in the gap above it
    gap = _TITLE_PX / (PANEL_HEIGHT_PX * panels)
    height = (1 - gap * (panels - 1)) / panels
    top = 1 - (row - 1) * (height + gap)
    value = {
        "anchor": axis("x", row),
        "domain": [max(0.0, top - height), top],
        "range": value_range(panel),
        "nticks": 4,
        "gridcolor": theme.grid,
        "zeroline": False,
        "tickfont": font,
        "fixedrange": True,
    }
    suffix = "" if row == 1 else str(row)
    return {f"xaxis{suffix}": time, f"yaxis{suffix}": value}


def layout(panels: int, span: Span, theme: Theme) -> Part:
    """What the whole stack has in common."""
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
        "dragmode": "zoom",
        "showlegend": False,
        # each stretch is drawn as it was asked for; a zoom asks the server for its own
        "uirevision": f"{span.since}-{span.until}",
        "shapes": [],
        "annotations": [],
    }


_TICK_FORMATS = [
    {"dtickrange": [None, 3_600_000], "value": "%H:%M"},
    {"dtickrange": [3_600_000, 43_200_000], "value": "%H:%M\n%a %-d %b"},
    {"dtickrange": [43_200_000, None], "value": "%a %-d %b"},
]

"""How is each series drawn: as a line, a shaded range, bars for incomplete scores, and marks for what people did?"""

from __future__ import annotations

from collections.abc import Sequence
from html import escape

import numpy as np
from numpy.typing import NDArray

from dashboard.figure_parts import Mark, Panel, Part, Scores, Series, Span, Theme, Times, Values, Words, faded
from dashboard.figure_times import broken, x, y


def line(series: Series, panel: Panel, span: Span, theme: Theme) -> list[Part]:
    """A vital sign: points joined by a line, or the middle of a shaded range."""
    series = broken(series)
    colour, at = theme.lines[series.colour % len(theme.lines)], x(series.at, span)
    sparse = series.low is None
    middle = {
        "type": "scatter",
        "x": at,
        "y": y(series.value),
        "name": series.name,
        "mode": "lines+markers" if sparse else "lines",
        "line": {"color": colour, "width": 1.8},
        "marker": {"size": _marker_sizes(series.at, span), "color": colour, "line": {"width": 0}},
        "hovertemplate": f"%{{y:.{panel.decimals}f}} {series.unit}<extra>{series.name}</extra>",
    }
    if series.low is None or series.high is None:
        return [middle]
    edge = {"type": "scatter", "x": at, "line": {"width": 0}, "hoverinfo": "skip", "mode": "lines"}
    shaded = {"fill": "tonexty", "fillcolor": faded(colour, 0.2)}
    return [edge | {"y": y(series.low)}, edge | {"y": y(series.high)} | shaded, middle]


def _marker_sizes(at: Times, span: Span) -> list[int]:
    """A point of its own where it has room; in a crowd the line alone."""
    room = (span.until - span.since) / _MARKERS_ACROSS
    steps = np.diff(at, prepend=at[:1] - span.until, append=at[-1:] + span.until)
    return [5 if alone else 0 for alone in np.maximum(steps[:-1], steps[1:]) > room] if len(at) else []


_MARKERS_ACROSS = 150
"""This many points have room beside each other in a panel."""


def repeats(series: Series, span: Span, theme: Theme, words: Words) -> Part:
    """What is suspected to repeat an earlier value: open circles, apart from the line."""
    return {
        "type": "scatter",
        "x": x(series.at, span),
        "y": y(series.value),
        "name": words.repeat,
        "mode": "markers",
        "marker": {"symbol": "circle-open", "size": 9, "color": theme.muted, "line": {"width": 2}},
        "hovertemplate": f"%{{y}} {series.unit}<extra>{series.name}: {words.repeat.lower()}</extra>",
    }


def scores(found_scores: Scores, span: Span, theme: Theme, words: Words) -> list[Part]:
    """NEWS2: a line through complete sets, a bar for each incomplete one."""
    scores = found_scores
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
        "x": x(scores.at, span),
        "y": y(np.where(complete, scores.lower, np.nan)),
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
        "x": x(np.repeat(at, 3), span),
        "y": y(bars),
        "name": words.incomplete,
        "mode": "lines",
        "line": {"color": faded(theme.lines[4], 0.45), "width": 5},
        "hoverinfo": "skip",
    }
    end = {
        "type": "scatter",
        "x": x(at, span),
        "y": y(lower),
        "customdata": y(upper),
        "mode": "markers",
        "marker": {"symbol": "circle-open", "size": 6, "color": theme.lines[4], "line": {"width": 1.5}},
        "hovertemplate": f"%{{y:.0f}}–%{{customdata:.0f}}<extra>{words.incomplete}</extra>",
    }
    return [bar, end]


def marks(found: Sequence[Mark], top: float, span: Span, theme: Theme) -> Part:
    """What people did: small marks at the top of the first panel, with words for whoever points at them."""
    return {
        "type": "scatter",
        "x": x(np.array([m.at for m in found], dtype=np.int64), span),
        "y": [top] * len(found),
        "mode": "markers",
        "cliponaxis": False,
        "marker": {"symbol": "triangle-down", "size": 9, "color": theme.text},
        "text": [escape(m.words, quote=False) for m in found],
        "hovertemplate": "%{text}<extra></extra>",
    }

"""How are a patient's vital signs drawn over time? Arrays in, a plotly figure out: pure, so tested without a browser.

The figure is the plain mapping that plotly.js reads. Building it through plotly's classes checks every property and
takes a quarter of a second, which on the server's event loop everybody would wait for; the tests do that check instead.

All panels share one time axis, in the site's zone. A dense vital sign is a middle line in a shaded range; sparse ones
are points joined by a line. A line never bridges a gap, and an incomplete NEWS2 is drawn as the range in which it lies.
"""

from __future__ import annotations

from collections.abc import Sequence

from dashboard import figure_axes, figure_traces
from dashboard.figure_parts import THEMES, Mark, Panel, Part, Shade, Span, Words


def vital_signs(
    panels: Sequence[Panel], span: Span, shades: Sequence[Shade], scheme: str, words: Words, marks: Sequence[Mark] = ()
) -> Part:
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
    marks : sequence of Mark
        What people did, above the first panel.

    Returns
    -------
    dict
        ``data`` and ``layout`` of a plotly figure.
    """
    theme = THEMES[scheme]
    traces: list[Part] = []
    frame = figure_axes.layout(len(panels), span, theme)
    for row, panel in enumerate(panels, start=1):
        drawn = [figure_traces.line(s, panel, span, theme) for s in panel.series]
        drawn.append([figure_traces.repeats(s, span, theme, words) for s in panel.repeats])
        if panel.scores is not None:
            drawn.append(figure_traces.scores(panel.scores, span, theme, words))
        place = {"xaxis": figure_axes.axis("x", row), "yaxis": figure_axes.axis("y", row)}
        traces += [trace | place for part in drawn for trace in part]
        frame["shapes"] += figure_axes.episodes(row, shades, span, theme) + figure_axes.limits(row, panel, span, theme)
        frame["annotations"] += [figure_axes.title(row, panel, theme), *figure_axes.limit_names(row, panel, theme)]
        frame |= figure_axes.axes(row, len(panels), panel, span, theme)
    inside = [m for m in marks if span.since <= m.at <= span.until]
    top = figure_axes.value_range(panels[0]) if panels else None
    if inside and top is not None:
        traces.append(figure_traces.marks(inside, top[1], span, theme) | {"xaxis": "x", "yaxis": "y"})
    return {"data": traces, "layout": frame}

"""How is it shown who was told of an alert, and that a tier reaches nobody? Plain values in, components out."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from dash import html

from dashboard.shell import icon
from dashboard.text import told as words
from dashboard.told import Line, Telling
from dashboard.wording import clock


def warnings(lines: Sequence[str], live: bool = False) -> Any:
    """Amber lines: nobody is told, or some are not."""
    if not lines:
        return None
    return html.Ul(
        [html.Li([icon("level-2"), html.Span(line)]) for line in lines],
        className="untold",
        **({"role": "status"} if live else {}),
    )


def block(telling: Telling, zone: str, now: datetime) -> Any:
    """Who was told of one alert, and who is next."""
    more = html.Li(words.EARLIER.format(count=telling.earlier), className="muted") if telling.earlier else None
    listed = [more, *(_line(line, zone, now) for line in telling.lines)]
    return html.Div(
        [
            html.P(telling.others, className="muted told-others") if telling.others else None,
            html.P(telling.course, className="told-course numeric") if telling.course else None,
            html.Ul(listed, className="told-lines", **{"aria-label": words.TOLD}) if telling.lines else None,
            html.P(telling.next, className="muted numeric") if telling.next else None,
            warnings(telling.warnings),
        ],
        className="told",
    )


def section(telling: Telling, zone: str, now: datetime) -> Any:
    """The same under a heading of its own."""
    return html.Section([html.H2(words.TOLD), block(telling, zone, now)], className="card section")


def _line(line: Line, zone: str, now: datetime) -> Any:
    mark = {True: "check", False: "level-2", None: "clock"}[line.is_through]
    kind = {True: "told-through", False: "told-not", None: ""}[line.is_through]
    return html.Li(
        [icon(mark), html.Span([html.Span(clock(line.at, zone, now), className="numeric"), f" {line.words}"])],
        className=kind,
    )

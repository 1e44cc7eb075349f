"""What do the pages about messages have in common: the way between them, an outcome, a window of the week in words?"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import dash_mantine_components as dmc
from dash import dcc, html

from alerts.hours import DAYS, Window
from dashboard import text
from dashboard.text import messages as words
from dashboard.text import told

DAY_LABELS = [{"value": day, "label": words.DAYS[day][:3]} for day in DAYS]


def page(path: str, lead: str, *content: Any) -> Any:
    """The frame of one of the four pages."""
    title = dict(words.PARTS)[path]
    links = [
        dcc.Link(name, href=href, className="m-part", **({"aria-current": "page"} if href == path else {}))
        if href != path
        else html.Span(name, className="m-part m-part-here", **{"aria-current": "page"})
        for href, name in words.PARTS
    ]
    head = html.Div(html.Div([html.H1(f"{words.MESSAGES}: {title}"), html.P(lead)]), className="page-head")
    parts = html.Nav(links, className="m-parts", **{"aria-label": words.PARTS_LABEL})
    return html.Div([head, parts, *content], className="page m-page", id="main", tabIndex="-1")


def loading(name: str) -> Any:
    """What stands where something is read."""
    return html.Div(html.Div(text.LOADING, className="loading-note"), id=name)


def outcome(row: Mapping[str, Any]) -> Any:
    """What became of a message, in words and colour, and no more than is known."""
    name, kind = words.STATES[row["status"]]
    if row["status"] == "waiting" and row["attempts"]:
        name, kind = words.NOT_REACHED
    why, attempts = row["outcome"], row["attempts"]
    more = [told.THROUGH[row["kind"]]] if row["status"] == "delivered" else []
    more += [why] if why else []
    more += [words.ATTEMPTS.format(count=attempts)] if attempts > 1 else []
    return html.Div(
        [
            html.Span(name, className="state" + (f" state-{kind}" if kind else "")),
            html.Div("; ".join(more), className="muted") if more else None,
        ]
    )


def table(columns: Sequence[str], rows: Sequence[Any]) -> Any:
    """A table with its headings."""
    head = html.Thead(html.Tr([html.Th(name, scope="col") if name else html.Td() for name in columns]))
    return html.Table([head, html.Tbody(list(rows))], className="list")


def said(message: str, *, good: bool) -> Any:
    """What came of pressing a button."""
    return html.Div(message, className=f"m-said m-said-{'good' if good else 'bad'}", role="status" if good else "alert")


def hours_in_words(window: Window) -> str:
    """Write a window: ``Mon, Tue 08:00–20:00``."""
    clock = "" if window.start == window.end == "00:00" else f"{window.start}–{window.end}"
    if len(window.days) == len(DAYS):
        return clock or words.ALWAYS
    days = ", ".join(words.DAYS[day][:3] for day in DAYS if day in window.days)
    return f"{days} {clock}".strip()


def box(name: Any, label: str, value: str = "", hint: str = "", **more: Any) -> Any:
    """A labelled box for a line of text."""
    return dmc.TextInput(id=name, label=label, value=value, description=hint or None, size="sm", **more)


def choice(name: Any, label: str, options: dict[str, str], value: str | None, **more: Any) -> Any:
    """A labelled choice of one."""
    listed = [{"value": key, "label": shown} for key, shown in options.items()]
    return dmc.Select(id=name, label=label, data=listed, value=value, allowDeselect=False, size="sm", **more)


def several(name: Any, label: str, options: list[dict[str, str]], value: list[str]) -> Any:
    """A labelled choice of several."""
    return dmc.MultiSelect(id=name, label=label, data=options, value=value, size="sm", searchable=True)


def button(name: Any, label: str, *, quiet: bool = False, **more: Any) -> Any:
    """A button."""
    return html.Button(
        label, id=name, type="button", n_clicks=0, className="button m-quiet" if quiet else "button", **more
    )

"""How are the forms of the pages made: labelled boxes, and what is said beneath them?"""

from __future__ import annotations

import re
from calendar import month_name
from collections.abc import Sequence
from datetime import date, datetime
from typing import Any

import dash_mantine_components as dmc
from dash import dcc, html

_PARTS_OF_A_DATE = 3
_MONTHS = {name.lower()[:3]: number for number, name in enumerate(month_name) if name}
# the whole name or its beginning, as the screens write it
_MONTH = re.compile(r"\b(" + "|".join(_MONTHS) + r")[a-z]*\b", re.IGNORECASE)

_TIME = re.compile(r"(.+?),?\s+(\d\d?):(\d\d)")


def box(name: str, label: str, hint: str = "", value: str = "", **more: Any) -> Any:
    """A box for a line of text."""
    return dmc.TextInput(id=name, label=label, description=hint or None, value=value, size="md", **more)


def secret(name: str, label: str, complete: str, hint: str = "") -> Any:
    """A box for a password."""
    return dmc.PasswordInput(
        id=name, label=label, description=hint or None, value="", size="md", autoComplete=complete,
        visibilityToggleButtonProps={"aria-label": f"{label}: show or hide"},
    )  # fmt: skip


def lines(name: str, label: str, hint: str = "", value: str = "", **more: Any) -> Any:
    """A box for several lines."""
    return dmc.Textarea(
        id=name, label=label, description=hint or None, value=value, autosize=True, minRows=2, size="md", **more
    )


def note_box(name: Any, label: str, longest: int, **more: Any) -> Any:
    """A box for a note on a page that changes under it.

    This kind hands on each key as it is pressed; one that waits for a moment, however short, would lose what was typed
    before something that comes within it, or leave it with whoever then stands in its place.
    """
    box = dcc.Textarea(id=name, value="", rows=2, maxLength=str(longest), **more)
    return html.Label([label, box], className="note-box")


def choice(
    name: str, label: str, options: Sequence[tuple[str, str]], value: str = "", hint: str = "", **more: Any
) -> Any:
    """One of several; the first may stand for none."""
    return dmc.Select(
        id=name,
        label=label,
        description=hint or None,
        data=[{"value": key, "label": words} for key, words in options],
        value=value,
        allowDeselect=False,
        size="md",
        comboboxProps={"shadow": "md"},
        **more,
    )


def button(name: Any, words: str, *, quiet: bool = False) -> Any:
    """A button: the act of a form, or a quiet one beside it."""
    return html.Button(
        words, id=name, className="button button-quiet" if quiet else "button", type="button", n_clicks=0
    )


def said(name: str) -> Any:
    """Where the outcome of an act is announced."""
    return html.Div(id=name, className="said", role="status")


def good(*words: Any) -> Any:
    """An outcome as it was wanted."""
    return html.Div(list(words), className="outcome outcome-good")


def bad(words: str) -> Any:
    """An outcome that needs another try; nothing was changed."""
    return html.Div(words, className="outcome outcome-bad", role="alert")


def table(columns: Sequence[str], rows: Sequence[Any]) -> Any:
    """A plain table; a column without a name has its buttons."""
    head = [html.Th(name, scope="col") if name else html.Td() for name in columns]
    return html.Table([html.Thead(html.Tr(head)), html.Tbody(list(rows))], className="list")


def read_date(text: str) -> date | None:
    """Read a day as people type it, day first: ``6 May 1940``, ``06/05/1940``, ``06051940``, or ``1940-05-06``."""
    numbered = _MONTH.sub(lambda found: f" {_MONTHS[found[1].lower()]} ", text)
    parts = "".join(c if c.isdigit() and c.isascii() else " " for c in numbered).split()
    if len(parts) == 1 and len(parts[0]) == len("06051940"):
        parts = [parts[0][:2], parts[0][2:4], parts[0][4:]]
    if len(parts) != _PARTS_OF_A_DATE:
        return None
    if len(parts[0]) == len("1940"):
        parts.reverse()
    day, month, year = (int(part) for part in parts)
    try:
        return date(year, month, day) if len(parts[2]) == len("1940") else None
    except ValueError:
        return None


def read_time(text: str) -> datetime | None:
    """Read a day with a time, ``6 May 2026 20:00`` or ``2026-05-06 20:00``; with a zone only where one is given."""
    found = _TIME.fullmatch(text.strip())
    day = read_date(found[1]) if found else None
    if found is not None and day is not None:
        hour, minute = int(found[2]), int(found[3])
        return datetime(day.year, day.month, day.day, hour, minute) if hour < 24 and minute < 60 else None  # noqa: DTZ001
    try:
        return datetime.fromisoformat(text.strip())
    except ValueError:
        return None

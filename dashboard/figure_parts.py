"""What is a figure made of: series, scores, panels, what lies behind them, and the colours?"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dashboard.standing import LimitLine
from schemas.episode import Severity

Part = dict[str, Any]
Times = NDArray[np.int64]
Values = NDArray[np.float64]


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
    least_span: float = 0.0
    """The values that the axis spans at least, whatever was observed."""
    names_limits: bool = False
    """Whether each limit says what it belongs to: needed where a panel has two lines."""


@dataclass(frozen=True)
class Shade:
    """What lies behind the charts [µs since 1970 UTC]: an ``episode``, a ``gap`` in what a device sent, a ``pause``."""

    since: int
    until: int
    severity: Severity
    kind: str = "episode"


@dataclass(frozen=True)
class Mark:
    """Something that somebody did or wrote [µs since 1970 UTC]."""

    at: int
    words: str


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


def faded(colour: str, opacity: float) -> str:
    """Give a colour that lets what is behind it through."""
    red, green, blue = (int(colour[i : i + 2], 16) for i in (1, 3, 5))
    return f"rgba({red},{green},{blue},{opacity})"

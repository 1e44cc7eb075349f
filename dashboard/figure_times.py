"""Where does a line have gaps, and what did the clock on the wall show? Instants in, what plotly draws out."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import numpy as np
from numpy.typing import NDArray

from dashboard.figure_parts import Series, Span, Times, Values

GAPS_OF_USUAL = 3.5
"""A step of this many usual steps is a gap."""
AROUND = 7
"""Steps on either side that say what is usual there."""

DAYS_APART = np.timedelta64(31, "D")
"""On a longer axis a night is too narrow to be seen."""
_DAY = np.timedelta64(1440, "m")


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
        for i in np.flatnonzero(steps > GAPS_OF_USUAL * np.median(steps))
        if steps[i] > GAPS_OF_USUAL * max(_usual(steps[max(0, i - AROUND) : i]), _usual(steps[i + 1 : i + 1 + AROUND]))
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


def x(at: Times, span: Span) -> list[str]:
    """Write instants as positions on the time axis."""
    return [str(t) for t in np.datetime_as_string(local_times(at, span.zone), unit="s")]


def of_each_day(hours: tuple[int, int] | None, span: Span) -> list[tuple[str, str]]:
    """Give the stretches of the time axis that lie in these minutes of the local day; the whole axis where none are
    given, or where it is so long that days cannot be told apart on it.
    """
    start, end = local_times(np.array([span.since, span.until], dtype=np.int64), span.zone)
    found = [(start, end)]
    if hours is not None and end - start <= DAYS_APART:
        begins, ends = (np.timedelta64(minute, "m") for minute in hours)
        lasts = (ends - begins) % _DAY
        days = np.arange(start.astype("datetime64[D]") - 1, end.astype("datetime64[D]") + 1)
        found = [(max(start, day + begins), min(end, day + begins + lasts)) for day in days]
    return [(str(a.astype("datetime64[s]")), str(b.astype("datetime64[s]"))) for a, b in found if a < b]


def y(values: Values) -> list[float | None]:
    """Write values as positions; what is missing breaks the line."""
    return [None if np.isnan(v) else round(float(v), 2) for v in values]

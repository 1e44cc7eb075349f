"""What time of day is it where a patient lives, at any instant, on either side of a change of the clocks?

Time zones come in as a table of offsets, so that the core stays a function of its arguments. `Zones.of` makes the table
from the time-zone database once; looking up is a comparison with the instants at which the offset changes.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from zoneinfo import ZoneInfo

import numpy as np
from numpy.typing import NDArray

MINUTE = 60_000_000
DAY = 1440 * MINUTE
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_FIRST, _LAST = datetime(2000, 1, 1, tzinfo=UTC), datetime(2060, 1, 1, tzinfo=UTC)
_LOOK = timedelta(days=7)
"""Offsets are compared so far apart: two changes within a week would be missed, and nowhere are there such."""
_LONG_AGO, _NEVER = np.iinfo(np.int64).min, np.iinfo(np.int64).max


@dataclass(frozen=True)
class Zones:
    """Z time zones.

    Attributes
    ----------
    names : tuple of str
    begins : int64 array, shape (Z, K)
        From when on each offset holds [µs since 1970 UTC], ascending; the first from ever, those behind the last never.
    offset : int64 array, shape (Z, K)
        Local time less UTC [µs].
    """

    names: tuple[str, ...]
    begins: NDArray[np.int64]
    offset: NDArray[np.int64]

    @classmethod
    def of(cls, names: Sequence[str]) -> Zones:
        """Make the table; raises ``zoneinfo.ZoneInfoNotFoundError`` for a name that is no zone."""
        changes = [_changes(name) for name in names]
        size = max(map(len, changes), default=0)
        begins, offset = np.full((len(names), size), _NEVER), np.zeros((len(names), size), np.int64)
        for z, theirs in enumerate(changes):
            begins[z, : len(theirs)], offset[z, : len(theirs)] = zip(*theirs, strict=True)
        return cls(tuple(names), begins, offset)

    def minute_of_day(self, zone: NDArray[np.integer], at: NDArray[np.int64]) -> NDArray[np.int64]:
        """Give the local minute of the day, 0 to 1439, of instants (n,) in zones (n,)."""
        place = (self.begins[zone] <= at[:, None]).sum(axis=1) - 1
        minutes: NDArray[np.int64] = (at + self.offset[zone, place]) % DAY // MINUTE
        return minutes


@lru_cache(maxsize=64)
def _changes(name: str) -> tuple[tuple[int, int], ...]:
    """Give from when on which offset holds, to the microsecond, in the order of time."""
    zone = ZoneInfo(name)
    found = [(_LONG_AGO, _offset(zone, _FIRST))]
    at = _FIRST
    while at < _LAST:
        after = at + _LOOK
        if _offset(zone, after) != found[-1][1]:
            low, high = at, after
            while high - low > timedelta(seconds=1):
                middle = low + (high - low) / 2
                low, high = (middle, high) if _offset(zone, middle) == found[-1][1] else (low, middle)
            begins = high.replace(microsecond=0)
            found.append(((begins - _EPOCH) // timedelta(microseconds=1), _offset(zone, begins)))
        at = after
    return tuple(found)


def _offset(zone: ZoneInfo, at: datetime) -> int:
    return (at.astimezone(zone).utcoffset() or timedelta()) // timedelta(microseconds=1)


UTC_ONLY = Zones(("UTC",), np.full((1, 1), _LONG_AGO), np.zeros((1, 1), np.int64))

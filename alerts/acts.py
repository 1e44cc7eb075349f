"""What have people done that the scoring has to know: who was paused when, and which latched episodes were reset?

An act is an instant of the patient's course, like an observation: it is stored, and given to the core with every call,
so that the same course comes out the same whenever it is scored.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

NEVER = np.iinfo(np.int64).max

PAUSE = np.dtype([("row", "<i8"), ("since", "<i8"), ("until", "<i8")])
"""A span, without its end, in which what falls due for a patient does not."""
RESET = np.dtype([("row", "<i8"), ("rule", "<u4"), ("at", "<i8")])
"""A person lets go of what a latching rule holds."""


@dataclass(frozen=True)
class Acts:
    """The acts that concern the patients of a call; ``row`` is the patient's position in it.

    Attributes
    ----------
    pauses : array of PAUSE
        Of one patient in the order of time, and apart from each other.
    resets : array of RESET
        Of one patient in the order of time.
    """

    pauses: NDArray[np.void]
    resets: NDArray[np.void]

    @classmethod
    def of(cls, pauses: Iterable[tuple[int, int, int]], resets: Iterable[tuple[int, int, int]] = ()) -> Acts:
        """Build from (row, since, until) and (row, rule, at) in any order; pauses that touch become one."""
        joined: list[list[int]] = []
        for row, since, until in sorted(pauses):
            if joined and joined[-1][0] == row and since <= joined[-1][2]:
                joined[-1][2] = max(joined[-1][2], until)
            elif since < until:
                joined.append([row, since, until])
        in_order = sorted(resets, key=lambda reset: (reset[0], reset[2], reset[1]))
        return cls(np.array([tuple(p) for p in joined], PAUSE), np.array(in_order, RESET))

    def paused_after(self, now: int) -> NDArray[np.int64]:
        """Give the rows of those whose pause ends after an instant: one that begins at it, too."""
        rows: NDArray[np.int64] = self.pauses["row"][self.pauses["until"] > now]
        return rows

    def of_rows(self, rows: NDArray[np.intp], size: int) -> Acts:
        """Give the acts of some of ``size`` patients, by their position among ``rows``."""
        if not len(self.pauses) and not len(self.resets):
            return self
        place = np.full(size, -1, np.int64)
        place[rows] = np.arange(len(rows))
        return Acts(_moved(self.pauses, place), _moved(self.resets, place))

    def pauses_by_patient(self, size: int) -> tuple[NDArray[np.int64], NDArray[np.int64]] | None:
        """Give the pauses as two arrays (P, K), `NEVER` where there are fewer; None where there are none at all."""
        if not len(self.pauses):
            return None
        return _padded(self.pauses, "since", size), _padded(self.pauses, "until", size)

    def resets_by_patient(self, size: int) -> tuple[NDArray[np.int64], NDArray[np.int64]] | None:
        """Give instants and rules of the resets as two arrays (P, K), in the same way."""
        if not len(self.resets):
            return None
        return _padded(self.resets, "at", size), _padded(self.resets, "rule", size)


NO_ACTS = Acts(np.zeros(0, PAUSE), np.zeros(0, RESET))


def _moved(acts: NDArray[np.void], place: NDArray[np.int64]) -> NDArray[np.void]:
    found = acts[place[acts["row"]] >= 0].copy()
    found["row"] = place[found["row"]]
    ordered: NDArray[np.void] = found[np.argsort(found["row"], kind="stable")]
    return ordered


def _padded(acts: NDArray[np.void], name: str, size: int) -> NDArray[np.int64]:
    """Spread one field over patients: the k-th act of each in column k."""
    row = acts["row"]
    count = np.bincount(row, minlength=size)
    out = np.full((size, int(count.max())), NEVER)
    out[row, np.arange(len(row)) - (np.cumsum(count) - count)[row]] = acts[name]
    return out

"""What does a process say of its work? Numbers that only grow, and a few that say how it is now.

They are kept in ``service_instance.counters``; whoever serves ``/metrics`` adds up those of all processes. The writing
thread counts; another one reads a copy about once a second.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ingest.writer import Outcome
from schemas.episode import Severity

LATENESS_S = (1, 5, 30, 60, 300, 3_600, 21_600, 86_400, 604_800)
"""Upper edges of the histogram of lateness; the last bucket has none."""
COMMIT_S = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 5.0)
"""Upper edges of the histogram of a micro-batch's time from taking it to its commit."""


class Counters:
    """The numbers of one process."""

    def __init__(self) -> None:
        self._total: Counter[str] = Counter()
        self._quarantined: Counter[str] = Counter()
        self._activated: Counter[str] = Counter()
        self._lateness = np.zeros(len(LATENESS_S) + 1, np.int64)
        self._commit = np.zeros(len(COMMIT_S) + 1, np.int64)
        self._now: dict[str, Any] = {}

    def count_batch(self, outcome: Outcome, lateness: NDArray[np.int64], seconds: float) -> None:
        """Count a committed micro-batch; ``lateness`` of its observations in microseconds."""
        self._total["messages"] += len(outcome.stored)
        self._total["batches"] += 1
        self._total["observations_stored"] += int(outcome.stored.sum())
        self._total["observations_duplicate"] += int(outcome.duplicate.sum())
        self._total["observations_quarantined"] += int(outcome.quarantined.sum())
        self._total["observations_too_late"] += outcome.too_late
        self._quarantined.update(outcome.quarantined_by_reason)
        self._commit[np.searchsorted(COMMIT_S, seconds)] += 1
        self._total["commit_ms"] += round(seconds * 1000)
        place = np.searchsorted(np.array(LATENESS_S) * 1_000_000, lateness)
        self._lateness += np.bincount(place, minlength=len(self._lateness))
        self.count_activated(outcome.activated)

    def count_activated(self, severities: list[int]) -> None:
        """Count episodes that became active."""
        self._activated.update(Severity(severity).word for severity in severities)

    def count(self, name: str, amount: int = 1) -> None:
        """Count something else, such as patients the clock looked at, or retries."""
        self._total[name] += amount

    def set(self, **values: Any) -> None:
        """Say how something is now, such as the queue's length."""
        self._now |= values

    def snapshot(self) -> dict[str, Any]:
        """Give everything as JSON can hold it."""
        return {
            **self._total,
            **self._now,
            "quarantined": dict(self._quarantined),
            "episodes_activated": dict(self._activated),
            "lateness_up_to_s": _by_edge(LATENESS_S, self._lateness),
            "commit_up_to_s": _by_edge(COMMIT_S, self._commit),
        }


def _by_edge(edges: Sequence[float], counts: NDArray[np.int64]) -> dict[str, int]:
    """Give how many fell between each edge and the one before it."""
    names = [*(f"{edge:g}" for edge in edges), "more"]
    return dict(zip(names, counts.tolist(), strict=True))

"""What becomes of a latched episode when a person resets it?

A latching rule holds its episode at the severity that it has reached, until somebody has looked. A reset lets go of
what is held: the episode then stands as its condition does, and where that is over it resolves. So nobody resets a
condition that is still there: it keeps its episode.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from alerts import episodes
from alerts.state import ACTIVE, IDLE, LEVELS
from alerts.working import Working

_LEVEL = np.arange(1, LEVELS + 1, dtype=np.uint8)


def pending(w: Working, n: int, until: NDArray[np.int64]) -> NDArray[np.bool_] | None:
    """Say which resets come after what has been scored, and at their patient's instant or before; shape (n, K)."""
    if w.resets is None:
        return None
    at = w.resets[0][:n]
    found: NDArray[np.bool_] = (at > w.last_at[:n, None]) & (at <= until[:, None])
    return found if found.any() else None


def apply(w: Working, n: int, until: NDArray[np.int64]) -> NDArray[np.void]:
    """Let go of what was reset up to each patient's instant, dated when somebody did it."""
    due = pending(w, n, until)
    if due is None or w.resets is None:
        return np.zeros(0, episodes.TRANSITION)
    at, rule = (column[:n] for column in w.resets)
    happened = []
    for k in np.flatnonzero(due.any(axis=0)):
        held = (w.rule[:n] == rule[:, k, None]) & due[:, k, None] & (w.phase[:n] == ACTIVE) & w.policy["latching"][:n]
        severity = (w.latched[:n].astype(bool) * _LEVEL).max(axis=2)
        eased = held & (severity < w.severity[:n])
        over = eased & (severity == 0)
        np.copyto(w.severity[:n], severity, where=eased)
        np.copyto(w.phase[:n], IDLE, where=over)
        instant = np.where(eased.any(axis=1), at[:, k], 0)
        kind = np.where(over, episodes.EASED, np.where(eased, episodes.SEVERITY, 0))
        happened.append(episodes.record_plain(w, kind, instant))
        np.maximum(w.last_at[:n], instant, out=w.last_at[:n])
    return np.concatenate(happened)

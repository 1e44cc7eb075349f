"""When is a patient's next observation overdue?

A timer runs from the last observation of any of the rule's vital signs, or from enrolment where there is none; one that
would run out while the patient is paused runs from the end of the pause. What it does is dated at the instant when it
was due, not when somebody looked at the clock. The last observation is kept in ``since[…, 0]`` of the rule's slot.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from alerts import acts, episodes
from alerts.bank import OVERDUE
from alerts.state import ACTIVE, IDLE
from alerts.working import Working

NEVER = acts.NEVER


def due_at(w: Working, n: int) -> NDArray[np.int64]:
    """Give the instant at which each overdue rule falls due, shape (n, R); `NEVER` where no timer runs."""
    running = (w.policy["kind"][:n] == OVERDUE) & (w.phase[:n] == IDLE)
    start = np.maximum(w.since[:n, :, 0], w.people["enrolled_at"][:n, None])
    due = np.where(running, start + w.policy["span"][:n], NEVER)
    return due if w.pauses is None else _after_pauses(due, w, n, w.pauses)


def _after_pauses(
    due: NDArray[np.int64], w: Working, n: int, pauses: tuple[NDArray[np.int64], NDArray[np.int64]]
) -> NDArray[np.int64]:
    """Let what falls into a pause wait from its end for as long as from an observation."""
    since, until = pauses
    for k in range(since.shape[1]):
        begins, ends = since[:n, k, None], until[:n, k, None]
        due = np.where((begins <= due) & (due < ends), ends + w.policy["span"][:n], due)
    return due


def fire(w: Working, n: int, before: NDArray[np.int64]) -> NDArray[np.void]:
    """Open an episode for every timer of the first ``n`` patients that fell due before their instant, shape (n,)."""
    due = due_at(w, n)
    fired = due < before[:, None]
    if not fired.any():
        return np.zeros(0, episodes.TRANSITION)
    for field in (w.opened_at, w.activated_at):
        np.copyto(field[:n], due, where=fired)
    for grade in (w.severity, w.peak):
        np.copyto(grade[:n], w.policy["severity"][:n].astype(np.uint8), where=fired)
    np.copyto(w.phase[:n], np.uint8(ACTIVE), where=fired)
    np.maximum(w.last_at[:n], np.where(fired, due, 0).max(axis=1), out=w.last_at[:n])
    return episodes.record_plain(w, np.where(fired, episodes.ACTIVATED, 0), due)


def observe(w: Working, n: int, at: NDArray[np.int64], observed: NDArray[np.float64]) -> NDArray[np.void]:
    """Start the timers anew, and end the episodes, of the vital signs observed at the instant, values (n, VITALS)."""
    bit = np.uint32(1) << np.arange(observed.shape[1], dtype=np.uint32)
    bits = ((~np.isnan(observed)) * bit).sum(axis=1, dtype=np.uint32)
    seen = (w.policy["kind"][:n] == OVERDUE) & ((bits[:, None] & w.policy["vitals"][:n]) != 0)
    ended = seen & (w.phase[:n] == ACTIVE)
    np.copyto(w.since[:n, :, 0], at[:, None], where=seen)
    np.copyto(w.phase[:n], np.uint8(IDLE), where=ended)
    np.copyto(w.severity[:n], np.uint8(0), where=ended)
    return episodes.record_plain(w, np.where(ended, episodes.EASED, 0), at)

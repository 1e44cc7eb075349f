"""How do answered conditions become episodes that open, worsen, ease and resolve?

Each severity of a rule is latched by its own run of instants at which it is met, and let go by its own run of instants
at which it is clear. The episode's severity is the worst that is latched.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from alerts.bank import COMBINATION
from alerts.conditions import Conditions
from alerts.state import LEVELS, STEPS
from alerts.trends import FAMILIES
from alerts.working import Working
from schemas.episode import Event, Phase

PHASES = (None, Phase.PENDING, Phase.ACTIVE, Phase.RESOLVED, Phase.WITHDRAWN)
IDLE, PENDING, ACTIVE, RESOLVED, WITHDRAWN = (np.uint8(i) for i in range(5))
EVENTS = (None, Event.OPENED, Event.ACTIVATED, Event.SEVERITY, Event.RESOLVED, Event.WITHDRAWN)
OPENED, ACTIVATED, SEVERITY, EASED, GONE = (np.uint8(i) for i in range(1, 6))
_NOTHING = np.uint8(0)

TRANSITION = np.dtype(
    [
        ("row", "<i4"),  # position of the patient in the call
        ("policy", "<i4"),  # index in the bank
        ("rule", "<u4"),
        ("kind", "u1"),  # position in EVENTS
        ("phase", "u1"),  # position in PHASES, after the transition
        ("severity", "u1"),
        ("peak", "u1"),
        ("at", "<i8"),
        ("opened_at", "<i8"),
        ("activated_at", "<i8"),
        ("count", "<u2"),  # instants in the run that led here
        ("value", "<f8"),
        ("inputs", "<f8", (7,)),
        ("window", "<f4", (STEPS,)),  # what a trend was made of, newest first; of a combination its rules' severities
        ("retrospective", "?"),
        ("retracted", "?"),
    ]
)
"""What happened to an episode, and how the episode stands after it. Its key is row, rule and opened_at."""

_LEVEL = np.arange(1, LEVELS + 1, dtype=np.uint8)
_MOST = np.iinfo(np.uint16).max


def advance(w: Working, n: int, at: NDArray[np.int64], c: Conditions) -> NDArray[np.void]:
    """Take the first ``n`` patients one instant further and give the transitions, shape (T,)."""
    run_length = _advance_levels(w, n, at, c)
    severity = np.where(w.latched[:n].astype(bool), _LEVEL, 0).max(axis=2).astype(np.uint8)
    waiting = ((w.count[:n] > 0) & (w.latched[:n] == 0)).any(axis=2)
    before, was = w.phase[:n], w.severity[:n]
    looked = c.evaluated
    activated = looked & (before != ACTIVE) & (severity > 0)
    opened = looked & (before == IDLE) & (severity == 0) & waiting
    lapsed = looked & (before == PENDING) & (severity == 0) & ~waiting
    resolved = looked & (before == ACTIVE) & (severity == 0)
    changed = looked & (before == ACTIVE) & (severity > 0) & (severity != was)
    kind = np.select([activated, opened, lapsed | resolved, changed], [ACTIVATED, OPENED, EASED, SEVERITY], _NOTHING)
    instant = at[:, None]
    begins = opened | (activated & (before == IDLE))
    np.copyto(w.opened_at[:n], instant, where=begins)
    np.copyto(w.activated_at[:n], instant, where=activated)
    np.copyto(w.activated_at[:n], 0, where=opened)
    np.copyto(w.peak[:n], 0, where=begins)
    np.maximum(w.peak[:n], severity, out=w.peak[:n], where=looked)
    np.copyto(w.severity[:n], severity, where=looked)
    np.copyto(w.slot_last_at[:n], instant, where=looked)
    w.phase[:n] = np.select([activated, opened, lapsed | resolved], [ACTIVE, PENDING, IDLE], before)
    # a quiet rule has a severity for combinations to look at, and nothing to tell
    kind = np.where(w.policy["quiet"][:n], _NOTHING, kind)
    return record(w, kind, at, c.value, c.inputs, run_length)


def _advance_levels(w: Working, n: int, at: NDArray[np.int64], c: Conditions) -> NDArray[np.uint16]:
    """Latch and let go each severity; give the length of the longest run at this instant, shape (n, R)."""
    p = w.policy
    on = w.latched[:n].astype(bool)
    looked = c.evaluated[..., None]
    towards = np.where(on, c.clear, c.met) & looked
    against = looked & ~towards
    instant = at[:, None]
    elapsed = instant - w.slot_last_at[:n]
    counted = np.where((w.slot_last_at[:n] > 0) & (elapsed <= p["gap"][:n]), elapsed // 1000, 0).astype(np.uint32)
    first = towards & (w.count[:n] == 0)
    since = np.where(first, instant[..., None], w.since[:n])
    held = np.where(towards & ~first, w.held_ms[:n] + counted[..., None], np.where(first, 0, w.held_ms[:n]))
    count = np.minimum(w.count[:n].astype(np.int32) + towards, _MOST)
    done = towards & (count >= np.where(on, p["clear_consecutive"][:n, :, None], p["consecutive"][:n]))
    done &= instant[..., None] - since >= np.where(on, p["clear_apart"][:n, :, None], p["apart"][:n])
    done &= held >= np.where(on, p["clear_hold_ms"][:n, :, None], p["hold_ms"][:n])
    done |= towards & ~on & c.sure[..., None]
    over = done | against
    w.latched[:n] = on ^ done
    w.since[:n] = np.where(over, 0, since)
    w.held_ms[:n] = np.where(over, 0, held)
    w.count[:n] = np.where(over, 0, count)
    longest: NDArray[np.uint16] = np.where(towards, count, 0).max(axis=2).astype(np.uint16)
    return longest


def record(
    w: Working,
    kind: NDArray[Any],
    at: NDArray[np.int64],
    value: NDArray[np.float64],
    inputs: NDArray[np.float64],
    count: NDArray[Any],
) -> NDArray[np.void]:
    """Write down the transitions of one instant; ``kind`` is 0 where nothing happened; ``at`` is (n,) or (n, R)."""
    row, slot = np.nonzero(kind)
    found = np.zeros(len(row), TRANSITION)
    if not len(row):
        return found
    found["row"] = row
    found["policy"] = w.people["policy"][row]
    for name in ("rule", "severity", "peak", "opened_at", "activated_at"):
        found[name] = getattr(w, name)[row, slot]
    found["kind"] = kind[row, slot]
    found["phase"] = np.where(found["kind"] == EASED, RESOLVED, w.phase[row, slot])
    found["at"] = at[row] if at.ndim == 1 else at[row, slot]
    found["value"] = value[row, slot]
    found["inputs"] = inputs[row]
    found["count"] = count[row, slot]
    found["window"] = _window(w, row, slot)
    return found


def _window(w: Working, row: NDArray[np.intp], slot: NDArray[np.intp]) -> NDArray[np.float32]:
    """Give the steps that a trend looked at, and the severities of a combination's rules in the order of the policy."""
    window = np.full((len(row), STEPS), np.nan, np.float32)
    kind, p = w.policy["kind"][row, slot], w.policy
    trend = np.isin(kind, tuple(FAMILIES))
    r, s = row[trend], slot[trend]
    window[trend] = np.where(
        np.arange(STEPS) < p["window"][r, s][:, None], w.memory_mean[r, p["memory"][r, s]], np.float32(np.nan)
    )
    combined = kind == COMBINATION
    r, s = row[combined], slot[combined]
    severity = np.where(w.phase[r] == ACTIVE, w.severity[r], 0).astype(np.float32)
    window[combined, : w.width] = np.where(p["members"][r, s, : w.width], severity, np.float32(np.nan))
    return window

"""How do answered conditions become episodes that open, worsen, ease and resolve?

Each severity of a rule is latched by its own run of instants at which it is met, and let go by its own run of instants
at which it is clear. The episode's severity is the worst that is latched; where the rule is latching, the worst that it
has reached, until a person resets it (`alerts.resets`). Such an episode tells when its condition is over, and becomes
active once more when that comes back.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from alerts.bank import BANDED, COMBINATION
from alerts.conditions import Conditions
from alerts.state import ACTIVE, IDLE, LEVELS, PENDING, RESOLVED, STEPS
from alerts.trends import FAMILIES
from alerts.working import Working
from schemas.episode import Event, Phase

PHASES = (None, Phase.PENDING, Phase.ACTIVE, Phase.RESOLVED, Phase.WITHDRAWN)
EVENTS = (None, Event.OPENED, Event.ACTIVATED, Event.SEVERITY, Event.RESOLVED, Event.WITHDRAWN, Event.CLEARED)
OPENED, ACTIVATED, SEVERITY, EASED, GONE, CLEARED = (np.uint8(i) for i in range(1, 7))
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
        (
            "window",
            "<f4",
            (STEPS,),
        ),  # steps, newest first; a combination's severities; two values compared; those of a banded score
        ("at_night", "?"),  # the thresholds of the night were looked at
        ("retrospective", "?"),
        ("retracted", "?"),
    ]
)
"""What happened to an episode, and how the episode stands after it. Its key is row, rule and opened_at."""

_Pairs = tuple[NDArray[np.intp], ...]
_LEVEL = np.arange(1, LEVELS + 1, dtype=np.uint8)
_MOST = np.iinfo(np.uint16).max


def advance(w: Working, n: int, at: NDArray[np.int64], c: Conditions) -> NDArray[np.void]:
    """Take the first ``n`` patients one instant further and give the transitions, shape (T,).

    Most rules of most patients are idle at most instants: only those where something is met, counted or latched are
    gone through, as a list of M (patient, rule) pairs.
    """
    met = c.met
    stirring = c.evaluated & (w.stirring[:n] | met[..., 0] | met[..., 1] | met[..., 2])
    kind, run_length = np.zeros(stirring.shape, np.uint8), np.zeros(stirring.shape, np.uint16)
    pairs = np.nonzero(stirring)
    if len(pairs[0]):
        before = _worst(w, pairs)
        run_length[pairs] = _advance_levels(w, pairs, at[pairs[0]], c)
        kind[pairs] = _advance_phase(w, pairs, at[pairs[0]], before)
    np.copyto(w.slot_last_at[:n], at[:, None], where=c.evaluated)
    found = record(w, kind, at, c.value, c.inputs, run_length)
    if len(found) and (c.at_night is not None or c.pair is not None or c.summed is not None):
        row, slot = np.nonzero(kind)
        if c.at_night is not None:
            found["at_night"] = c.at_night[row, slot]
        if c.pair is not None:
            compared = ~np.isnan(c.pair[row, slot]).all(axis=1)
            found["window"][compared, :2] = c.pair[row, slot][compared]
        if c.summed is not None:
            banded = w.policy["kind"][row, slot] == BANDED
            found["window"][banded, : c.summed.shape[2]] = c.summed[row, slot][banded]
    return found


def _worst(w: Working, pairs: _Pairs) -> NDArray[np.uint8]:
    """Give the worst severity whose condition holds, shape (M,)."""
    worst: NDArray[np.uint8] = (w.latched[pairs].astype(bool) * _LEVEL).max(axis=1)
    return worst


def _advance_phase(
    w: Working, pairs: _Pairs, at: NDArray[np.int64], worst_before: NDArray[np.uint8]
) -> NDArray[np.uint8]:
    """Follow the severities that are latched now; give what happened to each pair, shape (M,)."""
    latched, counting = w.latched[pairs].astype(bool), w.count[pairs] > 0
    worst = _worst(w, pairs)
    waiting = (counting & ~latched).any(axis=1)
    before, was = w.phase[pairs], w.severity[pairs]
    held = w.policy["latching"][pairs] & (before == ACTIVE)
    severity = np.where(held, np.maximum(worst, was), worst)
    activated = (before != ACTIVE) & (severity > 0)
    opened = (before == IDLE) & (severity == 0) & waiting
    lapsed = (before == PENDING) & (severity == 0) & ~waiting
    resolved = (before == ACTIVE) & (severity == 0)
    changed = (before == ACTIVE) & (severity > 0) & (severity != was)
    renewed, cleared = held & (worst_before == 0) & (worst > 0), held & (worst_before > 0) & (worst == 0)
    kind = np.select(
        [activated, opened, lapsed | resolved, changed, renewed, cleared],
        [ACTIVATED, OPENED, EASED, SEVERITY, ACTIVATED, CLEARED],
        _NOTHING,
    )
    begins = opened | (activated & (before == IDLE))
    w.opened_at[pairs] = np.where(begins, at, w.opened_at[pairs])
    w.activated_at[pairs] = np.where(activated, at, np.where(opened, 0, w.activated_at[pairs]))
    w.peak[pairs] = np.maximum(np.where(begins, 0, w.peak[pairs]), severity)
    w.severity[pairs] = severity
    w.phase[pairs] = np.select([activated, opened, lapsed | resolved], [ACTIVE, PENDING, IDLE], before)
    w.stirring[pairs] = latched.any(axis=1) | counting.any(axis=1)
    # a quiet rule has a severity for combinations to look at, and nothing to tell
    told: NDArray[np.uint8] = np.where(w.policy["quiet"][pairs], _NOTHING, kind)
    return told


def _advance_levels(w: Working, pairs: _Pairs, at: NDArray[np.int64], c: Conditions) -> NDArray[np.uint16]:
    """Latch and let go each severity; give the length of the longest run at this instant, shape (M,)."""
    p = {name: w.policy[name][pairs] for name in _CONFIRMATION}
    on = w.latched[pairs].astype(bool)
    towards = np.where(on, c.clear[pairs], c.met[pairs])
    last, elapsed = w.slot_last_at[pairs], at - w.slot_last_at[pairs]
    counted = np.where((last > 0) & (elapsed <= p["gap"]), elapsed // 1000, 0).astype(np.uint32)[:, None]
    first = towards & (w.count[pairs] == 0)
    since = np.where(first, at[:, None], w.since[pairs])
    held = np.where(towards & ~first, w.held_ms[pairs] + counted, np.where(first, 0, w.held_ms[pairs]))
    count = np.minimum(w.count[pairs].astype(np.int32) + towards, _MOST)
    done = towards & (count >= np.where(on, p["clear_consecutive"][:, None], p["consecutive"]))
    done &= at[:, None] - since >= np.where(on, p["clear_apart"][:, None], p["apart"])
    done &= held >= np.where(on, p["clear_hold_ms"][:, None], p["hold_ms"])
    done |= towards & ~on & c.sure[pairs][:, None]
    over = done | ~towards
    w.latched[pairs] = on ^ done
    w.since[pairs] = np.where(over, 0, since)
    w.held_ms[pairs] = np.where(over, 0, held)
    w.count[pairs] = np.where(over, 0, count)
    longest: NDArray[np.uint16] = np.where(towards, count, 0).max(axis=1).astype(np.uint16)
    return longest


_CONFIRMATION = (
    "gap",
    "consecutive",
    "apart",
    "hold_ms",
    "clear_consecutive",
    "clear_apart",
    "clear_hold_ms",
)


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


def record_plain(w: Working, kind: NDArray[Any], at: NDArray[np.int64]) -> NDArray[np.void]:
    """Write down transitions that no value led to: a timer's, a person's."""
    n = len(kind)
    nothing = np.full((n, w.width), np.nan)
    return record(w, kind, at, nothing, np.full((n, 7), np.nan), np.zeros((n, w.width), np.uint16))


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

"""When is a patient's next observation overdue, and which vital signs are silent?

A timer runs from the last observation, or from enrolment where there is none; one that would run out while the patient
is paused runs from the end of the pause. What it does is dated at the instant when it was due, not when somebody looked
at the clock. A schedule that needs any of its vital signs has one timer, from the last of them, which is kept in
``since[…, 0]`` of the rule's slot. One that needs all has a timer for each, from its newest recent value; those that
are silent, and told to be, are kept as bits in ``held_ms[…, 0]``. Its episode begins with the first, tells of each
further one and of each that is back, and ends with the last.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from alerts import acts, episodes
from alerts.bank import OVERDUE, OVERDUE_EACH
from alerts.state import ACTIVE, IDLE
from alerts.working import Working
from schemas.vital_signs import VITALS

NEVER = acts.NEVER
_BIT = np.uint32(1) << np.arange(VITALS, dtype=np.uint32)
_BYTE = np.arange(0, VITALS, 8, dtype=np.uint32)
_Pairs = tuple[NDArray[np.intp], NDArray[np.intp]]
_Pauses = tuple[NDArray[np.int64], NDArray[np.int64]]


def due_at(w: Working, n: int) -> NDArray[np.int64]:
    """Give the instant at which each overdue rule falls due, shape (n, R); `NEVER` where no timer runs."""
    running = (w.policy["kind"][:n] == OVERDUE) & (w.phase[:n] == IDLE)
    start = np.maximum(w.since[:n, :, 0], w.people["enrolled_at"][:n, None])
    due = np.where(running, start + w.policy["span"][:n], NEVER)
    if w.pauses is not None:
        due = _after_pauses(due, w.policy["span"][:n], (w.pauses[0][:n], w.pauses[1][:n]))
    pairs = w.pairs_of(OVERDUE_EACH, n)
    if len(pairs[0]):
        due[pairs] = _next_due_at(w)[: len(pairs[0])]
    return due


def _next_due_at(w: Working) -> NDArray[np.int64]:
    """Give the instant at which the next vital sign of each (patient, rule) pair falls due; `fire` and `observe` keep
    it up, because looking at every vital sign at every instant would take longer than all else here."""
    if w.each_due is None:
        w.each_due = _each_due_at(w, w.pairs_of(OVERDUE_EACH, len(w.people))).min(axis=1)
    return w.each_due


def _each_due_at(w: Working, pairs: _Pairs) -> NDArray[np.int64]:
    """Give the instant at which each vital sign of some (patient, rule) pairs falls due, shape (M, VITALS).

    `NEVER` where the rule does not name it, and where it is told to be silent already. What was overdue when the
    rule began to need all falls due with the newest observation, not in a past that was told already.
    """
    due = _runs_out_at(w, pairs, w.policy["vitals"][pairs] & ~_silent(w, pairs))
    latest: NDArray[np.int64] = np.maximum(due, w.since[(*pairs, 0)][:, None])
    return latest


def _runs_out_at(w: Working, pairs: _Pairs, awaited: NDArray[np.uint32]) -> NDArray[np.int64]:
    """Give the instant at which the timer of each awaited vital sign runs out, shape (M, VITALS)."""
    row, span = pairs[0], w.policy["span"][pairs][:, None]
    start = np.maximum(w.recent_at[row, :, 0], w.people["enrolled_at"][row, None])
    due = np.where((awaited[:, None] & _BIT) != 0, start + span, NEVER)
    if w.pauses is not None:
        due = _after_pauses(due, span, (w.pauses[0][row], w.pauses[1][row]))
    return due


def take_over(w: Working) -> None:
    """Keep as silent what was so when an episode opened under a version of its rule that needed any.

    It has told that already: for the version that needs all, it is neither news nor a past to write.
    """
    row, slot = w.pairs_of(OVERDUE_EACH, len(w.people))
    unsaid = (w.phase[row, slot] == ACTIVE) & (w.held_ms[row, slot, 0] == 0)
    if unsaid.any():
        pairs = row[unsaid], slot[unsaid]
        silent = _runs_out_at(w, pairs, w.policy["vitals"][pairs]) <= w.activated_at[pairs][:, None]
        w.held_ms[(*pairs, 0)] = (silent * _BIT).sum(axis=1, dtype=np.uint32)


def _silent(w: Working, pairs: _Pairs) -> NDArray[np.uint32]:
    """Give the vital signs that are told to be silent as bits, shape (M,)."""
    # another version of the rule, that needed any, leaves none
    silent: NDArray[np.uint32] = np.where(w.phase[pairs] == ACTIVE, w.held_ms[(*pairs, 0)], np.uint32(0))
    return silent


def _after_pauses(due: NDArray[np.int64], span: NDArray[np.int64], pauses: _Pauses) -> NDArray[np.int64]:
    """Let what falls into a pause wait from its end for as long as from an observation; a row is a patient's."""
    since, until = pauses
    for k in range(since.shape[1]):
        begins, ends = since[:, k, None], until[:, k, None]
        due = np.where((begins <= due) & (due < ends), ends + span, due)
    return due


def fire(w: Working, n: int, before: NDArray[np.int64]) -> NDArray[np.void]:
    """Open an episode, or tell of what else is silent, for every timer of the first ``n`` patients that fell due
    before their instant, shape (n,)."""
    due, happened = due_at(w, n), []
    while (fired := due < before[:, None]).any():
        happened.append(_fall_due(w, n, fired, due))
        due = due_at(w, n)  # of one schedule several vital signs may fall due one after the other
    return np.concatenate(happened) if happened else np.zeros(0, episodes.TRANSITION)


def _fall_due(w: Working, n: int, fired: NDArray[np.bool_], due: NDArray[np.int64]) -> NDArray[np.void]:
    opened = fired & (w.phase[:n] != ACTIVE)
    np.copyto(w.held_ms[:n, :, 0], np.uint32(0), where=opened)  # of an episode before
    row, slot = w.pairs_of(OVERDUE_EACH, n)
    late = fired[row, slot]
    pairs = row[late], slot[late]
    if len(pairs[0]):
        now_silent = _each_due_at(w, pairs) == due[pairs][:, None]
        w.held_ms[(*pairs, 0)] = _silent(w, pairs) | (now_silent * _BIT).sum(axis=1, dtype=np.uint32)
    for field in (w.opened_at, w.activated_at):
        np.copyto(field[:n], due, where=opened)
    for grade in (w.severity, w.peak):
        np.copyto(grade[:n], w.policy["severity"][:n].astype(np.uint8), where=opened)
    np.copyto(w.phase[:n], np.uint8(ACTIVE), where=opened)
    if len(pairs[0]):
        _next_due_at(w)[np.flatnonzero(late)] = _each_due_at(w, pairs).min(axis=1)
    np.maximum(w.last_at[:n], np.where(fired, due, 0).max(axis=1), out=w.last_at[:n])
    return _record(w, np.where(opened, episodes.ACTIVATED, np.where(fired, episodes.SEVERITY, 0)), due)


def observe(
    w: Working, n: int, at: NDArray[np.int64], observed: NDArray[np.float64], measured: NDArray[np.float64]
) -> NDArray[np.void]:
    """Start the timers anew, and end the episodes, of the vital signs of the instant, values (n, VITALS).

    A schedule that needs any looks at what was ``measured``; one that needs all at what was ``observed``, because
    what is not scored is not among the recent values.
    """
    bits = _bits(measured)
    seen = (w.policy["kind"][:n] == OVERDUE) & ((bits[:, None] & w.policy["vitals"][:n]) != 0)
    ended = seen & (w.phase[:n] == ACTIVE)
    np.copyto(w.since[:n, :, 0], at[:, None], where=seen)
    kind = np.where(ended, episodes.EASED, 0)
    row, slot = w.pairs_of(OVERDUE_EACH, n)
    if len(row):
        bits = bits if observed is measured else _bits(observed)
        kind[row, slot] = _back(w, (row, slot), at[row], bits[row])
        ended = kind == episodes.EASED
    np.copyto(w.phase[:n], np.uint8(IDLE), where=ended)
    np.copyto(w.severity[:n], np.uint8(0), where=ended)
    return _record(w, kind, np.broadcast_to(at[:, None], kind.shape))


def _back(w: Working, pairs: _Pairs, at: NDArray[np.int64], observed: NDArray[np.uint32]) -> NDArray[np.uint8]:
    """Take those observed from the silent ones; give what happened to each episode, shape (M,)."""
    vitals, before = w.policy["vitals"][pairs], _silent(w, pairs)
    named, silent = (observed & vitals) != 0, before & ~observed & vitals
    w.held_ms[(*pairs, 0)] = silent
    w.since[(*pairs, 0)] = np.where(named, at, w.since[(*pairs, 0)])
    _run_anew(w, pairs, at, named, named & ((vitals & ~silent & ~observed) == 0))
    open_yet = named & (w.phase[pairs] == ACTIVE)
    told: NDArray[np.uint8] = np.select(
        [open_yet & (silent == 0), open_yet & (silent != before)], [episodes.EASED, episodes.SEVERITY], np.uint8(0)
    )
    return told


def _run_anew(
    w: Working, pairs: _Pairs, at: NDArray[np.int64], named: NDArray[np.bool_], whole: NDArray[np.bool_]
) -> None:
    """Say when the pairs of which something was observed fall due next; of a ``whole`` set all timers run from it."""
    due = _next_due_at(w)
    if w.pauses is None:
        start = np.maximum(at, w.people["enrolled_at"][pairs[0]])
        np.copyto(due[: len(at)], start + w.policy["span"][pairs], where=whole)
        named = named & ~whole
    part = np.flatnonzero(named)
    if len(part):
        due[part] = _each_due_at(w, (pairs[0][part], pairs[1][part])).min(axis=1)


def _bits(values: NDArray[np.float64]) -> NDArray[np.uint32]:
    """Give the vital signs of each row as bits, shape (n,)."""
    packed = np.packbits(~np.isnan(values), axis=1, bitorder="little").astype(np.uint32)
    bits: NDArray[np.uint32] = (packed << _BYTE).sum(axis=1, dtype=np.uint32)
    return bits


def _record(w: Working, kind: NDArray[np.uint8], at: NDArray[np.int64]) -> NDArray[np.void]:
    """Write down what happened; of a schedule that needs all, with 1 for each silent vital sign, by code, else 0."""
    found = episodes.record_plain(w, kind, at)
    if len(found):
        row, slot = np.nonzero(kind)
        each = w.policy["kind"][row, slot] == OVERDUE_EACH
        pairs = row[each], slot[each]
        named = (w.policy["vitals"][pairs][:, None] & _BIT) != 0
        silent = (_silent(w, pairs)[:, None] & _BIT) != 0
        window = found["window"][each]
        window[:, :VITALS] = np.where(named, silent, np.float32(np.nan))
        found["window"][each] = window
    return found

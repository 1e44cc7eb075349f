"""What do late observations change in what has been said already?

The patients concerned are scored twice from the same snapshot: without the late observations, which gives what was
said, and with them, which gives what should have been said. The difference is what goes out.
"""

from __future__ import annotations

from collections.abc import Collection

import numpy as np
import numpy.lib.recfunctions as rfn
from numpy.typing import NDArray

from alerts.episodes import GONE, TRANSITION
from alerts.state import ACTIVE, IDLE, PENDING, WITHDRAWN

_KEY = ("row", "rule", "opened_at")
SAME = (*_KEY, "kind", "at", "severity", "count", "value", "inputs", "window")
EVENT_FIELDS = (*_KEY, "kind", "at", "severity", "value")
"""What an event in an episode's history keeps of a transition."""


def differences(
    said: NDArray[np.void],
    right: NDArray[np.void],
    patients: NDArray[np.intp],
    start: NDArray[np.void],
    policy: NDArray[np.int32],
    same: tuple[str, ...] = SAME,
    doubted: Collection[tuple[int, ...]] = (),
) -> NDArray[np.void]:
    """Give the transitions to take back, those to add, and for each touched episode how it stands now.

    Parameters
    ----------
    said, right : arrays of TRANSITION
        Before and after; ``right`` also holds patients who have no late observation, all of whose transitions are new.
    patients : int array
        The patients who were scored twice.
    start : array of MACHINE, shape (H,)
        Their states at the snapshots: an episode that was open then is not withdrawn, whatever came after.
    policy : int array, shape (H,)
        Their policies.
    same : names
        In which fields two transitions must agree to be the same one.
    doubted : keys
        Episodes (row, rule, opened_at) whose stored reason may be another: touched, although nothing of them changes.

    Returns
    -------
    array of TRANSITION
        Taken-back ones first (``retracted``). An episode that never was ends with a withdrawal. An episode that is
        changed in the middle is closed by copies, with kind 0, of the last transition that says why it stands and of
        its last one, so that its reason and its standing are known.
    """
    twice = np.isin(right["row"], patients)
    before, after = _bytes(said, same), _bytes(right[twice], same)
    kept, known = set(after), set(before)
    gone = said[np.array([k not in kept for k in before], bool)]
    new = np.array([k not in known for k in after], bool)
    fresh = np.ones(len(right), bool)
    fresh[np.flatnonzero(twice)] = new
    back = gone.copy()
    back["retracted"] = True
    open_then = _open(start, patients, policy)
    standing = set(_keys(right[twice], _KEY)) | set(_keys(open_then, _KEY))
    withdrawn = _withdrawals(gone, standing)
    touched = (set(_keys(gone, _KEY)) | set(_keys(right[twice][new], _KEY)) | set(doubted)) & standing
    raised = right[twice & np.isin(right["phase"], (PENDING, ACTIVE))]
    standings = np.concatenate([open_then, right[twice]])
    return np.concatenate([back, withdrawn, right[fresh], _last(raised, touched), _last(standings, touched)])


def _open(start: NDArray[np.void], patients: NDArray[np.intp], policy: NDArray[np.int32]) -> NDArray[np.void]:
    """Give how the episodes stood that were open at the snapshots; what led there is not known: their ``at`` is 0."""
    row, slot = np.nonzero(start["slots"]["phase"] != IDLE)
    found = np.zeros(len(row), TRANSITION)
    for name in ("rule", "phase", "severity", "peak", "opened_at", "activated_at"):
        found[name] = start["slots"][name][row, slot]
    found["row"], found["policy"] = patients[row], policy[row]
    for name in ("value", "inputs", "window"):
        found[name] = np.nan
    return found


def _bytes(transitions: NDArray[np.void], names: tuple[str, ...]) -> list[bytes]:
    """Give what a transition says as bytes: values are compared exactly, and a gap equals a gap."""
    packed = rfn.repack_fields(transitions[list(names)])
    return [one.tobytes() for one in packed]


def _keys(transitions: NDArray[np.void], names: tuple[str, ...]) -> list[tuple[int, ...]]:
    return list(zip(*(transitions[name].tolist() for name in names), strict=True))


def _withdrawals(gone: NDArray[np.void], standing: set[tuple[int, ...]]) -> NDArray[np.void]:
    """Give one withdrawal for each episode of which nothing stands."""
    found = {k: t for k, t in zip(_keys(gone, _KEY), gone, strict=True) if k not in standing}
    withdrawn = np.array(list(found.values()), TRANSITION) if found else np.zeros(0, TRANSITION)
    withdrawn["kind"], withdrawn["phase"], withdrawn["severity"] = GONE, WITHDRAWN, 0
    return withdrawn


def _last(transitions: NDArray[np.void], touched: set[tuple[int, ...]]) -> NDArray[np.void]:
    found = {k: t for k, t in zip(_keys(transitions, _KEY), transitions, strict=True) if k in touched}
    closing = np.array(list(found.values()), TRANSITION) if found else np.zeros(0, TRANSITION)
    closing["kind"] = 0
    return closing

"""What do late observations change in what has been said already?

The patients concerned are scored twice from the same snapshot: without the late observations, which gives what was
said, and with them, which gives what should have been said. The difference is what goes out.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from alerts.episodes import GONE, TRANSITION, WITHDRAWN

_KEY = ("row", "rule", "opened_at")
_SAME = (*_KEY, "kind", "at", "severity")


def differences(said: NDArray[np.void], right: NDArray[np.void], patients: NDArray[np.intp]) -> NDArray[np.void]:
    """Give the transitions to take back, those to add, and for each touched episode how it stands now.

    Parameters
    ----------
    said, right : arrays of TRANSITION
        Before and after; ``right`` also holds patients who have no late observation, all of whose transitions are new.
    patients : int array
        The patients who were scored twice.

    Returns
    -------
    array of TRANSITION
        Taken-back ones first (``retracted``). An episode that never was ends with a withdrawal. An episode that is
        changed in the middle is closed by a copy of its last transition with kind 0, so that its standing is known.
    """
    twice = np.isin(right["row"], patients)
    before, after = _keys(said, _SAME), _keys(right[twice], _SAME)
    gone = said[[k not in set(after) for k in before]] if len(said) else said
    known = set(before)
    fresh = np.ones(len(right), bool)
    fresh[np.flatnonzero(twice)] = [k not in known for k in after]
    back = gone.copy()
    back["retracted"] = True
    standing = set(_keys(right[twice], _KEY))
    withdrawn = _withdrawals(gone, standing)
    touched = set(_keys(gone, _KEY)) & standing
    closing = _last(right[twice], touched)
    return np.concatenate([back, withdrawn, right[fresh], closing])


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

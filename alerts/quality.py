"""What do the marks mean that a device itself puts on what it measures: a cuff that did not fit, movement, no clock?

A quality rule names the marks and says when there are too many of them. Where it says ``scored = false``, a marked
value is kept from every rule but the hard limits: nothing silences those.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from alerts.bank import QUALITY
from alerts.conditions import Conditions
from alerts.state import LEVELS
from alerts.working import Working

_LEVEL = np.arange(1, LEVELS + 1)


def unscored(w: Working, n: int, flags: NDArray[np.int16]) -> NDArray[np.bool_]:
    """Say which values of the instant are not scored for the marks they bear, (n, VITALS)."""
    left_out = np.zeros(flags.shape, bool)
    is_quality = (w.policy["kind"][:n] == QUALITY) & ~w.policy["scored"][:n]
    for r in np.flatnonzero(is_quality.any(axis=0)):
        left_out |= is_quality[:, r, None] & _marked(w, n, int(r), flags)
    return left_out


def judge(conditions: Conditions, w: Working, n: int, observed: NDArray[np.float64], flags: NDArray[np.int16]) -> None:
    """Answer for the quality rules: met where one of their vital signs bears one of their marks, clear where none does.

    ``observed`` has what was left out for its marks.
    """
    is_quality = w.policy["kind"][:n] == QUALITY
    for r in np.flatnonzero(is_quality.any(axis=0)):
        looked = is_quality[:, r] & (_named(w, n, int(r), observed) & ~np.isnan(observed)).any(axis=1)
        marked = looked & (_marked(w, n, int(r), flags) & ~np.isnan(observed)).any(axis=1)
        graded = w.policy["severity"][:n, r, None] >= _LEVEL
        conditions.evaluated[:, r] |= looked
        conditions.met[:, r] |= marked[:, None] & graded
        conditions.clear[:, r] |= (looked & ~marked)[:, None]


def _named(w: Working, n: int, r: int, like: NDArray[np.generic]) -> NDArray[np.bool_]:
    named: NDArray[np.bool_] = (w.policy["vitals"][:n, r, None] >> np.arange(like.shape[1], dtype=np.uint32)) & 1 > 0
    return named


def _marked(w: Working, n: int, r: int, flags: NDArray[np.int16]) -> NDArray[np.bool_]:
    marked: NDArray[np.bool_] = _named(w, n, r, flags) & ((flags & w.policy["flags"][:n, r, None]) != 0)
    return marked

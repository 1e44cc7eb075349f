"""Is an observation the same one again, sent twice under two time zones?"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from alerts.bank import REPEAT
from alerts.working import Working


def suspected(w: Working, n: int, at: NDArray[np.int64], observed: NDArray[np.float64]) -> NDArray[np.bool_]:
    """Say which values of the instant repeat recent ones exactly, a whole multiple of the rule's step later.

    All vital signs of the rule must repeat together; shape (n, VITALS).
    """
    marks = np.zeros(observed.shape, bool)
    is_repeat = w.policy["kind"][:n] == REPEAT
    codes = np.arange(observed.shape[1])
    for r in np.flatnonzero(is_repeat.any(axis=0)):
        rows = np.flatnonzero(is_repeat[:, r])
        named = ((w.policy["vitals"][rows, r][:, None] >> codes) & 1).astype(bool)
        rows, named = (
            rows[(~np.isnan(observed[rows]) & named).any(axis=1)],
            named[(~np.isnan(observed[rows]) & named).any(axis=1)],
        )
        if not len(rows):
            continue
        elapsed = at[rows, None, None] - w.recent_at[rows]
        step, span = w.policy["step"][rows, r][:, None, None], w.policy["span"][rows, r][:, None, None]
        same = w.recent[rows] == observed[rows][:, :, None]
        again = (same & (w.recent_at[rows] > 0) & (elapsed > 0) & (elapsed <= span) & (elapsed % step == 0)).any(axis=2)
        whole = (again | ~named).all(axis=1)
        marks[rows] |= named & whole[:, None]
    return marks

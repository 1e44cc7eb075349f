"""Are enough of a policy's other rules active at once?"""

from __future__ import annotations

import numpy as np

from alerts.bank import COMBINATION
from alerts.conditions import Conditions
from alerts.state import ACTIVE, LEVELS
from alerts.working import Working

_LEVEL = np.arange(1, LEVELS + 1)


def judge(w: Working, n: int, looked: Conditions) -> Conditions | None:
    """Answer for the combinations of which a member was looked at; None where there are none.

    The members' episodes must already have advanced to the instant.
    """
    is_combination = w.policy["kind"][:n] == COMBINATION
    if not is_combination.any():
        return None
    members = w.policy["members"][:n, :, : w.width]
    severity = np.where(w.phase[:n] == ACTIVE, w.severity[:n], 0)
    each = w.policy["each"][:n]
    touched = np.zeros(severity.shape, bool)
    active, worst = np.zeros(severity.shape, np.int64), np.zeros(severity.shape, severity.dtype)
    # pair by pair, because few rules of a policy are combined
    for r, m in np.argwhere(members.any(axis=0)):
        member = members[:, r, m]
        touched[:, r] |= member & looked.evaluated[:, m]
        active[:, r] += member & (severity[:, m] >= each[:, r])
        np.maximum(worst[:, r], severity[:, m], out=worst[:, r], where=member)
    enough = touched & (active >= w.policy["at_least"][:n])
    worst *= w.policy["worst"][:n]
    met = enough[..., None] & (np.maximum(worst, w.policy["severity"][:n])[..., None] >= _LEVEL)
    answers = Conditions.none(n, w.width)
    answers.evaluated |= touched
    answers.met |= met
    answers.clear |= touched[..., None] & ~met
    np.copyto(answers.value, active.astype(np.float64), where=touched)
    return answers

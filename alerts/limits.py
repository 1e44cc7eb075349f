"""Is a vital sign at or beyond its alarm limit, or back behind it by more than the deadband?"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from alerts.bank import LIMIT
from alerts.conditions import Conditions
from alerts.working import Working
from schemas.vital_signs import CATALOGUE

DAY_MINUTES = 1440
_PER_UNIT = np.array([1.0, *(1 / v.resolution for v in CATALOGUE)])
# Half a millionth of a step: a decimal half such as 36.05 lies a little below itself in binary.
_TIE = 0.5 + 5e-7


def to_resolution(values: NDArray[np.float64], vital: NDArray[np.integer[Any]]) -> NDArray[np.float64]:
    """Round half up to the resolution in which the vital sign is charted.

    Parameters
    ----------
    values : float array
        In the vital sign's unit; NaN stays NaN.
    vital : int array of the same shape
        Codes of the catalogue.
    """
    scale = _PER_UNIT[vital]
    rounded: NDArray[np.float64] = np.floor(values * scale + _TIE) / scale
    return rounded


def judge(
    conditions: Conditions,
    w: Working,
    n: int,
    at: NDArray[np.int64],
    observed: NDArray[np.float64],
    measured: NDArray[np.float64],
) -> None:
    """Answer for the limit rules of the first ``n`` patients.

    Parameters
    ----------
    conditions : Conditions
        Written into.
    w : Working
    at : int64 array, shape (n,)
        The instants: a limit may be another one at night.
    observed : float array, shape (n, VITALS)
        The instant's values; NaN where not observed.
    measured : float array, shape (n, VITALS)
        With those that their devices' marks keep from scoring: hard limits look at them as well.
    """
    row, slot = w.pairs_of(LIMIT, n)
    vital = w.policy["vital"][row, slot]
    value = observed[row, vital]
    if measured is not observed:
        value = np.where(w.policy["hard"][row, slot], measured[row, vital], value)
    looked = np.flatnonzero(~np.isnan(value))  # few of the rules, at most instants
    if not len(looked):
        return
    pairs = row[looked], slot[looked]
    value = to_resolution(value[looked], vital[looked])
    p = {name: w.policy[name][pairs] for name in ("side", "threshold", "extreme", "deadband")}
    threshold, extreme, side = p["threshold"], p["extreme"], p["side"].astype(np.float64)
    if w.has_nights:
        night = _at_night(w, pairs, at[pairs[0]])
        threshold = np.where(night[:, None], w.policy["night_threshold"][pairs], threshold)
        extreme = np.where(night, w.policy["night_extreme"][pairs], extreme)
        conditions.at_night = np.zeros(conditions.sure.shape, bool)
        conditions.at_night[pairs] = night
    towards, threshold = value * side, threshold * side[:, None]
    with np.errstate(invalid="ignore"):
        conditions.met[pairs] = towards[:, None] >= threshold
        conditions.clear[pairs] = towards[:, None] < threshold - p["deadband"][:, None]
        conditions.sure[pairs] = towards >= extreme * side
    conditions.evaluated[pairs] = True
    conditions.value[pairs] = value


def _at_night(w: Working, pairs: tuple[NDArray[np.intp], NDArray[np.intp]], at: NDArray[np.int64]) -> NDArray[np.bool_]:
    """Say for some (patient, rule) pairs whether the instant lies in the rule's night, shape (M,)."""
    night = w.policy["night"][pairs]
    now = w.zones.minute_of_day(w.people["zone"][pairs[0]], at)
    since = (now - night[:, 0]) % DAY_MINUTES
    found: NDArray[np.bool_] = since < (night[:, 1] - night[:, 0]) % DAY_MINUTES
    return found

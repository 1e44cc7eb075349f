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
    policy = w.policy
    is_limit = policy["kind"][:n] == LIMIT
    if not is_limit.any():
        return
    vital = policy["vital"][:n]
    value = np.take_along_axis(observed, vital.astype(np.intp), axis=1)
    if measured is not observed:
        value = np.where(policy["hard"][:n], np.take_along_axis(measured, vital.astype(np.intp), axis=1), value)
    value = to_resolution(value, vital)
    looked = is_limit & ~np.isnan(value)
    side = policy["side"][:n].astype(np.float64)
    towards = value * side
    threshold, extreme = policy["threshold"][:n], policy["extreme"][:n]
    if (night := _at_night(w, n, at)) is not None:
        threshold = np.where(night[..., None], policy["night_threshold"][:n], threshold)
        extreme = np.where(night, policy["night_extreme"][:n], extreme)
        conditions.at_night = night
    threshold = threshold * side[..., None]
    with np.errstate(invalid="ignore"):
        conditions.met |= looked[..., None] & (towards[..., None] >= threshold)
        back = towards[..., None] < threshold - policy["deadband"][:n][..., None]
        conditions.clear |= looked[..., None] & back
        conditions.sure |= looked & (towards >= extreme * side)
    conditions.evaluated |= looked
    np.copyto(conditions.value, value, where=looked)


def _at_night(w: Working, n: int, at: NDArray[np.int64]) -> NDArray[np.bool_] | None:
    """Say for which rules the instant lies in their night, shape (n, R); None where no policy has one."""
    if not w.has_nights:
        return None
    begins, ends = w.policy["night"][:n, :, 0], w.policy["night"][:n, :, 1]
    now = w.zones.minute_of_day(w.people["zone"][:n], at)[:, None]
    since = (now - begins) % DAY_MINUTES
    night: NDArray[np.bool_] = since < (ends - begins) % DAY_MINUTES
    return night

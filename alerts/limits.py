"""Is a vital sign at or beyond its alarm limit, or back behind it by more than the deadband?"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from alerts.bank import LIMIT
from alerts.conditions import Conditions
from schemas.vital_signs import CATALOGUE

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


def judge(conditions: Conditions, policy: dict[str, NDArray[Any]], n: int, observed: NDArray[np.float64]) -> None:
    """Answer for the limit rules of the first ``n`` patients.

    Parameters
    ----------
    conditions : Conditions
        Written into.
    policy : columns of the bank, gathered for each patient
    observed : float array, shape (n, VITALS)
        The instant's values; NaN where not observed.
    """
    is_limit = policy["kind"][:n] == LIMIT
    if not is_limit.any():
        return
    vital = policy["vital"][:n]
    value = to_resolution(np.take_along_axis(observed, vital.astype(np.intp), axis=1), vital)
    looked = is_limit & ~np.isnan(value)
    side = policy["side"][:n].astype(np.float64)
    towards = value * side
    threshold = policy["threshold"][:n] * side[..., None]
    with np.errstate(invalid="ignore"):
        conditions.met |= looked[..., None] & (towards[..., None] >= threshold)
        back = towards[..., None] < threshold - policy["deadband"][:n][..., None]
        conditions.clear |= looked[..., None] & back
        conditions.sure |= looked & (towards >= policy["extreme"][:n] * side)
    conditions.evaluated |= looked
    np.copyto(conditions.value, value, where=looked)

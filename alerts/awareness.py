"""Does an "alert" from before still count, once somebody is not their usual self?

It does not: where a carer says that somebody has changed, and how awake they are was not looked at since, consciousness
is not known, and what is missing is not zero. A finding of three points does count on for as long as it is valid: to
leave it out would lower the score of somebody who is said to be no better.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from schemas.vital_signs import ACVPU, BY_NAME

AWAKE, SIGNS = BY_NAME["consciousness"].code, BY_NAME["soft_signs"].code
_ALERT, _CHANGED = ACVPU.index("A"), 1


def is_in_doubt(values: NDArray[np.float64], at: NDArray[np.integer[Any]]) -> NDArray[np.bool_]:
    """Say of each patient whether their last "alert" is older than the word that they are not their usual self.

    Parameters
    ----------
    values, at : arrays, shape (…, VITALS)
        The last value of each vital sign by its code, and when it was observed [µs since 1970 UTC; 0 = never].

    Returns
    -------
    bool array, shape (…)
    """
    seen, changed = at[..., AWAKE], at[..., SIGNS]
    doubt: NDArray[np.bool_] = (seen > 0) & (seen < changed)
    doubt &= (values[..., AWAKE] == _ALERT) & (values[..., SIGNS] == _CHANGED)
    return doubt

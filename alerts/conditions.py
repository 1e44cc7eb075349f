"""What does a rule family say of an instant: was its condition looked at, met, or clear?

Every family answers in the same form, and `alerts.episodes` turns the answers into episodes.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from alerts.state import LEVELS


@dataclass
class Conditions:
    """Answers of n patients, R rules and the three severities at one instant each.

    Attributes
    ----------
    evaluated : bool array, shape (n, R)
        The instant had what the rule needs; where it had not, nothing else of the row counts.
    met, clear : bool array, shape (n, R, LEVELS)
        The condition of that severity is met, or surely not met any more; within the deadband, and where what is
        missing could matter, it is neither.
    sure : bool array, shape (n, R)
        So extreme that no confirmation is waited for.
    value : float array, shape (n, R)
        The value that was looked at, in the vital sign's unit or in points.
    inputs : float array, shape (n, 7)
        What a score was made of, in the order of the NEWS2 chart; NaN where not known.
    at_night : bool array, shape (n, R), optional
        The thresholds of the night were looked at; None where no policy has any.
    pair : float array, shape (n, R, 2), optional
        The two values that a rule compared; None where none did.
    summed : float array, shape (n, R, 8), optional
        What a score of another table than NEWS2 was made of, in the table's order; None where there is none.
    """

    evaluated: NDArray[np.bool_]
    met: NDArray[np.bool_]
    clear: NDArray[np.bool_]
    sure: NDArray[np.bool_]
    value: NDArray[np.float64]
    inputs: NDArray[np.float64]
    at_night: NDArray[np.bool_] | None = None
    pair: NDArray[np.float64] | None = None
    summed: NDArray[np.float64] | None = None

    def pairs(self, width: int) -> NDArray[np.float64]:
        """Give the place for the values that rules compare."""
        if self.pair is None:
            self.pair = np.full((len(self.evaluated), width, 2), np.nan)
        return self.pair

    @classmethod
    def none(cls, size: int, width: int) -> Conditions:
        """Give the answers of an instant at which no rule was looked at."""
        shape = (size, width)
        return cls(
            np.zeros(shape, bool),
            np.zeros((*shape, LEVELS), bool),
            np.zeros((*shape, LEVELS), bool),
            np.zeros(shape, bool),
            np.full(shape, np.nan),
            np.full((size, 7), np.nan),
        )

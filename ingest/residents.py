"""Whom does a device that a whole home shares mean by the code in its message?

Somebody who lives where the device was at that time: a code from elsewhere is nobody's, so a device carried into
another home cannot write into the records of the one that it came from.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

RESIDENT_CODE = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{3,31}\Z")


@dataclass(frozen=True)
class Residents:
    """Part of the registry.

    Attributes
    ----------
    patient_of : dict of (organisation, code) → patient
    site : int32 array, indexed by patient_id
        Where each lives.
    device, place : int32 arrays, shape (L,)
        Placements in the order of their devices: which device was at which site,
    since, until : int64 arrays, shape (L,)
        from which instant to before which.
    """

    patient_of: dict[tuple[int, str], int]
    site: NDArray[np.int32]
    device: NDArray[np.int32]
    place: NDArray[np.int32]
    since: NDArray[np.int64]
    until: NDArray[np.int64]

    @classmethod
    def of(cls, people: list[tuple[Any, ...]], site: NDArray[np.int32], placements: list[tuple[Any, ...]]) -> Residents:
        """Make it from people, as (patient, organisation, …, code), and placements."""
        columns = [[row[i] for row in placements] for i in range(4)]
        return cls(
            {(row[1], row[-1]): row[0] for row in people if row[-1] is not None},
            site,
            np.array(columns[0], np.int32),
            np.array(columns[1], np.int32),
            np.array(columns[2], np.int64),
            np.array(columns[3], np.int64),
        )

    def find(self, organisation: int, device: int, code: str, at: int) -> int:
        """Find the patient whom a device means at an instant; 0 where it is nobody there."""
        patient = self.patient_of.get((organisation, code), 0)
        if not patient:
            return 0
        first, last = np.searchsorted(self.device, [device, device + 1])
        here = slice(first, last)
        was_there = (self.since[here] <= at) & (at < self.until[here]) & (self.place[here] == self.site[patient])
        return patient if bool(was_there.any()) else 0

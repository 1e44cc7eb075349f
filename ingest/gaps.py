"""When was a patient, between two enrolments, on no pathway?

What is observed then is stored and not scored, whenever it arrives. A patient who comes back is scored on as if those
instants had not been.
"""

from __future__ import annotations

import numpy as np
import psycopg
from numpy.typing import NDArray

from ingest.sql import QUERIES

GAP = np.dtype([("patient", "<i4"), ("begins", "<i8"), ("ends", "<i8")])
"""From its first instant to the first of the next enrolment, µs since 1970 UTC."""


def gaps_of(connection: psycopg.Connection, patients: NDArray[np.int32]) -> NDArray[np.void]:
    """Give the gaps of these patients: of most there is none."""
    found = connection.execute(QUERIES["gaps"], [patients.tolist()], binary=True).fetchall() if len(patients) else []
    return np.array(found, GAP)


def within(gaps: NDArray[np.void], patients: NDArray[np.int32], at: NDArray[np.int64]) -> NDArray[np.bool_]:
    """Say which of N instants of patients lie in a gap of theirs."""
    found = np.zeros(len(at), bool)
    for gap in gaps:
        found |= (patients == gap["patient"]) & (at >= gap["begins"]) & (at < gap["ends"])
    return found

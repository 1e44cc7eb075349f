"""What does the core need to score observations that come late, and which come too late to be scored?

An observation is late when its patient has been scored up to its instant or beyond. It is scored from the newest
snapshot before it, together with everything stored since. A patient whose beginning lies within the policy's lateness
has no such snapshot and needs none: everything is scored again from nothing.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import psycopg
from numpy.typing import NDArray

from alerts.evaluate import History
from alerts.state import StateError, initial, unpack
from ingest.gaps import gaps_of, within
from ingest.sql import QUERIES
from schemas.observation import ObservationBatch

_NEVER = np.iinfo(np.int64).max


@dataclass(frozen=True)
class Late:
    """What is known of late observations.

    Attributes
    ----------
    rows : int array, shape (N,)
        Whose they are.
    too_late : bool array, shape (N,)
        Stored and not scored.
    history : History or None
        For `alerts.evaluate`; None where nothing is to be scored again.
    since : int64 array, shape (H,)
        For each patient in the history, the earliest late instant: what was kept from there on is void.
    otherwise : int array
        Patients of whom some came in time, and from before what is in force: it is judged by what was in force then.
    """

    rows: NDArray[np.intp]
    too_late: NDArray[np.bool_]
    history: History | None
    since: NDArray[np.int64]
    otherwise: NDArray[np.intp] = field(default_factory=lambda: np.empty(0, np.intp))


def look_back(
    connection: psycopg.Connection,
    patients: NDArray[np.int32],
    machines: NDArray[np.void],
    rows: NDArray[np.intp],
    observed_at: NDArray[np.int64],
    lateness: NDArray[np.int64],
    enrolled_at: NDArray[np.int64],
) -> Late:
    """Fetch what the late ones of N new observations need.

    What was observed between two enrolments is too late whenever it comes: it is not scored.

    Parameters
    ----------
    patients, machines, lateness, enrolled_at : arrays, shape (P,)
        The patients of the call, their current states, how far their policies look back, and since when they are
        enrolled.
    rows, observed_at : arrays, shape (N,)
    """
    late = observed_at <= machines["last_at"][rows]
    before = observed_at < enrolled_at[rows]
    if not (late | before).any():
        return Late(rows, late, None, np.empty(0, np.int64))
    gaps = gaps_of(connection, patients[np.unique(rows[late | before])])
    unscored = within(gaps, patients[rows], observed_at)
    late &= ~unscored
    concerned = np.unique(rows[late])
    oldest = _oldest_snapshots(connection, patients, concerned)
    reachable = observed_at > np.minimum(oldest, machines["last_at"] - lateness)[rows]
    usable, too_late = late & reachable, late & ~reachable | unscored
    who = np.unique(rows[usable])
    if not len(who):
        return Late(rows, too_late, None, np.empty(0, np.int64))
    earliest = np.full(len(patients), _NEVER)
    np.minimum.at(earliest, rows[usable], observed_at[usable])
    start, broken = _snapshots(connection, patients, who, earliest)
    if len(broken):
        too_late |= usable & np.isin(rows, broken)
        keep = ~np.isin(who, broken)
        who, start = who[keep], start[keep]
        if not len(who):
            return Late(rows, too_late, None, np.empty(0, np.int64))
    known, known_rows = _observations_since(connection, patients, who, start["last_at"])
    scored = np.flatnonzero(~within(gaps, known.patient_id, known.observed_at))
    known, known_rows = known.take(scored), known_rows[scored]
    # what another version had judged is judged by it again, which the correction of the history does
    before = earliest.copy()
    np.minimum.at(before, known_rows, known.observed_at)
    otherwise = who[before[who] < _policy_since(connection, patients, who)]
    if len(otherwise):
        too_late |= usable & np.isin(rows, otherwise)
        keep, kept = ~np.isin(who, otherwise), np.flatnonzero(~np.isin(known_rows, otherwise))
        who, start, known, known_rows = who[keep], start[keep], known.take(kept), known_rows[kept]
        if not len(who):
            return Late(rows, too_late, None, np.empty(0, np.int64), otherwise)
    return Late(rows, too_late, History(who, start, known, known_rows), earliest[who], otherwise)


def _policy_since(
    connection: psycopg.Connection, patients: NDArray[np.int32], rows: NDArray[np.intp]
) -> NDArray[np.int64]:
    """Give since when each is scored by what is in force now, shape of ``rows``; long ago where nothing was before."""
    since = np.full(len(rows), -_NEVER)
    for patient, at in connection.execute(QUERIES["policy_since"], [patients[rows].tolist()], binary=True):
        if at is not None:
            since[np.searchsorted(patients[rows], patient)] = at
    return since


def _oldest_snapshots(
    connection: psycopg.Connection, patients: NDArray[np.int32], rows: NDArray[np.intp]
) -> NDArray[np.int64]:
    """Give the instant of each patient's oldest snapshot, shape (P,); far in the future where there is none."""
    oldest = np.full(len(patients), _NEVER)
    found = connection.execute(QUERIES["oldest_snapshots"], [patients[rows].tolist()]).fetchall()
    for patient, at in found:
        oldest[np.searchsorted(patients, patient)] = at
    return oldest


def _snapshots(
    connection: psycopg.Connection, patients: NDArray[np.int32], rows: NDArray[np.intp], earliest: NDArray[np.int64]
) -> tuple[NDArray[np.void], NDArray[np.intp]]:
    """Give for each row the state to start from, and the rows whose stored state cannot be read any more."""
    parameters = [patients[rows].tolist(), earliest[rows].tolist()]
    found = connection.execute(QUERIES["snapshots_before"], parameters, binary=True).fetchall()
    start = initial(len(rows))
    broken = []
    for patient, record in found:
        place = np.searchsorted(patients[rows], patient)
        try:
            start[place] = unpack([record])[0]
        except StateError:
            broken.append(rows[place])
    return start, np.array(broken, np.intp)


def _observations_since(
    connection: psycopg.Connection, patients: NDArray[np.int32], rows: NDArray[np.intp], since: NDArray[np.int64]
) -> tuple[ObservationBatch, NDArray[np.intp]]:
    # a state that contains nothing has seen no instant: everything of the patient comes after it
    parameters = [patients[rows].tolist(), since.tolist()]
    found = connection.execute(QUERIES["observations_since"], parameters, binary=True).fetchall()
    if not found:
        return ObservationBatch.empty(), np.empty(0, np.intp)
    patient, device, vital, observed, received, value, flags = zip(*found, strict=True)
    known = ObservationBatch.of(patient, device, vital, observed, received, value, flags)
    return known, np.searchsorted(patients, known.patient_id).astype(np.intp)

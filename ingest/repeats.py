"""Which observations of a micro-batch are there already, and which say otherwise than what is there?

An observation is known by its patient, device, vital sign and instant. The same value again is a duplicate: the message
was sent twice. Another value is not: one of the two is wrong, and which of them only a person can say. The first stays,
the other is put aside. Values that are charted as one number, such as one weighing in pounds and in kilograms, are the
same.
"""

from __future__ import annotations

from dataclasses import replace
from typing import NamedTuple

import numpy as np
import psycopg
from numpy.typing import NDArray

from ingest.admission import Admitted
from ingest.formats.decoded import Rejection
from ingest.sql import QUERIES
from schemas.observation import ObservationBatch
from schemas.quarantine import Reason
from schemas.vital_signs import CATALOGUE, RESOLUTION


class Known(NamedTuple):
    """Of N observations: which are there already, which of these say otherwise, and what the one that is there says."""

    again: NDArray[np.bool_]
    otherwise: NDArray[np.bool_]
    there: NDArray[np.float64]


def known(
    connection: psycopg.Connection,
    batch: ObservationBatch,
    last_observed: NDArray[np.int64],
    rows: NDArray[np.intp],
) -> Known:
    """Look for each observation earlier in the batch, and in the store.

    The store is asked only about observations that are not newer than everything of their patient.

    Parameters
    ----------
    connection : Connection
        In whose transaction the patients' states are locked.
    batch : ObservationBatch of N
    last_observed : int64 array, shape (P,)
        The newest instant that is stored of each patient.
    rows : int array, shape (N,)
        Which patient each observation is of.
    """
    order = np.lexsort((batch.device_id, batch.vital, batch.observed_at, rows))
    keys = np.stack([batch.patient_id, batch.device_id, batch.vital, batch.observed_at])[:, order]
    begins = np.ones(len(batch), bool)
    begins[1:] = (keys[:, 1:] != keys[:, :-1]).any(axis=0)
    group = np.empty(len(batch), np.intp)
    group[order] = np.cumsum(begins) - 1
    first = order[begins]
    there, stored = batch.value[first], np.zeros(len(first), bool)
    suspect = first[batch.observed_at[first] <= last_observed[rows[first]]]
    if len(suspect):
        s = batch.take(suspect)
        parameters = [c.tolist() for c in (suspect, s.patient_id, s.vital, s.observed_at, s.device_id)]
        for position, value in connection.execute(QUERIES["stored_already"], parameters, binary=True).fetchall():
            there[group[position]], stored[group[position]] = value, True
    again = stored[group]
    again[order[~begins]] = True
    otherwise = again & (np.abs(batch.value - there[group]) >= RESOLUTION[batch.vital] / 2)
    return Known(again, otherwise, there[group])


def without_contrary(admitted: Admitted, found: Known) -> Admitted:
    """Reject what says otherwise than what is there."""
    contrary = np.flatnonzero(found.otherwise)
    if not len(contrary):
        return admitted
    batch, codes = admitted.batch, {device: code for code, device in admitted.registry.device_of.items()}
    rejections = list(admitted.rejections)
    for i in contrary:
        sign = CATALOGUE[batch.vital[i] - 1]
        detail = (
            f"{sign.name}: {batch.value[i]:g}, but {found.there[i]:g} is stored already of this device and instant; "
            "expected the same"
        )
        code = codes.get(int(batch.device_id[i]))
        rejections.append(Rejection(int(admitted.message[i]), Reason.CONTRADICTORY, detail, 1, code))
    keep = ~found.otherwise
    return replace(admitted, batch=batch.take(keep), message=admitted.message[keep], rejections=rejections)

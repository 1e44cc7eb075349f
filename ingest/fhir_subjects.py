"""Does a FHIR Observation that a device sends over HTTP say that it is about another person than the device's wearer?

Whose an observation is follows from the device. But where the sender says whose it believes it to be, and it is
somebody else, one of the two is wrong: it is put aside for a person to look at, now and whenever it is tried again.
"""

from __future__ import annotations

from dataclasses import replace

import msgspec
import numpy as np

from ingest.admission import Admitted
from ingest.formats.decoded import Rejection
from ingest.formats.fhir import subject_of
from schemas.fhir import patient_of
from schemas.quarantine import Reason

TOPIC = "fhir:"
"""How the topic of such a message begins; the sender's code follows."""


def keep_to_subjects(admitted: Admitted) -> Admitted:
    """Reject what was admitted for another patient than its own subject."""
    keep = np.ones(len(admitted.batch), bool)
    rejections = list(admitted.rejections)
    for position, message in enumerate(admitted.messages):
        if message.patient or not message.topic.startswith(TOPIC):
            continue
        here = admitted.message == position
        stated = _subject(message.payload)
        if stated is None or not here.any():
            continue
        wrong = here & (admitted.batch.patient_id != (patient_of(stated) or 0))
        if wrong.any():
            detail = f"Observation.subject.reference: {stated!r} is not whose the device was at that time"
            rejections.append(Rejection(position, Reason.NOT_PERMITTED, detail, int(wrong.sum())))
            keep &= ~wrong
    if keep.all():
        return admitted
    return replace(admitted, batch=admitted.batch.take(keep), message=admitted.message[keep], rejections=rejections)


def _subject(payload: bytes) -> str | None:
    try:
        return subject_of(msgspec.json.decode(payload))
    except msgspec.DecodeError:
        return None

"""Where does a message go that cannot be stored, whole or in part?

One row for each message and reason, with the whole payload. A message that is delivered again is the same row; its
observations then count as duplicates.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import psycopg
from numpy.typing import NDArray

from ingest.admission import Admitted
from ingest.formats.decoded import Rejection
from ingest.sql import QUERIES


@dataclass(frozen=True)
class Quarantined:
    """How many observations of each of M messages were put aside, or had been before, and for which reasons.

    Attributes
    ----------
    now, before : int arrays, shape (M,)
    reasons : dict of message → reasons
    by_reason : dict of reason → observations put aside now
    """

    now: NDArray[np.int64]
    before: NDArray[np.int64]
    reasons: dict[int, list[str]]
    by_reason: dict[str, int]


def write_quarantine(connection: psycopg.Connection, admitted: Admitted) -> Quarantined:
    """Put aside the rejected observations, inside the caller's transaction."""
    now = np.zeros(len(admitted.messages), np.int64)
    before = np.zeros(len(admitted.messages), np.int64)
    reasons: dict[int, list[str]] = {}
    groups: dict[tuple[int, str], list[Rejection]] = {}
    for rejection in admitted.rejections:
        groups.setdefault((rejection.message, rejection.reason.value), []).append(rejection)
    # the same bytes on the same topic twice in one micro-batch are one row as well
    first: dict[tuple[str, bytes, str, int], tuple[int, str]] = {}
    for message, reason in groups:
        incoming = admitted.messages[message]
        digest = hashlib.sha256(incoming.payload).digest()
        first.setdefault((_text(incoming.topic), digest, reason, incoming.patient), (message, reason))
    rows = [quarantine_row(admitted, message, groups[message, reason]) for message, reason in first.values()]
    written: set[tuple[int, str]] = set()
    if rows:
        columns = [list(column) for column in zip(*rows, strict=True)]
        found = connection.execute(QUERIES["write_quarantine"], columns, binary=True).fetchall()
        written = {first[topic, bytes(digest), reason, patient] for topic, digest, reason, patient in found}
    by_reason: dict[str, int] = {}
    for (message, reason), members in groups.items():
        count = sum(rejection.observations for rejection in members)
        if (message, reason) in written:
            now[message] += count
            by_reason[reason] = by_reason.get(reason, 0) + count
        else:
            before[message] += count
        reasons.setdefault(message, []).append(reason)
    return Quarantined(now, before, reasons, by_reason)


class QuarantineRow(NamedTuple):
    """One message's rejections for one reason, as they are kept; an id of 0 is none."""

    organisation_id: int
    device_id: int
    topic: str
    payload: bytes
    reason: str
    detail: str
    observations: int
    received_at: int
    sender: str
    patient_id: int


def quarantine_row(admitted: Admitted, message: int, members: Sequence[Rejection]) -> QuarantineRow:
    """Describe a message's rejections, all for the same reason."""
    incoming, registry = admitted.messages[message], admitted.registry
    code = members[0].device or incoming.sender
    # the sender's, not the named device's: who sent it has to mend it, and sees it
    sender = registry.device_of.get(incoming.sender, 0)
    organisation = int(registry.device_organisation[sender])
    device = registry.device_of.get(code, 0)
    if int(registry.device_organisation[device]) != organisation:
        device = sender
    details = list(dict.fromkeys(rejection.detail for rejection in members))
    return QuarantineRow(
        organisation,
        device,
        _text(incoming.topic),
        incoming.payload,
        members[0].reason.value,
        "; ".join(details[:10]),
        sum(rejection.observations for rejection in members),
        incoming.received_at,
        _text(incoming.sender),
        incoming.patient,
    )


def _text(topic: str) -> str:
    return topic.replace("\0", "\\0")

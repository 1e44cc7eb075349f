"""Which of the numbers that senders give their observation sets have been taken?

Noted in the transaction that stores or quarantines the sets, so it is as true as they are. A hole in the numbers is a
set that never arrived; `homeward doctor --accounts` looks for holes, and compares the sums with store and quarantine.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import psycopg

from ingest.admission import Admitted
from ingest.sql import QUERIES

if TYPE_CHECKING:
    from ingest.writer import Outcome


def note_sequences(connection: psycopg.Connection, admitted: Admitted, outcome: Outcome) -> None:
    """Note the numbers of a micro-batch's sets, inside the caller's transaction; what was noted before adds nothing."""
    device_of, messages = admitted.registry.device_of, admitted.messages
    found: dict[tuple[int, int], int] = {}
    for message, sequence in admitted.sequences:
        device = device_of.get(messages[message].sender)
        if device is not None:
            found.setdefault((device, sequence), message)
    if not found:
        return
    # a message's values are counted with the first of its numbers
    counted: set[int] = set()
    rows = []
    for (device, sequence), message in sorted(found.items()):
        is_first = message not in counted
        counted.add(message)
        duplicate = int(outcome.duplicate[message])
        observations = int(outcome.stored[message]) + int(outcome.quarantined[message]) + duplicate
        rows.append((device, sequence, observations * is_first, duplicate * is_first))
    columns = [list(column) for column in zip(*rows, strict=True)]
    since = min(message.received_at for message in messages)
    connection.execute(QUERIES["note_sequences"], [*columns, since])

"""How does a message that waits in quarantine get its second try?

Through the same admission and the same writer, as of the instant at which it came: what was too old, or ahead of its
time, stays so, what is stored already is a duplicate, and nobody is paged for what can no longer be acted on. What is
refused again goes on waiting, for the reason that holds now. A bounded number is one transaction, with its entry in the
audit log; whoever asks goes on from there.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np
import psycopg
import structlog
from psycopg.rows import dict_row
from psycopg.types.json import Jsonb
from psycopg_pool import ConnectionPool

from ingest.admission import Admitted, Incoming, admit
from ingest.entrance import AWAY
from ingest.failures import describe
from ingest.fhir_subjects import keep_to_subjects
from ingest.formats import detect
from ingest.formats.decoded import Decoded, Rejection
from ingest.quarantine import Quarantined, quarantine_row, write_quarantine
from ingest.rebuild import rebuild
from ingest.registry import RegistryKeeper
from ingest.sms import read_again, rejected
from ingest.sql import load
from ingest.states import UnreadableStatesError
from ingest.writer import write_batch
from schemas.quarantine import Reason

AT_ONCE = 100
"""Messages in one transaction; each may be as large as ingest accepts."""
LOOKED_AT = 2_000
"""Messages whose times are read, to say for which time a device has to be assigned."""
_LAST = 2**63 - 1
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_TRIES = 3
_QUERIES = load("quarantine.sql")
_Row = dict[str, Any]
_Identity = tuple[str, bytes, int]

log = structlog.get_logger()


@dataclass(frozen=True)
class Chosen:
    """Which waiting messages: some by their numbers, or all of one cause, up to a number.

    A device_id of 0 means those of no known device. ``nobodys`` also takes those whose sender was unknown, which belong
    to no organisation. ``within`` names those that whoever asks may see, where that is not everything.
    """

    organisation_id: int
    items: Sequence[int] | None = None
    reason: str | None = None
    source: str | None = None
    device_id: int | None = None
    up_to: int = _LAST
    nobodys: bool = False
    within: Sequence[int] | None = None

    @property
    def words(self) -> str:
        """Name them for the audit log."""
        if self.items is not None:
            return f"quarantine/{self.items[0]}" if len(self.items) == 1 else "quarantine"
        return f"quarantine/{self.reason or 'all'}"


@dataclass
class Replayed:
    """What became of the messages that were tried: counted in messages, and those stored also in observations.

    ``next`` is where to go on; None where nothing is left.
    """

    messages: int = 0
    done: int = 0
    waiting: int = 0
    stored: int = 0
    duplicate: int = 0
    reasons: dict[str, int] = field(default_factory=dict)
    next: int | None = None

    def add(self, other: Replayed) -> None:
        """Count another part."""
        for name in ("messages", "done", "waiting", "stored", "duplicate"):
            setattr(self, name, getattr(self, name) + getattr(other, name))
        self.reasons = dict(Counter(self.reasons) + Counter(other.reasons))
        self.next = other.next


def left(connection: psycopg.Connection, chosen: Chosen, after: int = 0) -> int:
    """Count the messages that wait."""
    row = connection.execute(_QUERIES["left_waiting"], _parameters(chosen, after)).fetchone()
    return int(row[0]) if row else 0


def newest(connection: psycopg.Connection) -> int:
    """Give the number of the newest message: a replay that ends there ends, whatever comes meanwhile."""
    row = connection.execute(_QUERIES["newest"]).fetchone()
    return int(row[0]) if row else 0


def replay(
    pool: ConnectionPool, keeper: RegistryKeeper, chosen: Chosen, account_id: int | None, after: int = 0
) -> Replayed:
    """Try the next messages again, in the order in which they were put aside.

    Parameters
    ----------
    pool : ConnectionPool
        Of the ingest role.
    keeper : RegistryKeeper
    chosen : Chosen
    account_id : int, optional
        Who asks; nobody where it is a command.
    after : int
        The number after which to go on: ``next`` of the part before.
    """
    try:
        return _part(pool, keeper, chosen, account_id, after, AT_ONCE)
    except AWAY:
        raise
    except Exception as failed:
        log.error("replay failed", action="replay_failed", **describe(failed))
    # one of them cannot be processed: each for itself, and that one goes on waiting
    return _one_by_one(pool, keeper, chosen, account_id, after)


def discard(pool: ConnectionPool, chosen: Chosen, note: str, after: int = 0) -> list[int]:
    """Discard the next waiting messages for a reason, as a command; give their numbers, none where none is left."""
    with pool.connection() as connection, connection.transaction():
        rows = _waiting(connection, chosen, after, AT_ONCE, kept=False)
        numbers = [int(row["quarantine_id"]) for row in rows]
        if numbers:
            connection.execute(_QUERIES["discard"], [note, numbers])
            detail = Jsonb({"items": numbers, "note": note, "source": chosen.source})
            connection.execute(
                _QUERIES["audit"], [chosen.organisation_id, None, "quarantine_discarded", chosen.words, detail]
            )
    return numbers


def _one_by_one(
    pool: ConnectionPool, keeper: RegistryKeeper, chosen: Chosen, account_id: int | None, after: int
) -> Replayed:
    found = Replayed(next=after)
    for _ in range(AT_ONCE):
        with pool.connection() as connection, connection.transaction():
            rows = _waiting(connection, chosen, found.next or 0, 1)
        if not rows:
            found.next = None
            break
        alone = replace(chosen, items=[rows[0]["quarantine_id"]])
        try:
            part = _part(pool, keeper, alone, account_id, after, 1)
        except AWAY:
            raise
        except Exception as failed:
            log.error("message cannot be replayed", action="replay_failed", **describe(failed))
            part = Replayed(messages=1, waiting=1, reasons={"unprocessable": 1})
        part.next = rows[0]["quarantine_id"]
        found.add(part)
    return found


def _part(
    pool: ConnectionPool, keeper: RegistryKeeper, chosen: Chosen, account_id: int | None, after: int, most: int
) -> Replayed:
    for left_over in reversed(range(_TRIES)):
        try:
            with pool.connection() as connection, connection.transaction():
                return _replay(connection, keeper, chosen, account_id, after, most)
        except psycopg.errors.TransactionRollback:
            if not left_over:
                raise
        except UnreadableStatesError as old:
            if not left_over:
                raise
            rebuild(pool, old.patients)
    raise AssertionError("the last try returns or raises")


def _replay(
    connection: psycopg.Connection,
    keeper: RegistryKeeper,
    chosen: Chosen,
    account_id: int | None,
    after: int,
    most: int,
) -> Replayed:
    rows = _waiting(connection, chosen, after, most)
    if not rows:
        return Replayed()
    # a message refused for several reasons has several rows, and is tried once
    place: dict[_Identity, int] = {}
    for row in rows:
        place.setdefault(_identity(row), len(place))
    first = {place[_identity(row)]: row for row in reversed(rows)}
    read = read_again(connection, [message_of(first[position]) for position in range(len(place))])
    second = _SecondTry(rows, [place[_identity(row)] for row in rows], account_id)
    admitted = keep_to_subjects(admit([message for message, _ in read], keeper))
    admitted = rejected(admitted, [rejection for _, rejection in read])
    outcome = write_batch(connection, admitted, time.time_ns() // 1000, put_aside=second.put_aside)
    found = Replayed(
        messages=len(rows),
        done=len(second.done),
        waiting=len(rows) - len(second.done),
        stored=int(outcome.stored.sum()),
        duplicate=int(outcome.duplicate.sum()),
        reasons=dict(second.reasons),
        next=int(rows[-1]["quarantine_id"]) if len(rows) == most else None,
    )
    _audit(connection, chosen, account_id, rows, found)
    return found


def observed_span(connection: psycopg.Connection, chosen: Chosen) -> tuple[datetime | None, datetime | None, list[int]]:
    """Find from when to when the observations are, and for which users of the device; looks at so many messages."""
    with connection.transaction():
        messages = [message_of(row) for row in _waiting(connection, chosen, 0, LOOKED_AT)]
        decoded = _decoded(messages, {})
        if codes := _unzoned(messages, decoded):
            # asked now: the zone may have been stated a moment ago, so that these can be stored
            zones: dict[str, str] = dict(connection.execute(_QUERIES["zones"], [codes]).fetchall())
            decoded = _decoded(messages, zones)
    if not decoded.observed_at:
        return None, None, []
    first, last = (_EPOCH + timedelta(microseconds=f(decoded.observed_at)) for f in (min, max))
    return first, last, sorted(set(decoded.user))


def _decoded(messages: Sequence[Incoming], zones: Mapping[str, str]) -> Decoded:
    found = Decoded()
    for position, message in enumerate(messages):
        detect.decode(message.payload, position, found, message.topic, message.sender, zones)
    return found


def _unzoned(messages: Sequence[Incoming], decoded: Decoded) -> list[str]:
    """Give the codes of devices whose local time could not be read without their time zone."""
    refused = (r for r in decoded.rejections if r.reason is Reason.TIME_WITHOUT_ZONE)
    return sorted({r.device or messages[r.message].sender for r in refused})


def message_of(row: _Row) -> Incoming:
    """Make the message that a row keeps, as it came."""
    return Incoming(row["topic"], bytes(row["payload"]), row["received_at"], row["sender"], row["patient_id"])


class _SecondTry:
    """Where the rejections of a second try go: into the rows that are there already."""

    def __init__(self, rows: Sequence[_Row], message: Sequence[int], account_id: int | None) -> None:
        self._rows, self._message, self._account_id = rows, message, account_id
        self.done: list[int] = []
        self.reasons: Counter[str] = Counter()

    def put_aside(self, connection: psycopg.Connection, admitted: Admitted) -> Quarantined:
        """Settle each row: stored now, or waiting for a reason of now; further reasons get rows of their own."""
        refused: dict[int, dict[str, list[Rejection]]] = {}
        for rejection in admitted.rejections:
            refused.setdefault(rejection.message, {}).setdefault(rejection.reason.value, []).append(rejection)
        kept = self._reasons_kept(connection)
        again: list[tuple[_Row, list[Rejection]]] = []
        moved: list[tuple[_Row, int]] = []
        for row, message in zip(self._rows, self._message, strict=True):
            same = refused.get(message, {}).pop(row["reason"], None)
            if same is None:
                moved.append((row, message))
            else:
                again.append((row, same))
        for row, message in moved:
            new = [reason for reason in refused.get(message, {}) if reason not in kept[_identity(row)]]
            if new:
                again.append((row, refused[message].pop(new[0])))
            else:
                self.done.append(row["quarantine_id"])
        self._write(connection, admitted, again)
        rest = [r for reasons in refused.values() for members in reasons.values() for r in members]
        write_quarantine(connection, replace(admitted, rejections=rest))
        return self._count(admitted)

    def _reasons_kept(self, connection: psycopg.Connection) -> dict[_Identity, set[str]]:
        kept: dict[_Identity, set[str]] = {_identity(row): set() for row in self._rows}
        columns = [list(column) for column in zip(*kept, strict=True)]
        for topic, digest, patient, reason in connection.execute(_QUERIES["rows_of_messages"], columns).fetchall():
            kept[topic, bytes(digest), patient].add(reason)
        return kept

    def _write(
        self, connection: psycopg.Connection, admitted: Admitted, again: Sequence[tuple[_Row, list[Rejection]]]
    ) -> None:
        connection.execute(_QUERIES["stored_now"], [self._account_id, self.done])
        if not again:
            return
        columns: list[list[Any]] = [[], [], [], [], [], []]
        for row, members in again:
            written = quarantine_row(admitted, members[0].message, members)
            self.reasons[written.reason] += 1
            values = (
                row["quarantine_id"], written.reason, written.detail, written.observations, written.organisation_id,
                written.device_id,
            )  # fmt: skip
            for column, value in zip(columns, values, strict=True):
                column.append(value)
        connection.execute(_QUERIES["refused_again"], columns)

    def _count(self, admitted: Admitted) -> Quarantined:
        size = len(admitted.messages)
        now = np.zeros(size, np.int64)
        reasons: dict[int, list[str]] = {}
        by_reason: Counter[str] = Counter()
        for rejection in admitted.rejections:
            now[rejection.message] += rejection.observations
            by_reason[rejection.reason.value] += rejection.observations
            reasons.setdefault(rejection.message, []).append(rejection.reason.value)
        return Quarantined(now, np.zeros(size, np.int64), reasons, dict(by_reason))


def _waiting(connection: psycopg.Connection, chosen: Chosen, after: int, most: int, *, kept: bool = True) -> list[_Row]:
    """Lock the next rows that wait; ``kept`` leaves out those whose content was not kept."""
    with connection.cursor(row_factory=dict_row) as cursor:
        return cursor.execute(_QUERIES["waiting"], _parameters(chosen, after, kept=kept) | {"limit": most}).fetchall()


def _parameters(chosen: Chosen, after: int, *, kept: bool = True) -> dict[str, Any]:
    return {
        "kept": kept,
        "organisation": chosen.organisation_id,
        "items": None if chosen.items is None else list(chosen.items),
        "reason": chosen.reason,
        "source": chosen.source,
        "device": chosen.device_id,
        "up_to": chosen.up_to,
        "nobodys": chosen.nobodys,
        "within": None if chosen.within is None else list(chosen.within),
        "after": after,
    }


def _identity(row: _Row) -> _Identity:
    return row["topic"], bytes(row["payload_sha256"]), row["patient_id"]


def _audit(
    connection: psycopg.Connection, chosen: Chosen, account_id: int | None, rows: Sequence[_Row], found: Replayed
) -> None:
    detail = asdict(found) | {"items": [row["quarantine_id"] for row in rows], "source": chosen.source}
    del detail["next"]
    parameters = [chosen.organisation_id, account_id, "quarantine_replayed", chosen.words, Jsonb(detail)]
    connection.execute(_QUERIES["audit"], parameters)

"""How long does an organisation keep observations, and how are older ones deleted?

Each organisation has its own rule, or none and keeps everything. Chunks that no organisation needs any more are dropped
whole; where one keeps its observations longer than another, theirs stay and the other's are deleted, a chunk at a time.
Interrupted, it goes on where it was at the next run.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import psycopg
from psycopg.rows import dict_row

from alerts.state import STEPS
from homeward.provisioning import Connection, ProvisioningError, audit
from schemas import named_queries
from schemas.database import acting_for

ROLE = "homeward_retention"
SHORTEST_MONTHS, LONGEST_MONTHS = 3, 1200
MEMORY = timedelta(days=STEPS)
"""What the scoring looks back over at most: an open episode holds its patient's observations from so long before it."""

_QUERIES = named_queries.load("homeward", "retention.sql")


@dataclass(frozen=True)
class Applied:
    """What a run deleted, or would delete: chunks dropped whole, observations one by one, messages of quarantine."""

    chunks: int
    observations: int
    quarantined: int
    before: dict[int, datetime]


def set_rule(connection: Connection, organisation: int, months: int, by: str, reason: str) -> None:
    """Say for how many months an organisation keeps observations."""
    if not SHORTEST_MONTHS <= months <= LONGEST_MONTHS:
        raise ProvisioningError(
            f"--months {months}: expected {SHORTEST_MONTHS} to {LONGEST_MONTHS}; the scoring itself looks back weeks."
        )
    if not reason.strip():
        raise ProvisioningError("--reason: say why, for the audit log.")
    with acting_for(connection, organisation):
        _all(connection, "set_rule", organisation=organisation, months=months, by=by, reason=reason)
        audit(connection, organisation, "retention_set", "observations", months=months, reason=reason)


def rule(connection: Connection, organisation: int) -> dict[str, Any]:
    """Give an organisation's rule, and up to when it has been carried out."""
    with acting_for(connection, organisation):
        return _all(connection, "rule", organisation=organisation)[0]


def apply(
    connection: Connection, *, dry_run: bool = False, progress: Callable[[int, int], None] = lambda *_: None
) -> Applied:
    """Carry out every organisation's rule, or say what that would delete.

    Parameters
    ----------
    connection : Connection
        Of role `ROLE`, outside a transaction; each chunk is a transaction of its own.
    progress : callable
        Told how many chunks are done, of how many.
    """
    with connection.transaction():
        rows = _all(connection, "planned" if dry_run else "move_on")
        before = {int(r["organisation_id"]): r["observations_from"] for r in rows}
        kept_from = _all(connection, "kept_from", memory=MEMORY)[0]["at"]
        chunks = _all(connection, "chunks", before=max(before.values())) if before else []
    whole = [c for c in chunks if kept_from is not None and c["end"] <= kept_from]
    in_part = chunks[len(whole) :]
    observations = 0
    for done, chunk in enumerate(in_part, 1):
        observations += _of_chunk(connection, chunk, before, dry_run=dry_run)
        progress(done, len(in_part))
    if dry_run or not before:
        return Applied(len(whole), observations, 0, before)
    with connection.transaction():
        if whole:
            connection.execute("select drop_observation_chunks(%s)", [whole[-1]["end"]])
        quarantined = _count(connection, "delete_quarantine")
        _all(connection, "applied")
        if whole or observations or quarantined:
            _all(connection, "audit", organisations=list(before))
    return Applied(len(whole), observations, quarantined, before)


def _of_chunk(connection: Connection, chunk: dict[str, Any], before: dict[int, datetime], *, dry_run: bool) -> int:
    parameters = {"begin": chunk["begin"], "end": chunk["end"], "memory": MEMORY}
    with connection.transaction():
        if not dry_run:
            return _count(connection, "delete_of_chunk", **parameters)
        cutoffs = json.dumps({str(number): at.isoformat() for number, at in before.items()})
        return int(_all(connection, "count_of_chunk", cutoffs=cutoffs, **parameters)[0]["count"])


def _all(connection: Connection, query: str, **parameters: Any) -> list[dict[str, Any]]:
    with connection.cursor(row_factory=dict_row) as cursor:
        cursor.execute(_QUERIES[query].encode(), parameters)
        return cursor.fetchall() if cursor.description else []


def _count(connection: psycopg.Connection[Any], query: str, **parameters: Any) -> int:
    return connection.execute(_QUERIES[query].encode(), parameters).rowcount

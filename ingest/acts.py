"""Which acts of people does the scoring have to know, and who is told when a pause ends?"""

from __future__ import annotations

from typing import LiteralString, cast

import numpy as np
import psycopg
from numpy.typing import NDArray
from psycopg_pool import ConnectionPool

from alerts.acts import Acts
from alerts.documents import rule_key
from ingest.episodes import tell_dashboards
from ingest.registry import Registry
from schemas import named_queries

MOST = 1_000
"""Patients in one transaction."""

_QUERIES = cast("dict[str, LiteralString]", named_queries.load("ingest", "acts.sql"))


def acts_of(connection: psycopg.Connection, patients: NDArray[np.int32]) -> Acts:
    """Give all that was done about these patients (ascending), whose states are locked."""
    found = connection.execute(_QUERIES["acts"], {"patients": patients.tolist()}, binary=True).fetchall()
    place = {patient: row for row, patient in enumerate(patients.tolist())} if found else {}
    return Acts.of(
        [(place[patient], since, until) for patient, since, until, rule in found if rule is None],
        [(place[patient], rule_key(rule), at) for patient, at, _, rule in found if rule is not None],
    )


def paused(connection: psycopg.Connection, patients: NDArray[np.int32], acts: Acts, now: int) -> NDArray[np.int64]:
    """Give the rows of those of whom nobody is told before the end of a pause, of patients whose states are locked.

    A pause that was settled meanwhile, however late this writer is, is not looked at again: what is raised is told now.
    """
    rows = acts.paused_after(now)
    if not len(rows):
        return rows
    found = connection.execute(_QUERIES["unsettled"], [patients[rows].tolist()]).fetchall()
    return rows[np.isin(patients[rows], [patient for (patient,) in found])]


def settle_pauses(pool: ConnectionPool, registry: Registry, now: int) -> int:
    """Queue notifications for what is active at the end of a pause and was told nobody; give how many pauses ended."""
    with pool.connection() as connection, connection.transaction():
        ended = connection.execute(_QUERIES["ended_pauses"], {"now": now, "most": MOST}, binary=True).fetchall()
        if not ended:
            return 0
        patients = np.unique(np.array([patient for (patient,) in ended], np.int32))
        connection.execute(_QUERIES["tell_after_pause"], {"patients": patients.tolist(), "now": now})
        tell_dashboards(connection, patients, registry, episodes=True)
    return len(ended)

"""Do the stored observations, scored again, give the stored alerts?

Everything of a group of patients is read in one consistent view, so that ingest may go on meanwhile: the observations
that were scored, the policy versions that were in force, up to which instant each patient has been scored, and the
episodes with their events. Nothing is written.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, LiteralString, cast

import numpy as np
import psycopg
from numpy.typing import NDArray
from psycopg.rows import dict_row
from psycopg_pool import ConnectionPool

from alerts.documents import rule_key
from alerts.episodes import EVENTS, PHASES, TRANSITION
from alerts.replay import EVENT, STANDING, Difference, compare, events_of, rerun, standings_of
from ingest.acts import acts_of
from ingest.rebuild import judged_from, observations_of, scored_until
from ingest.registry import Registry, RegistryKeeper
from ingest.stages import stages_of
from schemas import named_queries

GROUP = 50
"""Patients in one view."""

_QUERIES = cast("dict[str, LiteralString]", named_queries.load("ingest", "replay.sql"))


class ReplayError(Exception):
    """There is nothing to replay; the message says what to name instead."""


@dataclass
class Replayed:
    """What was compared, and what did not agree, by patient."""

    patients: int = 0
    episodes: int = 0
    transitions: int = 0
    differences: list[tuple[int, Difference]] = field(default_factory=list)


def replay_all(pool: ConnectionPool, since: int, progress: Callable[[int, int], None] = lambda *_: None) -> Replayed:
    """Compare everything that happened at or after ``since`` (microseconds UTC).

    Parameters
    ----------
    pool : ConnectionPool
        Of the ingest role.
    progress : callable
        Told how many patients are done, of how many.
    """
    registry = RegistryKeeper(pool).read_again()
    with pool.connection() as connection:
        patients = [int(p) for (p,) in connection.execute(_QUERIES["all_patients"]).fetchall()]
    found = Replayed()
    for start in range(0, len(patients), GROUP):
        group = patients[start : start + GROUP]
        with _one_view(pool) as connection:
            _replay(connection, registry, group, found, lambda events: events["at"] >= since)
        progress(start + len(group), len(patients))
    return found


def replay_episode(pool: ConnectionPool, episode_id: int) -> tuple[dict[str, Any], Replayed]:
    """Compare one episode; give also what is stored to explain it."""
    registry = RegistryKeeper(pool).read_again()
    with _one_view(pool) as connection:
        with connection.cursor(row_factory=dict_row) as cursor:
            explained = cursor.execute(_QUERIES["explained"], [episode_id]).fetchone()
        if explained is None:
            raise ReplayError(f"There is no episode {episode_id}; the dashboard shows each one's number.")
        ((patient, rule, opened),) = connection.execute(_QUERIES["patient_of_episode"], [episode_id]).fetchall()
        found, key = Replayed(), rule_key(rule)
        _replay(connection, registry, [patient], found, lambda r: (r["rule"] == key) & (r["opened_at"] == opened))
    return explained, found


@contextmanager
def _one_view(pool: ConnectionPool) -> Iterator[psycopg.Connection]:
    """Give a connection on which everything is read as of one instant."""
    with pool.connection() as connection, connection.transaction():
        connection.execute("set transaction isolation level repeatable read, read only")
        yield connection


def _replay(
    connection: psycopg.Connection,
    registry: Registry,
    group: Sequence[int],
    found: Replayed,
    wanted: Callable[[NDArray[np.void]], Any],
) -> None:
    patients = np.array(sorted(group), np.int32)
    until = np.zeros(len(patients), np.int64)
    for patient, record, updated_at in connection.execute(_QUERIES["records"], [patients.tolist()], binary=True):
        until[np.searchsorted(patients, patient)] = scored_until(record, updated_at)
    stages, bank = stages_of(connection, registry, patients, until)
    batch, rows = observations_of(connection, patients)
    transitions = np.zeros(0, TRANSITION)
    if stages:
        transitions = rerun(rows, batch, len(patients), stages, bank, acts_of(connection, patients)).transitions
    names = {rule_key(r.name): r.name for policy in bank.policies for r in policy.rules}
    stored_events = stored_events_of(connection, patients, names)
    stored_standings = stored_standings_of(connection, patients, stored_events)
    ours = (events_of(transitions), standings_of(transitions))
    since = judged_from(connection, patients)

    def chosen(records: NDArray[np.void]) -> NDArray[np.void]:
        found: NDArray[np.void] = records[wanted(records) & (records["opened_at"] >= since[records["row"]])]
        return found

    events, standings = ((chosen(x), chosen(y)) for x, y in zip((stored_events, stored_standings), ours, strict=True))
    differences = compare((events[0], standings[0]), (events[1], standings[1]), names)
    found.patients += len(patients)
    found.transitions += len(events[0])
    found.episodes += len(standings[0])
    found.differences += [(int(patients[d.key[0]]), d) for d in differences]


def stored_events_of(
    connection: psycopg.Connection, patients: NDArray[np.int32], names: dict[int, str]
) -> NDArray[np.void]:
    code = {str(event): number for number, event in enumerate(EVENTS)}
    rows = connection.execute(_QUERIES["events"], [patients.tolist()]).fetchall()
    events = np.zeros(len(rows), EVENT)
    for place, (patient, rule, opened, at, kind, severity, value) in enumerate(rows):
        key = rule_key(rule)
        names.setdefault(key, rule)
        row = np.searchsorted(patients, patient)
        events[place] = (row, key, opened, at, code[kind], severity, np.nan if value is None else value)
    return events


def stored_standings_of(
    connection: psycopg.Connection, patients: NDArray[np.int32], events: NDArray[np.void]
) -> NDArray[np.void]:
    code = {str(phase): number for number, phase in enumerate(PHASES)}
    last = {(int(e["row"]), int(e["rule"]), int(e["opened_at"])): int(e["at"]) for e in events}
    rows = connection.execute(_QUERIES["episodes"], [patients.tolist()]).fetchall()
    standings = np.zeros(len(rows), STANDING)
    for place, (patient, rule, opened, activated, phase, severity, peak, _) in enumerate(rows):
        key = (int(np.searchsorted(patients, patient)), rule_key(rule), opened)
        standings[place] = (*key, activated, last.get(key, 0), code[phase], severity, peak)
    return standings

"""How do the core's transitions become episodes, their events, and jobs for the notifier?"""

from __future__ import annotations

import json
import zlib
from collections.abc import Sequence
from typing import Any

import numpy as np
import psycopg
from numpy.typing import NDArray

from alerts import explain
from alerts.episodes import ACTIVATED, EVENTS, PHASES, SEVERITY
from alerts.evaluate import Evaluation
from alerts.state import ACTIVE, PENDING, RESOLVED, WITHDRAWN
from ingest.registry import Registry
from ingest.sql import QUERIES

_Key = tuple[int, int, int]


def write_episodes(
    connection: psycopg.Connection,
    evaluation: Evaluation,
    patients: NDArray[np.int32],
    registry: Registry,
    unpaged: NDArray[np.integer[Any]],
) -> list[int]:
    """Write what happened, inside the caller's transaction, and give the severities of episodes that activated.

    ``patients`` are the patient of each row of the call; ``unpaged`` are the rows of whom nobody is notified:
    history is imported, or the patient is paused.
    """
    if not len(evaluation.episodes) and not len(evaluation.transitions):
        return []
    names = _Names(connection, registry)
    # an episode that only resolved keeps the reason it has
    reasons = {_key(t): t for t in evaluation.reasons}
    rows = [
        _episode_row(episode, reasons.get(_key(episode)), patients, registry, names) for episode in evaluation.episodes
    ]
    ids = dict(zip(map(_key, evaluation.episodes), _upsert(connection, rows), strict=True))
    standing = [t for t in evaluation.transitions if not t["retracted"] and _key(t) in ids]
    retracted = [t for t in evaluation.transitions if t["retracted"] and _key(t) in ids]
    _retract_events(connection, retracted, ids)
    _write_events(connection, standing, ids, patients, registry)
    fallen_silent = _fallen_silent(evaluation, registry)
    again = _wait_again(connection, evaluation.episodes, standing, ids, set(fallen_silent))
    quiet = set(unpaged.tolist())
    telling = [t for t in standing if t["row"] not in quiet and _is_told(t, fallen_silent)]
    _write_jobs(connection, telling, ids, patients, registry, again)
    told = {_instant(t) for t in retracted}
    return [int(t["severity"]) for t in standing if t["kind"] == ACTIVATED and _instant(t) not in told]


def unexplained(evaluation: Evaluation) -> list[int]:
    """Give the rows of whom an episode lost the reason with which it stood to one from before the snapshot.

    Nothing that was scored again knows that one: `ingest.correction` finds it.
    """
    raised = np.isin(evaluation.transitions["phase"], (PENDING, ACTIVE)) & evaluation.transitions["retracted"]
    lost = {_key(t) for t in evaluation.transitions[raised]} - {_key(t) for t in evaluation.reasons}
    standing = evaluation.episodes[evaluation.episodes["phase"] != WITHDRAWN]
    return sorted({int(e["row"]) for e in standing if _key(e) in lost})


def _key(transition: np.void) -> _Key:
    return int(transition["row"]), int(transition["rule"]), int(transition["opened_at"])


def _instant(transition: np.void) -> tuple[_Key, int, int, int]:
    """Give what makes an event the same one, although another value may have led to it."""
    return _key(transition), int(transition["kind"]), int(transition["at"]), int(transition["severity"])


class _Names:
    """The name of each rule; one that its policy has no more is looked up with its episode."""

    def __init__(self, connection: psycopg.Connection, registry: Registry) -> None:
        self._connection, self._bank = connection, registry.bank

    def of(self, transition: np.void, patient: int) -> str:
        rule = explain.rule_of(self._bank.policies[transition["policy"]], transition)
        if rule is not None:
            return rule.name
        known = self._connection.execute(QUERIES["episode_rules"], [patient, int(transition["opened_at"])]).fetchall()
        key = int(transition["rule"])
        return next((name for (name,) in known if zlib.crc32(name.encode()) == key), f"rule_{key}")


def _episode_row(
    episode: np.void, reason: np.void | None, patients: NDArray[np.int32], registry: Registry, names: _Names
) -> dict[str, Any]:
    patient = int(patients[episode["row"]])
    policy = registry.bank.policies[episode["policy"]]
    resolved = int(episode["at"]) if episode["phase"] == RESOLVED else 0
    phase = PHASES[episode["phase"]]
    return {
        "organisation": int(registry.patient_organisation[patient]),
        "patient": patient,
        "policy": policy.policy_id,
        "rule": names.of(episode, patient),
        "opened": int(episode["opened_at"]),
        "activated": int(episode["activated_at"]),
        "resolved": resolved,
        "phase": phase.value if phase else "",
        "severity": int(episode["severity"]),
        "peak": int(episode["peak"]),
        "retrospective": bool(episode["retrospective"]),
        "sentence": "" if reason is None else explain.sentence(policy, reason),
        "explanation": "{}" if reason is None else json.dumps(explain.explanation(policy, reason)),
    }


def _upsert(connection: psycopg.Connection, rows: Sequence[dict[str, Any]]) -> list[int]:
    """Insert or update the episodes and give their ids, in the order of the rows."""
    if not rows:
        return []
    columns = {name: [row[name] for row in rows] for name in rows[0]}
    found = connection.execute(QUERIES["write_episodes"], columns, binary=True).fetchall()
    ids = {(patient, rule, opened): episode for patient, rule, opened, episode in found}
    return [ids[row["patient"], row["rule"], row["opened"]] for row in rows]


def _retract_events(connection: psycopg.Connection, retracted: Sequence[np.void], ids: dict[_Key, int]) -> None:
    """Mark what turned out not to have happened so."""
    if retracted:
        rows = [(ids[_key(t)], EVENTS[t["kind"]], int(t["at"]), int(t["severity"])) for t in retracted]
        with connection.cursor() as cursor:
            cursor.executemany(QUERIES["retract_event"], rows)


def _write_events(
    connection: psycopg.Connection,
    standing: Sequence[np.void],
    ids: dict[_Key, int],
    patients: NDArray[np.int32],
    registry: Registry,
) -> None:
    rows = []
    for t in standing:
        patient, kind = int(patients[t["row"]]), EVENTS[t["kind"]]
        organisation = int(registry.patient_organisation[patient])
        name = kind.value if kind else ""
        rows.append((organisation, ids[_key(t)], patient, name, int(t["at"]), int(t["severity"]), float(t["value"])))
    if rows:
        connection.execute(QUERIES["write_events"], _columns(rows))


def _columns(rows: Sequence[tuple[Any, ...]]) -> list[list[Any]]:
    return [list(column) for column in zip(*rows, strict=True)]


def _fallen_silent(evaluation: Evaluation, registry: Registry) -> dict[_Key, int]:
    """Find the overdue episodes of a part that have become ones of everything and stand so; give since when.

    What was taken on then was one silent device: total silence is other news, although no more severe. A late
    observation that only moves the instant of a total silence is none.
    """
    whole = [
        t
        for t in evaluation.transitions
        if t["kind"] == SEVERITY and explain.is_all_silent(registry.bank.policies[t["policy"]], t)
    ]
    known = {_key(t) for t in whole if t["retracted"]}
    since = {_key(t): int(t["at"]) for t in whole if not t["retracted"] and _key(t) not in known}
    stands = {_key(e) for e in evaluation.episodes if e["phase"] == ACTIVE and e["at"] == since.get(_key(e))}
    return {key: at for key, at in since.items() if key in stands}


def _is_told(transition: np.void, fallen_silent: dict[_Key, int]) -> bool:
    """Say whether a transition may be notified; on the way to a total silence, only that itself is."""
    at = fallen_silent.get(_key(transition))
    return bool(transition["kind"] != SEVERITY or at is None or at == transition["at"])


def _wait_again(
    connection: psycopg.Connection,
    episodes: NDArray[np.void],
    standing: Sequence[np.void],
    ids: dict[_Key, int],
    fallen_silent: set[_Key],
) -> set[int]:
    """Let episodes that rose above what somebody took on, or put off, wait; give which.

    So do those whose condition is back, and those that have ``fallen_silent`` altogether.
    """
    renewed = {_key(t) for t in standing if _is_renewed(t)} | fallen_silent
    changed = {_key(t) for t in standing if t["kind"] == SEVERITY} | renewed
    active = [(_key(e), int(e["severity"])) for e in episodes if e["phase"] == ACTIVE]
    risen = [(ids[key], severity, key in renewed) for key, severity in active if key in changed]
    if not risen:
        return set()
    found = connection.execute(QUERIES["wait_again"], _columns(risen)).fetchall()
    return {episode for (episode,) in found}


def _is_renewed(transition: np.void) -> bool:
    """Say whether a latched episode's condition was over and is back."""
    return bool(transition["kind"] == ACTIVATED and transition["at"] != transition["activated_at"])


def _write_jobs(
    connection: psycopg.Connection,
    standing: Sequence[np.void],
    ids: dict[_Key, int],
    patients: NDArray[np.int32],
    registry: Registry,
    again: set[int],
) -> None:
    """Queue a notification for what activated, became worse than ever or waits again, while it is actionable."""
    rows = []
    for t in standing:
        episode, severity = ids[_key(t)], int(t["severity"])
        worse = t["kind"] == ACTIVATED or (t["kind"] == SEVERITY and (t["severity"] == t["peak"] or episode in again))
        if worse and not t["retrospective"]:
            organisation = int(registry.patient_organisation[patients[t["row"]]])
            since = int(t["at"] if episode in again or _is_renewed(t) else t["activated_at"])
            rows.append((organisation, episode, f"{episode}:{severity}:{since}", severity))
    if rows:
        connection.execute(QUERIES["write_jobs"], _columns(rows))


def tell_dashboards(
    connection: psycopg.Connection, patients: NDArray[np.int32], registry: Registry, *, episodes: bool
) -> None:
    """Announce on ``homeward_live`` which patients have something new, when the transaction commits."""
    payloads = []
    organisation = registry.patient_organisation[patients]
    for one in np.unique(organisation):
        theirs = patients[organisation == one].tolist()
        payload: dict[str, Any] = {"organisation": int(one), "episodes": episodes}
        if len(theirs) <= MOST_NAMED:
            payload["patients"] = theirs
        payloads.append(json.dumps(payload))
    if payloads:
        connection.execute(QUERIES["tell_dashboards"], [payloads])


MOST_NAMED = 500
"""Patients in one announcement: its payload may not be longer than 8,000 bytes."""

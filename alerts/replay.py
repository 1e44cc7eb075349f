"""Does the core, run again over the stored observations, say what was said at the time?

`rerun` takes patients through their whole history, policy version after policy version; `compare` lays what it says
beside what the store has, byte for byte, and puts every difference into a sentence.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import numpy as np
from numpy.typing import NDArray

from alerts.acts import NO_ACTS, Acts
from alerts.bank import PolicyBank
from alerts.episodes import EVENTS, GONE, PHASES, TRANSITION
from alerts.evaluate import evaluate
from alerts.run import Snapshots
from alerts.schedule import NEVER
from alerts.state import initial, take
from schemas.observation import ObservationBatch

EVENT = np.dtype(
    [
        ("row", "<i4"),
        ("rule", "<u4"),
        ("opened_at", "<i8"),
        ("at", "<i8"),
        ("kind", "u1"),
        ("severity", "u1"),
        ("value", "<f8"),
    ]
)
"""What is compared of a transition: everything that an event in an episode's history keeps."""

STANDING = np.dtype(
    [
        ("row", "<i4"),
        ("rule", "<u4"),
        ("opened_at", "<i8"),
        ("activated_at", "<i8"),
        ("at", "<i8"),
        ("phase", "u1"),
        ("severity", "u1"),
        ("peak", "u1"),
    ]
)
"""What is compared of an episode: how it stands after its last transition, which is at ``at``."""

Key = tuple[int, int, int]
"""An episode: row, rule and opened_at."""


@dataclass(frozen=True)
class Stage:
    """A span in which each of S patients was scored by one policy.

    Attributes
    ----------
    rows : int array, shape (S,)
    people : array of PERSON, shape (S,)
    since, until : int64 arrays, shape (S,)
        The first instant of the span and the last.
    clock_at : int64 array, shape (S,)
        Timers had been fired up to here; an observation may be later, where a device's clock is ahead.
    """

    rows: NDArray[np.intp]
    people: NDArray[np.void]
    since: NDArray[np.int64]
    until: NDArray[np.int64]
    clock_at: NDArray[np.int64]


@dataclass(frozen=True)
class Difference:
    """Something that the store and the replay do not agree on."""

    key: Key
    sentence: str


@dataclass(frozen=True)
class Rerun:
    """What P patients come to when they are scored from nothing.

    Attributes
    ----------
    machines : array of MACHINE, shape (P,)
    transitions : array of TRANSITION, shape (T,)
    flags : int16 array, shape (N,)
        The observations' flags with those that the core found.
    snapshots : Snapshots
    next_due_at : int64 array, shape (P,)
    """

    machines: NDArray[np.void]
    transitions: NDArray[np.void]
    flags: NDArray[np.int16]
    snapshots: Snapshots
    next_due_at: NDArray[np.int64]


def rerun(
    rows: NDArray[np.intp],
    batch: ObservationBatch,
    patients: int,
    stages: Sequence[Stage],
    bank: PolicyBank,
    acts: Acts = NO_ACTS,
) -> Rerun:
    """Run P patients from nothing through their stages, each patient's in the order of time.

    Parameters
    ----------
    rows : int array, shape (N,)
        Whose each observation is.
    batch : ObservationBatch of N
        Everything that was scored, without the flags that the core gives.
    acts : Acts
        What people did about them.
    """
    machines, found = initial(patients), [np.zeros(0, TRANSITION)]
    flags, due, kept = batch.flags.copy(), np.full(patients, NEVER), list[Snapshots]()
    for stage in stages:
        place = np.full(patients, -1, np.intp)
        place[stage.rows] = np.arange(len(stage.rows))
        since, until = np.zeros(patients, np.int64), np.full(patients, -1)
        since[stage.rows], until[stage.rows] = stage.since, stage.until
        theirs = np.flatnonzero((batch.observed_at >= since[rows]) & (batch.observed_at <= until[rows]))
        start = take(machines, stage.rows)
        start["clock_at"] = stage.clock_at
        theirs_acts = acts.of_rows(stage.rows, patients)
        evaluation = evaluate(start, place[rows[theirs]], batch.take(theirs), bank, stage.people, 0, acts=theirs_acts)
        machines[stage.rows], due[stage.rows] = evaluation.machines, evaluation.next_due_at
        flags[theirs] = evaluation.flags
        transitions, shots = evaluation.transitions, evaluation.snapshots
        transitions["row"] = stage.rows[transitions["row"]]
        found.append(transitions)
        kept.append(Snapshots(stage.rows[shots.row], shots.at, shots.fine, shots.machines))
    whole = np.concatenate(found)
    whole = whole[np.lexsort((whole["rule"], whole["at"], whole["row"]))]
    return Rerun(machines, whole, flags, _together(kept), due)


def _together(kept: Sequence[Snapshots]) -> Snapshots:
    row, at, fine = (np.concatenate([getattr(k, name) for k in kept]) for name in ("row", "at", "fine"))
    return Snapshots(row, at, fine, np.concatenate([k.machines for k in kept]))


def events_of(transitions: NDArray[np.void]) -> NDArray[np.void]:
    """Give what events would be stored, shape (T,)."""
    kept = transitions[(transitions["kind"] != 0) & (transitions["kind"] != GONE)]
    events = np.zeros(len(kept), EVENT)
    for name in EVENT.names or ():
        events[name] = kept[name]
    return events


def as_said(events: NDArray[np.void], standings: NDArray[np.void], policy: NDArray[np.int32]) -> NDArray[np.void]:
    """Turn stored events back into transitions, as far as they are stored; ``policy``, shape (P,), is by row."""
    said = np.zeros(len(events), TRANSITION)
    for name in EVENT.names or ():
        said[name] = events[name]
    said["policy"] = policy[events["row"]]
    stands = {_key(s): s for s in standings}
    for place, event in enumerate(events):
        if (standing := stands.get(_key(event))) is not None:
            said[place]["activated_at"], said[place]["peak"] = standing["activated_at"], standing["peak"]
    return said


def standings_of(transitions: NDArray[np.void]) -> NDArray[np.void]:
    """Give how each episode stands after its last transition, shape (E,)."""
    last = {_key(t): t for t in transitions}
    standings = np.zeros(len(last), STANDING)
    for name in STANDING.names or ():
        standings[name] = [t[name] for t in last.values()]
    return standings


def compare(
    stored: tuple[NDArray[np.void], NDArray[np.void]],
    replayed: tuple[NDArray[np.void], NDArray[np.void]],
    names: dict[int, str],
) -> list[Difference]:
    """Lay events and standings of the store beside those of a replay; give a sentence for each difference.

    Parameters
    ----------
    stored, replayed : pairs of arrays of EVENT and of STANDING
    names : dict of rule key → name
    """
    found = []
    for kind, (theirs, ours) in enumerate(zip(stored, replayed, strict=True)):
        before, after = _by_bytes(theirs), _by_bytes(ours)
        words = _event_words if kind == 0 else _standing_words
        found += [_one(before[k], "the store has, the replay has not", words, names) for k in before.keys() - after]
        found += [_one(after[k], "the replay has, the store has not", words, names) for k in after.keys() - before]
    return sorted(found, key=lambda d: (d.key, d.sentence))


def _one(record: np.void, who: str, words: object, names: dict[int, str]) -> Difference:
    key = _key(record)
    rule = names.get(key[1], f"rule {key[1]}")
    assert callable(words)
    return Difference(key, f"{rule}, opened {_clock(key[2])}: {who} {words(record)}.")


def _event_words(event: np.void) -> str:
    value = "no value" if np.isnan(event["value"]) else f"value {float(event['value'])!r}"
    return f"{EVENTS[event['kind']]} at {_clock(event['at'])} with severity {event['severity']} and {value}"


def _standing_words(standing: np.void) -> str:
    return (
        f"it as {PHASES[standing['phase']]} since {_clock(standing['at'])}, activated "
        f"{_clock(standing['activated_at'])}, severity {standing['severity']}, at its worst {standing['peak']}"
    )


def _key(record: np.void) -> Key:
    return int(record["row"]), int(record["rule"]), int(record["opened_at"])


def _by_bytes(records: NDArray[np.void]) -> dict[bytes, np.void]:
    """Index records by their bytes; the n-th of equal ones by its number as well."""
    found: dict[bytes, np.void] = {}
    for record in records:
        key = record.tobytes()
        while key in found:
            key += b"+"
        found[key] = record
    return found


def _clock(at: int) -> str:
    # exactly: a float of seconds would lose microseconds
    return "never" if at == 0 else (datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=int(at))).isoformat()

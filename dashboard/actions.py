"""What does a person do here, and what does each act write?

An act is one transaction: its rows, an event in the episode's history, an entry in the audit log, and the word to every
browser that something changed. Where two people take the same episode on, the first has it and the second is told so.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import psycopg

from dashboard import audit, identity, store
from dashboard.identity import Person
from dashboard.permissions import Permission, require
from schemas.episode import Event, Phase

FILE = "actions.sql"
LONGEST_NOTE = 4000
MOST_AT_ONCE = 500
LONGEST_SNOOZE = timedelta(days=7)
CALL_OUTCOMES = {"spoke": "Spoke to somebody.", "no_answer": "No answer.", "message": "Left a message."}
_ACKNOWLEDGEABLE = (Phase.ACTIVE, Phase.RESOLVED)


class InvalidActionError(ValueError):
    """What was asked for cannot be done as it stands; the message says what to change."""


class NotThereError(LookupError):
    """What was named is not there for this person; the message says what."""


@dataclass(frozen=True)
class Held:
    """An episode that somebody has taken on already."""

    episode_id: int
    by: str
    account_id: int
    at: datetime


@dataclass(frozen=True)
class Outcome:
    """What became of each episode: done now, held by somebody, or not there for this person."""

    done: tuple[int, ...]
    held: tuple[Held, ...]
    missing: tuple[int, ...]


async def acknowledge(episode_ids: Iterable[int], note: str = "") -> Outcome:
    """Take episodes on for the person at work; those that somebody else holds stay with them."""
    return await _act(Event.ACKNOWLEDGED, "acknowledge", episode_ids, note, _is_free)


async def release(episode_ids: Iterable[int], note: str = "") -> Outcome:
    """Let go of episodes that the person at work holds, so that they wait for somebody again."""
    person = identity.current()
    return await _act(Event.RELEASED, "release", episode_ids, note, lambda row: _is_own(row, person))


async def take_over(episode_ids: Iterable[int], holder: int, note: str = "") -> Outcome:
    """Take episodes over from a colleague who holds them; where somebody else was quicker, it stays with them."""
    person = identity.current()

    def is_theirs(row: dict[str, Any]) -> bool:
        return row["acknowledged_by"] == holder != person.account_id and row["phase"] in _ACKNOWLEDGEABLE

    return await _act(Event.ACKNOWLEDGED, "acknowledge", episode_ids, note, is_theirs, taken_from=holder)


async def snooze(episode_ids: Iterable[int], until: datetime, note: str = "") -> Outcome:
    """Put active episodes off until an instant; they wait again then, or as soon as one becomes more severe."""
    now = datetime.now(UTC)
    if until.tzinfo is None or not now < until <= now + LONGEST_SNOOZE:
        raise InvalidActionError(
            f"An episode is snoozed until a time with its zone within the next {LONGEST_SNOOZE.days} days."
        )
    return await _act(Event.SNOOZED, "snooze", episode_ids, note, _is_active, until=until)


async def resume(episode_ids: Iterable[int], note: str = "") -> Outcome:
    """End the snooze of episodes before its time."""
    return await _act(Event.RESUMED, "resume", episode_ids, note, lambda row: bool(row["is_snoozed"]))


async def add_note(patient_id: int, body: str, episode_id: int | None = None, key: str | None = None) -> int | None:
    """Write a note about a patient, and on an episode where one is named; ``None`` where the person sees no such.

    What comes again with the ``key`` of a note that is there is that note.
    """
    person = identity.current()
    require(person, Permission.WRITE_NOTES)
    body = checked_note(body)
    if not body:
        raise InvalidActionError("A note needs some text.")
    return await _write_note(person, patient_id, body, episode_id=episode_id, key=key)


async def record_call(patient_id: int, outcome: str, body: str = "") -> int | None:
    """Record that somebody was called about a patient, and what came of it; ``None`` where there is no such patient."""
    person = identity.current()
    require(person, Permission.WRITE_NOTES)
    if outcome not in CALL_OUTCOMES:
        raise InvalidActionError(f"A call has one of these outcomes: {', '.join(CALL_OUTCOMES)}.")
    return await _write_note(person, patient_id, checked_note(body) or CALL_OUTCOMES[outcome], outcome=outcome)


async def _write_note(
    person: Person,
    patient_id: int,
    body: str,
    *,
    episode_id: int | None = None,
    outcome: str = "",
    key: str | None = None,
) -> int | None:
    async with store.transaction() as connection:
        if not await _run(connection, "visible_patient", patient=patient_id):
            return None
        if episode_id is not None:
            locked = await _run(connection, "lock_episodes", episodes=[episode_id])
            if not locked or locked[0]["patient_id"] != patient_id:
                return None
        written = await _run(
            connection,
            "add_note",
            organisation=person.organisation_id,
            patient=patient_id,
            account=person.account_id,
            body=body,
            key=key,
            kind="call" if outcome else "note",
            outcome=outcome,
        )
        if not written:
            known = await _run(connection, "note_with_key", patient=patient_id, key=key)
            return int(known[0]["note_id"])
        if episode_id is not None:
            await _add_events(connection, person, Event.NOTED, [episode_id], body)
        note_id: int = written[0]["note_id"]
        what = "call_recorded" if outcome else "note_written"
        await audit.write(connection, person, what, f"patient/{patient_id}", note=note_id, episode=episode_id)
        await _tell_browsers(connection, person, [patient_id], episodes=episode_id is not None)
    return note_id


def checked_note(text: str) -> str:
    """Tidy the text of a note; raises `InvalidActionError` where it is too long or not text."""
    tidy = text.strip()
    if len(tidy) > LONGEST_NOTE:
        raise InvalidActionError(f"A note has at most {LONGEST_NOTE} characters; this one has {len(tidy)}.")
    if "\0" in tidy:
        raise InvalidActionError("A note is text; this one has a character that is none.")
    return tidy


async def _act(
    event: Event,
    statement: str,
    episode_ids: Iterable[int],
    note: str,
    may_take: Callable[[dict[str, Any]], bool],
    taken_from: int | None = None,
    **given: datetime,
) -> Outcome:
    person = identity.current()
    require(person, Permission.ACKNOWLEDGE)
    note = checked_note(note)
    wanted = sorted(set(episode_ids))
    if len(wanted) > MOST_AT_ONCE:
        raise InvalidActionError(f"At most {MOST_AT_ONCE} episodes at once; these are {len(wanted)}.")
    async with store.transaction() as connection:
        found = await _run(connection, "lock_episodes", episodes=wanted)
        taken = [row for row in found if may_take(row)]
        if taken:
            if taken_from is not None:
                note = await _told_from(connection, taken_from, note)
            await _take(connection, person, event, statement, taken, note, **given)
        held = await _held(connection, [row for row in found if row not in taken])
    done = tuple(row["episode_id"] for row in taken)
    known = {*done, *(h.episode_id for h in held)}
    return Outcome(done, held, tuple(e for e in wanted if e not in known))


async def _told_from(connection: psycopg.AsyncConnection[Any], holder: int, note: str) -> str:
    """Put before a note from whom something was taken over, so that the history says it."""
    names = await _run(connection, "names", accounts=[holder])
    return f"Taken over from {names[0]['name']}. {note}".strip() if names else note


async def _take(
    connection: psycopg.AsyncConnection[Any],
    person: Person,
    event: Event,
    statement: str,
    taken: Sequence[dict[str, Any]],
    note: str,
    **given: datetime,
) -> None:
    episodes = [row["episode_id"] for row in taken]
    await _run(connection, statement, episodes=episodes, account=person.account_id, **given)
    await _add_events(connection, person, event, episodes, note)
    for row in taken:
        await audit.write(
            connection,
            person,
            f"episode_{event}",
            f"episode/{row['episode_id']}",
            patient=row["patient_id"],
            **{name: at.isoformat() for name, at in given.items()},
        )
    await _tell_browsers(connection, person, [row["patient_id"] for row in taken], episodes=True)


def _is_free(row: dict[str, Any]) -> bool:
    return row["phase"] in _ACKNOWLEDGEABLE and row["acknowledged_by"] is None


def _is_active(row: dict[str, Any]) -> bool:
    return bool(row["phase"] == Phase.ACTIVE)


def _is_own(row: dict[str, Any], person: Person) -> bool:
    return bool(row["acknowledged_by"] == person.account_id)


async def _held(connection: psycopg.AsyncConnection[Any], rows: Sequence[dict[str, Any]]) -> tuple[Held, ...]:
    """Say who holds the episodes that could not be taken; one that nobody holds is not open to be taken at all."""
    rows = [row for row in rows if row["acknowledged_by"] is not None]
    found = await _run(connection, "names", accounts=[row["acknowledged_by"] for row in rows]) if rows else []
    names = {row["account_id"]: row["name"] for row in found}
    return tuple(
        Held(row["episode_id"], names[row["acknowledged_by"]], row["acknowledged_by"], row["acknowledged_at"])
        for row in rows
    )


async def _add_events(
    connection: psycopg.AsyncConnection[Any], person: Person, event: Event, episodes: Sequence[int], note: str
) -> None:
    await _run(
        connection, "add_events", kind=event.value, account=person.account_id, episodes=list(episodes), note=note
    )


async def _tell_browsers(
    connection: psycopg.AsyncConnection[Any], person: Person, patients: Iterable[int], *, episodes: bool
) -> None:
    payload = {"organisation": person.organisation_id, "patients": sorted(set(patients)), "episodes": episodes}
    await _run(connection, "tell_browsers", payload=json.dumps(payload))


async def _run(connection: psycopg.AsyncConnection[Any], name: str, **parameters: Any) -> list[dict[str, Any]]:
    return await store.rows(connection, store.queries(FILE)[name], **parameters)

"""What comes of what somebody does on the triage list: to one patient or to several, and who is told what?

A page sends one act as plain values; the answer says for each patient what happened, in words for the screen.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from dashboard import actions, resets
from dashboard.actions import InvalidActionError, Outcome
from dashboard.permissions import NotPermittedError
from dashboard.store import fetch_from
from dashboard.text import resets as reset_words
from dashboard.text import triage as words
from dashboard.wording import full_name

KINDS = ("acknowledge", "take_over", "release", "snooze", "resume", "reset", "note", "call")


async def perform(given: Mapping[str, Any]) -> dict[str, Any]:
    """Do what was asked and say what came of it: ``words`` for one line, ``lines`` for each patient, ``done``."""
    try:
        kind, note = str(given["kind"]), str(given.get("note") or "")
        if kind in ("note", "call"):
            return await _written(kind, int(given["patient"]), note, str(given.get("outcome") or ""))
        ids = [int(e) for e in given.get("episodes") or ()]
        outcome = await _on_episodes(kind, ids, note, given)
    except (NotPermittedError, InvalidActionError) as exc:
        return _said(str(exc), done=False)
    except (KeyError, TypeError, ValueError, OverflowError):
        return _said(words.NOT_OPEN, done=False)
    return await _told(kind, ids, outcome)


async def _on_episodes(kind: str, ids: Sequence[int], note: str, given: Mapping[str, Any]) -> Outcome:
    if kind == "acknowledge":
        return await actions.acknowledge(ids, note)
    if kind == "take_over":
        return await actions.take_over(ids, int(given["holder"]), note)
    if kind == "release":
        return await actions.release(ids, note)
    if kind == "resume":
        return await actions.resume(ids, note)
    if kind == "snooze":
        return await actions.snooze(ids, datetime.now(UTC) + timedelta(minutes=int(given["minutes"])), note)
    if kind == "reset":
        return await _reset(ids, note)
    raise InvalidActionError(f"An act is one of {', '.join(KINDS)}.")


async def _reset(ids: Sequence[int], note: str) -> Outcome:
    """Let go of latched episodes, each by itself; whichever does not wait for that is said to be missing."""
    if not note.strip():
        raise InvalidActionError(reset_words.REASON_EMPTY)
    done = tuple([e for e in ids if await resets.reset(e, note)])
    return Outcome(done, (), tuple(e for e in ids if e not in done))


async def _written(kind: str, patient: int, body: str, outcome: str) -> dict[str, Any]:
    if kind == "note" and not body.strip():
        return _said(words.NOTE_EMPTY, done=False)
    written = await (actions.record_call(patient, outcome, body) if kind == "call" else actions.add_note(patient, body))
    if written is None:
        return _said(words.NO_SUCH_PATIENT, done=False)
    return _said(words.CALL_SAVED if kind == "call" else words.NOTE_SAVED)


async def _told(kind: str, ids: Sequence[int], outcome: Outcome) -> dict[str, Any]:
    """Name the patients: one line for those who were done, one for each who was not."""
    known = {r["episode_id"]: r for r in await fetch_from("triage.sql", "names_of_episodes", episodes=list(ids))}

    def names(episodes: Sequence[int]) -> list[str]:
        found = [full_name(known[e]["given_name"], known[e]["family_name"]) for e in episodes if e in known]
        return list(dict.fromkeys(found))

    done = names(outcome.done)
    lines = [f"{words.DONE[kind]}: {', '.join(done)}."] if done else []
    already: dict[str, list[int]] = {}
    for held in outcome.held:
        already.setdefault(held.by, []).append(held.episode_id)
    for by, episodes in already.items():
        lines.append(f"{', '.join(names(episodes))} {words.HELD_BY} {by}.")
    if outcome.missing:
        who = names(outcome.missing)
        lines.append(f"{', '.join(who) if who else 'It'} {words.NOT_OPEN}.")
    return {"words": " ".join(lines), "lines": lines, "done": not outcome.held and not outcome.missing}


def _said(line: str, *, done: bool = True) -> dict[str, Any]:
    return {"words": line, "lines": [line], "done": done}

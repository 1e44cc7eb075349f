"""What waits in quarantine, and what does a person do with it here: look, assign a device, discard?

Trying again is ingest's, because only its role may write observations. Every act is one transaction with its entry in
the audit log, and takes a bounded number of messages.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import psycopg

from dashboard import audit, identity, looks, store
from dashboard.identity import Person
from dashboard.permissions import Permission, may, require

FILE = "quarantine.sql"
AT_ONCE = 500
CAUSES = 100
PREVIEWS = 3
PREVIEW_BYTES = 2000
LONGEST_NOTE = 400
# a string as a whole, and whether it is a name; each character is looked at once, whoever made the payload
_STRING = re.compile(r'"(?:[^"\\]|\\[\s\S])*+(?:"(\s*+:)?|\\?\Z)')
# what people write freely, or are called: FHIR's and a text message's
_WORDS = re.compile(r'"(?:text|display|family|given|div|comment|valueString)"\s*:\Z')
# of a sentence about a message, what is ours or says where in it: what was expected, whose device, which name, how many
_OURS = (
    r"expected [^;]*|(?:device|sent by) '[^']*'|user \d+(?=:)|https?://\S+|'utf-8'(?= codec)|(?<=Expecting )'[^\w\s']'"
    r"|'[^'\d]*'(?= is (?:there twice|not one of))|(?:line|column|char|position) \d+|\[\d+\]"
    r"|[\d,]+ (?:bytes|fields|messages|s ahead|days ago|minutes|MB)\b|\d{4}-\d\d-\d\d[T ][\d:.+]+|share of \d+"
)
# all else that is quoted, and every figure, came from the sender
_THEIRS = (
    r"""(?<!\w)'(?:[^'\\]|\\[\s\S])*+(?:'|\\?\Z)|(?<!\w)"(?:[^"\\]|\\[\s\S])*+(?:"|\\?\Z)"""
    r"|(?<![\w.])-?(?:\d[\d.,]*(?:e[+-]?\d+)?|inf|nan)(?!\w)"
)
_OURS_OR_THEIRS = re.compile(f"({_OURS})|{_THEIRS}")
_BYTES = re.compile(r'"(?=[^"]*\d)[0-9A-Za-z+/=]{6,}"')


class InvalidError(ValueError):
    """What was asked for cannot be done as it stands; the message says what to change."""


class TakenError(Exception):
    """The device belongs to somebody at that time."""


@dataclass(frozen=True)
class Chosen:
    """Some messages by their numbers, or all of one cause up to a number; a device_id of 0 is no known device."""

    items: Sequence[int] | None = None
    reason: str | None = None
    source: str | None = None
    device_id: int | None = None
    up_to: int | None = None


async def causes() -> list[dict[str, Any]]:
    """List the causes, the latest first, each with its newest messages."""
    require(identity.current(), Permission.SEE_QUARANTINE)
    async with store.transaction() as connection:
        found = await _run(connection, "causes", limit=CAUSES)
        newest = await _run(
            connection,
            "newest_of_causes",
            reasons=[c["reason"] for c in found],
            sources=[c["source"] for c in found],
            devices=[c["device_id"] for c in found],
            each=PREVIEWS,
            shown=PREVIEW_BYTES,
        )
        told = {"causes": len(found), **of_whom(newest)}
        await audit.write(connection, identity.current(), "looked_at", "quarantine", **told)
    for place, cause in enumerate(found, start=1):
        cause["newest"] = [
            m | {"payload": shown(m["payload"]), "detail": said(m["detail"])} for m in newest if m["place"] == place
        ]
    return found


def of_whom(messages: Sequence[dict[str, Any]]) -> dict[str, list[int]]:
    """Say for the audit log of whom messages tell; who sees no more than their form has looked at nobody."""
    if not may(identity.current(), Permission.SEE_PAYLOADS):
        looks.withheld(messages)
        return {}
    return {"patients": sorted({patient for message in messages for patient in message["patients"]})}


def said(detail: str, person: Person | None = None) -> str:
    """Give what was found in a message as this person may see it: who sees no patient is told nothing that was sent."""
    if may(person or identity.current(), Permission.SEE_PAYLOADS):
        return detail
    return _OURS_OR_THEIRS.sub(lambda part: part[1] or "…", detail)


def shown(payload: bytes, person: Person | None = None) -> str:
    """Give a payload as this person may see it: who sees no patient sees its form, with every figure a 0."""
    text = bytes(payload).decode(errors="replace")
    return text if may(person or identity.current(), Permission.SEE_PAYLOADS) else _masked(text)


def _masked(text: str) -> str:
    """Leave the names as they are, of the values no digit, and nothing of what may be bytes or a person's words."""
    found, end, name = [], 0, ""
    for string in _STRING.finditer(text):
        if string[1]:
            found += [_without_figures(name, text[end : string.start()]), string[0]]
            end, name = string.end(), string[0]
    return "".join([*found, _without_figures(name, text[end:])])


def _without_figures(name: str, values: str) -> str:
    hidden = re.sub(r"\d", "0", _BYTES.sub('"0…"', values))
    return re.sub(r"[^\W\d_]", "x", hidden) if _WORDS.match(name) else hidden


async def waiting(chosen: Chosen, after: int, limit: int) -> tuple[list[int], int, int]:
    """Number the next messages of a choice that may be tried again; say how many come after them, and up to where."""
    require(identity.current(), Permission.MEND_QUARANTINE)
    async with store.transaction(read_only=True) as connection:
        up_to = chosen.up_to
        if up_to is None:
            up_to = int((await _run(connection, "newest"))[0]["up_to"])
        rows = await _run(connection, "waiting", **_parameters(chosen), after=after, up_to=up_to, limit=limit)
    items = [int(row["quarantine_id"]) for row in rows]
    return items, int(rows[0]["total"]) - len(items) if rows else 0, up_to


def _parameters(chosen: Chosen) -> dict[str, Any]:
    return {
        "items": None if chosen.items is None else list(chosen.items),
        "reason": chosen.reason,
        "source": chosen.source,
        "device": chosen.device_id,
    }


async def discard(chosen: Chosen, note: str, after: int = 0) -> tuple[int, int | None, int]:
    """Discard waiting messages for a reason; give how many, where to go on, and up to which number.

    Nothing is deleted: a discarded message is kept with who discarded it, when and why.
    """
    person = identity.current()
    require(person, Permission.MEND_QUARANTINE)
    note = " ".join(note.split())
    if not note or len(note) > LONGEST_NOTE:
        raise InvalidError(f"Say why they are discarded, in 1 to {LONGEST_NOTE} characters.")
    async with store.transaction() as connection:
        up_to = chosen.up_to
        if up_to is None:
            up_to = (await _run(connection, "newest"))[0]["up_to"]
        rows = await _run(
            connection,
            "discard",
            **_parameters(chosen),
            after=after,
            up_to=up_to,
            limit=AT_ONCE,
            note=note,
            account=person.account_id,
        )
        done = sorted(row["quarantine_id"] for row in rows)
        if done:
            subject = f"quarantine/{chosen.reason or ('' if len(done) > 1 else done[0])}".rstrip("/")
            await audit.write(connection, person, "quarantine_discarded", subject, items=done, note=note)
    return len(done), (done[-1] if len(done) == AT_ONCE else None), up_to


async def assign(device: int, patient: int, user: int, since: datetime, until: datetime | None) -> bool:
    """Give a device to a patient for a time of which messages wait; False where the person does not see both.

    Raises
    ------
    InvalidError
        Where the time is none.
    TakenError
        Where the device belongs to somebody within that time.
    """
    person = identity.current()
    require(person, Permission.MEND_QUARANTINE)
    require(person, Permission.SEE_PATIENTS)
    if since.tzinfo is None or (until is not None and (until.tzinfo is None or until <= since)):
        raise InvalidError("State from when to when, with the zone, and the end after the beginning.")
    async with store.transaction() as connection:
        known = await _run(connection, "device_in_use", device=device)
        seen = await store.rows(connection, store.queries("actions.sql")["visible_patient"], patient=patient)
        if not known or not seen:
            return False
        try:
            async with connection.transaction():
                await _run(
                    connection,
                    "assign",
                    organisation=person.organisation_id,
                    device=device,
                    patient=patient,
                    user=user,
                    since=since,
                    until=until,
                )
        except psycopg.errors.ExclusionViolation as taken:
            raise TakenError from taken
        await audit.write(
            connection,
            person,
            "device_assigned",
            f"device:{device}",
            patient=patient,
            user=user,
            since=since.isoformat(),
            until=until and until.isoformat(),
        )
    return True


async def _run(connection: psycopg.AsyncConnection[Any], name: str, **parameters: Any) -> list[dict[str, Any]]:
    return await store.rows(connection, store.queries(FILE)[name], **parameters)

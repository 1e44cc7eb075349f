"""What has happened to a patient, in order? Episodes' events, notes and devices' silences as one list."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from dashboard import reasons, text
from dashboard.text import patient as page
from dashboard.text import triage as words
from dashboard.wording import elapsed
from schemas.episode import Severity

Row = dict[str, Any]


@dataclass(frozen=True)
class Entry:
    """One thing that happened: the icon's name, its severity where it has one, and the words."""

    at: datetime
    icon: str
    title: str
    body: str = ""
    level: int = 0


@dataclass(frozen=True)
class Happened:
    """Everything that is told of a patient, as the database gave it."""

    events: Sequence[Row] = ()
    notes: Sequence[Row] = ()
    gaps: Sequence[Row] = ()
    overrides: Sequence[Row] = ()
    devices: Sequence[Row] = ()
    pauses: Sequence[Row] = ()
    late: Sequence[Row] = ()


def entries(happened: Happened, limit: int) -> list[Entry]:
    """Put everything together, newest first."""
    found = [
        *map(_event, happened.events),
        *map(_note, happened.notes),
        *map(_gap, happened.gaps),
        *map(_override, happened.overrides),
        *(e for row in happened.devices for e in _device(row)),
        *(e for row in happened.pauses for e in _pause(row)),
        *map(_late, happened.late),
    ]
    return sorted(found, key=lambda entry: entry.at, reverse=True)[:limit]


def _event(row: Row) -> Entry:
    severity = Severity(row["severity"])
    word = text.EVENT_WORDS[row["kind"]]
    told = row["note"]
    if row["kind"] == "activated":
        body = [text.SEVERITY[severity], text.OUTSIDE_TIME if row["retrospective"] else "", told]
        return Entry(row["at"], f"level-{severity:d}", reasons.why_then(row), _join(body), int(severity))
    if row["kind"] == "severity":
        # a schedule has one severity: what has changed is which vital signs are silent
        title = page.OTHERS_SILENT if row["of_schedule"] else f"{word} {text.SEVERITY[severity]}"
        return Entry(row["at"], f"level-{severity:d}", title, reasons.why_then(row), int(severity))
    by = f" by {row['account']}" if row["account"] else ""
    return Entry(row["at"], "check", f"{word}{by}", _join([reasons.why(row), told]))


def _join(parts: Sequence[str]) -> str:
    return ". ".join(p.rstrip(".") for p in parts if p)


def _note(row: Row) -> Entry:
    if row["kind"] == "call":
        outcome = words.OUTCOMES[row["outcome"]].lower()
        return Entry(row["at"], "call", f"{words.CALL_ENTRY} by {row['account']}: {outcome}", row["body"])
    return Entry(row["at"], "note", f"{text.NOTE_BY} {row['account']}", row["body"])


def _gap(row: Row) -> Entry:
    length = elapsed((row["until"] - row["since"]).total_seconds())
    kind = text.DEVICE_KINDS.get(row["kind"], row["kind"])
    return Entry(row["until"], "gap", f"{text.GAP}, {length}", f"{kind} {row['code']}: {text.GAP_BODY}")


def _override(row: Row) -> Entry:
    return Entry(row["at"], "up", f"{page.OVERRIDE} by {row['author']}", row["reason"])


def _device(row: Row) -> list[Entry]:
    named = f"{text.DEVICE_KINDS.get(row['kind'], row['kind'])} {row['code']}"
    changes = ((row["given_at"], page.DEVICE_GIVEN), (row["taken_at"], page.DEVICE_TAKEN))
    return [Entry(at, "devices", f"{what}: {named}") for at, what in changes if at is not None]


def _pause(row: Row) -> list[Entry]:
    planned = elapsed((row["ends_at"] - row["since"]).total_seconds())
    found = [Entry(row["since"], "clock", f"{page.PAUSE_BEGAN} by {row['account']}, {planned}", row["reason"])]
    if row["lifted_at"] is not None:
        found.append(Entry(row["lifted_at"], "clock", f"{page.PAUSE_LIFTED} by {row['lifted_by'] or '–'}"))
    return found


def _late(row: Row) -> Entry:
    oldest = elapsed((row["at"] - row["first_at"]).total_seconds())
    return Entry(
        row["at"], "clock", f"{page.LATE}: {row['observations']} observations", f"measured up to {oldest} before"
    )

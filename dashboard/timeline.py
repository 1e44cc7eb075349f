"""What has happened to a patient, in order? Episodes' events, notes and devices' silences as one list."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from dashboard import text
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


def entries(events: Sequence[Row], notes: Sequence[Row], gaps: Sequence[Row], limit: int) -> list[Entry]:
    """Put everything together, newest first."""
    found = [*map(_event, events), *map(_note, notes), *map(_gap, gaps)]
    return sorted(found, key=lambda entry: entry.at, reverse=True)[:limit]


def _event(row: Row) -> Entry:
    severity = Severity(row["severity"])
    word = text.EVENT_WORDS[row["kind"]]
    told = row["note"]
    if row["kind"] == "activated":
        body = [text.SEVERITY[severity], text.OUTSIDE_TIME if row["retrospective"] else "", told]
        return Entry(row["at"], f"level-{severity:d}", row["sentence"] or row["rule"], _join(body), int(severity))
    if row["kind"] == "severity":
        return Entry(
            row["at"], f"level-{severity:d}", f"{word} {text.SEVERITY[severity]}", row["sentence"], int(severity)
        )
    by = f" by {row['account']}" if row["account"] else ""
    return Entry(row["at"], "check", f"{word}{by}", _join([row["sentence"], told]))


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

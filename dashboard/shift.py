"""What does the next shift have to know of each patient: who is new, worse, waiting, better, or not reporting?

Rows of the database in, entries out; nothing here asks it. Each patient is told once, in the first group that fits;
what else is true of them stands beside it.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Collection, Mapping, Sequence
from datetime import datetime, time, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from dashboard import reasons, text
from dashboard.handover import moment, room
from dashboard.reasons import Reason
from dashboard.resident_list import Resident
from dashboard.text import handover as words
from schemas.episode import Severity

Row = dict[str, Any]
JUST_BEGUN = timedelta(hours=1)
"""Shortly after a shift began it is the one before that is handed over."""
MOST_NOTES = 3


def begun(now: datetime, times: Sequence[str], zone: str) -> datetime:
    """Find when the shift began that is handed over now, from the site's times of the day on its own clock."""
    local = now.astimezone(ZoneInfo(zone))
    days = (local.date() - timedelta(days=n) for n in (0, 1, 2))
    starts = (
        datetime.combine(day, time.fromisoformat(at), ZoneInfo(zone)).astimezone(now.tzinfo)
        for day in days
        for at in times
    )
    return max(start for start in starts if start <= now - JUST_BEGUN)


def since_of(choice: str, now: datetime, times: Sequence[str], zone: str) -> datetime:
    """Find the beginning of the chosen time."""
    spans = {"12h": timedelta(hours=12), "24h": timedelta(hours=24)}
    return now - spans[choice] if choice in spans else begun(now, times, zone)


def entries(
    residents: Sequence[Resident],
    episodes: Sequence[Row],
    notes: Sequence[Row],
    overdue: Collection[str],
) -> list[Row]:
    """Tell what happened to each patient of whom there is something to tell, group by group, the worst first.

    ``overdue`` names the rules that say that observations do not come.
    """
    by_patient: dict[int, list[Row]] = {}
    for episode in episodes:
        by_patient.setdefault(episode["patient_id"], []).append(episode)
    written: dict[int, list[Row]] = {}
    for note in notes:
        written.setdefault(note["patient_id"], []).append(note)
    found = [
        _entry(r, by_patient[r.patient_id], written.get(r.patient_id, []), overdue)
        for r in residents
        if r.patient_id in by_patient
    ]
    order = list(words.GROUPS)
    return sorted(found, key=lambda e: (order.index(e["group"]), -e["severity"], e["place"], e["name"]))


def _entry(resident: Resident, episodes: Sequence[Row], notes: Sequence[Row], overdue: Collection[str]) -> Row:
    active = [e for e in episodes if e["phase"] == "active"]
    before = max((int(e["before"]) for e in episodes), default=0)
    now = max((int(e["severity"]) for e in active), default=0)
    waiting = [e for e in active if not e["acknowledged_at"] and not e["is_snoozed"]]
    silent = [e for e in active if e["rule"] in overdue]
    known = {e["episode_id"]: reason for e, reason in zip(resident.episodes, resident.reasons, strict=True)}
    lines = [_line(e, known.get(e["episode_id"]), resident.zone) for e in episodes]
    if resident.score and not any(resident.score in line for line in lines):
        lines.append(f"{words.SCORE_NOW}: {resident.score}.")
    lines += [f"{n['account']}, {moment(n['at'], resident.zone, year=False)}: {n['body']}" for n in notes[-MOST_NOTES:]]
    if resident.away:
        lines.append(f"{resident.away}.")
    return {
        "patient_id": resident.patient_id,
        "name": resident.name,
        "place": room(resident.room),
        "group": "not_reporting"
        if silent and len(silent) == len(active)
        else _group(active, before, now, bool(waiting)),
        "severity": now,
        "marks": [m for m, holds in ((words.WAITS, waiting), (words.SILENT, silent)) if holds],
        "lines": lines,
    }


def _group(active: Sequence[Row], before: int, now: int, waits: bool) -> str:
    if active and not any(e["before"] for e in active):
        return "new"  # whatever was open at the beginning is over, and this is another alert
    if now > before:
        return "worse"
    if now < before or not now:
        return "better"
    return "waiting" if waits else "open"


def _line(episode: Row, reason: Reason | None, zone: str) -> str:
    """One alert: how severe, since when, why, how it is now, what became of it."""
    before, severity = Severity(episode["before"]), Severity(episode["severity"])
    since = moment(episode["activated_at"], zone, year=False)
    if episode["phase"] == "resolved":
        peak = text.SEVERITY[Severity(episode["peak_severity"])]
        over = moment(episode["resolved_at"], zone, year=False)
        return f"{peak} since {since}: {reasons.why(episode)}. {words.OVER} {over}."
    word = text.SEVERITY[severity]
    told = f"{word} since {since}: {reasons.why(episode)}." if reason is None else reason.since(word, since)
    if before and severity > before:
        told += f" {words.MORE} {text.SEVERITY[before].lower()}."
    elif before and severity < before:
        told += f" {words.LESS} {text.SEVERITY[severity].lower()}."
    if reason is not None and reason.present:
        told += f" {reason.present}."
    if episode["acknowledged_at"]:
        at = moment(episode["acknowledged_at"], zone, year=False)
        told += f" {words.taken_on(episode['acknowledged_name'], at)}"
    return told


def stamp(found: Sequence[Mapping[str, Any]]) -> str:
    """Sum up what is told, so that nobody signs what they have not seen."""
    return hashlib.sha256(json.dumps(list(found), sort_keys=True).encode()).hexdigest()[:32]

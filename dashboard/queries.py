"""Which questions do the pages ask the database? One function a question, for the person at work."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from dashboard.standing import Standard, standard
from dashboard.store import fetch
from schemas.observation import Flag

Row = dict[str, Any]
NOT_SCORED = int(Flag.SUSPECTED_REPEAT | Flag.TOO_LATE)
SEVERITIES = {"red": [3], "amber": [2], "yellow": [1], "amber_red": [2, 3]}
ANY = [1, 2, 3]


@dataclass(frozen=True)
class View:
    """Which part of the triage list someone looks at."""

    filter: str = "all"
    site: int | None = None
    search: str = ""

    @property
    def includes_well(self) -> bool:
        """Whether patients without an open episode follow."""
        return self.filter == "all"


async def sites() -> list[Row]:
    """The sites that this person may see."""
    return await fetch("sites")


async def standards() -> dict[int, Standard]:
    """The policies in force, by id."""
    rows = await fetch("pathway_documents")
    read = {r["policy_id"]: standard(r["document"], r["policy_id"], r["version"]) for r in rows}
    return {policy_id: found for policy_id, found in read.items() if found is not None}


def overdue_rules(known: dict[int, Standard]) -> list[str]:
    """Names of all rules in force that tell that observations do not come."""
    return sorted({name for s in known.values() for name in s.overdue_rules})


async def triage_counts(site: int | None, known: dict[int, Standard]) -> Row:
    """The numbers on the cards."""
    return (await fetch("triage_counts", site=site, overdue_rules=overdue_rules(known)))[0]


async def triage_page(view: View, start: int, end: int, known: dict[int, Standard]) -> tuple[list[Row], int]:
    """Rows ``start`` to ``end`` of the list, and how many rows there are in all.

    Two indexed parts one after the other: patients with an open episode, then the others by name.
    """
    search = _search(view.search)
    shared = {"site": view.site, **search}
    parameters = {
        **shared,
        "severities": SEVERITIES.get(view.filter, ANY),
        "waiting": view.filter == "waiting",
        "not_reporting": view.filter == "not_reporting",
        "overdue_rules": overdue_rules(known),
    }
    size = max(0, end - start)
    rows = await fetch("triage_open", **parameters, limit=size, offset=start)
    unwell = rows[0]["total"] if rows else None
    if unwell is None:
        first = await fetch("triage_open", **parameters, limit=1, offset=0) if start else []
        unwell = first[0]["total"] if first else 0
    if not view.includes_well:
        return rows, unwell
    total = (await fetch("triage_all_total", **shared))[0]["total"]
    if len(rows) < size:
        rows += await fetch("triage_rest", **shared, limit=size - len(rows), offset=max(0, start - unwell))
    return rows, total


def _search(text: str) -> dict[str, str | None]:
    """Read a search box: digits are an NHS number, anything else a name."""
    words = " ".join(text.split())
    digits = words.replace(" ", "")
    if digits.isascii() and digits.isdigit():
        return {"name": None, "nhs": digits + "%"}
    escaped = words.replace("\\", r"\\").replace("%", r"\%").replace("_", r"\_")
    return {"name": f"%{escaped}%" if escaped else None, "nhs": None}


async def patients_in_view(patients: Sequence[int]) -> dict[int, Row]:
    """State and policy of the patients on the screen."""
    rows = await fetch("patients_in_view", patients=list(patients))
    return {r["patient_id"]: r for r in rows}


async def open_episodes(patients: Sequence[int]) -> dict[int, list[Row]]:
    """All open episodes of the patients on the screen, worst first."""
    found: dict[int, list[Row]] = {}
    for row in await fetch("open_episodes", patients=list(patients)):
        found.setdefault(row["patient_id"], []).append(row)
    return found


async def trends(wanted: Sequence[tuple[int, int]], since: datetime, width: timedelta) -> dict[int, list[Row]]:
    """The small lines: for (patient, vital sign) pairs, bucket means by patient."""
    found: dict[int, list[Row]] = {}
    pairs = {"patients": [p for p, _ in wanted], "vitals": [v for _, v in wanted]}
    for row in await fetch("trends", **pairs, since=since, width=width):
        found.setdefault(row["patient_id"], []).append(row)
    return found


async def patient(patient_id: int) -> Row | None:
    """One patient with site, pathway, policy and state; ``None`` where this person sees no such patient."""
    rows = await fetch("patient", patient=patient_id)
    return rows[0] if rows else None


async def episodes(patient_id: int, since: datetime) -> list[Row]:
    """Open episodes, and those that ended after ``since``."""
    return await fetch("patient_episodes", patient=patient_id, since=since)


async def events(patient_id: int, since: datetime, limit: int) -> list[Row]:
    """What happened to a patient's episodes, newest first."""
    return await fetch("patient_events", patient=patient_id, since=since, limit=limit)


async def notes(patient_id: int, since: datetime, limit: int) -> list[Row]:
    """What people wrote, newest first."""
    return await fetch("patient_notes", patient=patient_id, since=since, limit=limit)


async def devices_of(patient_id: int) -> list[Row]:
    """The devices that a patient has now."""
    return await fetch("patient_devices", patient=patient_id)


async def device_gaps(patient_id: int, since: datetime, longer: timedelta, limit: int) -> list[Row]:
    """Silences of a patient's devices."""
    return await fetch("device_gaps", patient=patient_id, since=since, longer=longer, steps=SILENT_STEPS, limit=limit)


async def observation_counts(patient_id: int, since: datetime, until: datetime) -> dict[int, int]:
    """How many observations of each vital sign lie in a span."""
    rows = await fetch("observation_counts", patient=patient_id, since=since, until=until)
    return {r["vital"]: r["observations"] for r in rows}


async def observations(patient_id: int, since: datetime, until: datetime, vitals: Sequence[int]) -> list[Row]:
    """Single observations of some vital signs, and all suspected repeats."""
    return await fetch("observations", patient=patient_id, since=since, until=until, vitals=list(vitals))


async def observations_bucketed(
    patient_id: int, since: datetime, until: datetime, vitals: Sequence[int], width: timedelta
) -> list[Row]:
    """Middle and range of each bucket of dense vital signs."""
    return await fetch(
        "observations_bucketed", patient=patient_id, since=since, until=until, vitals=list(vitals), width=width
    )


async def last_of_buckets(
    patient_id: int, since: datetime, until: datetime, vitals: Sequence[int], width: timedelta
) -> list[Row]:
    """The last observation of each bucket: what a score over time is made of."""
    span = {"since": since, "until": until, "width": width}
    return await fetch("last_of_buckets", patient=patient_id, vitals=list(vitals), not_scored=NOT_SCORED, **span)


async def usual_ranges(patient_id: int, since: datetime, until: datetime) -> dict[int, tuple[float, float]]:
    """Where most of a patient's own observations lie, by vital sign; only where there are enough to say."""
    rows = await fetch("usual_ranges", patient=patient_id, since=since, until=until)
    return {r["vital"]: (r["bounds"][0], r["bounds"][1]) for r in rows if r["observations"] >= ENOUGH}


SILENT_STEPS = 3
"""A device that is silent for this many of its own usual steps is worth telling."""
ENOUGH = 8
"""Fewer observations than this give no range."""


async def observation_table(patient_id: int, since: datetime, until: datetime, limit: int) -> list[Row]:
    """The newest observations of a span, with device and quality."""
    return await fetch("observation_table", patient=patient_id, since=since, until=until, limit=limit)


async def devices(site: int | None, search: str, limit: int, offset: int) -> list[Row]:
    """Devices with whom they belong to and when they were last heard."""
    text = " ".join(search.split()).replace("\\", r"\\").replace("%", r"\%").replace("_", r"\_")
    return await fetch("devices", site=site, search=f"%{text}%" if text else None, limit=limit, offset=offset)


async def services() -> list[Row]:
    """What each kind of process last said of itself."""
    return await fetch("services")


async def last_stored() -> Row:
    """When this person's patients were last observed."""
    return (await fetch("last_stored"))[0]

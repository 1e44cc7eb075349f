"""Which questions do the pages ask the database? One function a question, for the person at work."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

from dashboard.standing import Standard, standard
from dashboard.store import fetch
from schemas.observation import Flag

Row = dict[str, Any]
NOT_SCORED = int(Flag.SUSPECTED_REPEAT | Flag.TOO_LATE)


async def sites() -> list[Row]:
    """The sites that this person may see."""
    return await fetch("sites")


async def own_zone() -> str:
    """The zone of what belongs to no site, such as when one signed in: that of the first of this person's sites."""
    return next((site["time_zone"] for site in await sites()), "Europe/London")


async def standards() -> dict[int, Standard]:
    """The policies in force, by id."""
    rows = await fetch("pathway_documents")
    read = {r["policy_id"]: standard(r["document"], r["policy_id"], r["version"]) for r in rows}
    return {policy_id: found for policy_id, found in read.items() if found is not None}


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


async def services() -> list[Row]:
    """What each kind of process last said of itself."""
    return await fetch("services")


async def last_stored() -> Row:
    """When this person's patients were last observed."""
    return (await fetch("last_stored"))[0]

"""Which devices does somebody look for, how does each stand, and what was its past?"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import Any

from dashboard import store
from dashboard.device_acts import FILE
from dashboard.device_clock import AHEAD_US, BEHIND_US

LOW_BATTERY = 20
"""From here down a battery is called low [per cent]."""
_LIMITS = {"low": LOW_BATTERY, "ahead_us": AHEAD_US, "behind_us": BEHIND_US}
PAST_SHOWN = 50
STATES = ("in_use", "offline", "unassigned", "battery", "clock", "retired")


@dataclass(frozen=True)
class Chosen:
    """Which devices: in one of `STATES` (any where empty), of a kind, at a site, found by code or by whose they are."""

    state: str = "in_use"
    kind: str | None = None
    site: int | None = None
    search: str = ""


@dataclass(frozen=True)
class Past:
    """Whose a device was and where, the latest first."""

    assignments: list[dict[str, Any]]
    placements: list[dict[str, Any]]


async def rows(chosen: Chosen, limit: int, offset: int = 0, after_code: str | None = None) -> list[dict[str, Any]]:
    """List devices by their codes, those in use first; ``total`` of each row counts all that match.

    With ``after_code``, however empty, retired ones are among the others: what follows a code must not depend on more.
    """
    return await _list(
        state=chosen.state,
        kind=chosen.kind,
        site=chosen.site,
        search=_pattern(chosen.search),
        limit=limit,
        offset=offset,
        after_code=after_code,
        device=None,
    )


async def one(device: int) -> dict[str, Any] | None:
    """Find one device, in use or not."""
    found = await _list(state="", kind=None, site=None, search=None, limit=1, offset=0, after_code=None, device=device)
    return found[0] if found else None


async def counts(site: int | None) -> dict[str, int]:
    """Count the devices in each of `STATES`."""
    found = await store.fetch_from(FILE, "count_devices", site=site, **_LIMITS)
    return found[0]


async def past(device: int) -> Past:
    """Look up a device's past."""
    assignments, placements = await asyncio.gather(
        store.fetch_from(FILE, "assignments", device=device, limit=PAST_SHOWN),
        store.fetch_from(FILE, "placements", device=device, limit=PAST_SHOWN),
    )
    return Past(assignments, placements)


async def patients_like(words: str, site: int | None = None) -> list[dict[str, Any]]:
    """Find patients, of a site or all, by name, by the whole NHS number, or by their number here."""
    pattern = _pattern(words)
    if pattern is None:
        return []
    number = "".join(words.split())
    return await store.fetch_from(FILE, "choose_patients", search=pattern, number=number, site=site)


async def hubs() -> list[str]:
    """List the hubs in use."""
    return [row["code"] for row in await store.fetch_from(FILE, "hubs")]


async def _list(**parameters: Any) -> list[dict[str, Any]]:
    return await store.fetch_from(FILE, "list_devices", **_LIMITS, **parameters)


def _pattern(words: str) -> str | None:
    text = " ".join(words.replace("\0", "").split()).replace("\\", r"\\").replace("%", r"\%").replace("_", r"\_")
    return f"%{text[:200]}%" if text else None

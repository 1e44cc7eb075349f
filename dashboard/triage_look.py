"""What does an open triage page ask for: its rows, the numbers on its cards and what is new, in one question?

A route and no callback of Dash's, because every open page asks at every change. What several pages ask for at the same
moment, seen through the same eyes, is found once for all of them; each of them has looked at whom it shows.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Coroutine, Sequence
from datetime import UTC, datetime, timedelta
from typing import Annotated, Any, NamedTuple, TypeVar

import msgspec
from fastapi import APIRouter, Request, Response

from dashboard import identity, looks, queries, reasons, rows, text, triage_list
from dashboard.api.rights import allowed
from dashboard.permissions import Permission
from dashboard.problems import problem
from dashboard.sight import Sight, sight
from dashboard.text import triage as words
from dashboard.together import Together
from dashboard.triage_list import OWNERS, View
from dashboard.wording import clock, elapsed, full_name, place
from schemas.episode import Severity

PATH = "/triage/look"
MOST_ROWS = 200
TREND_SPAN = timedelta(hours=24)
TREND_BUCKET = timedelta(minutes=20)
_TRIES = 3
_NUMBER = msgspec.Meta(ge=0, le=2**31 - 1)

T = TypeVar("T")


class News(msgspec.Struct, forbid_unknown_fields=True):
    """Since when a page wants to know what is new, and of whom: of everybody, where nobody is named.

    With no instant the answer only says what time it is.
    """

    since: Annotated[datetime, msgspec.Meta(tz=True)] | None = None
    patients: list[Annotated[int, _NUMBER]] | None = None


class Wanted(msgspec.Struct, forbid_unknown_fields=True):
    """What a page asks for; each part is answered only where it is asked for."""

    view: dict[str, str] = {}
    rows: tuple[Annotated[int, _NUMBER], Annotated[int, _NUMBER]] | None = None
    numbers: bool = False
    news: News | None = None


class Part(NamedTuple):
    """A part of an answer, as JSON, because it may be shared; and whom it shows."""

    told: bytes
    patients: Sequence[int] = ()


class _SightChangedError(Exception):
    """Whoever asked for all sees something else now than when they asked."""


def routes() -> APIRouter:
    """Make the route; its answers are shared within one application."""
    router, together = APIRouter(), Together()

    @router.post(PATH, include_in_schema=False, dependencies=[allowed(Permission.SEE_PATIENTS)])
    async def look(request: Request) -> Response:
        looks.name("triage")
        try:
            wanted = msgspec.json.decode(await request.body(), type=Wanted)
        except msgspec.DecodeError:
            return problem(422, "No page of ours asks like this.")
        if wanted.rows and not 0 <= wanted.rows[1] - wanted.rows[0] <= MOST_ROWS:
            return problem(422, f"A page asks for at most {MOST_ROWS} rows at once.")
        return Response(await answer(wanted, together), media_type="application/json")

    return router


async def answer(wanted: Wanted, together: Together) -> bytes:
    """Put together what was asked for."""
    for _ in range(_TRIES):
        try:
            parts = await _parts(wanted, _Look(as_view(wanted.view), await sight(), together))
        except _SightChangedError:
            continue
        for part in parts.values():
            looks.shown(part.patients)
        return b"{" + b",".join(b'"%s":%s' % (name.encode(), part.told) for name, part in parts.items()) + b"}"
    raise _SightChangedError


async def _parts(wanted: Wanted, look: _Look) -> dict[str, Part]:
    asked = {}
    if wanted.rows:
        asked["rows"] = look.rows(*wanted.rows)
    if wanted.numbers:
        asked["numbers"] = look.numbers()
    if wanted.news:
        asked["news"] = look.news(wanted.news)
    return dict(zip(asked, await asyncio.gather(*asked.values()), strict=True))


class _Look:
    """One look at the list: which part of it, through whose eyes, and together with whom."""

    def __init__(self, view: View, seen: Sight, together: Together) -> None:
        self._view = view
        self._sight = seen
        self._together = together

    async def rows(self, start: int, end: int) -> Part:
        """A block of rows, how many there are in all, and what stands where there is none."""
        mine = identity.current().account_id if self._view.owner == "mine" else None

        async def found() -> Part:
            listed, total, unreadable = await block(self._view, start, end, self._everybody)
            searched = bool(self._view.search.strip())
            told = {
                "listed": listed,
                "total": total,
                "empty": text.NO_MATCH if searched else text.NONE_OPEN,
                "trouble": text.STATE_UNREADABLE if unreadable else None,
            }
            return Part(msgspec.json.encode(told), [int(row["id"]) for row in listed])

        return await self._shared(("rows", self._view, start, end, mine), found)

    async def numbers(self) -> Part:
        """The numbers on the cards and their hints, by the id of their place, and whether anything is taken in."""

        async def counted() -> dict[str, Any]:
            return await triage_list.counts(self._view, await queries.standards())

        async def found() -> Part:
            counts, patients, intake = await asyncio.gather(counted(), self._everybody(), self._intake())
            return Part(msgspec.json.encode({"shown": _cards(counts, patients), "intake": _silence(intake)}))

        return await self._shared(("numbers", self._view.site, self._view.pathway), found)

    async def news(self, wanted: News) -> Part:
        """What was raised or became worse since the page last asked, and what time it is now."""
        # whole seconds, so that pages which asked a moment apart ask for the same; a page tells nothing twice
        since = wanted.since and wanted.since.replace(microsecond=0)
        named = None if wanted.patients is None else tuple(sorted(set(wanted.patients)))

        async def found() -> Part:
            at = (await self._intake())["now"]
            listed = [] if since is None else await triage_list.news(named, self._view.site, since)
            told = msgspec.json.encode({"at": at.isoformat(), "items": _told(listed)})
            return Part(told, [row["patient_id"] for row in listed])

        return await self._shared(("news", self._view.site, since, named), found)

    async def _everybody(self) -> int:
        site, pathway = self._view.site, self._view.pathway
        return await self._shared(("in_care", site, pathway), lambda: triage_list.in_care(site, pathway))

    async def _intake(self) -> dict[str, Any]:
        return await self._together.ask("intake", triage_list.intake)

    async def _shared(self, what: tuple[Any, ...], question: Callable[[], Coroutine[Any, Any, T]]) -> T:
        """Ask together with everybody who sees the same; who asked for all must still see it afterwards."""

        async def checked() -> T:
            found = await question()
            if await sight() != self._sight:
                raise _SightChangedError
            return found

        return await self._together.ask((self._sight, *what), checked)


async def block(
    view: View, start: int, end: int, everybody: Callable[[], Awaitable[int]]
) -> tuple[list[dict[str, Any]], int, tuple[int, ...]]:
    """Rows ``start`` to ``end`` as the grid shows them, how many there are in all, and whose state is unreadable."""
    known = await queries.standards()
    page, total = await triage_list.page(view, start, end, known, everybody)
    patients = [row["patient_id"] for row in page]
    if not patients:
        return [], total, ()
    now = datetime.now(UTC)
    details, episodes = await asyncio.gather(queries.patients_in_view(patients), queries.open_episodes(patients))
    at = rows.situation(patients, details, known, now)
    shown = {p: rows.trend_vital(at, at.position[p], r.get("rule")) for p, r in zip(patients, page, strict=True)}
    trends = await queries.trends([(p, v) for p, v in shown.items() if v], now - TREND_SPAN, TREND_BUCKET)
    return (
        [
            rows.grid_row(r, at, episodes.get(p, ()), trends.get(p, ()), shown[p], now)
            for p, r in zip(patients, page, strict=True)
        ],
        total,
        at.unreadable,
    )


def as_view(given: dict[str, str]) -> View:
    """Read what a page says of its filters; what is no choice of ours narrows nothing."""

    def number(name: str) -> int | None:
        value = given.get(name) or ""
        return int(value) if value.isascii() and value.isdigit() and len(value) < 10 else None

    chosen, owner = given.get("filter", "all"), given.get("owner", "anyone")
    return View(
        chosen if chosen in text.FILTERS else "all",
        number("site"),
        given.get("search", "")[:200].replace("\0", ""),
        number("pathway"),
        owner if owner in OWNERS else "anyone",
    )


def _cards(counts: dict[str, Any], patients: int) -> dict[str, str]:
    shown = {f"count-{name}": f"{counts[name]:,}" for name in text.CARDS}
    for name in ("red", "amber", "yellow"):
        shown[f"hint-{name}"] = f"{counts[name + '_waiting']:,} waiting" if counts[name] else ""
    median = counts["median_waiting_s"]
    shown["hint-waiting"] = "" if median is None else f"median {elapsed(median)}"
    shown["hint-not_reporting"] = f"of {patients:,}"
    return shown


def _silence(intake: dict[str, Any]) -> dict[str, str] | None:
    """Say that ingest is silent: a list that stands still must not look like a quiet ward."""
    if intake["silent_since"] is None:
        return None
    since = clock(intake["silent_since"], "Europe/London", intake["now"])
    return {"what": f"{words.NO_INTAKE} {since}.", "meaning": words.NO_INTAKE_BODY}


def _told(found: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Say who is new or worse, and why in the words of their row."""
    return [
        {
            "id": str(r["patient_id"]),
            "level": r["severity"],
            "words": f"{'New' if r['is_new'] else 'Worse'}, {text.SEVERITY[Severity(r['severity'])].lower()}: "
            f"{full_name(r['given_name'], r['family_name'])}, {place(r['site'], r['room'])}. "
            f"{reasons.why(r, brief=True)}.",
        }
        for r in sorted(found, key=lambda r: -r["severity"])
    ]

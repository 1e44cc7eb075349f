"""Who was told of an alert and what became of it, and who is told next?

The past is what the messages' rows say; the future is the plan of the job under which they are written, from the
beginning of its present severity on. A tier that reached nobody left no message, and is named all the same.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from itertools import groupby
from typing import Any

from alerts import ladder as ladders
from alerts.ladder import Ladder, LadderError, Step
from dashboard import reachable, reasons, store
from dashboard.reachable import Means
from dashboard.text import told as words
from dashboard.wording import clock, elapsed
from schemas.episode import Severity

FILE = reachable.FILE
SHOWN = 6
"""So many of an episode's last messages are told one by one."""
OTHERS = 3
"""So many of the other alerts that wait are named."""
# what the notifier writes beside a job that has not begun (homeward/notify/planning.py)
_NOBODY, _NO_TIER = "nobody to tell", "no tier is for this severity"
Row = dict[str, Any]


@dataclass(frozen=True)
class Found:
    """What the database says of some episodes of one site."""

    deliveries: Mapping[int, Sequence[Row]]
    jobs: Mapping[int, Row]
    courses: Mapping[int, Sequence[Row]]
    ladder: object
    means: Means
    site: int


@dataclass(frozen=True)
class Line:
    """What became of one tier's turn."""

    at: datetime
    words: str
    is_through: bool | None = None


@dataclass(frozen=True)
class Telling:
    """Everything about one alert: how severe since when, who was told, who is next, and what is wrong.

    ``others`` says which it is where more of the same person wait, and which those are.
    """

    course: str = ""
    lines: tuple[Line, ...] = ()
    earlier: int = 0
    next: str = ""
    warnings: tuple[str, ...] = field(default=())
    others: str = ""


async def read(episodes: Sequence[int], site: int) -> Found:
    """Ask for all of them at once."""
    async with store.transaction(read_only=True) as connection:

        async def ask(query: str, **given: Any) -> list[Row]:
            return await store.rows(connection, store.queries(FILE)[query], **given)

        listed = list(episodes)
        ladder = await ask("ladder", site=site)
        return Found(
            _by_episode(await ask("deliveries", episodes=listed)),
            {row["episode_id"]: row for row in await ask("jobs", episodes=listed)},
            _by_episode(await ask("courses", episodes=listed)),
            ladder[0]["document"] if ladder else None,
            await reachable.means(connection),
            site,
        )


def _by_episode(rows: Sequence[Row]) -> dict[int, list[Row]]:
    found: dict[int, list[Row]] = {}
    for row in rows:
        found.setdefault(row["episode_id"], []).append(row)
    return found


def foremost(waiting: Sequence[Mapping[str, Any]]) -> Mapping[str, Any] | None:
    """Choose the alert of which a card tells: the worst, and of these the one that waits longest."""
    return max(waiting, key=lambda e: (int(e["severity"]), -e["since"].timestamp()), default=None)


async def of_patient(
    waiting: Sequence[Mapping[str, Any]], site: int, zone: str, now: datetime, named: Mapping[Any, str]
) -> Telling | None:
    """Tell of the foremost of one patient's alerts that nobody has taken on or put off; of none where there is none."""
    first = foremost(waiting)
    if first is None:
        return None
    return telling(await read([first["episode_id"]], site), waiting, zone, now, named)


def telling(
    found: Found, waiting: Sequence[Mapping[str, Any]], zone: str, now: datetime, named: Mapping[Any, str]
) -> Telling:
    """Put together what is known of the foremost of some alerts; ``named`` has the words for each severity."""
    episode = foremost(waiting)
    if episode is None:
        return Telling()
    others = sorted((e for e in waiting if e is not episode), key=lambda e: -int(e["severity"]))
    return replace(_telling(found, episode, zone, now, named), others=_others(episode, others, named))


def _others(first: Mapping[str, Any], others: Sequence[Mapping[str, Any]], named: Mapping[Any, str]) -> str:
    if not others:
        return ""
    briefly = [f"{named[Severity(e['severity'])].lower()}, {reasons.why(e, brief=True)}" for e in others]
    return words.others(reasons.why(first, brief=True), briefly[:OTHERS], len(others))


def _telling(found: Found, episode: Mapping[str, Any], zone: str, now: datetime, named: Mapping[Any, str]) -> Telling:

    def when(at: datetime) -> str:
        return clock(at, zone, now)

    number = episode["episode_id"]
    job, course = found.jobs.get(number), _course(found, episode, now, when, named)
    if job is None:
        return Telling(course, next=words.NO_JOB)
    ladder = _ladder(job["document"] if job["document"] is not None else found.ladder)
    steps = [] if ladder is None else ladders.plan(ladder, job["severity"], _began(job), zone)
    lines = _lines(found.deliveries.get(number, ()), job, steps)
    coming, warnings = _coming(found, job, ladder, steps, zone, when)
    if not found.means.notifiers and job["status"] == "waiting":
        warnings = [words.NO_NOTIFIER, *warnings]
    return Telling(course, tuple(lines[-SHOWN:]), max(0, len(lines) - SHOWN), coming, tuple(warnings))


def _course(
    found: Found, episode: Mapping[str, Any], now: datetime, when: Callable[[datetime], str], named: Mapping[Any, str]
) -> str:
    """Since when it is as severe as it is, and what it was before."""
    runs = [next(run) for _, run in groupby(found.courses.get(episode["episode_id"], ()), lambda row: row["severity"])]
    if not runs or runs[-1]["severity"] != episode["severity"]:
        runs = [{"severity": episode["severity"], "at": episode["since"]}]
    newest, *before = reversed(runs)
    length = elapsed((now - newest["at"]).total_seconds())
    first = words.since(named[Severity(newest["severity"])], f"{when(newest['at'])} ({length})")
    earlier = [words.since(named[Severity(row["severity"])], when(row["at"])) for row in before[:2] if row["severity"]]
    return words.course([first, *earlier])


def _ladder(document: object) -> Ladder | None:
    try:
        return None if document is None else ladders.read(document)
    except LadderError:
        return None


def _began(job: Row) -> datetime:
    """Say since when a job waits; one that has not begun does so when it is looked at next."""
    began: datetime = job["began_at"] or job["run_at"] or job["created_at"]
    return began


def _lines(deliveries: Sequence[Row], job: Row, steps: Sequence[Step]) -> list[Line]:
    """Give what became of each tier's turn, and of those of this job that reached nobody."""
    lines = []
    for (at, _), group in groupby(deliveries, lambda row: (row["created_at"], row["step"])):
        rows = list(group)
        tier = f"{rows[0]['tier']} ({words.AGAIN})" if rows[0]["again"] else rows[0]["tier"]
        through = any(row["status"] == "delivered" for row in rows)
        is_out = all(row["status"] == "waiting" and not row["attempts"] for row in rows)
        said = words.listed(_became(row) for row in rows)
        lines.append(Line(at, f"{tier}: {said}", None if is_out else through))
    sent = {row["step"] for row in deliveries if row["job_id"] == job["job_id"]}
    if job["began_at"] is not None and sent:
        passed = [n for n in range(min(job["steps"], len(steps))) if n not in sent]
        lines += [Line(steps[n].at, f"{steps[n].tier.name}: {words.REACHED_NOBODY}", False) for n in passed]
    return sorted(lines, key=lambda line: line.at)


def _became(row: Row) -> str:
    """Write what became of one message, and no more than is known."""
    by = words.BY[row["kind"]]
    name = row["receiver"] or (words.FIXED if row["is_fixed"] else "")
    whom = f"{name}, {by}" if name else by
    if row["status"] == "delivered":
        return f"{whom}, {words.THROUGH[row['kind']]}"
    if row["status"] == "failed":
        return f"{whom}, {words.FAILED.format(why=row['outcome'])}"
    return f"{whom}, {words.NOT_YET.format(why=row['outcome']) if row['attempts'] else words.SENDING}"


def _coming(
    found: Found, job: Row, ladder: Ladder | None, steps: Sequence[Step], zone: str, when: Callable[[datetime], str]
) -> tuple[str, list[str]]:
    """Say who is told next and when, and what is wrong with that."""
    if ladder is None:
        return "", [words.NO_LADDER]
    if job["status"] != "waiting":
        return _ended(job)
    if job["began_at"] is None and job["outcome"] in words.WAITS:
        return words.WAITS[job["outcome"]].format(at=when(job["run_at"] or job["created_at"])), []
    left = list(steps[job["steps"] :])
    due: datetime | None = job["run_at"]
    nobody = [words.NOBODY] if job["outcome"] == _NOBODY else []
    if not left:
        return _repeated(found, ladder, steps, due, zone, when), nobody
    told, warnings = [], nobody
    for number, step in enumerate(left):
        # the first is due when the job is: it may have been hurried, or put off
        at = due if number == 0 and due is not None else step.at
        told.append(f"{step.tier.name} {when(at)}")
        if why := reachable.tier_reaches_nobody(found.means, step.tier, found.site, at, zone):
            warnings = [*warnings, words.tier_reaches_nobody(step.tier.name, why)]
    return f"{words.NEXT} {', '.join(told)}.", warnings


def _ended(job: Row) -> tuple[str, list[str]]:
    if job["outcome"] == _NO_TIER:
        return words.NO_TIER, []
    return words.ALL_TOLD, [words.NOTHING_THROUGH] if job["status"] == "failed" else []


def _repeated(
    found: Found,
    ladder: Ladder,
    steps: Sequence[Step],
    due: datetime | None,
    zone: str,
    when: Callable[[datetime], str],
) -> str:
    if due is None or ladder.repeat_min is None or not steps:
        return words.ALL_TOLD
    every = words.EVERY.format(minutes=ladder.repeat_min)
    return f"{words.NEXT} {steps[-1].tier.name} {words.AGAIN} {when(due)}, {every}."

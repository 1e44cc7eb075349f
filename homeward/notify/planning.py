"""Which jobs' turn has come, and which messages does each make? One transaction: what is planned is in the outbox.

A job walks up its ladder step by step. It ends early when its episode is taken on, over, or told anew; it hurries when
nothing of a step gets through; and while there is nobody to tell it does not end, but asks again and is seen waiting.
"""

from __future__ import annotations

import json
from collections import defaultdict
from dataclasses import dataclass
from datetime import datetime, timedelta

import structlog

from alerts import ladder as ladders
from alerts.ladder import Ladder, LadderError, Step
from alerts.rota import RotaError
from homeward.notify import receivers
from homeward.notify.receivers import Destination
from homeward.notify.sql import Connection, Row, run

MOST = 500
AGAIN = timedelta(minutes=1)
"""How soon a job is looked at again that has no ladder or nobody to tell."""
TRIES = 2
"""So many attempts of every message of a step have failed before the next tier is told at once."""
STORM_MESSAGES = 3
STORM_WINDOW = timedelta(minutes=1)
"""After so many messages about one site within this time, further episodes are collected until it has passed."""
LONGEST_PAUSE = timedelta(minutes=5)
"""Between two attempts at a message; none is ever due later than this."""
NO_LADDER = "no ladder is in force"
NOBODY = "nobody to tell"
TOLD = "told"
UNREADABLE = "the ladder cannot be read"
PAUSED = "the patient is paused"
COLLECTED = "collected with others of this site"
SNOOZED = ":snoozed:"
_NEVER = "infinity"

log = structlog.get_logger()


@dataclass(frozen=True)
class _Turn:
    """A job at its step."""

    job: Row
    ladder_id: int
    began: datetime
    steps: list[Step]

    @property
    def number(self) -> int:
        return int(self.job["steps"])

    @property
    def step(self) -> Step:
        return self.steps[self.number]


def plan(connection: Connection, now: datetime) -> int:
    """Do what is due at ``now`` in the transaction that is open; give how many jobs that moved."""
    for sweep in ("mend_clock_jobs", "mend_clock_deliveries", "end_snoozes", "cancel_jobs", "cancel_deliveries"):
        run(connection, sweep, now=now, longest=LONGEST_PAUSE * 2)
    run(connection, "hurry", now=now, tries=TRIES)
    due = run(connection, "due_jobs", now=now, most=MOST)
    groups: dict[tuple[int, int, int, str], list[_Turn]] = defaultdict(list)
    for job in due:
        turn = _turn(connection, job, now)
        if turn is not None:
            groups[job["site_id"], turn.ladder_id, turn.number, turn.step.tier.name].append(turn)
    for group in groups.values():
        _tell(connection, group, now)
    run(connection, "end_jobs", now=now)
    return len(due)


def _turn(connection: Connection, job: Row, now: datetime) -> _Turn | None:
    """Find a job's step where it is due now; else put it off or end it."""
    if job["snoozed_until"] is not None and job["snoozed_until"] > now:
        _put_off(connection, job, job["snoozed_until"], "snoozed")
        return None
    if job["is_paused"]:
        run(connection, "hold", job=job["job_id"], at=now + AGAIN, outcome=PAUSED)
        return None
    rows = (
        run(connection, "ladder_of_site", organisation=job["organisation_id"], site=job["site_id"])
        if job["ladder_id"] is None
        else run(connection, "ladder", ladder=job["ladder_id"])
    )
    if not rows:
        _put_off(connection, job, now + AGAIN, NO_LADDER)
        return None
    try:
        ladder = ladders.read(rows[0]["document"])
    except LadderError:
        log.error("ladder cannot be read", action="ladder_unreadable", ladder=rows[0]["ladder_id"])
        _put_off(connection, job, now + AGAIN, UNREADABLE)
        return None
    began = job["began_at"] or _begin(job, now)
    steps = ladders.plan(ladder, job["severity"], began, job["time_zone"])
    if not steps:
        _without_steps(connection, job, ladder, now)
        return None
    turn = _Turn(job, rows[0]["ladder_id"], began, steps)
    if job["began_at"] is None and steps[0].at > now:
        _advance(connection, turn, now, steps=0, at=steps[0].at, outcome="until its hours begin")
        return None
    return None if _is_held(connection, turn, now) else turn


def _begin(job: Row, now: datetime) -> datetime:
    """Say since when a job's episode waits: since it was raised, or its snooze or pause ended, or a ladder came."""
    if job["outcome"] in (NO_LADDER, UNREADABLE, PAUSED):
        return now
    began: datetime = job["run_at"] if SNOOZED in job["key"] else job["created_at"]
    return min(began, now)


def _without_steps(connection: Connection, job: Row, ladder: Ladder, now: datetime) -> None:
    """Ask a ladder again whose tiers are all closed; one that has none for this severity has answered."""
    if any(tier.is_for(job["severity"]) for tier in ladder.tiers):
        _put_off(connection, job, now + AGAIN, NOBODY)
        return
    given = {"ladder": None, "began": now, "steps": 0, "at": now, "now": now}
    outcome = "no tier is for this severity"
    run(connection, "advance", job=job["job_id"], status="cancelled", outcome=outcome, **given)


def _is_held(connection: Connection, turn: _Turn, now: datetime) -> bool:
    """Let an episode of a storm wait for the others, so that all of them make one message."""
    if turn.number:
        return False
    job = turn.job
    [recent] = run(
        connection, "recent_messages", site=job["site_id"], severity=job["severity"], window=STORM_WINDOW, now=now
    )
    if recent["messages"] < STORM_MESSAGES:
        return False
    _put_off(connection, job, recent["since"] + STORM_WINDOW, COLLECTED)
    return True


def _tell(connection: Connection, group: list[_Turn], now: datetime) -> None:
    """Write the messages of one step: one to each receiver, of all the episodes of the group."""
    first = min(group, key=lambda turn: int(turn.job["job_id"]))
    step, organisation = first.step, first.job["organisation_id"]
    try:
        found = receivers.of_tier(connection, organisation, step.tier, now)
    except RotaError:
        log.error("rota cannot be read", action="rota_unreadable", organisation=organisation)
        found = []
    for destination in found:
        _write(connection, group, first, destination, now)
    if found and first.number:
        _say_escalated(connection, group, now)
    for turn in group:
        _move_on(connection, turn, now, told=bool(found))


def _write(connection: Connection, group: list[_Turn], first: _Turn, to: Destination, now: datetime) -> None:
    written = run(
        connection,
        "add_delivery",
        organisation=first.job["organisation_id"],
        site=first.job["site_id"],
        kind=to.kind,
        channel=to.channel,
        account=to.account,
        contact=to.contact,
        address=to.address,
        step=first.number,
        tier=first.step.tier.name,
        severity=max(turn.job["severity"] for turn in group),
        key=to.key(first.job["job_id"], first.began, first.number),
        now=now,
    )
    for row in written:
        jobs = [turn.job["job_id"] for turn in group]
        run(connection, "add_delivery_episodes", delivery=row["delivery_id"], jobs=jobs)


def _move_on(connection: Connection, turn: _Turn, now: datetime, *, told: bool) -> None:
    done = turn.number + 1
    if done < len(turn.steps):
        at = turn.steps[done].at if told else now
        _advance(connection, turn, now, steps=done, at=at, outcome=TOLD if told else NOBODY)
    elif told or turn.job["outcome"] == TOLD:
        _advance(connection, turn, now, steps=done, at=_NEVER, outcome=TOLD)
    else:
        # from the first tier on: by then somebody may be on call, have an address, or another ladder be in force
        _advance(connection, turn, now, steps=0, at=now + AGAIN, outcome=NOBODY)


def _advance(
    connection: Connection, turn: _Turn, now: datetime, *, steps: int, at: datetime | str, outcome: str
) -> None:
    ladder = turn.ladder_id if steps else None
    kept = TOLD if turn.job["outcome"] == TOLD else outcome
    given = {"ladder": ladder, "began": turn.began, "steps": steps, "at": at, "now": now}
    run(connection, "advance", job=turn.job["job_id"], status="waiting", outcome=kept, **given)


def _put_off(connection: Connection, job: Row, at: datetime, outcome: str) -> None:
    run(connection, "put_off", job=job["job_id"], at=at, outcome=outcome)


def _say_escalated(connection: Connection, group: list[_Turn], now: datetime) -> None:
    """Note in the episodes' history that the next tier was told, and let the pages show it."""
    tier = group[0].step.tier
    run(connection, "tell_escalated", episodes=[turn.job["episode_id"] for turn in group], now=now, note=tier.name)
    payload = {
        "organisation": group[0].job["organisation_id"],
        "patients": sorted({turn.job["patient_id"] for turn in group}),
        "episodes": True,
    }
    run(connection, "tell_browsers", payload=json.dumps(payload))

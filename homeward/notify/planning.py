"""Which jobs' turn has come, and which messages does each make? One transaction: what is planned is in the outbox.

A job walks up its ladder step by step. It ends early when its episode is taken on, over, or told anew; it hurries when
nothing of a step gets through; and while there is nobody to tell it does not end, but asks again and is seen waiting.
"""

from __future__ import annotations

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

MOST = 100
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
REPEATS = "told, and told again until somebody acknowledges"
UNREADABLE = "the ladder cannot be read"
PAUSED = "the patient is paused"
COLLECTED = "collected with others of this site"
SNOOZED = ":snoozed:"
_NEVER = "infinity"
_HAVE_TOLD = (TOLD, REPEATS)
_REPEATED = -1
"""In place of the number of a step: repeats of one tier go together, however often each job was told before."""

log = structlog.get_logger()


@dataclass(frozen=True)
class _Turn:
    """A job at its step; past the last one that is told again."""

    job: Row
    ladder_id: int
    ladder: Ladder
    began: datetime
    steps: list[Step]

    @property
    def number(self) -> int:
        return int(self.job["steps"])

    @property
    def is_again(self) -> bool:
        return self.number >= len(self.steps)

    @property
    def step(self) -> Step:
        return self.steps[min(self.number, len(self.steps) - 1)]


@dataclass(frozen=True)
class _Move:
    """Where a job stands next: how many steps are done, when it is looked at again (never: None), and why."""

    turn: _Turn
    steps: int
    at: datetime | None
    outcome: str


def sweep(connection: Connection, now: datetime) -> None:
    """End what nobody waits for any more, and hurry what did not get through, in the transaction that is open."""
    for name in ("mend_clock_jobs", "mend_clock_deliveries", "end_snoozes", "cancel_jobs", "cancel_deliveries"):
        run(connection, name, now=now, longest=LONGEST_PAUSE * 2)
    run(connection, "hurry", now=now, tries=TRIES, repeats=REPEATS)
    run(connection, "end_jobs", now=now)


def plan(connection: Connection, now: datetime) -> int:
    """Do what is due at ``now`` in the transaction that is open; give how many jobs that moved."""
    due = run(connection, "due_jobs", now=now, most=MOST)
    if not due:
        return 0
    known = _Known(connection, now)
    groups: dict[tuple[int, int, int, str], list[_Turn]] = defaultdict(list)
    for turn in _not_held(known, [turn for job in due if (turn := _turn(known, job))]):
        number = _REPEATED if turn.is_again else turn.number
        groups[turn.job["site_id"], turn.ladder_id, number, turn.step.tier.name].append(turn)
    told = {key: known.receivers(group[0]) for key, group in groups.items()}
    _write(connection, [(group, told[key]) for key, group in groups.items()], now)
    moved = [_after(turn, now, told=bool(told[key])) for key, group in groups.items() for turn in group]
    _advance(connection, [*known.later, *moved])
    for key, group in groups.items():
        # a repeat is no new step: told of each, a history would show nothing else
        if told[key] and group[0].number and not group[0].is_again:
            _say_escalated(connection, group, now)
    return len(due)


class _Known:
    """What has been looked up in one turn, so that a hundred jobs of one ladder ask once."""

    def __init__(self, connection: Connection, now: datetime) -> None:
        self.connection, self.now = connection, now
        self.later: list[_Move] = []
        self._ladders: dict[tuple[int | None, int], tuple[int, Ladder] | str] = {}
        self._receivers: dict[tuple[int, str], list[Destination]] = {}

    def ladder(self, job: Row) -> tuple[int, Ladder] | str:
        """Give the ladder of a job with its number, or in words why there is none."""
        key = job["ladder_id"], job["site_id"]
        if key not in self._ladders:
            self._ladders[key] = self._read(job)
        return self._ladders[key]

    def _read(self, job: Row) -> tuple[int, Ladder] | str:
        rows = (
            run(self.connection, "ladder_of_site", organisation=job["organisation_id"], site=job["site_id"])
            if job["ladder_id"] is None
            else run(self.connection, "ladder", ladder=job["ladder_id"])
        )
        if not rows:
            return NO_LADDER
        try:
            return rows[0]["ladder_id"], ladders.read(rows[0]["document"])
        except LadderError:
            log.error("ladder cannot be read", action="ladder_unreadable", ladder=rows[0]["ladder_id"])
            return UNREADABLE

    def receivers(self, turn: _Turn) -> list[Destination]:
        """Give whom a step means now."""
        key = turn.ladder_id, turn.step.tier.name
        if key not in self._receivers:
            organisation = turn.job["organisation_id"]
            try:
                found = receivers.of_tier(self.connection, organisation, turn.step.tier, self.now)
            except RotaError:
                log.error("rota cannot be read", action="rota_unreadable", organisation=organisation)
                found = []
            self._receivers[key] = found
        return self._receivers[key]


def _turn(known: _Known, job: Row) -> _Turn | None:
    """Find a job's step where it is due now; else put it off or end it."""
    connection, now = known.connection, known.now
    if job["snoozed_until"] is not None and job["snoozed_until"] > now:
        _put_off(connection, job, job["snoozed_until"], "snoozed")
        return None
    if job["is_paused"]:
        run(connection, "hold", job=job["job_id"], at=now + AGAIN, outcome=PAUSED)
        return None
    found = known.ladder(job)
    if isinstance(found, str):
        _put_off(connection, job, now + AGAIN, found)
        return None
    number, ladder = found
    began = job["began_at"] or _begin(job, now)
    steps = ladders.plan(ladder, job["severity"], began, job["time_zone"])
    if not steps:
        _without_steps(connection, job, ladder, now)
        return None
    turn = _Turn(job, number, ladder, began, steps)
    if turn.is_again and (at := _may_repeat(turn, now)) > now:
        # a storm, or a notifier that did not run, has carried it past the end of its hours
        _put_off(connection, job, at, REPEATS)
        return None
    if job["began_at"] is None and steps[0].at > now:
        known.later.append(_Move(turn, 0, steps[0].at, "until its hours begin"))
        return None
    return turn


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
    run(connection, "end_job", job=job["job_id"], outcome="no tier is for this severity", now=now)


def _not_held(known: _Known, turns: list[_Turn]) -> list[_Turn]:
    """Let the episodes of a storm wait for each other, so that all of them make one message."""
    sites = sorted({turn.job["site_id"] for turn in turns if not turn.number or turn.is_again})
    if not sites:
        return turns
    recent: dict[int, list[Row]] = defaultdict(list)
    for row in run(known.connection, "recent_messages", sites=sites, window=STORM_WINDOW, now=known.now):
        recent[row["site_id"]].append(row)
    kept = []
    for turn in turns:
        # red does not wait behind yellow, and what is new does not wait behind repeats
        counted = [
            row
            for row in recent[turn.job["site_id"]]
            if row["severity"] >= turn.job["severity"] and (turn.is_again or not row["again"])
        ]
        if (turn.number and not turn.is_again) or len(counted) < STORM_MESSAGES:
            kept.append(turn)
        else:
            at = counted[0]["created_at"] + STORM_WINDOW
            if turn.is_again:
                _put_off(known.connection, turn.job, _may_repeat(turn, at), REPEATS)
            else:
                _put_off(known.connection, turn.job, at, COLLECTED)
    return kept


def _may_repeat(turn: _Turn, at: datetime) -> datetime:
    """Give the first instant from ``at`` on at which the quiet hours and the tier's own allow a repeat."""
    job = turn.job
    return ladders.opens(turn.ladder, turn.step.tier, job["severity"], at, job["time_zone"]) or at


def _write(connection: Connection, groups: list[tuple[list[_Turn], list[Destination]]], now: datetime) -> None:
    """Write the messages: one to each receiver, of all the episodes of its group.

    A repeat is left out where the receiver has not got the one before: it would wait beside that one, and while a way
    is down one after the other, until all of them went out at once.
    """
    rows, keys, jobs = [], [], []
    waiting = _still_waiting(connection, [turn for group, _ in groups for turn in group if turn.is_again])
    for whole, found in groups:
        for to in found:
            group = [turn for turn in whole if (turn.job["job_id"], to) not in waiting]
            if not group:
                continue
            first = min(group, key=lambda turn: int(turn.job["job_id"]))
            severity = max(turn.job["severity"] for turn in group)
            key = to.key(first.job["job_id"], first.began, first.number)
            where = first.job["organisation_id"], first.job["site_id"]
            whom = to.kind, to.channel, to.account, to.contact, to.address
            rows.append((*where, *whom, first.number, first.step.tier.name, severity, key, first.is_again))
            keys += [key] * len(group)
            jobs += [turn.job["job_id"] for turn in group]
    if rows:
        names = ("organisation", "site", "kind", "channel", "account", "contact", "address", "step", "tier", "severity")
        columns = dict(zip((*names, "key", "again"), map(list, zip(*rows, strict=True)), strict=True))
        run(connection, "add_deliveries", now=now, **columns)
        run(connection, "add_delivery_episodes", keys=keys, jobs=jobs)


def _still_waiting(connection: Connection, repeats: list[_Turn]) -> set[tuple[int, Destination]]:
    """Say of which jobs that are told again a message has not got through yet, and to whom."""
    if not repeats:
        return set()
    rows = run(connection, "still_waiting", jobs=[turn.job["job_id"] for turn in repeats])
    return {
        (r["job_id"], Destination(r["kind"], r["channel_id"], r["account_id"], r["contact_id"], r["address"]))
        for r in rows
    }


def _after(turn: _Turn, now: datetime, *, told: bool) -> _Move:
    """Say where a job stands after its step."""
    done = turn.number + 1
    if done < len(turn.steps):
        return _Move(turn, done, turn.steps[done].at if told else now, TOLD if told else NOBODY)
    if told or turn.job["outcome"] in _HAVE_TOLD:
        again = ladders.again(turn.ladder, turn.step.tier, turn.job["severity"], now, turn.job["time_zone"])
        return _Move(turn, done, again, TOLD if again is None else REPEATS)
    # from the first tier on: by then somebody may be on call, have an address, or another ladder be in force
    return _Move(turn, 0, now + AGAIN, NOBODY)


def _advance(connection: Connection, moves: list[_Move]) -> None:
    if not moves:
        return
    run(
        connection,
        "advance",
        jobs=[move.turn.job["job_id"] for move in moves],
        ladders=[move.turn.ladder_id if move.steps else None for move in moves],
        began=[move.turn.began for move in moves],
        steps=[move.steps for move in moves],
        at=[_NEVER if move.at is None else move.at.isoformat() for move in moves],
        outcomes=[_outcome(move) for move in moves],
    )


def _outcome(move: _Move) -> str:
    """Somebody who was told stays told, whoever cannot be found afterwards."""
    if move.turn.job["outcome"] in _HAVE_TOLD and move.outcome not in _HAVE_TOLD:
        return TOLD
    return move.outcome


def _put_off(connection: Connection, job: Row, at: datetime, outcome: str) -> None:
    run(connection, "put_off", job=job["job_id"], at=at, outcome=outcome)


def _say_escalated(connection: Connection, group: list[_Turn], now: datetime) -> None:
    """Note in the episodes' history that the next tier was told, and let the pages show it."""
    tier = group[0].step.tier
    run(connection, "tell_escalated", episodes=[turn.job["episode_id"] for turn in group], now=now, note=tier.name)
    patients = sorted({turn.job["patient_id"] for turn in group})
    run(connection, "tell_browsers", organisation=group[0].job["organisation_id"], patients=patients)

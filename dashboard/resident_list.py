"""Who of a home needs something now, who is being looked after, who is due for a round, and who is well?

Rows of the database in, one record a resident out; nothing here asks the database.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import numpy as np

from dashboard import care, reasons, rows
from dashboard.reasons import Reason
from dashboard.standing import NEWS2_CODES, Standard
from dashboard.text import care as words
from dashboard.wording import clock, full_name, instant

Row = dict[str, Any]
SOON_US = 3_600_000_000
"""Within this time a set counts as due: what somebody plans their round by [µs]."""


@dataclass(frozen=True)
class Resident:
    """One resident as the page shows them."""

    patient_id: int
    name: str
    room: str
    zone: str
    episodes: tuple[Row, ...]
    steps: tuple[str, ...]
    score: str
    usual: int | None
    due: care.Due | None
    away: str
    now_us: int
    reasons: tuple[Reason, ...] = ()

    @property
    def severity(self) -> int:
        """The worst of what is open."""
        return max((int(e["severity"]) for e in self.episodes), default=0)

    @property
    def waiting(self) -> tuple[int, ...]:
        """The open episodes that nobody has taken on or put off."""
        return tuple(e["episode_id"] for e in self.episodes if not e["acknowledged_at"] and not e["snoozed_until"])

    @property
    def since(self) -> datetime | None:
        """Since when the worst is open."""
        return min((e["since"] for e in self.episodes if e["severity"] == self.severity), default=None)

    @property
    def is_eased(self) -> bool:
        """Whether the worst of what is open is over by now, and only waits to end."""
        worst = [r for e, r in zip(self.episodes, self.reasons, strict=True) if e["severity"] == self.severity]
        return bool(worst) and all(r.stays for r in worst)

    @property
    def group(self) -> str:
        """Where on the page: each resident is there once."""
        if self.away:
            return "away"
        if self.waiting:
            return "now"
        if self.episodes:
            return "taken"
        return "due" if self.due is not None and self.due.at_us - self.now_us <= SOON_US else "well"

    def due_words(self) -> str:
        """When the next set is due, in words."""
        if self.due is None:
            return ""
        at = clock(instant(self.due.at_us), self.zone, instant(self.now_us))
        if self.due.without_break:
            return f"{words.WITHOUT_BREAK} {at}"
        if self.due.is_overdue(self.now_us):
            return f"{words.OVERDUE_SINCE} {at}" if self.due.at_us < self.now_us else words.DUE_NOW
        return f"{words.DUE_AT} {at}"


def residents(
    found: Sequence[Row],
    episodes: Sequence[Row],
    standards: Mapping[int, Standard],
    now: datetime,
    moment: Callable[[datetime, str], str] | None = None,
) -> list[Resident]:
    """Put together what is known of each; those who are away have nothing due.

    ``moment`` writes an instant in a zone; without one it is as short as can be.
    """
    moment = moment or (lambda seen, zone: clock(seen, zone, now))
    at = rows.situation([r["patient_id"] for r in found], {r["patient_id"]: r for r in found}, dict(standards), now)
    open_of: dict[int, list[Row]] = {}
    for episode in episodes:
        open_of.setdefault(episode["patient_id"], []).append(episode)
    return [_resident(row, at, i, open_of.get(row["patient_id"], []), now, moment) for i, row in enumerate(found)]


def _resident(
    row: Row,
    at: rows.Situation,
    position: int,
    episodes: list[Row],
    now: datetime,
    moment: Callable[[datetime, str], str],
) -> Resident:
    zone, away = row["time_zone"], ""
    if row["away_for"]:
        away = row["away_for"]
        if row["away_until"]:
            away += f", {words.AWAY_UNTIL} {clock(row['away_until'], row['time_zone'], now)}"
    return Resident(
        row["patient_id"],
        full_name(row["given_name"], row["family_name"]),
        row["room"],
        zone,
        tuple(episodes),
        tuple(care.steps(at.standards[position], episodes)),
        _score(at, position),
        row["usual_news2"],
        None if away else care.due(at, position, episodes),
        away,
        at.now_us,
        tuple(reasons.reason(e, at, position, lambda seen: moment(seen, zone)) for e in episodes),
    )


def _score(at: rows.Situation, position: int) -> str:
    followed = at.standards[position]
    if followed is None or followed.score_rule is None or np.isnan(at.counting[position, list(NEWS2_CODES)]).all():
        return ""
    return care.score_words(at.scores, at.counting, position)


def in_order(found: Sequence[Resident], group: str) -> list[Resident]:
    """One group's residents: the most urgent first, of these who is still so, then who has waited longest.

    The others stand by room, as they came.
    """
    mine = [r for r in found if r.group == group]
    if group in ("now", "taken"):
        return sorted(mine, key=lambda r: (-r.severity, r.is_eased, r.since.timestamp() if r.since else 0.0))
    if group == "due":
        return sorted(mine, key=lambda r: r.due.at_us if r.due else 0)
    return mine

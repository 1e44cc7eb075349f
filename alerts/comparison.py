"""What would change for patients and staff if a draft were in force in the place of the present policy?

A `Tally` counts the alerts of one side as its episodes come in, slice by slice, so that nothing else need be kept; two
tallies of the same patients make a comparison. An alert is what would have told somebody: an episode becomes active, or
rises in severity.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import numpy as np
from numpy.typing import NDArray

from schemas.episode import Severity

HOUR = 3_600_000_000
DAY = 24 * HOUR
HOURS = 24
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True)
class Panel:
    """The patients of a comparison, and what is compared.

    Attributes
    ----------
    names : sequence of P
        How a report calls each patient.
    site : int array, shape (P,)
        Position in ``sites``.
    sites, zones : sequences of str
        Names of the sites and of their time zones.
    since, until : int
        Alerts from ``since`` on and before ``until`` count [µs since 1970 UTC].
    enrolled : int64 array, shape (P,)
        Time of each patient within that [µs].
    events : array of (patient row, instant), shape (E, 2)
        Labelled events, each with the alerts in the ``horizon`` before it.
    horizon : int
    """

    names: Sequence[Any]
    site: NDArray[np.intp]
    sites: Sequence[str]
    zones: Sequence[str]
    since: int
    until: int
    enrolled: NDArray[np.int64]
    events: NDArray[np.int64] = field(default_factory=lambda: np.zeros((0, 2), np.int64))
    horizon: int = 12 * HOUR


class Tally:
    """Alerts of one policy, or of each patient's own, counted as they come."""

    def __init__(self, panel: Panel, rules: dict[int, str]) -> None:
        self._panel, self._rules = panel, rules
        self.by_rule: Counter[tuple[str, str]] = Counter()
        self.by_hour = np.zeros((HOURS, len(Severity)), np.int64)
        self.by_site = np.zeros((len(panel.sites), len(Severity)), np.int64)
        self.by_patient = np.zeros((len(panel.names), len(Severity)), np.int64)
        self.first = np.full(len(panel.events), np.iinfo(np.int64).max)
        order = np.argsort(panel.events[:, 0], kind="stable")
        self._event_order, self._event_row = order, panel.events[order, 0]

    def add(self, intervals: NDArray[np.void], patients: NDArray[np.intp]) -> None:
        """Count intervals (`alerts.backtest.INTERVAL`) whose patient numbers are positions in ``patients``."""
        p = self._panel
        alerts = intervals[intervals["severity"] > intervals["before"]]
        alerts = alerts[(alerts["start"] >= p.since) & (alerts["start"] < p.until)]
        who, severity = patients[alerts["patient"]], alerts["severity"].astype(np.intp)
        counted = Counter(zip(alerts["rule"].tolist(), severity.tolist(), strict=True))
        for (rule, grade), number in counted.items():
            self.by_rule[self._rules.get(rule, "?"), Severity(grade).word] += number
        np.add.at(self.by_patient, (who, severity), 1)
        np.add.at(self.by_site, (p.site[who], severity), 1)
        np.add.at(self.by_hour, (_local_hours(alerts["start"], p.site[who], p.zones), severity), 1)
        if len(p.events):
            self._warn(intervals, patients[intervals["patient"]])

    def _warn(self, intervals: NDArray[np.void], who: NDArray[np.intp]) -> None:
        """Note, for each event, the earliest alert that was active in the horizon before it."""
        begin, end = np.searchsorted(self._event_row, who), np.searchsorted(self._event_row, who, side="right")
        for i in np.flatnonzero(begin < end):
            for e in self._event_order[begin[i] : end[i]]:
                at = int(self._panel.events[e, 1])
                start = int(intervals["start"][i])
                if start < at and int(intervals["end"][i]) > at - self._panel.horizon:
                    self.first[e] = min(self.first[e], max(start, at - self._panel.horizon))

    def rates(self) -> dict[str, Any]:
        """Give alerts per patient-day: in all, by severity, rule, hour of day (site's time) and site."""
        days = float(self._panel.enrolled.sum()) / DAY
        total = self.by_patient.sum(axis=0)
        at_site = np.bincount(self._panel.site, self._panel.enrolled, minlength=len(self._panel.sites)) / DAY
        return {
            "alerts": int(total.sum()),
            "per_patient_day": _rate(total.sum(), days),
            "by_severity": {s.word: _rate(total[s], days) for s in Severity if s},
            "by_rule": [
                {"rule": rule, "severity": word, "alerts": n, "per_patient_day": _rate(n, days)}
                for (rule, word), n in sorted(self.by_rule.items())
            ],
            "by_hour": [_rate(n, days / HOURS) for n in self.by_hour.sum(axis=1)],
            "by_site": {
                name: _rate(n, d)
                for name, n, d in zip(self._panel.sites, self.by_site.sum(axis=1), at_site, strict=True)
            },
        }


def compare(panel: Panel, draft: Tally, in_force: Tally, most: int = 20) -> dict[str, Any]:
    """Put two tallies of one panel beside each other; ``most`` patients who gain, and who lose, most are named."""
    difference = (draft.by_patient - in_force.by_patient).sum(axis=1)
    return {
        "since": _text(panel.since),
        "until": _text(panel.until),
        "patients": len(panel.names),
        "patient_days": round(float(panel.enrolled.sum()) / DAY, 3),
        "draft": draft.rates(),
        "in_force": in_force.rates(),
        "gain": _named(panel, difference, most),
        "lose": _named(panel, -difference, most),
        "patients_gaining": int((difference > 0).sum()),
        "patients_losing": int((difference < 0).sum()),
        "events": [
            {
                "patient": panel.names[int(row)],
                "at": _text(int(at)),
                "draft_lead_hours": _lead(int(at), int(draft.first[i])),
                "in_force_lead_hours": _lead(int(at), int(in_force.first[i])),
            }
            for i, (row, at) in enumerate(panel.events)
        ],
    }


def _named(panel: Panel, difference: NDArray[np.int64], most: int) -> list[dict[str, Any]]:
    rows = [int(r) for r in np.argsort(-difference, kind="stable")[:most] if difference[r] > 0]
    return [{"patient": panel.names[r], "alerts": int(difference[r])} for r in rows]


def _lead(at: int, first: int) -> float | None:
    return round((at - first) / HOUR, 3) if first < at else None


def _rate(count: Any, days: float) -> float | None:
    return round(float(count) / days, 5) if days > 0 else None


def _text(at: int) -> str:
    return (_EPOCH + timedelta(microseconds=at)).isoformat()


def _local_hours(at: NDArray[np.int64], site: NDArray[np.intp], zones: Sequence[str]) -> NDArray[np.intp]:
    """Give the hour of the day at each alert's site; a zone's offset is looked up once an hour of the record."""
    hours = np.zeros(len(at), np.intp)
    for position, name in enumerate(zones):
        here = np.flatnonzero(site == position)
        if not len(here):
            continue
        zone = ZoneInfo(name)
        whole, place = np.unique(at[here] // HOUR, return_inverse=True)
        local = [(_EPOCH + timedelta(hours=int(h))).astimezone(zone) for h in whole]
        offset = np.array([int((t.utcoffset() or timedelta()).total_seconds()) for t in local], np.int64) * 1_000_000
        hours[here] = (at[here] + offset[place]) // HOUR % HOURS
    return hours

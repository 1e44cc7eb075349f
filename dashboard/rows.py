"""What does one row of the triage list show? Database rows and state records in, plain values for the grid out."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import numpy as np

from alerts import state
from alerts.awareness import AWAKE, is_in_doubt
from dashboard import reasons, text
from dashboard.standing import (
    NEWS2_CODES,
    Standard,
    points_severity,
    score,
    score_severity,
    valid_values,
)
from dashboard.text import reasons as reason_words
from dashboard.wording import brief_clock, clock, full_name, microseconds, nhs_number, place, score_range
from schemas.episode import Severity
from schemas.vital_signs import BY_NAME, CATALOGUE, VITALS

Row = dict[str, Any]
SHOWN = ("respiration_rate", "spo2", "bp_systolic", "pulse", "temperature")
_PREFERRED = [
    BY_NAME[n].code for n in ("spo2", "respiration_rate", "bp_systolic", "pulse", "temperature", "weight", "glucose")
]


@dataclass(frozen=True)
class Situation:
    """Where P patients stand at one instant: their last values, which of them count, and their scores."""

    position: dict[int, int]
    standards: list[Standard | None]
    recent: Any
    recent_at: Any
    counting: Any
    scores: Any
    now_us: int
    zones: list[str]
    machines: Any
    unreadable: tuple[int, ...] = ()


def situation(
    patients: Sequence[int], details: dict[int, Row], standards: dict[int, Standard], now: datetime
) -> Situation:
    """Read the state records of some patients and score them, all at once."""
    size, now_us = len(patients), microseconds(now)
    machines = state.initial(size)
    followed: list[Standard | None] = []
    unreadable: list[int] = []
    zones = [details[p]["time_zone"] if p in details else "UTC" for p in patients]
    scale = np.ones(size, dtype=np.int64)
    for row, patient in enumerate(patients):
        detail = details.get(patient, {})
        record = detail.get("machine")
        if record is not None:
            try:
                machines[row] = state.unpack([record])[0]
            except state.StateError:
                unreadable.append(patient)
        shared = standards.get(detail.get("policy_id", -1))
        followed.append(shared and shared.for_person(detail.get("own"), detail.get("usual_news2")))
        scale[row] = detail.get("spo2_scale", 1)
    valid = np.array([(s.valid_us or 0) if s else 0 for s in followed], dtype=np.int64)
    recent, recent_at = machines["recent"][:, :, 0], machines["recent_at"][:, :, 0]
    counting = valid_values(recent, recent_at, valid, now_us)
    scores = score(counting, scale) if size else None
    return Situation(
        {p: i for i, p in enumerate(patients)}, followed, recent, recent_at, counting, scores, now_us, zones, machines,
        tuple(unreadable),
    )  # fmt: skip


def value_cell(at: Situation, row: int, code: int) -> Row | None:
    """One last value: its text, its severity, and whether it is too old to count, or from before somebody changed."""
    seen = int(at.recent_at[row, code])
    if not seen:
        return None
    value, followed = float(at.recent[row, code]), at.standards[row]
    severity = Severity.NONE
    if followed is not None:
        severity = followed.severity_of(code, value, seen, at.zones[row])
        if followed.score_rule is not None and code in NEWS2_CODES:
            points = float(at.scores.points[row, NEWS2_CODES.index(code)])
            severity = max(severity, points_severity(points))
    oldest = followed.oldest_us.get(code) if followed else None
    doubted = code == AWAKE and bool(is_in_doubt(at.recent[row], at.recent_at[row]))
    stale = doubted or (oldest is not None and at.now_us - seen > oldest)
    severity = Severity.NONE if stale else severity
    number = _number(code, value)
    return {"text": number, "level": int(severity), "stale": stale, "doubted": doubted, "at": seen // 1000}


def _number(code: int, value: float) -> str:
    """A value as the chart writes it, without its unit: the column's heading says it."""
    vital = CATALOGUE[code - 1]
    return vital.format(value).removesuffix(vital.display_unit).strip()


def score_cell(at: Situation, row: int) -> Row | None:
    """NEWS2 as one number or as a range; nothing where the policy has no such rule or nothing counts."""
    followed = at.standards[row]
    if followed is None or followed.score_rule is None:
        return None
    if np.isnan(at.counting[row, list(NEWS2_CODES)]).all():
        return None
    lower, upper = float(at.scores.lower[row]), float(at.scores.upper[row])
    complete = not np.isnan(at.scores.aggregate[row])
    level = score_severity(followed.score_rule, lower, bool(at.scores.red[row]))
    return {
        "text": score_range(lower, upper),
        "level": int(level),
        "complete": complete,
        "missing": [code for code in NEWS2_CODES if np.isnan(at.counting[row, code])],
        "title": f"{text.NEWS2} {score_range(lower, upper)}" + ("" if complete else f". {text.INCOMPLETE}"),
    }


def trend_vital(at: Situation, row: int, rule: str | None) -> int | None:
    """Which vital sign the small line shows: the one that raised the episode, else the one that matters most."""
    followed = at.standards[row]
    if rule and followed and (code := followed.vital_of(rule)):
        return code
    seen = [c for c in range(1, VITALS) if at.recent_at[row, c]]
    if followed is not None and followed.score_rule is not None:
        points = at.scores.points[row]
        drawn = {c: points[i] for i, c in enumerate(NEWS2_CODES) if points[i] > 0 and c in _PREFERRED}
        if drawn:
            return max(drawn, key=lambda c: (drawn[c], -_PREFERRED.index(c)))
    return next((c for c in _PREFERRED if c in seen), seen[0] if seen else None)


def grid_row(
    row: Row, at: Situation, episodes: Sequence[Row], trend: Sequence[Row], vital: int | None, now: datetime
) -> Row:
    """Put together what the grid's cells draw."""
    position = at.position[row["patient_id"]]
    severity = Severity(row.get("severity") or 0)
    first = next((e for e in episodes if e["episode_id"] == row.get("episode_id")), None)
    ordered = episodes if first is None else [first, *(e for e in episodes if e is not first)]
    told = [reasons.reason(e, at, position, lambda seen: clock(seen, row["time_zone"], now)) for e in ordered]
    waiting = [e["episode_id"] for e in episodes if e["acknowledged_at"] is None and e["snoozed_until"] is None]
    cells: Row = {
        "id": str(row["patient_id"]),
        "name": full_name(row["given_name"], row["family_name"]),
        "place": place(row["site"], row["room"]),
        "nhs": nhs_number(row["nhs_number"]),
        "level": int(severity),
        "word": text.SEVERITY[severity] if severity else text.NO_EPISODE,
        "reason": told[0].brief if told else (row.get("sentence") or "").removesuffix("."),
        "now": told[0].short(detail(at, position, ordered[0]), lambda seen: brief_clock(seen, row["time_zone"], now))
        if told
        else "",
        "also": f"{reason_words.ALSO}: {'; '.join(r.brief for r in told[1:])}" if told[1:] else "",
        "title": ". ".join(line for r in told for line in r.lines),
        "news2": score_cell(at, position),
        "since": microseconds(row["since"]) // 1000 if row.get("since") else None,
        "waiting": waiting,
        "episodes": [e["episode_id"] for e in episodes],
        "snoozed": clock(row["snoozed_until"], row["time_zone"], now) if row.get("snoozed_until") else "",
        "owner": _owner(row, now),
        "trend": trend_cell(trend, vital, severity, at.now_us),
    }
    for name in SHOWN:
        cells[name] = value_cell(at, position, BY_NAME[name].code)
    return cells


def detail(at: Situation, row: int, episode: Row) -> str:
    """What makes up the score now, where it is about the score: the vital signs with points, most first."""
    followed = at.standards[row]
    if followed is None or followed.score_rule is None or followed.score_rule.name != episode["rule"]:
        return ""
    points = at.scores.points[row]
    counted = [(float(points[i]), code) for i, code in enumerate(NEWS2_CODES) if points[i] > 0]
    counted.sort(key=lambda pair: -pair[0])
    return ", ".join(
        f"{CATALOGUE[code - 1].short_label} {_number(code, float(at.counting[row, code]))}"
        for _, code in counted[:MOST_NAMED]
    )


MOST_NAMED = 3
"""Vital signs that the reason names."""


def _owner(row: Row, now: datetime) -> Row | None:
    if not row.get("acknowledged_at"):
        return None
    return {"name": row["acknowledged_name"] or "", "at": clock(row["acknowledged_at"], row["time_zone"], now)}


TREND_US = 24 * 3_600_000_000


def trend_cell(rows: Sequence[Row], vital: int | None, severity: Severity, now_us: int) -> Row | None:
    """The small line: positions across the last 24 h [0–1] with values, oldest first."""
    if vital is None or not rows:
        return None
    begun = now_us - TREND_US
    points = [(round((microseconds(r["at"]) - begun) / TREND_US, 4), round(float(r["value"]), 2)) for r in rows]
    sign = CATALOGUE[vital - 1]
    return {
        "x": [min(1.0, max(0.0, x)) for x, _ in points],
        "y": [y for _, y in points],
        "label": sign.short_label,
        "title": f"{sign.label}: {sign.format(points[0][1])} → {sign.format(points[-1][1])}",
        "level": int(severity),
        "step": sign.resolution,
    }

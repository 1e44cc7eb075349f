"""What is told of one patient when somebody else takes over? SBARD, written from the record.

Rows of the database in, sentences out; nothing here asks it. Every sentence is a value that was observed, a fact of the
record, or the policy's own words: the recommendation is the policy's, with its version, and the decision is left to be
filled in. Times are instants and never "ago": a document is read later.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

import numpy as np

from dashboard import care, reasons, rows, text
from dashboard.figure_parts import Scores
from dashboard.rows import Situation
from dashboard.standing import NEWS2_CODES, Standard, score
from dashboard.text import care as care_words
from dashboard.text import handover as words
from dashboard.text import reasons as reason_words
from dashboard.wording import age, full_name, instant, nhs_number, place, typed, zone_name
from schemas.episode import Severity
from schemas.vital_signs import BY_NAME, CATALOGUE

Row = dict[str, Any]
MOST_TREND = 7
_TOGETHER = {"bp_systolic": "bp_diastolic"}
_LETTERS = text.ACVPU


@dataclass(frozen=True)
class Draft:
    """What is proposed, section by section, and what it was written from."""

    sections: dict[str, str]
    facts: Row


def draft(
    patient: Row, episodes: Sequence[Row], notes: Sequence[Row], at: Situation, trend: Scores | None, now: datetime
) -> Draft:
    """Write the handover of a patient whose situation is row 0 of ``at``."""
    followed, zone = at.standards[0], patient["time_zone"]
    active = [e for e in episodes if e["phase"] == "active"]
    recommended = _recommendation(followed, patient, active)
    sections = {
        "situation": _situation(patient, active, notes, at),
        "background": _background(patient, now),
        "assessment": _assessment(patient, at, trend, zone),
        "recommendation": recommended,
        "decision": "",
    }
    facts = {
        "name": full_name(patient["given_name"], patient["family_name"]),
        "nhs_number": nhs_number(patient["nhs_number"]),
        "born_on": patient["born_on"].isoformat(),
        "place": place(patient["site"], room(patient["room"])),
        "policy": patient["pathway"],
        "policy_version": patient["version"],
        "policy_author": patient["author"],
        "recommended": recommended,
        "score": _score(at, patient["spo2_scale"]),
        "time_zone": zone,
        "written_at": now.isoformat(),
        "episodes": [e["episode_id"] for e in active],
    }
    return Draft(sections, facts)


def moment(at: datetime, zone: str, *, year: bool = True) -> str:
    """Write an instant for a document: ``25 Nov 2026 18:04``."""
    local = at.astimezone(ZoneInfo(zone))
    return typed(local) if year else f"{local.day} {local:%b %H:%M}"


def room(named: str) -> str:
    """Write a room that the record gives as a bare number."""
    return f"room {named}" if named.isdigit() else named


def _situation(patient: Row, active: Sequence[Row], notes: Sequence[Row], at: Situation) -> str:
    zone = patient["time_zone"]
    told = [f"{_who(patient)}, {place(patient['site'], room(patient['room']))}."]
    for episode in active:
        since = moment(episode["activated_at"] or episode["opened_at"], zone)
        reason = reasons.reason(episode, at, 0, lambda seen: moment(seen, zone))
        line = reason.since(text.SEVERITY[Severity(episode["severity"])], since)
        told.append(f"{line} {reason.present}." if reason.present else line)
        if episode["acknowledged_at"]:
            told.append(words.taken_on(episode["acknowledged_name"], moment(episode["acknowledged_at"], zone)))
    if not active:
        told.append(words.NO_EPISODE)
    told += [f"{note['account']}, {moment(note['at'], zone)}: {note['body']}" for note in reversed(notes)]
    return "\n".join(told)


def _who(patient: Row) -> str:
    number = f"NHS {nhs_number(patient['nhs_number'])}" if patient["nhs_number"] else text.NO_NHS_NUMBER
    return f"{full_name(patient['given_name'], patient['family_name'])}, {number}"


def _background(patient: Row, now: datetime) -> str:
    years = age(patient["born_on"], now.astimezone(ZoneInfo(patient["time_zone"])).date())
    usual = text.NOT_RECORDED.lower() if patient["usual_news2"] is None else str(patient["usual_news2"])
    return "\n".join(
        (
            words.years(years, text.SEX[patient["sex"]]),
            words.CONDITIONS,
            f"{text.ALLERGIES}: {patient['allergies'] or text.NOT_RECORDED.lower()}.",
            f"{text.RESUSCITATION}: {patient['resuscitation'] or text.NOT_RECORDED.lower()}.",
            f"{text.USUAL_NEWS2}: {usual}.",
            text.SCALE_SENTENCE[patient["spo2_scale"]],
            f"{text.CONTACT}: {patient['contact'] or text.NOT_RECORDED.lower()}.",
        )
    )


def _assessment(patient: Row, at: Situation, trend: Scores | None, zone: str) -> str:
    scale = patient["spo2_scale"]
    told = [f"{_score(at, scale)}."] if _has_score(at) else [_score(at, scale)]
    if _has_score(at):
        told.append(care.against_usual(score(at.counting[[0]], [scale]), 0, patient["usual_news2"]))
    if trend is not None and len(trend.at) > 1:
        steps = [
            f"{moment(instant(int(when)), zone, year=False)}: {_bounds(lower, upper)}"
            for when, lower, upper in list(zip(trend.at, trend.lower, trend.upper, strict=True))[-MOST_TREND:]
        ]
        told.append(f"{words.HIGHEST}: {'; '.join(steps)}.")
    told += _values(at, zone)
    told.append(f"{text.times_in(zone_name(zone, instant(at.now_us)))}.")
    return "\n".join(told)


def _bounds(lower: float, upper: float) -> str:
    """A score of the past: a number only where its bounds agree, which they do in a complete set alone."""
    return f"{lower:.0f}" if lower == upper else f"between {lower:.0f} and {upper:.0f}"


def _has_score(at: Situation) -> bool:
    followed = at.standards[0]
    if followed is None or followed.score_rule is None:
        return False
    return not np.isnan(at.counting[0, list(NEWS2_CODES)]).all()


def _score(at: Situation, scale: int) -> str:
    """The score of the newest set, and beside it that with what earlier sets lend: never the second as the first."""
    followed = at.standards[0]
    if followed is None:
        return words.NOT_ENROLLED
    if followed.score_rule is None:
        return words.NO_SCORE
    if not _has_score(at):
        return words.NOTHING_COUNTS
    counting = at.counting[[0]]
    own = care.newest_set(at, 0, counting)
    told = care.score_words(score(own, [scale]), own, 0)
    lent = care.carried(at, 0, own, counting, lambda seen: moment(seen, at.zones[0], year=False))
    if not lent:
        return told
    return f"{told}. {care_words.EARLIER} ({lent}): {care.score_words(score(counting, [scale]), counting, 0)}"


def _values(at: Situation, zone: str) -> list[str]:
    """Each last value with its time; systolic and diastolic pressure together where they were taken together."""
    told, seconds = [], set(_TOGETHER.values())
    for sign in CATALOGUE:
        cell = rows.value_cell(at, 0, sign.code)
        if cell is None or (sign.name in seconds and rows.value_cell(at, 0, BY_NAME["bp_systolic"].code)):
            continue
        value = sign.format(float(at.recent[0, sign.code]))
        if sign.name == "consciousness":
            value = f"{value} ({_LETTERS[value]})"
        label = care.parameter_label(sign.name).capitalize() if sign.name == "on_oxygen" else sign.label
        if sign.name in _TOGETHER and (other := rows.value_cell(at, 0, BY_NAME[_TOGETHER[sign.name]].code)):
            label, value = text.BLOOD_PRESSURE, f"{cell['text']}/{other['text']} {sign.display_unit}"
        why_not = reason_words.BEFORE_CHANGE if cell["doubted"] else words.TOO_OLD
        stale = f" ({why_not})" if cell["stale"] else ""
        told.append(f"{label}: {value}, {moment(instant(cell['at'] * 1000), zone)}{stale}.")
    return told or [words.NO_VALUES]


def _recommendation(followed: Standard | None, patient: Row, active: Sequence[Row]) -> str:
    if followed is None:
        return words.NOT_ENROLLED
    told = care.steps(followed, active) or [words.NO_STEPS]
    source = f"({patient['pathway']}, {text.POLICY_VERSION} {patient['version']}, {patient['author']})"
    return "\n".join([*told, source])

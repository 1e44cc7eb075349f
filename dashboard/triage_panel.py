"""What does the panel beside the triage list show of one patient? Plain values in, components out."""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import datetime
from typing import Any

from dash import dcc, html

from dashboard import care, reason_parts, reasons, text
from dashboard.identity import Person
from dashboard.patient_parts import is_allergic, timeline_list
from dashboard.rows import Situation
from dashboard.shell import badge, icon
from dashboard.text import resets
from dashboard.text import triage as words
from dashboard.timeline import Entry
from dashboard.wording import age, clock, elapsed, full_name, nhs_number, place
from schemas import telephone
from schemas.episode import Severity

Row = dict[str, Any]
_NUMBER = re.compile(r"\+?\d[\d ()/.-]{5,}\d")


def frame(may_act: bool, may_note: bool) -> Any:
    """The panel before a patient is chosen: what is typed into it outlives every update."""
    return html.Aside(
        [
            html.Div(id="panel-who"),
            html.Div(id="panel-episodes"),
            html.Div(_forms(may_act, may_note), id="panel-forms", hidden=not may_note),
            html.Div(id="panel-latest"),
        ],
        id="panel",
        className="panel card",
        hidden=True,
        tabIndex="-1",
        **{"aria-label": words.PANEL},
    )


def _forms(may_act: bool, may_note: bool) -> list[Any]:
    return [
        html.Fieldset(
            [
                html.Legend(words.SNOOZE),
                *(
                    html.Button(label, type="button", className="quiet-button", **{"data-act": "snooze",
                                "data-minutes": str(minutes), "aria-label": f"{words.SNOOZE} {label}"})
                    for minutes, label in words.SNOOZES.items()
                ),
            ],
            className="panel-acts",
            id="panel-snooze",
        )
        if may_act
        else None,
        html.Label(words.NOTE, htmlFor="panel-note", className="panel-label"),
        # what is typed is read where it is sent: no round trip at each letter
        dcc.Textarea(id="panel-note", className="panel-note", maxLength=4000, rows=2),
        html.Div(words.NOTE_HINT, className="panel-hint", id="panel-note-hint"),
        html.Div(
            [
                html.Button(words.SAVE_NOTE, type="button", className="quiet-button", **{"data-act": "note"})
                if may_note
                else None,
            ],
            className="panel-acts",
        ),
        html.Fieldset(
            [
                html.Legend(words.CALL),
                html.Div(id="panel-contact", className="panel-contact"),
                *(
                    html.Button(label, type="button", className="quiet-button", **{"data-act": "call",
                                "data-outcome": outcome, "aria-label": f"{words.RECORD_CALL}: {label}"})
                    for outcome, label in words.OUTCOMES.items()
                ),
            ],
            className="panel-acts",
            id="panel-call",
        ),
    ]  # fmt: skip


def who(patient: Row, worst: int) -> Any:
    """Who this is, and what everybody must know before they act."""
    name = full_name(patient["given_name"], patient["family_name"])
    number = f"NHS {nhs_number(patient['nhs_number'])}" if patient["nhs_number"] else text.NO_NHS_NUMBER
    years = age(patient["born_on"], patient["now"].date())
    facts = [
        (text.ALLERGIES, patient["allergies"], is_allergic(patient["allergies"])),
        (text.TARGET, text.SCALE[patient["spo2_scale"]] if patient["spo2_scale"] != 1 else "", True),
        (text.RESUSCITATION, patient["resuscitation"], False),
    ]
    return html.Div(
        [
            html.Div(
                [
                    html.H2(name, id="panel-name", tabIndex="-1"),
                    badge(worst, text.SEVERITY[Severity(worst)]) if worst else None,
                    html.Button("×", type="button", className="panel-close", **{"aria-label": words.CLOSE,
                                "data-close": "panel"}),
                ],
                className="panel-head",
            ),
            html.P(f"{years} y, {text.SEX[patient['sex']]}. {number}", className="banner-line numeric"),
            html.P(
                ". ".join(p for p in (place(patient["site"], patient["room"]), patient["pathway"] or "") if p),
                className="banner-line",
            ),
            html.Dl(
                [
                    html.Div([html.Dt(label), html.Dd(value, className="alarming" if alarming else "")])
                    for label, value, alarming in facts
                    if value
                ],
                className="panel-facts",
            ),
            html.A(words.OPEN_PAGE, href=f"/patients/{patient['patient_id']}", className="inside"),
        ]
    )  # fmt: skip


def contact(patient: Row) -> Any:
    """Whom to call; every telephone number in it can be dialled."""
    recorded = patient["contact"]
    if not recorded:
        return html.Span(words.NO_CONTACT, className="muted")
    parts: list[Any] = []
    end = 0
    for found in _NUMBER.finditer(recorded):
        dialled = re.sub(r"[^\d+]", "", telephone.read_or_leave(found[0]))
        parts += [recorded[end : found.start()], html.A(found[0], href=f"tel:{dialled}")]
        end = found.end()
    return html.Span([*parts, recorded[end:]])


def episodes(found: Sequence[Row], at: Situation, patient: Row, person: Person, now: datetime, may_act: bool) -> Any:
    """Each open episode of the patient in row 0 with why, how it is now and whose; and what can be done with all."""
    if not found:
        return html.P(text.NO_OPEN_EPISODES, className="muted")
    listed = [_episode(e, at, patient, now) for e in found]
    return html.Div([*listed, html.Div(acts(found, person), className="panel-acts") if may_act else None])


def acts(found: Sequence[Row], person: Person) -> list[Any]:
    """The buttons for the episodes of one patient: what is free, one's own, others', and what sleeps."""
    free = [e for e in found if e["acknowledged_by"] is None]
    own = [e for e in found if e["acknowledged_by"] == person.account_id]
    asleep = [e for e in found if e["snoozed_until"] is not None]
    theirs: dict[int, list[Row]] = {}
    for e in found:
        if e["acknowledged_by"] not in (None, person.account_id):
            theirs.setdefault(e["acknowledged_by"], []).append(e)
    buttons = []
    if free:
        buttons.append(_act("acknowledge", words.ACKNOWLEDGE, free, primary=True))
    for holder, held in theirs.items():
        label = f"{words.TAKE_OVER} {held[0]['acknowledged_name']}"
        buttons.append(_act("take_over", label, held, holder=holder))
    if own:
        buttons.append(_act("release", words.RELEASE, own))
    if over := [e for e in found if e["waits_for_reset"]]:
        buttons.append(_act("reset", resets.RESET, over))
    if asleep:
        buttons.append(_act("resume", words.END_SNOOZE, asleep))
    return buttons


def _act(kind: str, label: str, found: Sequence[Row], *, primary: bool = False, holder: int = 0) -> Any:
    ids = ",".join(str(e["episode_id"]) for e in found)
    data = {"data-act": kind, "data-episodes": ids} | ({"data-holder": str(holder)} if holder else {})
    return html.Button(label, type="button", className="button" if primary else "quiet-button", **data)


def _episode(episode: Row, at: Situation, patient: Row, now: datetime) -> Any:
    severity, zone = Severity(episode["severity"]), patient["time_zone"]
    meta = [
        f"{text.OPEN_SINCE} {clock(episode['since'], zone, now)}, {elapsed((now - episode['since']).total_seconds())}"
    ]
    if episode["retrospective"]:
        meta.append(text.OUTSIDE_TIME)
    if episode["acknowledged_at"] is not None:
        taken = clock(episode["acknowledged_at"], zone, now)
        meta.append(f"{text.ACKNOWLEDGED} by {episode['acknowledged_name'] or '–'}, {taken}")
    if episode["snoozed_until"] is not None:
        meta.append(f"{words.SNOOZED_UNTIL} {clock(episode['snoozed_until'], zone, now)}")
    if episode["waits_for_reset"]:
        meta.append(resets.WAITS)
    reason = reasons.reason(episode, at, 0, lambda seen: clock(seen, zone, now))
    step = care.step(at.standards[0], episode)
    return html.Div(
        [
            html.Div([icon(f"level-{severity:d}"), reason_parts.told(reason)], className="panel-why"),
            html.Div(step, className="panel-advice") if step else None,
            html.Div(". ".join(meta), className="episode-meta"),
        ],
        className=f"panel-episode level-{severity:d}",
        **{"data-episode": str(episode["episode_id"])},
    )


def latest(entries: Sequence[Entry], zone: str, now: datetime) -> Any:
    """What happened last."""
    return html.Div([html.H3(words.LATEST), timeline_list(entries, zone, now)])

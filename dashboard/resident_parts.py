"""What is the page of residents made of? Residents in, components out; nothing here asks the database."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from dash import html

from dashboard import reason_parts, told_parts
from dashboard.resident_list import Resident
from dashboard.shell import icon
from dashboard.text import care as words
from dashboard.told import Telling
from dashboard.wording import clock, elapsed

SHOWN = 100
"""How many of a group are drawn; the worst come first, and the rest is counted."""


def group(
    name: str, heading: str, found: list[Resident], now: datetime, acts: bool, tellings: Mapping[int, Telling]
) -> Any:
    """One group with its heading, or that there is nobody where that is worth saying."""
    if not found and name not in ("now", "due"):
        return None
    if not found:
        body: Any = html.P(words.NOBODY_NOW if name == "now" else words.NOBODY_DUE, className="muted")
    elif name in ("now", "taken"):
        body = html.Ul(
            [_card(r, now, acts, tellings.get(r.patient_id)) for r in found[:SHOWN]], className="resident-cards"
        )
    else:
        body = html.Ul([_line(r, acts) for r in found[:SHOWN]], className="resident-lines card")
    more = html.P(words.more(len(found) - SHOWN), className="changed") if len(found) > SHOWN else None
    return html.Section(
        [html.H2([heading, html.Span(str(len(found)), className="count-tag") if found else None]), body, more],
        className=f"resident-group group-{name}",
        **{"aria-label": heading},
    )


def _card(resident: Resident, now: datetime, acts: bool, telling: Telling | None) -> Any:
    level = resident.severity
    since = resident.since
    told = []
    if since and telling is None:
        told.append(f"{words.SINCE} {clock(since, resident.zone, now)}, {elapsed((now - since).total_seconds())}.")
    if due := resident.due_words():
        told.append(f"{due}.")
    return html.Li(
        [
            html.Div(
                [
                    html.H3(html.A(resident.name, href=f"/patients/{resident.patient_id}", className="inside")),
                    html.Span(_room(resident.room), className="muted"),
                    html.Span([icon(f"level-{level}"), words.URGENCY[level]], className=f"badge level-{level}")
                    if level
                    else None,
                ],
                className="resident-head",
            ),
            html.Div([html.P(one) for one in resident.steps], className="resident-steps"),
            html.Div([reason_parts.told(one) for one in resident.reasons], className="resident-why"),
            html.P(" ".join(told), className="muted numeric"),
            told_parts.block(telling, resident.zone, now) if telling else None,
            _taken(resident, now),
            _acts(resident, acts),
        ],
        # whoever moves in the list takes their card along, and with it the focus that is in it
        id={"kind": "resident", "patient": resident.patient_id},
        className=f"card resident level-{level}",
    )


def _room(room: str) -> str:
    return f"Room {room}" if room.isdigit() else room[:1].upper() + room[1:]


def _taken(resident: Resident, now: datetime) -> Any:
    done = next((e for e in resident.episodes if e["done_at"]), None)
    if done:
        at = clock(done["done_at"], resident.zone, now)
        said = f"{words.DONE_BY} {done['done_name']}, {at}: {done['done_note']}"
    else:
        holder = next((e for e in resident.episodes if e["acknowledged_at"]), None)
        if holder is None:
            until = next((e["snoozed_until"] for e in resident.episodes if e["snoozed_until"]), None)
            return html.P(f"{words.PUT_OFF} {clock(until, resident.zone, now)}") if until else None
        said = f"{holder['acknowledged_name']} {words.TAKEN_BY}, {clock(holder['acknowledged_at'], resident.zone, now)}"
    return html.P([icon("check"), html.Span(said)], className="resident-taken")


def _acts(resident: Resident, acts: bool) -> Any:
    number, to = resident.patient_id, f"/patients/{resident.patient_id}"
    if not acts:
        return None
    waiting = html.Button(
        words.I_AM_ON_IT,
        id={"kind": "resident-take", "patient": number, "episodes": ",".join(map(str, resident.waiting))},
        className="button",
        type="button",
        **{"aria-label": f"{words.I_AM_ON_IT}: {resident.name}"},
    )
    return html.Div(
        [
            waiting if resident.waiting else None,
            html.Button(
                words.DONE,
                id={"kind": "resident-done", "patient": number},
                className="button quiet",
                type="button",
                **{"aria-label": f"{words.DONE}: {resident.name}"},
            ),
            html.A(words.OBSERVE, href=f"{to}/observe", className="button quiet inside",
                   **{"aria-label": f"{words.OBSERVE}: {resident.name}"}),
            html.A(words.HANDOVER, href=f"{to}/handover", className="button quiet inside",
                   **{"aria-label": f"{words.HANDOVER}: {resident.name}"}),
        ],
        className="resident-acts",
    )  # fmt: skip


def _line(resident: Resident, acts: bool) -> Any:
    to = f"/patients/{resident.patient_id}"
    overdue = resident.due is not None and resident.due.is_overdue(resident.now_us)
    said = resident.away or resident.due_words() or words.NEVER_OBSERVED
    return html.Li(
        [
            html.Div(
                [
                    html.A(resident.name, href=to, className="inside resident-name"),
                    html.Span(_room(resident.room), className="muted"),
                ],
                className="resident-who",
            ),
            html.Span(
                [icon("clock") if overdue else None, said], className="resident-due" + (" overdue" if overdue else "")
            ),
            html.Div(
                [
                    html.A(words.OBSERVE, href=f"{to}/observe", className="button quiet inside",
                           **{"aria-label": f"{words.OBSERVE}: {resident.name}"}),
                    html.A(words.NOT_THEMSELVES, href=f"{to}/observe#signs", className="button quiet",
                           **{"aria-label": f"{words.NOT_THEMSELVES} {resident.name}"}),
                ],
                className="resident-acts",
            ) if acts else None,
        ],
        id={"kind": "resident", "patient": resident.patient_id},
        className="resident-line",
    )  # fmt: skip

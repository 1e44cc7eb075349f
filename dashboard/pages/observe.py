"""How does a carer enter a set of observations at the bedside, and what do they learn from it at once?

The form is drawn by `assets/entry.js`, so that it works without the network: a set is kept in the browser until it has
been stored. Score and advice come from here.
"""

from __future__ import annotations

import asyncio
import json
import logging
import math
from datetime import UTC, datetime
from typing import Any

import numpy as np
import psycopg
import psycopg_pool
from dash import ALL, Dash, Input, Output, State, ctx, dcc, html, no_update
from numpy.typing import NDArray

from dashboard import actions, care, identity, queries, reason_parts, reasons, rows, text, told, told_parts
from dashboard.permissions import NotPermittedError, Permission, may
from dashboard.shell import badge, icon, trouble
from dashboard.standing import NEWS2_CODES, Standard, score, standard
from dashboard.text import care as words
from dashboard.text import reasons as reason_words
from dashboard.told import Telling
from dashboard.wording import age, clock, full_name, instant, place
from schemas.episode import Severity
from schemas.vital_signs import ACVPU, BY_NAME, VITALS

PATH = "/patients/{patient_id}/observe"

log = logging.getLogger(__name__)
UNREADABLE = (psycopg.Error, psycopg_pool.PoolTimeout)
Row = dict[str, Any]
_NUMBERS = ("respiration_rate", "spo2", "bp_systolic", "bp_diastolic", "pulse", "temperature")
ENTERED = (*_NUMBERS, "on_oxygen", "consciousness", "soft_signs")
MINUTE_US = 60_000_000


async def layout(patient_id: int) -> Any:
    """The page of one patient's entry; the same answer where there is none and where this person may not see them."""
    person = identity.current()
    try:
        found = await queries.patient(patient_id)
    except UNREADABLE:
        return _alone(trouble())
    if found is None or not may(person, Permission.SEE_PATIENTS):
        return _alone(html.P(text.UNKNOWN_PATIENT, className="card empty"))
    if not may(person, Permission.WRITE_NOTES):
        return _alone(html.P(words.MAY_NOT_ENTER, className="card empty"))
    return html.Div(
        [
            dcc.Store(id="observe-patient", data=patient_id),
            dcc.Store(id="observe-values"),
            dcc.Store(id="observe-saved"),
            _back(),
            _who(found),
            html.Div(id="observe-result", role="status"),
            html.Div(id="observe-form", className="entry", **{"data-form": json.dumps(_form(patient_id, person))}),
            html.Div(
                [
                    html.Div(words.NO_VALUES, id="observe-preview", className="entry-preview", role="status"),
                    html.Button(words.SAVE, id="observe-save", className="button entry-save", type="button"),
                ],
                id="observe-bar",
                className="entry-bar",
            ),
        ],
        className="page entry-page",
        id="main",
        tabIndex="-1",
    )


def _alone(content: Any) -> Any:
    return html.Div([_back(), html.H1(words.ENTRY), content], className="page", id="main", tabIndex="-1")


def _back() -> Any:
    return html.Nav(
        html.A([icon("back"), words.RESIDENTS], href="/residents", className="inside"),
        className="crumbs",
        **{"aria-label": words.BACK_TO_RESIDENTS},
    )


def _who(found: Row) -> Any:
    years = age(found["born_on"], found["now"].date())
    usual = text.NOT_RECORDED if found["usual_news2"] is None else str(found["usual_news2"])
    return html.Header(
        [
            html.H1(full_name(found["given_name"], found["family_name"])),
            html.P(
                f"{place(found['site'], _room(found['room']))}. {years} y. {text.USUAL_NEWS2} {usual}. "
                f"{text.SCALE_SENTENCE[found['spo2_scale']]}",
                className="banner-line numeric",
            ),
            html.P(words.ENTRY_LEAD, className="banner-line"),
        ],
        className="entry-who",
    )


def _room(room: str) -> str:
    return f"room {room}" if room.isdigit() else room


def _form(patient_id: int, person: identity.Person) -> Row:
    """What the form must know: the catalogue's ranges, and its words."""
    fields = {
        name: {
            "label": words.FORM.get(name, BY_NAME[name].label),
            "unit": BY_NAME[name].display_unit,
            "low": BY_NAME[name].plausible_low,
            "high": BY_NAME[name].plausible_high,
            "decimals": BY_NAME[name].decimals,
        }
        for name in _NUMBERS
    }
    return {
        "patient": patient_id,
        "account": person.account_id,
        "fields": fields,
        "letters": list(ACVPU),
        "signs": words.SIGNS,
        "awareness_signs": words.AWARENESS_SIGNS,
        "words": words.FORM,
    }


async def preview(given: Row | None, patient_id: int) -> Any:
    """The score of what has been entered so far."""
    values = read_values((given or {}).get("values"))
    if np.isnan(values[0, list(NEWS2_CODES)]).all():
        return words.ONLY_SIGNS if not np.isnan(values).all() else words.NO_VALUES
    try:
        found = await queries.patient(patient_id)
    except UNREADABLE:
        return no_update
    if found is None:
        return no_update
    followed = _followed(found)
    if followed is None or followed.score_rule is None:
        return words.NO_SCORE
    return f"{words.THIS_SET}: {care.score_words(score(values, [found['spo2_scale']]), values, 0)}."


def read_values(given: Any) -> NDArray[np.float64]:
    """Take what a browser sent as one row by vital-sign code, without what is no plausible number of the catalogue."""
    values = np.full((1, VITALS), np.nan)
    for name, value in given.items() if isinstance(given, dict) else ():
        if name in ENTERED and _is_number(value) and BY_NAME[name].is_plausible(value):
            values[0, BY_NAME[name].code] = value
    return values


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)


def _followed(found: Row) -> Standard | None:
    return standard(found["document"], found["policy_id"], found["version"], found["own"] or "{}", found["usual_news2"])


async def result(saved: Row | None, patient_id: int) -> Any:
    """What the set that was just stored means, and what to do next."""
    if not saved:
        return None
    try:
        found, open_now = await asyncio.gather(queries.patient(patient_id), queries.episodes(patient_id, _now()))
        active = [e | {"since": e["activated_at"] or e["opened_at"]} for e in open_now if e["phase"] == "active"]
        telling = await _telling(found, active)
    except UNREADABLE as exc:
        log.warning("result could not be read", extra={"action": "entry_unreadable", "error": type(exc).__name__})
        return trouble()
    if found is None:
        return no_update
    receipt = saved.get("receipt") if isinstance(saved.get("receipt"), dict) else {}
    followed, values = _followed(found), read_values(saved.get("values"))
    worst = Severity(max((e["severity"] for e in active), default=0))
    return html.Section(
        [
            html.H2(_outcome(receipt)),
            *_scored(found, followed, values),
            _next(found, followed, active, telling),
            html.Div(_take(active), id="observe-taking", className="entry-acts", role="status"),
            html.Div(
                [
                    html.A(words.BACK_TO_RESIDENTS, href="/residents", className="button quiet inside"),
                    html.A(words.HANDOVER, href=f"/patients/{patient_id}/handover", className="button quiet inside"),
                    html.Button(words.ANOTHER, id="observe-another", className="button quiet", type="button"),
                ],
                className="entry-acts",
            ),
        ],
        className=f"card entry-result level-{worst:d}",
        tabIndex="-1",
        id="observe-told",
    )


def _take(active: list[Row]) -> Any:
    waiting = [e["episode_id"] for e in active if not e["acknowledged_at"]]
    return _take_button(waiting) if waiting and may(identity.current(), Permission.ACKNOWLEDGE) else None


def _take_button(episodes: list[int]) -> Any:
    return html.Button(
        words.I_AM_ON_IT,
        id={"kind": "observe-take", "episodes": ",".join(map(str, episodes))},
        className="button",
        type="button",
    )


async def take(clicks: list[int | None]) -> Any:
    """Take on what the answer to the set showed, and nothing that came since; what became of it stands instead."""
    if not ctx.triggered_id or not any(clicks):
        return no_update
    shown = [int(e) for e in str(ctx.triggered_id["episodes"]).split(",") if e.isdigit()]
    try:
        outcome = await actions.acknowledge(shown)
    except NotPermittedError as exc:
        return str(exc)
    except UNREADABLE:
        return [text.ACKNOWLEDGE_FAILED, _take_button(shown)]
    if outcome.held:
        return f"{text.HELD_BY} {outcome.held[0].by}"
    return text.ACKNOWLEDGED if outcome.done else text.GONE


def _now() -> datetime:
    return datetime.now(UTC)


def _outcome(receipt: Any) -> str:
    stored = int(receipt.get("stored", 0)) + int(receipt.get("duplicate", 0))
    said = f"{words.values_saved(stored)}."
    if aside := int(receipt.get("quarantined", 0)):
        said += f" {aside} {words.KEPT_FOR_CHECKING}."
    return said


def _scored(found: Row, followed: Standard | None, values: NDArray[np.float64]) -> list[Any]:
    if followed is None:
        return [html.P(words.NOT_ENROLLED)]
    if followed.score_rule is None:
        return [html.P(words.NO_SCORE)]
    scale, usual = found["spo2_scale"], found["usual_news2"]
    at = rows.situation([found["patient_id"]], {found["patient_id"]: found}, {found["policy_id"]: followed}, _now())
    counting = at.counting[[0]]
    own, whole = score(values, [scale]), score(counting, [scale])
    told: list[Any] = []
    if np.isnan(values[0, list(NEWS2_CODES)]).all():
        told.append(html.P(words.ONLY_SIGNS))
    else:
        told.append(html.P(f"{words.THIS_SET}: {care.score_words(own, values, 0)}.", className="entry-score"))
    earlier = care.carried(at, 0, values, counting, lambda seen: clock(seen, found["time_zone"], _now()))
    if earlier:
        told.append(html.P(f"{words.EARLIER} ({earlier}): {care.score_words(whole, counting, 0)}."))
    if care.is_awareness_in_doubt(at, 0):
        told.append(html.P(words.IN_DOUBT, className="entry-doubt"))
    told.append(html.P(care.against_usual(whole, 0, usual)))
    if deciding := care.deciding_labels(whole, 0):
        told.append(html.P(f"{words.DECIDES} {words.listed(deciding)}."))
    return told


async def _telling(found: Row | None, active: list[Row]) -> Telling | None:
    waiting = [
        e for e in active if not e["acknowledged_at"] and not (e["snoozed_until"] and e["snoozed_until"] > _now())
    ]
    if found is None:
        return None
    named = {Severity(level): word for level, word in words.URGENCY.items()}
    return await told.of_patient(waiting, found["site_id"], found["time_zone"], _now(), named)


def _next(found: Row, followed: Standard | None, active: list[Row], telling: Telling | None) -> Any:
    steps = care.steps(followed, active)
    worst = Severity(max((e["severity"] for e in active), default=0))
    body: list[Any] = [html.Li(one) for one in steps] or [html.Li(words.CARRY_ON)]
    at = rows.situation(
        [found["patient_id"]], {found["patient_id"]: found}, {found["policy_id"]: followed} if followed else {}, _now()
    )
    due = care.due(at, 0, active)
    if due is not None:
        when = words.DUE_NOW
        if not due.is_overdue(at.now_us + MINUTE_US):
            when = f"{words.DUE_AT} {clock(instant(due.at_us), found['time_zone'], _now())}"
        body.append(html.Li(f"{when}."))
    why = [
        reason_parts.told(reasons.reason(e, at, 0, lambda seen: clock(seen, found["time_zone"], _now())))
        for e in active
    ]
    source = f"{words.FROM_POLICY} {found['pathway']}, {text.POLICY_VERSION} {found['version']}." if followed else ""
    return html.Div(
        [
            html.H3([words.WHAT_NEXT, badge(int(worst), text.SEVERITY[worst]) if worst else None]),
            html.Ul(body, className="entry-next"),
            html.Div([html.H3(reason_words.WHY), *why], className="entry-why") if why else None,
            told_parts.block(telling, found["time_zone"], _now()) if telling else None,
            html.P(source, className="muted"),
        ]
    )


def register(app: Dash) -> None:
    """Wire the page."""
    app.callback(
        Output("observe-taking", "children"),
        Input({"kind": "observe-take", "episodes": ALL}, "n_clicks"),
        prevent_initial_call=True,
    )(take)
    app.callback(
        Output("observe-preview", "children"),
        Input("observe-values", "data"),
        State("observe-patient", "data"),
    )(preview)
    app.callback(
        Output("observe-result", "children"),
        Input("observe-saved", "data"),
        State("observe-patient", "data"),
    )(result)

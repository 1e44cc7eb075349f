"""What does a carer have to do now, for whom, and who is due for a round? In plain words, on a telephone too."""

from __future__ import annotations

import asyncio
import logging
from datetime import UTC, datetime
from typing import Any

import dash_mantine_components as dmc
import psycopg
import psycopg_pool
from dash import ALL, ClientsideFunction, Dash, Input, Output, State, ctx, dcc, html, no_update

from dashboard import (
    actions,
    care_actions,
    fields,
    identity,
    proposals,
    queries,
    reachable,
    resident_list,
    site_choice,
    store,
    text,
    told,
    told_parts,
)
from dashboard import resident_parts as parts
from dashboard.permissions import NotPermittedError, Permission, may
from dashboard.resident_list import Resident
from dashboard.shell import icon, trouble
from dashboard.text import care as words
from dashboard.text import proposals as asking
from dashboard.told import Telling
from dashboard.wording import full_name, zone_name
from schemas.episode import Severity

PATH = "/residents"

log = logging.getLogger(__name__)
UNREADABLE = (psycopg.Error, psycopg_pool.PoolTimeout)
FILE = "care.sql"
MOST = 2000
Row = dict[str, Any]
_HEADINGS = (("now", words.NOW), ("taken", words.TAKEN), ("due", words.DUE), ("well", words.WELL), ("away", words.AWAY))


def layout() -> Any:
    """The page before its data."""
    return html.Div(
        [
            dcc.Store(id="residents-turn", data=0),
            dcc.Store(id="residents-acts", data=0),
            dcc.Store(id="done-patient"),
            dcc.Store(id="done-drafts", data={}),
            dcc.Store(id="done-answer"),
            html.Div(
                [
                    html.Div(
                        [
                            site_choice.heading("residents", words.RESIDENTS),
                            html.P(words.RESIDENTS_LEAD, id="residents-lead"),
                        ]
                    ),
                    html.A([icon("triage"), words.ROUND], href="/residents/round", className="button quiet inside"),
                ],
                className="page-head",
            ),
            site_choice.others("residents"),
            html.Div(id="residents-said", className="said", role="status"),
            html.Div(html.Div(text.LOADING, className="loading-note"), id="residents-list"),
            _done_box(),
        ],
        className="page care residents",
        id="main",
        tabIndex="-1",
    )


def _done_box() -> Any:
    return dmc.Modal(
        id="done-box",
        title=words.WHAT_WAS_DONE,
        opened=False,
        centered=True,
        transitionProps={"duration": 0},
        closeButtonProps={"aria-label": words.CANCEL},
        children=html.Div(
            [
                html.Strong(id="done-name"),
                fields.note_box("done-body", words.WHAT_WAS_DONE, actions.LONGEST_NOTE),
                html.Div(id="done-trouble", className="said", role="alert"),
                html.Button(words.SAVE_DONE, id="done-save", className="button", type="button"),
            ],
            className="done-form care",
        ),
    )


async def residents_of(site: str | None) -> tuple[Row | None, list[Resident]]:
    """The residents of a site, or of the one that is shown where none is chosen; and which site that is."""
    chosen = site_choice.shown_of(site, await queries.sites())
    if chosen is None:
        return None, []
    found, known = await asyncio.gather(
        store.fetch_from(FILE, "residents", site=chosen["site_id"], limit=MOST), queries.standards()
    )
    episodes = await store.fetch_from(FILE, "resident_episodes", patients=[r["patient_id"] for r in found])
    return chosen, resident_list.residents(found, episodes, known, datetime.now(UTC))


async def fill(site: str | None, *_: Any) -> tuple[Any, Any, Any]:
    """Everybody in their group, or why there is nobody."""
    person = identity.current()
    if not may(person, Permission.SEE_PATIENTS):
        return trouble(text.NOT_ALLOWED), no_update, no_update
    try:
        where, found = await residents_of(site)
        tellings, untold = await _told(where, found)
    except UNREADABLE as exc:
        log.warning(
            "residents could not be read", extra={"action": "residents_unreadable", "error": type(exc).__name__}
        )
        return trouble(), no_update, no_update
    if where is None or not found:
        return html.P(words.NO_RESIDENTS, className="card empty"), no_update, where and str(where["site_id"])
    now = datetime.now(UTC)
    lead = f"{where['name']}. {words.RESIDENTS_LEAD} {text.times_in(zone_name(where['time_zone'], now))}."
    acts = may(person, Permission.ACKNOWLEDGE)
    groups = [
        parts.group(name, heading, resident_list.in_order(found, name), now, acts, tellings)
        for name, heading in _HEADINGS
    ]
    above = [told_parts.warnings(untold), trouble(words.too_many(MOST)) if len(found) >= MOST else None]
    return [*above, *groups], lead, str(where["site_id"])


async def _told(where: Row | None, found: list[Resident]) -> tuple[dict[int, Telling], list[str]]:
    """Who was told of what waits, by resident, and which tiers of the place's ladder reach nobody."""
    if where is None:
        return {}, []
    now = datetime.now(UTC)
    waiting = {r.patient_id: [e for e in r.episodes if e["episode_id"] in r.waiting] for r in found if r.waiting}
    first = [told.foremost(episodes) for episodes in waiting.values()]
    known = await told.read([e["episode_id"] for e in first if e is not None], where["site_id"])
    zone, named = where["time_zone"], {Severity(level): word for level, word in words.URGENCY.items()}
    tellings = {patient: told.telling(known, e, zone, now, named) for patient, e in waiting.items()}
    return tellings, await reachable.standing_at(where, now)


async def take(clicks: list[int | None], acts: int) -> tuple[Any, Any]:
    """Take on what the pressed card showed, and nothing that came since."""
    if not ctx.triggered_id or not any(clicks):
        return no_update, no_update
    shown = [int(e) for e in str(ctx.triggered_id["episodes"]).split(",") if e.isdigit()]
    try:
        outcome = await actions.acknowledge(shown)
    except NotPermittedError as exc:
        return str(exc), no_update
    except UNREADABLE:
        return text.ACKNOWLEDGE_FAILED, no_update
    if outcome.held:
        return f"{text.HELD_BY} {outcome.held[0].by}", acts + 1
    return (text.ACKNOWLEDGED if outcome.done else text.GONE), acts + 1


async def ask_what_was_done(
    clicks: list[int | None], before: int | None, body: str | None, drafts: dict[str, str] | None
) -> tuple[Any, ...]:
    """Open the box for the resident whose button was pressed, with what was begun about them and about nobody else."""
    nothing = (no_update,) * 6
    if not ctx.triggered_id or not any(clicks):
        return nothing
    number = int(ctx.triggered_id["patient"])
    try:
        found = await store.fetch_from(FILE, "resident_name", patient=number)
    except UNREADABLE:
        return nothing
    if not found:
        return nothing
    kept = (drafts or {}) | ({} if before is None else {str(before): body or ""})
    name = full_name(found[0]["given_name"], found[0]["family_name"])
    return True, number, name, "", kept.get(str(number), ""), kept


async def save_done(
    _: int | None, body: str | None, patient_id: int | None, name: str | None, acts: int
) -> tuple[Row, Any]:
    """Keep what was done; the browser closes the box only when all that it holds is stored."""
    about = {"patient": patient_id, "name": name}
    try:
        count = await care_actions.done(int(patient_id or 0), body or "")
    except (NotPermittedError, actions.InvalidActionError) as exc:
        return {**about, "failed": str(exc)}, no_update
    except UNREADABLE:
        return {**about, "failed": words.DONE_FAILED}, no_update
    if count is None:
        return {**about, "failed": words.GONE}, no_update
    return {**about, **proposals.stored(body, words.DONE_SAVED, asking.NOTE_MORE)}, acts + 1


def register(app: Dash) -> None:
    """Wire the page."""
    site_choice.register(app, "residents", words.RESIDENTS)
    app.callback(
        Output("residents-list", "children"),
        Output("residents-lead", "children"),
        Output("residents-list", "data-site"),
        Input("site", "value"),
        Input("residents-turn", "data"),
        Input("residents-acts", "data"),
    )(fill)
    app.callback(
        Output("residents-said", "children"),
        Output("residents-acts", "data"),
        Input({"kind": "resident-take", "patient": ALL, "episodes": ALL}, "n_clicks"),
        State("residents-acts", "data"),
        prevent_initial_call=True,
    )(take)
    app.callback(
        Output("done-box", "opened"),
        Output("done-patient", "data"),
        Output("done-name", "children"),
        Output("done-trouble", "children"),
        Output("done-body", "value"),
        Output("done-drafts", "data"),
        Input({"kind": "resident-done", "patient": ALL}, "n_clicks"),
        State("done-patient", "data"),
        State("done-body", "value"),
        State("done-drafts", "data"),
        prevent_initial_call=True,
    )(ask_what_was_done)
    app.callback(
        Output("done-answer", "data"),
        Output("residents-acts", "data", allow_duplicate=True),
        Input("done-save", "n_clicks"),
        State("done-body", "value"),
        State("done-patient", "data"),
        State("done-name", "children"),
        State("residents-acts", "data"),
        prevent_initial_call=True,
    )(save_done)
    app.clientside_callback(
        ClientsideFunction("homeward", "doneAnswered"),
        Output("done-box", "opened", allow_duplicate=True),
        Output("done-body", "value", allow_duplicate=True),
        Output("done-drafts", "data", allow_duplicate=True),
        Output("done-trouble", "children", allow_duplicate=True),
        Output("residents-said", "children", allow_duplicate=True),
        Input("done-answer", "data"),
        State("done-patient", "data"),
        State("done-body", "value"),
        State("done-drafts", "data"),
        prevent_initial_call=True,
    )

"""What does whoever comes on shift have to know of a ward or home? From the record, with room for notes, signed."""

from __future__ import annotations

import logging
from datetime import UTC, datetime
from typing import Any

import dash_mantine_components as dmc
import psycopg
import psycopg_pool
from dash import ALL, Dash, Input, Output, State, dcc, html, no_update

from dashboard import fields, handover_document, identity, shift, shift_store, site_choice, text
from dashboard.actions import InvalidActionError
from dashboard.handover import moment
from dashboard.handover_store import OvertakenError
from dashboard.permissions import NotPermittedError, Permission, may
from dashboard.shell import badge, trouble
from dashboard.text import handover as words
from dashboard.wording import zone_name
from schemas.episode import Severity

PATH = "/handover"

log = logging.getLogger(__name__)
UNREADABLE = (psycopg.Error, psycopg_pool.PoolTimeout)
Row = dict[str, Any]


def layout() -> Any:
    """The page before its data."""
    return html.Div(
        [
            dcc.Store(id="shift-draft"),
            dcc.Store(id="shift-acts", data=0),
            dcc.Store(id="shift-turn", data=0),
            html.Div(
                [
                    html.Div([site_choice.heading("shift", words.SHIFT), html.P(words.SHIFT_LEAD, id="shift-lead")]),
                    dmc.SegmentedControl(
                        id="shift-span",
                        data=[{"value": key, "label": label} for key, label in words.SPANS.items()],
                        value="shift",
                        size="md",
                        className="no-print",
                        **{"aria-label": words.SPAN},
                    ),
                    html.Button(words.PRINT, className="button quiet no-print print-page", type="button"),
                ],
                className="page-head",
            ),
            site_choice.others("shift"),
            html.Div(id="shift-changed", role="status", className="no-print"),
            html.Div(html.Div(text.LOADING, className="loading-note"), id="shift-list"),
            html.Div(id="shift-said", className="said no-print", role="status"),
            html.Section(
                [html.H2(words.SIGNED_SHIFTS), html.Div(id="shift-signed")], className="card section no-print"
            ),
        ],
        className="page care shift",
        id="main",
        tabIndex="-1",
    )


async def fill(span: str, site: str | None, _acts: int) -> tuple[Any, Any, Any, Any]:
    """Write the handover; the browser keeps what is typed meanwhile, with its patient, over any number of new ones."""
    person = identity.current()
    if not may(person, Permission.SEE_PATIENTS):
        return trouble(text.NOT_ALLOWED), no_update, None, None
    now = datetime.now(UTC)
    try:
        where = await shift_store.site_of(site)
        if where is None:
            return html.P(words.NO_SITE, className="card empty"), no_update, None, None
        since = shift.since_of(span, now, where["shift_times"], where["time_zone"])
        told = await shift_store.draft(where, since, now)
    except InvalidActionError as exc:
        return trouble(str(exc)), no_update, None, None
    except UNREADABLE as exc:
        log.warning("shift not written", extra={"action": "shift_unreadable", "error": type(exc).__name__})
        return trouble(), no_update, None, None
    lead = f"{where['name']}, {words.SINCE.lower()} {moment(since, where['time_zone'])}. "
    lead += f"{text.times_in(zone_name(where['time_zone'], now))}."
    draft = {"site": where["site_id"], "since": told["since"], "stamp": told["stamp"]}
    number = str(where["site_id"])
    return _document(told, number, may(person, Permission.SIGN_HANDOVERS)), lead, draft, number


def _document(told: Row, site: str, signs: bool) -> Any:
    groups = [
        html.Section(
            [
                html.H2([words.GROUPS[name], html.Span(str(len(mine)), className="count-tag")]),
                html.P(words.GROUP_HINTS[name], className="muted"),
                html.Ul([_entry(e, signs) for e in mine], className="resident-cards"),
            ],
            className="resident-group",
            **{"aria-label": words.GROUPS[name]},
        )
        for name in words.GROUPS
        if (mine := [e for e in told["entries"] if e["group"] == name])
    ]
    rest = html.Section([html.H2(words.REST), html.P(words.rest(told["rest"]))], className="resident-group")
    return [*groups, rest, _end(site, signs)]


def _note(name: Any, label: str, whose: str, *, signs: bool) -> Any:
    """Let somebody write, and the browser keep it: what is typed while a new document comes is in no request."""
    return fields.note_box(
        name, label, shift_store.LONGEST_NOTE, readOnly=not signs, persistence=whose, persistence_type="memory"
    )


def _entry(entry: Row, signs: bool) -> Any:
    level = entry["severity"]
    return html.Li(
        [
            html.Div(
                [
                    html.H3(html.A(entry["name"], href=f"/patients/{entry['patient_id']}", className="inside")),
                    html.Span(entry["place"], className="muted"),
                    badge(level, text.SEVERITY[Severity(level)]) if level else None,
                ],
                className="resident-head",
            ),
            html.P(", ".join(entry["marks"]), className="shift-marks") if entry["marks"] else None,
            *(html.P(line, className="shift-line") for line in entry["lines"]),
            _note(
                {"kind": "shift-note", "patient": entry["patient_id"]},
                f"{words.NOTE_FOR}: {entry['name']}",
                str(entry["patient_id"]),
                signs=signs,
            ),
        ],
        className=f"card resident level-{level}",
    )


def _end(site: str, signs: bool) -> Any:
    return html.Div(
        [
            _note("shift-general", words.GENERAL, site, signs=signs),
            html.Button(words.SIGN, id="shift-sign", className="button no-print", type="button") if signs else None,
        ],
        className="card section note-form",
    )


async def sign(
    clicks: int | None, draft: Row | None, bodies: list[str | None], ids: list[Row], general: str | None, acts: int
) -> tuple[Any, Any]:
    """Sign what is shown; where the record has moved on, show that first."""
    if not clicks or not draft:
        return no_update, no_update
    notes = {str(i["patient"]): body or "" for i, body in zip(ids, bodies, strict=True)}
    try:
        written = await shift_store.sign(
            draft["site"], datetime.fromisoformat(draft["since"]), draft["stamp"], notes, general or ""
        )
    except OvertakenError as exc:
        return str(exc), acts + 1
    except (NotPermittedError, InvalidActionError) as exc:
        return str(exc), no_update
    except UNREADABLE:
        return words.FAILED, no_update
    if written is None:
        return words.NO_SITE, no_update
    return f"{words.shift_version(written['number'], written['version'])}: {words.SIGNED.lower()}.", acts + 1


async def tell_change(_: int, draft: Row | None) -> Any:
    """Say when the record has moved on under what is shown."""
    if not draft:
        return None
    try:
        where = await shift_store.site_of(draft["site"])
        if where is None:
            return no_update
        told = await shift_store.draft(where, datetime.fromisoformat(draft["since"]), datetime.now(UTC))
    except (*UNREADABLE, InvalidActionError):
        return no_update
    if told["stamp"] == draft["stamp"]:
        return None
    return html.Div(
        [words.SHIFT_STALE, html.Button(words.ANEW, id="shift-anew", className="button quiet", type="button")],
        className="changed",
    )


async def show_anew(clicks: int | None, acts: int) -> Any:
    """Write it again; the notes stay."""
    return acts + 1 if clicks else no_update


async def fill_signed(draft: Row | None, _: int) -> Any:
    """What has been signed for this site."""
    if not draft:
        return no_update
    try:
        found = await shift_store.signed(draft["site"])
    except UNREADABLE:
        return trouble()
    if not found:
        return html.P(words.NONE_SIGNED, className="muted")
    return html.Ul([_signed(row) for row in found], className="handover-list")


def _signed(row: Row) -> Any:
    to = f"/api/v1/sites/{row['site_id']}/handovers/{row['shift_handover_id']}"
    zone, name = row["document"]["time_zone"], words.shift_version(row["number"], row["version"])
    span = f"{moment(row['since'], zone)} – {moment(row['until'], zone)}"
    return html.Li(
        [
            html.Div([html.Strong(f"{name}: {span}"),
                      None if row["counts"] else html.Span(words.SUPERSEDED, className="tag")]),
            html.Div(handover_document.signature(row, zone), className="muted"),
            html.Div(
                [
                    html.A(words.PDF, href=f"{to}/pdf", target="_blank", className="button quiet",
                           **{"aria-label": f"{words.PDF}: {name}"}),
                    html.Button(words.COPY, className="button quiet copy-from", type="button",
                                **{"data-from": f"{to}/text", "data-done": words.COPIED,
                                   "data-failed": words.NOT_COPIED, "aria-label": f"{words.COPY}: {name}"}),
                ],
                className="resident-acts",
            ),
        ]
    )  # fmt: skip


def register(app: Dash) -> None:
    """Wire the page."""
    site_choice.register(app, "shift", words.SHIFT)
    notes = State({"kind": "shift-note", "patient": ALL}, "value")
    ids = State({"kind": "shift-note", "patient": ALL}, "id")
    general = State("shift-general", "value", allow_optional=True)
    app.callback(
        Output("shift-list", "children"),
        Output("shift-lead", "children"),
        Output("shift-draft", "data"),
        Output("shift-list", "data-site"),
        Input("shift-span", "value"),
        Input("site", "value"),
        Input("shift-acts", "data"),
    )(fill)
    app.callback(
        Output("shift-said", "children"),
        Output("shift-acts", "data"),
        Input("shift-sign", "n_clicks", allow_optional=True),
        State("shift-draft", "data"),
        notes,
        ids,
        general,
        State("shift-acts", "data"),
        prevent_initial_call=True,
    )(sign)
    app.callback(
        Output("shift-acts", "data", allow_duplicate=True),
        Input("shift-anew", "n_clicks", allow_optional=True),
        State("shift-acts", "data"),
        prevent_initial_call=True,
    )(show_anew)
    app.callback(Output("shift-changed", "children"), Input("shift-turn", "data"), Input("shift-draft", "data"))(
        tell_change
    )
    app.callback(Output("shift-signed", "children"), Input("shift-draft", "data"), Input("shift-acts", "data"))(
        fill_signed
    )

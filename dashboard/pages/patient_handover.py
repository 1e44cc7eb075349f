"""How does a carer or a nurse hand one patient over: read what the record says, mend it, sign it, take it along?"""

from __future__ import annotations

import logging
from typing import Any

import dash_mantine_components as dmc
import psycopg
import psycopg_pool
from dash import ALL, Dash, Input, Output, State, ctx, dcc, html, no_update

from dashboard import handover_document, handover_store, identity, proposals, queries, text
from dashboard import patient_parts as parts
from dashboard.actions import InvalidActionError
from dashboard.handover_store import OvertakenError
from dashboard.permissions import NotPermittedError, Permission, may
from dashboard.shell import icon, trouble
from dashboard.text import handover as words
from dashboard.text import proposals as asking
from dashboard.wording import full_name

PATH = "/patients/{patient_id}/handover"

log = logging.getLogger(__name__)
UNREADABLE = (psycopg.Error, psycopg_pool.PoolTimeout)
Row = dict[str, Any]
_NAMES = tuple(words.SECTIONS)


async def layout(patient_id: int) -> Any:
    """The page of one patient's handover; the same answer where there is none and where one may not see them."""
    person = identity.current()
    try:
        found = await queries.patient(patient_id)
    except UNREADABLE:
        return _alone(trouble())
    if found is None or not may(person, Permission.SEE_PATIENTS):
        return _alone(html.P(text.UNKNOWN_PATIENT, className="card empty"))
    signs = may(person, Permission.SIGN_HANDOVERS)
    name = full_name(found["given_name"], found["family_name"])
    return html.Div(
        [
            dcc.Store(id="handover-patient", data=patient_id),
            dcc.Store(id="handover-acts", data=0),
            dcc.Store(id="handover-correcting"),
            dcc.Store(id="handover-stamp"),
            *proposals.stores("handover"),
            html.Nav(
                [html.A([icon("back"), name], href=f"/patients/{patient_id}", className="inside"),
                 html.Span("/", **{"aria-hidden": "true"}), html.Span(text.HANDOVER, **{"aria-current": "page"})],
                className="crumbs",
                **{"aria-label": f"{text.BACK}: {name}"},
            ),
            html.Div(
                [html.Div([html.H1(f"{words.TITLE}: {name}"), html.P(words.LEAD if signs else words.MAY_NOT_SIGN)])],
                className="page-head",
            ),
            html.Div(id="handover-changed", role="status"),
            html.Div(id="handover-banner"),
            proposals.question("handover", asking.NOT_SIGNED),
            html.Div(
                [_form(signs), html.Section(
                    [html.H2(words.SIGNED_LIST), html.Div(id="handover-signed")], className="card section")],
                className="handover-columns",
            ),
        ],
        className="page care handover",
        id="main",
        tabIndex="-1",
    )  # fmt: skip


def _alone(content: Any) -> Any:
    return html.Div([parts.back(), html.H1(words.TITLE), content], className="page", id="main", tabIndex="-1")


def _form(signs: bool) -> Any:
    fields = [
        dmc.Textarea(
            id=f"handover-{name}",
            label=title,
            description=words.HINTS[name],
            autosize=True,
            minRows=2 if name != "decision" else 3,
            maxRows=24,
            size="md",
            readOnly=not signs,
            inputProps={"maxLength": handover_store.LONGEST, "data-section": title},
        )
        for name, title in words.SECTIONS.items()
    ]
    acts = [
        html.Button(words.SIGN, id="handover-sign", className="button", type="button") if signs else None,
        html.Button(words.COPY, id="handover-copy", className="button quiet", type="button",
                    **{"data-done": words.COPIED, "data-failed": words.NOT_COPIED}),
        html.Button(words.ANEW, id="handover-anew", className="button quiet", type="button"),
    ]  # fmt: skip
    return html.Section(
        [
            *fields,
            html.Div(acts, className="resident-acts"),
            html.Div(id="handover-said", className="said", role="status"),
        ],
        className="card section handover-form",
        **{"aria-label": words.TITLE},
    )


async def _stamp(patient_id: int) -> list[Any]:
    """What a draft hangs on: another stamp means that something has changed since it was written."""
    found = await queries.patient(patient_id)
    open_now = (await queries.open_episodes([patient_id])).get(patient_id, [])
    last = found["last_observed_at"].isoformat() if found and found["last_observed_at"] else None
    return [last, sorted([e["episode_id"], e["severity"], e["acknowledged_at"] is not None] for e in open_now)]


async def fill(patient_id: int, _: Any) -> tuple[Any, Any]:
    """Write all sections from the record."""
    try:
        stamp = await _stamp(patient_id)
        proposed = await handover_store.draft(patient_id)
    except UNREADABLE as exc:
        log.warning("handover not written", extra={"action": "handover_unreadable", "error": type(exc).__name__})
        return no_update, text.TROUBLE
    if proposed is None:
        return no_update, no_update
    return _proposal(patient_id, proposed.sections, asking.RECORD, stamp, None), ""


def _proposal(patient_id: int, sections: Row, by: str, stamp: Any, correcting: Row | None) -> Row:
    values = {f"handover-{name}": sections.get(name, "") for name in _NAMES}
    return proposals.proposal(values, by, stamp, correcting, of=patient_id)


async def tell_change(_: Any, stamp: Any, patient_id: int) -> Any:
    """Say when the record has moved on under an open draft; what was typed stays."""
    if stamp is None:
        return None
    try:
        return html.Div(words.CHANGED_SINCE, className="changed") if await _stamp(patient_id) != stamp else None
    except UNREADABLE:
        return no_update


async def sign(
    clicks: int | None, patient_id: int, correcting: Row | None, acts: int, *sections: Any
) -> tuple[Any, ...]:
    """Sign what stands in the boxes."""
    if not clicks:
        return (no_update,) * 5
    given = {name: body or "" for name, body in zip(_NAMES, sections, strict=True)}
    number, corrects = (correcting["number"], correcting["version"]) if correcting else (None, None)
    try:
        written = await handover_store.sign(patient_id, given, number, corrects)
    except (NotPermittedError, InvalidActionError, OvertakenError) as exc:
        return str(exc), *(no_update,) * 4
    except UNREADABLE:
        return words.FAILED, *(no_update,) * 4
    if written is None:
        return text.UNKNOWN_PATIENT, *(no_update,) * 4
    said = f"{words.version_of(written['number'], written['version'])}: {words.SIGNED.lower()}."
    # what is signed may be replaced without a question, and what was asked before it is no longer asked
    return said, acts + 1, None, {f"handover-{name}": body for name, body in given.items()}, None


async def fill_signed(patient_id: int, *_: Any) -> Any:
    """What has been signed, the newest first."""
    try:
        found = await handover_store.signed(patient_id)
    except UNREADABLE:
        return trouble()
    if not found:
        return html.P(words.NONE_SIGNED, className="muted")
    signs = may(identity.current(), Permission.SIGN_HANDOVERS)
    return html.Ul([_signed(row, signs) for row in found], className="handover-list")


def _signed(row: Row, signs: bool) -> Any:
    to = f"/api/v1/patients/{row['patient_id']}/handovers/{row['handover_id']}"
    name = words.version_of(row["number"], row["version"])
    return html.Li(
        [
            html.Div([html.Strong(name), None if row["counts"] else html.Span(words.SUPERSEDED, className="tag")]),
            html.Div(handover_document.signature(row, row["facts"]["time_zone"]), className="muted"),
            html.Div(
                [
                    html.A(words.PDF, href=f"{to}/pdf", target="_blank", className="button quiet",
                           **{"aria-label": f"{words.PDF}: {name}"}),
                    html.Button(words.COPY, className="button quiet copy-from", type="button",
                                **{"data-from": f"{to}/text", "data-done": words.COPIED,
                                   "data-failed": words.NOT_COPIED, "aria-label": f"{words.COPY}: {name}"}),
                    html.Button(words.CORRECT, id={"kind": "handover-correct", "handover": row["handover_id"]},
                                className="button quiet", type="button",
                                **{"aria-label": f"{words.CORRECT}: {name}"}) if signs and row["counts"] else None,
                ],
                className="resident-acts",
            ),
        ]
    )  # fmt: skip


async def correct(clicks: list[int | None], patient_id: int, stamp: Any) -> Any:
    """Put a signed version into the boxes, to sign it anew as its next version."""
    if not ctx.triggered_id or not any(clicks):
        return no_update
    try:
        row = await handover_store.one_signed(patient_id, int(ctx.triggered_id["handover"]))
    except UNREADABLE:
        return no_update
    if row is None:
        return no_update
    correcting = {"number": row["number"], "version": row["version"]}
    name = words.version_of(row["number"], row["version"]).lower()
    return _proposal(patient_id, row["sections"], name, stamp, correcting)


async def show_correcting(correcting: Row | None) -> Any:
    """Say that the boxes hold a signed version."""
    if not correcting:
        return None
    name = f"{words.CORRECTS} {correcting['number']}, version {correcting['version']}."
    return html.Div(name, className="changed")


def register(app: Dash) -> None:
    """Wire the page."""
    patient, acts = Input("handover-patient", "data"), Input("handover-acts", "data")
    proposals.register(
        app,
        "handover",
        [f"handover-{name}" for name in _NAMES],
        [Output("handover-stamp", "data"), Output("handover-correcting", "data")],
        State("handover-patient", "data"),
    )
    app.callback(
        Output("handover-proposed", "data"),
        Output("handover-said", "children"),
        patient,
        Input("handover-anew", "n_clicks"),
    )(fill)
    app.callback(
        Output("handover-changed", "children"),
        Input("live-patient", "data"),
        Input("handover-stamp", "data"),
        State("handover-patient", "data"),
    )(tell_change)
    app.callback(
        Output("handover-said", "children", allow_duplicate=True),
        Output("handover-acts", "data"),
        Output("handover-correcting", "data", allow_duplicate=True),
        Output("handover-written", "data"),
        Output("handover-proposed", "data", allow_duplicate=True),
        Input("handover-sign", "n_clicks"),
        State("handover-patient", "data"),
        State("handover-correcting", "data"),
        State("handover-acts", "data"),
        *(State(f"handover-{name}", "value") for name in _NAMES),
        prevent_initial_call=True,
    )(sign)
    app.callback(Output("handover-signed", "children"), patient, acts)(fill_signed)
    app.callback(
        Output("handover-proposed", "data", allow_duplicate=True),
        Input({"kind": "handover-correct", "handover": ALL}, "n_clicks"),
        State("handover-patient", "data"),
        State("handover-stamp", "data"),
        prevent_initial_call=True,
    )(correct)
    app.callback(Output("handover-banner", "children"), Input("handover-correcting", "data"))(show_correcting)

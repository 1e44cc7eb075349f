"""What could not be stored, why, and what is to be done about it?

The list is drawn here. Its acts are requests of the browser (assets/quarantine.js), because a replay is ingest's route,
takes as many requests as there are hundreds of messages, and says meanwhile how far it has come.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import psycopg
import psycopg_pool
from dash import ClientsideFunction, Dash, Input, Output, State, dcc, html

from dashboard import identity, quarantine, text
from dashboard.api.quarantine import remedy
from dashboard.permissions import Permission, may
from dashboard.shell import trouble
from dashboard.text import quarantine as words
from dashboard.wording import ago
from schemas.quarantine import Reason

PATH = "/quarantine"


def layout() -> Any:
    """The page before its data."""
    return html.Div(
        [
            dcc.Store(id="quarantine-turn", data=0),
            html.Div(html.Div([html.H1(text.QUARANTINE), html.P(words.LEAD)]), className="page-head"),
            html.Div(id="quarantine-said", className="cause-said", role="status"),
            html.Div(html.Div(text.LOADING, className="loading-note"), id="quarantine-list"),
        ],
        className="page",
        id="main",
        tabIndex="-1",
    )


async def fill(_: Any) -> Any:
    """The list of causes, or why there is none."""
    person = identity.current()
    if not may(person, Permission.SEE_QUARANTINE):
        return trouble(text.NOT_ALLOWED)
    try:
        found = await quarantine.causes()
    except (psycopg.Error, psycopg_pool.PoolTimeout):
        return trouble()
    if not found:
        return html.Div(words.EMPTY, className="card empty")
    now = datetime.now(UTC)
    more = found[0]["total"] - len(found)
    note = html.P(text.more_rows(more), className="empty") if more > 0 else None
    return html.Div([_cause(place, cause, person, now) for place, cause in enumerate(found)] + [note])


def _cause(place: int, cause: dict[str, Any], person: identity.Person, now: datetime) -> Any:
    when = ago((now - cause["last_at"]).total_seconds())
    began = ago((now - cause["first_at"]).total_seconds())
    if began != when:
        when = f"{began} to {when}"
    heading = f"cause-{place}"
    return html.Section(
        [
            html.Div(
                [
                    html.H2(words.title(cause["reason"]), id=heading),
                    html.Span(words.count(cause["messages"], cause["observations"]), className="cause-count"),
                ],
                className="cause-head",
            ),
            html.P([html.Strong(cause["device"] or cause["source"]), f" · {when}"], className="cause-from"),
            html.P([f"{words.FOUND}: ", html.Strong(cause["newest"][0]["detail"])], className="cause-detail")
            if cause["newest"]
            else None,
            html.P(remedy(cause["reason"])),
            _acts(place, cause, person),
            _newest(cause, person, now),
        ],
        # one cause's open form must not become another's when the list changes
        key=f"{cause['reason']} {cause['device_id']} {cause['source']}",
        className="card cause",
        **{
            "aria-labelledby": heading,
            "data-reason": cause["reason"],
            "data-source": cause["source"],
            "data-device": cause["device_id"],
            "data-upto": cause["up_to"],
            "data-messages": cause["messages"],
        },
    )


def _acts(place: int, cause: dict[str, Any], person: identity.Person) -> Any:
    if not may(person, Permission.MEND_QUARANTINE):
        return html.P(words.NOT_MEND, className="muted")
    name = words.title(cause["reason"])
    acts = []
    if cause["reason"] != Reason.NOT_KEPT:
        acts.append(_button("replay", words.all_of(words.REPLAY, cause["messages"]), name))
    if cause["reason"] == "unassigned" and cause["device_id"] and may(person, Permission.SEE_PATIENTS):
        acts.append(_assign(place))
    acts.append(_discard(f"all-{place}", words.all_of(words.DISCARD, cause["messages"]), name))
    return html.Div(acts, className="cause-acts")


def _button(act: str, label: str, of: str) -> Any:
    return html.Button(
        label, type="button", className="acknowledge", **{"data-act": act, "aria-label": f"{label}: {of}"}
    )


def _assign(place: int) -> Any:
    people = f"assign-people-{place}"
    return html.Details(
        [
            html.Summary(words.ASSIGN),
            html.Div(
                [
                    html.P(words.ASSIGN_HINT, className="muted"),
                    _field(f"assign-patient-{place}", words.ASSIGN_PATIENT, "patient", list=people),
                    html.Datalist(id=people),
                    _field(f"assign-from-{place}", words.ASSIGN_FROM, "from"),
                    _field(f"assign-until-{place}", words.ASSIGN_UNTIL, "until"),
                    _field(f"assign-user-{place}", words.ASSIGN_USER, "user", value="0"),
                    html.Button(
                        words.ASSIGN_DO, type="button", className="acknowledge main-act", **{"data-act": "assign"}
                    ),
                ],
                className="cause-form",
            ),
        ],
        className="cause-more cause-assign",
    )


def _discard(key: str, label: str, of: str) -> Any:
    return html.Details(
        [
            html.Summary(f"{label}…"),
            html.Div(
                [
                    _field(f"discard-{key}", words.DISCARD_WHY, "note"),
                    html.P(words.DISCARD_HINT, className="muted"),
                    _button("discard", label, of),
                ],
                className="cause-form",
            ),
        ],
        className="cause-more",
    )


def _field(name: str, label: str, key: str, **more: Any) -> Any:
    return html.Div(
        [
            html.Label(label, htmlFor=name),
            dcc.Input(id=name, type="text", className=f"cause-input field-{key}", autoComplete="off", **more),
        ],
        className="cause-field",
    )


def _newest(cause: dict[str, Any], person: identity.Person, now: datetime) -> Any:
    masked = None if may(person, Permission.SEE_PAYLOADS) else html.P(words.MASKED, className="muted")
    return html.Details(
        [html.Summary(words.NEWEST), masked, *(_message(cause, m, person, now) for m in cause["newest"])],
        className="cause-more cause-newest",
    )


def _message(cause: dict[str, Any], message: dict[str, Any], person: identity.Person, now: datetime) -> Any:
    number = message["quarantine_id"]
    when = ago((now - message["received_at"]).total_seconds())
    of = f"{words.title(cause['reason'])}, {number}"
    cut = message["payload_bytes"] > quarantine.PREVIEW_BYTES
    acts = None
    # what is alone in its cause is replayed or discarded with it
    if may(person, Permission.MEND_QUARANTINE) and cause["messages"] > 1:
        one = [_button("replay", words.REPLAY, of), _discard(str(number), words.DISCARD, of)]
        acts = html.Div(one, className="cause-acts")
    return html.Div(
        [
            html.P([html.Span(f"{number} · {when}", className="numeric muted"), " ", message["detail"]]),
            html.Pre(message["payload"], tabIndex="0", **{"aria-label": f"{words.NEWEST}, {number}"}),
            html.P(words.CUT, className="muted") if cut else None,
            acts,
        ],
        key=str(number),
        className="cause-message",
        **{"data-item": number},
    )


def register(app: Dash) -> None:
    """Wire the page."""
    app.callback(Output("quarantine-list", "children"), Input("quarantine-turn", "data"))(fill)
    # what comes in meanwhile is shown as soon as nobody has something open or typed
    app.clientside_callback(
        ClientsideFunction("homewardQuarantine", "turn"),
        Output("quarantine-turn", "data"),
        Input("live-beat", "data"),
        State("quarantine-turn", "data"),
        prevent_initial_call=True,
    )

"""How does somebody pause a patient who is in hospital or away, from their page, and end it?"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import dash_mantine_components as dmc
import psycopg
import psycopg_pool
from dash import ALL, Dash, Input, Output, State, ctx, html, no_update

from dashboard import identity, pauses, queries, store
from dashboard.actions import InvalidActionError
from dashboard.pauses import Pause
from dashboard.permissions import NotPermittedError, Permission, may
from dashboard.shell import trouble
from dashboard.text import patient as words
from dashboard.wording import clock

UNREADABLE = (psycopg.Error, psycopg_pool.PoolTimeout)


def section() -> Any:
    """The frame; whether the patient is paused is filled in, what is being chosen stays."""
    return html.Section(
        [
            html.H2(words.PAUSES),
            html.Div(id="pause-now"),
            html.Div(
                [
                    html.P(words.PAUSE_LEAD, className="muted"),
                    dmc.Select(id="pause-reason", label=words.PAUSE_WHY, data=list(words.PAUSE_REASONS),
                               value="In hospital", allowDeselect=False, size="sm"),
                    dmc.Select(id="pause-hours", label=words.PAUSE_UNTIL, value="72", allowDeselect=False, size="sm",
                               data=[{"value": str(h), "label": label} for h, label in words.PAUSE_LENGTHS.items()]),
                    dmc.TextInput(id="pause-more", label=words.PAUSE_NOTE, size="sm", inputProps={"maxLength": 400}),
                    html.Button(words.PAUSE_NOW, id={"kind": "pause", "act": "begin"}, type="button",
                                className="quiet-button"),
                ],
                id="pause-form",
                className="side-form",
            ),
            html.Div(id="pause-said", className="said", role="status"),
        ],
        className="card section",
    )  # fmt: skip


def _in_force(pause: Pause | None, zone: str, now: datetime) -> Any:
    if pause is None:
        return None
    told = f"{words.PAUSED} {words.UNTIL} {clock(pause.until, zone, now)}: {pause.reason}. {words.BY} {pause.by}"
    return html.Div(
        [html.Strong(told), html.Button(words.PAUSE_END, id={"kind": "pause", "act": "end"}, type="button",
                                        className="quiet-button")],
        className="paused",
    )  # fmt: skip


async def fill(patient_id: int, *_: Any) -> tuple[Any, bool]:
    """Whether the patient is paused; the form is for those who are not."""
    try:
        found = await queries.patient(patient_id)
        if found is None:
            return no_update, no_update
        async with store.transaction(read_only=True) as connection:
            pause = await pauses.pause_of(connection, patient_id)
    except UNREADABLE:
        return trouble(), True
    allowed = may(identity.current(), Permission.PAUSE_PATIENTS)
    return _in_force(pause, found["time_zone"], found["now"]), pause is not None or not allowed


async def act(
    clicks: list[int | None], patient_id: int, reason: str, hours: str, more: str | None, acts: int
) -> tuple[Any, Any]:
    """Begin or end a pause."""
    if not ctx.triggered_id or not any(clicks):
        return no_update, no_update
    begins = ctx.triggered_id["act"] == "begin"
    try:
        if begins:
            until = datetime.now(UTC) + timedelta(hours=int(hours))
            why = ": ".join(part for part in (reason, (more or "").strip()) if part)
            await pauses.pause(patient_id, until, why)
        else:
            await pauses.lift(patient_id)
    except (NotPermittedError, InvalidActionError) as exc:
        return str(exc), no_update
    except UNREADABLE:
        return words.NOT_STORED, no_update
    return words.PAUSE_SAID[begins], acts + 1


def register(app: Dash) -> None:
    """Wire the form."""
    app.callback(
        Output("pause-now", "children"),
        Output("pause-form", "hidden"),
        Input("patient-id", "data"),
        Input("live-patient", "data"),
        Input("patient-acts", "data"),
    )(fill)
    app.callback(
        Output("pause-said", "children"),
        Output("patient-acts", "data", allow_duplicate=True),
        Input({"kind": "pause", "act": ALL}, "n_clicks"),
        State("patient-id", "data"),
        State("pause-reason", "value"),
        State("pause-hours", "value"),
        State("pause-more", "value"),
        State("patient-acts", "data"),
        prevent_initial_call=True,
    )(act)

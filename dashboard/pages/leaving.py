"""How does a patient leave, move to another site, or come back?

A part of the patient's page, for those who register patients.
"""

from __future__ import annotations

from typing import Any

import psycopg
import psycopg_pool
from dash import Dash, Input, Output, State, ctx, html, no_update

from dashboard import fields, identity, queries, registration
from dashboard.actions import InvalidActionError, NotThereError
from dashboard.fields import bad, good
from dashboard.permissions import NotPermittedError, Permission, may
from dashboard.shell import trouble
from dashboard.text import accounts as words

_UNREADABLE = (psycopg.Error, psycopg_pool.PoolTimeout)


async def section(found: dict[str, Any]) -> Any:
    """The forms, folded away; nothing for those whose role does not include them."""
    if not may(identity.current(), Permission.REGISTER_PATIENTS):
        return None
    try:
        sites = [(str(s["site_id"]), s["name"]) for s in await queries.sites()]
        pathways = await registration.pathways(found["born_on"]) if found["discharged_at"] else []
    except _UNREADABLE:
        return None
    is_gone = found["discharged_at"] is not None
    ways = [("", words.NO_PATHWAY), *((w["name"], w["title"]) for w in pathways)]
    acts = (
        [("leave-readmit", words.READMIT)] if is_gone else [("leave-move", words.MOVE), ("leave-go", words.DISCHARGE)]
    )
    return html.Details(
        [
            html.Summary(words.READMIT if is_gone else words.LEAVING),
            html.Div(
                [
                    fields.choice("leave-site", words.SITE, sites, searchable=True),
                    fields.choice("leave-pathway", words.PATHWAY, ways)
                    if is_gone
                    else fields.box("leave-room", words.ROOM),
                    fields.box("leave-reason", words.REASON, words.REASON_HINT),
                    html.Div(
                        [fields.button(act, label, quiet=True) for act, label in acts],
                        className="form-acts",
                    ),
                    fields.said("leave-said"),
                ],
                className="stack",
                style={"marginTop": "12px"},
            ),
        ],
        className="card section",
    )


async def move_or_discharge(
    _: Any, __: Any, site: str | None, room: str | None, reason: str | None, patient: int
) -> Any:
    """Move the patient, or let them go."""
    if not ctx.triggered or not ctx.triggered[0]["value"]:
        return no_update
    try:
        if ctx.triggered_id == "leave-go":
            await registration.discharge(patient, reason or "")
            return good(words.DISCHARGED)
        if not site:
            return bad(f"{words.SITE}: {words.REQUIRED}")
        await registration.move(patient, int(site), room or "", reason or "")
    except (InvalidActionError, NotThereError, NotPermittedError) as exc:
        return bad(str(exc))
    except _UNREADABLE:
        return trouble()
    return good(words.MOVED)


async def readmit(_: Any, site: str | None, pathway: str | None, reason: str | None, patient: int) -> Any:
    """Take somebody who was discharged into care again."""
    if not ctx.triggered or not ctx.triggered[0]["value"]:
        return no_update
    if not site:
        return bad(f"{words.SITE}: {words.REQUIRED}")
    try:
        await registration.readmit(patient, int(site), pathway or "", reason or "")
    except (InvalidActionError, NotThereError, NotPermittedError) as exc:
        return bad(str(exc))
    except _UNREADABLE:
        return trouble()
    return good(words.READMITTED)


def register(app: Dash) -> None:
    """Wire this part of the page."""
    app.callback(
        Output("leave-said", "children"),
        Input("leave-move", "n_clicks"),
        Input("leave-go", "n_clicks"),
        State("leave-site", "value"),
        State("leave-room", "value"),
        State("leave-reason", "value"),
        State("patient-id", "data"),
        prevent_initial_call=True,
    )(move_or_discharge)
    app.callback(
        Output("leave-said", "children", allow_duplicate=True),
        Input("leave-readmit", "n_clicks"),
        State("leave-site", "value"),
        State("leave-pathway", "value"),
        State("leave-reason", "value"),
        State("patient-id", "data"),
        prevent_initial_call=True,
    )(readmit)

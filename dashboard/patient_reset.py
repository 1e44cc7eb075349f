"""How does somebody let go of a latched episode, from the patient's page, with a reason?

The reason stands beside the list and not in it: the list is filled anew with every observation, and what is being typed
stays.
"""

from __future__ import annotations

from typing import Any

import dash_mantine_components as dmc
import psycopg
import psycopg_pool
from dash import ALL, Dash, Input, Output, State, ctx, html, no_update

from dashboard import proposals, reasons, resets
from dashboard.actions import InvalidActionError
from dashboard.permissions import NotPermittedError
from dashboard.text import proposals as asking
from dashboard.text import resets as words

Row = dict[str, Any]
UNREADABLE = (psycopg.Error, psycopg_pool.PoolTimeout)


def frame() -> Any:
    """The reason, which is shown while something waits for its reset."""
    reason = dmc.TextInput(
        id="reset-reason", label=words.REASON, description=words.REASON_HINT, size="sm", inputProps={"maxLength": 400}
    )
    return html.Div(
        [reason, proposals.stored_of("reset-reason")], id="patient-reset", className="card section", hidden=True
    )


def button(episode: Row) -> Any:
    """What resets one episode that waits for it."""
    return html.Button(
        words.RESET,
        id={"kind": "reset", "episode": episode["episode_id"]},
        className="quiet-button",
        type="button",
        **{"aria-label": f"{words.RESET}: {reasons.why(episode)}"},
    )


async def reset(clicks: list[int | None], reason: str | None, acts: int) -> tuple[Any, Any, Any]:
    """Reset the one episode whose button was pressed; the reason is emptied only when it is stored."""
    if not ctx.triggered_id or not any(clicks):
        return no_update, no_update, no_update
    if not (reason or "").strip():
        return words.REASON_EMPTY, no_update, no_update
    try:
        done = await resets.reset(int(ctx.triggered_id["episode"]), reason or "")
    except (NotPermittedError, InvalidActionError) as exc:
        return str(exc), no_update, no_update
    except UNREADABLE:
        return words.FAILED, no_update, no_update
    if not done:
        return words.NOT_WAITING, no_update, acts + 1
    return no_update, proposals.stored(reason, f"{words.DONE}.", f"{words.DONE}. {asking.MORE}"), acts + 1


def register(app: Dash) -> None:
    """Wire the buttons."""
    app.callback(
        Output("patient-said", "children", allow_duplicate=True),
        Output("reset-reason-stored", "data"),
        Output("patient-acts", "data", allow_duplicate=True),
        Input({"kind": "reset", "episode": ALL}, "n_clicks"),
        State("reset-reason", "value"),
        State("patient-acts", "data"),
        prevent_initial_call=True,
    )(reset)
    proposals.register_emptying(app, "reset-reason", "patient-said")

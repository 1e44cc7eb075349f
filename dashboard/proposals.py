"""How do a page's own words come into boxes in which somebody may have written, without taking theirs away?

What a page would write is a proposal. The browser puts it into the boxes where these still hold what the page wrote
last or what was stored; where they do not, it asks, and the words stay until somebody says otherwise. It is judged when
the answer has come: what was typed while that was on its way counts. A box whose words were stored is emptied by the
same rule.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from dash import ClientsideFunction, Dash, Input, Output, State, dcc, html

from dashboard import fields
from dashboard.text import proposals as words


def proposal(values: Mapping[str, str], by: str, *more: Any, of: int | None = None) -> dict[str, Any]:
    """Make a proposal: the words for each box, what they come from, what else goes with them, whom they are about."""
    return {"values": dict(values), "by": by, "more": more, "of": of, "at": datetime.now(UTC).isoformat()}


def stores(name: str) -> list[Any]:
    """Where a proposal comes in, and what the boxes held when it was last put into them or stored."""
    return [dcc.Store(id=f"{name}-proposed"), dcc.Store(id=f"{name}-written")]


def question(name: str, said: str) -> Any:
    """What is asked where somebody has written in the boxes."""
    return html.Div(
        [
            html.P(id=f"{name}-asked"),
            fields.button(f"{name}-keep", words.KEEP),
            fields.button(f"{name}-replace", words.REPLACE, quiet=True),
        ],
        id=f"{name}-ask",
        className="changed proposal",
        hidden=True,
        role="group",
        **{"aria-labelledby": f"{name}-asked", "data-said": said, "data-replace": words.REPLACE},
    )


def register(
    app: Dash, name: str, boxes: Sequence[str], more: Sequence[Output] = (), whose: State | None = None
) -> None:
    """Wire the boxes of a page, and what else is set together with them."""
    app.clientside_callback(
        ClientsideFunction("homeward", "propose"),
        *(Output(box, "value") for box in boxes),
        *more,
        Output(f"{name}-written", "data", allow_duplicate=True),
        Output(f"{name}-ask", "hidden"),
        Input(f"{name}-proposed", "data"),
        Input(f"{name}-keep", "n_clicks"),
        Input(f"{name}-replace", "n_clicks"),
        State(f"{name}-written", "data"),
        *([whose] if whose else []),
        prevent_initial_call=True,
    )


def stored(sent: str | None, said: Any, more: Any) -> dict[str, Any]:
    """Say what was stored of a box, and what to tell somebody who has, or has not, written on since."""
    return {"sent": sent or "", "said": said, "more": more, "at": datetime.now(UTC).isoformat()}


def stored_of(box: str) -> Any:
    """Where it comes in that what a box held was stored."""
    return dcc.Store(id=f"{box}-stored")


def register_emptying(app: Dash, box: str, told: str) -> None:
    """Let a box be emptied once what it holds is stored, and say so at ``told``."""
    app.clientside_callback(
        ClientsideFunction("homeward", "emptied"),
        Output(box, "value"),
        Output(told, "children", allow_duplicate=True),
        Input(f"{box}-stored", "data"),
        State(box, "id"),
        prevent_initial_call=True,
    )

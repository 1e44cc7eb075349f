"""How does a page show why an episode is open, and how it is now? What raised it first, the present below it."""

from __future__ import annotations

from typing import Any

from dash import html

from dashboard.reasons import Reason


def told(reason: Reason) -> Any:
    """What raised it with its time, and below it what is so now with its own."""
    present = html.Div(reason.present, className="reason-now") if reason.present else None
    return html.Div([html.Div(reason.then, className="reason-then"), present], className="reason numeric")

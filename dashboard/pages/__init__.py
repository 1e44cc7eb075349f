"""Which pages are there, and at which addresses?"""

from __future__ import annotations

from dash import Dash, html

PATHS = ("/",)


def register(app: Dash) -> None:
    """Give Dash the layout and the callbacks of every page."""
    app.layout = html.H1("Homeward")

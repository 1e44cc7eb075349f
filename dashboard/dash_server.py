"""How does Dash run on our FastAPI application without what it brings along uninvited?

Dash's server for FastAPI answers any unknown GET with its page, and opens a WebSocket for callbacks. Ours gives the
page at the addresses of pages only, and has no such socket. Some of the names used here are private to Dash: pyproject
pins its minor version, and the tests of this module fail where they change.
"""

from __future__ import annotations

import importlib
import logging
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from dash import Dash
from dash.backends._fastapi import FastAPIDashServer, reset_current_request, set_current_request
from fastapi import FastAPI, Request, Response
from fastapi.responses import HTMLResponse

log = logging.getLogger(__name__)
ASSETS = Path(__file__).parent / "assets"
INDEX = """<!doctype html>
<html lang="en">
<head>
{%metas%}
<title>{%title%}</title>
{%favicon%}
{%css%}
</head>
<body>
<noscript>Homeward's pages need JavaScript; the JSON interface under /api/v1 does not.</noscript>
{%app_entry%}
<footer>
{%config%}
{%scripts%}
{%renderer%}
</footer>
</body>
</html>"""


def make_dash(app: FastAPI) -> Dash:
    """Put Dash on the application; its pages are registered afterwards."""

    class Server(FastAPIDashServer):  # type: ignore[misc]
        """Dash's server for FastAPI, on the application that is there already."""

        websocket_capability = False

        @staticmethod
        def create_app(name: str = "", config: dict[str, Any] | None = None) -> FastAPI:
            return app

        def _setup_catchall(self) -> None:
            """Answer unknown addresses with 404 and not with the page."""

    return Dash(
        "dashboard",
        backend=Server,
        assets_folder=str(ASSETS),
        pages_folder="",
        use_pages=False,
        include_pages_meta=False,
        title="Homeward",
        update_title="",
        index_string=INDEX,
        meta_tags=[{"name": "description", "content": "Homeward: patients at home, seen from the ward."}],
        suppress_callback_exceptions=True,
        enable_mcp=False,
        compress=False,
        on_error=_log_and_raise,
        add_log_handler=False,
    )


def _log_and_raise(exc: Exception) -> None:
    """Log the place of a callback's error, without the values that are in its message; the browser gets a bare 500."""
    where = exc.__traceback__
    while where and where.tb_next:
        where = where.tb_next
    place = f"{where.tb_frame.f_code.co_filename}:{where.tb_lineno}" if where else "unknown"
    log.error("callback failed", extra={"action": "callback_failed", "error": type(exc).__name__, "place": place})
    raise exc


def add_pages(app: FastAPI, dash_app: Dash, paths: Sequence[str]) -> None:
    """Give Dash's page at these addresses, once everything is registered."""

    async def page(request: Request) -> Response:
        token = set_current_request(request)
        try:
            return HTMLResponse(dash_app.index())
        finally:
            reset_current_request(token)

    for path in paths:
        if path != "/":
            app.add_api_route(path, page, methods=["GET"], include_in_schema=False)


def script_hashes(dash_app: Dash) -> list[str]:
    """Let Dash gather its scripts as it does before its first request, and hash those that stand in the page."""
    dash_app._setup_server()
    return list(dash_app.csp_hashes())


def register_pages(dash_app: Dash) -> tuple[str, ...]:
    """Register the layout and the callbacks of all pages, and give their addresses."""
    pages = importlib.import_module("dashboard.pages")
    pages.register(dash_app)
    return tuple(pages.PATHS)

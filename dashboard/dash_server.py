"""How does Dash run on our FastAPI application without what it brings along uninvited?

Dash's server for FastAPI answers any unknown GET with its page, and opens a WebSocket for callbacks. Ours gives the
page at the addresses of pages only, and has no such socket. Some of the names used here are private to Dash: pyproject
pins its minor version, and the tests of this module fail where they change.
"""

from __future__ import annotations

import importlib
import logging
import re
from collections.abc import Awaitable, Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from dash import Dash
from dash._utils import stringify_id
from dash.backends._fastapi import (
    DashMiddleware,
    FastAPIDashServer,
    get_current_request,
    reset_current_request,
    set_current_request,
)
from dash.exceptions import DependencyException, PreventUpdate
from fastapi import FastAPI, Request, Response
from fastapi.responses import HTMLResponse
from starlette.types import Receive, Scope, Send

from dashboard import identity, looks, store
from dashboard.bundles import FETCHED_LATER
from dashboard.permissions import may
from dashboard.problems import problem
from dashboard.shell import first_page

log = logging.getLogger(__name__)
ASSETS = Path(__file__).parent / "assets"
INDEX = """<!doctype html>
<html lang="en">
<head>
{%metas%}
<title>{%title%}</title>
<link rel="icon" type="image/svg+xml" href="/assets/icons/brand.svg">
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

GRID = "/_dash-component-suites/dash_ag_grid/async-community.js"
# A table that no page has; what only a part of the components needs, which fetches it by itself; and what browsers
# lacked before 2018, of which assets/generators.js has the part that is used.
NOT_AT_FIRST = ("/dash_table/", "/dcc/dash_core_components-shared.", "/dash/deps/polyfill@")
_CLICKS = "n_clicks"
_SCRIPT = re.compile(r"<script src=[^>]*></script>\n?")


class _Server(FastAPIDashServer):  # type: ignore[misc]
    """Dash's server for FastAPI, less its catch-all and its WebSocket, and strict about what it is sent."""

    websocket_capability = False

    def _setup_catchall(self) -> None:
        """Answer unknown addresses with 404 and not with the page."""

    def setup_backend(self, dash_app: Dash) -> None:
        """Put our middleware in the place of Dash's."""
        self.server.add_middleware(
            _Middleware,
            dash_app=dash_app,
            dash_server=self,
            before_request_funcs=self._before_request_funcs,
            after_request_func=self._after_request_func,
        )

    def serve_callback(self, dash_app: Dash) -> Callable[[Request], Awaitable[Response]]:
        """Run the callback that a page asks for, where it asks for one that exists."""
        dispatch = super().serve_callback(dash_app)

        async def checked(request: Request) -> Response:
            given = self.request_adapter().get_json()
            if not isinstance(given, dict) or not _is_a_call(given, dash_app):
                return problem(400, "No page of ours asks like this.")
            if not _leave_out_what_is_only_drawn(given):
                return Response(status_code=204)
            looks.name(self.server.state.pages_of_callbacks.get(given["output"], "page"))
            answer: Response = await dispatch(request)
            # Dash does not say what it answers with, and what is of no known kind is not compressed
            answer.headers.setdefault("Content-Type", "application/json")
            return answer

        return checked


class _Dash(Dash):  # type: ignore[misc]
    """Dash, less the scripts that no page of ours needs to begin with, and with our own files as two."""

    own_styles = own_scripts = ""

    def _generate_scripts_html(self) -> str:
        """Name the scripts of a page; those that are left out can still be asked for."""
        ours = iter([f'<script src="{self.own_scripts}"></script>\n'])

        def named(tag: re.Match[str]) -> str:
            if any(part in tag[0] for part in NOT_AT_FIRST):
                return ""
            # in the place of the first of ours: after the components, and before what runs them
            return next(ours, "") if 'src="/assets/' in tag[0] else tag[0]

        return _SCRIPT.sub(named, super()._generate_scripts_html())

    def _generate_css_dist_html(self) -> str:
        """Name the style sheet of a page."""
        return f'<link rel="stylesheet" href="{self.own_styles}">'

    def interpolate_index(self, **parts: str) -> str:
        """Have the list's own script fetched beside the others, and not only once these have run."""
        person = identity.current_or_none()
        if person and get_current_request().url.path == "/" and first_page(person) == "/":
            parts["css"] += f'\n<link rel="preload" as="script" href="{GRID}">'
        index: str = super().interpolate_index(**parts)
        return index


class _Middleware(DashMiddleware):  # type: ignore[misc]
    """Dash's middleware, which keeps the request at hand for callbacks; ours does not keep errors to itself."""

    async def _handle_error(self, error: Exception, scope: Scope, receive: Receive, send: Send) -> None:
        if not isinstance(error, PreventUpdate):
            raise error
        await Response(status_code=204)(scope, receive, send)


def _is_a_call(given: dict[str, Any], dash_app: Dash) -> bool:
    lists = [given.get(name, []) for name in ("inputs", "state", "changedPropIds")]
    output = given.get("output")
    if not (isinstance(output, str) and output in dash_app.callback_map and all(isinstance(f, list) for f in lists)):
        return False
    return all(isinstance(name, str) for name in lists[-1])


def _leave_out_what_is_only_drawn(given: dict[str, Any]) -> bool:
    """Leave the buttons that were only drawn out of what has changed; say whether there is anything to be done.

    Dash tells of a button that an answer draws as if it had been pressed, though nobody has: **End the pause now**
    would do so by itself when it appears.
    """
    changed = given.get("changedPropIds", [])
    drawn = {
        f"{stringify_id(one.get('id'))}.{_CLICKS}"
        for several in given.get("inputs", [])
        for one in (several if isinstance(several, list) else [several])
        if isinstance(one, dict) and one.get("property") == _CLICKS and not one.get("value")
    }
    given["changedPropIds"] = [name for name in changed if name not in drawn]
    return bool(given["changedPropIds"]) or not changed


async def _no_such_file(_: Request, __: Exception) -> Response:
    return problem(404, "Not Found")


def make_dash(app: FastAPI, styles: str, scripts: str) -> Dash:
    """Put Dash on the application; its pages are registered afterwards.

    ``styles`` and ``scripts`` are the addresses of what our own files are put together to.
    """

    class Server(_Server):
        @staticmethod
        def create_app(name: str = "", config: dict[str, Any] | None = None) -> FastAPI:
            return app

    app.add_exception_handler(DependencyException, _no_such_file)
    app.state.pages_of_callbacks = {}
    dash_app = _Dash(
        "dashboard",
        backend=Server,
        assets_folder=str(ASSETS),
        assets_ignore=FETCHED_LATER,
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
    dash_app.own_styles, dash_app.own_scripts = styles, scripts
    return dash_app


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
        is_there = await _is_there(request.path_params)
        token = set_current_request(request)
        try:
            return HTMLResponse(dash_app.index(), 200 if is_there else 404)
        finally:
            reset_current_request(token)

    for path in paths:
        if path != "/":
            app.add_api_route(path, page, methods=["GET"], include_in_schema=False)


async def _is_there(named: Mapping[str, Any]) -> bool:
    """Say whether the patient that the address names is there for this person; the page itself says the same."""
    if "patient_id" not in named:
        return True
    number = str(named["patient_id"])
    if not (number.isascii() and number.isdigit() and len(number) < 10 and may(identity.current(), "see_patients")):
        return False
    return bool(await store.fetch_from("actions.sql", "visible_patient", patient=int(number)))


def script_hashes(dash_app: Dash) -> list[str]:
    """Let Dash gather its scripts as it does before its first request, and hash those that stand in the page."""
    dash_app._setup_server()
    return list(dash_app.csp_hashes())


def register_pages(dash_app: Dash) -> tuple[str, ...]:
    """Register the layout and the callbacks of all pages, and give their addresses."""
    pages = importlib.import_module("dashboard.pages")
    pages.register(dash_app)
    return tuple(pages.PATHS)

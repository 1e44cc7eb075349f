"""What is the browser told about how far it may trust a page of ours?

Nothing is loaded from or sent to another machine, no script runs but our files and Dash's own inline ones (by hash),
and no page of another site can frame ours or keep a handle on it.
"""

from __future__ import annotations

from collections.abc import Sequence
from urllib.parse import parse_qs

from starlette.datastructures import MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from dashboard.gate import STATIC

_FIXED = {
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    # not `no-referrer`, which would make browsers say `Origin: null` for our own forms
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
}
_OF_PAGES = {
    "Cross-Origin-Opener-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=(), payment=(), usb=()",
}
# What is no page is a part of one, which has told the browser already; opened by itself it may do nothing at all, but
# a browser may show text in its own style.
_OF_THE_REST = {"Content-Security-Policy": "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'"}

# Style sheets name these without their version. A changed one is seen a day later.
_PICTURES = ("/assets/fonts/", "/assets/icons/")
_FOR_A_DAY = "public, max-age=86400, stale-while-revalidate=2592000"


def content_security_policy(script_hashes: Sequence[str]) -> str:
    """Write the policy. Styles may be inline: the component libraries set them on elements, and they run nothing."""
    return "; ".join(
        (
            "default-src 'none'",
            " ".join(("script-src 'self'", *sorted(set(script_hashes)))),
            "style-src 'self' 'unsafe-inline'",
            "img-src 'self' data: blob:",
            "font-src 'self' data:",
            "connect-src 'self'",
            "manifest-src 'self'",
            "form-action 'self'",
            "base-uri 'none'",
            "frame-ancestors 'none'",
        )
    )


class SecurityHeaders:
    """Adds the headers to every response, and says what may be kept in a cache."""

    def __init__(self, app: ASGIApp, policy: str, *, secure: bool) -> None:
        self._app = app
        fixed = _FIXED | ({"Strict-Transport-Security": "max-age=31536000"} if secure else {})
        self._of_pages = fixed | _OF_PAGES | {"Content-Security-Policy": policy}
        self._of_the_rest = fixed | _OF_THE_REST

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return

        async def with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                is_page = headers.get("content-type", "").startswith("text/html")
                given = self._of_pages if is_page else self._of_the_rest
                for name, value in given.items():
                    headers[name] = value
                headers["Cache-Control"] = _cache_control(scope, message["status"], headers.get("cache-control"))
            await send(message)

        await self._app(scope, receive, with_headers)


def _cache_control(scope: Scope, status: int, given: str | None) -> str:
    """Keep our own files for good where the address names their version; keep no page and no answer at all.

    "Not modified" carries what the file itself did: otherwise it would take away what the browser has kept.
    """
    if status not in (200, 304) or not scope["path"].startswith(STATIC):
        return "no-store"
    if scope["path"].startswith(_PICTURES):
        return _FOR_A_DAY
    if given:
        return f"{given}, immutable" if "max-age=31536000" in given else given
    versioned = "m" in parse_qs(scope["query_string"].decode("latin-1"))
    return "public, max-age=31536000, immutable" if versioned else "no-cache"

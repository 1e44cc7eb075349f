"""How do 4 MB of scripts reach a phone on a ward's network?

Brotli where the browser takes it (browsers offer it over TLS and on this machine only), gzip elsewhere. What our own
files compress to is kept, so each is compressed once, quickly; who asks a little later gets it compressed as well as
can be, which takes seconds that nobody waits for.
"""

from __future__ import annotations

import asyncio
import contextlib
import gzip
import os
import threading
from collections import OrderedDict
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from functools import partial

import brotli
from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from dashboard.gate import STATIC

SMALLEST = 600
LARGEST = 16 * 2**20
KEPT = 64 * 2**20
# Past this size compressing would hold up other requests for milliseconds: it goes to a thread.
AWAY_FROM = 32 * 2**10
# The answers to a page's questions. Nothing secret stands in one beside what the asker wrote.
_ANSWERS = frozenset({"/_dash-update-component", "/triage/look"})
_QUICK, _BEST = 6, {"br": 11, "gzip": 9}
_TYPES = (
    "text/",
    "application/json",
    "application/problem+json",
    "application/fhir+json",
    "application/javascript",
    "application/manifest+json",
    "image/svg+xml",
)

Key = tuple[str, str, str]


def _brotli(body: bytes, quality: int) -> bytes:
    packed: bytes = brotli.compress(body, quality=quality)
    return packed


def _gzip(body: bytes, quality: int) -> bytes:
    return gzip.compress(body, compresslevel=quality, mtime=0)


_PACKERS: dict[str, Callable[[bytes, int], bytes]] = {"br": _brotli, "gzip": _gzip}


class Compression:
    """Compresses responses of text, whole: it is put around nothing that streams without end."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app
        self._kept: OrderedDict[Key, bytes] = OrderedDict()
        self._kept_bytes = 0
        self._later = ThreadPoolExecutor(1, "compression", initializer=_give_way)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        encoding = _accepted(Headers(scope=scope)) if scope["type"] == "http" else None
        if encoding is None or not (scope["method"] == "GET" or scope["path"] in _ANSWERS):
            await self._app(scope, receive, send)
            return
        _take_marks_off_tags(scope)
        await self._app(scope, receive, _Response(self, scope, send, encoding).receive)

    async def pack(self, scope: Scope, headers: Headers, body: bytes, encoding: str) -> bytes:
        """Compress a body, or give what the same file was compressed to before."""
        is_file = scope["path"].startswith(STATIC)
        key = (scope["path"], headers.get("etag", "") or str(len(body)), encoding)
        if is_file and key in self._kept:
            self._kept.move_to_end(key)
            return self._kept[key]
        work = partial(_PACKERS[encoding], body, _QUICK if is_file else 4)
        packed = await asyncio.to_thread(work) if len(body) > AWAY_FROM else work()
        if is_file and key not in self._kept:
            self._keep(key, packed)
            self._improve(key, body, encoding)
        return packed

    def _improve(self, key: Key, body: bytes, encoding: str) -> None:
        """Have the file compressed as well as can be, one after the other, and keep that instead."""
        loop = asyncio.get_running_loop()

        def done(better: Future[bytes]) -> None:
            with contextlib.suppress(RuntimeError):  # the loop has ended meanwhile
                loop.call_soon_threadsafe(self._keep, key, better.result())

        self._later.submit(_PACKERS[encoding], body, _BEST[encoding]).add_done_callback(done)

    def _keep(self, key: Key, packed: bytes) -> None:
        self._kept_bytes += len(packed) - len(self._kept.get(key, b""))
        self._kept[key] = packed
        while self._kept_bytes > KEPT:
            self._kept_bytes -= len(self._kept.popitem(last=False)[1])


class _Response:
    """One response on its way: held back until it is whole, then sent compressed."""

    def __init__(self, compression: Compression, scope: Scope, send: Send, encoding: str) -> None:
        self._compression = compression
        self._scope = scope
        self._send = send
        self._encoding = encoding
        self._start: Message | None = None
        self._body = bytearray()

    async def receive(self, message: Message) -> None:
        if message["type"] == "http.response.start" and _is_worth_it(message):
            self._start = message
        elif self._start is None:
            await self._send(message)
        elif message["type"] == "http.response.body":
            self._body += message.get("body", b"")
            if not message.get("more_body", False):
                await self._finish(self._start)
            elif len(self._body) > LARGEST:
                await self._give_up(self._start)

    async def _give_up(self, start: Message) -> None:
        self._start = None
        await self._send(start)
        await self._send({"type": "http.response.body", "body": bytes(self._body), "more_body": True})

    async def _finish(self, start: Message) -> None:
        body = bytes(self._body)
        headers = MutableHeaders(scope=start)
        headers.add_vary_header("Accept-Encoding")
        if len(body) >= SMALLEST:
            body = await self._compression.pack(self._scope, headers, body, self._encoding)
            headers["Content-Encoding"] = self._encoding
            headers["Content-Length"] = str(len(body))
            if "etag" in headers and not headers["etag"].startswith("W/"):
                headers["ETag"] = "W/" + headers["etag"]
        await self._send(start)
        await self._send({"type": "http.response.body", "body": body})


def _give_way() -> None:
    """Let everything else go before this thread: it is in no hurry."""
    with contextlib.suppress(AttributeError, OSError):
        os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), 19)


def _take_marks_off_tags(scope: Scope) -> None:
    """Give back to the application its own tags, as they were before `_Response` marked them as weak.

    In its place: what is found out about a request on the way stands in the same dictionary.
    """
    scope["headers"] = [(n, v.replace(b"W/", b"") if n == b"if-none-match" else v) for n, v in scope["headers"]]


def _accepted(headers: Headers) -> str | None:
    if "range" in headers:
        return None
    offered = {}
    for item in headers.get("accept-encoding", "").lower().split(","):
        name, _, quality = item.strip().partition(";q=")
        offered[name.strip()] = quality.strip() not in ("0", "0.0", "0.00", "0.000")
    return next((name for name in ("br", "gzip") if offered.get(name)), None)


def _is_worth_it(start: Message) -> bool:
    headers = Headers(raw=start["headers"])
    if start["status"] in (204, 206, 304) or "content-encoding" in headers:
        return False
    if not headers.get("content-type", "").startswith(_TYPES) or headers.get("content-type", "").startswith(
        "text/event"
    ):
        return False
    return SMALLEST <= int(headers.get("content-length", LARGEST)) <= LARGEST

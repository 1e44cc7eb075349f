"""What becomes of a request that is too large, or of an error that nobody expected?

A refusal that says nothing of our insides; the log has the error's type and place, and no value of the request.
"""

from __future__ import annotations

import logging
import traceback

from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from dashboard.problems import problem

log = logging.getLogger(__name__)
# Enough for the largest message that any route takes; those that need less check for themselves.
LARGEST_BODY = 16 * 2**20


class TooLargeError(HTTPException):
    """The request's body is longer than any route takes; FastAPI passes this kind on from where it reads the body."""

    def __init__(self) -> None:
        super().__init__(413, f"The request is larger than {LARGEST_BODY // 2**20} MiB.")


class Boundary:
    """The outer edge: limits the body, and turns an unexpected error into an answer."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        received, started = 0, False

        async def limited() -> Message:
            nonlocal received
            message = await receive()
            received += len(message.get("body", b""))
            if received > LARGEST_BODY:
                raise TooLargeError
            return message

        async def watch(message: Message) -> None:
            nonlocal started
            started = started or message["type"] == "http.response.start"
            await send(message)

        try:
            await self._app(scope, limited, watch)
        except TooLargeError as exc:
            answer = problem(exc.status_code, exc.detail)
        except Exception as exc:
            log.error(
                "request failed", extra={"action": "request_failed", "error": type(exc).__name__, "place": _place(exc)}
            )
            answer = problem(500, "Something went wrong here; it was logged.")
        else:
            return
        if not started:
            await answer(scope, receive, send)


def _place(exc: BaseException) -> str:
    frames = traceback.extract_tb(exc.__traceback__)
    return f"{frames[-1].filename}:{frames[-1].lineno}" if frames else "unknown"

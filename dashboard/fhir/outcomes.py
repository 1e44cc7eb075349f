"""How is every error under ``/fhir`` told as an OperationOutcome, wherever on the way it arises?

The rest of the server answers with problem documents. One middleware outside of all turns those into FHIR's, so that no
refusal, of the gate, of the router or of the outermost edge, can forget to.
"""

from __future__ import annotations

import json
from typing import Any

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from schemas.fhir import ISSUE_TYPES, MEDIA_TYPE, issue, outcome

_AREA = "/fhir/"


class Outcomes:
    """Rewrites problem documents of FHIR's addresses."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or not scope["path"].startswith(_AREA):
            await self._app(scope, receive, send)
            return
        start: Message | None = None
        body = bytearray()

        async def rewrite(message: Message) -> None:
            nonlocal start
            if message["type"] == "http.response.start" and _is_problem(message):
                start = message
                return
            if start is None:
                await send(message)
                return
            body.extend(message.get("body", b""))
            if not message.get("more_body"):
                await _tell(start, bytes(body), send)

        await self._app(scope, receive, rewrite)


def _is_problem(start: Message) -> bool:
    kinds = [value for name, value in start["headers"] if name.lower() == b"content-type"]
    return start["status"] >= 400 and not any(kind.startswith(MEDIA_TYPE.encode()) for kind in kinds)


async def _tell(start: Message, body: bytes, send: Send) -> None:
    status = start["status"]
    content = json.dumps(outcome(_issues(status, body))).encode()
    kept = [(n, v) for n, v in start["headers"] if n.lower() not in (b"content-type", b"content-length")]
    headers = [*kept, (b"content-type", MEDIA_TYPE.encode()), (b"content-length", str(len(content)).encode())]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": content})


def _issues(status: int, body: bytes) -> list[dict[str, Any]]:
    code = ISSUE_TYPES.get(status, "processing")
    try:
        problem = json.loads(body)
        errors = [f"{e['where']}: {e['what']}" for e in problem.get("errors", [])]
        return [issue(code, text) for text in (errors or [str(problem["detail"])])]
    except (ValueError, KeyError, TypeError, AttributeError):
        return [issue(code, f"The server answered {status}.")]

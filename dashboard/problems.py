"""What does a client get when something is wrong? A problem document (RFC 9457) that tells nothing of our insides."""

from __future__ import annotations

import logging
from http import HTTPStatus

import psycopg
import psycopg_pool
from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import HTMLResponse, JSONResponse, Response
from starlette.datastructures import Headers
from starlette.exceptions import HTTPException

from dashboard.actions import InvalidActionError, NotThereError
from dashboard.identity import NotSignedInError
from dashboard.permissions import NotPermittedError

log = logging.getLogger(__name__)
UNREACHABLE = "The database does not answer; nothing was changed. Try again in a moment."
_PAGE = f"""<!doctype html>
<html lang="en">
<head><meta charset="utf-8"><title>Not available – Homeward</title></head>
<body><main><h1>Homeward is not available</h1><p>{UNREACHABLE} This page asks again by itself.</p></main></body>
</html>"""


def problem(status: int, detail: str, *, headers: dict[str, str] | None = None, **members: object) -> JSONResponse:
    """Write a problem document."""
    content = {"type": "about:blank", "title": HTTPStatus(status).phrase, "status": status, "detail": detail} | members
    return JSONResponse(content, status, media_type="application/problem+json", headers=headers)


def database_problem(exc: Exception, headers: Headers) -> Response:
    """Tell of a database that cannot be asked just now, a person in words on a page, and log why."""
    log.error("database unreachable", extra={"action": "database_unreachable", "error": type(exc).__name__})
    wait = {"Retry-After": "5"}
    if "text/html" in headers.get("accept", ""):
        return HTMLResponse(_PAGE, 503, headers=wait | {"Refresh": "5"})
    return problem(503, UNREACHABLE, headers=wait)


async def _http(_: Request, exc: Exception) -> JSONResponse:
    assert isinstance(exc, HTTPException)
    return problem(exc.status_code, str(exc.detail), headers=dict(exc.headers or {}))


async def _invalid(_: Request, exc: Exception) -> JSONResponse:
    # what was sent is not sent back: it may be a password, and it ends up in clients' logs
    assert isinstance(exc, RequestValidationError)
    errors = [{"where": ".".join(str(part) for part in e["loc"]), "what": e["msg"]} for e in exc.errors()]
    return problem(422, "Some of the request is not as expected.", errors=errors)


async def _not_permitted(_: Request, exc: Exception) -> JSONResponse:
    return problem(403, str(exc))


async def _cannot_be_done(_: Request, exc: Exception) -> JSONResponse:
    return problem(422, str(exc))


async def _not_there(_: Request, exc: Exception) -> JSONResponse:
    return problem(404, str(exc))


async def _not_signed_in(_: Request, __: Exception) -> JSONResponse:
    return problem(401, "Sign in first.", headers={"WWW-Authenticate": "Bearer"})


async def _database(request: Request, exc: Exception) -> Response:
    return database_problem(exc, request.headers)


async def _refused_value(_: Request, exc: Exception) -> JSONResponse:
    log.warning("value refused by the database", extra={"action": "value_refused", "error": type(exc).__name__})
    return problem(422, "A value of the request is outside of what can be stored.")


def register(app: FastAPI) -> None:
    """Answer every kind of error with a problem document."""
    app.add_exception_handler(HTTPException, _http)
    app.add_exception_handler(RequestValidationError, _invalid)
    app.add_exception_handler(NotPermittedError, _not_permitted)
    app.add_exception_handler(NotSignedInError, _not_signed_in)
    app.add_exception_handler(InvalidActionError, _cannot_be_done)
    app.add_exception_handler(NotThereError, _not_there)
    app.add_exception_handler(psycopg_pool.PoolTimeout, _database)
    app.add_exception_handler(psycopg.OperationalError, _database)
    app.add_exception_handler(psycopg.DataError, _refused_value)

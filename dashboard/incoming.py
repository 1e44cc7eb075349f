"""What does a request say of itself: from where, by which browser, what was typed, and where to go on afterwards?"""

from __future__ import annotations

from urllib.parse import urlsplit

from fastapi import Request
from starlette.datastructures import FormData

from dashboard.identity import Person
from dashboard.permissions import HOMES


def local_path(given: str) -> str:
    """Give the address to go to after sign-in: a page of this server, or the first page for anything else."""
    if not given.startswith("/") or given.startswith("//") or "\\" in given or not given.isprintable():
        return "/"
    return "/" if urlsplit(given).path.startswith(("/sign-in", "/sign-out", "/_dash", "/api/")) else given


def first_page(target: str, person: Person) -> str:
    """Give the page on which a person begins: the one they asked for, or that of their role."""
    return HOMES.get(person.role, "/") if target == "/" else target


def client_address(request: Request) -> str:
    """Give the address that the request came from; behind a proxy, the one that a trusted proxy names."""
    return request.client.host if request.client else "unknown"


def agent_of(request: Request) -> str:
    """Give what the browser says of itself, so that a person recognises their sign-ins."""
    return "".join(c for c in request.headers.get("user-agent", "") if c.isprintable())[:200]


def field(form: FormData, name: str) -> str:
    """Give a field of a form as text; empty where it is not there."""
    value = form.get(name)
    return value if isinstance(value, str) else ""

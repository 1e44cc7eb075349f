"""How do our own style sheets and scripts come to a page: as two files, where a folder has some thirty?

Each file of its own costs a request and its headers, and small ones compress badly. So all sheets are one, with the
icons they name inside, and all scripts another, in the order of their names. The address of each says what is in it,
so that a browser keeps it for good.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

from fastapi import APIRouter, Response

FETCHED_LATER = "plotly-basic"
"""What the names of those files begin with that a page fetches by itself, when it first needs them."""
_ICON = re.compile(r'url\("(icons/[a-z-]+\.svg)"\)')
# a line that is nothing but a remark; none of ours has text over several lines, in which it could be something else
_REMARK = re.compile(r"^ *//.*\n", re.MULTILINE)
# what may stand in an address between quotation marks: the fewer signs are escaped, the better it compresses
_READABLE = " /:;,=()<>'!*~?&@+$"


@dataclass(frozen=True)
class Bundle:
    """Several of our files as one."""

    path: str
    kind: str
    body: bytes

    @property
    def address(self) -> str:
        """Where it is, and which version of it."""
        return f"{self.path}?m={hashlib.sha256(self.body).hexdigest()[:16]}"


def styles(assets: Path) -> Bundle:
    """Put all style sheets together, with the icons inside that they name."""

    def inside(found: re.Match[str]) -> str:
        return f'url("data:image/svg+xml,{quote((assets / found[1]).read_text(encoding="utf-8"), safe=_READABLE)}")'

    sheets = (sheet.read_text(encoding="utf-8") for sheet in sorted(assets.glob("*.css")))
    return Bundle("/assets/all.css", "text/css", _ICON.sub(inside, "\n".join(sheets)).encode())


def scripts(assets: Path) -> Bundle:
    """Put all scripts together, without their remarks, but those that are fetched later."""
    files = (f for f in sorted(assets.glob("*.js")) if not f.name.startswith(FETCHED_LATER))
    # each is a function that is called at once; the semicolon keeps the next one from being its argument
    body = "\n;\n".join(f.read_text(encoding="utf-8") for f in files)
    return Bundle("/assets/all.js", "text/javascript", _REMARK.sub("", body).encode())


def routes(bundles: Sequence[Bundle]) -> APIRouter:
    """Make a route for each."""
    router = APIRouter()
    for bundle in bundles:
        router.add_api_route(bundle.path, _server(bundle), methods=["GET"], include_in_schema=False)
    return router


def _server(bundle: Bundle) -> Callable[[], Awaitable[Response]]:
    async def serve() -> Response:
        return Response(bundle.body, media_type=bundle.kind)

    return serve

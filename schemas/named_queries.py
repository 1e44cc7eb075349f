"""Which queries does a package have, and what are they called?

SQL stands in ``.sql`` files, where editors and people read it best. A block opens with ``-- name: some_name``; the
lines below it, up to the next one, are the query.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from importlib import resources
from types import MappingProxyType

_NAME = re.compile(r"^--\s*name:\s*([a-z][a-z0-9_]*)\s*$", re.MULTILINE)


def load(package: str, file: str = "queries.sql") -> Mapping[str, str]:
    """Read the named queries of a package's ``.sql`` file.

    Raises
    ------
    ValueError
        Where a name stands twice or has no query below it.
    """
    return parse(resources.files(package).joinpath(file).read_text(encoding="utf-8"), f"{package}/{file}")


def parse(text: str, origin: str = "queries") -> Mapping[str, str]:
    """Take the text of a ``.sql`` file apart into its named queries."""
    pieces = _NAME.split(text)
    found: dict[str, str] = {}
    for name, body in zip(pieces[1::2], pieces[2::2], strict=True):
        query = body.strip().rstrip(";")
        if name in found:
            raise ValueError(f"{origin}: query {name!r} stands twice; rename one")
        if not query:
            raise ValueError(f"{origin}: query {name!r} is empty; write it below its name line")
        found[name] = query
    return MappingProxyType(found)

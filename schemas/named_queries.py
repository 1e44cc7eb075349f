"""Where is the SQL that a package runs? In a ``.sql`` file beside it, a block a query, each opened by ``-- name: …``.

Other comments stay with the query, so that the reason stands beside the SQL and reaches the server's log.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from importlib import resources
from types import MappingProxyType

_HEADING = re.compile(r"^-- name:(?P<name>.*)$", re.MULTILINE)
_NAME = re.compile(r"[a-z][a-z0-9_]*\Z")


class QueryFileError(ValueError):
    """A file of queries is not written as it must be; the message names the file and the line."""


def load(package: str, file: str) -> Mapping[str, str]:
    """Read the named queries of ``file``, which lies in ``package``.

    Raises
    ------
    QueryFileError
        Where a name is missing, unusable or used twice, or a block has no SQL.
    """
    return parse(resources.files(package).joinpath(file).read_text(encoding="utf-8"), f"{package}/{file}")


def parse(text: str, where: str) -> Mapping[str, str]:
    """Split the text of a file into its queries; what stands before the first name is the file's own comment."""
    found: dict[str, str] = {}
    headings = list(_HEADING.finditer(text))
    ends = [heading.start() for heading in headings[1:]] + [len(text)]
    for heading, end in zip(headings, ends, strict=False):  # without a heading there is an end all the same
        line = text.count("\n", 0, heading.start()) + 1
        name = heading["name"].strip()
        if not _NAME.match(name):
            raise QueryFileError(f"{where}:{line}: {name!r} is not a query's name; write `-- name: read_this_way`")
        if name in found:
            raise QueryFileError(f"{where}:{line}: {name} is there twice; rename one")
        body = text[heading.end() : end].strip()
        if not _has_sql(body):
            raise QueryFileError(f"{where}:{line}: {name} has no SQL below its name")
        found[name] = body
    if not found:
        raise QueryFileError(f"{where}: no query; open each with `-- name: read_this_way`")
    return MappingProxyType(found)


def _has_sql(body: str) -> bool:
    return any(line.strip() and not line.lstrip().startswith("--") for line in body.splitlines())

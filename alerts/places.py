"""On which line of a document is what an error speaks of?

TOML is read without line numbers, so the line is searched for: the table that the error's path or rule names, and in it
the field.
"""

from __future__ import annotations

import re

_PATH = re.compile(r"`\$\.?([^`]*)`")
_UNKNOWN = re.compile(r"unknown field `(\w+)`")
_RULE = re.compile(r"\brule (\w+)(?:[:,.] ?(\w+))?")
_OF_DOCUMENT = re.compile(r"^policy \w+, (\w+)")
_TABLE = re.compile(r"\s*\[\[?\s*([\w.]+)\s*\]?\]")


def line_of(text: str, message: str) -> int | None:
    """Give the number, from 1, of the line that an error message is about; None where it cannot be told."""
    lines = text.splitlines()
    if path := _PATH.search(message):
        parts = re.findall(r"\w+", path[1])
        if unknown := _UNKNOWN.search(message):
            parts.append(unknown[1])
        return _line_of_path(lines, parts)
    if unknown := _UNKNOWN.search(message):
        return _line_of_path(lines, [unknown[1]])
    if rule := _RULE.search(message):
        named = [i for i, line in enumerate(lines) if re.match(rf"\s*name\s*=\s*[\"']{rule[1]}[\"']", line)]
        if not named:
            return None
        start = named[-1 if "two rules have this name" in message else 0]
        begin, end = _table_around(lines, start)
        names = ("vital", "vitals") if "unknown vital sign" in message else (rule[2] or "name",)
        field = next((at for n in names if (at := _field(lines, n, begin, end)) is not None), None)
        return (start if field is None else field) + 1
    head = _OF_DOCUMENT.search(message)
    return _line_of_path(lines, [head[1]]) if head else None


def _line_of_path(lines: list[str], parts: list[str]) -> int | None:
    """Find ``limit 0 raise_after consecutive``: the first table so named, and the innermost field that has a line."""
    begin, end = 0, next((i for i, line in enumerate(lines) if _TABLE.match(line)), len(lines))
    found: int | None = None
    tables = [i for i, line in enumerate(lines) if (m := _TABLE.match(line)) and parts and m[1] == parts[0]]
    if len(parts) > 1 and parts[1].isdigit() and int(parts[1]) < len(tables):
        found = tables[int(parts[1])]
        begin, end = _table_around(lines, found)
        parts = parts[2:]
    for part in parts:
        here = _field(lines, part, begin, end)
        found = found if here is None else here
    return None if found is None else found + 1


def _table_around(lines: list[str], position: int) -> tuple[int, int]:
    begin = next((i for i in range(position, -1, -1) if _TABLE.match(lines[i])), 0)
    end = next((i for i in range(position + 1, len(lines)) if lines[i].lstrip().startswith("[[")), len(lines))
    return begin, end


def _field(lines: list[str], name: str, begin: int, end: int) -> int | None:
    return next((i for i in range(begin, end) if re.match(rf"\s*{name}\s*[=.]", lines[i])), None)

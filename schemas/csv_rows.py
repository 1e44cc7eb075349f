"""On which line of its file does each row of a CSV begin? A quoted cell may go over several; a blank line is no row."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

_AT_ONCE = 1000


def read_rows(reader: Any, at_once: int) -> Iterator[tuple[list[int], list[list[str]]]]:
    """Give what a `csv.reader` has still to give, many rows at a time: the line on which each begins, and its cells.

    Two lists, because a pair for each row would take as long as reading it.
    """
    lines, rows = list[int](), list[list[str]]()
    last = reader.line_num
    for row in reader:
        if row:
            lines.append(last + 1)
            rows.append(row)
            if len(rows) == at_once:
                yield lines, rows
                lines, rows = [], []
        last = reader.line_num
    if rows:
        yield lines, rows


def numbered_rows(reader: Any) -> Iterator[tuple[int, list[str]]]:
    """Give the rows one by one, each with the line on which it begins."""
    for lines, rows in read_rows(reader, _AT_ONCE):
        yield from zip(lines, rows, strict=True)

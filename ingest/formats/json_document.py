"""How is JSON of others read without trusting any of it, and what is wrong with it if it cannot be?

Numbers that are none, names given twice, other encodings and nesting without end are all found here, so that a format
only has to look at its own fields.
"""

from __future__ import annotations

import json
import math
from typing import Any

from schemas.quarantine import Reason


class Refused(ValueError):
    """A part of a message that cannot be taken: the reason, and a sentence with the place."""

    def __init__(self, reason: Reason, detail: str) -> None:
        super().__init__(detail)
        self.reason = reason


class Doubled(dict[str, Any]):
    """An object in which a name occurs twice; which of the two values was meant cannot be known."""

    name: str


def read(payload: bytes) -> Any:
    """Read a whole payload.

    Raises
    ------
    Refused
        Where it is not JSON in UTF-8.
    """
    try:
        return json.loads(payload.decode("utf-8"), object_pairs_hook=_pairs, parse_constant=_no_constant)
    except (ValueError, RecursionError) as wrong:  # UnicodeDecodeError and JSONDecodeError are ValueErrors
        detail = f"payload: {wrong}; expected a JSON object, or a list of them, in UTF-8"
        raise Refused(Reason.MALFORMED, detail) from None


def refuse_doubled(value: Any, where: str) -> None:
    """Refuse a part in which, at any depth, an object has a name twice."""
    open_ = [value]
    while open_:
        part = open_.pop()
        if isinstance(part, Doubled):
            raise Refused(Reason.CONTRADICTORY, f"{where}: {part.name!r} is there twice; expected once")
        if isinstance(part, dict):
            open_.extend(part.values())
        elif isinstance(part, list):
            open_.extend(part)


def an_object(value: Any, where: str) -> dict[str, Any]:
    """Give ``value`` where it is an object, and refuse it otherwise."""
    if not isinstance(value, dict):
        raise Refused(Reason.WRONG_TYPE, f"{where}: {kind(value)}; expected an object")
    return value


def a_list(value: Any, where: str) -> list[Any]:
    """Give ``value`` where it is a list, an empty one where it is missing, and refuse it otherwise."""
    if value is None:
        return []
    if not isinstance(value, list):
        raise Refused(Reason.WRONG_TYPE, f"{where}: {kind(value)}; expected a list")
    return value


def a_text(value: Any, where: str) -> str:
    """Give ``value`` where it is a text, and refuse it otherwise."""
    if not isinstance(value, str):
        raise Refused(Reason.WRONG_TYPE, f"{where}: {kind(value)}; expected a text")
    return value


def a_number(value: Any, where: str) -> float:
    """Give ``value`` where it is a finite number, and refuse it otherwise; true and "71" are none."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise Refused(Reason.WRONG_TYPE, f"{where}: {kind(value)}; expected a number")
    try:
        number = float(value)
    except OverflowError:
        number = math.inf
    if not math.isfinite(number):
        raise Refused(Reason.WRONG_TYPE, f"{where}: the number is too large for anything measured")
    return number


def kind(value: Any) -> str:
    """Say in JSON's words what a value is, without repeating it."""
    if value is None:
        return "missing"
    if isinstance(value, bool):
        return "true or false"
    names = {dict: "an object", list: "a list", str: "a text"}
    return next((name for of, name in names.items() if isinstance(value, of)), "a number")


def _pairs(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) == len(pairs):
        return found
    doubled = Doubled(found)
    seen: set[str] = set()
    doubled.name = next(name for name, _ in pairs if name in seen or seen.add(name))  # type: ignore[func-returns-value]
    return doubled


def _no_constant(name: str) -> float:
    raise ValueError(f"{name} is not a number in JSON")

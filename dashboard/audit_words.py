"""How is an entry of the audit log said in plain words, with names where it keeps numbers? Nothing is asked here."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from dashboard.text import ROLES
from dashboard.text import audit as words
from dashboard.wording import clock

Row = Mapping[str, Any]
Names = Mapping[tuple[str, int], str]
"""What the person who reads may know the names of, by kind and number."""
MOST_NAMED = 12
LONGEST_VALUE = 200
# which kind of thing a detail's number or numbers are
_KINDS = {"patient": "patient", "patients": "patient", "site": "site", "site_before": "site", "sites": "site",
          "episode": "episode", "episodes": "episode"}  # fmt: skip
_ROLES = ("role", "role_before", "roles")
_TIMES = ("since", "until")


@dataclass(frozen=True)
class Told:
    """One entry as the page shows it; ``patient`` is the one whom it is about, to open their record."""

    action: str
    about: str
    details: str
    patient: int | None = None


def numbers(entries: Sequence[Row]) -> dict[str, list[int]]:
    """Say whose names are wanted, by kind."""
    found: dict[str, set[int]] = {}
    for entry in entries:
        kind, number = subject(entry["object"])
        if isinstance(number, int):
            found.setdefault(kind, set()).add(number)
        for name, value in (entry["detail"] | _searched(entry)).items():
            if name in _KINDS:
                found.setdefault(_KINDS[name], set()).update(_integers(value))
    return {kind: sorted(given) for kind, given in found.items()}


def subject(named: str) -> tuple[str, int | str]:
    """Take apart what an entry is about: its kind, and its number or name."""
    kind, _, rest = named.replace(":", "/", 1).partition("/")
    return kind, int(rest) if rest.isascii() and rest.isdigit() else rest


def tell(entry: Row, names: Names, zone: str, now: datetime, patient: int | None = None) -> Told:
    """Say one entry; of many patients, first the one for whom somebody has searched."""
    kind, number = subject(entry["object"])
    details = []
    for name, value in entry["detail"].items():
        if name == "patients" and isinstance(value, list):
            value = sorted(value, key=lambda number: number != patient)
        said = _value(name, value, names, zone, now)
        # that one looked at a list, the list itself says already
        if said and not (name == "what" and str(value) == kind):
            details.append(f"{words.DETAILS.get(name, words.plain(name))}: {said}")
    return Told(
        words.action(entry["action"]),
        _about(kind, number, names),
        "; ".join(details),
        number if kind == "patient" and isinstance(number, int) and (kind, number) in names else None,
    )


def _about(kind: str, number: int | str, names: Names) -> str:
    if number == "":
        return words.OBJECTS.get(kind, words.plain(kind))
    if isinstance(number, int):
        named = names.get((kind, number))
        return words.numbered(kind, number) if named is None else _named(kind, named)
    return f"{words.OBJECTS.get(kind, words.plain(kind))}: {words.plain(number)}"


def _named(kind: str, named: str) -> str:
    return named if kind in ("patient", "site") else f"{words.OBJECTS[kind]}: {named}"


def _searched(entry: Row) -> dict[str, Any]:
    given = entry["detail"].get("search")
    return {n: int(v) for n, v in given.items() if n in _KINDS and v.isdigit()} if isinstance(given, dict) else {}


def _integers(value: Any) -> list[int]:
    listed = value if isinstance(value, list) else [value]
    return [v for v in listed if isinstance(v, int) and not isinstance(v, bool)]


def _value(name: str, value: Any, names: Names, zone: str, now: datetime) -> str:
    if value in (None, "", [], {}):
        return ""
    if name in _KINDS and _integers(value) and not (name == "patients" and isinstance(value, int)):
        return _list([_name(_KINDS[name], number, names) for number in _integers(value)])
    if name == "what":
        return words.WHERE.get(str(value), words.plain(str(value)).lower())
    if name in _ROLES:
        return _list([ROLES.get(str(role), str(role)) for role in (value if isinstance(value, list) else [value])])
    if isinstance(value, dict):
        parts = [(inner, _value(inner, _read(inner, v), names, zone, now)) for inner, v in value.items()]
        return ", ".join(f"{words.DETAILS.get(i, words.plain(i)).lower()} {said}" for i, said in parts if said)
    if name in _TIMES and (at := _instant(value)) is not None:
        return clock(at, zone, now)
    if isinstance(value, list):
        return _list([str(v) for v in value])
    return str(value)[:LONGEST_VALUE]


def _read(name: str, value: Any) -> Any:
    """Read a number that a search keeps as text."""
    return int(value) if name in _KINDS and isinstance(value, str) and value.isdigit() else value


def _name(kind: str, number: int, names: Names) -> str:
    return names.get((kind, number)) or f"no. {number}"


def _list(items: Sequence[str]) -> str:
    shown = ", ".join(items[:MOST_NAMED])
    left = len(items) - MOST_NAMED
    return f"{shown} {words.more(left)}" if left > 0 else shown


def _instant(value: Any) -> datetime | None:
    try:
        at = datetime.fromisoformat(str(value))
    except ValueError:
        return None
    return at if at.tzinfo is not None else None

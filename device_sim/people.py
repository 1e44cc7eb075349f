"""What are simulated people called, and under which numbers are they registered?

Names come from ``names.csv``, put together by chance. NHS numbers begin with 999, a range that is never issued.
"""

from __future__ import annotations

import csv
import hashlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from functools import cache
from importlib import resources


@dataclass(frozen=True)
class Person:
    """What the registry is told of a person; ``key`` is the person's code in the run or the recording."""

    key: str
    given_name: str
    family_name: str
    sex: str
    born_on: date
    spo2_scale: int = 1


@cache
def load_names() -> list[tuple[int, dict[str, list[str]]]]:
    """Read the names as (weight, names by part) of each origin."""
    text = resources.files("device_sim").joinpath("names.csv").read_text(encoding="utf-8")
    origins: dict[str, tuple[int, dict[str, list[str]]]] = {}
    for row in csv.DictReader(text.splitlines()):
        parts = origins.setdefault(row["origin"], (int(row["weight"]), {"female": [], "male": [], "family": []}))[1]
        parts[row["part"]].append(row["name"])
    return list(origins.values())


def _digits(number: int) -> Callable[[Sequence[object]], int]:
    """Take one choice after another from a number, as one reads the digits of a mixed base."""
    left = number

    def choose(options: Sequence[object]) -> int:
        nonlocal left
        left, chosen = divmod(left, len(options))
        return chosen

    return choose


def portrait(key: str, number: int, *, female: bool, born_on: date, spo2_scale: int = 1) -> Person:
    """Give a person a name by chance: the same number gives the same name."""
    choose = _digits(int.from_bytes(hashlib.sha256(number.to_bytes(8, "big")).digest()[:16], "big"))
    weighted = [parts for weight, parts in load_names() for _ in range(weight)]
    parts = weighted[choose(weighted)]
    sex = "female" if female else "male"
    given, family = parts[sex][choose(parts[sex])], parts["family"][choose(parts["family"])]
    return Person(key, given, family, sex, born_on, spo2_scale)


# Ages that a stranger of a recording may have: the registry wants a birth date, and NEWS2 an adult.
_YOUNGEST, _AGES = 40, 50


def stranger(key: str, today: date) -> Person:
    """Describe somebody of whom a recording says nothing but a code."""
    number = int.from_bytes(hashlib.sha256(key.encode()).digest()[:8], "big")
    age_days = _YOUNGEST * 365 + number % (_AGES * 365)
    return portrait(key, number, female=bool(number >> 20 & 1), born_on=today - timedelta(days=age_days))


def nhs_numbers(key: str) -> Iterator[str]:
    """Yield valid ten-digit numbers of the range 999, beginning at a place that depends on the key.

    The tenth digit is the check digit: 11 less the remainder of the weighted sum (weights 10 to 2) by 11, where 11
    counts as 0; a number whose check digit would be 10 is not used.
    """
    begin = int.from_bytes(hashlib.sha256(key.encode()).digest()[:8], "big")
    for step in range(1_000_000):
        nine = f"999{(begin + step) % 1_000_000:06d}"
        remainder = sum(int(d) * w for d, w in zip(nine, range(10, 1, -1), strict=True)) % 11
        check = (11 - remainder) % 11
        if check < 10:
            yield f"{nine}{check}"

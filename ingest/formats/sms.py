"""What does a text message say that somebody typed on a telephone: "BP 152/91 72", "sats 94%", "temp 37,9 weight 82.4"?

Tolerant of how it is written, and of nothing else. A word that is not known may be the one that matters ("not", "mum",
"yesterday"), so a message is understood whole or not at all; whoever sent it is asked then. A unit that is stated is
taken, and none is guessed from the size of a number.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass

LONGEST_TEXT = 1000
"""Characters: six text messages in one."""

_NAMES = {
    "bp": ("bp", "blood pressure"),
    "spo2": ("sats", "sat", "spo2", "sp02", "oxygen sats", "oxygen saturation", "o2 sats"),
    "pulse": ("pulse", "heart rate", "heartrate", "hr"),
    "temperature": ("temp", "temperature"),
    "weight": ("weight", "wt"),
    "glucose": ("sugar", "blood sugar", "glucose", "blood glucose", "bm", "bg"),
    "respiration_rate": ("resp rate", "respiration rate", "respirations", "breathing rate", "resp", "rr"),
}
_UNITS = {
    "bp": {"mmhg": "mm[Hg]"},
    "spo2": {"%": "%", "percent": "%", "per cent": "%"},
    "pulse": {"bpm": "/min", "/min": "/min", "a minute": "/min", "per minute": "/min"},
    "temperature": {
        "c": "Cel", "°c": "Cel", "° c": "Cel", "celsius": "Cel", "degrees c": "Cel", "f": "[degF]", "°f": "[degF]",
        "° f": "[degF]", "fahrenheit": "[degF]", "degrees f": "[degF]",
    },
    "weight": {
        "kg": "kg", "kgs": "kg", "kilo": "kg", "kilos": "kg", "kilogram": "kg", "kilograms": "kg", "lb": "[lb_av]",
        "lbs": "[lb_av]", "pound": "[lb_av]", "pounds": "[lb_av]",
    },
    "glucose": {"mmol/l": "mmol/L", "mmol": "mmol/L", "mg/dl": "mg/dL"},
    "respiration_rate": {"/min": "/min", "a minute": "/min", "per minute": "/min"},
}  # fmt: skip
# Words that change nothing.
_FILLERS = ("my", "and", "the", "hi", "hello", "thanks", "thank you", "please")

_NUMBER = r"(?<![\d.,/-])(\d{1,4}(?:[.,]\d{1,3})?)(?![\d/]|[.,]\d|-)"
_BETWEEN = r"(?:[ \t\n:=]|\bis\b|\bwas\b)*"


def _any(words: Iterator[str] | list[str]) -> str:
    return "|".join(sorted((re.escape(word).replace(r"\ ", r"\s+") for word in words), key=len, reverse=True))


_EVERY_NAME = _any([word for words in _NAMES.values() for word in words])
_PRESSURE = re.compile(
    rf"(?:{_any([*_NAMES['bp']])}){_BETWEEN}(\d{{2,3}})\s*(?:/|over)\s*(\d{{2,3}})(?![\d.,/-]\d|\d)"
    rf"(?:\s*(?:{_any([*_UNITS['bp']])})\b)?"
    # a third number is the pulse, as the cuff shows it: where it is nothing else's
    rf"(?:[ \t]*[,;]?\s+(\d{{2,3}})(?:\s*bpm\b)?(?=\s*[,;.!]?\s*$|\s*[,;.]\s|\s+(?:{_EVERY_NAME})[\s:=\d]))?"
)
_SINGLE = {
    name: re.compile(
        rf"(?:{_any([*words])}){_BETWEEN}{_NUMBER}"
        rf"(?:\s*({_any([*_UNITS[name]])})(?![a-z0-9]))?"
    )
    for name, words in _NAMES.items()
    if name != "bp"
}
_FILLER = re.compile(rf"(?:{_any([*_FILLERS])})(?![a-z0-9])|[\s,;.!:]")


@dataclass(frozen=True)
class Reading:
    """What was understood: names of vital signs with their values and the UCUM unit, where one was stated."""

    values: tuple[tuple[str, float, str | None], ...]


@dataclass(frozen=True)
class Unclear:
    """What was not: the piece of the message, as it stands there, and why."""

    piece: str
    why: str


def read(text: str) -> Reading | Unclear:
    """Understand a message whole, or say what of it is not clear; nothing is raised."""
    if len(text) > LONGEST_TEXT:
        return Unclear(text[:20], f"longer than {LONGEST_TEXT} characters")
    plain = unicodedata.normalize("NFKC", text).lower().strip()
    found: list[tuple[str, float, str | None]] = []
    place = 0
    while place < len(plain):
        step = _step(plain, place)
        if step is None:
            return Unclear(plain[place : place + 20].strip(), "not understood")
        values, place = step
        found += values
    names = [name for name, _, _ in found]
    if not found:
        return Unclear(plain[:20], "no observation in it")
    twice = next((name for name in names if names.count(name) > 1), None)
    if twice is not None:
        return Unclear(twice.replace("_", " "), "there twice")
    return Reading(tuple(found))


def _step(plain: str, place: int) -> tuple[list[tuple[str, float, str | None]], int] | None:
    """Read the next piece; None where there is none that is known. A name begins where no word is under way."""
    filler = _FILLER.match(plain, place)
    if place and plain[place - 1].isalpha() and plain[place].isalpha():
        return None
    pressure = _PRESSURE.match(plain, place)
    if pressure:
        upper, lower, beats = pressure.groups()
        values: list[tuple[str, float, str | None]] = [
            ("bp_systolic", float(upper), None),
            ("bp_diastolic", float(lower), None),
        ]
        return values + ([("pulse", float(beats), None)] if beats else []), pressure.end()
    for name, pattern in _SINGLE.items():
        single = pattern.match(plain, place)
        if single:
            number, unit = single.groups()
            stated = None if unit is None else _UNITS[name][re.sub(r"\s+", " ", unit)]
            return [(name, float(number.replace(",", ".")), stated)], single.end()
    return ([], filler.end()) if filler else None

"""How is read what a policy writes as text, durations, times of day and names of vital signs, and what is refused?"""

from __future__ import annotations

import math
import re
from typing import Any

from schemas.vital_signs import BY_NAME, VitalSign

SECOND = 1_000_000

_UNITS = {"s": SECOND, "min": 60 * SECOND, "h": 3600 * SECOND, "d": 86_400 * SECOND}
_DURATION = re.compile(r"(\d+(?:\.\d+)?) ?(s|min|h|d)\Z")
_LONGEST = 36_525 * _UNITS["d"]


class PolicyError(ValueError):
    """The document is not a policy; the message names the field, what was expected and what to do."""


def duration(text: str, where: str) -> int:
    """Read ``"90 s"``, ``"15 min"``, ``"12 h"`` or ``"14 d"`` as microseconds."""
    match = _DURATION.match(text)
    if match is None:
        raise PolicyError(f'{where}: {text!r} is not a duration; write it like "90 s", "15 min", "12 h" or "14 d"')
    amount = float(match[1]) * _UNITS[match[2]]
    if amount > _LONGEST:
        raise PolicyError(f"{where}: {text!r} is more than a hundred years; state at most 36525 d")
    return round(amount)


def refuse_no_numbers(loaded: Any, path: str = "$") -> None:
    """Raise `PolicyError` where TOML says ``nan`` or ``inf``: no comparison with it means what its author meant."""
    if isinstance(loaded, float) and not math.isfinite(loaded):
        raise PolicyError(f"{loaded} is no number that anything can be compared with; state one - at `{path}`")
    if isinstance(loaded, dict):
        for name, value in loaded.items():
            refuse_no_numbers(value, f"{path}.{name}")
    elif isinstance(loaded, list):
        for position, value in enumerate(loaded):
            refuse_no_numbers(value, f"{path}[{position}]")


def minute_of(clock: str) -> int:
    """Read ``"22:30"`` as minutes since midnight."""
    hours, minutes = clock.split(":")
    return 60 * int(hours) + int(minutes)


def vital_named(name: str, where: str) -> VitalSign:
    """Find a vital sign, or say where it was named and which there are."""
    if name not in BY_NAME:
        raise PolicyError(f"{where}: unknown vital sign {name!r}; expected one of {', '.join(BY_NAME)}")
    return BY_NAME[name]

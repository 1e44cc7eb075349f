"""How is a value in a stated unit brought to the unit of the vital-sign catalogue?

Units are UCUM codes. A unit that is stated is converted; a unit that is not stated is the catalogue's; nothing is ever
guessed from the size of a number.
"""

from __future__ import annotations

import csv
from importlib import resources

from schemas.vital_signs import VitalSign


class UnitError(ValueError):
    """The stated unit has no conversion to the vital sign's unit."""


def load_conversions() -> dict[tuple[str, str], tuple[float, float]]:
    """Read ``unit_conversions.csv``: catalogue value = stated value × factor + offset."""
    text = resources.files("schemas").joinpath("unit_conversions.csv").read_text(encoding="utf-8")
    return {
        (row["vital"], row["unit"]): (float(row["factor"]), float(row["offset"]))
        for row in csv.DictReader(text.splitlines())
    }


CONVERSIONS = load_conversions()


def to_catalogue_unit(vital: VitalSign, value: float, unit: str) -> float:
    """Convert ``value`` from ``unit`` (UCUM code) to the vital sign's own unit.

    Raises
    ------
    UnitError
        Where the unit has no conversion for this vital sign.
    """
    if unit == vital.unit:
        return value
    conversion = CONVERSIONS.get((vital.name, unit))
    if conversion is None:
        known = [vital.unit, *(u for v, u in CONVERSIONS if v == vital.name)]
        raise UnitError(f"{vital.name}: unit {unit!r} does not convert; expected one of {', '.join(known)}")
    factor, offset = conversion
    return value * factor + offset

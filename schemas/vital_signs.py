"""Which vital signs does Homeward know, under which codes, in which unit, and what can a device plausibly say?

The catalogue is ``vital_signs.csv``. Arrays over vital signs have length ``VITALS`` and are indexed by the code; code 0
is not a vital sign.
"""

from __future__ import annotations

import csv
from dataclasses import dataclass
from importlib import resources

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class VitalSign:
    """One row of the catalogue."""

    code: int
    name: str
    label: str
    short_label: str
    unit: str
    display_unit: str
    loinc: str
    snomed: str
    mdc: str
    plausible_low: float
    plausible_high: float
    resolution: float
    decimals: int

    def is_plausible(self, value: float) -> bool:
        """Say whether a device could have measured ``value``; critical values are plausible."""
        return self.plausible_low <= value <= self.plausible_high

    def format(self, value: float) -> str:
        """Write a value as the chart does: ``84 %``, ``36.4 °C``, and the letter for consciousness."""
        if self.name == "consciousness":
            return ACVPU[int(value)]
        if self.name == "on_oxygen":
            return "on oxygen" if value else "on air"
        if self.name == "soft_signs":
            return "not their usual self" if value else "their usual self"
        return f"{value:.{self.decimals}f} {self.display_unit}".rstrip()


ACVPU = "ACVPU"


def load_catalogue() -> tuple[VitalSign, ...]:
    """Read the catalogue; codes count up from 1 without a gap, because arrays are indexed by them."""
    text = resources.files("schemas").joinpath("vital_signs.csv").read_text(encoding="utf-8")
    found = []
    for line, row in enumerate(csv.DictReader(text.splitlines()), start=2):
        if int(row["code"]) != line - 1:
            raise ValueError(
                f"vital_signs.csv:{line}: code {row['code']} where {line - 1} was expected; keep the order"
            )
        found.append(
            VitalSign(
                code=int(row["code"]),
                plausible_low=float(row["plausible_low"]),
                plausible_high=float(row["plausible_high"]),
                resolution=float(row["resolution"]),
                decimals=int(row["decimals"]),
                **{k: row[k] for k in _TEXT_COLUMNS},
            )
        )
    return tuple(found)


_TEXT_COLUMNS = ("name", "label", "short_label", "unit", "display_unit", "loinc", "snomed", "mdc")

CATALOGUE = load_catalogue()
BY_NAME = {v.name: v for v in CATALOGUE}
VITALS = len(CATALOGUE) + 1


def _column(name: str) -> NDArray[np.float64]:
    return np.array([np.nan, *(getattr(v, name) for v in CATALOGUE)], dtype=np.float64)


RESOLUTION = _column("resolution")
PLAUSIBLE_LOW = _column("plausible_low")
PLAUSIBLE_HIGH = _column("plausible_high")

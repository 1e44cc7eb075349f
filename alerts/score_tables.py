"""Which scores can a policy name, and how is each of them laid out?

A score is a table ``NAME_bands.csv`` in ``alerts/rules``, in the columns of NEWS2's: put another table there, and
policies can name it. NEWS2 has what no other score has here, two SpO2 scales and a chart of its own
(`alerts.news2_chart`); every other score adds up the points of up to eight vital signs, each looked up by itself.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from alerts.bands import BandTable, dense_table
from alerts.load_rules import RULES, BandRow, RuleError, load_bands, rule_version
from schemas.vital_signs import BY_NAME

NEWS2 = "news2"
MOST_PARAMETERS = 8
"""The state keeps one bit for each."""
_MOST_POINTS = 99
_MOST_STEPS = 50_000
_SUFFIX = "_bands.csv"
_NAME = re.compile(r"[a-z][a-z0-9_]{0,63}")


@dataclass(frozen=True, eq=False)
class ScoreTable:
    """One score: its bands as they are written, and ``version``, which names their exact content."""

    name: str
    version: str
    bands: tuple[BandRow, ...]

    @cached_property
    def parameters(self) -> tuple[str, ...]:
        """The vital signs that give points, in the order of the table."""
        return tuple(dict.fromkeys(row.parameter for row in self.bands))

    @cached_property
    def codes(self) -> NDArray[np.intp]:
        """Their codes in the catalogue, shape (V,)."""
        return np.array([BY_NAME[name].code for name in self.parameters], np.intp)

    @cached_property
    def least(self) -> NDArray[np.float64]:
        """The points that each gives at least, shape (V,): what is added where it is missing."""
        return np.array([min(row.points for row in self.rows(name)) for name in self.parameters], np.float64)

    @cached_property
    def most(self) -> NDArray[np.float64]:
        """The points that each gives at most, shape (V,)."""
        return np.array([max(row.points for row in self.rows(name)) for name in self.parameters], np.float64)

    @cached_property
    def lookups(self) -> tuple[BandTable, ...]:
        """The bands of each laid out for looking up; not for NEWS2, of which one parameter depends on others."""
        return tuple(dense_table(rows, rows[0].resolution) for rows in map(self.rows, self.parameters))

    def rows(self, parameter: str) -> list[BandRow]:
        """Give the bands of one vital sign."""
        return [row for row in self.bands if row.parameter == parameter]


def load_tables(folder: Path = RULES) -> dict[str, ScoreTable]:
    """Read every ``NAME_bands.csv`` of a folder, by name.

    Raises
    ------
    RuleError
        Where a table cannot be used, with the file, the line and what to do.
    """
    tables = {}
    for path in sorted(folder.glob(f"*{_SUFFIX}")):
        name = path.name.removesuffix(_SUFFIX)
        if _NAME.fullmatch(name) is None or name in BY_NAME:
            raise RuleError(f"{path.name}: {name!r} cannot name a score: lower case, and not a vital sign's; rename it")
        tables[name] = ScoreTable(name, rule_version(path), load_bands(path))
        if name != NEWS2:
            _check(path.name, tables[name])
    return tables


def _check(file: str, table: ScoreTable) -> None:
    """Refuse what only NEWS2 has, and what cannot be kept or never matters."""
    for row in table.bands:
        if row.scale is not None or row.on_oxygen is not None:
            raise RuleError(f"{file}:{row.line}: only NEWS2 has 'scale' and 'on_oxygen'; leave both blank")
        if row.points > _MOST_POINTS:
            raise RuleError(f"{file}:{row.line}: 'points' is {row.points}; expected {_MOST_POINTS} at most")
        for edge in (row.lower, row.upper):
            if edge is not None and abs(edge / row.resolution) > _MOST_STEPS:
                raise RuleError(
                    f"{file}:{row.line}: {edge} is more than {_MOST_STEPS} steps of {row.resolution}; use a coarser "
                    "'resolution'"
                )
    if len(table.parameters) > MOST_PARAMETERS:
        raise RuleError(f"{file}: {len(table.parameters)} parameters; a score has at most {MOST_PARAMETERS}, drop some")
    for name, least, most in zip(table.parameters, table.least, table.most, strict=True):
        if least == most:
            raise RuleError(
                f"{file}:{table.rows(name)[0].line}: {name} gives {least:.0f} points whatever it is; fix 'points', or "
                "leave it out"
            )


def score_label(table: str) -> str:
    """Write the name of a score as it is read."""
    return table.replace("_", " ").upper()


SHIPPED: Mapping[str, ScoreTable] = load_tables()
"""The scores that every policy can name."""

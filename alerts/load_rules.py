"""Are the clinical tables whole? Reads the CSV files of ``alerts/rules`` and refuses one with a gap, overlap or typo.

A table is read once, when its module is imported: a service with a broken table does not start.
"""

from __future__ import annotations

import csv
import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from itertools import pairwise
from pathlib import Path

from schemas.vital_signs import ACVPU, BY_NAME

RULES = Path(__file__).parent / "rules"
NEWS2_BANDS = RULES / "news2_bands.csv"
NEWS2_RESPONSE = RULES / "news2_response.csv"

_BAND_COLUMNS = "parameter,scale,on_oxygen,lower,upper,points,unit,resolution,source,verified"
_RESPONSE_COLUMNS = "level,lower,upper,red_points,at_least_every_h,monitoring,response,source,verified"
# What a table may leave out at its ends: a category has no value beyond its first and last.
_CATEGORIES = {"on_oxygen": "01", "consciousness": ACVPU}
_AIR_OR_OXYGEN = (0, 1)


class RuleError(ValueError):
    """A clinical table cannot be used; the message names the file, the line, and what to do."""


@dataclass(frozen=True)
class BandRow:
    """One band of a chart: inclusive edges in ``unit`` at ``resolution``, None where there is no limit."""

    parameter: str
    scale: int | None
    on_oxygen: int | None
    lower: Decimal | None
    upper: Decimal | None
    points: int
    unit: str
    resolution: Decimal
    source: str
    verified: bool
    line: int

    def applies(self, scale: int | None, on_oxygen: int) -> bool:
        """Say whether the band is read for a patient on this scale who breathes air (0) or oxygen (1)."""
        return self.scale == scale and self.on_oxygen in (None, on_oxygen)


@dataclass(frozen=True)
class ResponseRow:
    """One response level: met by an aggregate score in [lower, upper], or by ``red_points`` in any one parameter."""

    level: str
    lower: int | None
    upper: int | None
    red_points: int | None
    at_least_every_h: float
    monitoring: str
    response: str
    source: str
    verified: bool
    line: int


def rule_version(*paths: Path) -> str:
    """Name the exact content of rule tables, so that an episode can store what it was raised by."""
    digest = hashlib.sha256()
    for path in paths:
        digest.update(path.read_bytes())
    return digest.hexdigest()[:12]


def load_bands(path: Path) -> tuple[BandRow, ...]:
    """Read a banded chart and check that every parameter's bands cover its values once."""
    rows = tuple(_band_row(f"{path.name}:{line}", line, cells) for line, cells in _lines(path, _BAND_COLUMNS))
    if not rows:
        raise RuleError(f"{path.name}: has no rows; restore the file")
    for parameter in dict.fromkeys(row.parameter for row in rows):
        _check_parameter(path.name, [row for row in rows if row.parameter == parameter])
    return rows


def load_response(path: Path) -> tuple[ResponseRow, ...]:
    """Read the response levels, in rising order, and check that they cover every aggregate score once."""
    rows = tuple(_response_row(f"{path.name}:{line}", line, cells) for line, cells in _lines(path, _RESPONSE_COLUMNS))
    names = [row.level for row in rows]
    for row in rows:
        if names.count(row.level) > 1:
            raise RuleError(f"{path.name}:{row.line}: level {row.level!r} occurs twice; keep one row a level")
    by_score = [row for row in rows if row.red_points is None]
    if len(by_score) != len(rows) - 1:
        raise RuleError(f"{path.name}: expected exactly one row with 'red_points'; fix the rows")
    spans = [_Span(row.lower, row.upper, row.line) for row in by_score]
    _check_cover(path.name, "aggregate score", "points", spans, Decimal(1), (Decimal(0), None))
    if [row.line for row in by_score] != [row.line for row in sorted(by_score, key=lambda row: row.lower or 0)]:
        raise RuleError(f"{path.name}: levels are not in rising order of 'lower'; sort the rows")
    return rows


def _lines(path: Path, header: str) -> Iterator[tuple[int, dict[str, str]]]:
    """Yield line number and cells of each row of a CSV file that has exactly the expected columns."""
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as exc:
        raise RuleError(f"{path.name}: cannot be read ({exc}); restore the file") from exc
    reader = csv.reader(text.splitlines())
    columns = next(reader, [])
    if columns != header.split(","):
        raise RuleError(f"{path.name}:1: columns are {','.join(columns)}; expected {header}")
    for cells in reader:
        if len(cells) != len(columns):
            raise RuleError(f"{path.name}:{reader.line_num}: has {len(cells)} cells; expected {len(columns)}")
        yield reader.line_num, dict(zip(columns, cells, strict=True))


def _band_row(place: str, line: int, cells: dict[str, str]) -> BandRow:
    parameter, unit = cells["parameter"], cells["unit"]
    if parameter not in BY_NAME:
        raise RuleError(f"{place}: unknown parameter {parameter!r}; expected a name of schemas/vital_signs.csv")
    if unit != BY_NAME[parameter].unit:
        raise RuleError(f"{place}: unknown unit {unit!r} for {parameter}; expected {BY_NAME[parameter].unit!r}")
    if parameter != "spo2" and (cells["scale"] or cells["on_oxygen"]):
        raise RuleError(f"{place}: {parameter} has one scale, on air or oxygen; leave 'scale' and 'on_oxygen' blank")
    points = _whole(place, "points", cells["points"])
    on_oxygen = _whole(place, "on_oxygen", cells["on_oxygen"])
    if points is None:
        raise RuleError(f"{place}: 'points' is blank; expected a whole number")
    if on_oxygen not in (None, *_AIR_OR_OXYGEN):
        raise RuleError(f"{place}: 'on_oxygen' is {on_oxygen}; expected 0, 1 or blank")
    resolution = _number(place, "resolution", cells["resolution"])
    if resolution is None or resolution <= 0:
        raise RuleError(f"{place}: 'resolution' is {cells['resolution']!r}; expected a number above 0")
    row = BandRow(
        parameter=parameter,
        scale=_whole(place, "scale", cells["scale"]),
        on_oxygen=on_oxygen,
        lower=_edge(place, "lower", cells, resolution),
        upper=_edge(place, "upper", cells, resolution),
        points=points,
        unit=unit,
        resolution=resolution,
        source=_stated(place, "source", cells),
        verified=_yes(place, cells["verified"]),
        line=line,
    )
    if row.lower is not None and row.upper is not None and row.lower > row.upper:
        raise RuleError(f"{place}: {parameter} band runs from {row.lower} down to {row.upper}; fix 'lower' or 'upper'")
    return row


def _response_row(place: str, line: int, cells: dict[str, str]) -> ResponseRow:
    lower, upper, red = (_whole(place, name, cells[name]) for name in ("lower", "upper", "red_points"))
    if (red is None) == (lower is None) or (red is not None and upper is not None):
        raise RuleError(f"{place}: expected either 'lower' (with 'upper', or blank for no limit) or 'red_points'")
    interval = _number(place, "at_least_every_h", cells["at_least_every_h"])
    if interval is None or interval < 0:
        raise RuleError(
            f"{place}: 'at_least_every_h' is {cells['at_least_every_h']!r}; expected hours, 0 for continuous"
        )
    return ResponseRow(
        level=_stated(place, "level", cells),
        lower=lower,
        upper=upper,
        red_points=red,
        at_least_every_h=float(interval),
        monitoring=_stated(place, "monitoring", cells),
        response=_stated(place, "response", cells),
        source=_stated(place, "source", cells),
        verified=_yes(place, cells["verified"]),
        line=line,
    )


def _number(place: str, column: str, cell: str) -> Decimal | None:
    try:
        number = Decimal(cell) if cell else None
    except InvalidOperation:
        number = Decimal("NaN")
    if number is not None and not number.is_finite():
        raise RuleError(f"{place}: {column!r} is {cell!r}; expected a number")
    return number


def _whole(place: str, column: str, cell: str) -> int | None:
    number = _number(place, column, cell)
    if number is not None and (number != int(number) or number < 0):
        raise RuleError(f"{place}: {column!r} is {cell!r}; expected a whole number of 0 or more")
    return None if number is None else int(number)


def _edge(place: str, column: str, cells: dict[str, str], resolution: Decimal) -> Decimal | None:
    """Read an edge; a letter of ACVPU stands for its place in that order."""
    cell = cells[column]
    if cells["parameter"] == "consciousness":
        if len(cell) != 1 or cell not in ACVPU:
            raise RuleError(f"{place}: {column!r} is {cell!r}; expected one letter of {ACVPU}")
        return Decimal(ACVPU.index(cell))
    edge = _number(place, column, cell)
    if edge is not None and edge % resolution:
        raise RuleError(f"{place}: {column!r} is {cell}, finer than the resolution of {resolution}; round it")
    return edge


def _stated(place: str, column: str, cells: dict[str, str]) -> str:
    if not cells[column].strip():
        raise RuleError(f"{place}: {column!r} is blank; expected a text")
    return cells[column]


def _yes(place: str, cell: str) -> bool:
    if cell not in ("yes", "no"):
        raise RuleError(f"{place}: 'verified' is {cell!r}; expected yes or no")
    return cell == "yes"


@dataclass(frozen=True)
class _Span:
    lower: int | Decimal | None
    upper: int | Decimal | None
    line: int


def _check_parameter(file: str, rows: Sequence[BandRow]) -> None:
    """Check one parameter's bands, for each scale and on air as on oxygen."""
    parameter, resolution, unit = rows[0].parameter, rows[0].resolution, BY_NAME[rows[0].parameter].display_unit
    for row in rows:
        if row.resolution != resolution:
            raise RuleError(
                f"{file}:{row.line}: {parameter} has resolution {row.resolution}, line {rows[0].line} has {resolution};"
                " use one"
            )
        if (row.scale is None) != (rows[0].scale is None):
            raise RuleError(
                f"{file}:{row.line}: {parameter} has bands with and without 'scale'; fill it in or clear it"
            )
    names = _CATEGORIES.get(parameter)
    ends = (None, None) if names is None else (Decimal(0), Decimal(len(names) - 1))
    for scale in dict.fromkeys(row.scale for row in rows):
        for on_oxygen in _AIR_OR_OXYGEN:
            spans = [_Span(row.lower, row.upper, row.line) for row in rows if row.applies(scale, on_oxygen)]
            what = parameter
            if scale is not None:
                what += f" scale {scale}"
            if any(row.scale == scale and row.on_oxygen is not None for row in rows):
                what += f" on {('air', 'oxygen')[on_oxygen]}"
            if not spans:
                raise RuleError(f"{file}:{rows[-1].line}: {what} has no bands; add the rows or fix 'on_oxygen'")
            _check_cover(file, what, unit, spans, resolution, ends)


def _check_cover(
    file: str,
    what: str,
    unit: str,
    spans: Sequence[_Span],
    step: Decimal,
    ends: tuple[Decimal | None, Decimal | None],
) -> None:
    """Refuse a gap or an overlap between neighbouring bands, or between the outermost band and the end of the line."""
    spans = sorted(spans, key=lambda span: Decimal("-Infinity") if span.lower is None else Decimal(span.lower))
    unit = f" {unit}" if unit else ""
    start = spans[0].lower
    if start is None and ends[0] is not None:
        raise RuleError(f"{file}:{spans[0].line}: {what} begins at {ends[0]}; fill in 'lower'")
    if start is not None and start != ends[0]:
        below = f"below {start}" if ends[0] is None else f"for {ends[0]}–{start - step}"
        raise RuleError(f"{file}:{spans[0].line}: {what} has no band {below}{unit}; add the row or fix 'lower'")
    for before, after in pairwise(spans):
        if before.upper is None or after.lower is None or after.lower <= before.upper:
            raise RuleError(
                f"{file}:{after.line}: {what} band overlaps line {before.line}; fix 'lower' or 'upper' of one of them"
            )
        if after.lower != before.upper + step:
            gap = f"{before.upper + step}–{after.lower - step}{unit}"
            raise RuleError(f"{file}:{before.line}: {what} has no band for {gap}; add the row or fix 'upper'")
    last = spans[-1]
    if last.upper != ends[1]:
        if last.upper is None or (ends[1] is not None and last.upper > ends[1]):
            raise RuleError(f"{file}:{last.line}: {what} band runs beyond {ends[1]}; fix 'upper'")
        above = f"above {last.upper}" if ends[1] is None else f"for {last.upper + step}–{ends[1]}"
        raise RuleError(f"{file}:{last.line}: {what} has no band {above}{unit}; add the row or fix 'upper'")

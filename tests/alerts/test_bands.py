"""Does a banded lookup find the band a person would find on the printed chart?"""

from __future__ import annotations

from dataclasses import dataclass
from decimal import ROUND_HALF_UP, Decimal

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from alerts.bands import banded_points, dense_table

pytestmark = pytest.mark.pure


@dataclass(frozen=True)
class Row:
    """A band of the tests' own charts."""

    lower: Decimal | None
    upper: Decimal | None
    points: int


def chart(edges: list[int], resolution: Decimal) -> list[Row]:
    """Cut the whole line at the edges (in steps); the bands are worth 0, 1, 2, … points."""
    tops: list[int | None] = [*edges, None]
    rows = []
    for points, top in enumerate(tops):
        lower = None if points == 0 else (edges[points - 1] + 1) * resolution
        rows.append(Row(lower, None if top is None else top * resolution, points))
    return rows


@given(
    edges=st.lists(st.integers(-50, 500), min_size=1, max_size=6, unique=True).map(sorted),
    resolution=st.sampled_from(["0.1", "0.5", "1", "2"]).map(Decimal),
    thousandths=st.lists(st.integers(-300_000, 900_000), min_size=1, max_size=30),
)
def test_lookup_is_rounding_half_up_and_reading_the_chart(
    edges: list[int], resolution: Decimal, thousandths: list[int]
) -> None:
    rows = chart(edges, resolution)
    values = [Decimal(number) / 1000 for number in thousandths]
    found = banded_points([float(value) for value in values], dense_table(rows, resolution))
    for value, points in zip(values, found, strict=True):
        steps = (value / resolution + Decimal("0.5")).to_integral_value(rounding="ROUND_FLOOR")
        assert points == sum(steps > edge for edge in edges), value


@given(thousandths=st.integers(0, 60_000), kind=st.sampled_from([np.float64, np.float32]))
def test_a_temperature_with_three_decimals_rounds_as_written(thousandths: int, kind: type[np.floating]) -> None:
    """36.05 is less than 36.05 in binary, in 32 bits by more than in 64; it still rounds to 36.1."""
    written = Decimal(thousandths) / 1000
    row = (written.quantize(Decimal("0.1"), ROUND_HALF_UP),) * 2
    table = dense_table(
        [Row(None, row[0] - Decimal("0.1"), 1), Row(*row, 2), Row(row[0] + Decimal("0.1"), None, 3)], Decimal("0.1")
    )
    assert banded_points(np.array([float(written)], dtype=kind), table)[0] == 2


def test_gaps_shapes_and_extremes() -> None:
    table = dense_table(chart([10, 20], Decimal(1)), Decimal(1))
    assert banded_points(15, table) == 1
    assert banded_points([], table).shape == (0,)
    assert banded_points(np.full((2, 3), np.nan), table).shape == (2, 3)
    assert np.isnan(banded_points([np.nan], table)).all()
    np.testing.assert_array_equal(
        banded_points([-1e300, 1e300, np.nan, 0, np.inf, -np.inf], table), [0, 2, np.nan, 0, 2, 0]
    )

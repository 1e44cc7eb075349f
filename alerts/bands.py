"""How many points is a value worth, when the chart is a list of bands? Any score made of bands is such a table.

The bands are laid out once as a dense array with one cell for each step of the chart's resolution, so that a lookup is
a rounding and an index. That is faster than a binary search over the edges, and no edge is ever compared as a float.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

NOT_OBSERVED = 0
"""The dense index of a value that is NaN; the bands' own cells begin at 1."""

# 36.05 is 36.04999… in binary, and a half must still round up. Values are entered with at most three decimals, so the
# nearest value below a half lies 0.001 of a step below it or more. An eighth of that is too little to lift it, and is
# four times or more the error of a vital sign held as a 32-bit float (2e-5 of a step at 36.05 °C, 1.5e-5 at 250 mmHg).
HALF_UP = 0.5 + 0.001 / 8


class Band(Protocol):
    """A row of a banded chart: inclusive edges at the chart's resolution, None where there is no limit."""

    @property
    def lower(self) -> Decimal | None: ...
    @property
    def upper(self) -> Decimal | None: ...
    @property
    def points(self) -> int: ...


@dataclass(frozen=True)
class BandTable:
    """Bands as a dense array: ``points[0]`` is unused, ``points[1]`` belongs to ``first``, one cell a step after it.

    The last band's points are repeated to the end of the array, so that ordinary values need no clipping.
    """

    steps_per_unit: float
    first: int
    points: NDArray[np.uint8]

    @property
    def cells(self) -> int:
        """Number of cells; a value beyond them falls into the outermost."""
        return len(self.points) - 1

    def index(
        self,
        values: NDArray[Any],
        extent: tuple[float, float],
        work: NDArray[np.float64],
        out: NDArray[np.int32],
    ) -> None:
        """Write the cell of each value, rounding half up to the chart's resolution.

        Parameters
        ----------
        values : number array, shape (P,)
            Values in the chart's unit; NaN where not observed.
        extent : pair of float
            The least and the greatest of ``values`` (`extent`).
        work : float array, shape (P,)
            Overwritten, so that a caller who works in blocks allocates nothing.
        out : int32 array, shape (P,)
            Where to write: 0 where not observed, otherwise 1 to ``cells``.
        """
        shift = HALF_UP + 1 - self.first
        if self.steps_per_unit == 1:
            np.add(values, shift, out=work, dtype=np.float64)
        else:
            np.multiply(values, self.steps_per_unit, out=work, dtype=np.float64)
            work += shift
        # Most wards need neither, and each is a pass over the array. Both let NaN through.
        if extent[0] * self.steps_per_unit + shift < 1:
            np.maximum(work, 1.0, out=work)
        if extent[1] * self.steps_per_unit + shift > self.cells:
            np.minimum(work, float(self.cells), out=work)
        truncate(work, out)  # which is floor here: nothing is below 1 any more


def truncate(values: NDArray[np.float64], out: NDArray[np.int32]) -> None:
    """Write positive numbers without their fraction, and 0 for NaN and what is not positive.

    NaN becomes a number that is not positive: the least one, or 0 on ARM. In 32 bits that takes a quarter of the time
    of 64, and of clearing NaN before.
    """
    with np.errstate(invalid="ignore"):
        np.copyto(out, values, casting="unsafe")
    np.maximum(out, NOT_OBSERVED, out=out)


def extent(values: NDArray[Any]) -> tuple[float, float]:
    """Return the least and the greatest value of a non-empty array, leaving NaN aside; NaN if there is nothing else."""
    return float(np.fmin.reduce(values)), float(np.fmax.reduce(values))


def dense_table(bands: Iterable[Band], resolution: Decimal, size: int | None = None) -> BandTable:
    """Lay out bands that cover their line once (`alerts.load_rules` sees to that) as a dense table.

    The first cell is 0 or the lowest edge below it. ``size`` is the number of cells; without it, a chart that is open
    at the top gets up to four times the cells its edges need, which is room for every ordinary value.
    """
    bands = tuple(bands)
    edges = [int(edge / resolution) for band in bands for edge in (band.lower, band.upper) if edge is not None]
    first, last = min(0, *edges), max(edges)
    is_open = any(band.upper is None for band in bands)
    if size is None:
        size = 2 << (last - first + 1).bit_length() if is_open else last - first + 1
    points = np.zeros(size + 1, dtype=np.uint8)
    for band in bands:
        low = first if band.lower is None else int(band.lower / resolution)
        high = first + size - 1 if band.upper is None else int(band.upper / resolution)
        points[low - first + 1 : high - first + 2] = band.points
    return BandTable(steps_per_unit=float(1 / resolution), first=first, points=points)


def banded_points(values: Any, table: BandTable) -> NDArray[np.float32]:
    """Look up the points of values in a banded chart; NaN where not observed.

    Parameters
    ----------
    values : float array, any shape
        Values in the chart's unit; NaN where not observed. Rounded half up to the chart's resolution first.
    table : BandTable
        The chart. A value beyond its outermost edges belongs to its outermost bands.

    Returns
    -------
    float32 array, the shape of ``values``
        Points; NaN where not observed.

    Examples
    --------
    >>> from alerts.load_rules import NEWS2_BANDS, load_bands
    >>> bands = [band for band in load_bands(NEWS2_BANDS) if band.parameter == "temperature"]
    >>> banded_points([35.0, 36.049, 36.05, float("nan"), 39.1], dense_table(bands, bands[0].resolution))
    array([ 3.,  1.,  0., nan,  2.], dtype=float32)
    """
    given = np.asarray(values, dtype=np.float64)
    flat, found = given.ravel(), table.points.astype(np.float32)
    found[NOT_OBSERVED] = np.nan
    cells = np.empty(flat.shape, dtype=np.int32)
    if flat.size:
        table.index(flat, extent(flat), np.empty(flat.shape), cells)
    return found[cells].reshape(given.shape)

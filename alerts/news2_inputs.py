"""Can these arrays be an observation set at all? Refuses what cannot be, saying where, what, and what was expected.

Being critical is not being impossible, and being implausible is for ingest to quarantine: only what has no meaning on
the chart is refused here. The checks cost two passes over what is in the cache anyway.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NoReturn

import numpy as np
from numpy.typing import NDArray

from alerts.bands import extent, truncate
from schemas.vital_signs import ACVPU, BY_NAME

Array = NDArray[Any]

_NUMBERS = "iuf"
_INVALID = len(ACVPU) + 1
# The cell of each letter by its code point; everything else is invalid, an empty string (0) is not observed.
_LETTER_CELLS = np.full(128, _INVALID, dtype=np.int32)
_LETTER_CELLS[0] = 0
for _cell, _letter in enumerate(ACVPU, start=1):
    _LETTER_CELLS[ord(_letter)] = _cell


def checked_columns(given: Mapping[str, Any], spo2_scale: Any) -> tuple[dict[str, Array], Array]:
    """Turn arguments into arrays of one shape (P,); consciousness becomes float codes or cells, see `letter_cells`."""
    columns = {name: _array(name, values) for name, values in given.items()}
    first = next(iter(columns))
    size = len(columns[first])
    for name, column in columns.items():
        if len(column) != size:
            raise ValueError(f"{name}: has {len(column)} values, {first} has {size}; expected one for each patient")
    scale = _without_mask(spo2_scale)
    if scale.ndim == 0:
        scale = np.broadcast_to(scale, (size,))
    if scale.dtype.kind not in _NUMBERS or scale.shape != (size,):
        raise ValueError(
            f"spo2_scale: has shape {scale.shape} and type {scale.dtype}; expected numbers of shape ({size},), or one"
        )
    return columns, scale


def _without_mask(values: Any) -> Array:
    """Return an array in which a masked value is NaN; `np.asarray` alone would show what the mask hides."""
    if isinstance(values, np.ma.MaskedArray):
        blank = np.ma.getmaskarray(values)
        if blank.any():
            return np.where(blank, np.nan, np.ma.getdata(values).astype(object))
    return np.asarray(values)


def _array(name: str, values: Any) -> Array:
    array = _without_mask(values)
    if array.ndim != 1:
        raise ValueError(f"{name}: has shape {array.shape}; expected (P,), one value for each patient")
    if name == "consciousness" and (
        array.dtype.kind in "US" or any(isinstance(value, str) for value in _objects(array))
    ):
        return _letters(array)
    if array.dtype.kind == "O":
        try:
            array = array.astype(np.float64)  # None becomes NaN
        except (TypeError, ValueError) as exc:
            raise ValueError(f"{name}: {exc}; expected numbers, NaN where not observed") from exc
    if array.dtype.kind not in _NUMBERS and (name, array.dtype.kind) != ("on_oxygen", "b"):
        raise ValueError(f"{name}: has type {array.dtype}; expected numbers, NaN where not observed")
    return array


def _objects(array: Array) -> Array:
    """Return the array if it holds Python objects, which may be letters or numbers; otherwise nothing."""
    return array if array.dtype.kind == "O" else array[:0]


def _letters(array: Array) -> NDArray[np.str_]:
    """Bring letters to one character each; None, NaN and the text numpy makes of a NaN become an empty string."""
    if array.dtype.kind == "S":
        array = array.astype(np.str_)
    if array.dtype.kind == "O":
        blank = [value is None or (isinstance(value, float) and value != value) for value in array]
        for at, value in enumerate(array):
            if not blank[at] and not isinstance(value, str):
                _refuse_letter(array, at)
        array = np.where(blank, "", array)
        array = array.astype(np.str_)
    if array.dtype.itemsize > np.dtype("U1").itemsize:
        array = np.where(array == "nan", "", array)
        long = np.flatnonzero(np.strings.str_len(array) > 1)
        if len(long):
            _refuse_letter(array, int(long[0]))
    return np.ascontiguousarray(array, dtype="U1")


def letter_cells(letters: Array, start: int, work: NDArray[np.intp], out: NDArray[np.int32]) -> None:
    """Write the cell of each letter: 0 where not observed, then the order of ACVPU from 1."""
    np.copyto(work, letters.view(np.uint32), casting="safe")
    _LETTER_CELLS.take(work, out=out, mode="clip")
    if out.max() == _INVALID:
        _refuse_letter(letters, int(np.argmax(out)), start)


def category_cells(
    name: str, values: Array, highest: int, start: int, work: NDArray[np.float64], out: NDArray[np.int32]
) -> None:
    """Write the cell of each whole number from 0 (cell 1) to ``highest``; 0 where not observed."""
    if values.dtype.kind in "iub":
        fits = values.min() >= 0 and values.max() <= highest
        if fits:
            np.add(values, 1, out=out, dtype=np.int32, casting="unsafe")
    else:
        least, most = extent(values)
        fits = not (least < 0 or most > highest)
        if fits:
            np.floor(values, out=work)
            np.subtract(values, work, out=work)
            fits = not np.fmax.reduce(work) > 0
        if fits:
            np.add(values, 1.0, out=work, dtype=np.float64)
            truncate(work, out)
    if not fits:
        wrong = ~(np.isnan(values.astype(np.float64)) | np.isin(values, np.arange(highest + 1)))
        at = int(np.argmax(wrong))
        allowed = " or ".join(str(choice) for choice in range(highest + 1))
        raise ValueError(f"{name}[{start + at}]: {values[at]} cannot be; expected {allowed}, or NaN where not observed")


def scale_cells(values: Array, scales: tuple[int, ...], start: int, out: NDArray[np.int16]) -> None:
    """Write each patient's SpO2 scale as a whole number; unlike an observation it cannot be missing."""
    fits = scales[0] <= values.min() and values.max() <= scales[-1]  # and not so with a NaN
    if fits:
        np.copyto(out, values, casting="unsafe")
    if not fits or (values.dtype.kind == "f" and (out != values).any()):
        at = int(np.argmax(~np.isin(values, scales)))
        allowed = " or ".join(map(str, scales))
        raise ValueError(f"spo2_scale[{start + at}]: {values[at]} cannot be; expected {allowed}")


def checked_extent(name: str, values: Array, start: int) -> tuple[float, float]:
    """Return the least and the greatest value, having refused negative and infinite ones."""
    least, most = extent(values)
    if least < 0 or most == np.inf:
        at = int(np.argmax((values < 0) | (values == np.inf)))
        unit = BY_NAME[name].display_unit
        raise ValueError(
            f"{name}[{start + at}]: {values[at]} {unit} cannot be; expected 0 or more, or NaN where not observed"
        )
    return least, most


def _refuse_letter(letters: Array, at: int, start: int = 0) -> NoReturn:
    letter = str(letters[at]) if isinstance(letters[at], str) else letters[at]
    raise ValueError(
        f"consciousness[{start + at}]: {letter!r} cannot be; expected one of {ACVPU}, or '' where not observed"
    )

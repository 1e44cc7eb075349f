"""How can chance be looked up for any patient at any moment, instead of being drawn in order?

A stream that is drawn in order makes an observation depend on what was asked before it: another number of patients,
another start, another batch size would change every value after it. Here a draw is a hash of (patient's key, channel,
counter), so history and live publication meet without a seam and any part of a run can be computed alone. The patient's
key itself comes from numpy's ``SeedSequence``.
"""

from __future__ import annotations

import zlib

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtri

Keys = NDArray[np.uint64]
Counters = NDArray[np.int64]

# Constants of the SplitMix64 generator (Steele, Lea and Flood 2014).
_GOLDEN = np.uint64(0x9E3779B97F4A7C15)
_MIX_1 = np.uint64(0xBF58476D1CE4E5B9)
_MIX_2 = np.uint64(0x94D049BB133111EB)


def patient_keys(seed: int, patients: NDArray[np.int64]) -> Keys:
    """Give each patient a key of its own that does not depend on how many others there are.

    Parameters
    ----------
    seed : int
        The run's seed.
    patients : int array, shape (P,)
        Numbers of the patients within the run.

    Returns
    -------
    uint64 array, shape (P,)
    """
    return np.array(
        [np.random.SeedSequence(entropy=seed, spawn_key=(int(p),)).generate_state(1, np.uint64)[0] for p in patients],
        dtype=np.uint64,
    )


def channel(name: str) -> np.uint64:
    """Turn the name of a source of chance into a number that stays the same in every process."""
    return np.uint64(zlib.crc32(name.encode()) << 20)


def _mix(x: Keys) -> Keys:
    x = (x ^ (x >> np.uint64(30))) * _MIX_1
    x = (x ^ (x >> np.uint64(27))) * _MIX_2
    return x ^ (x >> np.uint64(31))


def uniform(keys: Keys, name: str, counter: Counters | int = 0) -> NDArray[np.float64]:
    """Look up uniform draws in (0, 1), one for each pair of key and counter.

    Parameters
    ----------
    keys : uint64 array, any shape
    name : str
        Channel: which source of chance this is.
    counter : int64 array that broadcasts against `keys`
        Which draw of that source, for example an instant.

    Returns
    -------
    float array
        Strictly inside (0, 1), so that its normal quantile is finite.
    """
    with np.errstate(over="ignore"):  # arithmetic modulo 2**64 is the point
        number = np.asarray(counter, np.int64).astype(np.uint64)
        mixed = _mix(_mix(keys ^ channel(name)) + (number + np.uint64(1)) * _GOLDEN)
    return ((mixed >> np.uint64(11)).astype(np.float64) + 0.5) * 2.0**-53


def normal(keys: Keys, name: str, counter: Counters | int = 0) -> NDArray[np.float64]:
    """Look up standard normal draws; arguments as of `uniform`."""
    found: NDArray[np.float64] = ndtri(uniform(keys, name, counter))
    return found


# Knots a correlation time, and how many of them are summed: e**-(24/4) of the earliest one's weight is left.
_KNOTS = 4
_TERMS = 24


def drift(keys: Keys, name: str, at: Counters, correlation_us: int) -> NDArray[np.float64]:
    """Give a slow, autocorrelated standard deviate: an AR(1) process that can be entered anywhere.

    The process is the sum of past shocks with exponentially falling weights, cut off where they no longer matter, on
    knots a quarter of the correlation time apart and straight between them.

    Parameters
    ----------
    keys : uint64 array, shape (N,)
        Whose process.
    name : str
        Which process.
    at : int64 array, shape (N,)
        When [µs since 1970 UTC].
    correlation_us : int
        Time over which the correlation falls to 1/e [µs].

    Returns
    -------
    float array, shape (N,)
        About zero mean and unit variance at the knots.
    """
    step = max(correlation_us // _KNOTS, 1)
    knot = np.floor_divide(at, step)
    share = (at - knot * step) / step
    decay = float(np.exp(-1.0 / _KNOTS))
    weight = decay ** np.arange(_TERMS) * np.sqrt(1.0 - decay**2)
    # what is observed every minute shares its knots for a long while: look each of them up once
    with np.errstate(over="ignore"):
        pair = _mix(keys + knot.astype(np.uint64) * _GOLDEN)
    _, first, back = np.unique(pair, return_index=True, return_inverse=True)
    lags = np.arange(_TERMS + 1)
    shocks = normal(keys[first, None], name, knot[first, None] + 1 - lags[None, :])
    later, earlier = (shocks[:, :-1] @ weight)[back], (shocks[:, 1:] @ weight)[back]
    found: NDArray[np.float64] = (1.0 - share) * earlier + share * later
    return found

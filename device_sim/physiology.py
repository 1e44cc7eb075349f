"""What are the true vital signs of a simulated person at a given moment, before any device has looked at them?

Pure and seeded: a value depends on the seed, the patient and the instant alone, so the same seed gives the same bytes,
in any order and in batches of any size. The parameters are ``physiology.toml``: illustrative, not clinical.
"""

from __future__ import annotations

import tomllib
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from importlib import resources
from typing import Literal

import msgspec
import numpy as np
from numpy.typing import NDArray

from device_sim import draws
from schemas.vital_signs import BY_NAME, VITALS

HOUR_US = 3_600_000_000
DAY_US = 24 * HOUR_US
# The age to which the file's means belong.
REFERENCE_AGE = 70


class VitalModel(msgspec.Struct, forbid_unknown_fields=True, frozen=True):
    """How one vital sign varies between people, over the day and over hours."""

    mean: float
    between: float
    per_year: float
    daily: float
    peak_hour: float
    drift: float
    drift_hours: float
    low: float
    high: float


class Condition(msgspec.Struct, forbid_unknown_fields=True, frozen=True):
    """A chronic condition: how common, and what it does to the baseline."""

    share: float
    per_year: float
    baseline: dict[str, float]


class Coupling(msgspec.Struct, forbid_unknown_fields=True, frozen=True):
    """One vital sign that draws another with it."""

    cause: str
    side: Literal["above", "below", "both"]
    effect: str
    slope: float


class Model(msgspec.Struct, forbid_unknown_fields=True, frozen=True):
    """The whole of ``physiology.toml``."""

    vital: dict[str, VitalModel]
    condition: dict[str, Condition]
    coupling: list[Coupling]


@cache
def load_model() -> Model:
    """Read the parameters once and refuse names that the catalogue does not know."""
    text = resources.files("device_sim").joinpath("physiology.toml").read_text(encoding="utf-8")
    model = msgspec.convert(tomllib.loads(text), Model)
    names = {*model.vital, *(n for c in model.condition.values() for n in c.baseline)}
    names |= {n for c in model.coupling for n in (c.cause, c.effect)}
    if unknown := sorted(names - set(BY_NAME)):
        raise ValueError(f"physiology.toml: {', '.join(unknown)} not in the catalogue of vital signs; correct the name")
    return model


@dataclass(frozen=True)
class Population:
    """P simulated people.

    Parameters
    ----------
    number : int64 array, shape (P,)
        Their numbers within the run.
    key : uint64 array, shape (P,)
        What every draw of theirs starts from.
    age : int64 array, shape (P,)
        In years.
    female : bool array, shape (P,)
    conditions : dict of bool arrays, shape (P,)
        Who has which chronic condition.
    baseline : float array, shape (P, VITALS)
        Personal centre of each vital sign, in the catalogue's units.
    """

    number: NDArray[np.int64]
    key: NDArray[np.uint64]
    age: NDArray[np.int64]
    female: NDArray[np.bool_]
    conditions: dict[str, NDArray[np.bool_]]
    baseline: NDArray[np.float64]

    def __len__(self) -> int:
        return len(self.key)


def populate(
    seed: int, patients: Sequence[int], ages: NDArray[np.float64], given: Sequence[frozenset[str]]
) -> Population:
    """Give each patient an age, conditions and a personal baseline.

    Parameters
    ----------
    seed : int
    patients : sequence of int, length P
        Numbers within the run; patient k is the same person whoever else is asked for.
    ages : float array, shape (P, 2)
        From which age to which age each patient may be [years].
    given : sequence of sets, length P
        Conditions that the patient has for certain; the others come by chance.

    Returns
    -------
    Population
    """
    model = load_model()
    number = np.asarray(patients, np.int64)
    key = draws.patient_keys(seed, number)
    age = np.floor(ages[:, 0] + (ages[:, 1] - ages[:, 0] + 1) * draws.uniform(key, "age")).astype(np.int64)
    years = age - REFERENCE_AGE
    conditions = {}
    for name, condition in model.condition.items():
        certain = np.array([name in names for names in given], dtype=np.bool_)
        share = condition.share + condition.per_year * years
        conditions[name] = certain | (draws.uniform(key, f"condition {name}") < share)
    baseline = np.zeros((len(key), VITALS))
    for name, vital in model.vital.items():
        column = vital.mean + vital.per_year * years + vital.between * draws.normal(key, f"baseline {name}")
        for condition_name, condition in model.condition.items():
            column = column + condition.baseline.get(name, 0.0) * conditions[condition_name]
        baseline[:, BY_NAME[name].code] = np.clip(column, vital.low, vital.high)
    return Population(number, key, age, draws.uniform(key, "sex") < 0.5, conditions, baseline)


def vital_signs(
    people: Population,
    rows: NDArray[np.intp],
    at: NDArray[np.int64],
    departures: NDArray[np.float64] | None = None,
) -> NDArray[np.float64]:
    """Compute the true vital signs of N pairs of person and instant.

    Parameters
    ----------
    people : Population
    rows : intp array, shape (N,)
        Which person.
    at : int64 array, shape (N,)
        When [µs since 1970 UTC].
    departures : float array, shape (N, VITALS), optional
        What illness adds to each vital sign at that moment, before the vital signs draw each other along.

    Returns
    -------
    float array, shape (N, VITALS)
        In the catalogue's units; column 0 is not a vital sign and is NaN.

    Examples
    --------
    >>> import numpy as np
    >>> one = populate(7, [0], np.array([[70.0, 70.0]]), [frozenset()])
    >>> vital_signs(one, np.array([0]), np.array([0])).shape == (1, VITALS)
    True
    """
    model = load_model()
    change = np.zeros((len(rows), VITALS)) if departures is None else departures.copy()
    key = people.key[rows]
    daily = np.zeros_like(change)
    hour = (at % DAY_US) / HOUR_US
    for name, vital in model.vital.items():
        code = BY_NAME[name].code
        change[:, code] += vital.drift * draws.drift(key, f"drift {name}", at, int(vital.drift_hours * HOUR_US))
        # an early riser's curve lies before a late riser's
        lag = draws.normal(key, "rhythm")
        daily[:, code] = vital.daily * np.cos((hour - vital.peak_hour - lag) * (np.pi / 12))
    moved = change.copy()
    for coupling in model.coupling:
        cause = change[:, BY_NAME[coupling.cause].code]
        part = {"above": np.maximum(cause, 0.0), "below": np.minimum(cause, 0.0), "both": cause}[coupling.side]
        moved[:, BY_NAME[coupling.effect].code] += coupling.slope * part
    return _within_life(model, people.baseline[rows] + daily + moved)


def _within_life(model: Model, values: NDArray[np.float64]) -> NDArray[np.float64]:
    for name, vital in model.vital.items():
        code = BY_NAME[name].code
        values[:, code] = np.clip(values[:, code], vital.low, vital.high)
    for name, top in (("on_oxygen", 1.0), ("consciousness", len("ACVPU") - 1.0)):
        code = BY_NAME[name].code
        values[:, code] = np.clip(np.round(values[:, code]), 0.0, top)
    values[:, 0] = np.nan
    return values

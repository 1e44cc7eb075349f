"""Which stories can a simulated person live through, and what is the truth of each?

A scenario is a file of ``scenarios/``: who it happens to, how the vital signs depart from the person's baseline in the
hours after onset, when the crisis comes, and what goes wrong with the devices. A file with ``[weights]`` is a mixture.
"""

from __future__ import annotations

import tomllib
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from importlib import resources

import msgspec
import numpy as np
from numpy.typing import NDArray

from device_sim import draws
from device_sim.physiology import HOUR_US
from schemas.vital_signs import BY_NAME, VITALS


class ScenarioError(Exception):
    """A scenario cannot be used; the message says which file, why, and what to do."""


class Faults(msgspec.Struct, forbid_unknown_fields=True, frozen=True):
    """What goes wrong with devices and connection; the comments are in ``devices.toml``."""

    cold_finger: float
    movement: float
    cuff_misfit: float
    outage: float
    outage_hours: float
    clock_skew_s: float
    clock_unset: float
    probe_off: float
    glucose_checks: float


class Scenario(msgspec.Struct, forbid_unknown_fields=True, frozen=True):
    """One story; hours count from the onset, departures from the person's own baseline."""

    title: str
    description: str
    age: tuple[float, float]
    conditions: list[str] = []
    outcome: str = ""
    onset_hours: tuple[float, float] | None = None
    crisis_hours: float | None = None
    shared: bool = False
    course: dict[str, list[tuple[float, float]]] = {}
    faults: dict[str, float] = {}


def names() -> list[str]:
    """List the scenarios and mixtures that are shipped."""
    files = resources.files("device_sim").joinpath("scenarios").iterdir()
    return sorted(f.name.removesuffix(".toml") for f in files if f.name.endswith(".toml"))


def _read(name: str) -> dict[str, object]:
    file = resources.files("device_sim").joinpath("scenarios").joinpath(f"{name}.toml")
    if "/" in name or not file.is_file():
        raise ScenarioError(f"scenario {name!r} is not known; expected one of {', '.join(names())}")
    return tomllib.loads(file.read_text(encoding="utf-8"))


def _fault(name: str, sentence: str) -> ScenarioError:
    return ScenarioError(f"scenarios/{name}.toml: {sentence}")


@cache
def load(name: str) -> Scenario:
    """Read one scenario.

    Raises
    ------
    ScenarioError
        Where it is not known, or its file contradicts itself.
    """
    try:
        scenario = msgspec.convert(_read(name), Scenario)
    except msgspec.ValidationError as exc:
        raise _fault(name, f"{exc}; correct the file") from exc
    for vital, knots in scenario.course.items():
        if vital not in BY_NAME:
            raise _fault(name, f"[course] {vital} is not in the catalogue of vital signs; correct the name")
        hours = [hour for hour, _ in knots]
        if not knots or hours != sorted(hours):
            raise _fault(name, f"[course] {vital}: hours must rise from knot to knot; put them in order")
    if unknown := sorted(set(scenario.faults) - set(Faults.__struct_fields__)):
        raise _fault(name, f"[faults] {', '.join(unknown)}: expected {', '.join(Faults.__struct_fields__)}")
    if scenario.outcome and (scenario.onset_hours is None or scenario.crisis_hours is None):
        raise _fault(name, "an outcome needs onset_hours and crisis_hours; add them")
    return scenario


def load_weights(name: str) -> dict[str, float]:
    """Read a mixture; a plain scenario is the mixture of itself alone."""
    content = _read(name)
    if "weights" not in content:
        load(name)
        return {name: 1.0}
    weights = msgspec.convert(content["weights"], dict[str, float])
    for part, weight in weights.items():
        load(part)
        if weight < 0:
            raise _fault(name, f"weight of {part} is negative; expected 0 or more")
    if not sum(weights.values()) > 0:
        raise _fault(name, "the weights add up to 0; give at least one scenario a weight")
    return weights


def allot(mixture: str, seed: int, numbers: NDArray[np.int64]) -> list[str]:
    """Give each patient a scenario by its weight, whoever else takes part.

    Patients 2k and 2k+1 may be a couple: whether they share devices is drawn once for both.
    """
    weights = load_weights(mixture)
    alone = [n for n in weights if not load(n).shared]
    couples = [n for n in weights if load(n).shared]
    total = sum(weights.values())
    together = sum(weights[n] for n in couples) / total
    couple = draws.uniform(draws.patient_keys(seed, numbers // 2), "couple")
    single = draws.uniform(draws.patient_keys(seed, numbers), "scenario")
    allotted = []
    for u_couple, u_single in zip(couple, single, strict=True):
        if u_couple < together or not alone:
            choice, u = couples, u_couple / together
        else:
            choice, u = alone, float(u_single)
        bounds = np.cumsum([weights[n] for n in choice])
        allotted.append(choice[min(int(np.searchsorted(bounds, u * bounds[-1], side="right")), len(choice) - 1)])
    return allotted


@dataclass(frozen=True)
class Story:
    """The truth of P people: what happens to whom, and when.

    Parameters
    ----------
    scenario : list of str, length P
        Names of the scenarios.
    onset, crisis : int64 array, shape (P,)
        When it begins and when help is needed [µs since 1970 UTC]; `NEVER` where nothing happens.
    strength : float array, shape (P,)
        How strongly this person's vital signs depart, about 1.
    """

    scenario: list[str]
    onset: NDArray[np.int64]
    crisis: NDArray[np.int64]
    strength: NDArray[np.float64]

    @property
    def outcome(self) -> list[str]:
        """The words of the truth file; empty where nothing happens."""
        return [load(name).outcome for name in self.scenario]


NEVER = np.iinfo(np.int64).max


def tell(
    scenarios: Sequence[str],
    key: NDArray[np.uint64],
    start: int,
    under_way: tuple[float, float] | None = None,
) -> Story:
    """Fix onset and crisis of each person.

    Parameters
    ----------
    scenarios : sequence of str, length P
    key : uint64 array, shape (P,)
        The people's keys.
    start : int
        Beginning of the run [µs since 1970 UTC].
    under_way : (float, float), optional
        How much of the way from onset to crisis lies behind each person at `start`, drawn between these shares
        (negative: onset still to come). Without it onset follows the scenario's own hours after `start`.

    Returns
    -------
    Story
    """
    u = draws.uniform(key, "onset")
    onset = np.full(len(key), NEVER, np.int64)
    crisis = np.full(len(key), NEVER, np.int64)
    for i, scenario in enumerate(map(load, scenarios)):
        if scenario.onset_hours is None:
            continue
        low, high = scenario.onset_hours
        if under_way is not None:
            length = scenario.crisis_hours or high
            low, high = (-share * length for share in (under_way[1], under_way[0]))
        # whole seconds, so that the truth file says exactly what happened
        onset[i] = start + round((low + (high - low) * u[i]) * 3600) * 1_000_000
        if scenario.crisis_hours is not None:
            crisis[i] = onset[i] + round(scenario.crisis_hours * HOUR_US)
    strength = np.clip(1.0 + 0.15 * draws.normal(key, "strength"), 0.75, 1.35)
    return Story(list(scenarios), onset, crisis, strength)


def departures(story: Story, rows: NDArray[np.intp], at: NDArray[np.int64]) -> NDArray[np.float64]:
    """Compute what illness adds to each vital sign for N pairs of person and instant.

    Parameters
    ----------
    story : Story
    rows : intp array, shape (N,)
    at : int64 array, shape (N,)
        Instants [µs since 1970 UTC].

    Returns
    -------
    float array, shape (N, VITALS)
        Departures from the baseline, in the catalogue's units; 0 before onset, the last knot's after the last knot.
    """
    added = np.zeros((len(rows), VITALS))
    of_person = np.array(story.scenario)[rows]
    for name in set(of_person.tolist()):
        scenario = load(name)
        mine = np.flatnonzero(of_person == name)
        hours = (at[mine] - story.onset[rows[mine]]) / HOUR_US
        for vital, knots in scenario.course.items():
            code = BY_NAME[vital].code
            course = np.interp(hours, [k[0] for k in knots], [k[1] for k in knots])
            # consciousness is a level, not a quantity: it is not made stronger
            scale = 1.0 if vital in ("consciousness", "on_oxygen") else story.strength[rows[mine]]
            added[mine, code] = np.where(hours < 0, 0.0, course * scale)
    return added

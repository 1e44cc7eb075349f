"""How long does one step of the whole core take on a micro-batch, beside copying the arrays that go in and come out?

python -m benchmarks.evaluate [--patients N] [--json]

One instant with three vital signs for each patient, in order. The patients are spread over all shipped policies, so
that every family of rules takes part, and their states have thirty days behind them. Beside it: everybody on the
simplest policy, which pays for no family that it does not use.
"""

from __future__ import annotations

import argparse
import dataclasses
import json
from typing import Any

import numpy as np
from numpy.typing import NDArray

from alerts.bank import PolicyBank
from alerts.evaluate import Evaluation, evaluate
from alerts.policy import shipped, shipped_names
from alerts.state import MACHINE, PERSON, initial
from benchmarks.backtest import DAY, SETS_A_DAY, START, WARD
from benchmarks.news2 import fastest
from schemas.observation import ObservationBatch
from schemas.vital_signs import BY_NAME

DAYS = 30
MINUTE = 60_000_000
SIMPLEST = "pulse_oximetry_home"
STATES = 500_000
"""Patients whose states are to fit into a gigabyte."""
_EVERY = WARD | {"bp_diastolic": (78, 9), "weight": (78, 0.4), "glucose": (7, 1.5)}
_BATCH = ("spo2", "pulse", "bp_systolic")


def sets(
    patients: int, at: int, names: tuple[str, ...], rng: np.random.Generator
) -> tuple[NDArray[np.intp], ObservationBatch]:
    """Make one set of observations for each patient, at a minute of their own."""
    codes = np.array([BY_NAME[name].code for name in names])
    mean, deviation = (np.array(column) for column in zip(*(_EVERY[name] for name in names), strict=True))
    value = (mean + deviation * rng.normal(size=(patients, len(names)))).round(1)
    rows = np.repeat(np.arange(patients), len(names))
    instant = np.repeat(at + rng.integers(0, 30, patients) * MINUTE, len(names))
    zero = np.zeros(len(rows), np.int32)
    return rows, ObservationBatch.of(
        rows, zero, np.tile(codes, patients), instant, instant, np.minimum(value, 300).ravel(), zero
    )


def warmed(bank: PolicyBank, people: NDArray[np.void], seed: int = 1) -> NDArray[np.void]:
    """Take everybody through their first thirty days."""
    rng, machines = np.random.default_rng(seed), initial(len(people))
    for number in range(SETS_A_DAY * DAYS):
        at = START + number * DAY // SETS_A_DAY
        rows, batch = sets(len(people), at, tuple(_EVERY), rng)
        machines = evaluate(machines, rows, batch, bank, people, at + 31 * MINUTE).machines
    return machines


def step(patients: int, policies: list[str]) -> tuple[float, float]:
    """Give the seconds of a step and of copying what goes in and comes out, the best of several each."""
    bank, people = PolicyBank([shipped(name) for name in policies]), np.zeros(patients, PERSON)
    people["policy"] = np.arange(patients) % len(policies)
    people["spo2_scale"], people["enrolled_at"] = 1, START
    machines = warmed(bank, people)
    at = START + DAYS * DAY
    rows, batch = sets(patients, at, _BATCH, np.random.default_rng(2))
    found = evaluate(machines, rows, batch, bank, people, at + 31 * MINUTE)
    seconds = fastest(lambda: evaluate(machines, rows, batch, bank, people, at + 31 * MINUTE))
    return seconds, fastest(lambda: _copies(machines, rows, batch, people, found))


def _copies(
    machines: NDArray[np.void],
    rows: NDArray[np.intp],
    batch: ObservationBatch,
    people: NDArray[np.void],
    found: Evaluation,
) -> None:
    columns = [getattr(batch, field.name) for field in dataclasses.fields(batch)]
    for array in (machines, rows, people, *columns, found.machines, found.transitions, found.episodes, found.flags):
        array.copy()


def measure(patients: int) -> dict[str, Any]:
    """Time a step on all shipped policies at once, and on the simplest one."""
    found: dict[str, Any] = {"patients": patients}
    for name, policies in (("all_policies", shipped_names()), (SIMPLEST, [SIMPLEST])):
        seconds, copying = step(patients, policies)
        found[name] = {
            "step_ms": round(seconds * 1e3, 2),
            "copy_ms": round(copying * 1e3, 3),
            "times_copy": round(seconds / copying, 1),
        }
    return found | {"states_of_500000_gb": round(STATES * MACHINE.itemsize / 1e9, 2)}


def main() -> None:
    """Print the figures, one a line or as one JSON object."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--patients", type=int, default=1_000)
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    figures = measure(options.patients)
    if options.json:
        print(json.dumps(figures))
        return
    for name, figure in figures.items():
        parts = figure.items() if isinstance(figure, dict) else [("", figure)]
        for part, value in parts:
            print(f"{name + ' ' + part:40} {value:>12,}")


if __name__ == "__main__":
    main()

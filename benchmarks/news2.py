"""How long does scoring 500,000 patients take, beside copying the same arrays and beside a plain Python function?

python -m benchmarks.news2 [--patients N] [--json]
"""

from __future__ import annotations

import argparse
import dataclasses
import json
import time
from collections.abc import Callable
from typing import Any

import numpy as np

from alerts.news2 import News2, missing_that_matter, news2
from alerts.news2_chart import PARAMETERS
from benchmarks.plain_news2 import plain_news2

_REPEATS = 15
_IN_TURN = 60
_PLAIN = 2_000
"""Patients of the plain function: it then takes about as long as the ward at once, and is disturbed as often."""


def ward(patients: int, missing: float = 0.2, seed: int = 1) -> dict[str, Any]:
    """Make observation sets of a mixed ward, a share of each parameter not observed."""
    rng = np.random.default_rng(seed)
    arrays: dict[str, Any] = {
        "respiration_rate": rng.normal(18, 4, patients).round(),
        "spo2": np.minimum(rng.normal(95, 3, patients).round(), 100),
        "on_oxygen": (rng.random(patients) < 0.2).astype(np.float64),
        "bp_systolic": rng.normal(130, 25, patients).round().clip(40),
        "pulse": rng.normal(82, 18, patients).round().clip(20),
        "consciousness": rng.choice(list("AAAAAAACVPU"), patients),
        "temperature": rng.normal(37, 0.8, patients).round(1),
    }
    for name, values in arrays.items():
        values[rng.random(patients) < missing] = "" if name == "consciousness" else np.nan
    arrays["spo2_scale"] = np.where(rng.random(patients) < 0.1, 2, 1)
    return arrays


def fastest(work: Callable[[], object]) -> float:
    """Return the least wall time of several runs, in seconds."""
    times = []
    for _ in range(_REPEATS):
        start = time.perf_counter()
        work()
        times.append(time.perf_counter() - start)
    return min(times)


def fastest_in_turn(*works: Callable[[], object]) -> list[float]:
    """Return the least wall time of each, in seconds, run in turn: what else the machine does disturbs all alike."""
    times: list[list[float]] = [[] for _ in works]
    for _ in range(_IN_TURN):
        for work, found in zip(works, times, strict=True):
            start = time.perf_counter()
            work()
            found.append(time.perf_counter() - start)
    return [min(found) for found in times]


def copies(arrays: dict[str, Any], scores: News2) -> None:
    """Copy every input and every output array once."""
    for values in arrays.values():
        values.copy()
    for field in dataclasses.fields(scores):
        getattr(scores, field.name).copy(order="K")


def plain(arrays: dict[str, Any]) -> Callable[[], object]:
    """Prepare the plain Python chart, patient by patient: the same answers, bounds and response levels too."""
    rows = min(_PLAIN, len(arrays["spo2"]))
    lists = [arrays[name][:rows].tolist() for name in PARAMETERS]
    sets = [
        {n: None if value in ("",) or value != value else value for n, value in zip(PARAMETERS, row, strict=True)}
        for row in zip(*lists, strict=True)
    ]
    scales = arrays["spo2_scale"][:rows].tolist()

    def one_by_one() -> None:
        for observed, scale in zip(sets, scales, strict=True):
            plain_news2(observed, scale)

    return one_by_one


def measure(patients: int) -> dict[str, float]:
    """Time everything on the same arrays in the same process."""
    arrays = ward(patients)
    scores = news2(**arrays)
    whole, copy, one_by_one = fastest_in_turn(lambda: news2(**arrays), lambda: copies(arrays, scores), plain(arrays))
    by_hand = one_by_one / min(_PLAIN, patients)
    return {
        "patients": patients,
        "news2_ms": round(whole * 1e3, 2),
        "copy_ms": round(copy * 1e3, 2),
        "times_copy": round(whole / copy, 2),
        "missing_that_matter_ms": round(fastest(lambda: missing_that_matter(scores)) * 1e3, 2),
        "one_patient_us": round(fastest(lambda: news2(**{k: v[:1] for k, v in arrays.items()})) * 1e6, 1),
        "plain_python_us_a_patient": round(by_hand * 1e6, 2),
        "times_faster_than_plain": round(by_hand * patients / whole, 0),
    }


def main() -> None:
    """Print the figures, one a line or as one JSON object."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--patients", type=int, default=500_000)
    parser.add_argument("--json", action="store_true")
    arguments = parser.parse_args()
    figures = measure(arguments.patients)
    if arguments.json:
        print(json.dumps(figures))
    else:
        for name, figure in figures.items():
            print(f"{name:28} {figure:>12,}")


if __name__ == "__main__":
    main()

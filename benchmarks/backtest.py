"""How many observations a second does the backtest core take on one core, and how much memory, whatever the history?

python -m benchmarks.backtest [--patients N] [--days N] [--policy NAME] [--json]

Patients have a set of five vital signs every six hours, at an odd minute of their own. The history is made and scored
slice by slice, as the command reads it from the database; making it is not counted.
"""

from __future__ import annotations

import argparse
import json
import resource
import time
from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from alerts.backtest import Trial
from alerts.bank import PolicyBank
from alerts.policy import shipped
from alerts.state import PERSON
from schemas.observation import ObservationBatch
from schemas.vital_signs import BY_NAME

START = 1_760_000_000_000_000
DAY = 86_400_000_000
SETS_A_DAY = 4
SLICE_DAYS = 5
# mean and standard deviation of a mixed ward's vital signs, for work of a realistic mix
WARD = {
    "respiration_rate": (17, 2.5),
    "spo2": (96, 1.5),
    "bp_systolic": (130, 15),
    "pulse": (80, 11),
    "temperature": (36.8, 0.4),
}


def slices(patients: int, days: int, seed: int = 1) -> Iterator[tuple[int, NDArray[np.intp], ObservationBatch]]:
    """Make the history, a few days at a time, each ordered by patient and time as the database gives it."""
    rng = np.random.default_rng(seed)
    codes = np.array([BY_NAME[name].code for name in WARD])
    mean, deviation = (np.array(column) for column in zip(*WARD.values(), strict=True))
    for begin in range(0, days, SLICE_DAYS):
        instants = SETS_A_DAY * min(SLICE_DAYS, days - begin)
        minutes = rng.integers(0, DAY // SETS_A_DAY // 60_000_000, (patients, instants)) * 60_000_000
        at = (START + begin * DAY + np.arange(instants) * (DAY // SETS_A_DAY) + minutes).ravel()
        value = np.minimum((mean + deviation * rng.normal(size=(len(at), len(codes)))).round(1), 300)
        value[:, 1] = np.minimum(value[:, 1], 100)
        row, at = np.repeat(np.arange(patients), instants * len(codes)), np.repeat(at, len(codes))
        zero = np.zeros(len(row), np.int32)
        vital = np.tile(codes, patients * instants)
        batch = ObservationBatch.of(row, zero, vital, at, at, value.ravel(), zero)
        yield START + min(begin + SLICE_DAYS, days) * DAY - 1, row, batch


def measure(patients: int, days: int, policy: str) -> dict[str, Any]:
    """Take one policy through the history and time the core alone."""
    people = np.zeros(patients, PERSON)
    people["spo2_scale"], people["enrolled_at"] = 1, START
    trial = Trial(PolicyBank([shipped(policy)]), people)
    seconds, observations, intervals = 0.0, 0, 0
    for until, rows, batch in slices(patients, days):
        began = time.process_time()
        intervals += len(trial.feed(rows, batch, until))
        seconds += time.process_time() - began
        observations += len(rows)
    intervals += len(trial.finish())
    return {
        "policy": policy,
        "patients": patients,
        "days": days,
        "observations": observations,
        "core_s": round(seconds, 2),
        "observations_a_second": round(observations / seconds),
        "intervals": intervals,
        "peak_memory_mb": round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024),
    }


def main() -> None:
    """Print the figures, one a line or as one JSON object a policy."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--patients", type=int, default=10_000)
    parser.add_argument("--days", type=int, default=30)
    parser.add_argument("--policy", action="append", help="a shipped policy; may be given again")
    parser.add_argument("--json", action="store_true")
    arguments = parser.parse_args()
    for policy in arguments.policy or ["care_home_news2", "pulse_oximetry_home", "deterioration"]:
        figures = measure(arguments.patients, arguments.days, policy)
        if arguments.json:
            print(json.dumps(figures))
        else:
            for name, figure in figures.items():
                print(f"{name:24} {figure:>14,}" if not isinstance(figure, str) else f"{name:24} {figure:>14}")


if __name__ == "__main__":
    main()

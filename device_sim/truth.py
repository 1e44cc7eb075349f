"""What really happened to the simulated people, for whoever evaluates the alerts?

A CSV in the form of the recordings' outcomes: ``patient,from,to,outcome,onset,crisis``; empty where nothing happened.
"""

from __future__ import annotations

import csv
from datetime import timedelta
from pathlib import Path

from device_sim.cohort import EPOCH, Cohort
from device_sim.scenario import NEVER

COLUMNS = ("patient", "from", "to", "outcome", "onset", "crisis")


def timestamp(at: int) -> str:
    """Write µs since 1970 UTC as a time with zone, to the second."""
    return (EPOCH + timedelta(microseconds=at)).strftime("%Y-%m-%dT%H:%M:%SZ")


def write_truth(path: Path, cohort: Cohort, end: int | None) -> None:
    """Write the truth of a run; ``to`` is empty where the run has no end of its own."""
    story = cohort.story
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(COLUMNS)
        for i, code in enumerate(cohort.codes):
            happens = story.outcome[i] != ""
            writer.writerow(
                [
                    code,
                    timestamp(cohort.start),
                    "" if end is None else timestamp(end),
                    story.outcome[i],
                    timestamp(int(story.onset[i])) if happens else "",
                    timestamp(int(story.crisis[i])) if happens and story.crisis[i] != NEVER else "",
                ]
            )

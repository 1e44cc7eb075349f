"""How fast is Homeward on this machine? Runs every benchmark, one after the other, and prints their figures.

python -m benchmarks [--seconds N] [--patients N] [--json]

Each figure stands beside what it is compared with, measured in the same run: only the ratios can be compared between
machines.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing as mp
import sys
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from typing import Any

from benchmarks import (
    backtest,
    backtest_database,
    connections,
    country,
    evaluate,
    flood,
    formats,
    ingest,
    messages,
    news2,
    triage,
)

SCORED = 500_000
MICRO_BATCH = 1_000
"""Patients in one step of the core."""
HISTORY = 10_000, 30
"""Patients and days of the backtest's history."""
POLICIES = "care_home_news2", "pulse_oximetry_home", "deterioration"


def main() -> None:
    """Measure everything, and print one line a figure or one JSON object."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=ingest.SECONDS, help="length of each window of ingest")
    parser.add_argument("--patients", type=int, default=ingest.PATIENTS, help="patients whose devices send")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    _tell(f"scoring {SCORED:,} patients")
    figures: dict[str, Any] = {"news2": _alone(news2.measure, SCORED)}
    _tell(f"one step of {MICRO_BATCH:,} patients under every family of rules")
    figures["evaluate"] = _alone(evaluate.measure, MICRO_BATCH)
    figures["backtest"] = {}
    for policy in POLICIES:
        _tell(f"a history of {HISTORY[0]:,} patients and {HISTORY[1]} days under {policy}")
        figures["backtest"][policy] = _alone(backtest.measure, *HISTORY, policy)
    _tell("the same history from a database")
    figures["backtest_database"] = backtest_database.measure(*HISTORY)
    figures["ingest"] = ingest.run(options.seconds, options.patients, ingest.WORKERS, _tell)
    figures["country"] = country.run(country.SECONDS, country.PATIENTS, _tell)
    figures["flood"] = flood.run(flood.MESSAGES, flood.WITHOUT_LIMIT, _tell)
    _tell("reading each format")
    figures["formats"] = formats.measure()
    _tell("from an episode's commit to its message at the mail server")
    figures["messages"] = messages.measure(messages.RATE, messages.SECONDS)
    figures["connections"] = connections.run(connections.CONNECTIONS, _tell)
    figures["triage"] = triage.measure(triage.PATIENTS, triage.BROWSERS, _tell)
    if options.json:
        print(json.dumps(figures))
        return
    lines = list(_lines(figures, ""))
    width = max(len(name) for name, _ in lines)
    for name, value in lines:
        print(f"{name:{width}}  {value if isinstance(value, str) else format(value, ','):>12}")


def _alone(measure: Callable[..., dict[str, Any]], *arguments: Any) -> dict[str, Any]:
    """Measure in a process of its own: what was measured before leaves no memory and no warm cache behind."""
    with ProcessPoolExecutor(1, mp.get_context("spawn")) as process:
        return process.submit(measure, *arguments).result()


def _tell(what: str) -> None:
    print(f"{what} …", file=sys.stderr, flush=True)


def _lines(figures: dict[str, Any], before: str) -> Iterator[tuple[str, Any]]:
    """Give each figure under its whole name, such as ``ingest.messages_per_s.homeward``."""
    for name, value in figures.items():
        if isinstance(value, dict):
            yield from _lines(value, f"{before}{name}.")
        else:
            yield f"{before}{name}", value


if __name__ == "__main__":
    main()

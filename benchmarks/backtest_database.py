"""How long does a backtest take from the database, a draft beside the policy in force, and what of it is reading?

python -m benchmarks.backtest_database [--patients N] [--days N] [--json]

A private TimescaleDB is filled with a set of five vital signs every six hours for each patient of a care home. Then
`homeward backtest` runs as the command runs it, three times; and the same rows are read alone.
"""

from __future__ import annotations

import argparse
import json
import os
import tempfile
import time
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import numpy as np
import psycopg

from alerts.policy import shipped
from benchmarks.backtest import DAY, SETS_A_DAY, START, WARD
from homeward import backtest_command
from homeward.backtest_patients import enrolled_patients
from homeward.local.postgres import SUPERUSER, PrivatePostgres
from homeward.local.programs import ensure_programs
from homeward.local.watchdog import Watchdog
from schemas.database import migrate, open_pool
from schemas.vital_signs import BY_NAME
from tests.ingest.ward import make_ward

RUNS = 3
POLICY = "care_home_news2"
ROLE, ADMIN = "homeward_ingest", "homeward_admin"


def measure(patients: int, days: int) -> dict[str, Any]:
    """Fill a database, and take its history through the command."""
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="homeward-bench-")))
        folder.chmod(0o755)
        postgres, watchdog = PrivatePostgres(folder / "postgres", ensure_programs()), Watchdog()
        stack.callback(watchdog.end_all)
        postgres.start(watchdog)
        stack.callback(postgres.stop)
        url = postgres.url_for(SUPERUSER)
        migrate(url)
        postgres.enable_logins([ROLE, ADMIN])
        organisation = _fill(url, patients, days)
        with open_pool(postgres.url_for(ADMIN), ADMIN, max_size=1) as pool, pool.connection() as connection:
            enrolled = enrolled_patients(connection, organisation)
        since, until = START, START + days * DAY
        runs, reads, none = [], [], np.zeros((0, 2), np.int64)
        with open_pool(postgres.url_for(ROLE), ROLE, max_size=1) as pool, pool.connection() as reader:
            for _ in range(RUNS):
                began, own = time.perf_counter(), time.process_time()
                report = backtest_command.backtest(reader, shipped(POLICY), enrolled, since, until, none)
                runs.append((time.perf_counter() - began, time.process_time() - own))
                began = time.perf_counter()
                slices = backtest_command.history(reader, enrolled.ids, since, until)
                rows = sum(len(batch) for _, _, batch in slices)
                reads.append(time.perf_counter() - began)
    return {
        "patients": patients,
        "days": days,
        "observations": rows,
        "alerts": report["draft"]["alerts"],
        "backtest_s": round(min(run[0] for run in runs), 2),
        "own_processor_s": round(min(run[1] for run in runs), 2),
        "reading_alone_s": round(min(reads), 2),
        "load_of_the_machine": round(os.getloadavg()[0], 1),
    }


def _fill(url: str, patients: int, days: int) -> int:
    """Enter the patients and their history, a day at a time as it would have come."""
    made = make_ward(url, patients, POLICY)
    names = list(WARD)
    with psycopg.connect(url, options="-c search_path=homeward,public", autocommit=True) as connection:
        connection.execute("update enrolment set started_at = to_timestamp(%s)", [START / 1e6])
        for part in range(SETS_A_DAY * days):
            connection.execute(
                "insert into observation (observed_at, received_at, value, patient_id, device_id, vital) "
                "select t, t, round((v.mean + v.deviation * "
                "sqrt(-2 * ln(1 - random())) * cos(2 * pi() * random()))::numeric, 1), p.id, 1, v.code "
                "from (select id, to_timestamp(%s) + floor(random() * 360) * interval '1 minute' as t "
                "from unnest(%s::int[]) id) p, "
                "unnest(%s::smallint[], %s::float8[], %s::float8[]) as v (code, mean, deviation)",
                [
                    START / 1e6 + part * DAY / SETS_A_DAY / 1e6,
                    made.patients,
                    [BY_NAME[n].code for n in names],
                    [float(WARD[n][0]) for n in names],
                    [float(WARD[n][1]) for n in names],
                ],
            )
        connection.execute("vacuum analyze")
        connection.execute("checkpoint")
    return made.organisation


def main() -> None:
    """Print the figures, one a line or as one JSON object."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--patients", type=int, default=10_000)
    parser.add_argument("--days", type=int, default=30)
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    figures = measure(options.patients, options.days)
    if options.json:
        print(json.dumps(figures))
    else:
        for name, figure in figures.items():
            print(f"{name:24} {figure:>14,}")


if __name__ == "__main__":
    main()

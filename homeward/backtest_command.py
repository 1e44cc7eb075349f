"""What would a draft policy have done to our own patients? Their history is read from the database, slice by slice."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import psycopg
from numpy.typing import NDArray
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

from alerts.backtest import Trial, reach
from alerts.cohort import NO_ONSET, read_outcomes
from alerts.comparison import Panel, Tally, compare
from alerts.documents import Policy, rule_key
from alerts.instants import Instants
from alerts.notation import PolicyError
from dashboard.wording import microseconds
from homeward.backtest_patients import QUERIES, Enrolled, enrolled_patients, pathway_of
from homeward.backtest_report import show
from homeward.evaluate_command import load_policy, read_file
from homeward.instants import read_instant
from homeward.reporting import addresses, administrator
from schemas.database import open_pool
from schemas.observation import ObservationBatch

ROLE = "homeward_ingest"
PATIENTS_AT_ONCE = 20_000
OBSERVATIONS_AT_ONCE = 1_500_000
"""About how many observations a slice of time should hold; its length follows from how many the last one held."""
_FIRST_SLICE = 6 * 3_600_000_000
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
# PostgreSQL counts microseconds from here in its binary format.
_POSTGRES_EPOCH = 946_684_800_000_000


def run(
    policy: str,
    since: str,
    until: str | None,
    *,
    site: str | None = None,
    pathway: str | None = None,
    all_pathways: bool = False,
    events: Path | None = None,
    organisation: str | None = None,
    as_json: bool = False,
) -> None:
    """Compare a draft with the policies in force over the history of the chosen patients, and print the report.

    Without ``pathway`` they are those of the draft's own, where anybody is on it.
    """
    draft = load_policy(policy)
    begin, end = _instant(since, "--since"), _instant(until, "--until") if until else _now()
    if end <= begin:
        raise PolicyError(f"--until: {until or 'now'} is not after --since {since}; exchange them")
    if begin < _now():
        # what has not happened yet would be overdue for everybody, and its days nobody's
        end = min(end, _now())
    with administrator(organisation) as (connection, number):
        if pathway is None and not all_pathways:
            pathway = pathway_of(connection, number, draft.document.name)
        enrolled = enrolled_patients(connection, number, site=site, pathway=pathway)
    labelled = np.zeros((0, 2), np.int64) if events is None else _events(events, enrolled.ids)
    url = addresses().database_url(ROLE)
    with open_pool(url, ROLE, min_size=1, max_size=1) as pool, pool.connection() as reader, _bar(as_json) as bar:
        found = {"pathway": pathway} | backtest(reader, draft, enrolled, begin, end, labelled, bar)
    if as_json:
        print(json.dumps(found))
    else:
        show(found)


def backtest(
    reader: psycopg.Connection[Any],
    draft: Policy,
    enrolled: Enrolled,
    since: int,
    until: int,
    events: NDArray[np.int64],
    progress: Progress | None = None,
) -> dict[str, Any]:
    """Run draft and policies in force over the stored history; the memory used does not depend on its length.

    Parameters
    ----------
    reader : connection as homeward_ingest
    since, until : int
        Alerts in between count [µs since 1970 UTC]. Reading begins earlier, by as much as the rules look back.
    events : int64 array, shape (E, 2)
        Rows of ``enrolled`` and instants of labelled events.
    """
    within = np.clip(until - np.maximum(enrolled.people["enrolled_at"], since), 0, None)
    names = enrolled.ids.tolist()
    panel = Panel(names, enrolled.site, enrolled.sites, enrolled.zones, since, until, within, events)
    policies = [draft, *enrolled.policies]
    tallies = [Tally(panel, _rules([draft])), Tally(panel, _rules(enrolled.policies))]
    draft_bank, draft_people, not_applied = enrolled.under(draft)
    sides = [(draft_bank, draft_people), (enrolled.bank, enrolled.people)]
    begin = since - max(reach(p) for p in policies)
    task = progress.add_task("Scoring", total=len(names) * (until - begin) / 1e6) if progress else None
    for first in range(0, len(names), PATIENTS_AT_ONCE):
        rows = np.arange(first, min(first + PATIENTS_AT_ONCE, len(names)))
        acts = enrolled.acts.of_rows(rows, len(names))
        trials = [Trial(bank, people[rows], acts=acts) for bank, people in sides]
        for stop, place, batch in history(reader, enrolled.ids[rows], begin, until):
            instants = Instants.of(place, batch, len(rows))
            for trial, tally in zip(trials, tallies, strict=True):
                tally.add(trial.feed(place, batch, stop - 1, instants), rows)
            if progress and task is not None:
                done = first * (until - begin) + len(rows) * (stop - begin)
                progress.update(task, completed=done / 1e6)
        for trial, tally in zip(trials, tallies, strict=True):
            tally.add(trial.finish(), rows)
    report = {"policy": draft.document.name} | compare(panel, tallies[0], tallies[1])
    return report | {"time_zones": sorted(set(enrolled.zones)), "overrides_not_applied": not_applied}


def _rules(policies: Sequence[Policy]) -> dict[int, str]:
    return {rule_key(rule.name): rule.name for policy in policies for rule in policy.rules}


def history(
    reader: psycopg.Connection[Any], ids: NDArray[np.int32], begin: int, until: int
) -> Iterator[tuple[int, NDArray[np.intp], ObservationBatch]]:
    """Read slices of time of some patients (ids ascending), each of about as many observations as memory allows.

    The next slice is read while the caller scores the one before it.
    """
    length = _FIRST_SLICE
    with ThreadPoolExecutor(max_workers=1) as reading:
        coming = reading.submit(_read, reader, ids, begin, min(begin + length, until))
        while begin < until:
            stop = min(begin + length, until)
            patient, vital, at, value, flags = coming.result()
            count = len(value)
            length = int(length * min(max(OBSERVATIONS_AT_ONCE / max(count, 1), 0.25), 4.0))
            if stop < until:
                coming = reading.submit(_read, reader, ids, stop, min(stop + length, until))
            zero = np.zeros(count, np.int16)
            batch = ObservationBatch(patient, zero.astype(np.int32), vital, at, at, value, flags)
            yield stop, np.searchsorted(ids, patient), batch
            begin = stop


def _read(
    reader: psycopg.Connection[Any], ids: NDArray[np.int32], begin: int, stop: int
) -> tuple[NDArray[np.int32], NDArray[np.int16], NDArray[np.int64], NDArray[np.float64], NDArray[np.int16]]:
    """Read one slice as arrays; they come as PostgreSQL's binary arrays, whose elements lie at equal distances."""
    parameters = {"since": _datetime(begin), "until": _datetime(stop), "patients": ids.tolist()}
    with reader.transaction(), reader.cursor(binary=True) as cursor:
        cursor.execute(QUERIES["observations"], parameters)
        result = cursor.pgresult
        assert result is not None
        small, at, value = (
            np.concatenate([_elements(result.get_value(row, column) or b"", kind) for row in range(result.ntuples)])
            if result.ntuples
            else np.zeros(0, kind)
            for column, kind in enumerate((">i8", ">i8", ">f8"))
        )
    whole = small.astype(np.int64)
    patient, vital, flags = (whole >> 32).astype(np.int32), (whole >> 16).astype(np.int16), whole.astype(np.int16)
    return patient, vital, at.astype(np.int64) + _POSTGRES_EPOCH, value.astype(np.float64), flags


def _elements(array: bytes, kind: str) -> NDArray[Any]:
    """Take the elements out of a binary array of one dimension without NULLs: a header, then length and value each."""
    return np.frombuffer(array, [("length", ">i4"), ("value", kind)], offset=20)["value"]


def _events(path: Path, ids: NDArray[np.int32]) -> NDArray[np.int64]:
    """Read labelled events from a CSV of outcomes whose patients are patient numbers; others' are left out."""
    outcomes = read_file(read_outcomes, path)
    place = {str(number): row for row, number in enumerate(ids.tolist())}
    pairs = zip(outcomes.patients, outcomes.onset.tolist(), strict=True)
    found = [(place[name], at) for name, at in pairs if at != NO_ONSET and name in place]
    if not found:
        raise PolicyError(f"{path.name}: no event of a patient who is looked at; expected their numbers in 'patient'")
    return np.array(found, np.int64)


def _instant(text: str, option: str) -> int:
    instant = microseconds(read_instant(text, option))
    if instant < 0:
        raise PolicyError(f"{option}: {text!r} is before 1970, and nothing is stored of that; write a later time")
    return instant


def _now() -> int:
    return microseconds(datetime.now(UTC))


def _datetime(at: int) -> datetime:
    return _EPOCH + timedelta(microseconds=at)


def _bar(as_json: bool) -> Progress:
    """Show how far it is, on a terminal and nowhere else."""
    console = Console(stderr=True)
    return Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        TimeRemainingColumn(),
        console=console,
        disable=as_json or not console.is_terminal,
    )

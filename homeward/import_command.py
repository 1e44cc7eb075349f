"""How is a file of history brought in by command: whose it is, what is shown meanwhile, and what is reported?"""

from __future__ import annotations

import csv
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

from homeward import provisioning
from homeward.logs import log_to_file
from homeward.provisioning import ProvisioningError
from homeward.reporting import addresses, administrator, report
from homeward.settings import load_settings
from ingest.history_file import HistoryError, RefusedRow, Table, open_table
from ingest.history_import import Import, Imported, Whose
from ingest.registry import RegistryKeeper
from ingest.service import ROLE
from schemas.database import acting_for, open_pool

SOME_REFUSED = 3
"""The exit code where some of the file was not taken."""


def run(
    path: Path,
    *,
    named: Sequence[str],
    units: Sequence[str],
    zone: str | None,
    patient: int | None,
    device: str | None,
    dry_run: bool,
    refused: Path | None,
    organisation: str | None,
    as_json: bool,
) -> int:
    """Import a file; give the exit code."""
    log_to_file(load_settings().home / "logs" / "homeward.log")
    if zone is not None:
        _check_zone(zone)
    place = refused or path.with_name(f"{path.name}.refused.csv")
    with administrator(organisation) as (admin, number), open_pool(addresses().ingest_database_url, ROLE) as pool:
        registry = RegistryKeeper(pool).read_again()
        whose = _whose(admin, number, registry.device_of, patient, device)
        with _report_of(place) as refuse, open_table(path) as file, _bars(str(path)) as show:
            table = Table(file, str(path), pairs(named, "--map"), pairs(units, "--unit"), zone)
            one = Import(registry, whose, refuse)
            try:
                one.read(table, lambda rows: show("Reading", rows, None))
                if dry_run:
                    one.check()
                else:
                    one.write(pool, lambda done: show("Storing", done, one.count))
            finally:
                one.close()
        if not dry_run:
            _audit(admin, number, one.result)
    _say(one.result, table.layout.ignored, place, dry_run=dry_run, as_json=as_json)
    return SOME_REFUSED if one.result.refused else 0


def pairs(given: Sequence[str], option: str) -> dict[str, str]:
    """Read options such as ``--map COLUMN=NAME``."""
    found = {}
    for pair in given:
        name, equals, value = pair.partition("=")
        if not equals or not name.strip() or not value.strip():
            raise HistoryError(f"{option} {pair}: expected two words with = between them.")
        found[name.strip()] = value.strip()
    return found


def _check_zone(zone: str) -> None:
    try:
        ZoneInfo(zone)
    except (ZoneInfoNotFoundError, ValueError) as unknown:
        raise HistoryError(f"--tz {zone}: no such time zone; expected a name such as Europe/London.") from unknown


def _whose(
    admin: provisioning.Connection,
    organisation: int,
    device_of: dict[str, int],
    patient: int | None,
    device: str | None,
) -> Whose:
    """Find whom the file means: patients by number and by NHS number; the device for what names none."""
    with acting_for(admin, organisation):
        rows = admin.execute("select patient_id, nhs_number from patient").fetchall()
        own = admin.execute(
            "select code, kind from device where retired_at is null and (code = %s or kind = 'manual') "
            "order by device_id",
            [device],
        ).fetchall()
    numbers = {str(number): int(number) for number, _ in rows}
    patients = numbers | {str(nhs): int(number) for number, nhs in rows if nhs}
    if patient is not None and str(patient) not in numbers:
        raise ProvisioningError(f"There is no patient {patient} in this organisation.")
    codes = [code for code, kind in own if (code == device if device is not None else kind == "manual")]
    if not codes:
        what = (
            f"device {device!r} in use"
            if device is not None
            else "device of kind 'manual'; register one, or say --device"
        )
        raise ProvisioningError(f"There is no {what} in this organisation.")
    return Whose(organisation, patients, patient or 0, device_of[codes[0]])


@contextmanager
def _report_of(place: Path) -> Iterator[Any]:
    """Tell refused rows in a file, which is there only where there are some; that it can be written is tried first."""
    told = 0
    with _written(place), place.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["line", "reason", "detail"])

        def refuse(row: RefusedRow) -> None:
            nonlocal told
            told += 1
            writer.writerow([row.line, row.reason.value, row.detail])

        try:
            yield refuse
        finally:
            if not told:
                place.unlink(missing_ok=True)


@contextmanager
def _written(place: Path) -> Iterator[None]:
    try:
        yield
    except OSError as failed:
        if failed.filename not in (None, str(place)):
            raise
        raise HistoryError(
            f"{place}: cannot be written ({failed.strerror or failed}); say with --refused where else."
        ) from failed


@contextmanager
def _bars(title: str) -> Iterator[Any]:
    """Show how far it has come, where somebody watches."""
    console = Console(stderr=True)
    if not console.is_terminal:
        yield lambda *_: None
        return
    columns = (TextColumn("{task.description}"), BarColumn(), TextColumn("{task.completed:,}"), TimeElapsedColumn())
    with Progress(*columns, console=console) as bars:
        tasks: dict[str, Any] = {}

        def show(step: str, done: int, total: int | None) -> None:
            if step not in tasks:
                tasks[step] = bars.add_task(f"{step} {title}", total=total)
            bars.update(tasks[step], completed=done, total=total)

        yield show


def _audit(admin: provisioning.Connection, organisation: int, found: Imported) -> None:
    with acting_for(admin, organisation):
        counts = {name: getattr(found, name) for name in ("rows", "values", "stored", "duplicate", "refused")}
        provisioning.audit(admin, organisation, "history_imported", "observations", **counts)


def _say(found: Imported, ignored: Sequence[str], place: Path, *, dry_run: bool, as_json: bool) -> None:
    result = asdict(found) | {"reasons": dict(found.reasons), "dry_run": dry_run, "columns_not_taken": list(ignored)}
    result["report"] = str(place) if found.refused else None
    done = (
        f"{found.stored} observations would be stored or are there already"
        if dry_run
        else f"{found.stored} observations stored, {found.duplicate} were there already"
    )
    words = f"{found.rows} rows read: {done}, {found.refused} refused."
    if ignored:
        words += f" Columns not taken: {', '.join(ignored)}."
    report(result, as_json, f"{words} See {place}." if found.refused else words)

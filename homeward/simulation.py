"""How is a recording, or a simulated cohort, played against an installation that runs?

Its people and devices are registered first; a hub of the simulator's own speaks for the devices.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Any

import typer
from rich.console import Console
from rich.progress import BarColumn, TextColumn, TimeElapsedColumn
from rich.progress import Progress as Bars

from alerts.policy import shipped, shipped_names
from device_sim import recording
from device_sim.cohort import make_cohort
from device_sim.device import kit_for
from device_sim.people import Person
from device_sim.provisioning import DeviceEntry, Registry, provision
from device_sim.publisher import Tally
from device_sim.run import Broker, Progress, Standing, play, simulate, speed_of, start_for, warnings_for
from homeward import provisioning
from homeward.installation import Login
from homeward.reporting import addresses, administrator, report
from homeward.signals import StopSignal

SITE = "Simulated homes"


def run_recording(
    file: Path, *, speed: str, now: bool, enrol: str | None, organisation: str | None, as_json: bool
) -> None:
    """Play a recording as the devices in it."""
    factor, contents = speed_of(speed), recording.survey(file)
    console = Console(stderr=True, highlight=False, soft_wrap=True)
    for sentence in warnings_for(contents, _now_us(), redated=now):
        console.print(sentence, markup=False)
    found, broker = _register(contents.persons(), contents.entries(), enrol, organisation)
    stop = _stop()
    with _bar(console, str(file)) as on_progress:
        tally = play(
            contents,
            broker,
            speed=factor,
            now=_now_us() if now else None,
            stop=stop.event,
            on_progress=on_progress,
        )
    _report(tally, found, as_json)


def run_cohort(
    patients: int,
    scenario: str,
    *,
    speed: str,
    seed: int,
    hours: float | None,
    truth: Path | None,
    enrol: str | None,
    organisation: str | None,
    as_json: bool,
) -> None:
    """Play people who live through a scenario, or through a mixture of scenarios."""
    factor = speed_of(speed)
    start = start_for(factor, hours, _now_us())
    cohort = make_cohort(patients, scenario, seed, start, kit=kit_for(enrol))
    console = Console(stderr=True, highlight=False, soft_wrap=True)
    found, broker = _register(cohort.persons(), cohort.devices(), enrol, organisation)
    stop = _stop()
    with _bar(console, f"{patients} people, {scenario}") as on_progress:
        tally = simulate(
            cohort, broker, speed=factor, hours=hours, truth=truth, stop=stop.event, on_progress=on_progress
        )
    _report(tally, found, as_json)


def _register(
    people: list[Person], devices: list[DeviceEntry], enrol: str | None, organisation: str | None
) -> tuple[Registry, Broker]:
    where = addresses(broker=True)
    with where.accounts() as accounts, administrator(organisation) as (connection, number):
        pathway = None if enrol is None else _pathway(connection, number, enrol)
        site = provisioning.ensure_site(connection, number, SITE, "home")
        # somebody else's broker knows us by one login only
        own = where.own_login if accounts is None else Login("", "")
        login = own if own.user else Login(f"simulator-{number}", where.password(f"simulator-{number}"))
        found = provision(connection, number, site, people, devices, pathway, hub=login.user)
        if accounts is not None:
            accounts.add_hub(login.user, login.password, [])
    return found, Broker(where.mqtt_url, login.user, login.password)


def _pathway(connection: Any, organisation: int, name: str) -> int:
    """Find the pathway; where the organisation has none of that name, the template is published."""
    known = {p["name"]: int(p["pathway_id"]) for p in provisioning.pathways(connection, organisation)}
    if name not in known and name in shipped_names():
        template = shipped(name)
        provisioning.publish_policy(
            connection, organisation, template.text, author=template.document.author, reason=template.document.reason
        )
        known = {p["name"]: int(p["pathway_id"]) for p in provisioning.pathways(connection, organisation)}
    if name not in known:
        there_are = ", ".join(sorted({*known, *shipped_names()}))
        raise provisioning.ProvisioningError(f"There is no policy {name!r} to enrol on; there are {there_are}.")
    return known[name]


def _stop() -> StopSignal:
    stop = StopSignal()
    stop.be_patient()
    return stop


@contextmanager
def _bar(console: Console, title: str) -> Iterator[Progress | None]:
    """Show how far the play has come, where somebody watches."""
    if not console.is_terminal:
        yield None
        return
    columns = (TextColumn("{task.description}"), BarColumn(), TextColumn("{task.fields[words]}"), TimeElapsedColumn())
    with Bars(*columns, console=console) as bars:
        task = bars.add_task(title, total=None, words="")

        def on_progress(standing: Standing) -> None:
            tally = standing.tally
            words = f"{tally.published} published, {tally.published - tally.unaccounted} accounted for"
            total = None if standing.share is None else 1.0
            bars.update(task, total=total, completed=standing.share or 0.0, words=words)

        yield on_progress


def _report(tally: Tally, found: Registry, as_json: bool) -> None:
    result = {
        **asdict(tally),
        "unaccounted": tally.unaccounted,
        "patients": len(found.patients),
        "new_patients": found.new_patients,
        "devices": len(found.devices),
    }
    words = (
        f"{tally.published} observations of {len(found.patients)} people published: {tally.stored} stored, "
        f"{tally.duplicates} duplicate, {tally.quarantined} quarantined, {tally.unaccounted} without a receipt."
    )
    report(result, as_json, words)
    if tally.unaccounted:
        raise typer.Exit(1)


def _now_us() -> int:
    return time.time_ns() // 1000

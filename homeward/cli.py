"""Which commands are there? Each says in a sentence what went wrong, and then ends with a code other than 0.

The commands import what they need when they run: the dashboard's libraries take seconds to load, and
`homeward user list` does not need them.
"""

from __future__ import annotations

import os
import sys
import traceback
from pathlib import Path
from typing import Annotated

import typer

from homeward import (
    administration,
    entry_commands,
    notify_commands,
    registration_commands,
    retention_commands,
    shift_commands,
    trials,
)
from homeward.misuse import MisuseError, explain

app = typer.Typer(
    name="homeward", help="Remote patient monitoring.", no_args_is_help=True, pretty_exceptions_enable=False
)
administration.register(app)
trials.register(app)
app.add_typer(retention_commands.retention, name="retention")
entry_commands.register(app)
notify_commands.register(app)
shift_commands.register(app)
registration_commands.register(app)

# Failures that say by themselves what is wrong and what to do, wherever they come from.
EXPECTED = {
    "homeward.local.errors.SetupError",
    "homeward.supervisor.SupervisionError",
    "homeward.provisioning.ProvisioningError",
    "dashboard.actions.InvalidActionError",
    "dashboard.actions.NotThereError",
    "dashboard.device_acts.BrokerError",
    "dashboard.device_acts.DeviceError",
    "schemas.database.DatabaseError",
    "alerts.cohort.CohortError",
    "alerts.notation.PolicyError",
    "ingest.history_file.HistoryError",
    "ingest.replay.ReplayError",
    "device_sim.provisioning.ProvisioningError",
    "device_sim.publisher.PublishError",
    "device_sim.recording.RecordingError",
    "device_sim.scenario.ScenarioError",
}
INTERRUPTED = 130
Json = Annotated[bool, typer.Option("--json", help="Report as JSON.")]
Seconds = Annotated[float | None, typer.Option(min=0, help="Stop by itself this long after it is ready.")]


@app.command()
def demo(seconds: Seconds = None, as_json: Json = False) -> None:
    """Run a demo trust with live simulated patients."""
    from homeward import demo as demonstration

    demonstration.run(seconds=seconds, as_json=as_json)


@app.command("demo-devices", hidden=True)
def demo_devices() -> None:
    """Play the demo's devices; started by `homeward demo`."""
    from homeward import demo as demonstration
    from homeward.logs import log_as_service

    log_as_service("simulator")
    demonstration.run_devices()


@app.command("demo-mail", hidden=True)
def demo_mail(port: int) -> None:
    """Take the demo's mails; started by `homeward demo`."""
    from homeward import demo_mail as mail
    from homeward.logs import log_as_service
    from homeward.settings import load_settings
    from homeward.signals import service_stop

    log_as_service("mail")
    mail.run(port, load_settings().home / "mail", service_stop())


@app.command()
def up(
    seconds: Seconds = None,
    as_json: Json = False,
    organisation: Annotated[str | None, typer.Option(help="Whose installation it is.")] = None,
    hub: Annotated[str | None, typer.Option(help="Register a hub of this code and give it a login.")] = None,
) -> None:
    """Run an installation without demo data."""
    from homeward import up as installation

    installation.run(installation.fill_empty(organisation, hub), seconds=seconds, as_json=as_json)


@app.command()
def migrate(as_json: Json = False) -> None:
    """Bring the database up to date; safe to run again and at the same time."""
    from homeward.reporting import addresses, report
    from schemas.database import migrate as bring_up_to_date

    applied = bring_up_to_date(addresses().owner_url)
    report({"applied": applied}, as_json, f"Applied {', '.join(applied)}." if applied else "Nothing to apply.")


@app.command()
def ingest() -> None:
    """Take observations from the broker into the database."""
    from homeward import service_processes

    service_processes.run_ingest()


@app.command()
def clock() -> None:
    """Score what happens without an observation: overdue, holds."""
    from homeward import service_processes

    service_processes.run_clock()


@app.command()
def dashboard() -> None:
    """Serve the pages and the API."""
    from homeward import service_processes

    service_processes.run_dashboard()


@app.command()
def simulate(
    recording: Annotated[Path | None, typer.Option(help="Play this recording: a long CSV, or .csv.gz.")] = None,
    patients: Annotated[int | None, typer.Option(min=1, help="Play so many simulated people.")] = None,
    scenario: Annotated[str, typer.Option(help="What they live through: a scenario, or mix.")] = "mix",
    speed: Annotated[str, typer.Option(help="Times real time; max for as fast as it is stored.")] = "1",
    now: Annotated[bool, typer.Option("--now", help="Re-date the recording so that it ends now.")] = False,
    enrol: Annotated[str | None, typer.Option(help="Enrol the people on this policy; without it, none scores.")] = None,
    seed: Annotated[int, typer.Option(help="The same seed gives the same people and the same bytes.")] = 1,
    hours: Annotated[float | None, typer.Option(min=0, help="How much simulated time; else until stopped.")] = None,
    truth: Annotated[Path | None, typer.Option(help="Write here what really happens to whom.")] = None,
    organisation: Annotated[str | None, typer.Option(help="Which organisation, where there are several.")] = None,
    as_json: Json = False,
) -> None:
    """Play a recording or simulated people against a running installation."""
    from homeward import simulation

    if (recording is None) == (patients is None):
        raise MisuseError("Give either --recording FILE or --patients N.")
    if recording is not None:
        simulation.run_recording(
            recording, speed=speed, now=now, enrol=enrol, organisation=organisation, as_json=as_json
        )
    elif patients is not None:
        simulation.run_cohort(
            patients,
            scenario,
            speed=speed,
            seed=seed,
            hours=hours,
            truth=truth,
            enrol=enrol,
            organisation=organisation,
            as_json=as_json,
        )


@app.command()
def doctor(
    accounts: Annotated[
        bool, typer.Option("--accounts", help="Compare the numbers that devices give with store and quarantine.")
    ] = False,
    receipts: Annotated[
        Path | None, typer.Option(help="With --accounts: a hub's receipts, a JSON object a line.")
    ] = None,
    as_json: Json = False,
) -> None:
    """Say what is found on this machine and what is wrong."""
    from homeward import accounts as accounting
    from homeward.doctor import report

    raise typer.Exit(accounting.report(receipts, as_json) if accounts else report(as_json))


def main() -> int:
    """Run a command and return its exit code."""
    try:
        code = app(prog_name="homeward", standalone_mode=False)
        return code if isinstance(code, int) else 0
    except typer.Abort:
        return INTERRUPTED
    except typer.TyperException as misused:
        if said := explain(misused):
            print(said, file=sys.stderr)
        return misused.exit_code
    except KeyboardInterrupt:
        print("Stopped.", file=sys.stderr)
        return INTERRUPTED
    except BrokenPipeError:
        return 1
    except Exception as failed:  # the last line of defence: a sentence instead of a trace
        print(_sentence(failed), file=sys.stderr)
        return int(getattr(failed, "exit_code", 1))


def _sentence(failed: Exception) -> str:
    """Say what went wrong; of what nobody expected, keep the details in a file."""
    names = {f"{kind.__module__}.{kind.__qualname__}" for kind in type(failed).__mro__}
    if names & EXPECTED:
        return str(failed)
    if "psycopg.OperationalError" in names or "psycopg_pool.PoolTimeout" in names:
        return f"database: it does not answer ({str(failed).strip().splitlines()[0]}); check that the server runs."
    place = _keep_details(failed)
    return f"Homeward failed unexpectedly ({type(failed).__name__}: {failed}); the details are in {place}."


def _keep_details(failed: Exception) -> Path:
    from tempfile import gettempdir

    home = os.environ.get("HOMEWARD_HOME")
    folder = Path(home) / "logs" if home else Path(gettempdir())
    place = folder / "homeward-failure.log"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with place.open("a", encoding="utf-8") as file:
            traceback.print_exception(failed, file=file)
    except OSError:
        traceback.print_exception(failed)
    return place

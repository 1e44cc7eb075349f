"""Which commands concern the other ways in: tokens, text messages, history, and what could not come in?"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from homeward.administration import device

Json = Annotated[bool, typer.Option("--json", help="Report as JSON.")]
Organisation = Annotated[str | None, typer.Option(help="Which organisation, where there are several.")]


Numbers = Annotated[list[int] | None, typer.Argument(help="Numbers of messages.")]
ReasonWord = Annotated[str | None, typer.Option(help="All that wait for this reason.")]
Source = Annotated[str | None, typer.Option(help="All that came from this sender.")]

sms = typer.Typer(no_args_is_help=True, help="Text messages: gateways, and whose telephones are known.")
quarantine = typer.Typer(no_args_is_help=True, help="What could not be stored: look, replay, discard.")


def register(app: typer.Typer) -> None:
    """Add these commands to the command line."""
    device.command("token")(device_token)
    app.command("import")(import_history)
    app.add_typer(quarantine, name="quarantine")
    app.add_typer(sms, name="sms")


def import_history(
    file: Annotated[Path, typer.Argument(help="CSV with a header, or .csv.gz: long, wide, or of omblepy.")],
    named: Annotated[list[str] | None, typer.Option("--map", help="What a column is: COLUMN=NAME.")] = None,
    units: Annotated[list[str] | None, typer.Option("--unit", help="In which unit (UCUM): NAME=UNIT.")] = None,
    zone: Annotated[str | None, typer.Option("--tz", help="Where times have no offset: such as Europe/London.")] = None,
    patient: Annotated[int | None, typer.Option(help="Whose it is, where no column says so.")] = None,
    device: Annotated[str | None, typer.Option(help="By which device, where no column says so.")] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Check everything and store nothing.")] = False,
    refused: Annotated[Path | None, typer.Option(help="Where refused rows are told; else beside the file.")] = None,
    organisation: Organisation = None,
    as_json: Json = False,
) -> None:
    """Bring in history from a file; nobody is paged for it. The exit code is 3 where some of it was refused."""
    from homeward import import_command

    code = import_command.run(
        file,
        named=named or [],
        units=units or [],
        zone=zone,
        patient=patient,
        device=device,
        dry_run=dry_run,
        refused=refused,
        organisation=organisation,
        as_json=as_json,
    )
    raise typer.Exit(code)


def device_token(
    code: str,
    void: Annotated[bool, typer.Option("--void", help="Take the token away instead.")] = False,
    organisation: Organisation = None,
    as_json: Json = False,
) -> None:
    """Make the credential with which a device or hub sends over HTTP, shown once; the old one is void at once."""
    from homeward import device_tokens
    from homeward.reporting import SHOWN_ONCE, administrator, report

    with administrator(organisation) as (connection, number):
        if void:
            device_tokens.take_token(connection, number, code)
            report({"device": code, "token": None}, as_json, f"{code} has no token.")
            return
        token = device_tokens.give_token(connection, number, code)
    report({"device": code, "token": token}, as_json, f"{code} has the token {token}\n{SHOWN_ONCE}")


@quarantine.command("list")
def list_quarantine(reason: ReasonWord = None, organisation: Organisation = None, as_json: Json = False) -> None:
    """List the causes, and how much waits for each."""
    from homeward import quarantine_command

    quarantine_command.show(reason, organisation, as_json=as_json)


@quarantine.command("replay")
def replay_quarantine(
    items: Numbers = None,
    reason: ReasonWord = None,
    source: Source = None,
    everything: Annotated[bool, typer.Option("--all", help="All that waits.")] = False,
    organisation: Organisation = None,
    as_json: Json = False,
) -> None:
    """Try messages again after their cause is mended; what is refused again goes on waiting."""
    from homeward import quarantine_command

    chosen = None if not everything else ""
    quarantine_command.replay_waiting(items or [], reason, source or chosen, organisation, as_json=as_json)


@quarantine.command("discard")
def discard_quarantine(
    because: Annotated[str, typer.Option(help="Why they are not wanted.")],
    items: Numbers = None,
    reason: ReasonWord = None,
    source: Source = None,
    organisation: Organisation = None,
    as_json: Json = False,
) -> None:
    """Discard messages; they are kept, with the reason."""
    from homeward import quarantine_command

    quarantine_command.discard_waiting(items or [], reason, source, because, organisation, as_json=as_json)


@sms.command("gateway")
def add_gateway(name: str, organisation: Organisation = None, as_json: Json = False) -> None:
    """Let a gateway hand in text messages, with a secret that is shown once; the one that it had is void at once."""
    from homeward import sms_numbers
    from homeward.reporting import SHOWN_ONCE, administrator, report

    with administrator(organisation) as (connection, number):
        secret = sms_numbers.add_gateway(connection, number, name)
    words = f"{name} signs with the secret {secret}\n{SHOWN_ONCE}"
    report({"gateway": name, "secret": secret}, as_json, words)


@sms.command("phone")
def add_phone(
    phone: Annotated[str, typer.Argument(help="Such as 07700900123, or with its country code: +447700900123.")],
    patient: Annotated[int, typer.Option(help="The patient's number.")],
    word: Annotated[str, typer.Option(help="With which their messages begin, where two people share it.")] = "",
    remove: Annotated[bool, typer.Option("--remove", help="Forget it instead.")] = False,
    organisation: Organisation = None,
    as_json: Json = False,
) -> None:
    """Say whose telephone it is, so that its text messages are taken as theirs."""
    from homeward import sms_numbers
    from homeward.reporting import administrator, report

    with administrator(organisation) as (connection, number):
        if remove:
            sms_numbers.remove_phone(connection, number, phone, patient)
        else:
            phone = sms_numbers.add_phone(connection, number, phone, patient, word.lower())
    words = f"Patient {patient} has the number no more." if remove else f"{phone} is patient {patient}'s."
    report({"phone": phone, "patient": patient, "word": word.lower(), "removed": remove}, as_json, words)


@sms.command("list")
def list_phones(organisation: Organisation = None, as_json: Json = False) -> None:
    """List whose telephones are known."""
    from homeward import sms_numbers
    from homeward.reporting import administrator, report_rows

    with administrator(organisation) as (connection, number):
        rows = sms_numbers.phones(connection, number)
    report_rows(rows, as_json, ["phone", "patient", "word"])

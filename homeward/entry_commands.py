"""Which commands concern the other ways in, and what could not come in: tokens for HTTP, the quarantine?"""

from __future__ import annotations

from typing import Annotated

import typer

from homeward.administration import device

Json = Annotated[bool, typer.Option("--json", help="Report as JSON.")]
Organisation = Annotated[str | None, typer.Option(help="Which organisation, where there are several.")]


Numbers = Annotated[list[int] | None, typer.Argument(help="Numbers of messages.")]
ReasonWord = Annotated[str | None, typer.Option(help="All that wait for this reason.")]
Source = Annotated[str | None, typer.Option(help="All that came from this sender.")]

quarantine = typer.Typer(no_args_is_help=True, help="What could not be stored: look, replay, discard.")


def register(app: typer.Typer) -> None:
    """Add these commands to the command line."""
    device.command("token")(device_token)
    app.add_typer(quarantine, name="quarantine")


def device_token(
    code: str,
    void: Annotated[bool, typer.Option("--void", help="Take the token away instead.")] = False,
    organisation: Organisation = None,
    as_json: Json = False,
) -> None:
    """Make the credential with which a device or hub sends over HTTP, shown once; the old one is void at once."""
    from homeward import device_tokens
    from homeward.reporting import administrator, report

    with administrator(organisation) as (connection, number):
        if void:
            device_tokens.take_token(connection, number, code)
            report({"device": code, "token": None}, as_json, f"{code} has no token.")
            return
        token = device_tokens.give_token(connection, number, code)
    report({"device": code, "token": token}, as_json, f"{code} has the token {token}")


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

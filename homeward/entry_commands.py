"""Which commands concern the other ways in: tokens for HTTP?"""

from __future__ import annotations

from typing import Annotated

import typer

from homeward.administration import device

Json = Annotated[bool, typer.Option("--json", help="Report as JSON.")]
Organisation = Annotated[str | None, typer.Option(help="Which organisation, where there are several.")]


def register(_app: typer.Typer) -> None:
    """Add these commands to the command line."""
    device.command("token")(device_token)


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

"""Which commands concern messages? The service that sends them, and the login of a display on a wall."""

from __future__ import annotations

from typing import Annotated

import typer

Json = Annotated[bool, typer.Option("--json", help="Report as JSON.")]
Organisation = Annotated[str | None, typer.Option(help="Which organisation, where there are several.")]

display = typer.Typer(no_args_is_help=True, help="Displays on a wall that hear of a site's alerts.")


def register(app: typer.Typer) -> None:
    """Add them to the command line."""
    app.command()(notify)
    app.add_typer(display, name="display")


def notify() -> None:
    """Tell people of episodes that nobody has taken on."""
    from homeward import service_processes

    service_processes.run_notify()


@display.command("add")
def add_display(
    code: str,
    site: Annotated[str, typer.Option(help="Whose alerts it shows.")],
    organisation: Organisation = None,
    as_json: Json = False,
) -> None:
    """Give a display a login at the broker, shown once; it may hear its site's alerts and nothing else."""
    from homeward.displays import give_login
    from homeward.reporting import administrator, report

    with administrator(organisation) as (connection, number):
        made = give_login(connection, number, code, site)
    words = f"{made['user']} with the password {made['password']}" if made["password"] else "the broker is not ours"
    report(made, as_json, f"The display subscribes to {made['topic']} with QoS 1; its login: {words}")

"""What is said to whoever gives a command words that it does not know?

Typer carries a copy of click of its own, so what click defines catches nothing of it: only what Typer offers does.
"""

import typer


class MisuseError(typer.TyperException):
    """Options that do not go together."""

    exit_code = 2


def explain(misused: typer.TyperException) -> str:
    """Say what was not understood, and where to look it up; nothing where the help was shown already."""
    said = " ".join(misused.format_message().split())
    if said and not said.endswith((".", "?", "!")):
        said += "."
    context = getattr(misused, "ctx", None)
    return f"{said} `{context.command_path} --help` tells what it takes." if said and context else said

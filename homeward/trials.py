"""Which commands try a policy on the past?"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

Json = Annotated[bool, typer.Option("--json", help="Report as JSON.")]


def register(app: typer.Typer) -> None:
    """Add these commands to the command line."""
    app.command("evaluate")(evaluate)


def evaluate(
    observations: Annotated[Path, typer.Option(help="Long CSV patient,device,observed_at,vital,value; may be gzip.")],
    outcomes: Annotated[Path, typer.Option(help="CSV patient,from,to,outcome,onset,…")],
    policy: Annotated[str, typer.Option(help="A policy document, or the name of a shipped policy.")],
    horizon: Annotated[str, typer.Option(help="How long before onset an alert counts as a warning.")] = "12h",
    baseline: Annotated[str | None, typer.Option(help='A bare rule to report beside it, such as "news2>=5".')] = None,
    as_json: Json = False,
) -> None:
    """Say how well and how early a policy warns, and how often for nothing, on a recorded cohort; needs no database."""
    from homeward import evaluate_command

    evaluate_command.run(observations, outcomes, policy, horizon, baseline, as_json)

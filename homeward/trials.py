"""Which commands look at the past: try a policy on it, or check what was said of it?"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from homeward.misuse import MisuseError

Json = Annotated[bool, typer.Option("--json", help="Report as JSON.")]


def register(app: typer.Typer) -> None:
    """Add these commands to the command line."""
    app.command("backtest")(backtest)
    app.command("evaluate")(evaluate)
    app.command("replay")(replay)


def backtest(
    policy: Annotated[str, typer.Option(help="The draft: a policy document, or the name of a shipped policy.")],
    since: Annotated[str, typer.Option(help="From when on alerts count, such as 2026-03-01.")],
    until: Annotated[str | None, typer.Option(help="Until when; until now where it is not given.")] = None,
    site: Annotated[str | None, typer.Option(help="Only patients of this site.")] = None,
    pathway: Annotated[
        str | None, typer.Option(help="Only patients of this pathway; without it, of the one that the draft names.")
    ] = None,
    all_pathways: Annotated[bool, typer.Option("--all-pathways", help="Everybody enrolled, on whichever.")] = False,
    events: Annotated[Path | None, typer.Option(help="Labelled events: CSV patient,from,to,outcome,onset.")] = None,
    organisation: Annotated[str | None, typer.Option(help="Which organisation, where there are several.")] = None,
    as_json: Json = False,
) -> None:
    """Say what a draft policy would have done to our own patients, beside the policies in force."""
    from homeward import backtest_command

    if all_pathways and pathway is not None:
        raise MisuseError("Give either --pathway or --all-pathways.")
    backtest_command.run(
        policy,
        since,
        until,
        site=site,
        pathway=pathway,
        all_pathways=all_pathways,
        events=events,
        organisation=organisation,
        as_json=as_json,
    )


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


def replay(
    episode: Annotated[int | None, typer.Option(help="One episode's number.")] = None,
    everyone: Annotated[bool, typer.Option("--all", help="Every patient's alerts.")] = False,
    since: Annotated[str | None, typer.Option(help="With --all: from when on, such as 2026-03-01.")] = None,
    as_json: Json = False,
) -> None:
    """Score the stored observations again and say whether the stored alerts come out; the exit code is 1 if not."""
    from homeward import replay_command

    if (episode is not None) == everyone or (since is not None and not everyone):
        raise MisuseError("Give either --episode ID, or --all and, if not from the beginning, --since TIME.")
    raise typer.Exit(replay_command.run(episode, since, as_json))

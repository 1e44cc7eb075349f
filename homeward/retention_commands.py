"""Which commands say how long observations are kept, and delete older ones?"""

from __future__ import annotations

from typing import Annotated, Any

import typer

Json = Annotated[bool, typer.Option("--json", help="Report as JSON.")]
Organisation = Annotated[str | None, typer.Option(help="Which organisation, where there are several.")]

retention = typer.Typer(no_args_is_help=True, help="How long observations are kept.")


@retention.command("show")
def show(organisation: Organisation = None, as_json: Json = False) -> None:
    """Show the organisation's rule, and up to when it has been carried out."""
    from homeward import retention as rules
    from homeward.reporting import administrator, report_rows

    with administrator(organisation) as (connection, number):
        found = rules.rule(connection, number)
    if not as_json:
        print(_sentence(found))
        return
    columns = ["organisation", "months", "reason", "set_by", "set_at", "observations_from", "applied_at"]
    report_rows([found], as_json, columns)


def _sentence(found: dict[str, Any]) -> str:
    """Say the rule, and what has come of it."""
    if found["months"] is None:
        return (
            f"{found['organisation']} has no rule: every observation is kept. "
            "Set one with `homeward retention set --months N --reason WHY`."
        )
    rule = (
        f"{found['organisation']} keeps observations for {found['months']} months: {found['reason']} "
        f"(set by {found['set_by']}, {found['set_at']:%Y-%m-%d})."
    )
    if found["applied_at"] is None:
        return f"{rule} It has not been carried out yet; `homeward retention apply` does it."
    kept = f"{found['observations_from']:%Y-%m-%d}"
    return f"{rule} Last carried out {found['applied_at']:%Y-%m-%d %H:%M} UTC: kept from {kept} on."


@retention.command("set")
def set_rule(
    months: Annotated[int, typer.Option(help="Months for which observations are kept.")],
    reason: Annotated[str, typer.Option(help="Why, for the audit log.")],
    by: Annotated[str, typer.Option(help="Who decided it.")] = "homeward retention set",
    organisation: Organisation = None,
    as_json: Json = False,
) -> None:
    """Say for how many months the organisation keeps observations; nothing is deleted yet."""
    from homeward import retention as rules
    from homeward.reporting import administrator, report

    with administrator(organisation) as (connection, number):
        rules.set_rule(connection, number, months, by, reason)
    report({"months": months}, as_json, f"Kept for {months} months; `homeward retention apply` deletes what is older.")


@retention.command("apply")
def apply(
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Say what would be deleted, and delete nothing.")] = False,
    as_json: Json = False,
) -> None:
    """Delete what is past every organisation's rule; run it every night."""
    from homeward import retention as rules
    from homeward.progress import Progress
    from homeward.reporting import addresses, report
    from schemas.database import open_pool

    with Progress() as progress, open_pool(addresses().database_url(rules.ROLE), rules.ROLE) as pool:
        progress.say("Looking for observations past their retention")
        with pool.connection() as connection:
            found = rules.apply(
                connection, dry_run=dry_run, progress=lambda done, of: progress.detail(f"{done} of {of} chunks")
            )
    data = {
        "dry_run": dry_run,
        "chunks": found.chunks,
        "observations": found.observations,
        "quarantined": found.quarantined,
        "before": {str(number): at.isoformat() for number, at in found.before.items()},
    }
    would = "Would drop" if dry_run else "Dropped"
    report(
        data,
        as_json,
        f"{would} {found.chunks} chunks whole and {found.observations:,} further observations."
        if found.before
        else "No organisation has a rule; set one with `homeward retention set`.",
    )

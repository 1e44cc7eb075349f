"""Which commands say when a site's shifts change? The shift handover begins there."""

from __future__ import annotations

from datetime import time
from typing import Annotated

import typer

Json = Annotated[bool, typer.Option("--json", help="Report as JSON.")]
Organisation = Annotated[str | None, typer.Option(help="Which organisation, where there are several.")]

MOST = 6

shift = typer.Typer(no_args_is_help=True, help="When the shifts of a site change, by its own clock.")


def register(app: typer.Typer) -> None:
    """Add them to the command line."""
    app.add_typer(shift, name="shift")


@shift.command("list")
def list_shifts(organisation: Organisation = None, as_json: Json = False) -> None:
    """List the sites with their times."""
    from homeward.reporting import administrator, report_rows
    from schemas.database import acting_for

    with administrator(organisation) as (connection, number), acting_for(connection, number):
        found = connection.execute(
            "select name, time_zone, array_to_string(shift_times::text[], ' ') from site order by name"
        ).fetchall()
    rows = [dict(zip(("site", "time_zone", "shifts"), row, strict=True)) for row in found]
    report_rows(rows, as_json, ["site", "time_zone", "shifts"])


@shift.command("set")
def set_shifts(
    site: str,
    times: Annotated[list[str], typer.Argument(help="Such as 07:30 19:30.")],
    organisation: Organisation = None,
    as_json: Json = False,
) -> None:
    """Set the times of the day at which a site's shifts begin."""
    from homeward.provisioning import ProvisioningError
    from homeward.reporting import administrator, report
    from schemas.database import acting_for

    begun = sorted({_time(given) for given in times})
    if len(begun) > MOST:
        raise ProvisioningError(f"A site has at most {MOST} shifts a day; these are {len(begun)}.")
    with administrator(organisation) as (connection, number), acting_for(connection, number):
        changed = connection.execute(
            "update site set shift_times = %s where name = %s returning site_id", [begun, site]
        ).fetchone()
        if changed is None:
            known = ", ".join(row[0] for row in connection.execute("select name from site order by name").fetchall())
            raise ProvisioningError(f"There is no site {site!r}; there are: {known or 'none'}.")
        connection.execute(
            "insert into audit_log (organisation_id, action, object, detail) values (%s, 'shifts_set', %s, "
            "jsonb_build_object('times', %s::text))",
            [number, f"site/{changed[0]}", " ".join(f"{at:%H:%M}" for at in begun)],
        )
    said = " and ".join(f"{at:%H:%M}" for at in begun)
    report({"site": site, "shifts": [f"{at:%H:%M}" for at in begun]}, as_json, f"The shifts of {site} begin at {said}.")


def _time(given: str) -> time:
    from homeward.provisioning import ProvisioningError

    try:
        found = time.fromisoformat(given)
    except ValueError:
        raise ProvisioningError(f"{given!r} is no time of the day; write it like 07:30.") from None
    if found.tzinfo is not None:
        raise ProvisioningError(f"{given!r} names a zone; shifts begin by the site's own clock, like 07:30.")
    return found

"""Which commands read the audit log? As on the page and over the API: by patient, action and time, the latest first."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Annotated, Any

import typer

from homeward.administration import Json, Organisation, audit

if TYPE_CHECKING:
    from dashboard.audit import Search

COLUMNS = ["audit_id", "at", "account", "sign_in", "action", "object", "detail"]
_NUMBER_DIGITS = 9


@audit.command("list")
def list_entries(
    patient: Annotated[str | None, typer.Option(help="Only about whom: their number here, or NHS number.")] = None,
    action: Annotated[str | None, typer.Option(help="Only this action, such as looked_at.")] = None,
    since: Annotated[str | None, typer.Option(help="From when on, such as 2026-03-01 (UTC).")] = None,
    until: Annotated[str | None, typer.Option(help="Until when, not included.")] = None,
    limit: Annotated[int, typer.Option(min=1, max=10_000, help="At most so many.")] = 100,
    organisation: Organisation = None,
    as_json: Json = False,
) -> None:
    """List who looked at what and changed what, the latest first; that it was read is an entry too."""
    from dashboard.audit import Search, entries
    from homeward.instants import read_instant
    from homeward.registration_commands import acting
    from homeward.reporting import report_rows

    search = Search(
        patient=None if patient is None else _patient(patient, organisation),
        action=action,
        since=None if since is None else read_instant(since, "--since"),
        until=None if until is None else read_instant(until, "--until"),
    )
    _check_order(search)
    rows: list[dict[str, Any]] = acting(organisation, lambda: entries(search, limit))
    if not as_json:
        rows = [row | {"detail": json.dumps(row["detail"], ensure_ascii=False)} for row in rows]
    report_rows(rows, as_json, COLUMNS)


def _patient(given: str, organisation: str | None) -> int:
    """Find whom the log is searched for; a number need not be known, since entries outlast who they are about."""
    from homeward.provisioning import ProvisioningError
    from homeward.reporting import administrator
    from schemas import nhs_number
    from schemas.database import acting_for

    digits = "".join(given.replace("-", " ").split())
    if not (digits.isascii() and digits.isdigit()):
        raise ProvisioningError(f"--patient {given}: expected the number that a patient has here, or an NHS number.")
    if len(digits) <= _NUMBER_DIGITS:
        return int(digits)
    try:
        wanted = nhs_number.read(digits)
    except ValueError as wrong:
        raise ProvisioningError(f"--patient: {wrong}") from wrong
    with administrator(organisation) as (connection, number), acting_for(connection, number):
        found = connection.execute("select patient_id from patient where nhs_number = %s", [wanted]).fetchone()
    if found is None:
        raise ProvisioningError("--patient: nobody here has this NHS number.")
    return int(found[0])


def _check_order(search: Search) -> None:
    from homeward.provisioning import ProvisioningError

    if search.since is not None and search.until is not None and search.until <= search.since:
        raise ProvisioningError("--until lies before --since; exchange them.")

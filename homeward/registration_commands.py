"""Which commands take people into care, set up sites and look after accounts?

The same functions as behind the pages, for the command line in the person's place.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from datetime import date
from typing import Annotated, Any, TypeVar

import typer

from homeward.administration import Json, Organisation, user

Result = TypeVar("Result")
Patient = Annotated[int, typer.Argument(help="The patient's number.")]
Reason = Annotated[str, typer.Option(help="Why, for the record.")]
Day = Annotated[str, typer.Option(help="Date of birth, such as 1940-05-06.")]

patient = typer.Typer(no_args_is_help=True, help="People in care.")
site = typer.Typer(no_args_is_help=True, help="Homes, care homes and wards.")


def register(app: typer.Typer) -> None:
    """Add these groups to the command line."""
    app.add_typer(patient, name="patient")
    app.add_typer(site, name="site")


def acting(organisation: str | None, act: Callable[[], Awaitable[Result]]) -> Result:
    """Do something of the dashboard's as the command line, for one organisation."""
    from dashboard import identity
    from dashboard.identity import Person, Session
    from homeward.installation import ADMIN_ROLE
    from homeward.reporting import addresses, administrator
    from schemas.database import open_async_pool

    with administrator(organisation) as (_, number):
        pass
    url = addresses().database_url(ADMIN_ROLE)

    async def run() -> Result:
        from datetime import UTC, datetime

        person = Person(identity.COMMAND_LINE, number, "Command line", "administrator")
        async with open_async_pool(url, ADMIN_ROLE) as pool:
            tokens = identity.enter(pool, Session(b"", person, datetime.max.replace(tzinfo=UTC)))
            try:
                return await act()
            finally:
                identity.leave(tokens)

    return asyncio.run(run())


@user.command("disable")
def disable_user(sign_in: str, organisation: Organisation = None, as_json: Json = False) -> None:
    """Let nobody sign in to an account any more, and end its sessions."""
    _change_account(sign_in, "disable", "is disabled", organisation, as_json)


@user.command("enable")
def enable_user(sign_in: str, organisation: Organisation = None, as_json: Json = False) -> None:
    """Let an account be signed in to again."""
    _change_account(sign_in, "enable", "is enabled", organisation, as_json)


@user.command("reset-second-factor")
def reset_second_factor(sign_in: str, organisation: Organisation = None, as_json: Json = False) -> None:
    """Take an account's second factor away, where telephone and recovery codes are lost."""
    _change_account(sign_in, "reset_second_factor", "has no second factor any more", organisation, as_json)


@user.command("link")
def make_link(sign_in: str, organisation: Organisation = None, as_json: Json = False) -> None:
    """Make a link by which its holder chooses a password, once and within a day."""
    from dashboard import people
    from homeward.reporting import report

    async def act() -> people.Link:
        return await people.make_link(await _account_number(sign_in))

    link = acting(organisation, act)
    path = people.link_path(link)
    words = f"Hand over this address of the dashboard, good once until {link.expires_at:%Y-%m-%d %H:%M} UTC: {path}"
    report({"sign_in": sign_in.lower(), "path": path, "expires_at": link.expires_at}, as_json, words)


def _change_account(sign_in: str, act_name: str, outcome: str, organisation: str | None, as_json: bool) -> None:
    from dashboard import people
    from homeward.reporting import report

    async def act() -> None:
        await getattr(people, act_name)(await _account_number(sign_in))

    acting(organisation, act)
    report({"sign_in": sign_in.lower()}, as_json, f"{sign_in.lower()} {outcome}.")


async def _account_number(sign_in: str) -> int:
    from dashboard import people
    from homeward.provisioning import ProvisioningError

    found = [a for a in await people.accounts(sign_in) if a["sign_in"] == sign_in.lower()]
    if not found:
        raise ProvisioningError(f"There is no account {sign_in!r} in this organisation.")
    return int(found[0]["account_id"])


@patient.command("add")
def add_patient(
    given_name: Annotated[str, typer.Option(help="Given name.")],
    family_name: Annotated[str, typer.Option(help="Family name.")],
    born: Day,
    site: Annotated[str, typer.Option(help="The site's name.")],
    nhs_number: Annotated[str, typer.Option(help="NHS number; its check digit is checked.")] = "",
    sex: Annotated[str, typer.Option(help="female, male, other or unknown.")] = "unknown",
    pregnant: Annotated[bool, typer.Option("--pregnant", help="Is pregnant.")] = False,
    room: Annotated[str, typer.Option(help="Room.")] = "",
    contact: Annotated[str, typer.Option(help="Whom to call.")] = "",
    pathway: Annotated[str, typer.Option(help="The pathway's name; without one, nothing is scored.")] = "",
    device: Annotated[list[str] | None, typer.Option(help="A device's code; may be repeated.")] = None,
    organisation: Organisation = None,
    as_json: Json = False,
) -> None:
    """Take somebody into care, on a pathway and with devices where given."""
    from dashboard import registration
    from homeward.reporting import report

    async def act() -> int:
        new = registration.NewPatient(
            family_name=family_name,
            given_name=given_name,
            born_on=_day(born),
            site=await _site_number(site),
            nhs_number=nhs_number,
            sex=sex,
            pregnant=pregnant,
            room=room,
            contact=contact,
            pathway=pathway,
            devices=tuple(device or ()),
        )
        return await registration.register(new)

    number = acting(organisation, act)
    report({"patient": number}, as_json, f"Registered as patient {number}.")


@patient.command("list")
def list_patients(
    discharged: Annotated[bool, typer.Option("--discharged", help="Those who were discharged too.")] = False,
    organisation: Organisation = None,
    as_json: Json = False,
) -> None:
    """List the patients."""
    from dashboard import registration
    from homeward.reporting import report_rows

    rows = acting(organisation, lambda: registration.patients(discharged=discharged))
    columns = ["patient_id", "family_name", "given_name", "nhs_number", "born_on", "site", "pathway", "discharged_at"]
    report_rows(rows, as_json, columns)


@patient.command("discharge")
def discharge(number: Patient, reason: Reason, organisation: Organisation = None, as_json: Json = False) -> None:
    """Let somebody go: nothing is scored any more, and their devices are free."""
    from dashboard import registration
    from homeward.reporting import report

    acting(organisation, lambda: registration.discharge(number, reason))
    report({"patient": number}, as_json, f"Patient {number} is discharged.")


@patient.command("move")
def move(
    number: Patient,
    site: Annotated[str, typer.Option(help="The new site's name.")],
    room: Annotated[str, typer.Option(help="The room there.")] = "",
    reason: Annotated[str, typer.Option(help="Why, for the record.")] = "",
    organisation: Organisation = None,
    as_json: Json = False,
) -> None:
    """Move somebody with their devices to another site."""
    from dashboard import registration
    from homeward.reporting import report

    async def act() -> None:
        await registration.move(number, await _site_number(site), room, reason)

    acting(organisation, act)
    report({"patient": number, "site": site}, as_json, f"Patient {number} is at {site}.")


@site.command("add")
def add_site(
    name: str,
    kind: Annotated[str, typer.Option(help="home, care_home or ward.")],
    time_zone: Annotated[str, typer.Option(help="The zone in which its times are shown.")] = "Europe/London",
    organisation: Organisation = None,
    as_json: Json = False,
) -> None:
    """Make a site."""
    from dashboard import sites
    from homeward.reporting import report

    number = acting(organisation, lambda: sites.add(name, kind, time_zone))
    report({"site": number, "name": name}, as_json, f"{name} is site {number}.")


@site.command("list")
def list_sites(organisation: Organisation = None, as_json: Json = False) -> None:
    """List the sites."""
    from dashboard import sites
    from homeward.reporting import report_rows

    rows = acting(organisation, sites.sites)
    report_rows(rows, as_json, ["site_id", "name", "kind", "time_zone", "patients", "devices"])


async def _site_number(name: str) -> int:
    from dashboard import sites
    from homeward.provisioning import ProvisioningError

    known: dict[str, Any] = {s["name"]: s["site_id"] for s in await sites.sites()}
    if name not in known:
        raise ProvisioningError(f"There is no site {name!r}; there are: {', '.join(known) or 'none'}.")
    return int(known[name])


def _day(text: str) -> date:
    from dashboard.fields import read_date
    from homeward.provisioning import ProvisioningError

    found = read_date(text)
    if found is None:
        raise ProvisioningError(f"{text!r} is not a date; write it like 1940-05-06.")
    return found

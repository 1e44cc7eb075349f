"""Which commands look after devices: who has which, what each needs to connect, and its end?"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, TypeVar

import typer

from homeward.administration import Json, Organisation, device

if TYPE_CHECKING:
    import psycopg

    from dashboard.device_acts import DeviceActs
    from schemas.credentials import Credentials

Result = TypeVar("Result")
Certificate = Annotated[
    bool, typer.Option("--certificate", help="Let it sign in by certificate in place of a password.")
]
Request = Annotated[
    Path | None, typer.Option(help="The device's own certificate request (PEM); its key never leaves it then.")
]
Qr = Annotated[bool, typer.Option("--qr", help="Show the QR code for the hub as well.")]
QrFile = Annotated[Path | None, typer.Option(help="Write the QR code into this SVG file.")]
Patient = Annotated[int, typer.Option(help="The patient's number.")]
Time = Annotated[datetime | None, typer.Option(formats=["%Y-%m-%dT%H:%M:%S%z", "%Y-%m-%dT%H:%M%z"])]


@device.command("add")
def add_device(
    code: str,
    kind: Annotated[str, typer.Option(help="hub, cuff, oximeter, thermometer, scale, glucometer, monitor or manual.")],
    site: Annotated[str | None, typer.Option(help="Where it is.")] = None,
    hub: Annotated[str | None, typer.Option(help="The hub that speaks for it.")] = None,
    certificate: Certificate = False,
    request: Request = None,
    qr: Qr = False,
    qr_file: QrFile = None,
    organisation: Organisation = None,
    as_json: Json = False,
) -> None:
    """Register a device and give it a login at the broker, which is shown once; behind a hub it needs none."""
    asked = _request(request)

    async def act(acts: DeviceActs) -> Credentials:
        where = None if site is None else await _site(acts, site)
        return await acts.add(
            code, kind, site=where, hub=hub, certificate=certificate or request is not None, request=asked
        )

    # who asks for the QR code wants the login that is in it
    spoken_for = None if qr or qr_file else hub
    _show(_act(act, organisation), as_json, qr=qr, qr_file=qr_file, hub=spoken_for)


@device.command("rotate")
def rotate_device(
    code: str,
    certificate: Certificate = False,
    request: Request = None,
    qr: Qr = False,
    qr_file: QrFile = None,
    organisation: Organisation = None,
    as_json: Json = False,
) -> None:
    """Give a device another password or certificate, shown once; the old one is void at once."""
    asked = _request(request)

    async def act(acts: DeviceActs) -> Credentials:
        return await acts.renew_login(
            await acts.find(code), certificate=certificate or request is not None, request=asked
        )

    _show(_act(act, organisation), as_json, qr=qr, qr_file=qr_file)


@device.command("assign")
def assign_device(
    code: str,
    patient: Annotated[int | None, typer.Option(help="The patient's number.")] = None,
    site: Annotated[str | None, typer.Option(help="A site in place of a patient: a device that a home shares.")] = None,
    user_number: Annotated[int, typer.Option("--user", help="Which user of a shared device.")] = 0,
    since: Time = None,
    until: Time = None,
    organisation: Organisation = None,
    as_json: Json = False,
) -> None:
    """Give a device to a patient or a site: from now on, or over a span that nobody has yet."""
    from homeward.local.errors import SettingsError
    from homeward.reporting import report

    if (patient is None) == (site is None):
        raise SettingsError("Give either --patient or --site.")

    async def act(acts: DeviceActs) -> None:
        number = await acts.find(code)
        if patient is not None:
            await acts.assign(number, patient, user=user_number, since=since, until=until)
        elif site is not None:
            await acts.place(number, await _site(acts, site), since=since)

    _act(act, organisation)
    made = {"device": code, "patient": patient, "site": site, "user": user_number, "since": since, "until": until}
    report(made, as_json, f"{code} belongs to {site or f'patient {patient}'}.")


@device.command("unassign")
def unassign_device(
    code: str,
    user_number: Annotated[int | None, typer.Option("--user", help="Which user; everybody's where not given.")] = None,
    organisation: Organisation = None,
    as_json: Json = False,
) -> None:
    """Take a device from whoever has it; what it sends from now on is quarantined until it is assigned."""
    from homeward.reporting import report

    async def act(acts: DeviceActs) -> None:
        await acts.unassign(await acts.find(code), user=user_number)

    _act(act, organisation)
    report({"device": code, "user": user_number}, as_json, f"{code} is nobody's.")


@device.command("zone")
def set_zone(
    code: str,
    zone: Annotated[str, typer.Argument(help="Such as Europe/London; 'none' takes it away.")],
    organisation: Organisation = None,
    as_json: Json = False,
) -> None:
    """Say which time zone a device's own clock shows, for formats whose times have no offset."""
    from homeward.reporting import report

    chosen = None if zone == "none" else zone

    async def act(acts: DeviceActs) -> None:
        await acts.set_zone(await acts.find(code), chosen)

    _act(act, organisation)
    report({"device": code, "zone": chosen}, as_json, f"The clock of {code} shows {chosen or 'no known zone'}.")


@device.command("retire")
def retire_device(code: str, organisation: Organisation = None, as_json: Json = False) -> None:
    """Take a device out of use, and its login and certificates away."""
    from homeward.reporting import report

    async def act(acts: DeviceActs) -> None:
        await acts.retire(await acts.find(code))

    _act(act, organisation)
    report({"device": code}, as_json, f"{code} is retired.")


@device.command("resident")
def resident_code(patient: Patient, organisation: Organisation = None, as_json: Json = False) -> None:
    """Give the code by which a shared device names a resident; it stays the same."""
    from homeward.reporting import report

    async def act(acts: DeviceActs) -> str:
        return await acts.give_resident_code(patient)

    code = _act(act, organisation)
    report({"patient": patient, "resident": code}, as_json, f"Shared devices name patient {patient} as {code}.")


@device.command("authority")
def authority(as_json: Json = False) -> None:
    """Show the certificate that hubs must trust to know this installation's broker."""
    from homeward.local.errors import SetupError
    from homeward.reporting import addresses, report

    broker = addresses().broker
    if broker is None:
        raise SetupError("The broker is not the private one; ask whoever runs it for its authority's certificate.")
    found = broker.authority
    report({"ca_sha256": found.fingerprint, "ca_certificate": found.certificate}, as_json, found.certificate.rstrip())


@device.command("schema")
def schema() -> None:
    """Print the JSON Schema of what `add` and `rotate` give with --json."""
    import json

    from schemas.credentials import credentials_json_schema

    print(json.dumps(credentials_json_schema(), indent=2))


@device.command("list")
def list_devices(organisation: Organisation = None, as_json: Json = False) -> None:
    """List the devices, who has them, and how they stand."""
    from homeward import provisioning
    from homeward.reporting import administrator, report_rows

    with administrator(organisation) as (connection, number):
        rows = provisioning.devices(connection, number)
    columns = ["code", "kind", "site", "hub", "lane", "patients", "online", "since", "battery", "firmware"]
    report_rows(rows, as_json, [*columns, "clock", "retired"])


def _act(act: Callable[[DeviceActs], Awaitable[Result]], organisation: str | None) -> Result:
    """Do something to devices as the command line, for one organisation."""
    from dashboard.device_acts import DeviceActs
    from homeward.devices import DeviceLogins
    from homeward.installation import ADMIN_ROLE
    from homeward.reporting import addresses, administrator
    from schemas.database import acting_for_async, open_async_pool

    where = addresses(broker=True)
    with administrator(organisation) as (_, number):
        pass

    async def run() -> Result:
        async with open_async_pool(where.database_url(ADMIN_ROLE), ADMIN_ROLE) as pool:

            @asynccontextmanager
            async def transaction() -> AsyncIterator[psycopg.AsyncConnection[Any]]:
                async with pool.connection() as connection, acting_for_async(connection, number):
                    yield connection

            return await act(DeviceActs(number, None, transaction, DeviceLogins(where)))

    return asyncio.run(run())


async def _site(acts: DeviceActs, name: str) -> int:
    from dashboard import store
    from dashboard.device_acts import FILE, DeviceError

    async with acts.transaction() as connection:
        rows = await store.rows(connection, store.queries(FILE)["sites"])
    known = {row["name"]: int(row["site_id"]) for row in rows}
    if name not in known:
        raise DeviceError(f"There is no site {name!r}; there are: {', '.join(known) or 'none'}.")
    return known[name]


def _request(file: Path | None) -> str | None:
    from homeward.administration import read_text

    return None if file is None else read_text(file, "a certificate request in PEM")


def _show(made: Credentials, as_json: bool, *, qr: bool, qr_file: Path | None, hub: str | None = None) -> None:
    """Tell the credentials, which nobody can tell again."""
    import segno

    from homeward.reporting import report

    text = made.qr_text()
    report(made.document(), as_json, _told(made, hub))
    if text is not None and qr_file is not None:
        segno.make(text, error="m").save(str(qr_file), kind="svg", scale=4, border=4)
    if text is not None and qr and not as_json:
        segno.make(text, error="l").terminal(compact=True)


def _told(made: Credentials, hub: str | None) -> str:
    """Say in words what a device needs; one behind a hub is known by its code and needs nothing else."""
    if hub is not None and made.certificate is None:
        return (
            f"Device {made.device} is registered. The hub {hub} publishes for it and names it in the payload, as "
            f'"device": "{made.device}", so it needs no login. Should it ever connect by itself: '
            f"`homeward device rotate {made.device}`."
        )
    if made.certificate is not None:
        words = f"It signs in by certificate:\n\n{made.certificate}{made.private_key or ''}"
        words += "\nThe key is shown this once and kept nowhere." if made.private_key else ""
    elif made.password:
        words = (
            f"Its login: {made.user} with the password {made.password}\nThe password is shown this once and kept "
            f"nowhere; `homeward device rotate {made.device}` makes another."
        )
    else:
        words = "The broker's accounts are not Homeward's: make the login there, under the device's code."
    place = f"{'mqtts' if made.tls else 'mqtt'}://{made.host}:{made.port}"
    return f"Device {made.device} publishes on {made.topic} at {place}. {words}"

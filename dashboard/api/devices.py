"""Which devices are there, and what is done to them over the JSON interface?"""

from __future__ import annotations

from collections.abc import Awaitable
from typing import Annotated, Any, Literal, TypeVar

from fastapi import APIRouter, HTTPException, Path, Query, Response

from dashboard import device_list, store
from dashboard.api import device_models as documents
from dashboard.api import models, paging
from dashboard.api.paging import After, Limit
from dashboard.api.rights import PatientId, allowed
from dashboard.device_acts import BrokerError, DeviceError, Logins, NotThereError, acts
from dashboard.device_qr import qr_svg
from dashboard.permissions import Permission
from schemas.credentials import Credentials

DeviceId = Annotated[int, Path(ge=1, le=2**31 - 1)]
Site = Annotated[int | None, Query(ge=1, le=2**31 - 1)]
Result = TypeVar("Result")
SEES, ASSIGNS, MANAGES = (
    allowed(p) for p in (Permission.SEE_DEVICES, Permission.ASSIGN_DEVICES, Permission.MANAGE_DEVICES)
)
BROKER_AWAY: dict[int | str, dict[str, Any]] = {
    503: {"model": models.Problem, "description": "the broker cannot be asked; nothing was changed"}
}


def routes(logins: Logins | None) -> APIRouter:
    """Make the routes; without ``logins`` those that need the broker say so."""
    router = APIRouter(tags=["devices"])
    _add_readers(router)
    _add_lifecycle(router, logins)
    _add_assignments(router, logins)
    return router


def _add_readers(router: APIRouter) -> None:
    @router.get("/devices", dependencies=[SEES])
    async def devices(
        retired: Annotated[bool, Query(description="retired devices as well")] = False,
        state: Literal["offline", "unassigned", "battery", "clock"] | None = None,
        kind: documents.Kind | None = None,
        site: Site = None,
        search: Annotated[str | None, Query(max_length=200)] = None,
        limit: Limit = 1000,
        after: After = None,
    ) -> models.Page[documents.Device]:
        """List the devices of your sites, by their codes."""
        (after_code,) = paging.read(after, paging.text)
        chosen = device_list.Chosen(state or ("" if retired else "in_use"), kind, site, search or "")
        rows = await device_list.rows(chosen, limit + 1, after_code=after_code or "")
        return models.Page(items=[_device(row) for row in rows[:limit]], next=paging.next_of(rows, limit, "code"))

    @router.get("/devices/{device_id}", dependencies=[SEES])
    async def device(device_id: DeviceId) -> documents.DeviceInFull:
        """Give one device with its past."""
        found = await device_list.one(device_id)
        if found is None:
            raise HTTPException(404, "There is no such device.")
        past = await device_list.past(device_id)
        names = documents.Assignment.model_fields
        return documents.DeviceInFull(
            **_device(found).model_dump(),
            assignments=[documents.Assignment(**{n: row[n] for n in names}) for row in past.assignments],
            placements=[
                documents.Placement(**{n: row[n] for n in documents.Placement.model_fields}) for row in past.placements
            ],
        )


def _add_lifecycle(router: APIRouter, logins: Logins | None) -> None:
    @router.post("/devices", status_code=201, dependencies=[MANAGES], responses=BROKER_AWAY)
    async def add(given: documents.NewDevice) -> documents.Provisioned:
        """Register a device and give it a login, which this answer alone tells."""
        made = await _done(
            acts(logins).add(
                given.code,
                given.kind,
                site=given.site_id,
                hub=given.hub,
                certificate=given.certificate or given.request is not None,
                request=given.request,
            )
        )
        found = await store.fetch_from("devices.sql", "device", code=given.code)
        return _provisioned(made, found[0]["device_id"])

    @router.post("/devices/{device_id}/login", dependencies=[MANAGES], responses=BROKER_AWAY)
    async def renew(device_id: DeviceId, given: documents.Login | None = None) -> documents.Provisioned:
        """Give a device another password or certificate; the old one is void at once."""
        asked = given or documents.Login()
        made = await _done(
            acts(logins).renew_login(
                device_id, certificate=asked.certificate or asked.request is not None, request=asked.request
            )
        )
        return _provisioned(made, device_id)

    @router.delete(
        "/devices/{device_id}",
        status_code=204,
        response_class=Response,
        dependencies=[MANAGES],
        responses=BROKER_AWAY,
    )
    async def retire(device_id: DeviceId) -> Response:
        """Take a device out of use, with its login, certificates and assignments."""
        await _done(acts(logins).retire(device_id))
        return Response(status_code=204)


def _add_assignments(router: APIRouter, logins: Logins | None) -> None:
    @router.post("/devices/{device_id}/assignments", status_code=204, response_class=Response, dependencies=[ASSIGNS])
    async def assign(device_id: DeviceId, given: documents.NewAssignment) -> Response:
        """Give a device to a patient; whoever has it now has it no more, unless a span says otherwise."""
        await _done(
            acts(logins).assign(device_id, given.patient_id, user=given.user, since=given.since, until=given.until)
        )
        return Response(status_code=204)

    @router.delete("/devices/{device_id}/assignments", status_code=204, response_class=Response, dependencies=[ASSIGNS])
    async def unassign(device_id: DeviceId, user: Annotated[int | None, Query(ge=0, le=32_767)] = None) -> Response:
        """Take a device from everybody who has it, or one user number of it."""
        await _done(acts(logins).unassign(device_id, user=user))
        return Response(status_code=204)

    @router.put("/devices/{device_id}/site", status_code=204, response_class=Response, dependencies=[MANAGES])
    async def place(device_id: DeviceId, given: documents.NewPlacement) -> Response:
        """Say at which site a device is."""
        await _done(acts(logins).place(device_id, given.site_id, since=given.since))
        return Response(status_code=204)

    @router.put("/devices/{device_id}/clock", status_code=204, response_class=Response, dependencies=[MANAGES])
    async def set_clock(device_id: DeviceId, given: documents.ClockZone) -> Response:
        """Say which time zone a device's clock shows, for formats whose times have no offset."""
        await _done(acts(logins).set_zone(device_id, given.clock_zone))
        return Response(status_code=204)

    @router.post("/patients/{patient_id}/resident-code", dependencies=[ASSIGNS, allowed(Permission.SEE_PATIENTS)])
    async def resident_code(patient_id: PatientId) -> documents.ResidentCode:
        """Give the word by which shared devices name a resident; made the first time."""
        code = await _done(acts(logins).give_resident_code(patient_id))
        return documents.ResidentCode(patient_id=patient_id, resident=code)


async def _done(act: Awaitable[Result]) -> Result:
    """Do something, and turn what cannot be done into the status that says so."""
    try:
        return await act
    except NotThereError as none:
        raise HTTPException(404, str(none)) from none
    except DeviceError as wrong:
        raise HTTPException(409, str(wrong)) from wrong
    except BrokerError as away:
        raise HTTPException(503, f"{away} Nothing was changed.") from away


def _provisioned(made: Credentials, device_id: int) -> documents.Provisioned:
    return documents.Provisioned(**made.document(), device_id=device_id, qr_svg=qr_svg(made))


def _device(row: dict[str, Any]) -> documents.Device:
    skew = None if row["skew_us"] is None else row["skew_us"] / 1_000_000
    named = {name: row[name] for name in documents.Device.model_fields if name in row}
    return documents.Device(
        **named, status_trouble=row["trouble"] or "", clock_skew_s=skew, clock_is_set=not row["clock_unset"]
    )

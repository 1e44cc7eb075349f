"""How does one device stand, whose was it, and what is to be done with it?"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import psycopg
import psycopg_pool
from dash import Dash, Input, Output, State, ctx, dcc, html, no_update
from dash.exceptions import PreventUpdate

from dashboard import audit, device_forms, device_list, device_parts, identity, local_time, queries, text
from dashboard.device_acts import BrokerError, DeviceActs, DeviceError, Logins, acts
from dashboard.local_time import LocalTimeError
from dashboard.permissions import NotPermittedError, Permission, may, require
from dashboard.shell import icon, trouble
from dashboard.text import device_forms as more
from dashboard.text import devices as words
from schemas.credentials import Credentials

PATH = "/devices/{device_id}"
UNREADABLE = (psycopg.Error, psycopg_pool.PoolTimeout)
ACTS = {
    "assign": Permission.ASSIGN_DEVICES,
    "unassign": Permission.ASSIGN_DEVICES,
    "resident": Permission.ASSIGN_DEVICES,
    "place": Permission.MANAGE_DEVICES,
    "zone": Permission.MANAGE_DEVICES,
    "renew": Permission.MANAGE_DEVICES,
    "certificate": Permission.MANAGE_DEVICES,
    "retire": Permission.MANAGE_DEVICES,
}
DEFAULT_ZONE = "Europe/London"


async def layout(device_id: int) -> Any:
    """The page of one device; the same answer where there is none and where this person may not see it."""
    if not may(identity.current(), Permission.SEE_DEVICES):
        return _alone(trouble(text.NOT_ALLOWED))
    try:
        found = await device_list.one(device_id)
        body = None
        if found:
            past = await device_list.past(device_id)
            body = await _body(found, past)
            named = {*found["patients"], *(a["patient_id"] for a in past.assignments)}
            await audit.looked_at("device", device_id, patients=sorted(named))
    except UNREADABLE:
        return _alone(trouble())
    if found is None:
        return _alone(html.P(words.UNKNOWN, className="card empty"))
    return html.Div(
        [
            dcc.Store(id="device-id", data=device_id),
            _crumbs(),
            html.H1(found["code"]),
            html.Div(id="device-said", className="said", role="status"),
            html.Div(id="device-secret"),
            html.Div(body, id="device-body", className="device-page"),
        ],
        className="page device-page",
        id="main",
        tabIndex="-1",
    )


def _alone(content: Any) -> Any:
    return html.Div([_crumbs(), content], className="page device-page", id="main", tabIndex="-1")


def _crumbs() -> Any:
    return html.Div(html.A([icon("back"), words.BACK], href="/devices"), className="crumbs")


async def _body(device: dict[str, Any], past: device_list.Past) -> list[Any]:
    zone = device["time_zone"] or DEFAULT_ZONE
    return [
        device_parts.facts_card(device, datetime.now(UTC)),
        html.Div(await _forms(device), className="device-acts") if not device["retired_at"] else None,
        device_parts.past_card(past.assignments, zone),
        device_parts.places_card(past.placements, zone),
        html.P(text.times_in(zone), className="zone"),
    ]


async def _forms(device: dict[str, Any]) -> list[Any]:
    person = identity.current()
    sites = await queries.sites() if may(person, Permission.MANAGE_DEVICES) else []
    return device_forms.forms_for(person, device, sites)


async def find_patients(typed: str | None, chosen: str | None, site: int | None = None) -> Any:
    """The patients that somebody may mean, as they type, all or a site's; the one chosen stays among them."""
    if not may(identity.current(), Permission.SEE_PATIENTS) or len((typed or "").strip()) < 2:
        return no_update
    # what is chosen stands in the box as its label: the name, and after a comma where the patient is
    name = (typed or "").partition(",")[0]
    try:
        found = await device_list.patients_like(name, site)
        if chosen and chosen not in {str(p["patient_id"]) for p in found}:
            found += await device_list.patients_like(chosen, site)
        if found:
            await audit.looked_at("patients", what="search", patients=[p["patient_id"] for p in found])
    except UNREADABLE:
        return no_update
    return [{"value": str(p["patient_id"]), "label": _label(p)} for p in found]


async def find_residents(typed: str | None, chosen: str | None, device_id: int) -> Any:
    """Those of them who live where the device is: its messages can mean nobody else."""
    try:
        device = await device_list.one(int(device_id))
    except UNREADABLE:
        return no_update
    return await find_patients(typed, chosen, device["site_id"]) if device and device["site_id"] else no_update


def _label(patient: dict[str, Any]) -> str:
    return f"{patient['given_name']} {patient['family_name']}, {patient['site']} {patient['room']}".strip()


async def do(logins: Logins | None, *given: Any) -> tuple[Any, Any, Any]:
    """Do what a button says, and show the device as it is then."""
    *_, device_id, patient, user, since, until, site, zone, resident = given
    name = str(ctx.triggered_id or "").removeprefix("device-act-")
    if name not in ACTS or not (ctx.triggered and ctx.triggered[0]["value"]):
        raise PreventUpdate  # a button that has come onto the page, not one that was pressed
    try:
        require(identity.current(), ACTS[name])
        if name == "resident":
            return await _tell_resident_code(acts(logins), resident), None, no_update
        body: list[Any] | Any = no_update
        made = await _do(acts(logins), name, int(device_id), patient, user, since, until, site, zone)
        found = await device_list.one(int(device_id))
        if found is not None:
            body = await _body(found, await device_list.past(int(device_id)))
    except (DeviceError, BrokerError, NotPermittedError) as refused:
        return trouble(str(refused)), no_update, no_update
    except UNREADABLE:
        return trouble(words.NOT_STORED), no_update, no_update
    return words.CHANGED[name], device_parts.secret_card(made) if made else None, body


async def _do(
    doing: DeviceActs, name: str, device: int, patient: Any, user: Any, since: Any, until: Any, site: Any, zone: Any
) -> Credentials | None:
    if name == "assign":
        await doing.assign(
            device, _number(patient, words.NO_PATIENT), user=_number(user or 0, words.USER),
            since=await _time(device, since), until=await _time(device, until),
        )  # fmt: skip
    elif name == "unassign":
        await doing.unassign(device)
    elif name == "place":
        await doing.place(device, _number(site, words.SITE) if site else None)
    elif name == "zone":
        await doing.set_zone(device, str(zone) if zone else None)
    elif name == "retire":
        await doing.retire(device)
    else:
        return await doing.renew_login(device, certificate=name == "certificate")
    return None


async def _tell_resident_code(doing: DeviceActs, resident: Any) -> Any:
    """Give the code by which shared devices name somebody, beside whose it is."""
    require(identity.current(), Permission.SEE_PATIENTS)
    number = _number(resident, more.NO_RESIDENT)
    code = await doing.give_resident_code(number)
    found = {p["patient_id"]: p for p in await device_list.patients_like(str(number))}
    whose = _label(found[number]) if number in found else words.patient_number(number)
    return [f"{more.NAMED_AS.format(whose)} ", html.Strong(code, className="code")]


def _number(given: Any, otherwise: str) -> int:
    try:
        found = int(given)
    except (TypeError, ValueError) as wrong:
        raise DeviceError(otherwise) from wrong
    if not 0 <= found < 2**31:
        raise DeviceError(otherwise)
    return found


async def _time(device: int, given: Any) -> datetime | None:
    """Read a time in the zone of the device's site, as it is shown on this page."""
    if not (tidy := str(given or "").strip()):
        return None
    found = await device_list.one(device)
    try:
        return local_time.read(tidy, (found or {}).get("time_zone") or DEFAULT_ZONE)
    except LocalTimeError as wrong:
        raise DeviceError(str(wrong)) from wrong


def register(app: Dash) -> None:
    """Wire the page."""
    logins: Logins | None = app.server.state.device_logins

    async def pressed(*given: Any) -> tuple[Any, Any, Any]:
        return await do(logins, *given)

    app.callback(
        Output("device-patient", "data"),
        Input("device-patient", "searchValue"),
        State("device-patient", "value"),
        prevent_initial_call=True,
    )(find_patients)
    app.callback(
        Output("device-resident", "data"),
        Input("device-resident", "searchValue"),
        State("device-resident", "value"),
        State("device-id", "data"),
        prevent_initial_call=True,
    )(find_residents)
    app.callback(
        Output("device-said", "children"),
        Output("device-secret", "children"),
        Output("device-body", "children"),
        [Input(f"device-act-{name}", "n_clicks", allow_optional=True) for name in ACTS],
        State("device-id", "data"),
        State("device-patient", "value", allow_optional=True),
        State("device-user", "value", allow_optional=True),
        State("device-since", "value", allow_optional=True),
        State("device-until", "value", allow_optional=True),
        State("device-site", "value", allow_optional=True),
        State("device-zone", "value", allow_optional=True),
        State("device-resident", "value", allow_optional=True),
        prevent_initial_call=True,
    )(pressed)

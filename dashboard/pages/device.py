"""How does one device stand, whose was it, and what is to be done with it?"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any
from zoneinfo import ZoneInfo

import dash_mantine_components as dmc
import psycopg
import psycopg_pool
from dash import Dash, Input, Output, State, ctx, dcc, html, no_update
from dash.exceptions import PreventUpdate

from dashboard import audit, device_list, device_parts, identity, queries, text
from dashboard.device_acts import BrokerError, DeviceActs, DeviceError, Logins, acts
from dashboard.permissions import NotPermittedError, Permission, may, require
from dashboard.shell import icon, trouble
from dashboard.text import devices as words
from schemas.credentials import Credentials

PATH = "/devices/{device_id}"
UNREADABLE = (psycopg.Error, psycopg_pool.PoolTimeout)
ACTS = {
    "assign": Permission.ASSIGN_DEVICES,
    "unassign": Permission.ASSIGN_DEVICES,
    "place": Permission.MANAGE_DEVICES,
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
        body = await _body(found) if found else None
        if found:
            await audit.looked_at("device", device_id, patients=found["patients"])
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


async def _body(device: dict[str, Any]) -> list[Any]:
    zone, past = device["time_zone"] or DEFAULT_ZONE, await device_list.past(device["device_id"])
    return [
        device_parts.facts_card(device, datetime.now(UTC)),
        html.Div(await _forms(device, zone), className="device-acts") if not device["retired_at"] else None,
        device_parts.past_card(past.assignments, zone),
        device_parts.places_card(past.placements, zone),
        html.P(text.times_in(zone), className="zone"),
    ]


async def _forms(device: dict[str, Any], zone: str) -> list[Any]:
    person = identity.current()
    assigns, manages = may(person, Permission.ASSIGN_DEVICES), may(person, Permission.MANAGE_DEVICES)
    forms = []
    if assigns and device["kind"] != "hub":
        forms += [_assign_form(may(person, Permission.SEE_PATIENTS)), _unassign_form(bool(device["patients"]))]
    if manages:
        sites = [{"value": str(s["site_id"]), "label": s["name"]} for s in await queries.sites()]
        forms += [_place_form(sites, device["site_id"]), _renew_form(), _retire_form(device["code"])]
    return [form for form in forms if form is not None]


def _assign_form(sees_patients: bool) -> Any:
    patient = (
        dmc.Select(
            id="device-patient",
            label=words.PATIENT,
            placeholder=words.PATIENT_SEARCH,
            searchable=True,
            clearable=True,
            data=[],
            # the server has found them already, also by NHS number
            filter={"function": "showEveryOption"},
        )
        if sees_patients
        else dmc.NumberInput(id="device-patient", label=words.PATIENT_NUMBER, min=1, max=2**31 - 1, hideControls=True)
    )
    return _act(
        words.ASSIGN,
        [
            html.P(words.ASSIGN_LEAD),
            patient,
            html.Div(
                [
                    dmc.TextInput(id="device-since", label=words.SINCE, placeholder=words.TIME_HINT),
                    dmc.TextInput(id="device-until", label=words.UNTIL, placeholder=words.UNTIL_HINT),
                ],
                className="device-pair",
            ),
            dmc.NumberInput(id="device-user", label=words.USER, min=0, max=32_767, value=0, allowDecimal=False),
            _button("assign", words.ASSIGN_ACT),
        ],
    )


def _unassign_form(is_somebodys: bool) -> Any | None:
    if not is_somebodys:
        return None
    return _folded(words.UNASSIGN, words.UNASSIGN_LEAD, [_button("unassign", words.UNASSIGN_ACT, "button danger")])


def _place_form(sites: list[dict[str, str]], site: int | None) -> Any:
    options = [{"value": "", "label": words.EVERYWHERE}, *sites]
    return _act(
        words.PLACE,
        [
            dmc.Select(
                id="device-site", label=words.SITE, data=options, value=str(site or ""), allowDeselect=False,
                searchable=True,
            ),
            _button("place", words.PLACE_ACT),
        ],
    )  # fmt: skip


def _renew_form() -> Any:
    buttons = html.Div(
        [
            _button("renew", words.RENEW_ACT, "button danger"),
            _button("certificate", words.RENEW_CERTIFICATE, "button danger"),
        ],
        className="device-buttons",
    )
    return _folded(words.RENEW, words.RENEW_LEAD, [buttons])


def _retire_form(code: str) -> Any:
    return _folded(words.RETIRE, words.RETIRE_LEAD, [_button("retire", f"{words.RETIRE_ACT} {code}", "button danger")])


def _act(title: str, content: list[Any]) -> Any:
    return html.Section([html.H2(title), *content], className="card device-act")


def _folded(title: str, lead: str, content: list[Any]) -> Any:
    """An act that cannot be taken back: opened first, confirmed by a button that says what it does."""
    inner = html.Details([html.Summary(title), html.Div([html.P(lead), *content])])
    return html.Section(inner, className="card device-act")


def _button(name: str, what: str, kind: str = "button") -> Any:
    return html.Button(what, id=f"device-act-{name}", type="button", className=kind, n_clicks=0)


async def find_patients(typed: str | None, chosen: str | None) -> Any:
    """The patients that somebody may mean, as they type; the one chosen stays among them."""
    if not may(identity.current(), Permission.SEE_PATIENTS) or len((typed or "").strip()) < 2:
        return no_update
    # what is chosen stands in the box as its label: the name, and after a comma where the patient is
    name = (typed or "").partition(",")[0]
    try:
        found = await device_list.patients_like(name)
        if chosen and chosen not in {str(p["patient_id"]) for p in found}:
            found += await device_list.patients_like(chosen)
        if found:
            await audit.looked_at("patients", what="search", patients=[p["patient_id"] for p in found])
    except UNREADABLE:
        return no_update
    return [
        {
            "value": str(p["patient_id"]),
            "label": f"{p['given_name']} {p['family_name']}, {p['site']} {p['room']}".strip(),
        }
        for p in found
    ]


async def do(logins: Logins | None, *given: Any) -> tuple[Any, Any, Any]:
    """Do what a button says, and show the device as it is then."""
    *_, device_id, patient, user, since, until, site = given
    name = str(ctx.triggered_id or "").removeprefix("device-act-")
    if name not in ACTS or not (ctx.triggered and ctx.triggered[0]["value"]):
        raise PreventUpdate  # a button that has come onto the page, not one that was pressed
    try:
        require(identity.current(), ACTS[name])
        body: list[Any] | Any = no_update
        made = await _do(acts(logins), name, int(device_id), patient, user, since, until, site)
        found = await device_list.one(int(device_id))
        if found is not None:
            body = await _body(found)
    except (DeviceError, BrokerError, NotPermittedError) as refused:
        return trouble(str(refused)), no_update, no_update
    except UNREADABLE:
        return trouble(words.NOT_STORED), no_update, no_update
    return words.CHANGED[name], device_parts.secret_card(made) if made else None, body


async def _do(
    doing: DeviceActs, name: str, device: int, patient: Any, user: Any, since: Any, until: Any, site: Any
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
    elif name == "retire":
        await doing.retire(device)
    else:
        return await doing.renew_login(device, certificate=name == "certificate")
    return None


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
        at = datetime.fromisoformat(tidy)
    except ValueError as wrong:
        raise DeviceError(words.NOT_A_TIME) from wrong
    zone = ZoneInfo((found or {}).get("time_zone") or DEFAULT_ZONE)
    return at if at.tzinfo else at.replace(tzinfo=zone)


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
        prevent_initial_call=True,
    )(pressed)

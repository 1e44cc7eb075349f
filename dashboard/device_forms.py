"""Which acts does a device's page offer to whom? Forms only; what they do is in `dashboard.device_acts`."""

from __future__ import annotations

from typing import Any
from zoneinfo import available_timezones

import dash_mantine_components as dmc
from dash import html

from dashboard.identity import Person
from dashboard.permissions import Permission, may
from dashboard.text import device_forms as more
from dashboard.text import devices as words

Row = dict[str, Any]
_ZONES = sorted(
    zone for zone in available_timezones() if "/" in zone and not zone.startswith(("Etc/", "posix", "right"))
)


def forms_for(person: Person, device: Row, sites: list[Row]) -> list[Any]:
    """Give the forms for what this person may do with a device."""
    assigns, manages = may(person, Permission.ASSIGN_DEVICES), may(person, Permission.MANAGE_DEVICES)
    sees = may(person, Permission.SEE_PATIENTS)
    forms: list[Any] = []
    if assigns and device["kind"] != "hub":
        forms += [_assign_form(sees), _unassign_form(bool(device["patients"]))]
    if assigns and sees and device["site_id"]:
        forms.append(_resident_form(device["site"]))
    if manages:
        options = [{"value": str(s["site_id"]), "label": s["name"]} for s in sites]
        forms += [
            _place_form(options, device["site_id"]),
            _zone_form(device["clock_zone"]),
            _renew_form(),
            _retire_form(device["code"]),
        ]
    return [form for form in forms if form is not None]


def _assign_form(sees_patients: bool) -> Any:
    patient = (
        _patient_box("device-patient", words.PATIENT)
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


def _resident_form(site: str) -> Any:
    return _act(
        more.RESIDENT,
        [
            html.P(more.RESIDENT_LEAD),
            _patient_box("device-resident", more.resident_at(site)),
            _button("resident", more.RESIDENT_ACT),
        ],
    )


def _zone_form(zone: str | None) -> Any:
    options = [{"value": "", "label": more.NO_ZONE}, *({"value": z, "label": z} for z in _ZONES)]
    return _act(
        more.ZONE,
        [
            html.P(more.ZONE_LEAD),
            dmc.Select(
                id="device-zone", label=more.ZONE_LABEL, data=options, value=zone or "", allowDeselect=False,
                searchable=True, limit=100,
            ),
            _button("zone", more.ZONE_ACT),
        ],
    )  # fmt: skip


def _patient_box(name: str, label: str) -> Any:
    return dmc.Select(
        id=name,
        label=label,
        placeholder=words.PATIENT_SEARCH,
        searchable=True,
        clearable=True,
        data=[],
        # the server has found them already, also by NHS number
        filter={"function": "showEveryOption"},
    )


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

"""How is a patient taken into care in under a minute, and moved or let go again?"""

from __future__ import annotations

from typing import Any

import dash_mantine_components as dmc
import psycopg
import psycopg_pool
from dash import Dash, Input, Output, State, dcc, html, no_update

from dashboard import audit, fields, identity, queries, registration, text
from dashboard.actions import NotThereError
from dashboard.fields import bad, good
from dashboard.permissions import NotPermittedError, Permission, may
from dashboard.registration import KnownPatientError, NewPatient, RefusedFieldError
from dashboard.shell import trouble
from dashboard.text import accounts as words

PATH = "/enrol"

_UNREADABLE = (psycopg.Error, psycopg_pool.PoolTimeout)
# the boxes in the order of the callback, by the field that a refusal names
BOXES = (
    "family_name", "given_name", "nhs_number", "born_on", "sex", "pregnant", "site", "room", "contact", "allergies",
    "resuscitation", "pathway", "target", "usual_news2", "devices",
)  # fmt: skip
_CHECKED = {"pregnant"}
_EMPTY: dict[str, Any] = dict.fromkeys(BOXES, "") | {"sex": "unknown", "pregnant": False}


def _id(field: str) -> str:
    return f"enrol-{field.replace('_', '-')}"


async def layout() -> Any:
    """The form, with the sites of the person at work."""
    if not may(identity.current(), Permission.REGISTER_PATIENTS):
        return _framed(trouble(text.NOT_ALLOWED))
    try:
        sites = [(str(s["site_id"]), s["name"]) for s in await queries.sites()]
    except _UNREADABLE:
        return _framed(trouble())
    return _framed(
        html.Div(
            [_who(), _where(sites), _care(), html.Div([fields.button("enrol-save", words.REGISTER)], className="wide")],
            className="form-grid card section",
        ),
        fields.said("enrol-said"),
    )


def _framed(*content: Any) -> Any:
    return html.Div(
        [html.Div(html.Div([html.H1(words.ENROL_TITLE), html.P(words.ENROL_LEAD)]), className="page-head"), *content],
        className="page form-page",
        id="main",
        tabIndex="-1",
    )


def _group(title: str, *boxes: Any) -> Any:
    return html.Fieldset(
        [html.Legend(html.H2(title)), html.Div(list(boxes), className="form-grid")], className="wide group"
    )


def _who() -> Any:
    return _group(
        words.WHO,
        fields.box(_id("given_name"), words.GIVEN_NAME, required=True, autoComplete="off"),
        fields.box(_id("family_name"), words.FAMILY_NAME, required=True, autoComplete="off"),
        fields.box(_id("born_on"), words.BORN_ON, words.BORN_HINT, required=True, debounce=True, autoComplete="off"),
        fields.box(_id("nhs_number"), words.NHS_NUMBER, words.NHS_HINT, debounce=True, autoComplete="off"),
        fields.choice(_id("sex"), words.SEX, list(words.SEX_WORDS.items()), "unknown"),
        dmc.Checkbox(id=_id("pregnant"), label=words.PREGNANT, checked=False, size="md", className="beside-a-label"),
    )


def _where(sites: list[tuple[str, str]]) -> Any:
    return _group(
        words.WHERE,
        fields.choice(
            _id("site"), words.SITE, sites, sites[0][0] if len(sites) == 1 else "", searchable=True, required=True
        ),
        fields.box(_id("room"), words.ROOM),
        html.Div(fields.box(_id("contact"), words.CONTACT, words.CONTACT_HINT, autoComplete="off"), className="wide"),
    )


def _care() -> Any:
    return _group(
        words.CARE,
        fields.choice(_id("pathway"), words.PATHWAY, [("", words.NO_PATHWAY)], "", words.PATHWAY_HINT),
        fields.choice(_id("target"), words.TARGET, [("", words.NO_TARGET)], ""),
        fields.box(_id("usual_news2"), words.USUAL_NEWS2, words.USUAL_HINT, inputProps={"inputMode": "numeric"}),
        fields.box(_id("devices"), words.DEVICES, words.DEVICES_HINT, autoComplete="off"),
        fields.box(_id("allergies"), words.ALLERGIES),
        fields.box(_id("resuscitation"), words.RESUSCITATION),
    )


async def offer_pathways(born_on: str | None, pregnant: bool | None, chosen: str | None) -> tuple[Any, Any]:
    """The pathways that are meant for somebody of this age."""
    try:
        found = await registration.pathways(fields.read_date(born_on or ""), pregnant=bool(pregnant))
    except (*_UNREADABLE, NotPermittedError):
        return no_update, no_update
    options = [{"value": "", "label": words.NO_PATHWAY}, *({"value": w["name"], "label": w["title"]} for w in found)]
    known = {option["value"] for option in options}
    return options, chosen if chosen in known else ""


async def offer_targets(pathway: str | None) -> tuple[Any, Any]:
    """The target saturations that the pathway's policy permits."""
    options = [{"value": "", "label": words.NO_TARGET}]
    try:
        known = {w["name"]: w for w in await registration.pathways()} if pathway else {}
    except (*_UNREADABLE, NotPermittedError):
        return no_update, no_update
    if pathway in known:
        pairs = registration.targets(known[pathway])
        options += [{"value": f"{low:g}-{high:g}", "label": f"{low:g}–{high:g} %"} for low, high in pairs]
    return options, ""


async def save(clicks: int | None, *given: Any) -> list[Any]:
    """Register, or say at the field what is wrong; afterwards the form is empty for the next one."""
    if not clicks:
        return [no_update] * (2 * len(BOXES) + 1)
    typed = dict(zip(BOXES, given, strict=True))
    try:
        patient = await registration.register(_read(typed))
    except RefusedFieldError as exc:
        return _outcome(await _refused(exc), {exc.field: str(exc)})
    except (NotPermittedError, NotThereError) as exc:
        return _outcome(bad(str(exc)))
    except _UNREADABLE:
        return _outcome(trouble())
    name = f"{typed['given_name']} {typed['family_name']}".strip()
    record = dcc.Link(words.OPEN_RECORD, href=f"/patients/{patient}")
    return _outcome(good(f"{name} {words.REGISTERED} ", record), values=_EMPTY | {"site": typed["site"]})


async def _refused(exc: RefusedFieldError) -> Any:
    if isinstance(exc, KnownPatientError) and exc.patient_id is not None:
        await audit.looked_at("patient", exc.patient_id, what="registration")
        link = dcc.Link(words.KNOWN_OPEN, href=f"/patients/{exc.patient_id}")
        return html.Div([f"{exc} ", link], className="outcome outcome-bad", role="alert")
    return bad(str(exc))


def _outcome(said: Any, errors: dict[str, str] | None = None, values: dict[str, Any] | None = None) -> list[Any]:
    wrong = errors or {}
    kept = [no_update if values is None else values[field] for field in BOXES]
    return [said, *(wrong.get(field) or False for field in BOXES), *kept]


def _read(typed: dict[str, Any]) -> NewPatient:
    """Turn what was typed into a registration, or say of which field it cannot be."""
    born_on = fields.read_date(typed["born_on"] or "")
    for field in ("given_name", "family_name"):
        if not (typed[field] or "").strip():
            raise RefusedFieldError(field, words.REQUIRED)
    if born_on is None:
        raise RefusedFieldError("born_on", words.NOT_A_DATE)
    if not typed["site"]:
        raise RefusedFieldError("site", words.REQUIRED)
    usual = (typed["usual_news2"] or "").strip()
    if usual and not (usual.isascii() and usual.isdigit() and int(usual) <= 20):
        raise RefusedFieldError("usual_news2", words.USUAL_HINT)
    target = tuple(float(part) for part in typed["target"].split("-")) if typed["target"] else None
    plain = ("family_name", "given_name", "nhs_number", "room", "contact", "allergies", "resuscitation", "pathway")
    return NewPatient(
        **{name: typed[name] or "" for name in plain},
        born_on=born_on,
        site=int(typed["site"]),
        sex=typed["sex"] or "unknown",
        pregnant=bool(typed["pregnant"]),
        target=None if target is None else (target[0], target[1]),
        usual_news2=int(usual) if usual else None,
        devices=tuple((typed["devices"] or "").replace(",", " ").split()),
    )


def _prop(field: str) -> str:
    return "checked" if field in _CHECKED else "value"


def register(app: Dash) -> None:
    """Wire the page."""
    app.callback(
        Output("enrol-said", "children"),
        *(Output(_id(field), "error") for field in BOXES),
        *(Output(_id(field), _prop(field)) for field in BOXES),
        Input("enrol-save", "n_clicks"),
        *(State(_id(field), _prop(field)) for field in BOXES),
        prevent_initial_call=True,
    )(save)
    app.callback(
        Output(_id("pathway"), "data"),
        Output(_id("pathway"), "value", allow_duplicate=True),
        Input(_id("born_on"), "value"),
        Input(_id("pregnant"), "checked"),
        State(_id("pathway"), "value"),
        prevent_initial_call="initial_duplicate",
    )(offer_pathways)
    app.callback(
        Output(_id("target"), "data"),
        Output(_id("target"), "value", allow_duplicate=True),
        Input(_id("pathway"), "value"),
        prevent_initial_call=True,
    )(offer_targets)

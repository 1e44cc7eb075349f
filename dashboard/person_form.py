"""How is an account made and changed: the drawer beside the list of people, its form and its acts?"""

from __future__ import annotations

from typing import Any
from urllib.parse import urlsplit

import dash_mantine_components as dmc
import psycopg
import psycopg_pool
from dash import ALL, Dash, Input, Output, State, ctx, dcc, html, no_update

from dashboard import fields, on_call_contacts, people, queries, text
from dashboard.actions import InvalidActionError, NotThereError
from dashboard.fields import bad, good
from dashboard.people import Entitlement, Link
from dashboard.permissions import NotPermittedError
from dashboard.shell import trouble
from dashboard.text import accounts as words
from dashboard.text import messages
from dashboard.wording import clock, zone_name

_FAILURES = (InvalidActionError, NotThereError, NotPermittedError)
_UNREADABLE = (psycopg.Error, psycopg_pool.PoolTimeout)


def drawer() -> Any:
    """The drawer, closed."""
    return dmc.Drawer(
        id="people-drawer",
        opened=False,
        position="right",
        size="md",
        title=words.ADD_PERSON,
        closeButtonProps={"aria-label": words.CLOSE},
        children=html.Div(id="people-form"),
    )


async def open_empty(clicks: int | None) -> tuple[Any, Any, Any]:
    """The form of a new account.

    A callback of its own: together with the buttons of the list, a list that arrives meanwhile would take it back.
    """
    if not clicks:
        return no_update, no_update, no_update
    try:
        sites = [(str(s["site_id"]), s["name"]) for s in await queries.sites()]
    except _UNREADABLE:
        return True, words.PEOPLE, trouble()
    return True, words.ADD_PERSON, _form(None, sites)


async def open_form(_: Any) -> tuple[Any, Any, Any]:
    """The form of the account whose button was pressed."""
    if not ctx.triggered or not ctx.triggered[0]["value"]:
        return no_update, no_update, no_update
    try:
        sites = [(str(s["site_id"]), s["name"]) for s in await queries.sites()]
        row = await people.account(int(ctx.triggered_id["account"]))
        row["contacts"] = await on_call_contacts.listed(row["account_id"])
    except _FAILURES as exc:
        return True, words.PEOPLE, bad(str(exc))
    except _UNREADABLE:
        return True, words.PEOPLE, trouble()
    return True, words.CHANGE_PERSON.format(name=row["name"]), _form(row, sites)


def _form(row: dict[str, Any] | None, sites: list[tuple[str, str]]) -> Any:
    chosen = [str(s) for s in row["site_ids"]] if row else []
    first = (
        [fields.box("person-sign-in", words.SIGN_IN_NAME, words.SIGN_IN_HINT, required=True)]
        if row is None
        else [html.P([f"{words.SIGN_IN_NAME}: ", html.Strong(row["sign_in"])]), _hidden("person-sign-in")]
    )
    return html.Div(
        [
            dcc.Store(id="person-id", data=row["account_id"] if row else None),
            *first,
            fields.box("person-name", words.NAME, value=row["name"] if row else "", required=True),
            fields.choice("person-role", words.ROLE, list(text.ROLES.items()), row["role"] if row else "carer"),
            dmc.Checkbox(id="person-all-sites", label=words.EVERY_SITE, checked=bool(row and row["all_sites"])),
            dmc.MultiSelect(
                id="person-sites",
                label=words.SITES,
                placeholder=words.CHOOSE_SITES,
                data=[{"value": key, "label": name} for key, name in sites],
                value=chosen,
                searchable=True,
                size="md",
            ),
            html.Div([fields.button("person-save", words.SAVE)], className="form-acts"),
            fields.said("person-said"),
            _contacts(row["account_id"], row["contacts"]) if row else None,
            _acts(row) if row else None,
        ],
        className="stack",
    )


def _contacts(account: int, found: list[dict[str, Any]]) -> Any:
    kinds = [(key, messages.WAYS[key]) for key in on_call_contacts.KINDS]
    return html.Section(
        [
            html.H3(words.CONTACTS),
            html.P(words.CONTACTS_LEAD, className="muted"),
            html.Div(_contact_list(account, found), id="person-contacts"),
            fields.choice("contact-kind", messages.KIND, kinds, "sms"),
            fields.box("contact-address", messages.ADDRESS, words.ADDRESS_HINT),
            html.Div([fields.button("contact-add", words.ADD_CONTACT, quiet=True)], className="form-acts"),
            fields.said("contact-said"),
        ],
        className="stack",
    )


def _contact_list(account: int, found: list[dict[str, Any]]) -> Any:
    if not found:
        return html.P(words.NO_CONTACTS)
    return html.Ul([html.Li(_contact(account, row)) for row in found])


def _contact(account: int, row: dict[str, Any]) -> list[Any]:
    state = words.NOT_CONFIRMED if row["verified_at"] is None else words.CONFIRMED
    if row["vouched_by"]:
        state = words.VOUCHED.format(name=row["vouched_by"])
    if not row["wanted"]:
        state += f", {words.NOT_WANTED}"
    remove = html.Button(
        words.REMOVE,
        id={"type": "contact-remove", "account": account, "contact": row["contact_id"]},
        className="button-small",
        type="button",
        n_clicks=0,
        **{"aria-label": f"{words.REMOVE}: {row['address']}"},
    )
    return [html.Strong(row["address"]), f" {state} ", remove]


async def change_contacts(
    _: Any, __: Any, account: int | None, kind: str | None, address: str | None
) -> tuple[Any, Any, Any]:
    """Enter an address of the person whose form is open, or take one away."""
    if not ctx.triggered or not ctx.triggered[0]["value"] or account is None:
        return no_update, no_update, no_update
    adds = ctx.triggered_id == "contact-add"
    try:
        if adds:
            await on_call_contacts.vouch(account, kind or "", (address or "")[:300])
        else:
            await on_call_contacts.remove(account, int(ctx.triggered_id["contact"]))
        shown = _contact_list(account, await on_call_contacts.listed(account))
    except _FAILURES as exc:
        return bad(str(exc)), no_update, no_update
    except _UNREADABLE:
        return trouble(), no_update, no_update
    return good(words.CONTACT_ADDED if adds else words.CONTACT_REMOVED), shown, "" if adds else no_update


def _hidden(name: str) -> Any:
    return dmc.TextInput(id=name, value="", style={"display": "none"})


def _acts(row: dict[str, Any]) -> Any:
    kinds = [("link", words.LINK)]
    if row["second_factor_at"] is not None:
        kinds.append(("factor", words.RESET_FACTOR))
    kinds.append(("enable", words.ENABLE) if row["disabled_at"] is not None else ("disable", words.DISABLE))
    known = [html.Li(f"{i['issuer']}: {i['subject']}") for i in row["identities"]]
    return html.Div(
        [
            html.Div(
                [fields.button({"type": "person-act", "act": kind}, label, quiet=True) for kind, label in kinds],
                className="form-acts",
            ),
            html.Details(
                [
                    html.Summary(words.PROVIDER_ACCOUNT),
                    html.Ul(known) if known else None,
                    fields.box("person-issuer", words.ISSUER),
                    fields.box("person-subject", words.SUBJECT, words.SUBJECT_HINT),
                    html.Div(
                        [fields.button({"type": "person-act", "act": "identity"}, words.LINK_IDENTITY, quiet=True)],
                        className="form-acts",
                    ),
                ]
            ),
        ],
        className="stack",
    )


async def save(
    clicks: int | None,
    account: int | None,
    sign_in: str | None,
    name: str | None,
    role: str | None,
    all_sites: bool | None,
    sites: list[str] | None,
    turn: int,
    href: str,
) -> tuple[Any, Any]:
    """Make or change the account, and say so."""
    if not clicks:
        return no_update, no_update
    entitlement = Entitlement(role or "", None if all_sites else tuple(int(s) for s in sites or ()))
    try:
        if account is None:
            _, link = await people.add(sign_in or "", name or "", entitlement)
            return await _link_said(link, name or "", href), turn + 1
        await people.change(account, name or "", entitlement)
    except _FAILURES as exc:
        return bad(str(exc)), no_update
    except _UNREADABLE:
        return trouble(), no_update
    return good(words.SAVED), turn + 1


async def act(
    _: Any, account: int | None, issuer: str | None, subject: str | None, name: str, turn: int, href: str
) -> tuple[Any, Any]:
    """Do one of the acts beside the form."""
    if not ctx.triggered or not ctx.triggered[0]["value"] or account is None:
        return no_update, no_update
    try:
        outcome = await _do(ctx.triggered_id["act"], account, issuer or "", subject or "", name, href)
    except _FAILURES as exc:
        return bad(str(exc)), no_update
    except _UNREADABLE:
        return trouble(), no_update
    return outcome, turn + 1


async def _do(kind: str, account: int, issuer: str, subject: str, name: str, href: str) -> Any:
    if kind == "link":
        return await _link_said(await people.make_link(account), name, href)
    if kind == "factor":
        await people.reset_second_factor(account)
        return good(words.FACTOR_RESET)
    if kind == "disable":
        await people.disable(account)
        return good(words.IS_DISABLED)
    if kind == "enable":
        await people.enable(account)
        return good(words.IS_ENABLED)
    await people.link_identity(account, issuer, subject)
    return good(words.LINKED)


async def _link_said(link: Link, name: str, href: str) -> Any:
    parts = urlsplit(href)
    address = f"{parts.scheme}://{parts.netloc}{people.link_path(link)}"
    zone = await queries.own_zone()
    until = clock(link.expires_at, zone, link.expires_at - people.LINK_VALID)
    until += f", {zone_name(zone, link.expires_at)}"
    return good(
        html.P(words.LINK_MADE.format(name=" ".join(name.split()), until=until)),
        html.P([html.Code(address, id="person-link"), " ", dcc.Clipboard(target_id="person-link", title=words.COPY)]),
    )


def register(app: Dash) -> None:
    """Wire the drawer."""
    app.callback(
        Output("contact-said", "children"),
        Output("person-contacts", "children"),
        Output("contact-address", "value"),
        Input("contact-add", "n_clicks"),
        Input({"type": "contact-remove", "account": ALL, "contact": ALL}, "n_clicks"),
        State("person-id", "data"),
        State("contact-kind", "value"),
        State("contact-address", "value"),
        prevent_initial_call=True,
    )(change_contacts)
    app.callback(
        Output("people-drawer", "opened"),
        Output("people-drawer", "title"),
        Output("people-form", "children"),
        Input({"type": "people-open", "account": ALL}, "n_clicks"),
        prevent_initial_call=True,
    )(open_form)
    app.callback(
        Output("people-drawer", "opened", allow_duplicate=True),
        Output("people-drawer", "title", allow_duplicate=True),
        Output("people-form", "children", allow_duplicate=True),
        Input("people-add", "n_clicks"),
        prevent_initial_call=True,
    )(open_empty)
    app.callback(
        Output("person-said", "children"),
        Output("people-turn", "data"),
        Input("person-save", "n_clicks"),
        State("person-id", "data"),
        State("person-sign-in", "value"),
        State("person-name", "value"),
        State("person-role", "value"),
        State("person-all-sites", "checked"),
        State("person-sites", "value"),
        State("people-turn", "data"),
        State("url", "href"),
        prevent_initial_call=True,
    )(save)
    app.callback(
        Output("person-said", "children", allow_duplicate=True),
        Output("people-turn", "data", allow_duplicate=True),
        Input({"type": "person-act", "act": ALL}, "n_clicks"),
        State("person-id", "data"),
        State("person-issuer", "value"),
        State("person-subject", "value"),
        State("person-name", "value"),
        State("people-turn", "data"),
        State("url", "href"),
        prevent_initial_call=True,
    )(act)

"""Who may sign in here, what may each of them do, and how do they get in?"""

from __future__ import annotations

from typing import Any
from urllib.parse import urlsplit

import dash_mantine_components as dmc
import psycopg
import psycopg_pool
from dash import ALL, Dash, Input, Output, State, ctx, dcc, html, no_update

from dashboard import fields, identity, people, queries, text
from dashboard.actions import InvalidActionError, NotThereError
from dashboard.fields import bad, good
from dashboard.people import Entitlement, Link
from dashboard.permissions import NotPermittedError, Permission, may
from dashboard.shell import icon, scrollable, trouble
from dashboard.text import accounts as words
from dashboard.wording import clock

PATH = "/people"
SHOWN = 50
ZONE = "Europe/London"
_FAILURES = (InvalidActionError, NotThereError, NotPermittedError)
_UNREADABLE = (psycopg.Error, psycopg_pool.PoolTimeout)


def layout() -> Any:
    """The page before its data."""
    roles = [("", words.ANY_ROLE), *text.ROLES.items()]
    return html.Div(
        [
            dcc.Store(id="people-turn", data=0),
            dcc.Store(id="settings-turn", data=0),
            html.Div(
                [
                    html.Div([html.H1(words.PEOPLE), html.P(words.PEOPLE_LEAD)]),
                    fields.button("people-add", words.ADD_PERSON),
                ],
                className="page-head",
            ),
            html.Div(
                [
                    dmc.TextInput(
                        id="people-search", label=words.PEOPLE_SEARCH, debounce=250, leftSection=icon("search")
                    ),
                    dmc.Select(
                        id="people-role",
                        label=words.ROLE,
                        data=[{"value": key, "label": label} for key, label in roles],
                        value="",
                        allowDeselect=False,
                    ),
                    dmc.Checkbox(id="people-disabled", label=words.SHOW_DISABLED, checked=False),
                ],
                className="filters",
            ),
            html.Div(html.Div(text.LOADING, className="loading-note"), id="people-list"),
            html.Div(id="people-settings"),
            dmc.Drawer(
                id="people-drawer",
                opened=False,
                position="right",
                size="md",
                title=words.ADD_PERSON,
                closeButtonProps={"aria-label": words.CLOSE},
                children=html.Div(id="people-form"),
            ),
        ],
        className="page",
        id="main",
        tabIndex="-1",
    )


async def fill(search: str | None, role: str | None, disabled: bool | None, _: Any) -> Any:
    """The list, or why there is none."""
    if not may(identity.current(), Permission.MANAGE_ACCOUNTS):
        return trouble(text.NOT_ALLOWED)
    try:
        found = await people.accounts((search or "")[:200], role or None, disabled=bool(disabled), limit=SHOWN)
    except _UNREADABLE:
        return trouble()
    if not found:
        return html.Div(words.NOBODY_MATCHES, className="card empty")
    more = found[0]["total"] - len(found)
    note = html.P(text.more_rows(more), className="empty") if more > 0 else None
    table = fields.table(words.PEOPLE_COLUMNS, [_row(row) for row in found])
    return html.Div([html.Div(scrollable(table, words.PEOPLE), className="card"), note])


def _row(row: dict[str, Any]) -> Any:
    state, kind = _state(row)
    button = html.Button(
        words.CHANGE,
        id={"type": "people-open", "account": row["account_id"]},
        className="button-small",
        type="button",
        n_clicks=0,
        **{"aria-label": words.CHANGE_PERSON.format(name=row["name"])},
    )
    return html.Tr(
        [
            html.Td(html.Strong(row["name"])),
            html.Td(row["sign_in"]),
            html.Td(text.ROLES.get(row["role"], row["role"]), className="tight"),
            html.Td(words.EVERY_SITE if row["all_sites"] else ", ".join(row["sites"])),
            html.Td(words.YES if row["second_factor_at"] else words.NO),
            html.Td(html.Span(state, className=f"state {kind}"), className="tight"),
            html.Td(button, className="number"),
        ]
    )


def _state(row: dict[str, Any]) -> tuple[str, str]:
    if row["disabled_at"] is not None:
        return words.DISABLED, "state-bad"
    if row["is_locked"]:
        return words.LOCKED, "state-bad"
    if row["link_expires_at"] is not None and row["password_changed_at"] is None and row["seen_at"] is None:
        return words.INVITED, ""
    return words.ACTIVE, "state-good"


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
            _acts(row) if row else None,
        ],
        className="stack",
    )


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
            return _link_said(link, name or "", href), turn + 1
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
        return _link_said(await people.make_link(account), name, href)
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


def _link_said(link: Link, name: str, href: str) -> Any:
    parts = urlsplit(href)
    address = f"{parts.scheme}://{parts.netloc}{people.link_path(link)}"
    until = clock(link.expires_at, ZONE, link.expires_at - people.LINK_VALID)
    return good(
        html.P(words.LINK_MADE.format(name=" ".join(name.split()), until=until)),
        html.P([html.Code(address, id="person-link"), " ", dcc.Clipboard(target_id="person-link", title=words.COPY)]),
    )


async def fill_settings(_: Any) -> Any:
    """How people sign in here: roles that need a second factor, and accounts by rule."""
    if not may(identity.current(), Permission.MANAGE_ACCOUNTS):
        return None
    try:
        roles, rules = await people.sign_in_rules()
        sites = [("", words.EVERY_SITE), *((str(s["site_id"]), s["name"]) for s in await queries.sites())]
    except _UNREADABLE:
        return trouble()
    given = [(key, label) for key, label in text.ROLES.items() if key != "administrator"]
    return html.Details(
        [
            html.Summary(words.SIGN_IN_SETTINGS),
            html.Div(
                [
                    dmc.MultiSelect(
                        id="factor-roles",
                        label=words.FACTOR_ROLES,
                        description=words.FACTOR_ROLES_HINT,
                        data=[{"value": key, "label": label} for key, label in text.ROLES.items()],
                        value=roles,
                        size="md",
                    ),
                    html.Div([fields.button("factor-save", words.SAVE)], className="form-acts"),
                    html.H2(words.RULES),
                    html.P(words.RULES_LEAD, className="muted"),
                    html.Ul([_rule(rule) for rule in rules]) if rules else html.P(words.NO_RULES),
                    html.Div(
                        [
                            fields.box("rule-issuer", words.ISSUER),
                            fields.box("rule-claim", words.CLAIM),
                            fields.box("rule-value", words.VALUE),
                            fields.choice("rule-role", words.ROLE, given, "carer"),
                            fields.choice("rule-site", words.SITES, sites),
                        ],
                        className="form-grid",
                    ),
                    html.Div([fields.button("rule-add", words.ADD_RULE, quiet=True)], className="form-acts"),
                    fields.said("settings-said"),
                ],
                className="stack section",
            ),
        ],
        className="card section",
        style={"marginTop": "16px"},
    )


def _rule(rule: dict[str, Any]) -> Any:
    said = f"{rule['claim']} = {rule['value']}: {text.ROLES[rule['role']]}, {rule['site'] or words.EVERY_SITE}"
    remove = html.Button(
        words.REMOVE,
        id={"type": "rule-remove", "rule": rule["rule_id"]},
        className="button-small",
        type="button",
        n_clicks=0,
        **{"aria-label": f"{words.REMOVE}: {said}"},
    )
    return html.Li([said, " ", remove])


async def save_settings(
    _: Any, __: Any, ___: Any, roles: list[str], issuer: str, claim: str, value: str, role: str, site: str, turn: int
) -> tuple[Any, Any]:
    """Keep the roles, add the rule, or take one away."""
    if not ctx.triggered or not ctx.triggered[0]["value"]:
        return no_update, no_update
    try:
        if ctx.triggered_id == "factor-save":
            await people.require_second_factor(roles or [])
            return good(words.SAVED), no_update
        if ctx.triggered_id == "rule-add":
            await people.add_rule(issuer or "", claim or "", value or "", role or "", int(site) if site else None)
        else:
            await people.remove_rule(int(ctx.triggered_id["rule"]))
    except _FAILURES as exc:
        return bad(str(exc)), no_update
    except _UNREADABLE:
        return trouble(), no_update
    return good(words.SAVED), turn + 1


def register(app: Dash) -> None:
    """Wire the page."""
    app.callback(
        Output("people-list", "children"),
        Input("people-search", "value"),
        Input("people-role", "value"),
        Input("people-disabled", "checked"),
        Input("people-turn", "data"),
    )(fill)
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
    app.callback(Output("people-settings", "children"), Input("settings-turn", "data"))(fill_settings)
    app.callback(
        Output("settings-said", "children"),
        Output("settings-turn", "data"),
        Input("factor-save", "n_clicks"),
        Input("rule-add", "n_clicks"),
        Input({"type": "rule-remove", "rule": ALL}, "n_clicks"),
        State("factor-roles", "value"),
        State("rule-issuer", "value"),
        State("rule-claim", "value"),
        State("rule-value", "value"),
        State("rule-role", "value"),
        State("rule-site", "value"),
        State("settings-turn", "data"),
        prevent_initial_call=True,
    )(save_settings)

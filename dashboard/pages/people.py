"""Who may sign in here, what may each of them do, and how do they get in?"""

from __future__ import annotations

from typing import Any

import dash_mantine_components as dmc
import psycopg
import psycopg_pool
from dash import Dash, Input, Output, dcc, html

from dashboard import fields, identity, people, person_form, sign_in_settings, text
from dashboard.permissions import Permission, may
from dashboard.shell import icon, scrollable, trouble
from dashboard.text import accounts as words

PATH = "/people"
SHOWN = 50
_UNREADABLE = (psycopg.Error, psycopg_pool.PoolTimeout)


def layout() -> Any:
    """The page before its data."""
    roles = [("", words.ANY_ROLE), *text.ROLES.items()]
    return html.Div(
        [
            dcc.Store(id="people-turn", data=0),
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
            sign_in_settings.frame(),
            person_form.drawer(),
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


def register(app: Dash) -> None:
    """Wire the page."""
    app.callback(
        Output("people-list", "children"),
        Input("people-search", "value"),
        Input("people-role", "value"),
        Input("people-disabled", "checked"),
        Input("people-turn", "data"),
    )(fill)
    person_form.register(app)
    sign_in_settings.register(app)

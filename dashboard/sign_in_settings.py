"""Which roles need a second factor, and who of a provider gets an account: how is that shown and changed?"""

from __future__ import annotations

from typing import Any

import dash_mantine_components as dmc
import psycopg
import psycopg_pool
from dash import ALL, Dash, Input, Output, State, ctx, dcc, html, no_update

from dashboard import fields, identity, queries, sign_in_rules, text
from dashboard.actions import InvalidActionError, NotThereError
from dashboard.fields import bad, good
from dashboard.permissions import NotPermittedError, Permission, may
from dashboard.shell import trouble
from dashboard.text import accounts as words

_FAILURES = (InvalidActionError, NotThereError, NotPermittedError)
_UNREADABLE = (psycopg.Error, psycopg_pool.PoolTimeout)


def frame() -> Any:
    """Where the settings stand, before they are read."""
    return html.Div([dcc.Store(id="settings-turn", data=0), html.Div(id="people-settings")])


async def fill_settings(_: Any) -> Any:
    """How people sign in here: roles that need a second factor, and accounts by rule."""
    if not may(identity.current(), Permission.MANAGE_ACCOUNTS):
        return None
    try:
        roles, rules = await sign_in_rules.read()
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
            await sign_in_rules.require_second_factor(roles or [])
            return good(words.SAVED), no_update
        if ctx.triggered_id == "rule-add":
            await sign_in_rules.add_rule(
                issuer or "", claim or "", value or "", role or "", int(site) if site else None
            )
        else:
            await sign_in_rules.remove_rule(int(ctx.triggered_id["rule"]))
    except _FAILURES as exc:
        return bad(str(exc)), no_update
    except _UNREADABLE:
        return trouble(), no_update
    return good(words.SAVED), turn + 1


def register(app: Dash) -> None:
    """Wire the settings."""
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

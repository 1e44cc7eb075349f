"""How does a clinician change a patient's own limits: see what is in force, try it on the past, give a reason?"""

from __future__ import annotations

from typing import Any

import dash_mantine_components as dmc
import psycopg
import psycopg_pool
from dash import ALL, Dash, Input, Output, State, dcc, html, no_update

from alerts.documents import Rule
from alerts.overrides import Override
from dashboard import own_limits, queries, text
from dashboard.actions import InvalidActionError
from dashboard.own_limits import Alerts, Preview
from dashboard.permissions import NotPermittedError
from dashboard.shell import trouble
from dashboard.text import patient as words
from schemas.episode import Severity
from schemas.vital_signs import BY_NAME

Row = dict[str, Any]
UNREADABLE = (psycopg.Error, psycopg_pool.PoolTimeout)


def section(patient: Row) -> Any:
    """The form, folded away: what is a person's own, beside what the policy says."""
    return html.Section(
        html.Details(
            [
                html.Summary(words.LIMITS),
                html.P(words.LIMITS_LEAD, className="muted"),
                *(_form(patient) if patient["document"] else [html.P(text.NOT_ENROLLED)]),
            ],
            id="patient-limits",
        ),
        className="card section",
    )


def _form(patient: Row) -> list[Any]:
    policy, own = own_limits.present(patient)
    rules = own_limits.changeable(policy)
    listed = [_rule(rule, own) for rule in rules] or [html.P(words.LIMITS_NONE, className="muted")]
    targets = [{"value": "", "label": words.AS_POLICY}] + [
        {"value": f"{t.lowest:g}-{t.highest:g}", "label": f"{t.lowest:g}–{t.highest:g} %"}
        for t in policy.document.target_saturation
    ]
    target = own.target_saturation
    chosen = f"{target.lowest:g}-{target.highest:g}" if target else ""
    return [
        dcc.Store(id="limits-version", data=patient["own_version"]),
        *listed,
        dmc.NumberInput(id="limits-usual", label=words.USUAL_NEWS2, min=0, max=20, size="sm",
                        value="" if own.usual_news2 is None else own.usual_news2),
        dmc.Select(id="limits-target", label=words.TARGET, data=targets, value=chosen, allowDeselect=False, size="sm"),
        dmc.TextInput(id="limits-reason", label=words.LIMITS_REASON, size="sm", inputProps={"maxLength": 1000}),
        html.Div(
            [
                html.Button(words.LIMITS_PREVIEW, id="limits-try", type="button", className="quiet-button"),
                html.Button(words.LIMITS_SAVE, id="limits-save", type="button", className="button"),
            ],
            className="panel-acts",
        ),
        html.Div(id="limits-said", role="status"),
    ]  # fmt: skip


def _rule(rule: Rule, own: Override) -> Any:
    stated = own.limits.get(rule.name)
    vital = BY_NAME.get(getattr(rule, "vital", ""))
    unit = f" [{vital.display_unit}]" if vital and vital.display_unit else ""
    inputs = []
    for severity in (Severity.YELLOW, Severity.AMBER, Severity.RED):
        shared = getattr(rule, severity.word, None)
        if shared is None:
            continue
        mine = getattr(stated, severity.word, None) if stated else None
        inputs.append(
            dmc.NumberInput(
                id={"kind": "limit", "name": f"{rule.name}.{severity.word}"},
                label=f"{text.SEVERITY[severity]} ({words.POLICY_SAYS} {shared:g})",
                value="" if mine is None else mine,
                size="sm",
            )
        )
    return html.Fieldset([html.Legend(rule.title + unit), *inputs], className="limit")


def _draft(values: list[Any], names: list[dict[str, str]], usual: Any, target: str | None) -> Override:
    given = {n["name"]: None if v in (None, "") else float(v) for n, v in zip(names, values, strict=True)}
    return own_limits.drafted(given, None if usual in (None, "") else int(usual), target)


async def try_out(
    _: Any, patient_id: int, values: list[Any], names: list[dict[str, str]], usual: Any, target: str | None
) -> Any:
    """What the last two weeks would have been."""
    try:
        found = await queries.patient(patient_id)
        if found is None or not found["document"]:
            return no_update
        return _preview(await own_limits.preview(found, _draft(values, names, usual, target)))
    except (InvalidActionError, ValueError) as exc:
        return html.P(str(exc), className="caution")
    except UNREADABLE:
        return trouble()


def _preview(found: Preview) -> Any:
    def row(label: str, alerts: Alerts) -> Any:
        cells = [html.Td(str(alerts.by_severity[s]), className="number") for s in _LEVELS]
        return html.Tr([html.Th(label, scope="row"), *cells, html.Td(str(alerts.total), className="number")])

    head = [html.Th("", scope="col"), *(html.Th(text.SEVERITY[s], scope="col") for s in _LEVELS)]
    return html.Table(
        [
            html.Caption(words.LIMITS_PREVIEW),
            html.Thead(html.Tr([*head, html.Th(words.ALERTS, scope="col")])),
            html.Tbody([row(words.NOW_RULES, found.now), row(words.DRAFT_RULES, found.draft)]),
        ],
        className="list preview",
    )


_LEVELS = (Severity.RED, Severity.AMBER, Severity.YELLOW)


async def save(
    _: Any, patient_id: int, values: list[Any], names: list[dict[str, str]], usual: Any, target: str | None,
    reason: str | None, before: int, acts: int,
) -> tuple[Any, Any, Any]:  # fmt: skip
    """Put the limits in force."""
    if not (reason or "").strip():
        return html.P(words.LIMITS_NEED_REASON, className="caution"), no_update, no_update
    try:
        version = await own_limits.put_in_force(patient_id, _draft(values, names, usual, target), reason or "", before)
    except (InvalidActionError, NotPermittedError, ValueError) as exc:
        return html.P(str(exc), className="caution"), no_update, no_update
    except UNREADABLE:
        return trouble(words.NOT_STORED), no_update, no_update
    if version is None:
        return html.P(text.UNKNOWN_PATIENT), no_update, no_update
    return html.P(words.LIMITS_SAVED), acts + 1, version


def register(app: Dash) -> None:
    """Wire the form."""
    form = (
        State("patient-id", "data"),
        State({"kind": "limit", "name": ALL}, "value"),
        State({"kind": "limit", "name": ALL}, "id"),
        State("limits-usual", "value"),
        State("limits-target", "value"),
    )
    app.callback(Output("limits-said", "children"), Input("limits-try", "n_clicks"), *form, prevent_initial_call=True)(
        try_out
    )
    app.callback(
        Output("limits-said", "children", allow_duplicate=True),
        Output("patient-acts", "data", allow_duplicate=True),
        Output("limits-version", "data"),
        Input("limits-save", "n_clicks"),
        *form,
        State("limits-reason", "value"),
        State("limits-version", "data"),
        State("patient-acts", "data"),
        prevent_initial_call=True,
    )(save)

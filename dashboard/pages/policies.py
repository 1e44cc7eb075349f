"""Which rules raise the alerts here, what did they say before, and how is a new version put in force?"""

from __future__ import annotations

from typing import Any

import psycopg
import psycopg_pool
from dash import ALL, Dash, Input, Output, State, ctx, dcc, html, no_update

from alerts import policy as documents
from alerts.documents import Document
from alerts.notation import PolicyError
from alerts.plain_words import Difference, RuleInWords, differences, in_words
from dashboard import fields, identity, policies, proposals, text
from dashboard.actions import InvalidActionError, NotThereError
from dashboard.fields import bad, good
from dashboard.permissions import NotPermittedError, Permission, may
from dashboard.shell import badge, scrollable, trouble
from dashboard.text import accounts as words
from dashboard.text import proposals as asking
from dashboard.wording import day
from schemas.episode import Severity

PATH = "/policies"

_FAILURES = (InvalidActionError, NotThereError, NotPermittedError)
_UNREADABLE = (psycopg.Error, psycopg_pool.PoolTimeout)
TEMPLATE, DRAFT = "template", "draft"
_SEVERITIES = {s.word: s for s in Severity}


def layout() -> Any:
    """The page before its data."""
    return html.Div(
        [
            dcc.Store(id="policies-turn", data=0),
            dcc.Store(id="policy-name"),
            dcc.Store(id="policy-begun"),
            *proposals.stores("policy"),
            html.Div(html.Div([html.H1(words.POLICIES), html.P(words.POLICIES_LEAD)]), className="page-head"),
            html.Div(
                [
                    html.Div(html.Div(text.LOADING, className="loading-note"), id="policies-list"),
                    proposals.question("policy", asking.NOT_IN_FORCE),
                    html.Div(id="policy-shown"),
                    _new_version() if may(identity.current(), Permission.PUBLISH_POLICIES) else None,
                ],
                className="stack",
            ),
        ],
        className="page",
        id="main",
        tabIndex="-1",
    )


def _new_version() -> Any:
    return html.Details(
        [
            html.Summary(words.NEW_VERSION),
            html.Div(
                [
                    html.P(words.NEW_VERSION_LEAD, className="muted"),
                    fields.lines("policy-document", words.DOCUMENT, className="code", maxRows=30, spellCheck=False),
                    html.Div(
                        [
                            fields.box("policy-author", words.AUTHOR, words.AUTHOR_HINT),
                            fields.box("policy-reason", words.REASON, words.REASON_HINT),
                        ],
                        className="form-grid",
                    ),
                    html.Div(
                        [
                            fields.button("policy-check", words.COMPARE, quiet=True),
                            fields.button("policy-publish", words.PUT_IN_FORCE),
                        ],
                        className="form-acts",
                    ),
                    html.Div(id="policy-said", role="status"),
                ],
                className="stack section",
            ),
        ],
        className="card section",
        id="policy-new",
    )


async def fill(_: Any) -> Any:
    """The policies in force, or why there is none."""
    if not may(identity.current(), Permission.SEE_POLICIES):
        return trouble(text.NOT_ALLOWED)
    try:
        found = await policies.policies()
    except _UNREADABLE:
        return trouble()
    if not found:
        return html.Div(words.NO_POLICIES, className="card empty")
    table = fields.table(words.POLICY_COLUMNS, [_row(row) for row in found])
    return html.Div(scrollable(table, words.POLICIES), className="card")


def _row(row: dict[str, Any]) -> Any:
    button = html.Button(
        words.READ,
        id={"type": "policy-open", "name": row["name"]},
        className="button-small",
        type="button",
        n_clicks=0,
        **{"aria-label": f"{words.READ}: {row['title']}"},
    )
    return html.Tr(
        [
            html.Td(html.Strong(row["title"])),
            html.Td(str(row["version"]), className="numeric"),
            html.Td(day(row["published_at"]), className="tight"),
            html.Td(row["author"]),
            html.Td(f"{row['enrolled']:,}", className="numeric"),
            html.Td(button, className="number"),
        ]
    )


async def choose(_: Any) -> tuple[Any, Any]:
    """Show the policy whose button was pressed, and take its document as the draft's beginning."""
    if not ctx.triggered or not ctx.triggered[0]["value"]:
        return no_update, no_update
    name = ctx.triggered_id["name"]
    try:
        found = await policies.versions(name)
    except _FAILURES as exc:
        return None, bad(str(exc))
    except _UNREADABLE:
        return None, trouble()
    return name, _shown(name, found)


async def fill_draft(name: str | None) -> Any:
    """The document in force, to be changed, and which version was the newest when that was begun."""
    if not name or not may(identity.current(), Permission.PUBLISH_POLICIES):
        return no_update
    try:
        found = await policies.versions(name)
        document = next(v["document"] for v in found if v["in_force"])
    except (*_FAILURES, *_UNREADABLE, StopIteration):
        return no_update
    begun = {"name": name, "version": found[0]["version"]}
    return proposals.proposal({"policy-document": document}, _title(document, name), begun)


def _title(document: str, name: str) -> str:
    try:
        return documents.parse(document).document.title
    except PolicyError:
        return name


def _shown(name: str, found: list[dict[str, Any]]) -> Any:
    current = next((v for v in found if v["in_force"]), found[0])
    try:
        document = documents.parse(current["document"]).document
    except PolicyError as exc:
        return bad(words.UNREADABLE.format(why=exc))
    options = [(str(v["version"]), f"{words.VERSION} {v['version']}, {day(v['published_at'])}") for v in found]
    if name in documents.shipped_names() or document.derived_from:
        options.append((TEMPLATE, words.TEMPLATE))
    return html.Section(
        [
            html.H2(document.title),
            html.Dl(_about(current, document), className="facts"),
            html.Details(
                [html.Summary(words.COMPARE), html.Div(_comparison(options, found), className="stack section")],
            )
            if len(options) > 1
            else None,
            html.H2(words.RULES_OF),
            html.Div([_rule(rule) for rule in in_words(document)]),
        ],
        className="card section stack",
        **{"aria-label": document.title},
    )


def _about(version: dict[str, Any], document: Document) -> list[Any]:
    meant = [f"{document.applies_to.lowest_age} years and over"] if document.applies_to.lowest_age else []
    if document.applies_to.pregnancy is not None:
        meant.append("in pregnancy" if document.applies_to.pregnancy else "not in pregnancy")
    facts = (
        (words.VERSION, str(version["version"])),
        (words.SINCE, day(version["published_at"])),
        (words.AUTHOR, version["author"]),
        (words.REASON, version["reason"]),
        (words.MEANT_FOR, ", ".join(meant) or words.EVERYBODY),
        (words.SOURCE, document.source),
    )
    return [html.Div([html.Dt(name), html.Dd(value)], className="fact") for name, value in facts]


def _comparison(options: list[tuple[str, str]], found: list[dict[str, Any]]) -> list[Any]:
    before = options[1][0]
    after = str(next((v["version"] for v in found if v["in_force"]), found[0]["version"]))
    return [
        html.Div(
            [
                fields.choice("compare-before", words.COMPARE, options, before),
                fields.choice("compare-after", words.COMPARE_WITH, options, after),
            ],
            className="form-grid",
        ),
        html.Div(id="compare-result"),
    ]


def _rule(rule: RuleInWords) -> Any:
    return html.Div(
        [
            html.H3(rule.title),
            html.Ul([html.Li([_severity(word), html.Span(when)]) for word, when in rule.when]),
            html.P(" ".join(rule.how)) if rule.how else None,
            html.P([html.Strong(f"{words.ADVICE}: "), rule.advice]) if rule.advice else None,
            html.P(f"{words.SOURCE}: {rule.source}", className="muted"),
        ],
        className="rule",
    )


def _severity(word: str) -> Any:
    level = _SEVERITIES.get(word)
    return html.Span(word, className="tag") if level is None else badge(int(level), word.capitalize())


async def compare(before: str | None, after: str | None, name: str | None) -> Any:
    """What one version says otherwise than another."""
    if not before or not after or not name:
        return no_update
    try:
        found = {str(v["version"]): v["document"] for v in await policies.versions(name)}
        read = [_document(found, which, name) for which in (before, after)]
    except PolicyError as exc:
        return bad(words.UNREADABLE.format(why=exc))
    except _FAILURES as exc:
        return bad(str(exc))
    except _UNREADABLE:
        return trouble()
    return _differences(differences(*read))


def _document(found: dict[str, str], which: str, name: str) -> Document:
    if which == TEMPLATE:
        newest = documents.parse(found[max(found, key=int)]).document
        template = documents.template_of(newest)
        if template is None:
            raise PolicyError(f"policy {name} has no template")
        return template.document
    return documents.parse(found[which]).document


def _differences(found: list[Difference]) -> Any:
    if not found:
        return html.P(words.SAME)
    rows = [
        html.Tr(
            [
                html.Td(d.rule or words.WHOLE_POLICY),
                html.Td(d.what),
                html.Td(html.Del(d.before) if d.before else "–", className="diff-before"),
                html.Td(html.Ins(d.after) if d.after else "–", className="diff-after"),
            ]
        )
        for d in found
    ]
    return scrollable(fields.table(words.DIFFERENCE_COLUMNS, rows), words.COMPARE)


async def publish(
    _: Any,
    __: Any,
    document: str | None,
    author: str | None,
    reason: str | None,
    begun: dict[str, Any] | None,
    turn: int,
) -> tuple[Any, ...]:
    """Say what the draft changes, or put it in force."""
    if not ctx.triggered or not ctx.triggered[0]["value"]:
        return (no_update,) * 5
    unchanged = (no_update,) * 4
    try:
        if ctx.triggered_id == "policy-check":
            return await _checked(document or ""), *unchanged
        after = await _newest(document or "", begun or {})
        name, version = await policies.publish(document or "", author=author or "", reason=reason or "", after=after)
    except PolicyError as exc:
        return bad(str(exc)), *unchanged
    except _FAILURES as exc:
        return bad(str(exc)), *unchanged
    except _UNREADABLE:
        return trouble(), *unchanged
    said = good(words.IN_FORCE_NOW.format(name=name, version=version))
    # what is in force may be replaced without a question
    return said, turn + 1, {"name": name, "version": version}, {"policy-document": document}, None


async def _newest(text_: str, begun: dict[str, Any]) -> int:
    """Say which version the draft was begun from: one that came since must be read first."""
    name = documents.parse(text_, file=words.DRAFT).document.name
    if begun.get("name") == name:
        return int(begun["version"])
    try:
        return int((await policies.versions(name))[0]["version"])
    except NotThereError:
        return 0


async def _checked(text_: str) -> Any:
    draft = documents.parse(text_, file=words.DRAFT).document
    try:
        current = next(v for v in await policies.versions(draft.name) if v["in_force"])
        found = differences(documents.parse(current["document"]).document, draft)
    except (NotThereError, StopIteration):
        found = []
    said = words.IS_VALID.format(count=len(draft.rules), changes=len(found))
    return html.Div([good(said), _differences(found), html.Div([_rule(rule) for rule in in_words(draft)])])


def register(app: Dash) -> None:
    """Wire the page."""
    app.callback(Output("policies-list", "children"), Input("policies-turn", "data"))(fill)
    app.callback(
        Output("policy-name", "data"),
        Output("policy-shown", "children"),
        Input({"type": "policy-open", "name": ALL}, "n_clicks"),
        prevent_initial_call=True,
    )(choose)
    app.callback(
        Output("policy-proposed", "data"),
        Input("policy-name", "data"),
        prevent_initial_call=True,
    )(fill_draft)
    proposals.register(app, "policy", ["policy-document"], [Output("policy-begun", "data")])
    app.callback(
        Output("compare-result", "children"),
        Input("compare-before", "value"),
        Input("compare-after", "value"),
        State("policy-name", "data"),
    )(compare)
    app.callback(
        Output("policy-said", "children"),
        Output("policies-turn", "data"),
        Output("policy-begun", "data", allow_duplicate=True),
        Output("policy-written", "data"),
        Output("policy-proposed", "data", allow_duplicate=True),
        Input("policy-check", "n_clicks"),
        Input("policy-publish", "n_clicks"),
        State("policy-document", "value"),
        State("policy-author", "value"),
        State("policy-reason", "value"),
        State("policy-begun", "data"),
        State("policies-turn", "data"),
        prevent_initial_call=True,
    )(publish)

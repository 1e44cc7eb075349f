"""Who looked at whom, who changed what, and is the record of it as it was written?"""

from __future__ import annotations

import csv
import io
import json
from datetime import UTC, date, datetime, time, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import psycopg
import psycopg_pool
from dash import Dash, Input, Output, State, dcc, html, no_update

from dashboard import audit, emergency, fields, identity, people, text
from dashboard.audit import Search
from dashboard.fields import bad, good
from dashboard.permissions import Permission, may
from dashboard.shell import scrollable, trouble
from dashboard.text import accounts as words
from dashboard.wording import clock

PATH = "/audit"

SHOWN = 100
IN_A_FILE = 10_000
ZONE = "Europe/London"
_UNREADABLE = (psycopg.Error, psycopg_pool.PoolTimeout)


async def layout() -> Any:
    """The page with its filters, before the entries."""
    if not may(identity.current(), Permission.SEE_AUDIT):
        return _framed(trouble(text.NOT_ALLOWED))
    try:
        known = [("", words.ANYTHING), *((a, _plain(a)) for a in await audit.actions_known())]
        who = [("", words.ANYBODY), *((str(p["account_id"]), p["name"]) for p in await people.names())]
    except _UNREADABLE:
        return _framed(trouble())
    return _framed(
        html.Div(
            [
                fields.choice("audit-account", words.BY_WHOM, who, searchable=True),
                fields.choice("audit-action", words.ACTION, known, searchable=True),
                fields.box("audit-patient", words.ABOUT_PATIENT, debounce=300, inputProps={"inputMode": "numeric"}),
                fields.box("audit-from", words.FROM_DAY, debounce=300, placeholder="6 5 2026"),
                fields.box("audit-to", words.TO_DAY, debounce=300, placeholder="6 5 2026"),
            ],
            className="filters",
        ),
        html.Div(
            [
                fields.button("audit-verify", words.VERIFY, quiet=True),
                fields.button("audit-csv", words.CSV, quiet=True),
                dcc.Download(id="audit-file"),
            ],
            className="form-acts",
        ),
        fields.said("audit-said"),
        html.Div(html.Div(text.LOADING, className="loading-note"), id="audit-list", style={"marginTop": "12px"}),
        html.Div(id="audit-emergencies"),
    )


def _framed(*content: Any) -> Any:
    return html.Div(
        [
            dcc.Store(id="audit-before"),
            html.Div(html.Div([html.H1(words.AUDIT), html.P(words.AUDIT_LEAD)]), className="page-head"),
            *content,
        ],
        className="page",
        id="main",
        tabIndex="-1",
    )


def _search(account: str, action: str, patient: str, since: str, until: str) -> Search:
    digits = "".join((patient or "").split())
    first, last = fields.read_date(since or ""), fields.read_date(until or "")
    return Search(
        account=int(account) if account else None,
        patient=int(digits) if digits.isascii() and digits.isdigit() and len(digits) < 10 else None,
        action=action or None,
        since=None if first is None else _midnight(first),
        until=None if last is None else _midnight(last + timedelta(days=1)),
    )


def _midnight(day: date) -> datetime:
    return datetime.combine(day, time(), ZoneInfo(ZONE)).astimezone(UTC)


async def fill(account: str, action: str, patient: str, since: str, until: str, before: int | None) -> Any:
    """The entries that match, the latest first."""
    if not may(identity.current(), Permission.SEE_AUDIT):
        return trouble(text.NOT_ALLOWED)
    try:
        found = await audit.entries(_search(account, action, patient, since, until), SHOWN + 1, before)
    except _UNREADABLE:
        return trouble()
    if not found:
        return html.Div(words.NO_ENTRIES, className="card empty")
    now = datetime.now(UTC)
    table = fields.table(words.AUDIT_COLUMNS, [_row(entry, now) for entry in found[:SHOWN]])
    more = len(found) > SHOWN
    return html.Div(
        [
            html.Div(scrollable(table, words.AUDIT), className="card"),
            html.Div(
                [
                    fields.button("audit-earlier", words.EARLIER, quiet=True),
                    dcc.Store(id="audit-last", data=found[SHOWN - 1]["audit_id"] if more else None),
                ],
                className="form-acts",
                style={} if more else {"display": "none"},
            ),
        ]
    )


def _row(entry: dict[str, Any], now: datetime) -> Any:
    kind, _, number = entry["object"].replace(":", "/").partition("/")
    about: Any = f"{_plain(kind)} {number}".strip()
    detail = ", ".join(f"{_plain(name)}: {_value(value)}" for name, value in entry["detail"].items() if value != "")
    return html.Tr(
        [
            html.Td(clock(entry["at"], ZONE, now), className="tight"),
            html.Td(entry["account"] or words.COMMAND_LINE),
            html.Td(_plain(entry["action"])),
            html.Td(about),
            html.Td(html.Div(detail, className="detail")),
        ]
    )


def _value(value: Any) -> str:
    if isinstance(value, dict):
        return ", ".join(f"{_plain(name).lower()} {inner}" for name, inner in value.items())[:200] or "–"
    if isinstance(value, list):
        return ", ".join(map(str, value[:20])) + (" …" if len(value) > 20 else "")
    return str(value)[:200]


def _plain(name: str) -> str:
    return name.replace("_", " ").capitalize()


async def earlier(clicks: int | None, last: int | None) -> Any:
    """Go on to the entries before those that are shown."""
    return last if clicks and last else no_update


async def back_to_the_latest(*_: Any) -> None:
    """Another search begins with the latest entries."""
    return


async def verify(clicks: int | None) -> Any:
    """Walk along the chain and say what was found."""
    if not clicks:
        return no_update
    try:
        found = await audit.verify_own()
    except _UNREADABLE:
        return trouble()
    if found.intact:
        return good(words.INTACT.format(entries=f"{found.entries:,}", hash=found.last_hash or "none"))
    return bad(words.BROKEN.format(entry=found.first_broken, entries=f"{found.entries:,}"))


async def download(clicks: int | None, *given: str) -> Any:
    """The entries that match as a file."""
    if not clicks:
        return no_update
    try:
        found = await audit.entries(_search(*given), IN_A_FILE)
    except _UNREADABLE:
        return no_update
    return {"content": _csv(found), "filename": "homeward-audit.csv", "type": "text/csv", "base64": False}


def _csv(found: list[dict[str, Any]]) -> str:
    file = io.StringIO()
    writer = csv.writer(file)
    writer.writerow(("audit_id", "at", "account_id", "account", "action", "object", "detail", "hash"))
    for entry in found:
        plain = [entry["audit_id"], entry["at"].isoformat(), entry["account_id"], entry["account"], entry["action"]]
        row = [*plain, entry["object"], json.dumps(entry["detail"]), entry["hash"]]
        writer.writerow([_harmless(value) for value in row])
    return file.getvalue()


def _harmless(value: Any) -> Any:
    """Keep a spreadsheet from taking text for a formula."""
    return f"'{value}" if isinstance(value, str) and value.startswith(("=", "+", "-", "@", "\t", "\r")) else value


async def fill_emergencies(_: Any) -> Any:
    """Whom clinicians opened in an emergency: loud, because it should be rare."""
    if not may(identity.current(), Permission.SEE_AUDIT):
        return None
    try:
        found = await emergency.accesses(limit=50)
    except _UNREADABLE:
        return trouble()
    if not found:
        return None
    now = datetime.now(UTC)
    rows = [
        html.Tr(
            [
                html.Td(clock(e["started_at"], ZONE, now), className="tight"),
                html.Td(e["account"]),
                html.Td(str(e["patient_id"])),
                html.Td(e["reason"]),
                html.Td(clock(e["expires_at"], ZONE, now), className="tight"),
            ]
        )
        for e in found
    ]
    return html.Section(
        [html.H2(words.EMERGENCIES), scrollable(fields.table(words.EMERGENCY_COLUMNS, rows), words.EMERGENCIES)],
        className="card section stack",
        style={"marginTop": "16px"},
    )


def register(app: Dash) -> None:
    """Wire the page."""
    filters = [("audit-account", "value"), ("audit-action", "value"), ("audit-patient", "value"),
               ("audit-from", "value"), ("audit-to", "value")]  # fmt: skip
    app.callback(Output("audit-list", "children"), *(State(*f) for f in filters), Input("audit-before", "data"))(fill)
    app.callback(Output("audit-before", "data"), *(Input(*f) for f in filters), prevent_initial_call=True)(
        back_to_the_latest
    )
    app.callback(
        Output("audit-before", "data", allow_duplicate=True),
        Input("audit-earlier", "n_clicks"),
        State("audit-last", "data"),
        prevent_initial_call=True,
    )(earlier)
    app.callback(Output("audit-said", "children"), Input("audit-verify", "n_clicks"), prevent_initial_call=True)(verify)
    app.callback(
        Output("audit-file", "data"),
        Input("audit-csv", "n_clicks"),
        *(State(*f) for f in filters),
        prevent_initial_call=True,
    )(download)
    app.callback(Output("audit-emergencies", "children"), Input("audit-emergencies", "id"))(fill_emergencies)

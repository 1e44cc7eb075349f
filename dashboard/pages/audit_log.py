"""Who looked at whom, who changed what, and is the record of it as it was written?"""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Sequence
from datetime import UTC, date, datetime, time, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import psycopg
import psycopg_pool
from dash import Dash, Input, Output, State, ctx, dcc, html, no_update

from dashboard import audit, audit_words, emergency, fields, identity, people, text
from dashboard.audit import Search
from dashboard.audit_words import Names
from dashboard.fields import bad, good
from dashboard.permissions import Permission, may
from dashboard.shell import scrollable, trouble
from dashboard.text import accounts
from dashboard.text import audit as words
from dashboard.wording import clock, zone_name
from schemas import nhs_number

PATH = "/audit"

SHOWN = 50
IN_A_FILE = 10_000
ZONE = "Europe/London"
_NUMBER_DIGITS = 9
_UNREADABLE = (psycopg.Error, psycopg_pool.PoolTimeout)


class _Unreadable(ValueError):
    """A filter says nothing that can be looked for; the message is for the person."""


async def layout() -> Any:
    """The page with its filters, before the entries."""
    if not may(identity.current(), Permission.SEE_AUDIT):
        return _framed(trouble(text.NOT_ALLOWED))
    try:
        known = sorted((words.action(a), a) for a in await audit.actions_known())
        who = [("", words.ANYBODY), *((str(p["account_id"]), p["name"]) for p in await people.names())]
    except _UNREADABLE:
        return _framed(trouble())
    what = [("", words.ANYTHING), *((name, said) for said, name in known)]
    return _framed(
        html.Div(
            [
                fields.choice("audit-account", words.BY_WHOM, who, searchable=True),
                fields.choice("audit-action", words.ACTION, what, searchable=True),
                fields.box("audit-patient", words.ABOUT_PATIENT, words.PATIENT_HINT, debounce=400, autoComplete="off"),
                fields.box("audit-from", words.FROM_DAY, text.DAY_HINT, debounce=400, autoComplete="off"),
                fields.box("audit-to", words.TO_DAY, text.DAY_HINT, debounce=400, autoComplete="off"),
            ],
            className="filters audit-filters",
        ),
        html.Div(
            [
                fields.button("audit-verify", words.VERIFY, quiet=True),
                fields.button("audit-csv", words.CSV, quiet=True),
                dcc.Download(id="audit-file"),
            ],
            className="form-acts audit-acts",
        ),
        fields.said("audit-said"),
        html.Div(html.Div(text.LOADING, className="loading-note"), id="audit-list", className="audit-list"),
        html.Div(id="audit-emergencies"),
    )


def _framed(*content: Any) -> Any:
    lead = words.LEAD.format(zone=zone_name(ZONE, datetime.now(UTC)))
    return html.Div(
        [
            # after which entries the pages before this one began: empty on the first
            dcc.Store(id="audit-before", data=[]),
            html.Div(html.Div([html.H1(words.AUDIT), html.P(lead)]), className="page-head"),
            *content,
        ],
        className="page",
        id="main",
        tabIndex="-1",
    )


async def _search(account: str, action: str, patient: str, since: str, until: str) -> Search:
    first, last = _day(since), _day(until)
    if first is not None and last is not None and last < first:
        raise _Unreadable(words.BACKWARDS)
    return Search(
        account=int(account) if account and account.isascii() and account.isdigit() else None,
        patient=await _patient(patient or ""),
        action=action or None,
        since=None if first is None else _midnight(first),
        until=None if last is None else _midnight(last + timedelta(days=1)),
    )


def _day(given: str) -> date | None:
    if not (given or "").strip():
        return None
    found = fields.read_date(given)
    if found is None:
        raise _Unreadable(text.NOT_A_DAY)
    return found


async def _patient(given: str) -> int | None:
    """Read an NHS number, or the number that a patient has here."""
    digits = "".join(given.replace("-", " ").split())
    if not digits:
        return None
    if not (digits.isascii() and digits.isdigit()):
        raise _Unreadable(words.NOT_A_NUMBER)
    if len(digits) <= _NUMBER_DIGITS:
        return int(digits)
    try:
        found = await audit.patient_of_nhs_number(nhs_number.read(digits))
    except ValueError as exc:
        raise _Unreadable(str(exc)) from exc
    if found is None:
        raise _Unreadable(words.NOBODY)
    return found


def _midnight(day: date) -> datetime:
    return datetime.combine(day, time(), ZoneInfo(ZONE)).astimezone(UTC)


async def fill(account: str, action: str, patient: str, since: str, until: str, before: list[int] | None) -> Any:
    """The entries that match, the latest first."""
    if not may(identity.current(), Permission.SEE_AUDIT):
        return trouble(text.NOT_ALLOWED)
    starts = before if isinstance(before, list) else []
    try:
        search = await _search(account, action, patient, since, until)
        found = await audit.entries(search, SHOWN + 1, int(starts[-1]) if starts else None)
        names = await audit.names_of(audit_words.numbers(found[:SHOWN]))
    except _Unreadable as exc:
        return bad(str(exc))
    except _UNREADABLE:
        return trouble()
    if not found:
        return html.Div(words.NO_ENTRIES, className="card empty")
    table = _table(found[:SHOWN], names, search.patient)
    return html.Div([html.Div(scrollable(table, words.AUDIT), className="card"), _ways(found, starts)])


def _table(entries: Sequence[dict[str, Any]], names: Names, patient: int | None) -> Any:
    now = datetime.now(UTC)
    return fields.table(words.COLUMNS, [_row(entry, names, now, patient) for entry in entries])


def _ways(found: Sequence[dict[str, Any]], starts: Sequence[int]) -> Any:
    """To the entries before and after these; who presses a button that is not needed any more finds it hidden."""
    more, first = len(found) > SHOWN, not starts
    return html.Div(
        [
            html.Span(fields.button("audit-later", words.LATER, quiet=True), hidden=first),
            html.Span(fields.button("audit-earlier", words.EARLIER, quiet=True), hidden=not more),
            html.Span(words.PAGE.format(number=len(starts) + 1), className="muted", hidden=first and not more),
            dcc.Store(id="audit-last", data=found[SHOWN - 1]["audit_id"] if more else None),
        ],
        className="form-acts audit-ways",
    )


def _row(entry: dict[str, Any], names: Names, now: datetime, patient: int | None) -> Any:
    told = audit_words.tell(entry, names, ZONE, now, patient)
    about = html.A(told.about, href=f"/patients/{told.patient}") if told.patient else told.about
    return html.Tr(
        [
            html.Td(clock(entry["at"], ZONE, now), className="tight"),
            html.Td(entry["account"] or words.COMMAND_LINE),
            html.Td(told.action),
            html.Td(about),
            html.Td(html.Div(told.details, className="detail")),
        ]
    )


async def turn(_: int | None, __: int | None, last: int | None, before: list[int] | None) -> Any:
    """Go on to the entries before those that are shown, or back to those after."""
    starts = before if isinstance(before, list) else []
    if not ctx.triggered or not ctx.triggered[0]["value"]:
        return no_update
    if ctx.triggered_id == "audit-later":
        return starts[:-1]
    return [*starts, last] if last else no_update


async def back_to_the_latest(*_: Any) -> list[int]:
    """Another search begins with the latest entries."""
    return []


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


async def download(clicks: int | None, *given: str) -> tuple[Any, Any]:
    """The entries that match as a file, and how many those are."""
    if not clicks:
        return no_update, no_update
    try:
        found = await audit.entries(await _search(*given), IN_A_FILE + 1, action="exported")
        names = await audit.names_of(audit_words.numbers(found[:IN_A_FILE]))
    except _Unreadable as exc:
        return no_update, bad(str(exc))
    except _UNREADABLE:
        return no_update, trouble()
    said = words.CUT if len(found) > IN_A_FILE else words.DOWNLOADED
    entries = found[:IN_A_FILE]
    file = {"content": _csv(entries, names), "filename": "homeward-audit.csv", "type": "text/csv", "base64": False}
    return file, good(said.format(count=f"{len(entries):,}"))


def _csv(found: Sequence[dict[str, Any]], names: Names) -> str:
    """Write both: what programs go by, and what people read."""
    file, now = io.StringIO(), datetime.now(UTC)
    writer = csv.writer(file)
    writer.writerow(("audit_id", "at", "account_id", "account", "action", "object", "detail", "hash", "what", "about"))
    for entry in found:
        told = audit_words.tell(entry, names, ZONE, now)
        plain = [entry["audit_id"], entry["at"].isoformat(), entry["account_id"], entry["account"], entry["action"]]
        row = [*plain, entry["object"], json.dumps(entry["detail"]), entry["hash"], told.action, told.about]
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
    try:
        names = await audit.names_of({"patient": [e["patient_id"] for e in found]})
    except _UNREADABLE:
        return trouble()
    now = datetime.now(UTC)
    rows = [
        html.Tr(
            [
                html.Td(clock(e["started_at"], ZONE, now), className="tight"),
                html.Td(e["account"]),
                html.Td(names.get(("patient", e["patient_id"])) or words.numbered("patient", e["patient_id"])),
                html.Td(e["reason"]),
                html.Td(clock(e["expires_at"], ZONE, now), className="tight"),
            ]
        )
        for e in found
    ]
    return html.Section(
        [html.H2(words.EMERGENCIES), scrollable(fields.table(accounts.EMERGENCY_COLUMNS, rows), words.EMERGENCIES)],
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
        Input("audit-later", "n_clicks"),
        State("audit-last", "data"),
        State("audit-before", "data"),
        prevent_initial_call=True,
    )(turn)
    app.callback(Output("audit-said", "children"), Input("audit-verify", "n_clicks"), prevent_initial_call=True)(verify)
    app.callback(
        Output("audit-file", "data"),
        Output("audit-said", "children", allow_duplicate=True),
        Input("audit-csv", "n_clicks"),
        *(State(*f) for f in filters),
        prevent_initial_call=True,
    )(download)
    app.callback(Output("audit-emergencies", "children"), Input("audit-emergencies", "id"))(fill_emergencies)

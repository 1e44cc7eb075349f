"""Who is on call this week and the next, where are the holes, and how is that changed?"""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, time, timedelta
from itertools import pairwise
from typing import Any
from zoneinfo import ZoneInfo

import psycopg
import psycopg_pool
from dash import ALL, Dash, Input, Output, State, dcc, html, no_update

from alerts import rota as rotas
from alerts.hours import DAY_MIN, DAYS
from alerts.rota import Rota, Span
from dashboard import escalations, identity, local_time, rota_form, text
from dashboard import message_parts as parts
from dashboard.actions import InvalidActionError
from dashboard.escalations import Setup
from dashboard.permissions import NotPermittedError, Permission, may
from dashboard.shell import trouble
from dashboard.text import messages as words
from dashboard.wording import clock, zone_name

PATH = "/messages/rotas"
_UNREADABLE = (psycopg.Error, psycopg_pool.PoolTimeout)


def layout() -> Any:
    """The page before its data."""
    return parts.page(
        PATH,
        words.ROTAS_LEAD,
        dcc.Store(id="rota-turn", data=0),
        dcc.Store(id="rota-version"),
        html.Div(parts.choice("rota-chosen", words.ROTA, {"": words.NEW_ROTA}, ""), className="m-row"),
        parts.loading("rota-shown"),
        html.Details([html.Summary(words.CHANGE_ROTA), html.Div(id="rota-form")], className="card section"),
        html.Div(id="rota-said"),
    )


async def fill_names(_: Any) -> tuple[Any, Any]:
    """The rotas there are; the first one is shown."""
    if not may(identity.current(), Permission.SET_UP_MESSAGES):
        return no_update, no_update
    try:
        names = sorted((await escalations.setup()).rotas)
    except _UNREADABLE:
        return no_update, no_update
    listed = [{"value": name, "label": name} for name in names]
    return [*listed, {"value": "", "label": words.NEW_ROTA}], names[0] if names else ""


async def fill(name: str | None, _: Any) -> tuple[Any, Any, Any]:
    """This week of a rota and the next, the form to change it, and of which version that is."""
    if not may(identity.current(), Permission.SET_UP_MESSAGES):
        return trouble(text.NOT_ALLOWED), None, None
    try:
        found = await escalations.setup()
    except _UNREADABLE:
        return trouble(), None, None
    row = found.rotas.get(name or "")
    if row is None:
        empty = None if found.rotas else html.Div(words.NO_ROTAS, className="card empty")
        return empty, rota_form.form(found, "", None), None
    rota, now = rotas.read(row["document"]), datetime.now(UTC)
    # twenty thousand minutes are looked at one by one
    days = await asyncio.to_thread(_two_weeks, rota, now)
    version = words.VERSION.format(
        version=row["version"],
        author=row["author"],
        at=clock(row["published_at"], rota.zone, now),
        reason=row["reason"],
    )
    shown = html.Div(
        [
            html.H2([words.WEEKS_OF.format(day=f"{days[0][0]:%-d %B}"), " "]),
            html.P(zone_name(rota.zone, now), className="muted"),
            html.Div([_day(found, day, spans, rota.zone) for day, spans in days], className="m-week"),
            _holes(rota),
            html.P(version, className="muted"),
        ],
        className="card section",
    )
    return shown, rota_form.form(found, row["name"], rota), row["version"]


def _two_weeks(rota: Rota, now: datetime) -> list[tuple[datetime, list[Span]]]:
    """Give the days of this week and the next, each with who is on call when: on a Sunday Monday is seen too."""
    zone = ZoneInfo(rota.zone)
    today = now.astimezone(zone).date()
    monday = today - timedelta(days=today.weekday())
    starts = [datetime.combine(monday + timedelta(days=n), time(), zone) for n in range(15)]
    return [
        (start, list(rotas.spans(rota, start.astimezone(UTC), end.astimezone(UTC)))) for start, end in pairwise(starts)
    ]


def _day(found: Setup, day: datetime, spans: list[Span], zone: str) -> Any:
    return html.Section(
        [
            html.H3([words.DAYS[DAYS[day.weekday()]][:3], f" {day.day}"]),
            html.Ul([html.Li(_span(found, span, zone)) for span in spans]),
        ],
        className="m-day",
    )


def _span(found: Setup, span: Span, zone: str) -> list[Any]:
    start, end = (at.astimezone(ZoneInfo(zone)) for at in (span.start, span.end))
    account = span.on_call.account
    person = found.people.get(account or 0)
    name = html.Span(words.NOBODY_ON_CALL, className="m-nobody") if person is None else html.Strong(person["name"])
    hint = f" ({words.OVERRIDE_MARK})" if span.on_call.is_override else ""
    begun = f"{start:%H:%M}{local_time.which(start, zone)}"
    until = "24:00" if end.time() == time() else f"{end:%H:%M}{local_time.which(end, zone)}"
    return [html.Div(f"{begun}–{until}{hint}", className="muted numeric"), name]


def _holes(rota: Rota) -> Any:
    holes = rotas.weekly_holes(rota)
    if not holes:
        return html.P(words.NO_HOLES, className="state state-good")
    return html.P(words.HOLES.format(holes="; ".join(_listed(holes))), className="m-nobody")


def _listed(holes: list[tuple[int, int]]) -> list[str]:
    """Write the holes; those of the same hours on several days as one."""
    days: dict[tuple[int, int], list[int]] = {}
    for start, end in holes:
        days.setdefault((start % DAY_MIN, end - start), []).append(start // DAY_MIN)
    listed = []
    for (start, length), on in days.items():
        if len(on) == 1:
            listed.append(f"{_minute(on[0] * DAY_MIN + start)} to {_minute(on[0] * DAY_MIN + start + length)}")
            continue
        named = words.EVERY_DAY if len(on) == len(DAYS) else ", ".join(words.DAYS[DAYS[day]][:3] for day in on)
        listed.append(f"{named} {_clock(start)} to {_clock(start + length)}")
    return listed


def _clock(minute: int) -> str:
    return f"{minute % DAY_MIN // 60:02}:{minute % 60:02}"


def _minute(of_week: int) -> str:
    day, minute = divmod(of_week, DAY_MIN)
    return f"{words.DAYS[DAYS[day % 7]]} {minute // 60:02}:{minute % 60:02}"


async def publish(
    clicks: int,
    name: str | None,
    reason: str | None,
    chosen: str | None,
    turn: int,
    version_before: int | None,
    values: list[Any],
    names: list[dict[str, Any]],
) -> tuple[Any, Any]:
    """Put the rota of the form in force."""
    if not clicks:
        return no_update, no_update
    given = {(n["part"], n["row"], n["field"]): value for n, value in zip(names, values, strict=True)}
    try:
        found = await escalations.setup()
        before = found.rotas.get(chosen or "")
        zone = rotas.read(before["document"]).zone if before else found.zone_of(None)
        # under another name it is another rota, whose versions are its own
        after = version_before if before and name == before["name"] else None
        version = await escalations.publish_rota(name or "", rota_form.document(given, zone), reason or "", after)
    except (InvalidActionError, NotPermittedError) as exc:
        return parts.said(str(exc), good=False), no_update
    except _UNREADABLE:
        return parts.said(words.FAILED, good=False), no_update
    return parts.said(words.PUBLISHED.format(version=version), good=True), turn + 1


def register(app: Dash) -> None:
    """Wire the page."""
    app.callback(Output("rota-chosen", "data"), Output("rota-chosen", "value"), Input("rota-turn", "data"))(fill_names)
    app.callback(
        Output("rota-shown", "children"),
        Output("rota-form", "children"),
        Output("rota-version", "data"),
        Input("rota-chosen", "value"),
        Input("rota-turn", "data"),
    )(fill)
    app.callback(
        Output("rota-said", "children"),
        Output("rota-turn", "data"),
        Input("rota-publish", "n_clicks"),
        State("rota-name", "value"),
        State("rota-reason", "value"),
        State("rota-chosen", "value"),
        State("rota-turn", "data"),
        State("rota-version", "data"),
        State({"type": "rota-field", "part": ALL, "row": ALL, "field": ALL}, "value"),
        State({"type": "rota-field", "part": ALL, "row": ALL, "field": ALL}, "id"),
        prevent_initial_call=True,
    )(publish)

"""Who is told of an alert at a site, tier by tier, what would happen at three on a Sunday, and how is that changed?"""

from __future__ import annotations

import asyncio
import re
from datetime import UTC, datetime, timedelta
from typing import Any, cast
from zoneinfo import ZoneInfo

import psycopg
import psycopg_pool
from dash import ALL, Dash, Input, Output, State, dcc, html, no_update

from alerts import ladder as ladders
from alerts.hours import DAYS, Day
from alerts.ladder import AddressReceiver, Ladder
from dashboard import escalations, identity, ladder_form, text
from dashboard import message_parts as parts
from dashboard.actions import InvalidActionError
from dashboard.escalations import Setup, Stage
from dashboard.permissions import NotPermittedError, Permission, may
from dashboard.reachable import Reached
from dashboard.shell import trouble
from dashboard.text import messages as words
from dashboard.wording import clock, zone_name
from schemas.episode import Severity

PATH = "/messages/ladders"
_UNREADABLE = (psycopg.Error, psycopg_pool.PoolTimeout)
_CLOCK = re.compile(r"([01]?\d|2[0-3]):([0-5]\d)\Z")
_SEVERITIES = {s.word: text.SEVERITY[s] for s in (Severity.RED, Severity.AMBER, Severity.YELLOW)}


def layout() -> Any:
    """The page before its data."""
    tried = html.Div(
        [
            html.H2(words.TRY),
            html.Div(
                [
                    parts.choice("try-severity", words.TRY_SEVERITY, _SEVERITIES, "red"),
                    parts.choice("try-day", words.TRY_DAY, words.DAYS, "sun"),
                    parts.box("try-time", words.TRY_TIME, "03:00"),
                ],
                className="m-row",
            ),
            html.Div(id="try-shown", role="status"),
        ],
        className="card section",
    )
    return parts.page(
        PATH,
        words.LADDERS_LEAD,
        dcc.Store(id="ladder-turn", data=0),
        dcc.Store(id="ladder-version"),
        html.Div(
            parts.choice("ladder-site", words.SITE, {"": words.ORGANISATION}, "", searchable=True), className="m-row"
        ),
        parts.loading("ladder-shown"),
        tried,
        html.Details([html.Summary(words.CHANGE_LADDER), html.Div(id="ladder-form")], className="card section"),
        html.Div(id="ladder-said"),
    )


async def fill_sites(_: Any) -> Any:
    """The sites that may have a ladder of their own."""
    if not may(identity.current(), Permission.SET_UP_MESSAGES):
        return no_update
    try:
        sites = (await escalations.setup()).sites
    except _UNREADABLE:
        return no_update
    own = [{"value": str(s["site_id"]), "label": s["name"]} for s in sites]
    return [{"value": "", "label": words.ORGANISATION}, *own]


async def fill(site: str | None, _: Any) -> tuple[Any, Any, Any]:
    """The ladder that holds for a site, the form to change it, and of which version of the site's own that is."""
    if not may(identity.current(), Permission.SET_UP_MESSAGES):
        return trouble(text.NOT_ALLOWED), None, None
    try:
        found = await escalations.setup()
    except _UNREADABLE:
        return trouble(), None, None
    chosen = int(site) if site else None
    row = found.ladder_for(chosen)
    if row is None:
        return none_in_force(found), ladder_form.form(found, None), 0
    ladder = ladders.read(row["document"])
    version = words.VERSION.format(
        version=row["version"],
        author=row["author"],
        at=clock(row["published_at"], found.zone_of(chosen), datetime.now(UTC)),
        reason=row["reason"],
    )
    falls_back = chosen is not None and row["site_id"] is None
    shown = html.Div(
        [
            html.P(words.FALLS_BACK, className="m-note") if falls_back else None,
            html.Ol([_tier(found, tier) for tier in ladder.tiers], className="m-ladder"),
            html.P(words.QUIET.format(hours=parts.hours_in_words(ladder.quiet))) if ladder.quiet else None,
            html.P(_repeat(ladder)),
            html.P(version, className="muted"),
        ],
        className="card section",
    )
    return shown, ladder_form.form(found, ladder), 0 if falls_back else row["version"]


def none_in_force(found: Setup) -> Any:
    """What stands where no ladder holds: whose alerts nobody is told of, for sites may have ladders of their own."""
    sites = [site["name"] for site in found.sites if found.ladder_for(site["site_id"]) is None]
    if found.sites and not sites:
        return html.P(words.NO_COMMON_LADDER, className="m-note")
    return trouble(words.no_ladder(sites))


def _repeat(ladder: Ladder) -> str:
    if ladder.repeat_min is None:
        return words.REPEAT_NONE
    return words.REPEAT.format(minutes=ladder.repeat_min)


def _tier(found: Setup, tier: ladders.Tier) -> Any:
    when = words.AFTER.format(minutes=tier.after_min) if tier.after_min else words.AT_ONCE
    severity = words.FROM_SEVERITY.format(severity=tier.severity)
    return html.Li(
        [
            html.Strong(tier.name),
            html.Div(f"{when}, {severity}, {parts.hours_in_words(tier.hours)}", className="muted"),
            html.Div(", ".join(_receiver(found, receiver) for receiver in tier.receivers)),
        ]
    )


def _receiver(found: Setup, receiver: ladders.Receiver) -> str:
    if isinstance(receiver, AddressReceiver):
        return receiver.address
    options = {option["value"]: option["label"] for option in ladder_form.receivers(found)}
    value = ladder_form.value_of(receiver)
    return options.get(value, words.REACHES_NOBODY)


async def try_out(site: str | None, severity: str, day: str, time: str | None, _: Any) -> Any:
    """Whom an alert would reach at an hour of the coming week."""
    at = _CLOCK.match((time or "").strip())
    if at is None:
        return parts.said(words.TRY_BAD_TIME, good=False)
    if not may(identity.current(), Permission.SET_UP_MESSAGES):
        return None
    try:
        found = await escalations.setup()
    except _UNREADABLE:
        return trouble()
    chosen = int(site) if site else None
    row = found.ladder_for(chosen)
    if row is None:
        return none_in_force(found)
    zone = found.zone_of(chosen)
    begun = _coming(cast("Day", day), int(at[1]), int(at[2]), zone, datetime.now(UTC))
    ladder: Ladder = ladders.read(row["document"])
    # a ladder whose tiers are all closed is looked through minute by minute
    stages = await asyncio.to_thread(escalations.preview, found, ladder, chosen, Severity.of(severity), begun)
    lead = words.TRY_LEAD.format(
        severity=severity, time=f"{begun.astimezone(ZoneInfo(zone)):%H:%M}", day=words.DAYS[day]
    )
    if not stages:
        return html.P(f"{lead} {words.TRY_NOBODY}", className="m-nobody")
    return html.Div(
        [
            html.P([lead, " ", html.Span(zone_name(zone, begun), className="muted")]),
            html.Ol([_stage(stage, zone) for stage in stages], className="m-ladder"),
            html.P(words.REPEAT_TRIED.format(tier=stages[-1].tier.name, minutes=ladder.repeat_min))
            if ladder.repeat_min
            else None,
        ]
    )


def _stage(stage: Stage, zone: str) -> Any:
    local = stage.at.astimezone(ZoneInfo(zone))
    reached = [_reached(one) for one in stage.reached]
    nobody = not any(one.ways for one in stage.reached)
    return html.Li(
        [
            html.Strong(f"{local:%a %H:%M}"),
            f" {stage.tier.name}: ",
            "; ".join(reached),
            html.Span(f" ({words.REACHES_NOBODY})", className="m-nobody") if nobody else None,
        ]
    )


def _reached(one: Reached) -> str:
    shown = ", ".join(words.WAYS[way].lower() for way in one.ways) or one.why
    return f"{one.name} ({shown})" if one.name else shown


def _coming(day: Day, hour: int, minute: int, zone: str, now: datetime) -> datetime:
    """Find the next such day of the zone's calendar; an hour that does not exist there is the one after it."""
    local = now.astimezone(ZoneInfo(zone))
    ahead = (DAYS.index(day) - local.weekday()) % 7
    wanted = (local + timedelta(days=ahead)).replace(hour=hour, minute=minute, second=0, microsecond=0, fold=0)
    return wanted.astimezone(UTC)


async def publish(
    clicks: int,
    site: str | None,
    reason: str | None,
    turn: int,
    before: int | None,
    values: list[Any],
    names: list[dict[str, Any]],
) -> tuple[Any, Any]:
    """Put the ladder of the form in force."""
    if not clicks:
        return no_update, no_update
    try:
        document = ladder_form.document({(n["tier"], n["field"]): v for n, v in zip(names, values, strict=True)})
        version = await escalations.publish_ladder(int(site) if site else None, document, reason or "", before)
    except (InvalidActionError, NotPermittedError) as exc:
        return parts.said(str(exc), good=False), no_update
    except _UNREADABLE:
        return parts.said(words.FAILED, good=False), no_update
    return parts.said(words.PUBLISHED.format(version=version), good=True), turn + 1


def register(app: Dash) -> None:
    """Wire the page."""
    app.callback(Output("ladder-site", "data"), Input("ladder-turn", "data"))(fill_sites)
    app.callback(
        Output("ladder-shown", "children"),
        Output("ladder-form", "children"),
        Output("ladder-version", "data"),
        Input("ladder-site", "value"),
        Input("ladder-turn", "data"),
    )(fill)
    app.callback(
        Output("try-shown", "children"),
        Input("ladder-site", "value"),
        Input("try-severity", "value"),
        Input("try-day", "value"),
        Input("try-time", "value"),
        Input("ladder-turn", "data"),
    )(try_out)
    app.callback(
        Output("ladder-said", "children"),
        Output("ladder-turn", "data"),
        Input("ladder-publish", "n_clicks"),
        State("ladder-site", "value"),
        State("ladder-reason", "value"),
        State("ladder-turn", "data"),
        State("ladder-version", "data"),
        State({"type": "ladder-field", "tier": ALL, "field": ALL}, "value"),
        State({"type": "ladder-field", "tier": ALL, "field": ALL}, "id"),
        prevent_initial_call=True,
    )(publish)

"""How are a device's standing, its past and its login put into words on the pages? No question is asked here."""

from __future__ import annotations

import json
from base64 import b64encode
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import quote

from dash import html

from dashboard import text
from dashboard.device_clock import clock_words
from dashboard.device_list import LOW_BATTERY
from dashboard.device_qr import qr_svg
from dashboard.shell import scrollable
from dashboard.text import device_clock as clock_text
from dashboard.text import device_forms as forms
from dashboard.text import devices as words
from dashboard.wording import ago, elapsed
from dashboard.wording import clock as time_words
from schemas.credentials import Credentials
from schemas.topic import topic_of

Row = dict[str, Any]
_LATELY = timedelta(days=1)


def row_of(device: Row, now: datetime) -> Row:
    """One row of the list."""
    last = device["last_observed_at"]
    stands, stands_kind = standing(device, now)
    charge, charge_kind = battery(device)
    time, time_kind = clock(device)
    one = device["patients"][0] if device["names"] and len(device["patients"]) == 1 else None
    return {
        "id": str(device["device_id"]),
        "code": device["code"],
        "href": f"/devices/{device['device_id']}",
        "kind": text.DEVICE_KINDS.get(device["kind"], device["kind"]),
        "patient": patients(device),
        "patient_href": f"/patients/{one}" if one else None,
        "site": device["site"] or "–",
        "hub": device["hub"] or "–",
        "standing": stands,
        "standing_kind": stands_kind,
        "battery": charge,
        "battery_kind": charge_kind,
        "clock": time,
        "clock_kind": time_kind,
        "last": ago((now - last).total_seconds()) if last else "–",
    }


def patients(device: Row) -> str:
    """Who has it: names, or numbers where this person sees no names."""
    if not device["patients"]:
        return "–"
    return ", ".join(device["names"] or [words.patient_number(number) for number in device["patients"]])


def standing(device: Row, now: datetime) -> tuple[str, str]:
    """Whether it is online, since when, and how that is to be marked."""
    if device["retired_at"]:
        return words.RETIRED, "off"
    if device["trouble"]:
        return words.UNREADABLE, "bad"
    if device["parked_at"] and now - device["parked_at"] < _LATELY:
        return words.FLOODS, "bad"
    if device["online"] is None:
        return words.SILENT, ""
    length = elapsed((now - device["since"]).total_seconds())
    return (f"{words.ONLINE} {length}", "good") if device["online"] else (f"{words.OFFLINE} {length}", "bad")


def battery(device: Row) -> tuple[str, str]:
    """How full its battery is."""
    charge = device["battery"]
    if charge is None:
        return "–", ""
    return (f"{charge} %, {words.LOW}", "bad") if charge <= LOW_BATTERY else (f"{charge} %", "")


def clock(device: Row) -> tuple[str, str]:
    """Whether its clock is right, as far as that is known."""
    told = clock_words(device["clock_unset"], device["skew_us"])
    return told, "" if told in (clock_text.RIGHT, clock_text.UNKNOWN) else "bad"


def facts_card(device: Row, now: datetime) -> Any:
    """Everything that is known of a device now."""
    stands, kind = standing(device, now)
    last = device["last_observed_at"]
    told = {
        "kind": text.DEVICE_KINDS.get(device["kind"], device["kind"]),
        "site": device["site"] or words.EVERYWHERE,
        "hub": device["hub"] or "–",
        "standing": html.Span(stands, className=f"state state-{kind}") if kind else stands,
        "battery": battery(device)[0],
        "firmware": device["firmware"] or "–",
        "clock": clock(device)[0],
        "clock_zone": device["clock_zone"] or "–",
        "last": ago((now - last).total_seconds()) if last else words.NEVER,
        "excess": _excess(device, now),
        "topic": topic_of(device["code"]),
    }
    trouble = html.P(device["trouble"], className="trouble") if device["trouble"] else None
    return html.Section(
        [html.H2(words.STANDING), facts([(words.FACTS[name], value) for name, value in told.items()]), trouble],
        className="card section",
    )


def _excess(device: Row, now: datetime) -> str:
    """How many of its messages had to wait because they were more than its share."""
    if not device["parked_at"]:
        return words.NO_EXCESS
    when = ago((now - device["parked_at"]).total_seconds())
    return words.excess(device["messages_parked"], device["messages_not_kept"], when)


def facts(told: Sequence[tuple[str, Any]]) -> Any:
    """A list of names and values."""
    return html.Dl([html.Div([html.Dt(name), html.Dd(value)]) for name, value in told], className="device-facts")


def past_card(assignments: Sequence[Row], zone: str) -> Any:
    """Whose a device was, the latest first."""
    rows = [
        (
            f"{a['given_name']} {a['family_name']}" if a["family_name"] else words.patient_number(a["patient_id"]),
            str(a["user"] or "–"),
            *_span(a, zone),
        )
        for a in assignments
    ]
    return _table(words.PAST, words.PAST_COLUMNS, rows, words.NEVER_ASSIGNED)


def places_card(placements: Sequence[Row], zone: str) -> Any:
    """Where a device was, the latest first."""
    return _table(
        words.PLACES, words.PLACE_COLUMNS, [(p["site"], *_span(p, zone)) for p in placements], words.NOT_PLACED
    )


def _span(row: Row, zone: str) -> tuple[str, str]:
    today = datetime.now(UTC)
    since = time_words(row["since"], zone, today) if row["since"] else words.ALWAYS
    return since, time_words(row["until"], zone, today) if row["until"] else words.STILL


def _table(title: str, columns: Sequence[str], rows: Sequence[Sequence[str]], empty: str) -> Any:
    if not rows:
        return html.Section([html.H2(title), html.P(empty, className="muted")], className="card section")
    head = html.Thead(html.Tr([html.Th(name, scope="col") for name in columns]))
    body = html.Tbody([html.Tr([html.Td(cell) for cell in row]) for row in rows])
    return html.Section(
        [html.H2(title), scrollable(html.Table([head, body], className="list"), title)], className="card section"
    )


def behind_hub_card(made: Credentials, hub: str) -> Any:
    """What to do with a device that its hub speaks for: it needs no login."""
    told = [(words.CODE, made.device), (words.FACTS["hub"], hub)]
    return html.Section(
        [html.H2(forms.REGISTERED), html.P(forms.behind_hub(hub)), facts(told)],
        className="card section",
        id="device-behind",
    )


def secret_card(made: Credentials) -> Any:
    """What a device needs to connect: the only time that anybody sees it."""
    told = {
        "address": f"{'mqtts' if made.tls else 'mqtt'}://{made.host}:{made.port}",
        "user": made.user,
        "password": made.password or (words.BY_CERTIFICATE if made.certificate else words.LOGIN_ELSEWHERE),
        "topic": made.topic,
        "status_topic": made.status_topic,
        "ca_sha256": made.ca_sha256 or "–",
    }
    svg = qr_svg(made)
    picture = f"data:image/svg+xml;base64,{b64encode(svg.encode()).decode()}" if svg else ""
    file = json.dumps(made.document(), indent=1)
    return html.Section(
        [
            html.H2(words.LOGIN),
            html.P(words.LOGIN_LEAD),
            html.Img(src=picture, alt=words.QR, id="device-qr") if svg else None,
            html.Div(
                [
                    facts([(words.LOGIN_FACTS[name], value) for name, value in told.items()]),
                    html.A(
                        words.DOWNLOAD,
                        href=f"data:application/json;charset=utf-8,{quote(file)}",
                        download=f"{made.device}.json",
                        className="button",
                    ),
                ],
                className="device-act",
            ),
        ],
        className="card device-secret",
        id="device-secret-card",
    )

"""How does a rota become a form of boxes, and the form a rota again?"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from dash import html

from alerts.hours import DAYS
from alerts.rota import Override, Rota, Shift
from dashboard import local_time
from dashboard import message_parts as parts
from dashboard.actions import InvalidActionError
from dashboard.escalations import Setup
from dashboard.local_time import LocalTimeError
from dashboard.text import messages as words

SPARE_SHIFTS, SPARE_EXCEPTIONS = 2, 1
Values = Mapping[tuple[str, int, str], Any]


def form(found: Setup, name: str, rota: Rota | None) -> Any:
    """The boxes, filled with the rota in force."""
    people = {str(number): person["name"] for number, person in found.people.items()}
    shifts = [*(rota.shifts if rota else ()), *[None] * SPARE_SHIFTS]
    exceptions = [*(rota.overrides if rota else ()), *[None] * SPARE_EXCEPTIONS]
    zone = rota.zone if rota else found.zone_of(None)
    return html.Div(
        [
            html.Div(parts.box("rota-name", words.ROTA_NAME, name), className="m-row"),
            *[_shift(number, shift, people) for number, shift in enumerate(shifts)],
            *[_exception(number, given, people, zone) for number, given in enumerate(exceptions)],
            html.Div(
                [parts.box("rota-reason", words.REASON), parts.button("rota-publish", words.PUBLISH)],
                className="m-row m-publish",
            ),
        ]
    )


def _shift(number: int, shift: Shift | None, people: dict[str, str]) -> Any:
    named = _name("shift", number)
    return html.Fieldset(
        [
            html.Legend(words.SHIFT.format(number=number + 1)),
            html.Div(
                [
                    parts.choice(named("account"), words.SHIFT_PERSON, {"": "–"} | people, _account(shift)),
                    parts.several(
                        named("days"), words.TIER_DAYS, parts.DAY_LABELS, list(shift.days if shift else DAYS)
                    ),
                    parts.box(named("start"), words.TIER_START, shift.start if shift else "08:00"),
                    parts.box(named("end"), words.TIER_END, shift.end if shift else "20:00"),
                ],
                className="m-row",
            ),
        ],
        className="m-tier",
    )


def _exception(number: int, given: Override | None, people: dict[str, str], zone: str) -> Any:
    named = _name("exception", number)
    chosen = _account(given) if given is None or given.account is not None else "0"
    options = {"": "–", "0": words.NOBODY_AT_ALL} | people
    return html.Fieldset(
        [
            html.Legend(words.EXCEPTION.format(number=number + 1)),
            html.Div(
                [
                    parts.choice(named("account"), words.SHIFT_PERSON, options, chosen),
                    parts.box(
                        named("start"), words.EXCEPTION_FROM, local_time.write(given.start, zone) if given else ""
                    ),
                    parts.box(named("end"), words.EXCEPTION_TO, local_time.write(given.end, zone) if given else ""),
                ],
                className="m-row",
            ),
        ],
        className="m-tier",
    )


def _name(part: str, row: int) -> Any:
    return lambda field: {"type": "rota-field", "part": part, "row": row, "field": field}


def _account(given: Shift | Override | None) -> str:
    return "" if given is None or given.account is None else str(given.account)


def document(values: Values, zone: str) -> dict[str, Any]:
    """Turn what is in the boxes into a document; rows without a person are left out."""
    shifts = [
        {
            "account": int(account),
            "days": [day for day in DAYS if day in (values["shift", row, "days"] or [])],
            "start": _text(values, "shift", row, "start"),
            "end": _text(values, "shift", row, "end"),
        }
        for row, account in _chosen(values, "shift")
    ]
    overrides = []
    for row, account in _chosen(values, "exception"):
        where = words.EXCEPTION.format(number=row + 1)
        start, end = (_instant(_text(values, "exception", row, f), zone, where) for f in ("start", "end"))
        overrides.append({"start": start, "end": end, "account": int(account) or None})
    return {"zone": zone, "shifts": shifts, "overrides": overrides}


def _chosen(values: Values, part: str) -> list[tuple[int, str]]:
    rows = sorted(row for p, row, field in values if p == part and field == "account")
    return [
        (row, str(values[part, row, "account"])) for row in rows if str(values[part, row, "account"] or "").isdecimal()
    ]


def _text(values: Values, part: str, row: int, field: str) -> str:
    return str(values[part, row, field] or "").strip()


def _instant(given: str, zone: str, where: str) -> str:
    try:
        return local_time.read(given, zone).isoformat()
    except LocalTimeError as exc:
        raise InvalidActionError(f"{where}: {exc}") from exc

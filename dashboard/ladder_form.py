"""How does a ladder become a form of boxes, and the form a ladder again?"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from dash import html

from alerts.hours import DAYS, Window
from alerts.ladder import (
    LONGEST_MIN,
    MOST_TIERS,
    AddressReceiver,
    ChannelReceiver,
    Ladder,
    PersonReceiver,
    Receiver,
    RotaReceiver,
    Tier,
)
from dashboard import message_parts as parts
from dashboard import text
from dashboard.actions import InvalidActionError
from dashboard.escalations import Setup
from dashboard.text import messages as words
from schemas.episode import Severity

SPARE = 2
"""Empty tiers at the end of the form."""
_SEVERITIES = {s.word: text.SEVERITY[s] for s in (Severity.YELLOW, Severity.AMBER, Severity.RED)}
Values = Mapping[tuple[int, str], Any]


def form(found: Setup, ladder: Ladder | None) -> Any:
    """The boxes, filled with the ladder in force."""
    tiers = list(ladder.tiers) if ladder else []
    quiet = ladder.quiet if ladder else None
    shown = min(len(tiers) + SPARE, MOST_TIERS)
    options = receivers(found)
    boxes = [_tier(number, tiers[number] if number < len(tiers) else None, options) for number in range(shown)]
    return html.Div(
        [
            html.P(words.MIXED, className="m-note") if any(map(_is_mixed, tiers)) else None,
            html.P(words.EMPTY_TIER, className="muted"),
            *boxes,
            html.Fieldset(
                [
                    html.Legend(words.QUIET_LEGEND),
                    html.Div(
                        [
                            parts.box(_name(-1, "quiet_start"), words.QUIET_FROM, quiet.start if quiet else ""),
                            parts.box(
                                _name(-1, "quiet_end"), words.QUIET_TO, quiet.end if quiet else "", words.QUIET_HINT
                            ),
                        ],
                        className="m-row",
                    ),
                ],
                className="m-tier",
            ),
            html.Fieldset(
                [
                    html.Legend(words.REPEAT_LEGEND),
                    html.Div(
                        parts.box(
                            _name(-1, "repeat"),
                            words.REPEAT_MINUTES,
                            str(ladder.repeat_min or "") if ladder else "",
                            words.REPEAT_HINT,
                        ),
                        className="m-row",
                    ),
                ],
                className="m-tier",
            ),
            html.Div(
                [parts.box("ladder-reason", words.REASON), parts.button("ladder-publish", words.PUBLISH)],
                className="m-row m-publish",
            ),
        ]
    )


def _is_mixed(tier: Tier) -> bool:
    """Whether a tier tells one person by another way than the next, which only a program can set."""
    return len({r.by for r in tier.receivers if isinstance(r, PersonReceiver | RotaReceiver)}) > 1


def _tier(number: int, tier: Tier | None, options: list[dict[str, str]]) -> Any:
    chosen = [value_of(r) for r in tier.receivers if not isinstance(r, AddressReceiver)] if tier else []
    fixed = ", ".join(r.address for r in tier.receivers if isinstance(r, AddressReceiver)) if tier else ""
    by = (
        next((r.by for r in tier.receivers if isinstance(r, PersonReceiver | RotaReceiver)), "chosen")
        if tier
        else "chosen"
    )
    hours = tier.hours if tier else Window()
    return html.Fieldset(
        [
            html.Legend(words.TIER.format(number=number + 1)),
            html.Div(
                [
                    parts.box(_name(number, "name"), words.TIER_NAME, tier.name if tier else ""),
                    parts.box(_name(number, "after"), words.TIER_AFTER, str(tier.after_min) if tier else "0"),
                    parts.choice(
                        _name(number, "severity"), words.TIER_SEVERITY, _SEVERITIES, tier.severity if tier else "yellow"
                    ),
                    parts.box(_name(number, "start"), words.TIER_START, hours.start),
                    parts.box(_name(number, "end"), words.TIER_END, hours.end, words.HOURS_HINT),
                ],
                className="m-row m-small",
            ),
            html.Div(
                [
                    parts.several(_name(number, "days"), words.TIER_DAYS, parts.DAY_LABELS, list(hours.days)),
                    parts.several(_name(number, "who"), words.TIER_WHO, options, chosen),
                    parts.choice(_name(number, "by"), words.TIER_BY, words.BY, by),
                    parts.box(_name(number, "addresses"), words.TIER_ADDRESSES, fixed, words.TIER_ADDRESSES_HINT),
                ],
                className="m-row",
            ),
        ],
        className="m-tier",
    )


def _name(tier: int, field: str) -> dict[str, Any]:
    return {"type": "ladder-field", "tier": tier, "field": field}


def receivers(found: Setup) -> list[dict[str, str]]:
    """Everybody and everything that a tier may name, but fixed addresses."""
    people = [
        (f"person:{a}", words.A_PERSON.format(name=p["name"], role=text.ROLES.get(p["role"], p["role"])))
        for a, p in found.people.items()
    ]
    on_call = [(f"rota:{name}", words.A_ROTA.format(name=name)) for name in found.rotas]
    channels = [
        (f"channel:{number}", words.A_CHANNEL.format(way=words.WAYS[c["kind"]], name=c["name"]))
        for number, c in found.channels.items()
        if c["kind"] in ("webhook", "apprise")
    ]
    listed = [("wall:", words.WALL), *on_call, *people, *channels]
    return [{"value": value, "label": label} for value, label in listed]


def value_of(receiver: Receiver) -> str:
    """Write a receiver as a choice of the form."""
    if isinstance(receiver, PersonReceiver):
        return f"person:{receiver.account}"
    if isinstance(receiver, RotaReceiver):
        return f"rota:{receiver.rota}"
    return f"channel:{receiver.channel}" if isinstance(receiver, ChannelReceiver) else "wall:"


def document(values: Values) -> dict[str, Any]:
    """Turn what is in the boxes into a document; what it says is checked where it is published."""
    numbers = sorted({tier for tier, _ in values if tier >= 0})
    tiers = [_read(values, number) for number in numbers if str(values[number, "name"] or "").strip()]
    found: dict[str, Any] = {"tiers": tiers}
    start, end = (str(values.get((-1, name)) or "").strip() for name in ("quiet_start", "quiet_end"))
    if start or end:
        found["quiet"] = {"start": start, "end": end}
    if repeat := str(values.get((-1, "repeat")) or "").strip():
        if not (repeat.isdecimal() and repeat.isascii() and 1 <= int(repeat) <= LONGEST_MIN):
            raise InvalidActionError(words.BAD_REPEAT.format(given=repeat[:20], longest=LONGEST_MIN))
        found["repeat_min"] = int(repeat)
    return found


def _read(values: Values, number: int) -> dict[str, Any]:
    def given(name: str) -> str:
        return str(values[number, name] or "").strip()

    after = given("after")
    if not after.isdecimal() or not after.isascii():
        raise InvalidActionError(f"{words.TIER.format(number=number + 1)}: its minutes are no whole number.")
    by = given("by") or "chosen"
    named = [_receiver(value, by) for value in values[number, "who"] or []]
    fixed = [_address(address) for address in given("addresses").split(",") if address.strip()]
    days = [day for day in DAYS if day in (values[number, "days"] or [])]
    return {
        "name": given("name"),
        "after_min": int(after),
        "severity": given("severity"),
        "hours": {"days": days, "start": given("start"), "end": given("end")},
        "receivers": [*named, *fixed],
    }


def _receiver(value: str, by: str) -> dict[str, Any]:
    kind, _, which = str(value).partition(":")
    if kind == "rota":
        return {"kind": "rota", "rota": which, "by": by}
    if kind in ("person", "channel") and which.isdecimal():
        return {"kind": "person", "account": int(which), "by": by} if kind == "person" else {
            "kind": "channel", "channel": int(which)
        }  # fmt: skip
    return {"kind": "wall"}


def _address(given: str) -> dict[str, Any]:
    address = given.strip()
    return {"kind": "address", "by": "email" if "@" in address else "sms", "address": address}

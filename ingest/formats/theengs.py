"""What does a gateway of Theengs or OpenMQTTGateway say that it has heard by Bluetooth?

It publishes whatever it hears on ``home/{gateway}/BTtoMQTT/{address}``: also what is no vital sign, such as a room's
temperature. Only a body's weight and a band's pulse are taken; all else has its reason. Without a time nothing can be
stored: the same advertisement is heard many times, and a message may be delivered late, so the instant of arrival is
not it.
"""

from __future__ import annotations

import re
from typing import Any

from ingest.formats.decoded import Decoded, Rejection
from ingest.formats.instant import from_unix_seconds, microseconds
from ingest.formats.json_document import Refused, a_number, a_text, an_object, kind, refuse_doubled
from schemas.quarantine import Reason
from schemas.topic import gateway_of
from schemas.units import to_catalogue_unit
from schemas.vital_signs import BY_NAME

_ADDRESS = re.compile(r"(?:[0-9A-F]{2}:?){5}[0-9A-F]{2}", re.IGNORECASE)
_UNITS = {"kg": "kg", "lb": "[lb_av]"}
_MEASURES = ("weight", "act_bpm")
_SURROUNDINGS = ("tempc", "tempf", "tempc2", "tempf2", "hum", "pres", "lux")
"""What is measured around a device; a room's temperature must never become a person's."""


def is_gateway_topic(topic: str) -> bool:
    """Say whether a message came on a gateway's own topic."""
    return gateway_of(topic) is not None


def is_advertisement(document: Any) -> bool:
    """Say whether a JSON document is a gateway's, going by fields that no other format has."""
    return isinstance(document, dict) and bool(document.keys() & {"rssi", "model_id", "mac_type"})


def decode(document: Any, message: int, out: Decoded, topic: str = "") -> None:
    """Read one advertisement into ``out``; nothing is raised."""
    count, device = 1, None
    try:
        refuse_doubled(document, "payload")
        heard = an_object(document, "payload")
        count = max(1, len(heard.keys() & {*_MEASURES, *_SURROUNDINGS}))
        device = _device(heard, topic)
        values, refusals = _values(heard)
        out.rejections += [Rejection(message, r.reason, str(r), 1, device) for r in refusals]
        count = len(values)
        if values:
            out.add(message, _observed_at(heard), values, device=device)
    except Refused as refused:
        out.rejections.append(Rejection(message, refused.reason, str(refused), count, device))


def _device(heard: dict[str, Any], topic: str) -> str:
    """Give the code of the device: its address in capitals without colons."""
    address = a_text(heard.get("id"), "id")
    if not _ADDRESS.fullmatch(address):
        raise Refused(Reason.WRONG_TYPE, f"id: {address!r} is not an address; expected like A4:C1:38:12:34:56")
    code = address.replace(":", "").upper()
    if is_gateway_topic(topic) and topic.rpartition("/")[2].replace(":", "").upper() != code:
        raise Refused(Reason.CONTRADICTORY, f"id: {address!r} is not the address in the topic")
    return code


def _values(heard: dict[str, Any]) -> tuple[list[tuple[int, float]], list[Refused]]:
    values: list[tuple[int, float]] = []
    refusals = [
        Refused(Reason.UNKNOWN_VITAL_SIGN, f"{name}: is of the surroundings, not of a person")
        for name in _SURROUNDINGS
        if name in heard
    ]
    for name, take in (("weight", _weight), ("act_bpm", _pulse)):
        if name in heard:
            try:
                values.append(take(heard))
            except Refused as refused:
                refusals.append(refused)
    if not values and not refusals:
        raise Refused(
            Reason.NO_VALUE, f"payload: none of {', '.join(_MEASURES)}; let the gateway pass on known devices"
        )
    return values, refusals


def _weight(heard: dict[str, Any]) -> tuple[int, float]:
    if heard.get("weighing_mode", "person") != "person":
        raise Refused(Reason.UNKNOWN_VITAL_SIGN, "weighing_mode: expected person; what else was weighed is nobody's")
    unit = heard.get("unit")
    if not isinstance(unit, str) or unit not in _UNITS:
        said = repr(unit) if isinstance(unit, str) else kind(unit)
        raise Refused(Reason.UNIT, f"unit: {said}; expected one of {', '.join(_UNITS)}")
    vital = BY_NAME["weight"]
    return vital.code, to_catalogue_unit(vital, a_number(heard["weight"], "weight"), _UNITS[unit])


def _pulse(heard: dict[str, Any]) -> tuple[int, float]:
    return BY_NAME["pulse"].code, a_number(heard["act_bpm"], "act_bpm")


def _observed_at(heard: dict[str, Any]) -> int:
    if "UTCtime" in heard:
        return microseconds(a_text(heard["UTCtime"], "UTCtime"), "UTCtime")
    if "unixtime" in heard:
        return from_unix_seconds(a_number(heard["unixtime"], "unixtime"), "unixtime")
    detail = "UTCtime: missing; build the gateway with message_UTCtimestamp or message_unixtimestamp"
    raise Refused(Reason.MISSING_TIME, detail)

"""What does an Open mHealth data point say, or its body alone, and if it cannot be taken, which field and why?

All versions of the seven schemas are read alike: later ones only ask for more. A document is taken whole or refused
whole. An average or a minimum is not an observation; glucose of anything but capillary blood is another vital sign.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from ingest.formats.decoded import Decoded, Rejection
from ingest.formats.instant import microseconds
from ingest.formats.json_document import Refused, a_number, a_text, an_object, refuse_doubled
from ingest.limits import LONGEST_MEASUREMENT
from schemas.observation import Flag
from schemas.quarantine import Reason
from schemas.units import to_catalogue_unit
from schemas.vital_signs import BY_NAME

UNITS: Mapping[str, tuple[str, Mapping[str, str]]] = {
    "body_weight": ("weight", {"kg": "kg", "g": "g", "lb": "[lb_av]"}),
    "systolic_blood_pressure": ("bp_systolic", {"mmHg": "mm[Hg]"}),
    "diastolic_blood_pressure": ("bp_diastolic", {"mmHg": "mm[Hg]"}),
    "heart_rate": ("pulse", {"beats/min": "/min"}),
    "oxygen_saturation": ("spo2", {"%": "%"}),
    "body_temperature": ("temperature", {"C": "Cel", "F": "[degF]", "K": "K"}),
    "respiratory_rate": ("respiration_rate", {"breaths/min": "/min"}),
    "blood_glucose": ("glucose", {"mmol/L": "mmol/L", "mg/dL": "mg/dL"}),
}
"""Fields that are measured values: the vital sign, and the UCUM code of each unit that may be named."""

SCHEMAS: Mapping[str, tuple[str, ...]] = {
    "body-weight": ("body_weight",),
    "blood-pressure": ("systolic_blood_pressure", "diastolic_blood_pressure"),
    "heart-rate": ("heart_rate",),
    "oxygen-saturation": ("oxygen_saturation",),
    "body-temperature": ("body_temperature",),
    "respiratory-rate": ("respiratory_rate",),
    "blood-glucose": ("blood_glucose",),
}

_SLEEP = ("before sleeping", "during sleep", "on waking")
_ACTIVITY = ("at rest", "active", "before exercise", "during exercise", "after exercise")
_POSTURES = ("sitting", "lying down", "standing", "semi-recumbent")
_MEALS = (
    "fasting", "not fasting", "before meal", "after meal", "before breakfast", "after breakfast", "before lunch",
    "after lunch", "before dinner", "after dinner", "2 hours postprandial", "with meal", "with food",
)  # fmt: skip
WORDS: Mapping[str, tuple[str, ...]] = {
    "temporal_relationship_to_sleep": _SLEEP,
    "temporal_relationship_to_physical_activity": _ACTIVITY,
    "temporal_relationship_to_meal": _MEALS,
    "body_posture": _POSTURES,
    "position_during_measurement": _POSTURES,
}
"""Fields that describe the circumstances, and what they may say."""

_CAPILLARY = ("capillary blood", "whole blood")
_OTHER_SPECIMENS = ("plasma", "serum", "interstitial fluid", "tears", "sweat", "urine")
_SKIN = ("finger", "toe", "wrist")
_MODALITIES = ("sensed", "self-reported")


def is_document(document: Any) -> bool:
    """Say whether a JSON document is Open mHealth's, going by fields that no other format has."""
    return isinstance(document, dict) and bool(
        document.keys() & (UNITS.keys() | {"header", "schema_id"}) or document.keys() == {"body"}
    )


def decode(document: Any, message: int, out: Decoded) -> None:
    """Read one data point or body, or a list of them, into ``out``; nothing is raised."""
    many = isinstance(document, list)
    for position, one in enumerate(document if many else [document]):
        where = f"[{position}] " if many else ""
        body = one.get("body", one) if isinstance(one, dict) else None
        count = max(1, len(body.keys() & UNITS.keys())) if isinstance(body, dict) else 1
        try:
            refuse_doubled(one, "payload")
            device, flags = _header(an_object(one, "payload"))
            values = list(_values(one))
            out.add(message, _observed_at(_body(one)), values, device=device, flags=int(flags))
        except Refused as refused:
            out.rejections.append(Rejection(message, refused.reason, f"{where}{refused}", count))


def _body(document: dict[str, Any]) -> dict[str, Any]:
    if "header" not in document and "body" not in document:
        return document
    return an_object(document.get("body"), "body")


def _header(document: dict[str, Any]) -> tuple[str | None, Flag]:
    """Check the header of a data point; give the device that it names, and whether a person entered the value."""
    if "header" not in document and "body" not in document:
        return None, Flag(0)
    header = an_object(document.get("header"), "header")
    a_text(header.get("id"), "header.id")
    microseconds(a_text(header.get("creation_date_time"), "header.creation_date_time"), "header.creation_date_time")
    schema = an_object(header.get("schema_id"), "header.schema_id")
    name = a_text(schema.get("name"), "header.schema_id.name")
    if schema.get("namespace") != "omh" or name not in SCHEMAS:
        said = f"{schema.get('namespace')!r} {name!r}"
        expected = ", ".join(SCHEMAS)
        raise Refused(Reason.UNKNOWN_VITAL_SIGN, f"header.schema_id: {said}; expected 'omh' and one of {expected}")
    fields = _body(document).keys() & UNITS.keys()
    if fields != set(SCHEMAS[name]):
        raise Refused(Reason.CONTRADICTORY, f"header.schema_id.name: {name}, but the body has {sorted(fields)}")
    provenance = an_object(header.get("acquisition_provenance", {}), "header.acquisition_provenance")
    modality = provenance.get("modality", "sensed")
    if modality not in _MODALITIES:
        raise Refused(Reason.WRONG_TYPE, f"header.acquisition_provenance.modality: expected {' or '.join(_MODALITIES)}")
    user = header.get("user_id")
    device = None if user is None else a_text(user, "header.user_id")
    return device, Flag.BY_HAND if modality == "self-reported" else Flag(0)


def _values(document: dict[str, Any]) -> Iterator[tuple[int, float]]:
    body = _body(document)
    fields = [name for name in UNITS if name in body]
    if not fields:
        raise Refused(Reason.NO_VALUE, f"body: none of {', '.join(UNITS)}")
    if "descriptive_statistic" in body:
        raise Refused(Reason.SUMMARY, "body.descriptive_statistic: is no observation; send the single values")
    _check_circumstances(body)
    for name in fields:
        vital, units = UNITS[name]
        yield BY_NAME[vital].code, _measured(body, name, vital, units)
    if "supplemental_oxygen_flow_rate" in body:
        yield BY_NAME["on_oxygen"].code, float(_flow(body) > 0)


def _flow(body: dict[str, Any]) -> float:
    flow = an_object(body["supplemental_oxygen_flow_rate"], "body.supplemental_oxygen_flow_rate")
    if flow.get("unit") != "L/min":
        raise Refused(Reason.UNIT, "body.supplemental_oxygen_flow_rate.unit: expected L/min")
    found = a_number(flow.get("value"), "body.supplemental_oxygen_flow_rate.value")
    if found < 0:
        raise Refused(Reason.IMPLAUSIBLE, "body.supplemental_oxygen_flow_rate.value: below zero")
    return found


def _measured(body: dict[str, Any], name: str, vital: str, units: Mapping[str, str]) -> float:
    quantity = an_object(body[name], f"body.{name}")
    unit = quantity.get("unit")
    if not isinstance(unit, str) or unit not in units:
        said = "missing" if unit is None else repr(unit)
        raise Refused(Reason.UNIT, f"body.{name}.unit: {said}; expected one of {', '.join(units)}")
    return to_catalogue_unit(BY_NAME[vital], a_number(quantity.get("value"), f"body.{name}.value"), units[unit])


def _check_circumstances(body: dict[str, Any]) -> None:
    for name, words in WORDS.items():
        if name in body and body[name] not in words:
            raise Refused(Reason.WRONG_TYPE, f"body.{name}: expected one of {', '.join(words)}")
    for name in ("specimen_source", "blood_specimen_type"):
        if name in body and body[name] not in _CAPILLARY:
            known = body[name] in _OTHER_SPECIMENS
            reason = Reason.UNKNOWN_VITAL_SIGN if known else Reason.WRONG_TYPE
            raise Refused(reason, f"body.{name}: expected one of {', '.join(_CAPILLARY)}, as only these are taken")
    if "body_temperature" in body and body.get("measurement_location") in _SKIN:
        detail = "body.measurement_location: the skin's temperature there is not the body's"
        raise Refused(Reason.UNKNOWN_VITAL_SIGN, detail)


def _observed_at(body: dict[str, Any]) -> int:
    where = "body.effective_time_frame"
    if body.get("effective_time_frame") is None:
        raise Refused(Reason.MISSING_TIME, f"{where}: missing; expected a date_time")
    frame = an_object(body["effective_time_frame"], where)
    if len(frame) != 1 or not frame.keys() <= {"date_time", "time_interval"}:
        raise Refused(Reason.MISSING_TIME, f"{where}: expected either date_time or time_interval")
    if "date_time" in frame:
        return microseconds(a_text(frame["date_time"], f"{where}.date_time"), f"{where}.date_time")
    interval = an_object(frame["time_interval"], f"{where}.time_interval")
    if interval.keys() != {"start_date_time", "end_date_time"}:
        detail = f"{where}.time_interval: expected start_date_time and end_date_time, as only these tell an instant"
        raise Refused(Reason.MISSING_TIME, detail)
    start, end = (
        microseconds(a_text(interval[name], f"{where}.time_interval.{name}"), f"{where}.time_interval.{name}")
        for name in ("start_date_time", "end_date_time")
    )
    if start > end:
        raise Refused(Reason.CONTRADICTORY, f"{where}.time_interval: starts after its end")
    if end - start > LONGEST_MEASUREMENT:
        minutes = LONGEST_MEASUREMENT // 60_000_000
        raise Refused(Reason.SUMMARY, f"{where}.time_interval: longer than {minutes} minutes, so it is a summary")
    return end

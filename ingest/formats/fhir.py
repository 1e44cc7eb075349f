"""What does a FHIR R4 Observation say, or a Bundle of them, and if it cannot be taken, which element and why?

Vital signs are known by the LOINC, SNOMED or IEEE 11073 codes of the catalogue, values by the UCUM code of their unit;
neither is read from a text that is meant for people. Whose an observation is follows from its device, as with every
other format: ``subject`` is left to the one who knows the sender's patients.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from ingest.formats.decoded import Decoded, Rejection
from ingest.formats.instant import microseconds
from ingest.formats.json_document import Refused, a_list, a_number, a_text, an_object, kind, refuse_doubled
from ingest.limits import LONGEST_MEASUREMENT
from schemas.quarantine import Reason
from schemas.units import UnitError, to_catalogue_unit
from schemas.vital_signs import BY_NAME, CATALOGUE

UCUM = "http://unitsofmeasure.org"
LOINC, SNOMED, MDC = "http://loinc.org", "http://snomed.info/sct", "urn:iso:std:iso:11073:10101"
BUNDLE_TYPES = ("batch", "transaction", "collection")
PANELS = frozenset({(LOINC, "85354-9"), (SNOMED, "75367002"), (MDC, "150020")})
"""Blood pressure: has no value of its own."""

_SYNONYMS = {(LOINC, "59408-5"): "spo2", (SNOMED, "364075005"): "pulse"}


def _codes() -> dict[tuple[str, str], str]:
    """Give the codes of what is measured: without LOINC code there is only one of a score, which is not the value."""
    found = dict(_SYNONYMS)
    for vital in CATALOGUE:
        if vital.loinc:
            columns = ((LOINC, vital.loinc), (SNOMED, vital.snomed), (MDC, vital.mdc))
            found |= {(system, code): vital.name for system, code in columns if code}
    return found


CODES = _codes()


@dataclass(frozen=True)
class Part:
    """One resource of a message: its place in it, and what its references may lead to."""

    where: str
    resource: Any
    full_url: str | None
    devices: dict[str, str]


def decode(document: Any, message: int, out: Decoded) -> None:
    """Read an Observation, or a Bundle with some, into ``out``; nothing is raised.

    Every value ends in the columns or is counted in a rejection.
    """
    try:
        found = list(parts(document))
    except Refused as refused:
        out.rejections.append(Rejection(message, refused.reason, str(refused)))
        return
    for part in found:
        decode_part(part, message, out)


def parts(document: Any) -> Iterator[Part]:
    """Give the resources of a message that are to be taken, in order: of a Bundle its entries, but for devices.

    Raises
    ------
    Refused
        Where the whole message is no resource that is taken.
    """
    resource = an_object(document, "payload")
    if resource.get("resourceType") != "Bundle":
        yield Part("Observation", resource, None, {})
        return
    if "type" not in resource or resource["type"] not in BUNDLE_TYPES:
        raise Refused(Reason.WRONG_TYPE, f"Bundle.type: expected one of {', '.join(BUNDLE_TYPES)}")
    entries = a_list(resource.get("entry"), "Bundle.entry")
    if not entries:
        raise Refused(Reason.NO_VALUE, "Bundle.entry: empty; expected at least one Observation")
    devices = dict(_devices(entries))
    others = 0
    for position, entry in enumerate(entries):
        where = f"Bundle.entry[{position}]"
        inner = entry.get("resource") if isinstance(entry, dict) else entry
        if isinstance(inner, dict) and inner.get("resourceType") == "Device":
            continue
        others += 1
        full_url = entry.get("fullUrl") if isinstance(entry, dict) else None
        yield Part(f"{where}.resource", inner, full_url if isinstance(full_url, str) else None, devices)
    if not others:
        raise Refused(Reason.NO_VALUE, "Bundle.entry: only devices; expected at least one Observation")


def decode_part(part: Part, message: int, out: Decoded) -> None:
    """Read one Observation into ``out``; nothing is raised."""
    where, resource = part.where, part.resource
    count, device = _count_values(resource), None
    try:
        _refuse_unless_observation(resource, where)
        device = device_of(part)
        _refuse_unless_final(resource, where)
        values, refusals = _values(resource, where)
        out.rejections += [Rejection(message, r.reason, str(r), 1, device) for r in refusals]
        count = len(values)
        if values:
            out.add(message, _observed_at(resource, where), values, device=device)
    except Refused as refused:
        out.rejections.append(Rejection(message, refused.reason, str(refused), count, device))


def device_of(part: Part) -> str | None:
    """Give the code of the device that an Observation names; None where it names none: the sender's own.

    Raises
    ------
    Refused
        Where it refers to a device that cannot be found by what it says.
    """
    where = f"{part.where}.device"
    stated = part.resource.get("device")
    if stated is None:
        return None
    stated = an_object(stated, where)
    if "identifier" in stated:
        return a_text(an_object(stated["identifier"], f"{where}.identifier").get("value"), f"{where}.identifier.value")
    if "reference" not in stated:
        return None  # a name for people, as of the make
    reference = a_text(stated["reference"], f"{where}.reference")
    contained = dict(_devices([{"resource": one} for one in a_list(part.resource.get("contained"), part.where)]))
    known = contained.get(reference) or part.devices.get(reference)
    if known is not None:
        return known
    kind_, _, code = reference.rpartition("/")
    if kind_.rpartition("/")[2] in ("Device", "DeviceMetric") and code:
        return code
    raise Refused(
        Reason.UNKNOWN_DEVICE, f"{where}.reference: {reference!r} leads nowhere; expected Device/ and its code"
    )


def subject_of(resource: Any) -> str | None:
    """Give the reference to the person that an Observation is about, such as ``Patient/17``; None where it has none."""
    subject = resource.get("subject") if isinstance(resource, dict) else None
    reference = subject.get("reference") if isinstance(subject, dict) else None
    return reference if isinstance(reference, str) else None


def _devices(entries: list[Any]) -> Iterator[tuple[str, str]]:
    """Give the devices that come along: by which reference they are named, and their codes."""
    for entry in entries:
        resource = entry.get("resource") if isinstance(entry, dict) else None
        if not isinstance(resource, dict) or resource.get("resourceType") != "Device":
            continue
        identifiers = resource.get("identifier")
        first = identifiers[0] if isinstance(identifiers, list) and identifiers else None
        code = first.get("value") if isinstance(first, dict) else resource.get("id")
        if not isinstance(code, str):
            continue
        if isinstance(resource.get("id"), str):
            yield f"Device/{resource['id']}", code
            yield f"#{resource['id'].removeprefix('#')}", code
        if isinstance(entry.get("fullUrl"), str):
            yield entry["fullUrl"], code


def _count_values(resource: Any) -> int:
    """Count what will be rejected if the whole resource is: its components and its own value."""
    if not isinstance(resource, dict):
        return 1
    components = resource.get("component")
    own = any(name.startswith("value") or name == "dataAbsentReason" for name in resource)
    return max(1, own + (len(components) if isinstance(components, list) else 0))


def _refuse_unless_observation(resource: Any, where: str) -> None:
    refuse_doubled(resource, where)
    if an_object(resource, where).get("resourceType") != "Observation":
        raise Refused(Reason.WRONG_TYPE, f"{where}.resourceType: expected Observation")


def _refuse_unless_final(resource: dict[str, Any], where: str) -> None:
    status = a_text(resource.get("status"), f"{where}.status")
    if status != "final":
        # what was stored before cannot be told from here, and the store keeps the first value of an instant
        raise Refused(Reason.NOT_FINAL, f"{where}.status: {status!r}; only final observations are taken unseen")
    _refuse_modified(resource, where)


def _refuse_modified(element: dict[str, Any], where: str) -> None:
    """Refuse what says of itself that it means something else than it seems to."""
    for name in ("modifierExtension", "implicitRules"):
        if name in element:
            raise Refused(Reason.NOT_FINAL, f"{where}.{name}: may change the meaning; a person must look at it")


def _observed_at(resource: dict[str, Any], where: str) -> int:
    stated = [name for name in resource if name.startswith("effective")]
    if len(stated) > 1:
        raise Refused(Reason.CONTRADICTORY, f"{where}: {' and '.join(sorted(stated))}; expected one of them")
    for name in ("effectiveDateTime", "effectiveInstant"):
        if name in resource:
            return microseconds(a_text(resource[name], f"{where}.{name}"), f"{where}.{name}")
    if "effectivePeriod" in resource:
        return _end_of_period(an_object(resource["effectivePeriod"], f"{where}.effectivePeriod"), where)
    what = f"{stated[0]} is no instant" if stated else "no effectiveDateTime"
    raise Refused(Reason.MISSING_TIME, f"{where}: {what}; expected like 2026-11-22T08:00:00.123+00:00")


def _end_of_period(period: dict[str, Any], where: str) -> int:
    where = f"{where}.effectivePeriod"
    if period.get("end") is None or period.get("start") is None:
        raise Refused(Reason.MISSING_TIME, f"{where}: expected both start and end")
    start, end = (microseconds(a_text(period[name], f"{where}.{name}"), f"{where}.{name}") for name in ("start", "end"))
    if start > end:
        raise Refused(Reason.CONTRADICTORY, f"{where}: starts after its end")
    if end - start > LONGEST_MEASUREMENT:
        minutes = LONGEST_MEASUREMENT // 60_000_000
        raise Refused(Reason.SUMMARY, f"{where}: longer than {minutes} minutes; expected the instant of an observation")
    return end


_Values = list[tuple[int, float]]


def _values(resource: dict[str, Any], where: str) -> tuple[_Values, list[Refused]]:
    """Read the own value and the components; give what was taken and what was refused."""
    name = _vital_sign(resource, where)
    components = a_list(resource.get("component"), f"{where}.component")
    values: _Values = []
    refusals: list[Refused] = []
    is_panel = name is None
    if not is_panel or any(key.startswith("value") for key in resource):
        _read_into(values, refusals, resource, where)
    for position, component in enumerate(components):
        _read_into(values, refusals, component, f"{where}.component[{position}]")
    if not values and not refusals:
        refusals.append(Refused(Reason.NO_VALUE, f"{where}: has neither a value nor components"))
    once, twice = _each_once(values, where)
    return once, refusals + twice


def _read_into(values: _Values, refusals: list[Refused], holder: Any, where: str) -> None:
    try:
        name = _vital_sign(an_object(holder, where), where)
        _refuse_modified(holder, where)
        values.append((BY_NAME[name].code if name else 0, _quantity(holder, name, where)))
    except Refused as refused:
        refusals.append(refused)


def _vital_sign(holder: dict[str, Any], where: str) -> str | None:
    """Find which vital sign a code means; None for a panel."""
    concept = an_object(holder.get("code"), f"{where}.code")
    codings = a_list(concept.get("coding"), f"{where}.code.coding")
    pairs = [(c.get("system"), c.get("code")) for c in codings if isinstance(c, dict)]
    texts = [(s, c) for s, c in pairs if isinstance(s, str) and isinstance(c, str)]
    found = {CODES.get(pair, "a panel") for pair in texts if pair in CODES or pair in PANELS}
    if len(found) > 1:
        raise Refused(Reason.CONTRADICTORY, f"{where}.code: means {' and '.join(sorted(found))}; expected one")
    if not found:
        said = ", ".join(f"{system}|{code}" for system, code in texts[:5]) or "no coding"
        raise Refused(Reason.UNKNOWN_VITAL_SIGN, f"{where}.code: {said}; expected a code of the catalogue")
    name = found.pop()
    return None if name == "a panel" else name


def _quantity(holder: dict[str, Any], name: str | None, where: str) -> float:
    if name is None:
        raise Refused(Reason.UNKNOWN_VITAL_SIGN, f"{where}.code: is a panel's; expected that of one value")
    stated = [key for key in holder if key.startswith("value")]
    if not stated:
        raise Refused(Reason.NO_VALUE, f"{where}: {name} has no value{_absence(holder)}")
    if "dataAbsentReason" in holder or len(stated) > 1:
        raise Refused(Reason.CONTRADICTORY, f"{where}: expected one of {', '.join(stated)} and dataAbsentReason")
    if stated != ["valueQuantity"]:
        raise Refused(Reason.WRONG_TYPE, f"{where}.{stated[0]}: expected valueQuantity for {name}")
    where = f"{where}.valueQuantity"
    quantity = an_object(holder["valueQuantity"], where)
    if quantity.get("comparator") is not None:
        raise Refused(Reason.NO_VALUE, f"{where}.comparator: {name} is only bounded; expected a value")
    value = a_number(quantity.get("value"), f"{where}.value")
    if quantity.get("system", UCUM) != UCUM:
        raise Refused(Reason.UNIT, f"{where}.system: expected {UCUM}")
    if not isinstance(quantity.get("code"), str):
        said = kind(quantity.get("code"))
        raise Refused(Reason.UNIT, f"{where}.code: {said}; expected the UCUM code of the unit, a name is not read")
    try:
        return to_catalogue_unit(BY_NAME[name], value, quantity["code"])
    except UnitError as wrong:
        raise Refused(Reason.UNIT, f"{where}.code: {wrong}") from None


def _absence(holder: dict[str, Any]) -> str:
    absent = holder.get("dataAbsentReason")
    codings = absent.get("coding") if isinstance(absent, dict) else None
    first = codings[0] if isinstance(codings, list) and codings else None
    code = first.get("code") if isinstance(first, dict) else None
    return f", because {code!r}" if isinstance(code, str) else ""


def _each_once(values: _Values, where: str) -> tuple[_Values, list[Refused]]:
    """Refuse a vital sign that an Observation states twice; which of the two was meant cannot be known."""
    times = Counter(code for code, _ in values)
    doubled = [
        Refused(Reason.CONTRADICTORY, f"{where}: {CATALOGUE[code - 1].name} is there twice; expected once")
        for code, _ in values
        if times[code] > 1
    ]
    return [pair for pair in values if times[pair[0]] == 1], doubled

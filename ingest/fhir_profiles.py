"""Does an Observation have what the vital signs profile that it states asks of it, and if not, what lacks where?

HL7 FHIR R4 (4.0.1), "Vital Signs Profiles": category, code, effective[x], value[x] and the components of a blood
pressure. An Observation that states none of them is held only to what reading it needs. Not looked at: the subject,
which here follows from the sender, and what only a validator with the profiles' definitions could check.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

from ingest.formats.fhir import LOINC, UCUM
from schemas.fhir import CATEGORY, DEFINITION, issue

Resource = Mapping[str, Any]


class _Profile(NamedTuple):
    """What a profile fixes: the LOINC code, and the UCUM codes that the value may have; empty where anything goes."""

    loinc: str = ""
    units: tuple[str, ...] = ()


_PROFILES: Mapping[str, _Profile] = {
    "vitalsigns": _Profile(),
    "bp": _Profile("85354-9"),
    "resprate": _Profile("9279-1", ("/min",)),
    "heartrate": _Profile("8867-4", ("/min",)),
    "oxygensat": _Profile("2708-6", ("%",)),
    "bodytemp": _Profile("8310-5", ("Cel", "[degF]")),
    "bodyweight": _Profile("29463-7", ("g", "kg", "[lb_av]")),
}
_PRESSURE = _Profile(units=("mm[Hg]",))
_COMPONENTS = {"8480-6": "systolic", "8462-4": "diastolic"}


def faults(resource: Resource, where: str) -> list[dict[str, Any]]:
    """List what is missing or wrong, as issues of an OperationOutcome; none where no vital signs profile is stated."""
    found: list[dict[str, Any]] = []
    for name in _stated(resource):
        found += _faults(name, resource, where)
    # the base profile asks for what each of the others asks for too
    return list({(one["expression"][0], one["diagnostics"]): one for one in found}.values())


def _stated(resource: Resource) -> list[str]:
    meta = resource.get("meta")
    stated = meta.get("profile") if isinstance(meta, dict) else None
    urls = [url.partition("|")[0] for url in stated if isinstance(url, str)] if isinstance(stated, list) else []
    names = [url.removeprefix(DEFINITION) for url in urls if url.startswith(DEFINITION)]
    return [name for name in names if name in _PROFILES]


def _faults(name: str, resource: Resource, where: str) -> Iterator[dict[str, Any]]:
    profile = _PROFILES[name]
    if (CATEGORY, "vital-signs") not in {pair for one in _list(resource, "category") for pair in _codings(one)}:
        yield issue("required", f"expected a category vital-signs of {CATEGORY}", f"{where}.category")
    loinc = {code for system, code in _codings(resource.get("code")) if system == LOINC}
    if not loinc or (profile.loinc and profile.loinc not in loinc):
        yield issue("required", f"expected the LOINC code {profile.loinc or 'of what it is'}", f"{where}.code.coding")
    if not any(resource.get(f"effective{kind}") for kind in ("DateTime", "Period")):
        yield issue("required", "expected effectiveDateTime or effectivePeriod", f"{where}.effective[x]")
    if name == "bp":
        yield from _of_pressures(resource, where)
    else:
        yield from _of_value(
            profile, resource, where, parts=bool(resource.get("component") or resource.get("hasMember"))
        )
    for position, one in enumerate(_list(resource, "component")):
        if name != "bp" and isinstance(one, dict):
            yield from _of_value(_Profile(), one, f"{where}.component[{position}]")


def _of_pressures(resource: Resource, where: str) -> Iterator[dict[str, Any]]:
    places: dict[str, list[int]] = {code: [] for code in _COMPONENTS}
    components = _list(resource, "component")
    for position, one in enumerate(components):
        for system, code in _codings(one.get("code") if isinstance(one, dict) else None):
            if system == LOINC and code in places:
                places[code].append(position)
    for code, word in _COMPONENTS.items():
        if len(places[code]) != 1:
            text = f"expected one component of the LOINC code {code}, {word} pressure; there are {len(places[code])}"
            yield issue("required", text, f"{where}.component")
        for position in places[code]:
            yield from _of_value(_PRESSURE, components[position], f"{where}.component[{position}]")


def _of_value(profile: _Profile, holder: Resource, where: str, *, parts: bool = False) -> Iterator[dict[str, Any]]:
    """Check a value: that it is there, or is said to be absent; and a quantity as the profile fixes it."""
    stated = [name for name in holder if name.startswith("value")]
    if not stated:
        if not parts and "dataAbsentReason" not in holder:
            yield issue("required", "expected a value, or dataAbsentReason", f"{where}.value[x]")
        return
    if not profile.units:
        return
    quantity = holder.get("valueQuantity")
    if not isinstance(quantity, dict):
        yield issue("required", "expected valueQuantity", f"{where}.value[x]")
        return
    for name in ("value", "unit"):
        if quantity.get(name) is None:
            yield issue("required", f"expected the {name}", f"{where}.valueQuantity.{name}")
    if quantity.get("system") != UCUM:
        yield issue("required", f"expected {UCUM}", f"{where}.valueQuantity.system")
    if quantity.get("code") not in profile.units:
        yield issue("required", f"expected {' or '.join(profile.units)}", f"{where}.valueQuantity.code")


def _list(resource: Resource, name: str) -> list[Any]:
    found = resource.get(name)
    return found if isinstance(found, list) else []


def _codings(concept: Any) -> set[tuple[Any, Any]]:
    """Give the codings of a concept as pairs of system and code."""
    codings = _list(concept, "coding") if isinstance(concept, dict) else []
    return {(one.get("system"), one.get("code")) for one in codings if isinstance(one, dict)}

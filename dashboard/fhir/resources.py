"""How is what is stored written as a FHIR R4 resource? Pure: rows in, resources out.

Vital signs follow HL7's vital signs profiles: category, LOINC code, UCUM unit; with the SNOMED CT code of UK Core
beside it. Systolic and diastolic pressure of one instant are the two components of one Observation.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from dashboard import text
from dashboard.wording import microseconds
from schemas.fhir import CATEGORY, DEFINITION, NHS_NUMBER, PANEL, ObservationId
from schemas.observation import Flag
from schemas.vital_signs import ACVPU, BY_NAME, CATALOGUE, VitalSign

Resource = dict[str, Any]
LOINC, SNOMED, UCUM = "http://loinc.org", "http://snomed.info/sct", "http://unitsofmeasure.org"
_PROFILES = {
    "respiration_rate": "resprate",
    "spo2": "oxygensat",
    "bp_systolic": "vitalsigns",
    "bp_diastolic": "vitalsigns",
    "pulse": "heartrate",
    "temperature": "bodytemp",
    "weight": "bodyweight",
}
# the profile of oxygen saturation asks for the code of the method beside that of what is measured
_ALSO = {"spo2": ("59408-5", "Oxygen saturation in Arterial blood by Pulse oximetry")}
_PANEL = [
    {"system": LOINC, "code": "85354-9", "display": "Blood pressure panel with all children optional"},
    {"system": SNOMED, "code": "75367002", "display": "Blood pressure"},
]
SYSTOLIC, DIASTOLIC = BY_NAME["bp_systolic"], BY_NAME["bp_diastolic"]


def observation(row: dict[str, Any]) -> Resource:
    """Write one Observation: a vital sign's value, or both pressures of an instant."""
    signs = [CATALOGUE[code - 1] for code in row["vitals"]]
    is_panel = len(signs) > 1
    identity = ObservationId(
        row["patient_id"], PANEL if is_panel else signs[0].code, microseconds(row["observed_at"]), row["device_id"]
    )
    found: Resource = {
        "resourceType": "Observation",
        "id": str(identity),
        "meta": {"lastUpdated": row["received_at"].isoformat()},
        "status": "final",
        "category": [_category(signs[0])],
        "code": {"coding": _PANEL, "text": text.BLOOD_PRESSURE} if is_panel else code_of(signs[0]),
        "subject": {"reference": f"Patient/{row['patient_id']}"},
        "effectiveDateTime": row["observed_at"].isoformat(),
        "issued": row["received_at"].isoformat(),
    }
    profile = "bp" if is_panel else _PROFILES.get(signs[0].name)
    if profile:
        found["meta"]["profile"] = [DEFINITION + profile]
    if row["device"]:
        found["device"] = {"identifier": {"value": row["device"]}, "display": row["device"]}
    notes = [text.FLAG_WORDS[int(flag)] for flag in Flag(row["flags"]) if int(flag) in text.FLAG_WORDS]
    if notes:
        found["note"] = [{"text": "; ".join(notes)}]
    if is_panel:
        values = zip(signs, row["numbers"], strict=True)
        found["component"] = [{"code": code_of(sign), **value_of(sign, value)} for sign, value in values]
        return found
    return found | value_of(signs[0], row["numbers"][0])


def code_of(sign: VitalSign) -> Resource:
    """Write what was observed: in LOINC and in SNOMED CT where the catalogue has a code, and in words."""
    codings = []
    if sign.loinc:
        codings.append({"system": LOINC, "code": sign.loinc, "display": sign.label})
    if sign.name in _ALSO:
        code, display = _ALSO[sign.name]
        codings.append({"system": LOINC, "code": code, "display": display})
    if sign.snomed:
        codings.append({"system": SNOMED, "code": sign.snomed, "display": sign.label})
    return {"coding": codings, "text": sign.label} if codings else {"text": sign.label}


def value_of(sign: VitalSign, value: float) -> Resource:
    """Write the value: a quantity in UCUM, a letter of ACVPU, or yes and no."""
    if sign.name == "consciousness":
        letter = ACVPU[int(value)]
        return {"valueCodeableConcept": {"text": f"{letter}: {text.ACVPU[letter]}"}}
    if sign.name in ("on_oxygen", "soft_signs"):
        return {"valueBoolean": bool(value)}
    number: float | int = int(value) if value == int(value) else value
    return {"valueQuantity": {"value": number, "unit": sign.display_unit, "system": UCUM, "code": sign.unit}}


def _category(sign: VitalSign) -> Resource:
    code = "vital-signs" if sign.name in _PROFILES else "laboratory" if sign.name == "glucose" else "exam"
    return {"coding": [{"system": CATEGORY, "code": code}]}


def patient(row: dict[str, Any]) -> Resource:
    """Write one Patient."""
    found: Resource = {
        "resourceType": "Patient",
        "id": str(row["patient_id"]),
        "active": row["discharged_at"] is None,
        "name": [{"use": "official", "family": row["family_name"], "given": [row["given_name"]]}],
        "gender": row["sex"],
        "birthDate": row["born_on"].isoformat(),
    }
    if row["nhs_number"]:
        found["identifier"] = [{"system": NHS_NUMBER, "value": row["nhs_number"]}]
    return found


def searchset(base: str, found: Sequence[Resource], own: str, after: str | None) -> Resource:
    """Write the part of a list that was asked for, with the way to the next part."""
    links = [{"relation": "self", "url": own}]
    if after is not None:
        links.append({"relation": "next", "url": after})
    entries = [
        {"fullUrl": f"{base}/{r['resourceType']}/{r['id']}", "resource": r, "search": {"mode": "match"}} for r in found
    ]
    # FHIR has no empty lists
    return {"resourceType": "Bundle", "type": "searchset", "link": links} | ({"entry": entries} if entries else {})

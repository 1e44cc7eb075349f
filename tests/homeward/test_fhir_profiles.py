"""Is an Observation held to the vital signs profile that it states, and is what is served held to it too?"""

from __future__ import annotations

import json
import os
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from fhir.resources.R4B.observation import Observation

from dashboard.fhir.resources import observation
from ingest.fhir_profiles import faults
from schemas.fhir import CATEGORY, DEFINITION
from schemas.vital_signs import BY_NAME, CATALOGUE

LOINC, UCUM = "http://loinc.org", "http://unitsofmeasure.org"
SAMPLES = Path(__file__).parents[3] / "shared" / "data" / "payloads" / "fhir_r4_spec"
AT = datetime(2026, 11, 22, 8, tzinfo=UTC)


def code(loinc: str) -> dict[str, Any]:
    return {"coding": [{"system": LOINC, "code": loinc}]}


def quantity(value: float, unit: str) -> dict[str, Any]:
    return {"value": value, "unit": unit, "system": UCUM, "code": unit}


def sound(profile: str) -> dict[str, Any]:
    """An Observation that has all that its profile asks for."""
    found = {
        "resourceType": "Observation",
        "meta": {"profile": [f"{DEFINITION}{profile}|4.0.1"]},
        "status": "final",
        "category": [{"coding": [{"system": CATEGORY, "code": "vital-signs"}]}],
        "code": code("85354-9" if profile == "bp" else "8867-4"),
        "effectiveDateTime": AT.isoformat(),
    }
    if profile == "bp":
        pressures = (("8480-6", 142), ("8462-4", 88))
        return found | {"component": [{"code": code(c), "valueQuantity": quantity(v, "mm[Hg]")} for c, v in pressures]}
    return found | {"valueQuantity": quantity(71, "/min")}


def without(resource: dict[str, Any], *path: str | int) -> dict[str, Any]:
    """The same, less the element at the path."""
    copy: dict[str, Any] = json.loads(json.dumps(resource))
    holder: Any = copy
    for step in path[:-1]:
        holder = holder[step]
    del holder[path[-1]]
    return copy


@pytest.mark.parametrize("profile", ["heartrate", "vitalsigns", "bp"])
def test_what_has_everything_is_sound(profile: str) -> None:
    Observation.model_validate(sound(profile))
    assert faults(sound(profile), "Observation") == []


@pytest.mark.parametrize(
    ("profile", "path", "place"),
    [
        ("heartrate", ["category"], "category"),
        ("heartrate", ["category", 0, "coding", 0, "system"], "category"),
        ("heartrate", ["code", "coding", 0, "system"], "code.coding"),
        ("heartrate", ["effectiveDateTime"], "effective[x]"),
        ("heartrate", ["valueQuantity"], "value[x]"),
        ("heartrate", ["valueQuantity", "value"], "valueQuantity.value"),
        ("heartrate", ["valueQuantity", "unit"], "valueQuantity.unit"),
        ("heartrate", ["valueQuantity", "system"], "valueQuantity.system"),
        ("heartrate", ["valueQuantity", "code"], "valueQuantity.code"),
        ("vitalsigns", ["category"], "category"),
        ("vitalsigns", ["valueQuantity"], "value[x]"),
        ("bp", ["component"], "component"),
        ("bp", ["component", 1], "component"),
        ("bp", ["component", 0, "valueQuantity"], "component[0].value[x]"),
        ("bp", ["component", 1, "valueQuantity", "system"], "component[1].valueQuantity.system"),
    ],
)
def test_each_element_that_is_missing_is_named_with_its_place(profile: str, path: list[str | int], place: str) -> None:
    found = faults(without(sound(profile), *path), "Bundle.entry[3].resource")
    assert {one["expression"][0] for one in found} == {f"Bundle.entry[3].resource.{place}"}
    assert {one["severity"] for one in found} == {"error"}
    assert all(one["diagnostics"].startswith("expected") for one in found)
    # who states no profile is held to none
    bare = without(without(sound(profile), *path), "meta")
    assert faults(bare, "Observation") == []


def test_a_wrong_code_or_unit_is_not_taken_for_the_profiles_own() -> None:
    wrong = sound("heartrate") | {"code": code("9279-1"), "valueQuantity": quantity(71, "1/min")}
    assert [one["expression"][0].partition(".")[2] for one in faults(wrong, "Observation")] == [
        "code.coding", "valueQuantity.code"
    ]  # fmt: skip
    twice = sound("bp")
    twice["component"].append(twice["component"][0])
    assert "there are 2" in faults(twice, "Observation")[0]["diagnostics"]


def test_a_value_that_could_not_be_measured_may_be_absent_if_that_is_said() -> None:
    why = {"coding": [{"system": "http://terminology.hl7.org/CodeSystem/data-absent-reason", "code": "error"}]}
    absent = sound("bp")
    del absent["component"][1]["valueQuantity"]
    absent["component"][1]["dataAbsentReason"] = why
    assert faults(absent, "Observation") == []
    assert faults(without(sound("heartrate"), "valueQuantity") | {"dataAbsentReason": why}, "Observation") == []


def test_everything_that_is_served_is_held_to_the_same() -> None:
    upper, lower = BY_NAME["bp_systolic"].code, BY_NAME["bp_diastolic"].code
    rows = [([sign.code], [sign.plausible_low]) for sign in CATALOGUE] + [([upper, lower], [142.0, 88.0])]
    stated = set()
    for vitals, numbers in rows:
        row = {
            "patient_id": 1, "device_id": 2, "device": "cuff-1", "vitals": vitals, "numbers": numbers, "flags": 0,
            "observed_at": AT, "received_at": AT,
        }  # fmt: skip
        served = observation(row)
        Observation.model_validate(served)
        assert faults(served, "Observation") == []
        stated |= set(served["meta"].get("profile", []))
    assert {s.removeprefix(DEFINITION) for s in stated} == {
        "bp", "vitalsigns", "heartrate", "resprate", "oxygensat", "bodytemp", "bodyweight"
    }  # fmt: skip


def test_hl7s_own_examples_are_sound() -> None:
    if not SAMPLES.is_dir():
        assert not os.environ.get("CI"), f"{SAMPLES} is missing"
        pytest.skip("the samples are not beside this checkout")
    looked_at = 0
    for file in sorted(SAMPLES.glob("observation-*.json")):
        document = json.loads(file.read_text())
        if document.get("meta", {}).get("profile"):
            looked_at += 1
            assert faults(document, "Observation") == [], file.name
    assert looked_at > 8

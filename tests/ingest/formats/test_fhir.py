"""Is every FHIR Observation taken as what it says, or refused for the element that stands in the way?"""

from __future__ import annotations

import copy
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ingest.formats import fhir
from tests.ingest.formats.reading import (
    accounted,
    decoded,
    instants,
    reasons,
    require_samples,
    samples,
    values,
)

TIME = "2026-11-22T08:00:00+00:00"
LOINC = "http://loinc.org"


def coded(code: str, system: str = LOINC) -> dict[str, Any]:
    return {"coding": [{"system": system, "code": code}]}


def quantity(value: Any, code: str | None, **more: Any) -> dict[str, Any]:
    found = {"value": value, "system": "http://unitsofmeasure.org", "code": code, "unit": "as people say"} | more
    return {name: part for name, part in found.items() if part is not None}


def observation(loinc: str = "8867-4", value: Any = 72, unit: str | None = "/min", **more: Any) -> dict[str, Any]:
    found = {
        "resourceType": "Observation",
        "status": "final",
        "category": [{"coding": [{"code": "vital-signs"}]}],
        "code": coded(loinc),
        "subject": {"reference": "Patient/17"},
        "effectiveDateTime": TIME,
        "valueQuantity": quantity(value, unit),
    } | more
    return {name: part for name, part in found.items() if part is not None}


def blood_pressure(**more: Any) -> dict[str, Any]:
    components = [
        {"code": coded("8480-6"), "valueQuantity": quantity(142, "mm[Hg]")},
        {"code": coded("8462-4"), "valueQuantity": quantity(88, "mm[Hg]")},
    ]
    return observation("85354-9", valueQuantity=None, component=components) | more


def bundle(*resources: Any, kind: str = "transaction") -> dict[str, Any]:
    return {"resourceType": "Bundle", "type": kind, "entry": [{"resource": r} for r in resources]}


CHART = """
code     value  unit           vital             expected
8867-4   72     /min           pulse             72
8867-4   1.2    Hz             pulse             72
8867-4   72     {beats}/min    pulse             72
9279-1   18     /min           respiration_rate  18
2708-6   95     %              spo2              95
59408-5  95     %              spo2              95
2708-6   0.95   1              spo2              95
8310-5   36.5   Cel            temperature       36.5
8310-5   97.7   [degF]         temperature       36.5
29463-7  82.4   kg             weight            82.4
29463-7  185    [lb_av]        weight            83.9146
14743-9  5.5    mmol/L         glucose           5.5
14743-9  100    mg/dL          glucose           5.5507
"""


@pytest.mark.parametrize("row", CHART.strip().splitlines()[1:])
def test_a_value_is_known_by_its_codes(row: str) -> None:
    code, value, unit, vital, expected = row.split()
    out = decoded(observation(code, float(value), unit))
    assert values(out) == {vital: float(expected)}
    assert reasons(out) == []
    assert instants(out) == ["2026-11-22T08:00:00+00:00"]


def test_both_pressures_are_components() -> None:
    assert values(decoded(blood_pressure())) == {"bp_systolic": 142, "bp_diastolic": 88}


def test_the_code_may_be_of_another_system() -> None:
    assert values(decoded(observation(code=coded("364075005", "http://snomed.info/sct")))) == {"pulse": 72}
    assert values(decoded(observation(code=coded("149530", "urn:iso:std:iso:11073:10101")))) == {"pulse": 72}


REFUSED: list[tuple[str, str, dict[str, Any]]] = [
    # reason, place, Observation
    ("not_final", "Observation.status", observation(status="preliminary")),
    ("not_final", "Observation.status", observation(status="entered-in-error")),
    ("not_final", "Observation.status", observation(status="cancelled")),
    ("not_final", "Observation.status", observation(status="amended")),
    ("wrong_type", "Observation.status", observation(status=None)),
    ("not_final", "Observation.modifierExtension", observation(modifierExtension=[{"url": "negated"}])),
    ("unknown_vital_sign", "Observation.code", observation("39156-5")),
    ("unknown_vital_sign", "Observation.code", observation(code={"text": "heart rate"})),
    ("unknown_vital_sign", "Observation.code", observation(code=coded("8867-4", "http://elsewhere.example"))),
    ("unknown_vital_sign", "Observation.code", observation(code=coded("1104331000000105", "http://snomed.info/sct"))),
    ("contradictory", "Observation.code",
     observation(code={"coding": coded("8867-4")["coding"] + coded("9279-1")["coding"]})),
    ("unit", "valueQuantity.code", observation(unit="kg")),
    ("unit", "valueQuantity.code", observation(unit=None)),
    ("unit", "valueQuantity.system", observation(valueQuantity=quantity(72, "/min", system="http://elsewhere.example"))),
    ("no_value", "valueQuantity.comparator", observation(valueQuantity=quantity(72, "/min", comparator="<"))),
    ("wrong_type", "valueQuantity.value", observation(value="72")),
    ("wrong_type", "valueQuantity.value", observation(value=True)),
    ("wrong_type", "valueQuantity.value", observation(value=10**400)),
    ("wrong_type", "Observation.valueString", observation(valueQuantity=None, valueString="72")),
    ("no_value", "Observation: pulse has no value, because 'not-performed'",
     observation(valueQuantity=None, dataAbsentReason={"coding": [{"code": "not-performed"}]})),
    ("contradictory", "Observation: expected one of", observation(dataAbsentReason={"coding": [{"code": "unknown"}]})),
    ("missing_time", "effectiveDateTime", observation(effectiveDateTime=None)),
    ("missing_time", "effectiveTiming", observation(effectiveDateTime=None, effectiveTiming={})),
    ("time_without_zone", "effectiveDateTime", observation(effectiveDateTime="2026-11-22")),
    ("wrong_type", "effectiveDateTime", observation(effectiveDateTime=20261122)),
    ("wrong_type", "effectiveDateTime", observation(effectiveDateTime="2026-11")),
    ("contradictory", "Observation: effectiveDateTime and effectivePeriod",
     observation(effectivePeriod={"start": TIME, "end": TIME})),
    ("missing_time", "effectivePeriod", observation(effectiveDateTime=None, effectivePeriod={"start": TIME})),
    ("summary", "effectivePeriod",
     observation(effectiveDateTime=None, effectivePeriod={"start": "2026-11-21T08:00:00Z", "end": TIME})),
    ("contradictory", "effectivePeriod",
     observation(effectiveDateTime=None, effectivePeriod={"end": "2026-11-21T08:00:00Z", "start": TIME})),
    ("unknown_device", "Observation.device.reference", observation(device={"reference": "#nowhere"})),
    ("no_value", "Observation: has neither", observation("85354-9", valueQuantity=None)),
]  # fmt: skip


@pytest.mark.parametrize(("reason", "place", "content"), REFUSED)
def test_what_stands_in_the_way_is_named(reason: str, place: str, content: dict[str, Any]) -> None:
    out = decoded(content)
    assert values(out) == {}
    assert reasons(out) == [reason]
    assert place in out.rejections[0].detail


def test_a_short_period_ends_with_the_value() -> None:
    period = {"start": "2026-11-22T07:59:00Z", "end": TIME}
    assert instants(decoded(observation(effectiveDateTime=None, effectivePeriod=period))) == [TIME]


def test_one_absent_pressure_does_not_cost_the_other() -> None:
    content = blood_pressure()
    content["component"][1] = {"code": coded("8462-4"), "dataAbsentReason": {"coding": [{"code": "error"}]}}
    out = decoded(content)
    assert values(out) == {"bp_systolic": 142}
    assert reasons(out) == ["no_value"]
    assert "component[1]" in out.rejections[0].detail


def test_a_component_that_is_not_known_is_counted() -> None:
    content = blood_pressure()
    content["component"].append({"code": coded("8478-0"), "valueQuantity": quantity(106, "mm[Hg]")})
    out = decoded(content)
    assert values(out) == {"bp_systolic": 142, "bp_diastolic": 88}
    assert reasons(out) == ["unknown_vital_sign"]


def test_the_same_pressure_twice_is_neither() -> None:
    content = blood_pressure()
    content["component"].append(copy.deepcopy(content["component"][0]))
    out = decoded(content)
    assert values(out) == {"bp_diastolic": 88}
    assert reasons(out) == ["contradictory"] * 2


def test_a_refused_panel_counts_its_components() -> None:
    assert reasons(decoded(blood_pressure(status="cancelled"))) == ["not_final"] * 2


DEVICES = [
    ({"reference": "Device/cuff-7"}, "cuff-7"),
    ({"reference": "http://trust.example/fhir/Device/cuff-7"}, "cuff-7"),
    ({"reference": "DeviceMetric/cuff-7"}, "cuff-7"),
    ({"identifier": {"system": "urn:x", "value": "cuff-7"}}, "cuff-7"),
    ({"reference": "#d1"}, "cuff-7"),
    ({"reference": "urn:uuid:1b"}, "cuff-8"),
    ({"reference": "Device/two"}, "cuff-8"),
    ({"display": "a cuff"}, None),
    (None, None),
]


@pytest.mark.parametrize(("device", "code"), DEVICES)
def test_the_device_is_found_by_reference_or_identifier(device: Any, code: str | None) -> None:
    contained = [{"resourceType": "Device", "id": "d1", "identifier": [{"value": "cuff-7"}]}]
    content = bundle(observation(device=device, contained=contained))
    other = {"resourceType": "Device", "id": "two", "identifier": [{"value": "cuff-8"}]}
    content["entry"].append({"fullUrl": "urn:uuid:1b", "resource": other})
    assert decoded(content).device == [code]


def test_each_entry_of_a_bundle_stands_for_itself() -> None:
    patient = {"resourceType": "Patient", "id": "17"}
    out = decoded(bundle(observation(), observation(status="cancelled"), blood_pressure(), patient, 17))
    assert out.size == [1, 2]
    assert reasons(out) == ["not_final", "wrong_type", "wrong_type"]
    assert ["entry[1]" in out.rejections[0].detail, "entry[4]" in out.rejections[2].detail] == [True, True]


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (bundle(), "no_value"),
        (bundle({"resourceType": "Device", "id": "d"}), "no_value"),
        (bundle(observation(), kind="searchset"), "wrong_type"),
        ({"resourceType": "Bundle", "type": ["batch"], "entry": []}, "wrong_type"),
        ({"resourceType": "Patient"}, "wrong_type"),
        ({"resourceType": None}, "wrong_type"),
        ({"resourceType": "Bundle", "type": "batch", "entry": {}}, "wrong_type"),
    ],
)
def test_a_message_without_observations_is_refused_whole(content: Any, reason: str) -> None:
    assert reasons(decoded(content)) == [reason]


def test_a_name_given_twice_costs_its_entry_only() -> None:
    text = json.dumps(bundle(observation(), observation()))
    twice = text.replace('"status": "final"', '"status": "final", "status": "cancelled"', 1)
    out = decoded(twice)
    assert values(out) == {"pulse": 72}
    assert reasons(out) == ["contradictory"]


def test_whom_it_is_about_can_be_asked() -> None:
    (part,) = fhir.parts(observation())
    assert fhir.subject_of(part.resource) == "Patient/17"
    assert fhir.subject_of({"subject": []}) is None


# HL7's own examples: what is taken of each, and why the rest is not; most have a day and no instant.
HL7 = """
bloodpressure          time_without_zone time_without_zone
bloodpressure-cancel   not_final not_final
bloodpressure-dar      no_value time_without_zone
bmi                    unknown_vital_sign
bmi-using-related      unknown_vital_sign
body-height            unknown_vital_sign
body-length            unknown_vital_sign
body-temperature       time_without_zone
f001-glucose           unknown_vital_sign
f202-temperature       not_final
heart-rate             time_without_zone
respiratory-rate       time_without_zone
sample-data            unknown_vital_sign unknown_vital_sign unknown_vital_sign
satO2                  spo2=95
vitals-panel           unknown_vital_sign
"""


@pytest.mark.parametrize("row", HL7.strip().splitlines())
def test_hl7s_examples(row: str) -> None:
    require_samples()
    name, *expected = row.split()
    (path,) = samples("fhir_r4_spec", f"observation-example-{name}.json")
    out = decoded(path.read_bytes())
    taken = [f"{vital}={value:g}" for vital, value in values(out).items()]
    assert sorted(taken + reasons(out)) == sorted(expected)


@pytest.mark.parametrize("row", HL7.strip().splitlines())
def test_hl7s_examples_with_an_instant_are_taken(row: str) -> None:
    require_samples()
    name, *expected = row.split()
    (path,) = samples("fhir_r4_spec", f"observation-example-{name}.json")
    content = json.loads(path.read_bytes()) | {"effectiveDateTime": TIME}
    content.pop("effectivePeriod", None)
    out = decoded(content)
    assert len(out.value) == sum(word == "time_without_zone" or "=" in word for word in expected)
    assert sorted(reasons(out)) == sorted(w for w in expected if w != "time_without_zone" and "=" not in w)


def test_other_resources_are_no_observations() -> None:
    require_samples()
    others = [path for path in samples("fhir_r4_spec") if not path.name.startswith("observation")]
    assert len(others) >= 5
    for path in others:
        assert set(reasons(decoded(path.read_bytes()))) == {"wrong_type"}, path.name


# ---------------------------------------------------------------------------------------------------------- any input

anything = st.recursive(
    st.none() | st.booleans() | st.floats() | st.integers() | st.text(max_size=6),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=6), inner, max_size=3),
    max_leaves=6,
)


@st.composite
def damaged(draw: st.DrawFn) -> Any:
    """A good message, of which some part is exchanged or left out."""
    whole = draw(st.sampled_from([observation(), blood_pressure(), bundle(observation(), blood_pressure())]))
    whole = copy.deepcopy(whole)
    for _ in range(draw(st.integers(1, 3))):
        part = whole
        while True:
            keys = list(part) if isinstance(part, dict) else list(range(len(part)))
            if not keys:
                break
            key = draw(st.sampled_from(keys))
            if isinstance(part[key], dict | list) and draw(st.booleans()):
                part = part[key]
                continue
            if draw(st.booleans()):
                part[key] = draw(anything)
            else:
                part.pop(key)
            break
    return whole


@given(damaged())
def test_no_damage_makes_it_fail_or_vanish(content: Any) -> None:
    out = decoded(json.dumps(content))
    assert accounted(out) >= 1


@given(anything)
def test_any_resource_is_accounted_for(content: Any) -> None:
    assert accounted(decoded(json.dumps({"resourceType": "Observation", "code": content, "component": [content]}))) >= 1
    assert accounted(decoded(json.dumps({"resourceType": "Bundle", "type": "batch", "entry": content}))) >= 1

"""Do Open mHealth's own samples that must fail, fail, and are the others taken or refused for an honest reason?"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ingest.formats.open_mhealth import SCHEMAS, UNITS
from schemas.observation import Flag
from tests.ingest.formats.reading import (
    PAYLOADS,
    accounted,
    decoded,
    instants,
    reasons,
    require_samples,
    samples,
    values,
)

TIME = "2026-11-22T08:00:00+00:00"
EARLIER = "2026-11-21T08:00:00+00:00"
FOLDER = "open_mhealth/test-data/omh"
MEASURES = sorted(SCHEMAS)


def measured(field: str, value: Any, unit: Any, **more: Any) -> dict[str, Any]:
    return {field: {"value": value, "unit": unit}, "effective_time_frame": {"date_time": TIME}} | more


def pulse(**more: Any) -> dict[str, Any]:
    return measured("heart_rate", 72, "beats/min", **more)


def framed(**frame: Any) -> dict[str, Any]:
    return pulse(effective_time_frame=frame)


def point(name: str, **more: Any) -> dict[str, Any]:
    return {"header": header(name, **more), "body": pulse()}


def header(name: str, **more: Any) -> dict[str, Any]:
    return {
        "id": "123e4567-e89b-12d3-a456-426655440000",
        "creation_date_time": TIME,
        "schema_id": {"namespace": "omh", "name": name, "version": "2.0"},
    } | more


CHART = """
field                    value  unit         vital             expected
body_weight              82.4   kg           weight            82.4
body_weight              82400  g            weight            82.4
body_weight              185    lb           weight            83.9146
heart_rate               72     beats/min    pulse             72
oxygen_saturation        95     %            spo2              95
body_temperature         36.5   C            temperature       36.5
body_temperature         97.7   F            temperature       36.5
body_temperature         309.65 K            temperature       36.5
respiratory_rate         18     breaths/min  respiration_rate  18
blood_glucose            5.5    mmol/L       glucose           5.5
blood_glucose            100    mg/dL        glucose           5.5507
systolic_blood_pressure  142    mmHg         bp_systolic       142
diastolic_blood_pressure 88     mmHg         bp_diastolic      88
"""


@pytest.mark.parametrize("row", CHART.strip().splitlines()[1:])
def test_a_body_is_taken_by_its_field_and_unit(row: str) -> None:
    field, value, unit, vital, expected = row.split()
    out = decoded(measured(field, float(value), unit))
    assert (values(out), reasons(out), instants(out)) == ({vital: float(expected)}, [], [TIME])


def _folder(path: Path) -> str:
    return path.relative_to(PAYLOADS / FOLDER).parts[0]


def test_what_must_fail_fails() -> None:
    require_samples()
    paths = [p for p in samples(FOLDER, "*/*/shouldFail/*.json") if _folder(p) in [*MEASURES, "data-point", "header"]]
    assert len(paths) >= 60
    for path in paths:
        out = decoded(path.read_bytes())
        assert values(out) == {}, path
        assert reasons(out), path


def test_what_must_pass_is_taken_or_refused_for_a_reason() -> None:
    require_samples()
    paths = [p for p in samples(FOLDER, "*/*/shouldPass/*.json") if _folder(p) in MEASURES]
    taken = 0
    for path in paths:
        content = json.loads(path.read_bytes())
        out = decoded(content)
        taken += not reasons(out)
        fields = len(content.keys() & (UNITS.keys() | {"supplemental_oxygen_flow_rate"}))
        if not reasons(out):
            assert len(out.value) == fields, path
            continue
        frame = content.get("effective_time_frame", {})
        interval = frame.get("time_interval", {})
        expected = (
            "summary"
            if "descriptive_statistic" in content or "start_date_time" in interval
            else "unknown_vital_sign"
            if {"specimen_source", "blood_specimen_type"} & content.keys()
            else "missing_time"
        )
        if expected == "missing_time":
            assert "date_time" not in frame, path
        assert set(reasons(out)) == {expected}, path
    assert len(paths) >= 65
    assert taken >= 30


def test_every_sample_of_another_measure_is_refused() -> None:
    require_samples()
    for path in samples(FOLDER, "data-point/*/shouldPass/*.json") + samples(FOLDER, "header/*/shouldPass/*.json"):
        assert set(reasons(decoded(path.read_bytes()))) <= {"unknown_vital_sign", "no_value"}, path


@pytest.mark.parametrize("name", MEASURES)
def test_a_data_point_is_taken_as_its_body(name: str) -> None:
    body: dict[str, Any] = {"effective_time_frame": {"date_time": TIME}}
    for field in SCHEMAS[name]:
        body[field] = {"value": 60, "unit": next(iter(UNITS[field][1]))}
    out = decoded({"header": header(name), "body": body})
    assert len(out.value) == len(SCHEMAS[name])
    assert (reasons(out), out.device) == ([], [None])


def test_oxygen_that_flows_is_oxygen() -> None:
    flow = {"value": 2.5, "unit": "L/min"}
    content = measured("oxygen_saturation", 95, "%", supplemental_oxygen_flow_rate=flow)
    assert values(decoded(content)) == {"spo2": 95, "on_oxygen": 1}
    flow["value"] = 0
    assert values(decoded(content)) == {"spo2": 95, "on_oxygen": 0}


def test_the_user_of_a_data_point_is_a_device_of_the_sender() -> None:
    body = measured("heart_rate", 72, "beats/min")
    provenance = {"source_name": "an app", "modality": "self-reported"}
    out = decoded({"header": header("heart-rate", user_id="band-7", acquisition_provenance=provenance), "body": body})
    assert (out.device, out.flags) == (["band-7"], [Flag.BY_HAND])


def test_a_short_interval_ends_with_the_value() -> None:
    interval = {"start_date_time": "2026-11-22T07:59:00Z", "end_date_time": TIME}
    content = measured("heart_rate", 72, "beats/min", effective_time_frame={"time_interval": interval})
    assert instants(decoded(content)) == [TIME]


WRONG: list[tuple[str, str, dict[str, Any]]] = [
    ("unit", "body.heart_rate.unit", measured("heart_rate", 72, "bpm")),
    ("unit", "body.heart_rate.unit", measured("heart_rate", 72, ["beats/min"])),
    ("unit", "body.body_temperature.unit: missing", measured("body_temperature", 97, None)),
    ("wrong_type", "body.heart_rate.value", measured("heart_rate", "72", "beats/min")),
    ("wrong_type", "body.heart_rate", measured("heart_rate", 1, "") | {"heart_rate": 72}),
    ("missing_time", "effective_time_frame", {"heart_rate": {"value": 72, "unit": "beats/min"}}),
    ("time_without_zone", "date_time", framed(date_time="2026-11-22T08:00:00")),
    ("missing_time", "time_interval", framed(time_interval={"date": "2026-11-22", "part_of_day": "morning"})),
    ("missing_time", "effective_time_frame", framed(date_time=TIME, time_interval={})),
    ("contradictory", "time_interval", framed(time_interval={"start_date_time": TIME, "end_date_time": EARLIER})),
    ("summary", "descriptive_statistic", pulse(descriptive_statistic="average")),
    ("unknown_vital_sign", "measurement_location", measured("body_temperature", 31, "C", measurement_location="toe")),
    ("contradictory", "header.schema_id.name", point("body-weight")),
    ("unknown_vital_sign", "header.schema_id", {"header": header("step-count"), "body": {"step_count": 3}}),
    ("wrong_type", "header.creation_date_time", point("heart-rate", creation_date_time="soon")),
    ("wrong_type", "modality", point("heart-rate", acquisition_provenance={"modality": "felt"})),
]  # fmt: skip


@pytest.mark.parametrize(("reason", "place", "content"), WRONG)
def test_what_stands_in_the_way_is_named(reason: str, place: str, content: dict[str, Any]) -> None:
    out = decoded(content)
    assert (values(out), reasons(out)) == ({}, [reason])
    assert place in out.rejections[0].detail


def test_one_wrong_data_point_of_a_list_does_not_cost_the_others() -> None:
    out = decoded([measured("heart_rate", 72, "beats/min"), 17, measured("heart_rate", 73, "bpm")])
    assert (out.value, reasons(out)) == ([72], ["wrong_type", "unit"])


anything = st.recursive(
    st.none() | st.booleans() | st.floats() | st.integers() | st.text(max_size=6),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=6), inner, max_size=3),
    max_leaves=6,
)
names = st.sampled_from(
    [*UNITS, "header", "body", "effective_time_frame", "descriptive_statistic", "specimen_source", "id", "schema_id"]
)


@given(
    st.dictionaries(names, anything | st.builds(measured, names, anything, st.sampled_from(["kg", "F"])), min_size=1)
)
def test_any_document_is_accounted_for(content: Any) -> None:
    assert accounted(decoded(json.dumps(content))) >= 1

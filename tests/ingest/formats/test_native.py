"""Is every payload understood, or rejected with the reason that a technician needs?"""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ingest.formats.decoded import Decoded
from ingest.formats.detect import decode
from ingest.formats.instant import microseconds
from ingest.limits import LARGEST_PAYLOAD
from schemas.observation import Flag
from schemas.vital_signs import BY_NAME

TIME = "2026-11-22T08:00:00.123+00:00"
NOT_STORED = {
    "malformed": [
        b"",
        b"{",
        b"\xff\xfe",
        b'{"time": "%s", "values": {"pulse": NaN}}' % TIME.encode(),
        b'{"time": "%s", "values": {"pulse": Infinity}}' % TIME.encode(),
        b"[" * 100_000,
        b'{"time": "\xc3"}',
    ],
    "wrong_type": [
        b"[]",
        b"17",
        b"null",
        b'"text"',
        b'{"time": "%s"}' % TIME.encode(),
        b'{"time": "%s", "values": {}}' % TIME.encode(),
        b'{"time": "%s", "values": [71]}' % TIME.encode(),
        b'{"time": "%s", "values": {"pulse": "71"}}' % TIME.encode(),
        b'{"time": "%s", "values": {"pulse": true}}' % TIME.encode(),
        b'{"time": "%s", "values": {"pulse": null}}' % TIME.encode(),
        b'{"time": "%s", "values": {"pulse": {"value": 71}}}' % TIME.encode(),
        b'{"time": 1795334400, "values": {"pulse": 71}}',
        b'{"time": "yesterday", "values": {"pulse": 71}}',
        b'{"time": "2026-11-22T08:00:60+00:00", "values": {"pulse": 71}}',
        b'{"time": "%s", "values": {"pulse": 71}, "user": -1}' % TIME.encode(),
        b'{"time": "%s", "values": {"pulse": 71}, "surname": "Smith"}' % TIME.encode(),
    ],
    "missing_time": [
        b'{"values": {"pulse": 71}}',
        b'{"time": null, "values": {"pulse": 71}}',
        b'{"time": "", "values": {"pulse": 71}}',
        b'{"time": " ", "values": {"pulse": 71}}',
    ],
    "time_without_zone": [
        b'{"time": "2026-11-22T08:00:00", "values": {"pulse": 71}}',
        b'{"time": "2026-11-22", "values": {"pulse": 71}}',
    ],
    "unknown_vital_sign": [
        b'{"time": "%s", "values": {"mood": 3}}' % TIME.encode(),
        b'{"time": "%s", "values": {"Pulse": 71}}' % TIME.encode(),
        b'{"time": "%s", "values": {"": 71}}' % TIME.encode(),
    ],
    "unit": [
        b'{"time": "%s", "values": {"weight": {"value": 80, "unit": "kPa"}}}' % TIME.encode(),
        b'{"time": "%s", "values": {"temperature": {"value": 98.6, "unit": "F"}}}' % TIME.encode(),
    ],
    "contradictory": [
        b'{"time": "%s", "values": {"pulse": 71, "pulse": 171}}' % TIME.encode(),
        b'{"time": "%s", "time": "2026-11-22T09:00:00Z", "values": {"pulse": 71}}' % TIME.encode(),
        b'{"time": "%s", "values": {"weight": {"value": 80, "value": 90, "unit": "kg"}}}' % TIME.encode(),
    ],
    "too_large": [b" " * (LARGEST_PAYLOAD + 1), b'{"a": "%s"}' % (b"x" * 10_000_000)],
}


def decoded(content: bytes) -> Decoded:
    out = Decoded()
    decode(content, 0, out)
    return out


@pytest.mark.parametrize(
    ("reason", "content"), [(reason, content) for reason, contents in NOT_STORED.items() for content in contents]
)
def test_what_cannot_be_understood_is_rejected_with_its_reason(reason: str, content: bytes) -> None:
    out = decoded(content)
    assert out.value == []
    assert [rejection.reason.value for rejection in out.rejections] == [reason]
    assert out.rejections[0].detail.isprintable()


def test_a_message_becomes_columns() -> None:
    out = decoded(
        b'{"id": "01", "device": "cuff-7", "user": 2, "time": "2026-11-22T09:00:00.123456+01:00", '
        b'"values": {"bp_systolic": 142, "bp_diastolic": 88.5}, "quality": ["movement", "new_word"], "note": "walk"}'
    )
    assert out.rejections == []
    assert (out.device, out.user, out.size) == (["cuff-7"], [2], [2])
    assert out.observed_at == [1_795_334_400_123_456]
    assert out.flags == [Flag.MOVEMENT]
    assert dict(zip(out.vital, out.value, strict=True)) == {
        BY_NAME["bp_systolic"].code: 142.0,
        BY_NAME["bp_diastolic"].code: 88.5,
    }


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("1970-01-01T00:00:00Z", 0),
        ("1969-12-31T23:59:59.999999+00:00", -1),
        ("2026-11-22T08:00:00.123456789+00:00", 1_795_334_400_123_456),
        ("2026-11-22T08:00:00-05:30", 1_795_354_200_000_000),
        ("9999-12-31T23:59:59.999999+00:00", 253_402_300_799_999_999),
    ],
)
def test_times_are_exact(text: str, expected: int) -> None:
    assert microseconds(text) == expected


def test_stated_units_are_converted() -> None:
    out = decoded(b'{"time": "%s", "values": {"weight": {"value": 154.3, "unit": "[lb_av]"}}}' % TIME.encode())
    assert out.value == pytest.approx([69.989], abs=0.001)


def test_one_wrong_value_does_not_cost_its_neighbours() -> None:
    out = decoded(b'{"time": "%s", "values": {"pulse": 71, "mood": 3, "spo2": "97"}}' % TIME.encode())
    assert out.value == [71.0]
    assert sorted(r.reason.value for r in out.rejections) == ["unknown_vital_sign", "wrong_type"]


def test_one_wrong_set_of_a_list_does_not_cost_the_others() -> None:
    good = f'{{"time": "{TIME}", "values": {{"pulse": 71}}}}'
    out = decoded(f'[{good}, {{"values": {{"pulse": 1, "spo2": 2}}}}, {good}]'.encode())
    assert out.value == [71.0, 71.0]
    assert [(r.reason.value, r.observations) for r in out.rejections] == [("missing_time", 2)]


json_values = st.recursive(
    st.none() | st.booleans() | st.floats() | st.integers() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=8,
)
vital_names = st.sampled_from(sorted(BY_NAME)) | st.text(max_size=5)
quantities = st.fixed_dictionaries(
    {"value": st.floats(allow_nan=False), "unit": st.sampled_from(["kg", "%", "/min", "Cel", "[lb_av]", "parsec"])}
)
sets = st.fixed_dictionaries(
    {"values": st.dictionaries(vital_names, st.floats() | quantities | json_values, min_size=1, max_size=5)},
    optional={
        "time": st.sampled_from([TIME, "2026-11-22", "x", ""]) | json_values,
        "device": st.text(max_size=4) | json_values,
        "user": st.integers(-2, 5) | json_values,
        "quality": st.lists(st.sampled_from(["movement", "cuff_fit", "?"])) | json_values,
        "note": st.text(max_size=5) | json_values,
    },
)


@given(st.binary(max_size=300))
def test_no_bytes_make_it_fail(content: bytes) -> None:
    out = decoded(content)
    assert len(out.value) + sum(r.observations for r in out.rejections) >= 1


@given(st.lists(sets, min_size=1, max_size=4))
def test_every_value_is_taken_or_counted_as_rejected(content: list[dict[str, Any]]) -> None:
    out = decoded(json.dumps(content, allow_nan=True).encode())
    published = sum(len(one["values"]) for one in content)
    if [r.reason.value for r in out.rejections] == ["malformed"]:
        published = 1  # nothing can be counted in what is not JSON
    assert len(out.value) + sum(r.observations for r in out.rejections) == published
    assert len(out.value) == len(out.vital) == sum(out.size)
    assert {len(column) for column in (out.message, out.device, out.user, out.observed_at, out.flags)} == {
        len(out.size)
    }

"""Is what gateways of others publish a person's observation, or refused for what it is instead?"""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.ingest.formats.reading import accounted, decoded, instants, reasons, values

TOPIC = "home/hall/BTtoMQTT/A4C138123456"
AT = "2026-11-22T08:00:00+00:00"


def heard(**more: Any) -> dict[str, Any]:
    """What a gateway says of a scale."""
    found = {
        "id": "A4:C1:38:12:34:56",
        "rssi": -71,
        "brand": "Xiaomi",
        "model": "Mi Body Composition Scale",
        "model_id": "XMTZC05HM",
        "weighing_mode": "person",
        "unit": "kg",
        "weight": 82.4,
        "impedance": 503,
        "UTCtime": "2026-11-22T08:00:00Z",
    } | more
    return {name: part for name, part in found.items() if part is not None}


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (heard(), {"weight": 82.4}),
        (heard(unit="lb", weight=185), {"weight": 83.9146}),
        (heard(weighing_mode=None), {"weight": 82.4}),
        (heard(weight=None, act_bpm=71), {"pulse": 71}),
        (heard(UTCtime=None, unixtime=1795334400), {"weight": 82.4}),
    ],
)
def test_a_weight_and_a_bands_pulse_are_taken(content: Any, expected: dict[str, float]) -> None:
    for topic in (TOPIC, ""):
        out = decoded(content, topic)
        assert (values(out), reasons(out)) == (expected, [])
        assert (out.device, instants(out)) == (["A4C138123456"], [AT])


@pytest.mark.parametrize(
    ("reason", "place", "content"),
    [
        ("missing_time", "UTCtime", heard(UTCtime=None)),
        ("time_without_zone", "UTCtime", heard(UTCtime="2026-11-22T08:00:00")),
        ("wrong_type", "unixtime", heard(UTCtime=None, unixtime=-1)),
        ("wrong_type", "unixtime", heard(UTCtime=None, unixtime=1e300)),
        ("unit", "unit: missing", heard(unit=None)),
        ("unit", "unit: 'jin'", heard(unit="jin")),
        ("unknown_vital_sign", "weighing_mode", heard(weighing_mode="object")),
        ("unknown_vital_sign", "tempc", heard(weight=None, tempc=21.5)),
        ("no_value", "payload", heard(weight=None)),
        ("wrong_type", "weight", heard(weight="82.4")),
        ("wrong_type", "id", heard(id="hall")),
        ("wrong_type", "id", heard(id=None)),
        ("contradictory", "id", heard(id="A4:C1:38:12:34:57")),
    ],
)
def test_what_stands_in_the_way_is_named(reason: str, place: str, content: Any) -> None:
    out = decoded(content, TOPIC)
    assert (values(out), reasons(out)) == ({}, [reason])
    assert place in out.rejections[0].detail


def test_a_rooms_temperature_is_nobodys() -> None:
    out = decoded(heard(weight=None, tempc=36.6, tempf=97.9, hum=40), TOPIC)
    assert (values(out), reasons(out)) == ({}, ["unknown_vital_sign"] * 3)


def test_other_json_on_a_gateways_topic_is_refused() -> None:
    assert reasons(decoded({"status": "online"}, TOPIC)) == ["wrong_type"]
    assert reasons(decoded([heard()], TOPIC)) == ["wrong_type"]


@pytest.mark.parametrize("topic", ["data", ""])
def test_a_scales_line_is_taken(topic: str) -> None:
    out = decoded(b"1795334400;58.4;521;3.5;5\n", topic)
    assert (values(out), reasons(out), instants(out)) == ({"weight": 58.4}, [], [AT])
    out = decoded(b"1795334400;58.4;521;3.5;5\r\n1795338000;58.6;;3.5;5", topic)
    assert out.value == [58.4, 58.6]


@pytest.mark.parametrize(
    ("reason", "line"),
    [
        ("malformed", b"1795334400;58.4"),
        ("malformed", b"1795334400;58.4;521;3.5;5;6"),
        ("malformed", b""),
        ("malformed", b"\xff\xfe"),
        ("malformed", b"[1]"),
        ("wrong_type", b"1795334400;;521;3.5;5"),
        ("wrong_type", b"1795334400;5.8.4;521;3.5;5"),
        ("wrong_type", b"1795334400;1e3;521;3.5;5"),
        ("wrong_type", b"1795334400;-58;521;3.5;5"),
        ("wrong_type", b"0;58.4;521;3.5;5"),
        ("wrong_type", b"999999999999;58.4;521;3.5;5"),
        ("wrong_type", "١٧٩٥٣٣٤٤٠٠;58.4;521;3.5;5".encode()),
    ],
)
def test_a_scales_line_that_is_none_is_refused_with_its_place(reason: str, line: bytes) -> None:
    out = decoded(line, "data")
    assert (values(out), reasons(out)) == ({}, [reason])
    assert out.rejections[0].detail.startswith("line 1: ")


anything = st.recursive(
    st.none() | st.booleans() | st.floats() | st.integers() | st.text(max_size=6),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=6), inner, max_size=3),
    max_leaves=6,
)


@given(st.dictionaries(st.sampled_from([*heard(), "unixtime", "act_bpm", "tempc"]), anything), st.booleans())
def test_any_advertisement_is_accounted_for(content: Any, replaced: bool) -> None:
    whole = heard() | content if replaced else content
    assert accounted(decoded(json.dumps(whole), TOPIC)) >= 1


@given(st.text(alphabet="0123456789;.-e\n \r\0é", max_size=60))
def test_any_line_is_accounted_for(content: str) -> None:
    assert accounted(decoded(content, "data")) >= 1

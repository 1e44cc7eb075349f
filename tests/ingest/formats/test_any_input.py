"""Whatever is sent, on whichever topic: is it taken as what it is, or refused with place and reason, and soon?"""

from __future__ import annotations

import json
import re
import time
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ingest.limits import LARGEST_PAYLOAD
from tests.ingest.formats.reading import accounted, decoded, reasons, values

AT = "2026-11-22T08:00:00+00:00"
GATEWAY = "home/hall/BTtoMQTT/A4C138123456"
OWN = "homeward/v1/0/cuff-7/observations"
TOPICS = ["", OWN, GATEWAY, "data", "home/+/BTtoMQTT/#", "\0"]
ZONES = {"cuff-7": "Europe/London"}

# one good message of each format, and what it holds
GOOD: dict[str, tuple[str, str, dict[str, float]]] = {
    "native": (OWN, json.dumps({"time": AT, "values": {"pulse": 71}}), {"pulse": 71}),
    "native list": (OWN, json.dumps([{"time": AT, "values": {"pulse": 71}}]), {"pulse": 71}),
    "fhir": (
        OWN,
        json.dumps(
            {
                "resourceType": "Observation",
                "status": "final",
                "code": {"coding": [{"system": "http://loinc.org", "code": "8867-4"}]},
                "effectiveDateTime": AT,
                "valueQuantity": {"value": 71, "code": "/min"},
            }
        ),
        {"pulse": 71},
    ),
    "open mhealth": (
        OWN,
        json.dumps({"heart_rate": {"value": 71, "unit": "beats/min"}, "effective_time_frame": {"date_time": AT}}),
        {"pulse": 71},
    ),
    "bluetooth": (
        OWN,
        json.dumps({"characteristic": "2A5E", "value": "005f004700", "encoding": "hex", "time": AT}),
        {"spo2": 95, "pulse": 71},
    ),
    "theengs": (
        GATEWAY,
        json.dumps({"id": "A4:C1:38:12:34:56", "rssi": -71, "weight": 82.4, "unit": "kg", "UTCtime": AT}),
        {"weight": 82.4},
    ),
    "export2garmin": ("data", "1795334400;58.4;521;3.5;5", {"weight": 58.4}),
    "omblepy": (
        OWN,
        "datetime,dia,sys,bpm,mov,ihb\n2026-11-22 08:00:00,88,142,71,0,0\n",
        {"bp_systolic": 142, "bp_diastolic": 88, "pulse": 71},
    ),
}
formats = pytest.mark.parametrize("name", GOOD)


@formats
def test_each_format_is_found_by_itself(name: str) -> None:
    topic, content, expected = GOOD[name]
    out = decoded(content, topic, "cuff-7", ZONES)
    assert (values(out), reasons(out)) == (expected, [])


@formats
def test_no_format_is_read_in_another_encoding(name: str) -> None:
    topic, content, _ = GOOD[name]
    for encoding in ("utf-16", "utf-16-le", "utf-32", "cp037", "utf-7"):
        if content.encode(encoding) == content.encode():
            continue
        out = decoded(content.encode(encoding), topic, "cuff-7", ZONES)
        assert out.value == [], encoding
        assert accounted(out) >= 1


@formats
def test_what_is_too_large_is_kept_unread(name: str) -> None:
    topic, content, _ = GOOD[name]
    out = decoded(content + " " * LARGEST_PAYLOAD, topic, "cuff-7", ZONES)
    assert reasons(out) == ["too_large"]


@formats
def test_a_name_given_twice_is_never_one_of_the_two(name: str) -> None:
    topic, content, _ = GOOD[name]
    if not content.startswith(("{", "[{")):
        content = content.replace("bpm", "sys")
        expected = {"omblepy": "contradictory"}.get(name)
    else:
        document = json.loads(content)
        first = next(iter(document[0] if isinstance(document, list) else document))
        content = content.replace(f'"{first}":', f'"{first}": 0, "{first}":', 1)
        expected = "contradictory"
    if expected is not None:
        out = decoded(content, topic, "cuff-7", ZONES)
        assert (out.value, set(reasons(out))) == ([], {expected})


@formats
@pytest.mark.parametrize("end", [b"\0", b"\0\0\0\0", b"\xff", b"}", b"]", b'{"'])
def test_what_follows_a_message_spoils_it(name: str, end: bytes) -> None:
    topic, content, _ = GOOD[name]
    out = decoded(content.rstrip().encode() + end, topic, "cuff-7", ZONES)
    assert out.value == []
    assert accounted(out) >= 1


DEEP = LARGEST_PAYLOAD // 16
MONSTERS = {
    "lists without end": b"[" * DEEP,
    "closed lists": b"[" * DEEP + b"]" * DEEP,
    "objects without end": b'{"resourceType":' * DEEP,
    "nested in a field": b'{"resourceType":"Observation","code":' + b"[" * 400 + b"]" * 400 + b"}",
    "many names": b"{" + b",".join(b'"%d":1' % i for i in range(20_000)) + b"}",
    "many names twice": b"{" + b",".join(b'"%d":1' % (i // 2) for i in range(20_000)) + b"}",
    "a long number": b'{"characteristic":' + b"9" * 200_000 + b"}",
    "a large exponent": b'{"heart_rate":{"value":1e99999999,"unit":"beats/min"},"effective_time_frame":{}}',
    "a long text": b'{"id":"' + b"A4:" * 60_000 + b'","rssi":1}',
    "many components": b'{"resourceType":"Observation","status":"final","code":{},"component":['
    + b",".join([b"{}"] * 60_000)
    + b"]}",
    "many entries": b'{"resourceType":"Bundle","type":"batch","entry":[' + b",".join([b"{}"] * 60_000) + b"]}",
    "many devices": b'{"resourceType":"Bundle","type":"batch","entry":['
    + b",".join([b'{"resource":{"resourceType":"Device","id":"d"}}'] * 4_000)
    + b"]}",
    "many lines": b"1795334400;1;1;1;1\n" * 13_000,
    "many rows": b"datetime,sys,dia\n" + b"1,2,3\n" * 40_000,
    "a long row": b"datetime,sys,dia\n" + b"1," * 100_000,
    "a long field": b"datetime,sys,dia\n" + b"1" * 200_000,
    "many records": b"[" + b",".join([b'{"characteristic":""}'] * 11_000) + b"]",
    "digits and semicolons": b"123456;" + b"1;" * 120_000 + b"x",
    "spaces": b" " * (LARGEST_PAYLOAD - 1) + b"x",
}


@pytest.mark.parametrize("name", MONSTERS)
def test_a_monster_is_refused_soon(name: str) -> None:
    content = MONSTERS[name]
    assert len(content) <= LARGEST_PAYLOAD
    for topic in (OWN, GATEWAY, "data"):
        started = time.process_time()
        out = decoded(content, topic, "cuff-7", ZONES)
        assert time.process_time() - started < 3
        assert accounted(out) >= 1
        assert not out.value or name == "many lines"


@given(st.binary(max_size=300), st.sampled_from(TOPICS))
def test_no_bytes_make_it_fail_or_vanish(content: bytes, topic: str) -> None:
    assert accounted(decoded(content, topic, "cuff-7", ZONES)) >= 1


@given(st.data(), st.sampled_from(sorted(GOOD)), st.sampled_from(TOPICS))
def test_no_changed_byte_makes_it_fail_or_vanish(draw: st.DataObject, name: str, topic: str) -> None:
    content = bytearray(GOOD[name][1].encode())
    for _ in range(draw.draw(st.integers(1, 4))):
        at = draw.draw(st.integers(0, len(content) - 1))
        kind = draw.draw(st.sampled_from(["change", "insert", "delete"]))
        if kind == "change":
            content[at] = draw.draw(st.integers(0, 255))
        elif kind == "insert":
            content[at:at] = draw.draw(st.binary(min_size=1, max_size=5))
        elif len(content) > 1:
            del content[at]
    assert accounted(decoded(bytes(content), topic, "cuff-7", ZONES)) >= 1


def test_each_example_in_the_documents_is_read() -> None:
    text = (Path(__file__).parents[3] / "docs" / "formats.md").read_text(encoding="utf-8")
    examples = re.findall(r"```json\n(.*?)```", text, re.DOTALL)
    examples += re.findall(r"((?:^    [\d,;.: -]+\n|^    datetime,.*\n)+)", text, re.MULTILINE)
    found = [decoded(re.sub("^    ", "", example, flags=re.M), "", "cuff-7", ZONES) for example in examples]
    assert [len(out.value) for out in found] == [2, 1, 3, 1, 1, 3]
    assert not any(out.rejections for out in found)

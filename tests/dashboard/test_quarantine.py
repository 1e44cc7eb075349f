"""Does somebody who sees no patient learn nothing from a payload but its form?"""

from __future__ import annotations

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dashboard.identity import Person
from dashboard.quarantine import said, shown

TECHNICIAN, NURSE = (Person(1, 1, "x", role) for role in ("technician", "clinician"))


@pytest.mark.parametrize(
    ("payload", "form"),
    [
        ('{"values": {"spo2": 84.5}}', '{"values": {"spo2": 00.0}}'),
        ('{"time":"2026-11-25T08:00:01+00:00"}', '{"time":"0000-00-00T00:00:00+00:00"}'),
        ('{"unit": "mm[Hg]", "x": "0x2A35"}', '{"unit": "mm[Hg]", "x": "0…"}'),
        ('{"raw": "06980060d207"}', '{"raw": "0…"}'),
        ('{"a \\"1\\": 2": 3}', '{"a \\"1\\": 2": 0}'),
        ("SATS 94", "SATS 00"),
        # a text message and a FHIR subject say who somebody is
        ('{"text": "Ann BP 152/91", "unit": "C"}', '{"text": "xxx xx 000/00", "unit": "C"}'),
        (
            '{"display" :"Zoë Ng","given":["Al", "B"], "id": "a"}',
            '{"display" :"xxx xx","given":["xx", "x"], "id": "a"}',
        ),
        ("[1, [2, 3]]", "[0, [0, 0]]"),
    ],
)
def test_a_technician_sees_the_form_and_a_nurse_the_whole(payload: str, form: str) -> None:
    assert shown(payload.encode(), TECHNICIAN) == form
    assert shown(payload.encode(), NURSE) == payload


@pytest.mark.parametrize(
    ("detail", "told"),
    [
        ("spo2: 379; expected 40 to 100 %", "spo2: …; expected 40 to 100 %"),
        ("pulse: -2.5e+07; expected 20 to 300 /min", "pulse: …; expected 20 to 300 /min"),
        (
            "spo2: 3; expected 40 to 100 %; pulse: 0; expected 20 to 300 /min",
            "spo2: …; expected 40 to 100 %; pulse: …; expected 20 to 300 /min",
        ),
        ("bp_systolic 80 is not above bp_diastolic 95", "bp_systolic … is not above bp_diastolic …"),
        ("sys: '168'; expected a number", "sys: …; expected a number"),
        ("pulse: 'Ada Elm said \\'84\\'; expected 3'; expected a number", "pulse: …; expected a number"),
        ("""notes: "Ada's pulse was 84"; expected 0 or 1""", "notes: …; expected 0 or 1"),
        ("weight: 'half a str", "weight: …"),
        ("set: Invalid enum value 'V' - at `$.consciousness`", "set: Invalid enum value … - at `$.consciousness`"),
        ("weight: unit '84' does not convert; expected kg", "weight: unit … does not convert; expected kg"),
        ("Observation.subject.reference: 'Patient/943' is not whose the device was at that time",
         "Observation.subject.reference: … is not whose the device was at that time"),
        ("time: 1.7e+12 are no seconds since 1970", "time: … are no seconds since …"),
        ("values: '84' is not one of pulse, spo2", "values: … is not one of pulse, spo2"),
    ],
)  # fmt: skip
def test_nor_is_a_technician_told_what_was_sent(detail: str, told: str) -> None:
    assert said(detail, TECHNICIAN) == told
    assert said(detail, NURSE) == detail


@pytest.mark.parametrize(
    "detail",
    [
        "device 'cuff-7', user 1: nobody's at that time",
        "device 'cuff-7': sent by 'hub-2', which is not its hub",
        "time: 7200 s ahead; the clock of device 'cuff-7' is wrong",
        "time: 800 days ago; expected at most a year",
        "[3] values: 'puls' is not one of pulse, spo2",
        "Observation.code: http://loinc.org|1234-5; expected a code of the catalogue",
        "payload: Expecting ',' delimiter: line 1 column 15 (char 14); expected a JSON object",
        "payload: 70000 bytes; expected at most 65536, send it in several messages",
        "sender: 240 messages beyond its share of 50 in a crowded moment; kept whole",
        "sender: 3 messages beyond the 64 MB that are kept in a day; not kept",
        "time: 2026-03-29 01:30:00 did not exist in Europe/London, where the clocks changed; expected an instant",
        "line 3: 4 fields; expected 5 as in the first line",
        "value: flags 0x8F are not defined; expected within 0x3F",
    ],
)
def test_where_and_whose_it_is_a_technician_is_told_whole(detail: str) -> None:
    assert said(detail, TECHNICIAN) == detail


@given(st.text(), st.floats(allow_nan=False))
def test_whatever_a_sender_wrote_a_technician_is_not_told_it(wrote: str, number: float) -> None:
    assert said(f"user: {wrote!r}; expected a number", TECHNICIAN) == "user: …; expected a number"
    assert said(f"pulse: {number:g}; expected 20 to 300", TECHNICIAN) == "pulse: …; expected 20 to 300"


def test_a_payload_made_to_be_slow_is_not() -> None:
    # the longest that is shown, of which a list has a thousand
    for payload in ('"\\' * 2000, '"\\"' * 1333, '"' * 4000, '"x"' + " " * 3990, '"\\"' * 1300 + "\\\n"):
        began = time.process_time()  # what others do on this machine meanwhile does not count
        shown(payload.encode(), TECHNICIAN)
        assert time.process_time() - began < 0.1


def test_bytes_that_are_no_text_are_shown_all_the_same() -> None:
    assert shown(b"\xff\x001", TECHNICIAN) == "\ufffd\x000"

"""Does somebody who sees no patient learn nothing from a payload but its form?"""

from __future__ import annotations

import time

import pytest

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
    ("detail", "reason", "told"),
    [
        ("spo2: 379; expected 40 to 100 %", "implausible", "spo2: …; expected 40 to 100 %"),
        ("pulse: -2.5e+07; expected 20 to 300 /min", "implausible", "pulse: …; expected 20 to 300 /min"),
        (
            "spo2: 3; expected 40 to 100 %; pulse: 0; expected 20 to 300 /min",
            "implausible",
            "spo2: …; expected 40 to 100 %; pulse: …; expected 20 to 300 /min",
        ),
        (
            "bp_systolic 80 is not above bp_diastolic 95",
            "contradictory",
            "bp_systolic … is not above bp_diastolic …",
        ),
        (
            "device 'cuff-7', user 1: nobody's at that time",
            "unassigned",
            "device 'cuff-7', user 1: nobody's at that time",
        ),
    ],
)
def test_nor_is_a_technician_told_what_was_observed(detail: str, reason: str, told: str) -> None:
    assert said(detail, reason, TECHNICIAN) == told
    assert said(detail, reason, NURSE) == detail


def test_a_payload_made_to_be_slow_is_not() -> None:
    # the longest that is shown, of which a list has a thousand
    for payload in ('"\\' * 2000, '"\\"' * 1333, '"' * 4000, '"x"' + " " * 3990, '"\\"' * 1300 + "\\\n"):
        began = time.perf_counter()
        shown(payload.encode(), TECHNICIAN)
        assert time.perf_counter() - began < 0.02


def test_bytes_that_are_no_text_are_shown_all_the_same() -> None:
    assert shown(b"\xff\x001", TECHNICIAN) == "\ufffd\x000"

"""Is a text message understood as whoever typed it meant it, or not at all?"""

from __future__ import annotations

import re

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from ingest.formats.sms import Reading, Unclear, read

# text | what is understood, in the order in which it is said; blank where it has to be asked
CHART = """
BP 152/91 72                    | bp_systolic 152, bp_diastolic 91, pulse 72
bp152/91                        | bp_systolic 152, bp_diastolic 91
Bp: 152 / 91, pulse 72          | bp_systolic 152, bp_diastolic 91, pulse 72
BP 152/91, 72.                  | bp_systolic 152, bp_diastolic 91, pulse 72
blood pressure 120 over 80      | bp_systolic 120, bp_diastolic 80
bp 152/91mmHg 72                | bp_systolic 152, bp_diastolic 91, pulse 72
bp 152/91 72 sats 94            | bp_systolic 152, bp_diastolic 91, pulse 72, spo2 94
bp 152/91 sats 94               | bp_systolic 152, bp_diastolic 91, spo2 94
SATS 94                         | spo2 94
sats94%                         | spo2 94 %
spo2 94. temp 37,9c             | spo2 94, temperature 37.9 Cel
WEIGHT 82.4                     | weight 82.4
weight 180 lbs                  | weight 180 [lb_av]
weight 180 pounds               | weight 180 [lb_av]
weight 82.4 kilograms           | weight 82.4 kg
bp 152/91 72 bpm                | bp_systolic 152, bp_diastolic 91, pulse 72
bp 152/91 72bpm, sats 94        | bp_systolic 152, bp_diastolic 91, pulse 72, spo2 94
temp 37.9                       | temperature 37.9
my temp is 37.9 thanks          | temperature 37.9
temp 99.5 F                     | temperature 99.5 [degF]
temperature 38°C                | temperature 38 Cel
sugar 5.6                       | glucose 5.6
sugar 100 mg/dl                 | glucose 100 mg/dL
hr 72bpm rr 16                  | pulse 72 /min, respiration_rate 16
152/91                          |
bp 152 91                       |
bp 152/91/72                    |
bp 152/91 72 5                  |
bp 152/91 72kg                  |
bp 152/91 pulse                 |
not bp 152/91                   |
mum bp 152/91                   |
temp 37.9 yesterday             |
temp 37 temp 38                 |
sats 94-95                      |
sats 9 4                        |
temp -3                         |
temp 37.9.1                     |
temp 37 .9                      |
weight 12st 4                   |
weight 12 stone                 |
oxygen 2                        |
pain 8                          |
hello                           |
                                |
"""
ROWS = [tuple(part.strip() for part in line.split("|")) for line in CHART.strip("\n").splitlines()]


@pytest.mark.parametrize(("text", "expected"), ROWS)
def test_what_people_type(text: str, expected: str) -> None:
    found = read(text)
    if not expected:
        assert isinstance(found, Unclear), found
        return
    assert isinstance(found, Reading), found
    said = [f"{name} {value:g}" + (f" {unit}" if unit else "") for name, value, unit in found.values]
    assert ", ".join(said) == expected


NAMES = {
    "sats": ("spo2", 70, 100),
    "temp": ("temperature", 35, 42),
    "weight": ("weight", 40, 150),
    "sugar": ("glucose", 3, 20),
    "hr": ("pulse", 40, 180),
}


@given(
    st.lists(st.sampled_from(sorted(NAMES)), unique=True, min_size=1).flatmap(
        lambda words: st.tuples(
            *(st.tuples(st.just(w), st.decimals(NAMES[w][1], NAMES[w][2], places=1)) for w in words)
        )
    ),
    st.sampled_from([" ", ", ", ". ", "\n", "; ", " and "]),
    st.sampled_from([" ", ": ", "=", "", " is "]),
    st.sampled_from([str.upper, str.lower, str.title]),
    st.booleans(),
)
def test_however_it_is_written_the_same_is_understood(
    values: tuple[tuple[str, object], ...], between: str, after: str, case: object, comma: bool
) -> None:
    text = case(between.join(f"{word}{after}{value}" for word, value in values))  # type: ignore[operator]
    found = read(text.replace(".", ",") if comma and between != ". " else text)
    assert isinstance(found, Reading), text
    assert [(n, v) for n, v, _ in found.values] == [(NAMES[w][0], float(str(value))) for w, value in values]


@given(
    st.text(max_size=200)
    | st.lists(st.sampled_from(["bp", "sats", "temp", "152/91", "94", "72", "not", " ", "-", "."])).map(" ".join)
)
@example("bp 152/91 " * 90)
@example("temp " + "is " * 300)
def test_nothing_is_made_up(text: str) -> None:
    found = read(text)
    if isinstance(found, Unclear):
        return
    numbers = [float(n.replace(",", ".")) for n in re.findall(r"\d+(?:[.,]\d+)?", text)]
    assert sorted(v for _, v, _ in found.values) == sorted(n for n in numbers)
    assert len({name for name, _, _ in found.values}) == len(found.values)


@given(
    st.sampled_from([text for text, expected in ROWS if expected]),
    st.integers(0, 8),
    st.sampled_from(["not", "yesterday", "mum", "8am", "ish", "2l"]),
)
def test_a_word_that_is_not_known_makes_the_whole_unclear(text: str, place: int, word: str) -> None:
    words = text.split()
    words.insert(place, word)
    assert isinstance(read(" ".join(words)), Unclear)

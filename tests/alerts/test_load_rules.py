"""Is a clinical table with a gap, an overlap or a typing error refused, saying where, what and what to do?"""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from alerts.load_rules import (
    NEWS2_BANDS,
    NEWS2_RESPONSE,
    RULES,
    RuleError,
    load_bands,
    load_response,
    rule_version,
)
from alerts.news2_chart import Chart

pytestmark = pytest.mark.pure


def edited(tmp_path: Path, source: Path, before: str, after: str) -> Path:
    """Write a copy of a shipped table with one place changed."""
    text = source.read_text(encoding="utf-8")
    assert text.count(before) == 1, before
    copy = tmp_path / source.name
    copy.write_text(text.replace(before, after), encoding="utf-8")
    return copy


def test_shipped_tables_load_and_state_their_standing() -> None:
    bands, responses = load_bands(NEWS2_BANDS), load_response(NEWS2_RESPONSE)
    assert {row.parameter for row in bands} == {
        "respiration_rate", "spo2", "on_oxygen", "bp_systolic", "pulse", "consciousness", "temperature",
    }  # fmt: skip
    assert [row.level for row in responses] == ["routine", "low", "low_medium", "medium", "high"]
    assert [row.at_least_every_h for row in responses] == [12, 6, 1, 1, 0]
    standing = [(row.verified, row.source) for row in bands] + [(row.verified, row.source) for row in responses]
    assert not any(verified for verified, _ in standing), "name who checked it in SOURCES.md, then edit this"
    assert all(source.startswith("RCP NEWS2 2017 chart") for _, source in standing)


def test_every_table_has_its_entry_in_sources() -> None:
    sources = (RULES / "SOURCES.md").read_text(encoding="utf-8")
    for table in RULES.glob("*.csv"):
        assert f"## {table.name}" in sources
    for entry in ("document", "edition", "page or chart", "transcribed by", "checked by", "applies to"):
        assert f"| {entry} |" in sources
    assert (
        "Reproduced from: Royal College of Physicians. National Early Warning Score (NEWS) 2: Standardising the "
        "assessment of acute-illness severity in the NHS. Updated report of a working party. London: RCP, 2017."
    ) in sources


S = "RCP NEWS2 2017 chart 1,no"
RATE = f"/min,1,{S}"
BAD_BANDS = [
    # what is changed, into what, the sentence
    (
        f"respiration_rate,,,21,24,2,{RATE}\n",
        "",
        "news2_bands.csv:4: respiration_rate has no band for 21–24 /min; add the row or fix 'upper'",
    ),
    (
        "respiration_rate,,,21,24",
        "respiration_rate,,,21,23",
        "news2_bands.csv:5: respiration_rate has no band for 24–24 /min; add the row or fix 'upper'",
    ),
    (
        "respiration_rate,,,21,24",
        "respiration_rate,,,20,24",
        "news2_bands.csv:5: respiration_rate band overlaps line 4; fix 'lower' or 'upper' of one of them",
    ),
    (
        "respiration_rate,,,25,,",
        "respiration_rate,,,25,60,",
        "news2_bands.csv:6: respiration_rate has no band above 60 /min; add the row or fix 'upper'",
    ),
    (
        "respiration_rate,,,,8,",
        "respiration_rate,,,5,8,",
        "news2_bands.csv:2: respiration_rate has no band below 5 /min; add the row or fix 'lower'",
    ),
    (
        "temperature,,,36.1,38.0",
        "temperature,,,36.2,38.0",
        "news2_bands.csv:35: temperature has no band for 36.1–36.1 °C; add the row or fix 'upper'",
    ),
    (
        "temperature,,,36.1,38.0",
        "temperature,,,36.05,38.0",
        "news2_bands.csv:36: 'lower' is 36.05, finer than the resolution of 0.1; round it",
    ),
    (
        f"spo2,2,0,93,,0,%,1,{S}\n",
        "",
        "news2_bands.csv:14: spo2 scale 2 on air has no band above 92 %; add the row or fix 'upper'",
    ),
    (
        "spo2,2,0,93,,0",
        "spo2,2,,93,,0",
        "news2_bands.csv:16: spo2 scale 2 on oxygen band overlaps line 15; fix 'lower' or 'upper' of one of them",
    ),
    ("spo2,2,0,93,,0", "spo2,2,2,93,,0", "news2_bands.csv:15: 'on_oxygen' is 2; expected 0, 1 or blank"),
    ("spo2,1,,,91", "spo2,,,,91", "news2_bands.csv:8: spo2 has bands with and without 'scale'; fill it in or clear it"),
    (
        f"on_oxygen,,,1,1,2,1,1,{S}\n",
        "",
        "news2_bands.csv:19: on_oxygen has no band for 1–1; add the row or fix 'upper'",
    ),
    (
        "consciousness,,,C,U",
        "consciousness,,,C,P",
        "news2_bands.csv:33: consciousness has no band for 4–4; add the row or fix 'upper'",
    ),
    ("consciousness,,,C,U", "consciousness,,,C,X", "news2_bands.csv:33: 'upper' is 'X'; expected one letter of ACVPU"),
    (
        f"pulse,,,51,90,0,{RATE}",
        f"heart,,,51,90,0,{RATE}",
        "news2_bands.csv:28: unknown parameter 'heart'; expected a name of schemas/vital_signs.csv",
    ),
    (
        f"pulse,,,51,90,0,{RATE}",
        f"pulse,,,51,90,0,bpm,1,{S}",
        "news2_bands.csv:28: unknown unit 'bpm' for pulse; expected '/min'",
    ),
    (
        f"pulse,,,51,90,0,{RATE}",
        f"pulse,2,,51,90,0,{RATE}",
        "news2_bands.csv:28: pulse has one scale, on air or oxygen; leave 'scale' and 'on_oxygen' blank",
    ),
    (
        f"pulse,,,51,90,0,{RATE}",
        f"pulse,,,51,90,,{RATE}",
        "news2_bands.csv:28: 'points' is blank; expected a whole number",
    ),
    (
        f"pulse,,,51,90,0,{RATE}",
        f"pulse,,,51,90,-1,{RATE}",
        "news2_bands.csv:28: 'points' is '-1'; expected a whole number of 0 or more",
    ),
    (
        f"pulse,,,51,90,0,{RATE}",
        f"pulse,,,51,ninety,0,{RATE}",
        "news2_bands.csv:28: 'upper' is 'ninety'; expected a number",
    ),
    (
        f"pulse,,,51,90,0,{RATE}",
        f"pulse,,,91,50,0,{RATE}",
        "news2_bands.csv:28: pulse band runs from 91 down to 50; fix 'lower' or 'upper'",
    ),
    (
        f"pulse,,,51,90,0,{RATE}",
        f"pulse,,,51,90,0,/min,0,{S}",
        "news2_bands.csv:28: 'resolution' is '0'; expected a number above 0",
    ),
    (
        f"pulse,,,51,90,0,{RATE}",
        f"pulse,,,51,90,0,/min,0.5,{S}",
        "news2_bands.csv:28: pulse has resolution 0.5, line 26 has 1; use one",
    ),
    (f"pulse,,,51,90,0,{RATE}", "pulse,,,51,90,0,/min,1,,no", "news2_bands.csv:28: 'source' is blank; expected a text"),
    (
        f"pulse,,,51,90,0,{RATE}",
        "pulse,,,51,90,0,/min,1,memory,maybe",
        "news2_bands.csv:28: 'verified' is 'maybe'; expected yes or no",
    ),
    (f"pulse,,,51,90,0,{RATE}", "pulse,,,51,90,0", "news2_bands.csv:28: has 6 cells; expected 10"),
]


@pytest.mark.parametrize(("before", "after", "sentence"), BAD_BANDS)
def test_broken_bands_are_refused(tmp_path: Path, before: str, after: str, sentence: str) -> None:
    with pytest.raises(RuleError) as refusal:
        load_bands(edited(tmp_path, NEWS2_BANDS, before, after))
    assert str(refusal.value) == sentence


BAD_RESPONSES = [
    (
        "low,1,4,,6",
        "low,1,3,,6",
        "news2_response.csv:3: aggregate score has no band for 4–4 points; add the row or fix 'upper'",
    ),
    (
        "high,7,,,0",
        "high,6,,,0",
        "news2_response.csv:6: aggregate score band overlaps line 5; fix 'lower' or 'upper' of one of them",
    ),
    ("high,7,,,0", "low,7,,,0", "news2_response.csv:3: level 'low' occurs twice; keep one row a level"),
    (
        "low_medium,,,3,1",
        "low_medium,,,,1",
        "news2_response.csv:4: expected either 'lower' (with 'upper', or blank for no limit) or 'red_points'",
    ),
    ("high,7,,,0", "high,7,,,", "news2_response.csv:6: 'at_least_every_h' is ''; expected hours, 0 for continuous"),
    ("level,lower", "name,lower", "news2_response.csv:1: columns are name,"),
]


@pytest.mark.parametrize(("before", "after", "sentence"), BAD_RESPONSES)
def test_broken_responses_are_refused(tmp_path: Path, before: str, after: str, sentence: str) -> None:
    with pytest.raises(RuleError, match="^" + re.escape(sentence)):
        load_response(edited(tmp_path, NEWS2_RESPONSE, before, after))


def test_levels_out_of_order_are_refused(tmp_path: Path) -> None:
    lines = NEWS2_RESPONSE.read_text(encoding="utf-8").splitlines()
    copy = tmp_path / NEWS2_RESPONSE.name
    copy.write_text("\n".join([lines[0], *reversed(lines[1:])]), encoding="utf-8")
    with pytest.raises(RuleError, match="not in rising order"):
        load_response(copy)


def test_a_missing_or_unreadable_file_is_one_sentence(tmp_path: Path) -> None:
    with pytest.raises(RuleError, match=r"^nowhere\.csv: cannot be read"):
        load_bands(tmp_path / "nowhere.csv")
    empty = tmp_path / "empty.csv"
    empty.write_text(NEWS2_BANDS.read_text(encoding="utf-8").splitlines()[0], encoding="utf-8")
    with pytest.raises(RuleError, match=r"^empty\.csv: has no rows"):
        load_bands(empty)


def test_a_chart_without_one_of_its_parameters_or_scales_is_refused() -> None:
    bands, responses = load_bands(NEWS2_BANDS), load_response(NEWS2_RESPONSE)
    with pytest.raises(RuleError, match="no rows for pulse"):
        Chart([row for row in bands if row.parameter != "pulse"], responses)
    with pytest.raises(RuleError, match="scales"):
        Chart([row for row in bands if row.scale != 2], responses)


def test_the_version_names_the_content(tmp_path: Path) -> None:
    changed = edited(tmp_path, NEWS2_BANDS, "pulse,,,51,90", "pulse,,,51,91")
    assert rule_version(NEWS2_BANDS) == rule_version(NEWS2_BANDS) != rule_version(changed)

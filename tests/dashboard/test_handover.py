"""Does a handover say what the record says, and never more? On its own, without a database or a browser."""

import io
import re
from datetime import UTC, date, datetime, timedelta
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pypdf import PdfReader

from alerts import policy, state
from alerts.news2_chart import PARAMETERS
from dashboard import charts, handover, handover_document, rows
from dashboard.figure_parts import Scores
from dashboard.handover_store import TREND_SPAN, TREND_STEP, InvalidActionError, checked_sections
from dashboard.standing import standard
from dashboard.text import handover as words
from dashboard.wording import microseconds
from schemas.vital_signs import BY_NAME

pytestmark = pytest.mark.pure
NOW = datetime(2026, 11, 25, 18, 4, tzinfo=UTC)
CARE_HOME = policy.shipped("care_home_news2").text
HEALTHY = {"respiration_rate": 16, "spo2": 97, "on_oxygen": 0, "bp_systolic": 128, "pulse": 72, "consciousness": 0,
           "temperature": 36.7}  # fmt: skip
PLAUSIBLE = {
    name: st.integers(int(BY_NAME[name].plausible_low), int(BY_NAME[name].plausible_high)).map(float)
    for name in PARAMETERS
}
A_NUMBER = re.compile(r"NEWS2:? \d")


def patient(**changed: Any) -> dict[str, Any]:
    """Somebody in a care home."""
    return {
        "patient_id": 7, "given_name": "Łucja", "family_name": "O'Neill <b>", "nhs_number": "9434765919",
        "born_on": date(1938, 2, 3), "sex": "female", "room": "4", "site": "Rowan House", "contact": "",
        "allergies": "Penicillin", "resuscitation": "", "spo2_scale": 1, "usual_news2": 1,
        "pathway": "Care home, NEWS2", "version": 3, "author": "Dr A", "policy_id": 1, "own": None,
        "time_zone": "Europe/London", "machine": None,
    } | changed  # fmt: skip


def written(
    values: dict[str, float],
    episodes: list[dict[str, Any]] | None = None,
    earlier: dict[str, float] | None = None,
    **changed: Any,
) -> handover.Draft:
    """Draft the handover of somebody with these values, observed ten minutes ago, and earlier ones an hour ago."""
    machine = state.initial(1)
    for name, value in (earlier or {}).items():
        machine["recent"][0, BY_NAME[name].code, 0] = value
        machine["recent_at"][0, BY_NAME[name].code, 0] = microseconds(NOW) - 3_600_000_000
    for name, value in values.items():
        machine["recent"][0, BY_NAME[name].code, 0] = value
        machine["recent_at"][0, BY_NAME[name].code, 0] = microseconds(NOW) - 600_000_000
    who = patient(machine=state.pack(machine)[0], **changed)
    followed = standard(CARE_HOME, 1, 3, "{}", who["usual_news2"])
    assert followed is not None
    at = rows.situation([7], {7: who}, {1: followed}, NOW)
    return handover.draft(who, episodes or [], [], at, None, NOW)


def episode(severity: int, rule: str = "news2") -> dict[str, Any]:
    return {"episode_id": 5, "rule": rule, "severity": severity, "phase": "active", "activated_at": NOW,
            "opened_at": NOW, "sentence": "NEWS2 6, usually 1.", "acknowledged_at": None, "acknowledged_name": None,
            "explanation": {}}  # fmt: skip


@given(st.fixed_dictionaries({}, optional=PLAUSIBLE))
def test_an_incomplete_set_is_never_told_as_a_score(values: dict[str, float]) -> None:
    assessment = written(values).sections["assessment"]
    if len(values) == len(PARAMETERS):
        assert A_NUMBER.search(assessment)
    else:
        assert not A_NUMBER.search(assessment)
        assert not values or "NEWS2 between " in assessment
        assert not values or " missing" in assessment


def test_what_earlier_sets_lend_is_named_and_never_told_as_a_whole_set() -> None:
    newest = {name: value for name, value in HEALTHY.items() if name != "consciousness"} | {"spo2": 85}
    found = written(newest, earlier={"consciousness": 0})
    told = (
        "NEWS2 between 3 and 6; consciousness is missing. "
        "With earlier values that still count (consciousness 25 Nov 17:04): NEWS2 3"
    )
    assert found.sections["assessment"].startswith(f"{told}.\n")
    assert found.facts["score"] == told


def test_alert_from_before_does_not_count_once_somebody_is_not_their_usual_self() -> None:
    newest = {name: value for name, value in HEALTHY.items() if name != "consciousness"}
    found = written(newest | {"soft_signs": 1}, earlier={"consciousness": 0}).sections["assessment"]
    assert found.startswith("NEWS2 between 0 and 3; consciousness is missing.\n")
    assert "earlier values" not in found
    assert "Consciousness: A (alert), 25 Nov 2026 17:04 (from before they changed, does not count)." in found
    as_usual = written(newest | {"soft_signs": 0}, earlier={"consciousness": 0}).sections["assessment"]
    assert "(consciousness 25 Nov 17:04): NEWS2 0." in as_usual


def test_each_section_says_what_is_known_and_what_is_not() -> None:
    found = written(HEALTHY | {"bp_diastolic": 76, "respiration_rate": 23}, [episode(2)])
    assert "Amber since 25 Nov 2026 18:04: NEWS2 6, usually 1." in found.sections["situation"]
    assert "NHS 943 476 5919, Rowan House, room 4" in found.sections["situation"]
    background = found.sections["background"]
    assert "88 years, female." in background
    assert "Conditions: not kept in Homeward" in background
    assert "Allergies: Penicillin." in background
    assert "Resuscitation: not recorded." in background
    assessment = found.sections["assessment"]
    assert "NEWS2 2.\nTheir usual score is 1: this is 1 above it." in assessment
    assert "Blood pressure: 128/76 mmHg, 25 Nov 2026 17:54." in assessment
    assert "Diastolic" not in assessment
    assert "Consciousness: A (alert)" in assessment
    assert "Europe/London (GMT)" in assessment
    assert found.sections["decision"] == ""


@pytest.mark.parametrize("severity", [1, 2, 3])
def test_the_recommendation_is_the_policys_own_with_its_version(severity: int) -> None:
    rule = policy.parse(CARE_HOME).document.score[0]
    own = (rule.steps.yellow, rule.steps.amber, rule.steps.red)[severity - 1]
    found = written(HEALTHY, [episode(severity)]).sections["recommendation"]
    assert found == f"{own}\n(Care home, NEWS2, policy version 3, Dr A)"


def test_without_an_alert_or_a_policy_nothing_is_recommended() -> None:
    assert written(HEALTHY).sections["recommendation"].startswith("No alert is open, so the policy asks for nothing")
    at = rows.situation([7], {7: patient()}, {}, NOW)
    alone = handover.draft(patient(), [], [], at, None, NOW)
    assert alone.sections["recommendation"] == words.NOT_ENROLLED
    assert words.NOT_ENROLLED in alone.sections["assessment"]


def test_the_trend_keeps_its_ranges() -> None:
    at = rows.situation([7], {7: patient()}, {1: standard(CARE_HOME, 1, 3)}, NOW)
    when = np.array([microseconds(NOW) - 7_200_000_000, microseconds(NOW)])
    trend = Scores(when, np.array([2.0, 3.0]), np.array([2.0, 6.0]))
    told = handover.draft(patient(), [], [], at, trend, NOW).sections["assessment"]
    assert "25 Nov 16:04: 2; 25 Nov 18:04: between 3 and 6." in told


def test_the_trend_tells_the_highest_score_of_each_step_and_nothing_older_than_a_day() -> None:
    """SpO2 85 raised the alert and 97 came after it within the same four hours; the lead-in is a day and a half old."""

    def observed(hours_ago: float, **values: float) -> list[dict[str, Any]]:
        at = NOW - timedelta(hours=hours_ago)
        return [{"at": at, "vital": BY_NAME[n].code, "value": v, "observed_at": at} for n, v in values.items()]

    last = [*observed(35, **HEALTHY), *observed(25, spo2=97), *observed(3, **HEALTHY | {"spo2": 85}),
            *observed(2.5, spo2=97), *observed(0.1, **HEALTHY | {"pulse": 95})]  # fmt: skip
    scores = charts.scores_over_time(last, 36 * 3_600_000_000, 1)
    assert scores is not None
    assert len(scores.at) == 5
    told = charts.highest_of_buckets(scores, microseconds(NOW - TREND_SPAN), TREND_STEP // timedelta(microseconds=1))
    assert told.at.tolist() == [microseconds(NOW - timedelta(hours=3))]
    assert (told.lower.tolist(), told.upper.tolist()) == ([3], [3])


@given(st.lists(st.tuples(st.integers(0, 40), st.integers(0, 9), st.integers(0, 9)), unique_by=lambda x: x[0]))
def test_each_step_of_the_trend_is_its_highest(drawn: list[tuple[int, int, int]]) -> None:
    drawn.sort()
    at, lower, more = (np.array([x[i] for x in drawn], dtype=np.int64) for i in range(3))
    told = charts.highest_of_buckets(Scores(at, lower.astype(float), (lower + more).astype(float)), 10, 4)
    steps: dict[int, list[tuple[int, int]]] = {}
    for when, low, extra in drawn:
        if when >= 10:
            steps.setdefault((when - 10) // 4, []).append((low, low + extra))
    found = zip(told.lower.tolist(), told.upper.tolist(), strict=True)
    assert list(found) == [max(steps[step]) for step in sorted(steps)]


def signed(**sections: str) -> dict[str, Any]:
    proposed = written(HEALTHY, [episode(2)])
    return {
        "handover_id": 9, "patient_id": 7, "number": 2, "version": 3, "sections": proposed.sections | sections,
        "facts": proposed.facts, "signed_name": "Tomasz Lis", "signed_role": "carer", "signed_at": NOW, "counts": True,
    }  # fmt: skip


def test_the_pdf_and_the_text_say_the_same_and_can_be_searched() -> None:
    row = signed(decision="GP visits at 16:00 & brings <antibiotics>.\nŻółć, SpO₂ ≥ 92 %")
    document = handover_document.of_patient(row)
    plain = handover_document.as_text(document)
    content = handover_document.as_pdf(document)
    reader = PdfReader(io.BytesIO(content))
    printed = " ".join(" ".join(page.extract_text().split()) for page in reader.pages)
    for line in plain.splitlines():
        if line.strip("-") and not line.isupper():
            assert " ".join(line.split()) in printed
    assert "Łucja O'Neill <b>" in printed
    assert "Signed by Tomasz Lis (carer), 25 Nov 2026 18:04 (Europe/London)" in printed
    assert "Handover 2, version 3" in printed
    assert "Page 1" in printed
    assert reader.metadata is not None
    assert (reader.metadata.author, reader.metadata.subject) == ("Tomasz Lis", words.TITLE)
    assert [item.title for item in reader.outline[1]] == list(words.SECTIONS.values())
    assert reader.trailer["/Root"]["/Lang"] == "en-GB"
    used = {}
    for page in reader.pages:
        known = page["/Resources"]["/Font"]
        for name in re.findall(rb"(/F\S+) [\d.]+ Tf [\d.]+ TL \(", page.get_contents().get_data()):
            used[name] = str(known[name.decode()].get_object()["/BaseFont"])
    assert used
    assert all("Inter" in font for font in used.values()), "nothing but the font that is embedded"
    colours = [
        c for p in reader.pages for c in re.findall(rb"([\d.]+) ([\d.]+) ([\d.]+) rg", p.get_contents().get_data())
    ]
    assert colours
    assert all(red == green == blue for red, green, blue in colours), "grey only"


def test_a_changed_recommendation_stands_beside_the_policys_words() -> None:
    foot = " ".join(handover_document.of_patient(signed(recommendation="Wait until Monday.")).foot)
    assert "The policy's own words: Ring the GP and say it is urgent" in foot
    assert "The policy's own words" not in " ".join(handover_document.of_patient(signed()).foot)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"situation": " "}, "Write something"),
        ({"decision": "x" * 8001}, "at most 8000"),
        ({"assessment": "\0"}, "text"),
    ],
)
def test_what_cannot_be_signed_is_said(change: dict[str, str], said: str) -> None:
    with pytest.raises(InvalidActionError, match=said):
        checked_sections(signed()["sections"] | change)

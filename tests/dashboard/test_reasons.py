"""Are then and now told apart, and is it said why an episode stays although it is over? Without database or browser."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from alerts import policy, state
from alerts.explain import explanation, sentence
from dashboard import care, reasons, resident_list, rows
from dashboard.standing import standard
from dashboard.text import care as words
from dashboard.wording import brief_clock, clock
from schemas.vital_signs import BY_NAME
from tests.alerts.in_memory_ward import START, Seen, Ward

pytestmark = pytest.mark.pure
BEGUN = datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=START)
WELL = {"respiration_rate": 16, "spo2": 97, "on_oxygen": 0, "bp_systolic": 124, "pulse": 72, "consciousness": 0,
        "temperature": 36.7}  # fmt: skip


def at_minute(minute: float) -> str:
    return clock(BEGUN + timedelta(minutes=minute), "Europe/London", BEGUN)


def sets(*given: tuple[float, dict[str, float]]) -> list[Seen]:
    return [Seen(0, minute, BY_NAME[n].code, float(v)) for minute, values in given for n, v in values.items()]


def after(name: str, seen: list[Seen], minute: float) -> tuple[dict[str, Any], rows.Situation]:
    """Score what was seen; give the one episode as the database would, and where the patient stands at a minute."""
    published = policy.shipped(name)
    ward = Ward([published])
    kept: dict[str, Any] = {}
    for instant in sorted({s.minute for s in seen}):
        found = ward.feed([s for s in seen if s.minute == instant], START + round(instant * 60e6))
        for t in found.reasons:
            kept = {"episode_id": 1, "rule": explanation(published, t)["rule"], "severity": int(t["severity"]),
                    "since": BEGUN + timedelta(microseconds=int(t["activated_at"]) - START),
                    "sentence": sentence(published, t), "explanation": explanation(published, t)}  # fmt: skip
    now = BEGUN + timedelta(minutes=minute)
    row = {"machine": state.pack(ward.machines)[0], "time_zone": "Europe/London", "policy_id": 1, "spo2_scale": 1}
    followed = standard(published.text, 1, 1)
    assert followed is not None
    return kept, rows.situation([7], {7: row}, {1: followed}, now)


def told(name: str, seen: list[Seen], minute: float) -> list[str]:
    episode, at = after(name, seen, minute)
    return reasons.reason(episode, at, 0, lambda seen: clock(seen, "Europe/London", BEGUN)).lines


def test_what_raised_a_score_stands_above_what_is_so_now() -> None:
    raised = (0.0, WELL | {"respiration_rate": 26})
    why = f"Raised {at_minute(0)}: One vital sign scored 3: respiration rate 26 /min (NEWS2 3)"
    assert told("care_home_news2", sets(raised), 10) == [why, "Now: no newer set"]
    again = told("care_home_news2", sets(raised, (60, WELL | {"respiration_rate": 27})), 70)
    assert again == [why, f"Now {at_minute(60)}: NEWS2 3"]
    worse = told("care_home_news2", sets(raised, (60, WELL | {"respiration_rate": 27, "spo2": 90, "pulse": 115})), 70)
    assert worse == [f"Changed {at_minute(60)}: NEWS2 8, limit 7 or more", "Now: no newer set"]


def test_what_was_seen_yesterday_is_not_called_now() -> None:
    episode, at = after("care_home_news2", sets((0.0, WELL | {"respiration_rate": 26}), (60, WELL)), 70)
    next_day = BEGUN + timedelta(days=1)
    told = reasons.reason(episode, at, 0, lambda seen: clock(seen, "Europe/London", next_day))
    assert told.short("", told.when).startswith("Yesterday ")
    assert told.present.startswith("Yesterday ")


def test_why_it_stays_although_it_is_over_is_said() -> None:
    raised = (0.0, WELL | {"respiration_rate": 26})
    confirming = told("care_home_news2", sets(raised, (60, WELL)), 70)[1]
    assert confirming == (
        f"Now {at_minute(60)}: NEWS2 0; stays until confirmed: 2 in a row, 30 min apart; 1 so far, "
        f"the next from {at_minute(90)}"
    )
    partly = {name: value for name, value in WELL.items() if name != "respiration_rate"}
    unseen = told("care_home_news2", sets(raised, (725, partly)), 730)[1]
    assert unseen.endswith("; stays until respiration rate is taken again")


def test_what_was_never_observed_again_is_said_to_count_no_more() -> None:
    raised = sets((0.0, WELL | {"respiration_rate": 26}))
    assert told("care_home_news2", raised, 13 * 60)[1].startswith("Now: nothing recent enough to count")


@pytest.mark.parametrize(
    ("values", "then", "minutes"),
    [
        ({"respiration_rate": 26}, WELL, 60 + 60),  # amber: within the hour, however well it is now
        ({"respiration_rate": 22, "pulse": 95}, WELL, 60 + 360),  # yellow: within 4 to 6 hours
        ({}, WELL, 60 + 720),
    ],
)
def test_the_next_set_is_due_when_what_is_told_to_be_done_says(
    values: dict[str, float], then: dict[str, float], minutes: float
) -> None:
    episode, at = after("care_home_news2", sets((0.0, WELL | values), (60, then)), 70)
    found = care.due(at, 0, [episode] if episode else [])
    assert found is not None
    assert (found.at_us, found.without_break) == (START + round(minutes * 60e6), False)


def test_who_is_watched_continuously_is_not_overdue_from_the_second_of_saving() -> None:
    episode, at = after("care_home_news2", sets((0.5, WELL | {"respiration_rate": 26, "spo2": 90, "pulse": 115})), 10)
    assert care.due(at, 0, [episode]) == care.Due(START + 30_000_000, without_break=True)
    resident = resident_list.Resident(7, "Mary O'Neill", "4", "Europe/London", (), (), "", None,
                                      care.due(at, 0, [episode]), "", at.now_us)  # fmt: skip
    assert resident.due_words() == f"{words.WITHOUT_BREAK} {at_minute(0.5)}"


def test_a_set_is_overdue_since_it_was_due_in_the_zone_of_the_site() -> None:
    _, at = after("care_home_news2", sets((0.0, WELL)), 13 * 60)
    resident = resident_list.Resident(7, "Mary O'Neill", "4", "Europe/London", (), (), "", None, care.due(at, 0), "",
                                      at.now_us)  # fmt: skip
    due = BEGUN + timedelta(hours=12)
    assert resident.due_words() == f"Set overdue since {clock(due, 'Europe/London', BEGUN + timedelta(hours=13))}"


def test_an_alert_from_before_counts_nowhere_once_somebody_has_changed() -> None:
    """The core, the lists and the pages agree: a range, and what is missing by name."""
    seen = sets((0.0, WELL), (60, {"soft_signs": 1, "pulse": 72}))
    _, at = after("care_home_news2", seen, 70)
    assert rows.score_cell(at, 0)["text"] == "0–3"
    assert reasons.score_now(at, 0) == ("NEWS2 between 0 and 3; consciousness is missing", START + 60 * 60_000_000)
    _, again = after("care_home_news2", [*seen, Seen(0, 65, BY_NAME["consciousness"].code, 0.0)], 70)
    assert reasons.score_now(again, 0)[0] == "NEWS2 0"


def test_each_row_of_the_list_tells_all_that_is_open() -> None:
    episode, at = after("care_home_news2", sets((0.0, WELL | {"respiration_rate": 26}), (60, WELL)), 70)
    other = episode | {"episode_id": 2, "rule": "soft_signs", "severity": 1, "sentence": "Not their usual self.",
                       "explanation": {}, "acknowledged_at": None, "snoozed_until": None}  # fmt: skip
    both = [episode | {"acknowledged_at": None, "snoozed_until": None}, other]
    row = {"patient_id": 7, "episode_id": 1, "given_name": "Mary", "family_name": "O'Neill", "site": "Rowan",
           "room": "4", "nhs_number": "", "severity": 2, "since": BEGUN, "rule": "news2",
           "time_zone": "Europe/London"}  # fmt: skip
    drawn = rows.grid_row(row, at, both, [], None, BEGUN + timedelta(minutes=70))
    assert drawn["reason"] == "One vital sign scored 3: respiration rate 26 /min"
    assert drawn["now"] == f"Now {at_minute(60)}: eased"
    assert drawn["also"] == "Also: Not their usual self"
    assert "(NEWS2 3)" in drawn["title"]


def test_a_list_leaves_out_the_grace() -> None:
    late = {"rule": "late", "severity": 1, "explanation": {"grace": "2 h"},
            "sentence": "No pulse for longer than 12 h and 2 h of grace, while others come in."}  # fmt: skip
    assert reasons.why(late, brief=True) == "No pulse for longer than 12 h"
    assert reasons.why(late).endswith("while others come in")


def test_of_two_residents_who_are_as_urgent_the_one_who_is_still_so_stands_first() -> None:
    raised = (0.0, WELL | {"respiration_rate": 26})
    found = []
    for number, seen in enumerate((sets(raised, (60, WELL)), sets((5.0, WELL | {"respiration_rate": 26})))):
        episode, at = after("care_home_news2", seen, 70)
        why = reasons.reason(episode, at, 0, str)
        due = care.due(at, 0, [episode])
        taken = episode | {"acknowledged_at": None, "snoozed_until": None}
        found.append(resident_list.Resident(number, "", "", "UTC", (taken,), (), "", None, due, "", at.now_us, (why,)))
    assert [r.patient_id for r in resident_list.in_order(found, "now")] == [1, 0]


def test_of_what_is_to_be_done_only_the_present_severity_is_told() -> None:
    for name in policy.shipped_names():
        followed = standard(policy.shipped(name).text, 1, 1)
        assert followed is not None
        for rule in followed.rules:
            for severity in (1, 2, 3):
                step = care.step(followed, {"rule": rule.name, "severity": severity, "explanation": {}})
                assert len(re.findall(r"(Yellow|Amber|Red): ", step)) == 0 or step == rule.advice
                assert step or not rule.advice
    pulse = standard(policy.shipped("pulse_oximetry_home").text, 1, 1)
    told = [care.step(pulse, {"rule": "low_saturation", "severity": s, "explanation": {}}) for s in (2, 3)]
    assert told == [
        "Take it again within the hour and call the GP or 111.",
        "Take it again at once; 999 or A&E if it stays.",
    ]
    kept = {"rule": "gone", "severity": 3, "explanation": {"advice": "Fast sugar now. Red: call; 999 if drowsy."}}
    assert care.step(pulse, kept) == "Fast sugar now. Call; 999 if drowsy."
    assert care.step(pulse, kept | {"severity": 2}) == "Fast sugar now."


def test_a_line_of_the_list_is_no_longer_at_night() -> None:
    midnight = datetime(2026, 5, 6, 23, tzinfo=UTC)  # in British summer time
    before = midnight - timedelta(minutes=20)
    assert clock(before, "Europe/London", midnight) == "yesterday 23:40"
    assert brief_clock(before, "Europe/London", midnight) == "23:40"
    assert brief_clock(midnight - timedelta(hours=13), "Europe/London", midnight) == "yesterday 11:00"
    assert brief_clock(midnight - timedelta(days=1), "Europe/London", midnight) == "yesterday 00:00"

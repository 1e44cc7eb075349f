"""Does an episode say why it was raised, in one plain sentence and as data?"""

from __future__ import annotations

from typing import Any

import pytest

from alerts.documents import Policy
from alerts.explain import explanation, sentence
from alerts.policy import shipped
from schemas.vital_signs import BY_NAME
from tests.alerts.in_memory_ward import HOUR, START, Seen, Ward

pytestmark = pytest.mark.pure


def transitions(policy: Policy, *seen: tuple[float, str, float], until: float = 0) -> list[Any]:
    ward = Ward([policy])
    batch = [Seen(0, minute, BY_NAME[vital].code, value) for minute, vital, value in seen]
    return list(ward.feed(batch, START + round(until * HOUR)).transitions)


def test_a_limit_names_value_limit_and_confirmation() -> None:
    policy = shipped("pulse_oximetry_home")
    opened, active, eased, resolved = transitions(
        policy,
        (0, "spo2", 91),
        (5, "spo2", 90),
        (10, "spo2", 94),
        (30, "spo2", 94.0),
        (60, "spo2", 96),
        (90, "spo2", 97),
    )
    assert sentence(policy, active) == "Oxygen saturation 90 %, limit 92 % or less, 2 times in a row."
    assert sentence(policy, eased) == "Oxygen saturation 94 %, limit 94 % or less, 2 times in a row."
    assert sentence(policy, resolved) == "Oxygen saturation 97 %: back above the limit."
    assert sentence(policy, opened) == "Oxygen saturation 91 %: not confirmed yet."
    why = explanation(policy, active)
    assert why["rule"] == "low_saturation"
    assert why["thresholds"] == {"amber": 94, "red": 92}
    assert why["value"] == 90
    assert "NHS @home" in why["source"]


def test_an_easing_value_is_not_said_to_be_beyond_its_limit() -> None:
    policy = shipped("pulse_oximetry_home")
    *_, eased = transitions(policy, (0, "spo2", 91), (5, "spo2", 91), (10, "spo2", 93), (27, "spo2", 96))
    assert eased["severity"] == 2
    assert sentence(policy, eased) == "Oxygen saturation 96 %: easing from red, not settled yet."


def test_an_incomplete_score_is_never_shown_as_complete() -> None:
    policy = shipped("care_home_news2")
    (active,) = transitions(policy, (0, "spo2", 91), (0, "pulse", 135))
    assert sentence(policy, active) == (
        "NEWS2 at least 6; not observed: respiration rate, on oxygen, systolic pressure, consciousness, temperature."
    )
    assert explanation(policy, active)["values"]["respiration_rate"] is None


def test_an_overdue_observation_says_what_is_missing_and_for_how_long() -> None:
    policy = shipped("pulse_oximetry_home")
    (overdue,) = transitions(policy, until=12)
    assert sentence(policy, overdue) == "No oxygen saturation for longer than 8 h and 4 h of grace."

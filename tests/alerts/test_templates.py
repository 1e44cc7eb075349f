"""Do the shipped templates raise what their sources ask for, on courses as a nurse would write them down?"""

from __future__ import annotations

import pytest

from alerts.policy import shipped
from schemas.vital_signs import BY_NAME
from tests.alerts.in_memory_ward import HOUR, START, Seen, Ward

pytestmark = pytest.mark.pure
DAY = 24 * 60


def daily(policy: str, vital: str, course: str, scale: int = 1) -> dict[str, list[int]]:
    """Feed one value a day and give each rule's worst severities in order, without overdue ones."""
    ward = Ward([shipped(policy)], spo2_scale=scale)
    for day, value in enumerate(course.split()):
        if value != ".":
            seen = Seen(0, day * DAY, BY_NAME[vital].code, float(value))
            ward.feed([seen], START + day * 24 * HOUR)
    found: dict[str, list[int]] = {}
    for (_, rule, _), episode in sorted(ward.standing().items(), key=lambda item: item[0][2]):
        if "overdue" not in rule and episode["peak"]:
            found.setdefault(rule, []).append(episode["peak"])
    return found


@pytest.mark.parametrize(
    ("course", "expected"),
    [
        ("80.0 80.0 82.0", {}),  # two kilograms are not over two
        ("80.0 80.0 82.1", {"weight_gain": [2]}),
        ("80.0 . . 82.1", {"weight_gain": [2]}),
        ("80.0 . . . 82.1", {}),  # four days
        ("80.0 80.2 79.9 80.1 80.0 80.2 80.0 81.4", {"weight_above_median": [1]}),
        ("80.0 80.2 79.9 80.1 80.0 80.2 80.0 81.3", {}),
    ],
)
def test_heart_failure(course: str, expected: dict[str, list[int]]) -> None:
    assert daily("heart_failure", "weight", course) == expected


def test_a_slow_gain_that_no_three_days_show_is_a_drift() -> None:
    course = " ".join(f"{80 + 0.1 * max(0, day - 14):.1f}" for day in range(28))
    found = daily("heart_failure", "weight", course)
    assert "weight_gain" not in found
    assert found["weight_drift"] == [1]


@pytest.mark.parametrize(
    ("course", "expected"),
    [
        ("90 89 88 90", {}),  # within the target range of 88-92 %
        ("90 87 87", {"below_target": [2]}),
        ("90 83 83", {"below_target": [3]}),
        ("92 92 91 92 92 92 88", {"saturation_fell": [1]}),  # four below the usual, still in range
    ],
)
def test_copd_keeps_to_its_target_and_its_own_usual(course: str, expected: dict[str, list[int]]) -> None:
    assert daily("copd", "spo2", course, scale=2) == expected


@pytest.mark.parametrize(
    ("vital", "course", "expected"),
    [
        ("bp_systolic", "139 138", {}),
        ("bp_systolic", "140", {"raised_systolic": [2]}),
        ("bp_systolic", "160", {"raised_systolic": [3]}),
        ("bp_diastolic", "90", {"raised_diastolic": [2]}),
        ("bp_diastolic", "110", {"raised_diastolic": [3]}),
    ],
)
def test_pregnancy(vital: str, course: str, expected: dict[str, list[int]]) -> None:
    assert daily("pregnancy_blood_pressure", vital, course) == expected


@pytest.mark.parametrize(
    ("vital", "course", "expected"),
    [
        ("bp_systolic", "160 134 134 134 134", {}),  # the first day is left out
        ("bp_systolic", "140 140 140", {}),  # not four days yet
        ("bp_systolic", "120 135 135 135", {"average_systolic": [1]}),
        ("bp_systolic", "120 150 150 150", {"average_systolic": [2]}),
        ("bp_systolic", "120 134 135 135", {"average_systolic": [1]}),  # 134.7 is charted as 135
        ("bp_diastolic", "70 85 84 86", {"average_diastolic": [1]}),
        ("bp_diastolic", "70 95 95 95", {"average_diastolic": [2]}),
        ("bp_diastolic", "70 84 84 84 . . .", {}),
    ],
)
def test_hypertension(vital: str, course: str, expected: dict[str, list[int]]) -> None:
    assert daily("blood_pressure_home", vital, course) == expected


@pytest.mark.parametrize(
    ("course", "expected"),
    [("4.0", {}), ("3.9", {"low_glucose": [2]}), ("3.0", {"low_glucose": [2]}), ("2.9", {"low_glucose": [3]})],
)
def test_glucose(course: str, expected: dict[str, list[int]]) -> None:
    assert daily("diabetes_glucose", "glucose", course) == expected


def test_soft_signs_ask_for_a_set() -> None:
    assert daily("care_home_news2", "soft_signs", "0 0") == {}
    assert daily("care_home_news2", "soft_signs", "0 1 0 1") == {"soft_signs": [1, 1]}

"""Does an episode say why it was raised, in one plain sentence and as data?"""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from alerts.documents import Policy
from alerts.explain import explanation, sentence
from alerts.explain_scores import retold
from alerts.overrides import Override, personalise
from alerts.plain_words import in_words
from alerts.policy import parse, shipped
from schemas.vital_signs import BY_NAME
from tests.alerts.in_memory_ward import HOUR, START, Seen, Ward
from tests.alerts.made_up_policies import opening

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
        "NEWS2 at least 6, limit 5 or more; not observed: respiration rate, on oxygen, systolic pressure, "
        "consciousness, temperature."
    )
    assert explanation(policy, active)["values"]["respiration_rate"] is None


WELL = {"respiration_rate": 16, "spo2": 97, "on_oxygen": 0, "bp_systolic": 124, "pulse": 72, "consciousness": 0,
        "temperature": 36.7}  # fmt: skip
NEW_FACTS = ("points", "severity", "red_score", "red_points")


@pytest.mark.parametrize(
    ("changed", "severity", "said"),
    [
        ({"respiration_rate": 26}, 2, "One vital sign scored 3: respiration rate 26 /min (NEWS2 3)."),
        ({"consciousness": 1}, 2, "One vital sign scored 3: consciousness C (NEWS2 3)."),
        ({"spo2": 90, "pulse": 95}, 2, "One vital sign scored 3: oxygen saturation 90 % (NEWS2 4)."),
        ({"spo2": 90, "pulse": 115}, 2, "NEWS2 5, limit 5 or more."),
        ({"spo2": 90, "respiration_rate": 26}, 2, "NEWS2 6, limit 5 or more."),
        ({"spo2": 90, "respiration_rate": 26, "pulse": 95}, 3, "NEWS2 7, limit 7 or more."),
        ({"respiration_rate": 22, "pulse": 95}, 1, "NEWS2 3, limit 3 or more."),
    ],
)
def test_a_score_names_the_clause_that_was_met(changed: dict[str, float], severity: int, said: str) -> None:
    policy = shipped("care_home_news2")
    (raised,) = transitions(policy, *((0, name, value) for name, value in (WELL | changed).items()))
    assert raised["severity"] == severity
    assert sentence(policy, raised) == said
    # an episode of before said no more than the sum, and kept less
    facts = {name: value for name, value in explanation(policy, raised).items() if name not in NEW_FACTS}
    assert f"{retold('NEWS2 3.', facts, severity)}." == said


def test_a_rise_above_the_usual_names_the_persons_own_limit() -> None:
    policy = personalise(shipped("care_home_news2"), Override(usual_news2=0))
    (raised,) = transitions(policy, *((0, name, value) for name, value in (WELL | {"pulse": 115}).items()))
    assert sentence(policy, raised) == "NEWS2 2, usually 0, limit 2 or more."


@pytest.mark.parametrize(
    ("awake", "signs", "said"),
    [
        (0, 0, "NEWS2 4, limit 3 or more."),
        (0, 1, "NEWS2 at least 4, limit 3 or more; not observed: consciousness."),
        (2, 1, "NEWS2 7, limit 7 or more."),  # what is known of somebody who is no better is not forgotten
    ],
)
def test_an_alert_from_before_somebody_changed_is_not_known(awake: int, signs: int, said: str) -> None:
    policy = shipped("care_home_news2")
    before = [(0.0, name, float(value)) for name, value in (WELL | {"consciousness": awake}).items()]
    found = transitions(policy, *before, (60, "soft_signs", signs), (70, "respiration_rate", 22), (70, "pulse", 115))
    [score] = [t for t in found if explanation(policy, t)["rule"] == "news2" and t["at"] == START + 70 * HOUR // 60]
    assert sentence(policy, score) == said


@given(st.lists(st.tuples(st.integers(0, 30), st.sampled_from(sorted(WELL)), st.integers(0, 3)), max_size=30))
def test_what_is_stored_tells_the_same_again(drawn: list[tuple[int, str, int]]) -> None:
    worse = {"respiration_rate": (16, 22, 26, 8), "spo2": (97, 94, 92, 90), "on_oxygen": (0, 1, 0, 1),
             "pulse": (72, 95, 115, 135), "bp_systolic": (124, 105, 95, 85), "consciousness": (0, 0, 1, 2),
             "temperature": (36.7, 38.5, 39.5, 35)}  # fmt: skip
    policy = shipped("care_home_news2")
    for t in transitions(policy, *((20 * at, name, worse[name][i]) for at, name, i in drawn)):
        if t["severity"]:
            said, facts = sentence(policy, t), explanation(policy, t)
            assert f"{retold(said, facts, int(t['severity']))}." == said
            if facts["rule"] == "news2":
                assert sum(facts["points"].values()) == t["value"]
                alone = [name for name, points in facts["points"].items() if points == 3]
                assert ("scored 3" in said) == (bool(alone) and t["value"] < 5 and t["severity"] == 2)


def test_an_overdue_observation_says_what_is_missing_and_for_how_long() -> None:
    policy = shipped("pulse_oximetry_home")
    (overdue,) = transitions(policy, until=12)
    assert sentence(policy, overdue) == "No oxygen saturation for longer than 8 h and 4 h of grace."


def test_a_schedule_that_needs_all_names_what_is_silent() -> None:
    policy = shipped("care_home_news2")
    monitor = {"respiration_rate": 16.0, "bp_systolic": 128.0, "pulse": 71.0, "temperature": 36.8}
    course = [(0, "spo2", 97.0), *((60 * hour, v, x) for hour in (0, 10) for v, x in monitor.items())]
    alone, everything = transitions(policy, *course, until=25)
    assert sentence(policy, alone) == (
        "No oxygen saturation for longer than 12 h and 2 h of grace, while other observations come in."
    )
    assert explanation(policy, alone)["silent"] == ["spo2"]
    assert sentence(policy, everything) == "No observations at all for longer than 12 h and 2 h of grace."
    assert explanation(policy, everything)["silent"] == policy.document.overdue[0].vitals
    *_, part = transitions(policy, *course, (25 * 60, "spo2", 97.0), (26 * 60, "pulse", 71.0), until=26)
    assert sentence(policy, part) == (
        "No respiration rate, systolic pressure or temperature for longer than 12 h and 2 h of grace, "
        "while other observations come in."
    )
    assert explanation(policy, part)["silent"] == ["respiration_rate", "bp_systolic", "temperature"]
    (overdue,) = [rule for rule in in_words(policy.document) if rule.name == "observations_overdue"]
    assert overdue.when == (
        (
            "yellow",
            "any one of respiration rate, oxygen saturation, systolic pressure, pulse, temperature missing for longer "
            "than 12 h and 2 h of grace",
        ),
    )


HEAD = opening("families", "One rule of each family", actionable="40 d")
FAMILIES = parse(
    HEAD
    + """
[[change]]
name = "weight_gain"
title = "Weight gain"
vital = "weight"
side = "high"
every = "1 d"
over = "4 d"
at_least = 2
reference = "extreme"
amber = 2
source = "test"
[[average]]
name = "mean_systolic"
title = "Average systolic pressure"
vital = "bp_systolic"
side = "high"
every = "1 d"
over = "4 d"
at_least = 3
amber = 135
source = "test"
[[slope]]
name = "pulse_slope"
title = "Pulse rising"
vital = "pulse"
side = "high"
every = "1 h"
over = "12 h"
at_least = 3
yellow = 4.3
source = "test"
[[combination]]
name = "together"
title = "Weight and pressure"
of = ["weight_gain", "mean_systolic"]
at_least = 2
severity = "red"
source = "test"
"""
)
SHIFTS = parse(
    HEAD
    + """
[[ewma]]
name = "breathing"
title = "Respiration shifted"
vital = "respiration_rate"
side = "high"
every = "1 d"
over = "10 d"
at_least = 4
weight = 0.5
least_spread = 2
yellow = 1
source = "test"
[[cusum]]
name = "saturation_down"
title = "Saturation down"
vital = "spo2"
side = "low"
every = "1 d"
over = "10 d"
at_least = 4
slack = 0.5
least_spread = 1
yellow = 3
source = "test"
[[change]]
name = "glucose_unusual"
title = "Glucose unusually high"
vital = "glucose"
side = "high"
every = "1 d"
over = "8 d"
at_least = 4
reference = "spread"
least_spread = 1
yellow = 2.5
source = "test"
"""
)
DAY = 24 * 60


@pytest.mark.parametrize(
    ("policy", "vital", "values", "step", "expected"),
    [
        (FAMILIES, "weight", "82.1 81.8 82.0 84.2", DAY,
         "Weight 84.2 kg, 2.4 kg more than the lowest of the last 4 days, 81.8 kg, limit 2 kg."),
        (FAMILIES, "weight", "82.1 84.2 82.3", DAY,
         "Weight 82.3 kg: the change is back within the limit."),
        (FAMILIES, "bp_systolic", "140 138 142", DAY,
         "Average systolic pressure of the last 4 days 140 mmHg (3 days observed), limit 135 mmHg or more."),
        (FAMILIES, "pulse", "70 75 80", 60,
         "Pulse rising by 5 /min per hour, now 80 /min, limit 4.3 /min."),
        (SHIFTS, "respiration_rate", "16 16 17 16 22", DAY,
         "Respiration rate has drifted above the usual 16 /min, by 2.7 of the usual variation, limit 1."),
        (SHIFTS, "spo2", "97 96 97 97 94 94", DAY,
         "Oxygen saturation has stayed below the usual 97 %, by 5.0 of the usual variation, limit 3."),
        (SHIFTS, "glucose", "6 6.5 6 6.2 9.7", DAY,
         "Capillary glucose 9.7 mmol/L, 3.6 mmol/L more than usual, 6.1 mmol/L, 3.6 times the usual variation, "
         "limit 2.5."),
    ],
)  # fmt: skip
def test_a_course_says_what_it_was_and_what_it_was_compared_with(
    policy: Policy, vital: str, values: str, step: int, expected: str
) -> None:
    seen = [(i * step, vital, float(v)) for i, v in enumerate(values.split())]
    last = transitions(policy, *seen)[-1]
    assert sentence(policy, last) == expected


def test_a_course_is_kept_with_its_window_and_its_baseline() -> None:
    last = transitions(FAMILIES, (0, "weight", 81.8), (2 * DAY, "weight", 82), (3 * DAY, "weight", 84.2))[-1]
    why = explanation(FAMILIES, last)
    assert why["window"] == pytest.approx([84.2, 82.0, None, 81.8], abs=1e-3)
    assert why["baseline"] == pytest.approx(81.8, abs=1e-3)
    assert why["thresholds"] == {"amber": 2}
    assert (why["rule"], why["vital"], why["every"], why["over"]) == ("weight_gain", "weight", "1 d", "4 d")


def test_signs_that_come_together_are_named() -> None:
    weights = [(i * DAY, "weight", w) for i, w in enumerate((80.0, 80.0, 83.0))]
    pressures = [(i * DAY, "bp_systolic", 150.0) for i in range(3)]
    found = [t for t in transitions(FAMILIES, *weights, *pressures) if t["severity"] == 3]
    assert sentence(FAMILIES, found[0]) == (
        "2 of 2 signs together: Weight gain (amber), Average systolic pressure (amber)."
    )
    assert explanation(FAMILIES, found[0])["of"] == {"Weight gain": "amber", "Average systolic pressure": "amber"}

"""Are doubtful observations told and explained, and never taken for a reason to be silent?"""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from alerts.documents import Policy, rule_key
from alerts.evaluate import Evaluation
from alerts.explain import explanation, sentence
from alerts.notation import PolicyError
from alerts.plain_words import in_words
from alerts.policy import parse, shipped
from schemas.observation import Flag
from schemas.vital_signs import BY_NAME
from tests.alerts.in_memory_ward import MINUTE, START, Seen, Ward, story
from tests.alerts.made_up_policies import DOUBTS

pytestmark = pytest.mark.pure
PULSE, SPO2, SYSTOLIC, WEIGHT = (BY_NAME[n].code for n in ("pulse", "spo2", "bp_systolic", "weight"))
DAY = 1440
PULSES = (70.0, 118.0, 125.0, 145.0)


def _feed(policy: Policy, *seen: Seen) -> tuple[Ward, Evaluation]:
    ward = Ward([policy])
    return ward, ward.feed(list(seen), START + int(max(s.minute for s in seen)) * MINUTE)


def _of(result: Evaluation, rule: str) -> list[np.void]:
    return [t for t in result.transitions if t["rule"] == rule_key(rule)]


def test_a_marked_value_that_is_not_scored_still_meets_a_hard_limit_and_keeps_the_schedule() -> None:
    policy = parse(DOUBTS)
    moving = int(Flag.MOVEMENT)
    ward, result = _feed(policy, *(Seen(0, minute, PULSE, 145.0, flags=moving) for minute in (0, 60, 120)))
    assert story(ward, "fast_pulse") == [("active", 3, 3)]
    assert story(ward, "raised_pulse") == []
    assert story(ward, "nothing") == []
    assert story(ward, "moving") == [("active", 2, 2)]
    told = "The device reports movement or a cuff that does not fit for pulse, systolic pressure"
    assert [sentence(policy, t) for t in _of(result, "moving")] == [
        f"{told}: not confirmed yet.",
        f"{told}, 2 times in a row.",
    ]


@settings(max_examples=60, deadline=None)
@given(
    st.lists(st.tuples(st.integers(0, 300), st.sampled_from((70.0, 118.0, 125.0, 145.0)), st.booleans()), max_size=20)
)
def test_marks_change_nothing_of_a_hard_limit(course: list[tuple[int, float, bool]]) -> None:
    policy = parse(DOUBTS)
    times = dict.fromkeys(minute for minute, _, _ in course)
    kept = [next(c for c in course if c[0] == minute) for minute in times]
    stories = []
    for mark in (0, int(Flag.CUFF_FIT)):
        ward = Ward([policy])
        ward.feed([Seen(0, m, PULSE, x, flags=mark if marked else 0) for m, x, marked in kept], START + 400 * MINUTE)
        stories.append(story(ward, "fast_pulse"))
    assert stories[0] == stories[1]


def test_oximeter_and_cuff_disagree_by_what_was_measured_beside_the_pulse() -> None:
    policy = shipped("care_home_news2")
    sets = [(0, SPO2, 96.0, 72.0), (3, SYSTOLIC, 128.0, 98.0), (6, SPO2, 96.0, 73.0)]
    seen = [s for m, code, x, pulse in sets for s in (Seen(0, m, code, x), Seen(0, m, PULSE, pulse))]
    ward, result = _feed(policy, *seen)
    assert story(ward, "two_pulses") == [("active", 1, 1)]
    last = _of(result, "two_pulses")[-1]
    assert sentence(policy, last) == ("Pulse: 73 /min beside oxygen saturation, 98 /min beside systolic pressure.")
    assert explanation(policy, last)["values"] == {"spo2": 73.0, "bp_systolic": 98.0}
    # charted together, or too long ago, it tells nothing
    together = [Seen(0, 0, SPO2, 96.0), Seen(0, 0, SYSTOLIC, 128.0), Seen(0, 0, PULSE, 72.0)]
    for later in (5, 11):
        alone, _ = _feed(policy, *together, Seen(0, later, SYSTOLIC, 120.0), Seen(0, later, PULSE, 110.0))
        assert story(alone, "two_pulses") == []
    apart, _ = _feed(
        policy, *seen[:2], *(Seen(0, m, c, x) for m in (11, 12) for c, x in ((SYSTOLIC, 120.0), (PULSE, 99.0)))
    )
    assert story(apart, "two_pulses") == []


def test_somebody_elses_weight_is_flagged_and_scored_all_the_same() -> None:
    policy = shipped("heart_failure")
    own = [Seen(0, day * DAY, WEIGHT, 80.0 + 0.2 * (day % 3)) for day in range(8)]
    ward, result = _feed(policy, *own, Seen(0, 8 * DAY, WEIGHT, 96.0))
    assert story(ward, "somebody_elses_weight") == [("active", 1, 1)]
    assert {k[1] for k in ward.flagged(Flag.OUTLIER)} == {START + 8 * DAY * MINUTE}
    assert story(ward, "weight_gain") == [("active", 2, 2)]
    assert [sentence(policy, t) for t in _of(result, "somebody_elses_weight")] == [
        "Weight 96.0 kg, usually 80.2 kg: so far from their own that it may be somebody else's."
    ]
    gaining, _ = _feed(policy, *own, Seen(0, 8 * DAY, WEIGHT, 83.0))
    assert story(gaining, "weight_gain") == [("active", 2, 2)]
    assert story(gaining, "somebody_elses_weight") == []


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ('marks = ["movement", "cuff_fit"]', 'marks = ["moved"]', r"\$.quality\[0\].marks\[0\]"),
        ('beside = ["spo2", "bp_systolic"]', 'beside = ["spo2", "spo2"]', "name each once"),
        ('beside = ["spo2", "bp_systolic"]', 'beside = ["spo2", "pressure"]', "unknown vital sign 'pressure'"),
        ("at_least = 3\nleast_spread", "at_least = 20\nleast_spread", "at_least = 20 past steps, but over holds 19"),
        ("yellow = 9\namber = 25.5", "", "no threshold; state at least one of yellow, amber, red"),
    ],
)
def test_a_rule_on_data_that_says_something_impossible_is_refused(old: str, new: str, message: str) -> None:
    assert old in DOUBTS
    with pytest.raises(PolicyError, match=message):
        parse(DOUBTS.replace(old, new))


def test_rules_on_data_are_said_in_plain_words() -> None:
    said = {rule.name: rule for rule in in_words(parse(DOUBTS).document)}
    assert said["moving"].when == (
        (
            "amber",
            "pulse, systolic pressure marked by the device with movement or cuff fit; marked values are looked at by "
            "hard limits only",
        ),
    )
    assert said["two_pulses"].when[-1] == (
        "yellow",
        "pulse beside oxygen saturation and beside systolic pressure 9 /min or more apart, within 3 h",
    )
    assert "robust spreads from the person's own median over 20 h" in said["somebody_else"].when[0][1]
    assert "It stays until somebody resets it." in said["no_clock"].how

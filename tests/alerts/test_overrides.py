"""Can a person have limits of their own, within what the policy permits, and never fewer alerts from a hard limit?"""

from __future__ import annotations

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from alerts.documents import Policy, rule_key
from alerts.notation import PolicyError
from alerts.overrides import Override, Thresholds, override_json, personalise, read_override, spo2_scale
from alerts.policy import parse, shipped
from alerts.state import ACTIVE
from schemas.vital_signs import BY_NAME
from tests.alerts.in_memory_ward import START, Seen, Ward
from tests.alerts.made_up_policies import opening

pytestmark = pytest.mark.pure
MINUTE = 60_000_000

HARD = parse(
    opening("hard", "A hard limit on each side, and a change that may be loosened", lateness="1 d")
    + """
target_saturation = [ { lowest = 88, highest = 92, spo2_scale = 2 } ]
[[limit]]
name = "fast_pulse"
title = "Fast pulse"
vital = "pulse"
side = "high"
amber = 120
red = 140
extreme = 200
# the courses lie around half past eight
night = { from = "08:55", to = "09:10", amber = 110, red = 150 }
deadband = 5
hard = true
personal = { lowest = 60, highest = 190 }
raise_after = { consecutive = 2, hold = "10 min", red = { consecutive = 3 } }
clear_after = { consecutive = 2, apart = "5 min", hold = "5 min" }
gap = "15 min"
source = "test"
[[limit]]
name = "slow_pulse"
title = "Slow pulse"
vital = "pulse"
side = "low"
yellow = 55
amber = 50
deadband = 2
hard = true
personal = { lowest = 40, highest = 70 }
raise_after = { consecutive = 2 }
source = "test"
[[change]]
name = "pulse_rose"
title = "Pulse rose"
vital = "pulse"
side = "high"
every = "1 h"
over = "6 h"
at_least = 2
reference = "median"
yellow = 20
personal = { lowest = 10, highest = 40 }
source = "test"
[[overdue]]
name = "overdue"
title = "Overdue"
vitals = ["pulse"]
every = "1 d"
grace = "1 h"
severity = "yellow"
source = "test"
"""
)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("limits.fast_pulse.amber = 125", r"limits.fast_pulse.amber: 125 is looser than the policy's 120.*choose 120"),
        ("limits.slow_pulse.amber = 45", r"limits.slow_pulse.amber: 45 is looser than the policy's 50.*50 or more"),
        ("limits.fast_pulse.extreme = 210", "outside what the policy permits, 60 to 190; choose a value within"),
        ("limits.fast_pulse.amber = 50", "limits.fast_pulse.amber: 50 is outside what the policy permits, 60 to 190"),
        ("limits.fast_pulse.red = 100", "red = 100 would be met before amber = 120; exchange them"),
        ("limits.pulse_rose.yellow = nan", r"override: nan is no number .* at `\$.limits.pulse_rose.yellow`"),
        ("limits.pulse_rose.yellow = -inf", "-inf is no number"),
        ("limits.pulse_rose.extreme = 20", "only a limit has an extreme"),
        ("limits.overdue.yellow = 1", "limits.overdue: the policy permits no thresholds of a person's own"),
        ("limits.quick_pulse.red = 1", "no such rule; it has fast_pulse, slow_pulse, pulse_rose, overdue"),
        ("limits.fast_pulse.green = 1", r"unknown field `green`"),
        ("target_saturation = { lowest = 90, highest = 94 }", r"90 to 94 is not a target .* permits \(88 to 92\)"),
        ("usual_news2 = 21", "usual_news2"),
        ("usual_news2 = ", "override: not TOML"),
        ("{", "override: "),
    ],
)
def test_an_override_that_is_not_permitted_is_refused_with_its_place(text: str, message: str) -> None:
    with pytest.raises(PolicyError, match=message):
        personalise(HARD, read_override(text))


def test_what_is_no_number_silences_nothing() -> None:
    nan = float("nan")
    for thresholds in (Thresholds(yellow=nan), Thresholds(amber=nan), Thresholds(red=nan)):
        for rule in ("fast_pulse", "pulse_rose"):
            with pytest.raises(PolicyError, match="outside what the policy permits"):
                personalise(HARD, Override({rule: thresholds}))


def test_a_policy_states_a_sensible_range() -> None:
    for given_range, message in (("{}", "permits any threshold"), ("{ lowest = 90, highest = 80 }", "exchange them")):
        with pytest.raises(PolicyError, match=message):
            parse(HARD.text.replace("{ lowest = 60, highest = 190 }", given_range))


def test_a_target_saturation_chooses_the_scale() -> None:
    override = read_override("target_saturation = { lowest = 88, highest = 92 }")
    assert spo2_scale(HARD, override) == 2
    assert spo2_scale(HARD, Override()) is None


def test_what_is_a_persons_own_survives_the_database() -> None:
    override = read_override("usual_news2 = 2\nlimits.fast_pulse = { yellow = 100, amber = 110 }")
    assert read_override(override_json(override)) == override
    assert personalise(HARD, Override()).document == HARD.document


def test_a_loosened_limit_that_is_not_hard_stays_silent() -> None:
    own = personalise(HARD, read_override("limits.pulse_rose.yellow = 30"))
    course = [Seen(0, 60 * i, BY_NAME["pulse"].code, value) for i, value in enumerate((70.0, 70.0, 95.0))]
    for policy, expected in ((HARD, {"pulse_rose"}), (own, set())):
        ward = Ward([policy])
        ward.feed(course, START + 200 * MINUTE)
        assert {k[1] for k in ward.standing()} == expected


@pytest.mark.parametrize(
    ("usual", "score", "expected"), [(None, 2, 0), (0, 2, 1), (1, 2, 0), (1, 3, 1), (4, 4, 1), (4, 5, 2), (6, 7, 3)]
)
def test_a_rise_over_the_usual_score_counts_beside_the_thresholds(usual: int | None, score: int, expected: int) -> None:
    policy = personalise(shipped("care_home_news2"), Override(usual_news2=usual))
    # 2 points of a pulse of 115, 1 of a temperature of 38.5, 2 of oxygen, 1 of a respiration rate of 10
    values = {2: {"pulse": 115}, 3: {"pulse": 115, "temperature": 38.5}, 4: {"pulse": 115, "on_oxygen": 1}}
    values[5] = values[4] | {"temperature": 38.5}
    values[7] = values[5] | {"respiration_rate": 22}
    ward = Ward([policy])
    ward.feed([Seen(0, 0, BY_NAME[name].code, float(x)) for name, x in values[score].items()], START)
    assert max((e["severity"] for e in ward.standing().values()), default=0) == expected


own_value = st.one_of(st.none(), st.integers(40, 210))
pulses = st.sampled_from([35, 45, 50, 52, 55, 58, 65, 90, 100, 114, 118, 121, 138, 141, 160, 205])


@settings(max_examples=300, deadline=None)
@given(
    course=st.lists(st.tuples(st.sampled_from([1, 4, 5, 6, 10, 16]), pulses), min_size=1, max_size=60),
    own=st.fixed_dictionaries({"yellow": own_value, "amber": own_value, "red": own_value, "extreme": own_value}),
    rule=st.sampled_from(["fast_pulse", "slow_pulse"]),
)
def test_no_override_silences_a_hard_limit(
    course: list[tuple[int, int]], own: dict[str, int | None], rule: str
) -> None:
    try:
        personal = personalise(HARD, read_override(_toml(rule, own)))
    except PolicyError:
        assume(False)
    alone, theirs = _severities(HARD, course), _severities(personal, course)
    for name in ("fast_pulse", "slow_pulse"):
        assert all(mine >= shared for mine, shared in zip(theirs[name], alone[name], strict=True))


def _toml(rule: str, own: dict[str, int | None]) -> str:
    return f"limits.{rule} = {{ {', '.join(f'{k} = {v}' for k, v in own.items() if v is not None)} }}"


def _severities(policy: Policy, course: list[tuple[int, int]]) -> dict[str, list[int]]:
    """The severity of each limit after each observation."""
    ward, minute = Ward([policy]), 0
    found: dict[str, list[int]] = {"fast_pulse": [], "slow_pulse": []}
    for passed, value in course:
        minute += passed
        ward.feed([Seen(0, minute, BY_NAME["pulse"].code, float(value))], START + minute * MINUTE)
        slots = ward.machines[0]["slots"]
        for name, severities in found.items():
            slot = slots[slots["rule"] == rule_key(name)][0]
            severities.append(int(slot["severity"]) if slot["phase"] == ACTIVE else 0)
    return found

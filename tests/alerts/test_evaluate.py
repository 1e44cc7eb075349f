"""Does the core raise, worsen, ease and take back episodes as its rules say, however the observations arrive?"""

from __future__ import annotations

from datetime import datetime

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from alerts import state
from alerts.acts import Acts
from alerts.bank import PolicyBank
from alerts.documents import Policy, rule_key
from alerts.episodes import CLEARED, SEVERITY
from alerts.evaluate import Evaluation, evaluate
from alerts.policy import parse, shipped, shipped_names
from schemas.observation import Flag, ObservationBatch
from schemas.vital_signs import BY_NAME, CATALOGUE
from tests.alerts.in_memory_ward import HOUR, MINUTE, START, Seen, Ward
from tests.alerts.reference_ward import reference_episodes

pytestmark = pytest.mark.pure

SPO2, SYSTOLIC, DIASTOLIC = (BY_NAME[n].code for n in ("spo2", "bp_systolic", "bp_diastolic"))
OXIMETRY = shipped("pulse_oximetry_home")
PRESSURE = shipped("blood_pressure_home")
CARE_HOME = shipped("care_home_news2")
DAY = START + 24 * HOUR

STRICT = """
name = "strict"
title = "Holds, gaps and deadbands"
author = "test"
source = "test"
reason = "test"
lateness = "40 d"
actionable = "1 h"
[[limit]]
name = "fast_pulse"
title = "Fast pulse"
vital = "pulse"
side = "high"
yellow = 100
amber = 120
red = 140
extreme = 200
deadband = 5
raise_after = { consecutive = 2, hold = "10 min", red = { consecutive = 3 } }
clear_after = { consecutive = 2, apart = "5 min", hold = "5 min" }
gap = "15 min"
source = "test"
"""

COURSES = """
name = "courses"
title = "Every trend family, and combinations"
author = "test"
source = "test"
reason = "test"
lateness = "40 d"
actionable = "1 h"
[[limit]]
name = "raised_pulse"
title = "Raised pulse, for combinations only"
vital = "pulse"
side = "high"
yellow = 95
quiet = true
source = "test"
[[score]]
name = "news2"
title = "NEWS2"
table = "news2"
amber = 5
valid = "4 h"
source = "test"
[[change]]
name = "saturation_fell"
title = "Saturation fell"
vital = "spo2"
side = "low"
every = "1 h"
over = "6 h"
at_least = 2
reference = "extreme"
yellow = 2.5
amber = 5.5
deadband = 1
source = "test"
[[change]]
name = "score_rose"
title = "Score above the usual one"
vital = "news2"
side = "high"
every = "2 h"
over = "20 h"
at_least = 2
reference = "spread"
least_spread = 0.7
yellow = 1.9
source = "test"
[[average]]
name = "mean_systolic"
title = "Average systolic pressure"
vital = "bp_systolic"
side = "high"
every = "2 h"
over = "24 h"
at_least = 3
skip = 1
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
name = "pulse_and_saturation"
title = "Pulse and saturation together"
of = ["raised_pulse", "saturation_fell", "pulse_slope"]
at_least = 2
severity = "red"
clear_after = { consecutive = 2 }
source = "test"
"""
CUSUM = (
    COURSES[: COURSES.index("[[limit]]")]
    + """
[[ewma]]
name = "breathing_shift"
title = "Respiration shifted"
vital = "respiration_rate"
side = "high"
every = "2 h"
over = "30 h"
at_least = 2
weight = 0.3
least_spread = 1.7
yellow = 1.1
source = "test"
[[cusum]]
name = "pulse_up"
title = "Pulse up"
vital = "pulse"
side = "high"
every = "1 h"
over = "20 h"
at_least = 2
slack = 0.45
least_spread = 9.7
yellow = 1.3
red = 4.1
source = "test"
[[cusum]]
name = "pulse_down"
title = "Pulse down"
vital = "pulse"
side = "low"
every = "1 h"
over = "20 h"
at_least = 2
slack = 0.45
least_spread = 9.7
yellow = 1.3
source = "test"
"""
)
LATCHED = (
    COURSES[: COURSES.index("[[limit]]")]
    + """
[[limit]]
name = "fast_pulse"
title = "Fast pulse"
vital = "pulse"
side = "high"
yellow = 100
amber = 120
red = 140
night = { from = "21:30", to = "06:15", yellow = 90, amber = 104, extreme = 205 }
extreme = 220
deadband = 5
latching = true
source = "test"
[[limit]]
name = "low_saturation"
title = "Low saturation"
vital = "spo2"
side = "low"
amber = 93
red = 90
night = { from = "01:00", to = "02:30", amber = 91 }
clear_after = { consecutive = 2 }
source = "test"
[[combination]]
name = "both"
title = "Both"
of = ["fast_pulse", "low_saturation"]
at_least = 2
severity = "red"
latching = true
source = "test"
[[overdue]]
name = "nothing"
title = "Nothing observed"
vitals = ["pulse", "spo2"]
every = "2 h"
grace = "30 min"
severity = "yellow"
source = "test"
"""
)
DOUBTS = (
    COURSES[: COURSES.index("[[limit]]")]
    + """
[[limit]]
name = "fast_pulse"
title = "Fast pulse"
vital = "pulse"
side = "high"
amber = 120
red = 140
hard = true
source = "test"
[[limit]]
name = "raised_pulse"
title = "Raised pulse"
vital = "pulse"
side = "high"
yellow = 100
source = "test"
[[score]]
name = "news2"
title = "NEWS2"
table = "news2"
amber = 4
valid = "4 h"
source = "test"
[[overdue]]
name = "nothing"
title = "No pulse"
vitals = ["pulse"]
every = "2 h"
grace = "30 min"
severity = "yellow"
source = "test"
[[overdue]]
name = "each"
title = "One of them is silent"
vitals = ["pulse", "spo2", "temperature"]
needs = "all"
every = "2 h"
grace = "30 min"
severity = "amber"
source = "test"
[[repeat]]
name = "again"
title = "Again"
vitals = ["bp_systolic", "pulse"]
multiple_of = "1 h"
at_most = "6 h"
source = "test"
[[quality]]
name = "moving"
title = "Moving"
marks = ["movement", "cuff_fit"]
vitals = ["pulse", "bp_systolic"]
severity = "amber"
scored = false
raise_after = { consecutive = 2 }
clear_after = { consecutive = 2 }
source = "test"
[[quality]]
name = "no_clock"
title = "The clock is not set"
marks = ["clock_unset"]
vitals = ["spo2", "temperature"]
severity = "yellow"
latching = true
source = "test"
[[disagreement]]
name = "two_pulses"
title = "Oximeter and cuff disagree"
vital = "pulse"
beside = ["spo2", "bp_systolic"]
within = "3 h"
yellow = 9
amber = 25.5
deadband = 4
source = "test"
[[outlier]]
name = "somebody_else"
title = "Perhaps somebody else"
vital = "bp_systolic"
every = "1 h"
over = "20 h"
at_least = 3
least_spread = 4.7
yellow = 1.9
amber = 3.3
deadband = 0.4
source = "test"
"""
)
TESTED = {name: shipped(name).text for name in shipped_names()} | {
    "strict": STRICT,
    "courses": COURSES,
    "cusum": CUSUM,
    "latched": LATCHED,
    "doubts": DOUBTS,
}


def saturations(text: str, every: float = 10, patient: int = 0) -> list[Seen]:
    """Write a course of saturations as on a chart: values every ten minutes, ``.`` where none was taken."""
    return [Seen(patient, i * every, SPO2, float(v)) for i, v in enumerate(text.split()) if v != "."]


def story(ward: Ward, rule: str) -> list[tuple[str, int, int]]:
    """Give phase, severity and peak of a rule's standing episodes in the order of their beginning."""
    found = sorted((k[2], e) for k, e in ward.standing().items() if k[1] == rule)
    return [(e["phase"], e["severity"], e["peak"]) for _, e in found]


@pytest.mark.parametrize(
    ("course", "expected"),
    [
        ("97 96 98 97", []),
        ("97 92", [("pending", 0, 0)]),
        ("97 92 97", [("resolved", 0, 0)]),  # not confirmed: nobody is paged
        ("97 92 91", [("active", 3, 3)]),
        ("97 94 93", [("active", 2, 2)]),
        ("97 94 92", [("active", 2, 2)]),  # the second confirms amber only
        ("97 94 92 92", [("active", 3, 3)]),
        ("97 83", [("active", 3, 3)]),  # extreme: no second is waited for
        ("97 84", [("pending", 0, 0)]),
        ("91 91 95 95", [("active", 3, 3)]),  # ten minutes of normal values are not yet a quarter of an hour
        ("91 91 95 95 95", [("resolved", 0, 3)]),
        ("91 91 93 93 93", [("active", 2, 3)]),  # eases to amber
        ("91 91 95 91 95 95", [("active", 3, 3)]),
        ("91 91 . . . . . . 95 95 95", [("resolved", 0, 3)]),
        ("92.4 92.4", [("active", 3, 3)]),  # charted as 92
        ("92.5 92.5", [("active", 2, 2)]),  # charted as 93
    ],
)
def test_low_saturation(course: str, expected: list[tuple[str, int, int]]) -> None:
    ward = Ward([OXIMETRY])
    for seen in saturations(course):
        ward.feed([seen], seen.at)
    assert story(ward, "low_saturation") == expected


@pytest.mark.parametrize(
    ("course", "expected"),
    [
        # minutes and pulses; hold ten minutes, gaps over 15 minutes do not count as duration
        ("0:105 5:105", [("pending", 0, 0)]),
        ("0:105 5:105 10:105", [("active", 1, 1)]),
        ("0:105 20:105 40:105", [("pending", 0, 0)]),
        ("0:105 15:105", [("active", 1, 1)]),  # a gap is longer than fifteen minutes, not as long
        ("0:105 20:105 30:105", [("active", 1, 1)]),
        ("0:105 5:99 10:105 15:105", [("resolved", 0, 0), ("pending", 0, 0)]),
        ("0:200", [("active", 3, 3)]),
        ("0:150 5:150 10:150", [("active", 3, 3)]),
        ("0:150 10:150 20:96 30:96 40:96", [("active", 1, 2)]),  # within the deadband of yellow it stays
        ("0:150 10:150 20:94 26:94", [("resolved", 0, 2)]),
    ],
)
def test_hold_gap_and_deadband(course: str, expected: list[tuple[str, int, int]]) -> None:
    ward = Ward([parse(STRICT)])
    for part in course.split():
        minute, value = part.split(":")
        seen = Seen(0, float(minute), BY_NAME["pulse"].code, float(value))
        ward.feed([seen], seen.at)
    assert story(ward, "fast_pulse") == expected


def test_three_oximeters_make_one_episode() -> None:
    ward = Ward([OXIMETRY])
    for minute in range(5):
        for device, value in ((1, 90.0), (2, 91.0), (3, 97.0)):
            ward.feed([Seen(0, minute, SPO2, value, device)], START + minute * MINUTE)
    assert story(ward, "low_saturation") == [("active", 3, 3)]


def test_overdue_is_dated_when_it_was_due_and_ends_with_the_next_observation() -> None:
    ward = Ward([OXIMETRY])
    result = ward.feed(saturations("97"), START)
    assert result.next_due_at.tolist() == [START + 12 * HOUR]
    assert not len(ward.feed([], START + 12 * HOUR - 1).transitions)
    ward.feed([], START + 13 * HOUR)
    assert [k[2] for k in ward.standing()] == [START + 12 * HOUR]
    ward.feed([Seen(0, 14 * 60, SPO2, 97.0)], START + 14 * HOUR)
    assert story(ward, "saturation_overdue") == [("resolved", 0, 1)]


def test_one_silent_device_beside_a_working_one_is_told() -> None:
    ward, named = Ward([CARE_HOME]), {v.name: v.code for v in CATALOGUE}
    oximeter = {"spo2": 97.0}
    monitor = {"respiration_rate": 16.0, "bp_systolic": 128.0, "pulse": 71.0, "temperature": 36.8}

    def observe(hour: float, values: dict[str, float]) -> Evaluation:
        batch = [Seen(0, 60 * hour, named[v], x) for v, x in values.items()]
        return ward.feed(batch, START + round(hour * HOUR))

    observe(0, oximeter | monitor)
    assert observe(10, monitor).next_due_at.tolist() == [START + 14 * HOUR]
    due = ward.feed([], START + 15 * HOUR)
    assert due.next_due_at.tolist() == [START + 24 * HOUR]  # the monitor's turn, which goes on
    assert [k[2] for k in ward.standing()] == [START + 14 * HOUR]
    assert ward.silent(0, "observations_overdue") == {"spo2"}
    assert not len(observe(20, monitor).transitions)
    both = ward.feed([], START + 40 * HOUR)
    assert [(int(t["kind"]), int(t["at"])) for t in both.transitions] == [(int(SEVERITY), START + 34 * HOUR)]
    assert ward.silent(0, "observations_overdue") == {"spo2", *monitor}
    assert [int(t["kind"]) for t in observe(41, monitor).transitions] == [int(SEVERITY)]
    assert ward.silent(0, "observations_overdue") == {"spo2"}
    observe(42, oximeter)
    assert story(ward, "observations_overdue") == [("resolved", 0, 1)]


def test_a_schedule_that_comes_to_need_all_tells_what_is_silent_already() -> None:
    any_of_them = parse(CARE_HOME.text.replace('needs = "all"', 'needs = "any"'))
    ward = Ward([any_of_them])
    pulse = BY_NAME["pulse"].code
    ward.feed([Seen(0, 60.0 * hour, pulse, 71.0) for hour in range(0, 30, 5)], START + 26 * HOUR)
    assert ward.standing() == {}
    ward.bank = PolicyBank([CARE_HOME])
    ward.feed([Seen(0, 60.0 * 26, pulse, 71.0)], START + 26 * HOUR)
    assert ward.silent(0, "observations_overdue") == {"respiration_rate", "spo2", "bp_systolic", "temperature"}
    assert story(ward, "observations_overdue") == [("active", 1, 1)]
    # and back: any of them ends it
    ward.bank = PolicyBank([any_of_them])
    ward.feed([Seen(0, 60.0 * 27, pulse, 71.0)], START + 27 * HOUR)
    assert story(ward, "observations_overdue") == [("resolved", 0, 1)]
    ward.bank = PolicyBank([CARE_HOME])
    ward.feed([], START + 28 * HOUR)
    assert len(ward.silent(0, "observations_overdue")) == 4


def test_a_schedule_that_comes_to_need_all_takes_over_an_open_episode() -> None:
    any_of_them = parse(CARE_HOME.text.replace('needs = "all"', 'needs = "any"'))
    ward = Ward([CARE_HOME])
    pulse = BY_NAME["pulse"].code
    ward.feed([Seen(0, 0, pulse, 71.0), Seen(0, 600, pulse, 71.0)], START + 15 * HOUR)
    assert len(ward.silent(0, "observations_overdue")) == 4
    ward.bank = PolicyBank([any_of_them])
    ward.feed([Seen(0, 60 * 16, pulse, 71.0)], START + 31 * HOUR)  # ends the one, and the next is of everything
    ward.bank = PolicyBank([CARE_HOME])
    assert not len(ward.feed([], START + 32 * HOUR).transitions)
    assert len(ward.silent(0, "observations_overdue")) == 5
    told = ward.feed([Seen(0, 60 * 33, pulse, 71.0)], START + 33 * HOUR).transitions
    assert [(int(t["kind"]), int(t["at"])) for t in told] == [(int(SEVERITY), START + 33 * HOUR)]
    assert len(ward.silent(0, "observations_overdue")) == 4


EACH = """
[[overdue]]
name = "{name}"
title = "Overdue"
vitals = {vitals}
needs = "{needs}"
every = "2 h"
grace = "30 min"
severity = "yellow"
source = "test"
"""


@settings(max_examples=50, deadline=None)
@given(hours=st.lists(st.tuples(st.integers(0, 47), st.sampled_from(["spo2", "pulse", "temperature"])), max_size=30))
def test_a_schedule_that_needs_all_is_overdue_exactly_while_one_of_its_own_is(hours: list[tuple[int, str]]) -> None:
    named = ["spo2", "pulse", "temperature"]
    rules = [EACH.format(name=v, vitals=[v], needs="any") for v in named]
    rules.append(EACH.format(name="all_of_them", vitals=named, needs="all"))
    ward = Ward([parse(STRICT[: STRICT.index("[[limit]]")] + "".join(rules))])
    for half in range(49):
        at = START + half * HOUR // 2
        ward.feed(distinct([Seen(0, half * 30, BY_NAME[v].code, 80.0) for h, v in hours if h == half]), at)
        silent = {k[1] for k, e in ward.standing().items() if e["phase"] == "active"}
        assert ward.silent(0, "all_of_them") == silent - {"all_of_them"}
        assert ("all_of_them" in silent) == bool(silent - {"all_of_them"})


def test_an_observation_that_came_late_withdraws_what_was_overdue() -> None:
    ward = Ward([OXIMETRY])
    ward.feed(saturations("97"), START)
    ward.feed([], START + 13 * HOUR)
    result = ward.feed([Seen(0, 11 * 60, SPO2, 97.0)], START + 13 * HOUR)
    assert [str(t["kind"]) for t in result.transitions if t["retracted"]] == ["2"]
    assert ward.standing() == {}
    assert result.next_due_at.tolist() == [START + 23 * HOUR]


def test_old_news_is_retrospective_and_fresh_news_is_not() -> None:
    fresh, stale = Ward([OXIMETRY]), Ward([OXIMETRY])
    low = saturations("91 91")
    assert not fresh.feed(low, START + HOUR).episodes["retrospective"].any()
    late = stale.feed(low, START + 13 * HOUR).episodes
    assert late["retrospective"].tolist() == [True, False]  # overdue since ten minutes is fresh


def test_what_happened_before_the_snapshot_is_not_withdrawn_with_what_came_after() -> None:
    ward = Ward([OXIMETRY])
    course = [Seen(0, minute, SPO2, 94.0) for minute in range(40)]  # amber long before the newest snapshot
    ward.feed(course, START + HOUR)
    ward.feed([Seen(0, minute, SPO2, 91.0) for minute in (50, 52)], START + HOUR)
    assert story(ward, "low_saturation") == [("active", 3, 3)]
    ward.feed([Seen(0, 51, SPO2, 94.0)], START + HOUR)
    assert story(ward, "low_saturation") == [("active", 2, 2)]


def test_repeats_three_hours_later_are_flagged_and_do_not_confirm() -> None:
    ward = Ward([PRESSURE])
    first = [Seen(0, 0, SYSTOLIC, 185.0), Seen(0, 0, DIASTOLIC, 95.0)]
    again = [Seen(0, 180, SYSTOLIC, 185.0), Seen(0, 180, DIASTOLIC, 95.0)]
    near = [Seen(0, 180.5, SYSTOLIC, 185.0), Seen(0, 180.5, DIASTOLIC, 95.0)]
    ward.feed(first + again, START + 3 * HOUR)
    assert {k[1] for k in ward.flagged()} == {START + 3 * HOUR}
    assert story(ward, "severe_systolic") == [("active", 2, 2)]
    ward.feed(near, START + 4 * HOUR)
    assert len(ward.flagged()) == 2
    assert story(ward, "severe_systolic") == [("active", 3, 3)]


def test_a_missing_parameter_neither_raises_nor_clears_a_score() -> None:
    ward = Ward([CARE_HOME])
    code = {v.name: v.code for v in CATALOGUE}
    ward.feed([Seen(0, 0, code["respiration_rate"], 26.0), Seen(0, 0, code["pulse"], 135.0)], START)
    ward.feed([Seen(0, 1, code["temperature"], 39.5)], START)  # 3 + 3 + 2: red on the lower bound alone
    assert story(ward, "news2") == [("active", 3, 3)]
    # thirteen hours later respiration and pulse are stale: unknown, so nothing is clear
    for minute in (800, 840, 880):
        ward.feed([Seen(0, minute, code["temperature"], 36.5)], START + 15 * HOUR)
    assert story(ward, "news2") == [("active", 3, 3)]
    for minute in (900, 940):
        calm = {"respiration_rate": 16.0, "pulse": 70.0}
        ward.feed([Seen(0, minute, code[v], x) for v, x in calm.items()], START + 16 * HOUR)
    assert story(ward, "news2") == [("resolved", 0, 3)]


def test_an_unordered_observation_without_history_is_refused() -> None:
    ward = Ward([OXIMETRY])
    ward.feed(saturations("97 97"), START + HOUR)
    with pytest.raises(ValueError, match="give the patient's history"):
        evaluate(
            ward.machines,
            np.zeros(1, np.intp),
            ObservationBatch.of([0], [1], [SPO2], [START], [START], [90.0], [0]),
            ward.bank,
            ward.people,
            START + HOUR,
        )


def test_a_new_policy_version_keeps_what_its_rules_know() -> None:
    ward = Ward([OXIMETRY])
    ward.feed(saturations("97 91 91"), START + HOUR)
    newer = OXIMETRY.text.replace("[[limit]]", STRICT[STRICT.index("[[limit]]") :] + "\n[[limit]]", 1)
    ward.bank = PolicyBank([parse(newer)])
    ward.names |= Ward([parse(newer)]).names
    result = ward.feed([Seen(0, 30, SPO2, 90.0)], START + HOUR)
    assert not len(result.transitions)
    assert story(ward, "low_saturation") == [("active", 3, 3)]


def test_a_rule_that_is_gone_resolves_its_episode() -> None:
    ward = Ward([OXIMETRY])
    ward.feed(saturations("97 91 91"), START + HOUR)
    names = ward.names
    ward.bank, ward.names = PolicyBank([parse(STRICT)]), names
    ward.feed([Seen(0, 30, SPO2, 90.0)], START + HOUR)
    assert story(ward, "low_saturation") == [("resolved", 0, 3)]


def test_the_limits_of_the_night_follow_the_local_clock_across_its_change() -> None:
    night = 'yellow = 100\nnight = { from = "23:00", to = "02:00", yellow = 110 }'
    at_once = [line for line in STRICT.replace("yellow = 100", night).splitlines() if "raise_after" not in line]
    quiet_at_night = parse("\n".join(at_once))
    ward = Ward([quiet_at_night], patients=3, zones=("Europe/London", "UTC", "Asia/Kathmandu"))
    # 26 October 2025: at 01:00 UTC London goes back from 02:00 to 01:00, and the second 01:30 is night as well
    for utc, london, utc_zone, kathmandu in (
        ("2025-10-25T21:59", 1, 1, 1),
        ("2025-10-25T22:00", 0, 1, 1),
        ("2025-10-26T00:59", 0, 0, 1),
        ("2025-10-26T01:30", 0, 0, 1),
        ("2025-10-26T01:59", 0, 0, 1),
        ("2025-10-26T02:00", 1, 1, 1),
        ("2025-10-26T17:14", 1, 1, 1),
        ("2025-10-26T17:15", 1, 1, 0),
        ("2026-03-29T00:59", 0, 0, 1),
        ("2026-03-29T01:00", 1, 0, 1),  # 02:00 in London: an hour is left out
    ):
        at = round(datetime.fromisoformat(f"{utc}:00+00:00").timestamp() * 1e6)
        fresh = Ward(ward.policies, patients=3, zones=ward.zones)
        fresh.feed([Seen(p, (at - START) / MINUTE, BY_NAME["pulse"].code, 105.0) for p in range(3)], at)
        got = [len([k for k in fresh.standing() if k[0] == p]) for p in range(3)]
        assert got == [london, utc_zone, kathmandu], utc


def test_pauses_that_touch_are_one() -> None:
    acts = Acts.of([(0, 20, 30), (0, 10, 20), (1, 5, 9), (0, 12, 15), (0, 40, 40)])
    assert acts.pauses.tolist() == [(0, 10, 30), (1, 5, 9)]
    assert acts.paused_after(29).tolist() == [0]


def test_a_latched_episode_says_that_its_condition_is_over_and_ends_with_a_reset() -> None:
    rules = parse(LATCHED)
    pulse = BY_NAME["pulse"].code
    ward = Ward([rules], acts=Acts.of([], [(0, rule_key("fast_pulse"), _at(m)) for m in (2, 40)]))
    ward.feed([Seen(0, 0, pulse, 145.0), Seen(0, 4, pulse, 125.0), Seen(0, 20, pulse, 70.0)], _at(21))
    assert story(ward, "fast_pulse") == [("active", 3, 3)]  # the reset in the second minute found the condition there
    last = ward.told()[-1]
    assert (last[0][1], last[2][0]) == ("fast_pulse", CLEARED)
    ward.feed([], _at(40))
    assert story(ward, "fast_pulse") == [("resolved", 0, 3)]
    # what comes late and is still high at the reset keeps it, at what it is then
    ward.feed([Seen(0, 30, pulse, 125.0)], _at(41))
    assert story(ward, "fast_pulse") == [("active", 2, 3)]


def test_a_rule_that_is_latching_no_more_lets_go() -> None:
    pulse = BY_NAME["pulse"].code
    ward = Ward([parse(LATCHED)])
    ward.feed([Seen(0, 0, pulse, 145.0), Seen(0, 20, pulse, 70.0)], _at(21))
    ward.bank = PolicyBank([parse(LATCHED.replace("latching = true", ""))])
    ward.feed([Seen(0, 30, pulse, 71.0)], _at(31))
    assert story(ward, "fast_pulse") == [("resolved", 0, 3)]


VALUES = {
    "spo2": (83.0, 91.0, 92.0, 94.0, 95.0, 97.0),
    "pulse": (35.0, 70.0, 95.0, 104.0, 125.0, 145.0, 210.0),
    "respiration_rate": (8.0, 15.0, 22.0, 26.0),
    "bp_systolic": (95.0, 130.0, 135.0, 142.0, 176.0, 185.0),
    "bp_diastolic": (80.0, 121.0),
    "temperature": (36.05, 36.5, 39.2),
    "on_oxygen": (0.0, 1.0),
    "consciousness": (0.0, 2.0),
    "soft_signs": (0.0, 1.0),
}
# close together, and on round minutes, so that holds, gaps and timers are met exactly
minutes = st.one_of(
    st.integers(0, 24).map(lambda i: 5 * i), st.integers(0, 20).map(lambda i: 120 * i), st.integers(0, 2400)
)
values = st.sampled_from(sorted(VALUES)).flatmap(lambda v: st.tuples(st.just(v), st.sampled_from(VALUES[v])))


ZONES = ("Europe/London", "Asia/Kathmandu")


def _at(minute: int) -> int:
    return START + minute * MINUTE


MARKS = (0, 0, 0, int(Flag.MOVEMENT), int(Flag.CUFF_FIT | Flag.CLOCK_UNSET), int(Flag.CLOCK_UNSET))


def distinct(seen: list[Seen]) -> list[Seen]:
    return list({(s.patient, s.at, s.vital, s.device): s for s in seen}.values())


def dense(seed: int, hours: int) -> list[Seen]:
    """Give two patients who are observed about once an hour, as trends need it."""
    rng = np.random.default_rng(seed)
    return [
        Seen(
            int(patient),
            int(60 * hour + rng.integers(0, 4) * 15),
            BY_NAME[vital].code,
            float(rng.choice(choice)),
            flags=int(rng.choice(MARKS)),
        )
        for patient in (0, 1)
        for hour in range(hours)
        for vital, choice in VALUES.items()
        if rng.random() < 0.5
    ]


sparse = st.lists(
    st.builds(
        lambda p, m, v, d, f: Seen(p, m, BY_NAME[v[0]].code, v[1], d, f),
        st.integers(0, 1),
        minutes,
        values,
        st.integers(1, 2),
        st.sampled_from(MARKS),
    ),
    min_size=1,
    max_size=50,
)
courses = st.one_of(sparse, st.builds(dense, st.integers(0, 10**6), st.integers(3, 36))).map(distinct)


def agrees_with_the_reference(
    rules: Policy, seen: list[Seen], data: st.DataObject, scale: int, cuts_of_pauses: list[int]
) -> None:
    """Feed two patients in some order, split and duplication, and compare with what the slow reference says."""
    shuffled = data.draw(st.randoms(use_true_random=False))
    arrivals = seen + seen[: len(seen) // 3]
    shuffled.shuffle(arrivals)
    cuts = sorted(data.draw(st.lists(st.integers(0, len(arrivals)), max_size=6)))
    held = [r.name for r in rules.rules if getattr(r, "latching", False)]
    resets = data.draw(st.lists(st.tuples(minutes.map(_at), st.sampled_from(held)), max_size=6)) if held else []
    paused = [_at(minute) for minute in sorted(cuts_of_pauses)]
    pauses = list(zip(paused[::2], paused[1::2], strict=False))
    acts = Acts.of([(0, *pause) for pause in pauses], [(p, rule_key(rule), at) for p in (0, 1) for at, rule in resets])
    ward, now = Ward([rules], patients=2, spo2_scale=scale, acts=acts, zones=ZONES), START
    for start, stop in zip([0, *cuts], [*cuts, len(arrivals)], strict=True):
        now += data.draw(st.integers(0, 600)) * MINUTE
        ward.feed(arrivals[start:stop], now)
    end = START + 60 * HOUR
    ward.feed([], end)
    names = {v.code: v.name for v in CATALOGUE}
    for patient in (0, 1):
        mine = [(s.at, names[s.vital], s.value, s.flags) for s in seen if s.patient == patient]
        theirs = pauses if patient == 0 else []
        expected, repeats, outliers = reference_episodes(rules, mine, START, end, scale, ZONES[patient], theirs, resets)
        got = {k[1:]: e for k, e in ward.standing().items() if k[0] == patient}
        silent = {key[0]: e.pop("silent") for key, e in sorted(expected.items()) if "silent" in e}
        assert got == expected
        assert {name: ward.silent(patient, name) for name in silent} == silent
        assert {(k[1], names[k[2]]) for k in ward.flagged() if k[0] == patient} == repeats
        assert {(k[1], names[k[2]]) for k in ward.flagged(Flag.OUTLIER) if k[0] == patient} == outliers
    at_once = Ward([rules], patients=2, spo2_scale=scale, acts=acts, zones=ZONES)
    at_once.feed(seen, end)
    assert at_once.machines.tobytes() == ward.machines.tobytes()
    at_once.feed([], end)
    assert at_once.told() == ward.told()


@settings(max_examples=200, deadline=None)
@given(
    seen=courses,
    data=st.data(),
    policy=st.sampled_from(sorted(TESTED)),
    scale=st.sampled_from([1, 2]),
    cuts_of_pauses=st.lists(minutes, max_size=6, unique=True),
)
def test_any_order_split_and_duplication_gives_the_reference(
    seen: list[Seen], data: st.DataObject, policy: str, scale: int, cuts_of_pauses: list[int]
) -> None:
    lines = TESTED[policy].splitlines()
    rules = parse("\n".join('lateness = "40 d"' if x.startswith("lateness") else x for x in lines))
    agrees_with_the_reference(rules, seen, data, scale, cuts_of_pauses)


@settings(max_examples=30, deadline=None)
@given(seen=courses)
def test_a_patient_is_scored_the_same_alone_and_in_a_ward(seen: list[Seen]) -> None:
    policies = [CARE_HOME, OXIMETRY, PRESSURE, parse(COURSES)]
    spread = distinct([s._replace(patient=s.patient + 2 * (i % 2)) for i, s in enumerate(seen)])
    together = Ward(policies, patients=4)
    together.feed(spread, DAY)
    for patient in range(4):
        alone = Ward([policies[patient]])
        alone.feed([s._replace(patient=0) for s in spread if s.patient == patient], DAY)
        # slots beyond the ward's longest policy are empty in both
        assert alone.machines[0].tobytes() == together.machines[patient].tobytes()


def test_the_same_call_gives_the_same_bytes() -> None:
    ward = Ward([OXIMETRY])
    batch, rows = ObservationBatch.of([0], [1], [SPO2], [START + 1], [START + 1], [83.0], [0]), np.zeros(1, np.intp)
    results = [evaluate(state.initial(1), rows, batch, ward.bank, ward.people, DAY) for _ in range(2)]
    assert results[0].machines.tobytes() == results[1].machines.tobytes()
    assert results[0].transitions.tobytes() == results[1].transitions.tobytes()

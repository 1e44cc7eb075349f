"""Does the core raise, worsen, ease and take back episodes as its rules say, however the observations arrive?"""

from __future__ import annotations

from datetime import datetime

import numpy as np
import pytest

from alerts import state
from alerts.acts import Acts
from alerts.bank import PolicyBank
from alerts.documents import rule_key
from alerts.episodes import CLEARED
from alerts.evaluate import evaluate
from alerts.policy import parse, shipped
from schemas.observation import ObservationBatch
from schemas.vital_signs import BY_NAME, CATALOGUE
from tests.alerts.in_memory_ward import DAY, HOUR, MINUTE, SPO2, START, Seen, Ward, saturations, story
from tests.alerts.made_up_policies import LATCHED, STRICT

pytestmark = pytest.mark.pure

SYSTOLIC, DIASTOLIC = (BY_NAME[n].code for n in ("bp_systolic", "bp_diastolic"))
OXIMETRY = shipped("pulse_oximetry_home")
PRESSURE = shipped("blood_pressure_home")
CARE_HOME = shipped("care_home_news2")


def _at(minute: int) -> int:
    return START + minute * MINUTE


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


def test_the_same_call_gives_the_same_bytes() -> None:
    ward = Ward([OXIMETRY])
    batch, rows = ObservationBatch.of([0], [1], [SPO2], [START + 1], [START + 1], [83.0], [0]), np.zeros(1, np.intp)
    results = [evaluate(state.initial(1), rows, batch, ward.bank, ward.people, DAY) for _ in range(2)]
    assert results[0].machines.tobytes() == results[1].machines.tobytes()
    assert results[0].transitions.tobytes() == results[1].transitions.tobytes()

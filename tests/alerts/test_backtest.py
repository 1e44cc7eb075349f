"""Does a trial in slices say what the core says in one pass, and does a comparison count it right?"""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from alerts import state
from alerts.backtest import EPISODE, INTERVAL, OPEN, Trial, at_least, backtest, episodes_of, reach
from alerts.bank import PolicyBank
from alerts.comparison import DAY, HOUR, Panel, Tally, compare
from alerts.documents import Policy, rule_key
from alerts.evaluate import evaluate
from alerts.policy import parse, shipped
from alerts.state import PERSON
from schemas.observation import ObservationBatch
from schemas.vital_signs import BY_NAME
from tests.alerts.made_up_policies import opening

pytestmark = pytest.mark.pure

# midnight in London in January
START = 1_767_225_600_000_000
PULSE = BY_NAME["pulse"].code

FAST = parse(
    opening("fast", "Fast pulse", lateness="1 d")
    + """
[[limit]]
name = "fast_pulse"
title = "Fast pulse"
vital = "pulse"
side = "high"
yellow = 100
amber = 120
red = 140
source = "test"
"""
)


def people(size: int) -> np.ndarray:
    found = np.zeros(size, PERSON)
    found["spo2_scale"], found["enrolled_at"] = 1, START
    return found


def batch(rows: list[int], hours: list[float], values: list[float], vital: int = PULSE) -> ObservationBatch:
    at = [START + round(h * HOUR) for h in hours]
    return ObservationBatch.of(rows, np.zeros(len(rows)), [vital] * len(rows), at, at, values, np.zeros(len(rows)))


def test_an_episode_has_its_intervals_by_severity() -> None:
    given_ = batch([0] * 6, [0, 1, 2, 3, 4, 5], [80, 105, 145, 125, 130, 80])
    episodes, intervals = backtest(FAST, np.zeros(6, np.intp), given_, people(1), START + 6 * HOUR)
    assert episodes.dtype == EPISODE
    assert intervals.dtype == INTERVAL
    (episode,) = episodes
    assert (episode["rule"], episode["peak"], episode["rises"]) == (rule_key("fast_pulse"), 3, 1)
    hours = [(i["severity"], (i["start"] - START) / HOUR, (i["end"] - START) / HOUR) for i in intervals]
    assert hours == [(1, 1, 2), (3, 2, 3), (2, 3, 5)]
    assert (episode["activated_at"] - START, episode["resolved_at"] - START) == (HOUR, 5 * HOUR)
    (joined,) = at_least(intervals, 2)
    assert ((joined["start"] - START) / HOUR, (joined["end"] - START) / HOUR, joined["severity"]) == (2, 5, 3)


def test_what_has_not_ended_is_given_at_the_end_and_open() -> None:
    trial = Trial(PolicyBank([FAST]), people(1))
    assert len(trial.feed(np.zeros(1, np.intp), batch([0], [0], [150]), START + HOUR)) == 0
    (interval,) = trial.finish()
    assert (interval["severity"], interval["end"]) == (3, OPEN)


def test_nothing_at_all_is_no_episode() -> None:
    episodes, intervals = backtest(FAST, np.zeros(0, np.intp), ObservationBatch.empty(), people(3), START)
    assert (len(episodes), len(intervals)) == (0, 0)
    assert len(episodes_of(intervals)) == len(at_least(intervals, 1)) == 0


def test_slices_out_of_order_are_refused() -> None:
    trial = Trial(PolicyBank([FAST]), people(1))
    trial.feed(np.zeros(1, np.intp), batch([0], [5], [80]), START + 6 * HOUR)
    with pytest.raises(ValueError, match="slices in time order"):
        trial.feed(np.zeros(1, np.intp), batch([0], [4], [80]), START + 7 * HOUR)


observations = st.lists(
    st.tuples(
        st.integers(0, 3),
        st.integers(0, 60 * 48),
        st.sampled_from(["pulse", "respiration_rate", "spo2", "bp_systolic", "temperature"]),
        st.sampled_from([0.1, 0.4, 0.5, 0.6, 0.95]),
    ),
    max_size=60,
    unique_by=lambda o: o[:3],
)
RANGES = {
    "pulse": (40, 150),
    "respiration_rate": (8, 40),
    "spo2": (80, 100),
    "bp_systolic": (70, 230),
    "temperature": (34, 41),
}


@settings(max_examples=60, deadline=None)
@given(
    seen=observations,
    cuts=st.lists(st.integers(0, 60 * 48), max_size=5),
    policy=st.sampled_from(["care_home_news2", "pulse_oximetry_home", "deterioration"]),
)
def test_any_slices_give_the_same_as_one_pass_and_as_the_live_core(
    seen: list[tuple[int, int, str, float]], cuts: list[int], policy: str
) -> None:
    rules, rows = shipped(policy), np.array([o[0] for o in seen], np.intp)
    at = np.array([START + o[1] * 60_000_000 for o in seen], np.int64)
    values = [round(RANGES[o[2]][0] + o[3] * (RANGES[o[2]][1] - RANGES[o[2]][0]), 1) for o in seen]
    zero = np.zeros(len(seen))
    whole = ObservationBatch.of(rows, zero, [BY_NAME[o[2]].code for o in seen], at, at, values, zero)
    end = START + 49 * HOUR
    expected = backtest(rules, rows, whole, people(4), end)[1]
    trial, parts = Trial(PolicyBank([rules]), people(4)), []
    bounds = sorted({START + c * 60_000_000 for c in cuts} | {end + 1})
    begin = START
    for stop in bounds:
        inside = np.flatnonzero((at >= begin) & (at < stop))
        parts.append(trial.feed(rows[inside], whole.take(inside), stop - 1))
        begin = stop
    got = np.concatenate([*parts, trial.finish()])
    assert sorted(got.tolist()) == sorted(expected.tolist())
    live = evaluate(state.initial(4), rows, whole, PolicyBank([rules]), people(4), end)
    active = {(int(t["row"]), int(t["rule"]), int(t["opened_at"])) for t in live.episodes if t["activated_at"]}
    assert active == {(int(i["patient"]), int(i["rule"]), int(i["opened_at"])) for i in expected}


def _panel(size: int, events: list[tuple[int, int]] | None = None) -> Panel:
    return Panel(
        names=[f"p{i}" for i in range(size)],
        site=np.arange(size) % 2,
        sites=["North", "South"],
        zones=["Europe/London", "Asia/Tokyo"],
        since=START,
        until=START + DAY,
        enrolled=np.full(size, DAY),
        events=np.array(events or np.zeros((0, 2)), np.int64),
    )


def _tally(panel: Panel, policy: Policy, given_: ObservationBatch) -> Tally:
    tally = Tally(panel, {rule_key(r.name): r.name for r in policy.rules})
    rows = given_.patient_id.astype(np.intp)
    _, intervals = backtest(policy, rows, given_, people(len(panel.names)), START + DAY)
    tally.add(intervals, np.arange(len(panel.names)))
    return tally


def test_alerts_are_counted_by_rule_severity_site_and_the_sites_own_hour() -> None:
    given_ = batch([0, 0, 0, 1, 1], [1, 2, 3, 1, 2], [105, 145, 80, 125, 80])
    rates = _tally(_panel(2), FAST, given_).rates()
    assert rates["alerts"] == 3
    assert rates["by_severity"] == {"yellow": 0.5, "amber": 0.5, "red": 0.5}
    assert rates["by_site"] == {"North": 2.0, "South": 1.0}
    assert [(r["rule"], r["severity"], r["alerts"]) for r in rates["by_rule"]] == [
        ("fast_pulse", "amber", 1),
        ("fast_pulse", "red", 1),
        ("fast_pulse", "yellow", 1),
    ]
    # 01:00 and 02:00 in London, 10:00 in Tokyo
    assert [hour for hour, rate in enumerate(rates["by_hour"]) if rate] == [1, 2, 10]


def test_who_gains_and_loses_and_how_early_a_labelled_event_was_seen() -> None:
    events = [(0, START + 5 * HOUR), (1, START + 5 * HOUR), (0, START + 23 * HOUR)]
    panel = _panel(3, events)
    given_ = batch([0, 0, 1, 2], [1, 8, 2, 2], [125, 80, 105, 90])
    milder = parse(FAST.text.replace("yellow = 100\n", ""))
    stricter = parse(FAST.text.replace("yellow = 100", "yellow = 90").replace("amber = 120\nred = 140\n", ""))
    found = compare(panel, _tally(panel, stricter, given_), _tally(panel, milder, given_))
    assert found["patient_days"] == 3
    assert found["gain"] == [{"patient": "p1", "alerts": 1}, {"patient": "p2", "alerts": 1}]
    assert (found["lose"], found["patients_gaining"], found["patients_losing"]) == ([], 2, 0)
    leads = [(e["draft_lead_hours"], e["in_force_lead_hours"]) for e in found["events"]]
    assert leads == [(4.0, 4.0), (3.0, None), (None, None)]


def test_a_trial_begins_as_early_as_the_rules_look_back() -> None:
    assert reach(shipped("care_home_news2")) >= 12 * HOUR
    assert reach(FAST) == 2 * HOUR

"""Is it told when nothing has come for too long, of each vital sign where a schedule needs all, and taken back?"""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from alerts.bank import PolicyBank
from alerts.episodes import SEVERITY
from alerts.evaluate import Evaluation
from alerts.policy import parse, shipped
from schemas.vital_signs import BY_NAME, CATALOGUE
from tests.alerts.in_memory_ward import HOUR, SPO2, START, Seen, Ward, distinct, saturations, story
from tests.alerts.made_up_policies import STRICT

pytestmark = pytest.mark.pure

OXIMETRY = shipped("pulse_oximetry_home")
CARE_HOME = shipped("care_home_news2")


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

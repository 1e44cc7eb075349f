"""Is a simulated person the same person in every run, and does the truth file say what happened?"""

import csv
import itertools
from pathlib import Path

import msgspec
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from device_sim import draws, scenario
from device_sim.cohort import Cohort, history, make_cohort, messages
from device_sim.device import load_devices, observe
from device_sim.physiology import DAY_US, HOUR_US, load_model, vital_signs
from device_sim.scenario import NEVER
from device_sim.truth import write_truth
from schemas.observation import Flag, NativeMessage
from schemas.vital_signs import BY_NAME, PLAUSIBLE_HIGH, PLAUSIBLE_LOW

# Sunday 22 November 2026, midnight
START = 1_795_305_600_000_000
CODE = {name: v.code for name, v in BY_NAME.items()}


def payloads(cohort: Cohort, hours: float) -> list[bytes]:
    return [m.payload for m in messages(cohort, cohort.start, cohort.start + int(hours * HOUR_US))]


def course(name: str, vital: str, hours: list[float], patients: int = 40) -> np.ndarray:
    """True values of many people of one scenario, shape (P, T), at hours after each one's onset."""
    cohort = make_cohort(patients, name, 3, START)
    rows = np.repeat(np.arange(patients), len(hours))
    onset = np.where(cohort.story.onset == NEVER, START, cohort.story.onset)
    at = (onset[:, None] + np.array([int(h * HOUR_US) for h in hours])[None, :]).ravel()
    values = vital_signs(cohort.people, rows, at, scenario.departures(cohort.story, rows, at))
    return values[:, CODE[vital]].reshape(patients, len(hours))


def test_same_seed_gives_the_same_bytes() -> None:
    first = payloads(make_cohort(12, "mix", 5, START, kit="ward_continuous"), 3)
    again = payloads(make_cohort(12, "mix", 5, START, kit="ward_continuous"), 3)
    other = payloads(make_cohort(12, "mix", 6, START, kit="ward_continuous"), 3)
    assert first == again
    assert len(first) > 12 * 3 * 30
    assert set(first).isdisjoint(other)


@settings(deadline=None, max_examples=15)
@given(st.integers(0, 2**31), st.integers(1, 9), st.integers(1, 9))
def test_a_patient_does_not_depend_on_how_many_others_there_are(seed: int, few: int, more: int) -> None:
    small = make_cohort(few, "mix", seed, START)
    large = make_cohort(few + more, "mix", seed, START)
    lonely = few - 1 if few % 2 else few  # the last of an odd number may have lost the partner
    ours = set(small.codes[:lonely])
    assert payloads(small, 24) is not None

    def of_ours(cohort: Cohort) -> list[bytes]:
        slots = {c for c, r in zip(cohort.table.code, cohort.table.row, strict=True) if cohort.codes[r] in ours}
        end = START + DAY_US
        return [m.payload for m in messages(cohort, START, end) if m.device in slots]

    assert small.codes == large.codes[:few]
    assert sorted(of_ours(small)) == sorted(of_ours(large))


@settings(deadline=None, max_examples=10)
@given(st.lists(st.integers(0, 48), min_size=1, max_size=4))
def test_cutting_the_time_anywhere_changes_nothing(cuts: list[int]) -> None:
    cohort = make_cohort(6, "mix", 11, START)
    whole = observe(cohort.people, cohort.story, cohort.table, START, START + 2 * DAY_US)
    bounds = [START, *(START + c * HOUR_US for c in sorted(cuts)), START + 2 * DAY_US]
    parts = [observe(cohort.people, cohort.story, cohort.table, a, b) for a, b in itertools.pairwise(bounds)]
    np.testing.assert_array_equal(whole.at, np.concatenate([p.at for p in parts]))
    np.testing.assert_array_equal(whole.value, np.concatenate([p.value for p in parts]))
    np.testing.assert_array_equal(whole.sent_at, np.concatenate([p.sent_at for p in parts]))


def test_the_live_run_goes_on_where_the_history_ended() -> None:
    cohort = make_cohort(30, "flaky_network", 2, START)
    devices = {code: n for n, code in enumerate(dict.fromkeys(cohort.table.code), start=1)}
    past = history(cohort, range(100, 130), devices, START - DAY_US, START)
    both = history(cohort, range(100, 130), devices, START - DAY_US, START + DAY_US)
    live = list(messages(cohort, START, START + DAY_US))
    stored = 0
    for message in live:
        body = msgspec.json.decode(message.payload, type=NativeMessage)
        stored += len(body.values) if "clock_unset" not in body.quality else 0
    assert len(past) + stored == len(both)
    late = [m for m in live if m.due - m.observed_at > HOUR_US and m.observed_at < START]
    assert late, "what was observed before the start and held back is sent after it"


def test_messages_come_in_order_and_count_their_observations() -> None:
    cohort = make_cohort(20, "mix", 4, START, kit=["home", "ward_continuous"] * 10)
    due = -1
    for message in messages(cohort, START, START + DAY_US):
        body = msgspec.json.decode(message.payload, type=NativeMessage)
        assert message.due >= due
        assert START <= message.due < START + DAY_US
        assert message.observations == len(body.values) > 0
        assert body.device == message.device
        due = message.due


def test_drift_is_a_slow_process_of_unit_variance() -> None:
    keys = draws.patient_keys(1, np.arange(400))
    at = np.full(400, START)
    now = draws.drift(keys, "x", at, 4 * HOUR_US)
    soon = draws.drift(keys, "x", at + HOUR_US // 4, 4 * HOUR_US)
    later = draws.drift(keys, "x", at + 4 * HOUR_US, 4 * HOUR_US)
    much_later = draws.drift(keys, "x", at + 48 * HOUR_US, 4 * HOUR_US)
    assert now.std() == pytest.approx(1, abs=0.15)
    assert np.corrcoef(now, soon)[0, 1] > 0.9
    assert np.corrcoef(now, later)[0, 1] == pytest.approx(np.exp(-1), abs=0.15)
    assert abs(np.corrcoef(now, much_later)[0, 1]) < 0.15


# Where a course must have led by the crisis (share of the people beyond the bound), and that it had not before onset.
# The bounds are what the course is meant to show, not limits of any rule.
CROSSINGS = [
    ("sepsis", "temperature", 38.5, "above"),
    ("sepsis", "respiration_rate", 25, "above"),
    ("sepsis", "spo2", 93, "below"),
    ("sepsis", "pulse", 100, "above"),
    ("heart_failure", "respiration_rate", 21, "above"),
    ("copd_exacerbation", "spo2", 90, "below"),
    ("raised_pressure", "bp_systolic", 165, "above"),
    ("hypoglycaemia", "glucose", 4, "below"),
    ("hypoglycaemia", "consciousness", 0.5, "above"),
]


@pytest.mark.parametrize(("name", "vital", "bound", "side"), CROSSINGS)
def test_a_course_leads_beyond_a_bound_by_its_crisis_and_not_before_its_onset(
    name: str, vital: str, bound: float, side: str
) -> None:
    crisis = scenario.load(name).crisis_hours
    assert crisis is not None
    before, after = course(name, vital, [-1, crisis]).T
    beyond = (lambda x: x > bound) if side == "above" else (lambda x: x < bound)
    assert beyond(before).mean() < 0.15
    assert beyond(after).mean() > 0.75


def test_nothing_happens_to_the_stable() -> None:
    hours = [float(h) for h in range(0, 72, 4)]
    assert course("stable", "temperature", hours).max() < 38
    assert (course("stable", "respiration_rate", hours) >= 25).mean() < 0.002
    assert (course("stable", "pulse", hours) > 130).mean() == 0


def test_weight_rises_over_days_when_the_heart_fails() -> None:
    begin, three_days = course("heart_failure", "weight", [0, 72]).T
    assert np.median(three_days - begin) > 2


def test_a_fever_draws_pulse_and_breath_along() -> None:
    cohort = make_cohort(30, "stable", 1, START)
    rows, at = np.arange(30), np.full(30, START)
    fever = np.zeros((30, len(PLAUSIBLE_LOW)))
    fever[:, CODE["temperature"]] = 2.0
    rise = vital_signs(cohort.people, rows, at, fever) - vital_signs(cohort.people, rows, at)
    assert rise[:, CODE["pulse"]].min() > 10
    assert rise[:, CODE["respiration_rate"]].min() > 2


@pytest.mark.parametrize("name", [n for n in scenario.names() if n not in ("probe_off", "mix")])
def test_what_devices_say_is_plausible(name: str) -> None:
    cohort = make_cohort(20, name, 9, START, kit=["home", "ward"] * 10)
    uses = observe(cohort.people, cohort.story, cohort.table, START, START + 5 * DAY_US)
    said = ~np.isnan(uses.value)
    assert (said & ((uses.value < PLAUSIBLE_LOW) | (uses.value > PLAUSIBLE_HIGH))).sum() == 0
    assert said.any(axis=1).all()


def test_a_probe_that_is_off_says_zero_from_the_onset_on() -> None:
    cohort = make_cohort(10, "probe_off", 9, START, kit="oximetry")
    uses = observe(cohort.people, cohort.story, cohort.table, START, START + 5 * DAY_US)
    spo2 = uses.value[:, CODE["spo2"]]
    after = uses.at >= cohort.story.onset[cohort.table.row[uses.slot]]
    assert (spo2[after] == 0).any()
    assert not (spo2[~after] == 0).any()


def test_a_lost_connection_ends_in_a_burst() -> None:
    cohort = make_cohort(20, "flaky_network", 9, START, kit="ward_continuous")
    uses = observe(cohort.people, cohort.story, cohort.table, START, START + DAY_US)
    held = uses.sent_at - uses.at > 10 * 60 * 1_000_000
    assert held.any()
    _, burst = np.unique(uses.sent_at[held], return_counts=True)
    assert burst.max() > 50
    assert (uses.flags & Flag.CLOCK_UNSET != 0).any()


def test_two_people_on_one_device_are_told_apart_by_user() -> None:
    cohort = make_cohort(4, "shared_device", 1, START)
    first, second = (d for d in cohort.devices() if d.kind == "cuff")
    assert first.holders == {1: cohort.codes[0], 2: cohort.codes[1]}
    assert second.holders == {1: cohort.codes[2], 2: cohort.codes[3]}
    bodies = [msgspec.json.decode(p, type=NativeMessage) for p in payloads(cohort, 48)]
    assert {b.user for b in bodies if b.device == first.code} == {1, 2}
    assert len({(b.device, b.time) for b in bodies}) == len(bodies)


def test_the_mixture_follows_its_weights() -> None:
    allotted = scenario.allot("mix", 1, np.arange(4000))
    weights = scenario.load_weights("mix")
    for name, weight in weights.items():
        share = weight / sum(weights.values())
        assert allotted.count(name) / 4000 == pytest.approx(share, abs=0.02)


def test_truth_file_has_the_form_of_the_outcomes(tmp_path: Path) -> None:
    cohort = make_cohort(40, ["sepsis", "stable"] * 20, 1, START, under_way=(-0.5, 0.9))
    write_truth(tmp_path / "truth.csv", cohort, START + DAY_US)
    with (tmp_path / "truth.csv").open(encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    assert list(rows[0]) == ["patient", "from", "to", "outcome", "onset", "crisis"]
    assert [r["patient"] for r in rows] == cohort.codes
    assert rows[0]["from"] == "2026-11-22T00:00:00Z"
    assert rows[0]["to"] == "2026-11-23T00:00:00Z"
    assert all(bool(r["onset"]) == bool(r["crisis"]) == (r["outcome"] == "sepsis") for r in rows)
    length = cohort.story.crisis[::2] - cohort.story.onset[::2]
    share = (START - cohort.story.onset[::2]) / length
    assert -0.5 <= share.min() < share.max() <= 0.9


def test_an_unknown_scenario_is_named_with_those_that_exist() -> None:
    with pytest.raises(scenario.ScenarioError, match=r"'sepsus' is not known; expected one of .*sepsis"):
        make_cohort(1, "sepsus", 1, START)


def test_a_cohort_of_nobody_is_refused() -> None:
    with pytest.raises(ValueError, match="give 1 or more"):
        make_cohort(0, "stable", 1, START)


def test_the_files_of_parameters_are_sound() -> None:
    assert set(load_model().vital) | {"on_oxygen", "consciousness", "soft_signs"} == set(BY_NAME)
    assert "home" in load_devices().kit
    for name in scenario.names():
        assert scenario.load_weights(name)

"""Do the same episodes come out in any order, split and duplication, alone or in a ward, as the slow reference says?"""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from alerts.acts import Acts
from alerts.documents import Policy, rule_key
from alerts.policy import parse, shipped, shipped_names
from schemas.observation import Flag
from schemas.vital_signs import BY_NAME, CATALOGUE
from tests.alerts.in_memory_ward import DAY, HOUR, MINUTE, START, Seen, Ward, distinct
from tests.alerts.made_up_policies import COURSES, CUSUM, DOUBTS, LATCHED, STRICT
from tests.alerts.reference_ward import reference_episodes

pytestmark = pytest.mark.pure

OXIMETRY = shipped("pulse_oximetry_home")
PRESSURE = shipped("blood_pressure_home")
CARE_HOME = shipped("care_home_news2")
TESTED = {name: shipped(name).text for name in shipped_names()} | {
    "strict": STRICT,
    "courses": COURSES,
    "cusum": CUSUM,
    "latched": LATCHED,
    "doubts": DOUBTS,
}
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

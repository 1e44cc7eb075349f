"""Does one transaction store, score, count and put aside what it should, whatever the order and however often?"""

from __future__ import annotations

import itertools
import json
import random
import threading
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import psycopg
import pytest

from ingest.admission import Incoming
from ingest.limits import FUTURE_TOLERANCE, OLDEST
from schemas.observation import Flag
from schemas.vital_signs import BY_NAME
from tests.ingest.conftest import Desk
from tests.ingest.ward import payload
from tests.waiting import PATIENCE_S

WELL = {
    "respiration_rate": 16,
    "spo2": 97,
    "on_oxygen": 0,
    "bp_systolic": 128,
    "pulse": 71,
    "consciousness": 0,
    "temperature": 36.8,
}
ILL = WELL | {"respiration_rate": 26, "spo2": 90, "bp_systolic": 96, "pulse": 122, "temperature": 38.6}


def counts(outcome: Any) -> tuple[int, int, int]:
    return int(outcome.stored.sum()), int(outcome.duplicate.sum()), int(outcome.quarantined.sum())


def test_a_message_is_stored_as_it_was_sent(desk: Desk) -> None:
    outcome = desk.write(desk.message(0, 0, {"bp_systolic": 142, "bp_diastolic": 88.5}, quality=["irregular_pulse"]))
    assert counts(outcome) == (2, 0, 0)
    rows = desk.ask("select patient_id, vital, observed_at, value, flags from observation order by vital")
    patient = desk.ward.patients[0]
    assert rows == [
        (patient, BY_NAME["bp_systolic"].code, desk.at(0), 142.0, Flag.IRREGULAR_PULSE),
        (patient, BY_NAME["bp_diastolic"].code, desk.at(0), 88.5, Flag.IRREGULAR_PULSE),
    ]


def test_the_same_message_again_is_a_duplicate_in_the_batch_and_against_the_store(desk: Desk) -> None:
    one = desk.message(0, 0, {"pulse": 71, "spo2": 97})
    assert counts(desk.write(one, one)) == (2, 2, 0)
    assert counts(desk.write(one)) == (0, 2, 0)
    later = desk.message(0, 5, {"pulse": 72})
    assert counts(desk.write(later, one)) == (1, 2, 0)
    assert len(desk.stored()) == 3


def test_another_value_of_an_instant_is_no_duplicate_and_waits(desk: Desk) -> None:
    first, other = desk.message(0, 0, {"pulse": 71, "spo2": 97}), desk.message(0, 0, {"pulse": 91, "spo2": 97})
    outcome = desk.write(first, other)
    assert counts(outcome) == (2, 1, 1)
    assert outcome.receipt(1) == {"stored": 0, "duplicate": 1, "quarantined": 1, "reasons": ["contradictory"]}
    third = desk.message(0, 0, {"pulse": 61})
    assert counts(desk.write(desk.message(0, 5, {"pulse": 72}), third, first, third)) == (1, 3, 1)
    # what came first stays; the others are kept whole, and once
    pulse = "select value from observation where vital = %s and observed_at = %s"
    assert desk.ask(pulse, BY_NAME["pulse"].code, desk.at(0)) == [(71.0,)]
    rows = desk.ask("select payload, observations, detail from quarantine order by quarantine_id")
    assert [row[:2] for row in rows] == [(other.payload, 1), (third.payload, 1)]
    assert rows[0][2].startswith("pulse: 91, but 71 is stored already")
    assert counts(desk.write(other)) == (0, 2, 0)


def test_one_weighing_in_two_units_is_one(desk: Desk) -> None:
    pounds = desk.message(0, 0, {"weight": {"value": 181.7, "unit": "[lb_av]"}})
    assert counts(desk.write(desk.message(0, 0, {"weight": 82.4}), pounds)) == (1, 1, 0)


def test_two_devices_at_one_instant_are_two_observations(desk: Desk) -> None:
    ward = desk.ward
    desk.ask(
        "update device_assignment set patient_id = %s where patient_id = %s returning 1",
        ward.patients[0],
        ward.patients[1],
    )
    assert counts(desk.write(desk.message(0, 0, {"spo2": 97}))) == (1, 0, 0)
    desk.keeper.read_again()
    assert counts(desk.write(desk.message(1, 0, {"spo2": 96}))) == (1, 0, 0)


def test_an_ill_resident_gets_one_episode_and_one_job(desk: Desk) -> None:
    outcome = desk.write(desk.message(0, 0, WELL), desk.message(0, 1, ILL), desk.message(1, 1, WELL))
    assert outcome.activated == [3]
    (episode,) = desk.episodes()
    assert episode[0] == desk.ward.patients[0]
    assert episode[1:] == ("news2", desk.at(1), desk.at(1), None, "active", 3, 3)
    desk.write(desk.message(0, 2, ILL))
    assert len(desk.episodes()) == 1
    assert desk.ask("select severity from notification_job") == [(3,)]
    assert desk.ask("select kind, severity from episode_event") == [("activated", 3)]
    ((sentence, explanation),) = desk.ask("select sentence, explanation from episode")
    assert "NEWS2" in sentence
    assert explanation["rule"] == "news2"


def test_recovery_resolves_the_episode_and_keeps_its_reason(desk: Desk) -> None:
    desk.write(desk.message(0, 0, ILL))
    ((before,),) = desk.ask("select sentence from episode")
    desk.write(desk.message(0, 1, WELL), desk.message(0, 40, WELL))
    ((_, _, _, _, resolved, phase, severity, peak),) = desk.episodes()
    assert (resolved, phase, severity, peak) == (desk.at(40), "resolved", 0, 3)
    assert desk.ask("select sentence from episode") == [(before,)]


def test_order_of_arrival_and_batches_do_not_change_the_outcome(make_desk: Callable[..., Desk]) -> None:
    desk = make_desk(8)
    course = [WELL, WELL, ILL, ILL, WELL, ILL, WELL, WELL, WELL, ILL]
    chance = random.Random(7)

    def send(index: int, order: Sequence[int], sizes: Sequence[int]) -> None:
        messages = [desk.message(index, 3 * step, course[step]) for step in order]
        again = [*messages, *chance.sample(messages, 3)]
        ends = list(itertools.accumulate(sizes)) or [len(again)]
        for start, end in zip([0, *ends], [*ends, len(again)], strict=True):
            if start < end:
                desk.write(*again[start:end])

    straight = list(range(len(course)))
    send(0, straight, [])
    for index in range(1, 8):
        order = straight.copy()
        chance.shuffle(order)
        send(index, order, [chance.randint(1, 4) for _ in range(3)])
    episodes = desk.episodes()
    by_patient = {p: [e[1:] for e in episodes if e[0] == p and e[5] != "withdrawn"] for p in desk.ward.patients}
    assert len(by_patient[desk.ward.patients[0]]) >= 1
    for patient in desk.ward.patients:
        assert by_patient[patient] == by_patient[desk.ward.patients[0]]
    machines = desk.ask("select machine from patient_state order by patient_id")
    assert len(desk.stored()) == 8 * len(course) * len(WELL)
    assert len(machines) == 8


def test_a_late_observation_takes_back_what_it_disproves(make_desk: Callable[..., Desk]) -> None:
    desk = make_desk(1, "pulse_oximetry_home")
    desk.write(desk.message(0, 0, {"spo2": 97}), desk.message(0, 2, {"spo2": 90}))
    desk.write(desk.message(0, 6, {"spo2": 90}))
    assert [e[5:] for e in desk.episodes()] == [("active", 3, 3)]
    outcome = desk.write(desk.message(0, 4, {"spo2": 98}))  # two low ones in a row there were not
    assert (outcome.stored.sum(), outcome.too_late) == (1, 0)
    states = {(e[2], e[5]) for e in desk.episodes()}
    assert (desk.at(2), "active") not in states
    assert desk.ask("select count(*) from episode_event where retracted")[0][0] >= 1


def test_what_comes_too_late_is_stored_and_not_scored(desk: Desk) -> None:
    desk.write(*(desk.message(0, -60 * hours, WELL) for hours in range(30, 0, -1)))
    desk.write(*(desk.message(0, minutes, WELL) for minutes in range(40)))
    outcome = desk.write(desk.message(0, -60 * 40, ILL))
    assert (outcome.stored.sum(), outcome.too_late) == (len(ILL), len(ILL))
    assert desk.ask("select distinct flags from observation where observed_at = %s", desk.at(-60 * 40)) == [
        (Flag.TOO_LATE,)
    ]
    assert not any(e[1] == "news2" for e in desk.episodes())


def test_snapshots_stay_few(desk: Desk) -> None:
    for hour in range(48):
        desk.write(*(desk.message(0, -60 * (48 - hour) + minute, {"pulse": 70 + minute}) for minute in range(0, 60, 5)))
    ((fine, coarse),) = desk.ask(
        "select count(*) filter (where level >= 0), count(*) filter (where level < 0) from patient_snapshot"
    )
    assert fine <= 2 * 6  # 576 instants are 36 times 16: levels 0 to 5
    assert 2 <= coarse <= 4


BAD: dict[str, Callable[[Desk], Incoming]] = {
    "unknown_device": lambda d: d.raw("homeward/v1/3/nobody/observations", payload(d.at(0), {"pulse": 71})),
    "not_permitted": lambda d: d.message(0, 0, {"pulse": 71}, device=d.ward.devices[1]),
    "unassigned": lambda d: d.message(0, 0, {"pulse": 71}, user=2),
    "future_time": lambda d: d.message(0, 90, {"pulse": 71}),
    "too_old": lambda d: d.message(0, -60 * 24 * 366, {"pulse": 71}),
    "implausible": lambda d: d.message(0, 0, {"pulse": 0}),
    "malformed": lambda d: d.raw(d.ward.topic(0), b'{"time": '),
    "contradictory": lambda d: d.message(0, 0, {"bp_systolic": 80, "bp_diastolic": 120}),
}


@pytest.mark.parametrize("reason", BAD)
def test_what_cannot_be_stored_is_kept_whole_with_its_reason(desk: Desk, reason: str) -> None:
    message = BAD[reason](desk)
    observations = 2 if reason == "contradictory" else 1
    outcome = desk.write(message)
    assert counts(outcome) == (0, 0, observations)
    assert outcome.receipt(0) == {"stored": 0, "duplicate": 0, "quarantined": observations, "reasons": [reason]}
    rows = desk.ask("select reason, payload, topic, observations, status, organisation_id from quarantine")
    assert rows == [(reason, message.payload, message.topic, observations, "waiting", desk.ward.organisation)]
    assert counts(desk.write(message, message)) == (0, 2 * observations, 0)
    assert desk.stored() == []


def test_an_unknown_sender_among_several_organisations_is_nobodys(make_desk: Callable[..., Desk]) -> None:
    desk, _other = make_desk(), make_desk()
    desk.write(BAD["unknown_device"](desk))
    assert desk.ask("select organisation_id from quarantine") == [(None,)]


def test_one_implausible_value_of_three_leaves_two(desk: Desk) -> None:
    outcome = desk.write(desk.message(0, 0, {"pulse": 0, "spo2": 97, "temperature": 36.8}))
    assert counts(outcome) == (2, 0, 1)


def test_the_limits_of_time_are_inclusive(desk: Desk) -> None:
    received = 1_795_334_400_000_000

    def sent(offset: int) -> Incoming:
        at = datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=received + offset)
        return Incoming.from_topic(desk.ward.topic(0), payload(at, {"pulse": 71}), received)

    kept = [sent(FUTURE_TOLERANCE), sent(-OLDEST)]
    refused = [sent(FUTURE_TOLERANCE + 1), sent(-OLDEST - 1)]
    assert counts(desk.write(*kept, *refused)) == (2, 0, 2)


def test_a_hub_speaks_for_its_devices_and_no_others(desk: Desk, make_desk: Callable[..., Desk]) -> None:
    other = make_desk(1)
    named = [
        payload(desk.at(0), {"pulse": 71}, device=desk.ward.devices[2]),
        payload(desk.at(0), {"pulse": 71}, device=other.ward.devices[0]),
    ]
    outcome = desk.write(*(desk.raw(desk.ward.hub_topic, content) for content in named))
    assert counts(outcome) == (1, 0, 1)
    assert desk.stored()[0][0] == desk.ward.patients[2]


def test_people_who_share_a_device_are_told_apart(desk: Desk) -> None:
    ward = desk.ward
    for user, patient in enumerate(ward.patients[1:], start=1):
        desk.ask(
            "insert into device_assignment (organisation_id, device_id, patient_id, device_user, during) "
            "select organisation_id, device_id, %s, %s, tstzrange(now() - interval '1 day', null) from device "
            "where code = %s returning 1",
            patient,
            user,
            ward.devices[0],
        )
    desk.write(desk.message(0, 0, {"weight": 70}, user=1), desk.message(0, 0, {"weight": 90}, user=2))
    assert [(row[0], row[3]) for row in desk.stored()] == [(ward.patients[1], 70.0), (ward.patients[2], 90.0)]


def test_a_device_passed_on_is_the_next_patients_from_then_on(desk: Desk) -> None:
    ward = desk.ward
    desk.ask(
        "update device_assignment set during = tstzrange(lower(during), %s) where patient_id = %s returning 1",
        desk.at(10),
        ward.patients[0],
    )
    desk.ask(
        "insert into device_assignment (organisation_id, device_id, patient_id, during) "
        "select organisation_id, device_id, %s, tstzrange(%s, null) from device where code = %s returning 1",
        ward.patients[1],
        desk.at(12),
        ward.devices[0],
    )
    outcome = desk.write(*(desk.message(0, minute, {"pulse": 70 + minute}) for minute in (9, 10, 12)))
    assert counts(outcome) == (2, 0, 1)
    assert [(row[0], row[3]) for row in desk.stored()] == [(ward.patients[0], 79.0), (ward.patients[1], 82.0)]


def test_a_device_entered_a_moment_ago_is_known(desk: Desk) -> None:
    desk.write(desk.message(0, 0, {"pulse": 71}))
    desk.ask("update device set code = code || '-new' where code = %s returning 1", desk.ward.devices[1])
    topic = desk.ward.topic(1).replace(desk.ward.devices[1], desk.ward.devices[1] + "-new")
    assert counts(desk.write(desk.raw(topic, payload(desk.at(0), {"pulse": 71})))) == (1, 0, 0)


def test_who_is_on_no_pathway_is_stored_and_not_scored(desk: Desk) -> None:
    desk.ask("update enrolment set ended_at = now() where patient_id = %s returning 1", desk.ward.patients[0])
    assert counts(desk.write(desk.message(0, 0, ILL))) == (len(ILL), 0, 0)
    assert desk.episodes() == []


def test_without_any_policy_observations_are_stored(desk: Desk) -> None:
    desk.ask("update enrolment set ended_at = now() returning 1")
    desk.ask("update pathway set policy_id = null returning 1")
    assert counts(desk.write(desk.message(0, 0, ILL), desk.message(0, -1, ILL))) == (2 * len(ILL), 0, 0)


def test_writers_at_once_store_everything_once(make_desk: Callable[..., Desk]) -> None:
    desk = make_desk(20)
    messages = [desk.message(index, minute, {"pulse": 60 + minute}) for index in range(20) for minute in range(20)]
    outcomes: list[tuple[int, int, int]] = []
    failures: list[Exception] = []

    def work(seed: int) -> None:
        mine = messages.copy()
        random.Random(seed).shuffle(mine)
        try:
            outcomes.extend(counts(desk.write(*mine[start : start + 50])) for start in range(0, len(mine), 50))
        except Exception as failed:
            failures.append(failed)

    threads = [threading.Thread(target=work, args=(seed,)) for seed in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []
    assert len(desk.stored()) == len(messages)
    assert sum(stored for stored, _, _ in outcomes) == len(messages)
    assert sum(duplicate for _, duplicate, _ in outcomes) == 2 * len(messages)


def test_a_failure_stores_nothing_of_the_batch(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: Any, **__: Any) -> None:
        raise RuntimeError("the last step failed")

    monkeypatch.setattr("ingest.writer.tell_dashboards", fail)
    with pytest.raises(RuntimeError):
        desk.write(desk.message(0, 0, ILL), desk.raw(desk.ward.topic(0), b"{"))
    for table in ("observation", "patient_state", "episode", "quarantine", "notification_job"):
        assert desk.ask(f"select count(*) from {table}") == [(0,)]


def test_dashboards_are_told_with_the_commit(desk: Desk) -> None:
    with psycopg.connect(desk.database.url, autocommit=True) as listener:
        listener.execute("listen homeward_live")
        desk.write(desk.message(0, 0, ILL), desk.message(2, 0, WELL))
        (notice,) = listener.notifies(timeout=PATIENCE_S, stop_after=1)
    assert json.loads(notice.payload) == {
        "organisation": desk.ward.organisation,
        "patients": [desk.ward.patients[0], desk.ward.patients[2]],
        "episodes": True,
    }


def test_ingest_may_read_no_name(desk: Desk) -> None:
    with desk.pool.connection() as connection, pytest.raises(psycopg.errors.InsufficientPrivilege):
        connection.execute("select family_name from patient")


def test_what_was_taken_on_waits_again_only_when_it_becomes_worse_than_that(make_desk: Callable[..., Desk]) -> None:
    desk = make_desk(1, "pulse_oximetry_home")

    def held() -> list[tuple[Any, ...]]:
        return desk.ask("select acknowledged_at is not null, severity, snoozed_until is not null from episode")

    def send(*course: tuple[int, float]) -> None:
        desk.write(*(desk.message(0, minute, {"spo2": value}) for minute, value in course))

    send((0, 94), (1, 94))
    taken = (
        "update episode set acknowledged_at = now(), acknowledged_severity = severity, "
        "snoozed_until = now() + interval '1 hour', snoozed_severity = severity returning 1"
    )
    desk.ask(taken)
    send((2, 94), (3, 93), (4, 94))
    assert held() == [(True, 2, True)]
    assert desk.ask("select severity from notification_job") == [(2,)]
    send((5, 91), (6, 91))
    assert held() == [(False, 3, False)]
    assert desk.ask("select severity from notification_job order by 1") == [(2,), (3,)]
    send((7, 93), (23, 93), (24, 93))  # it eases, is taken on as amber, and becomes red again
    desk.ask(taken)
    assert held() == [(True, 2, True)]
    send((25, 91), (26, 91))
    assert held() == [(False, 3, False)]
    assert desk.ask("select severity from notification_job order by 1") == [(2,), (3,), (3,)]

"""Does a message that waits in quarantine get its second try as if it had come then, and only once?"""

from __future__ import annotations

import threading
import time
from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from ingest.admission import Incoming
from ingest.quarantine_replay import AT_ONCE, Chosen, Replayed, left, observed_span, replay
from ingest.registry import RegistryKeeper
from schemas.quarantine import Reason
from schemas.topic import observations_topic
from tests.ingest.conftest import Desk
from tests.ingest.ward import payload


def again(desk: Desk, account: int | None = None, after: int = 0, **chosen: Any) -> Replayed:
    """Replay until nothing is left of what was chosen."""
    chosen_ = Chosen(desk.ward.organisation, **chosen)
    total = Replayed(next=after)
    while total.next is not None:
        total.add(replay(desk.pool, desk.keeper, chosen_, account, total.next))
    return total


def waiting(desk: Desk) -> list[tuple[Any, ...]]:
    """What waits: its reason, how many observations, and why."""
    return desk.ask(
        "select reason, observations, detail from quarantine where status = 'waiting' order by quarantine_id"
    )


def unassign(desk: Desk, index: int) -> None:
    """Take a device away from its patient, for all time."""
    desk.ask(
        "delete from device_assignment a using device d where d.device_id = a.device_id and d.code = %s returning 1",
        desk.ward.devices[index],
    )
    desk.keeper.read_again()


def assign(desk: Desk, index: int, since: datetime | None = None, until: datetime | None = None) -> None:
    """Give it to its patient, from one instant to another."""
    desk.ask(
        "insert into device_assignment (organisation_id, device_id, patient_id, during) "
        "select organisation_id, device_id, %s, tstzrange(%s, %s) from device where code = %s returning 1",
        desk.ward.patients[index], since, until, desk.ward.devices[index],
    )  # fmt: skip


def test_what_nobody_wore_is_stored_once_it_is_assigned(desk: Desk) -> None:
    unassign(desk, 0)
    desk.write(*(desk.message(0, m, {"pulse": 70 + m}) for m in range(3)))
    assert [row[:2] for row in waiting(desk)] == [("unassigned", 1)] * 3
    assign(desk, 0, desk.at(0.5))  # the first one belongs to nobody still
    found = again(desk, reason="unassigned", source=desk.ward.devices[0])
    assert (found.messages, found.done, found.waiting, found.stored) == (3, 2, 1, 2)
    assert found.reasons == {"unassigned": 1}
    assert [row[3] for row in desk.stored()] == [71, 72]
    [(received, came)] = desk.ask(
        "select min(o.received_at), min(q.received_at) from observation o, quarantine q where q.status = 'replayed'"
    )
    assert received == came
    # and again: nothing is stored twice, nothing moves
    assert again(desk).stored == 0
    assert len(desk.stored()) == 2
    assert [row[:2] for row in waiting(desk)] == [("unassigned", 1)]


def test_what_says_otherwise_waits_until_a_person_discards_it(desk: Desk) -> None:
    unassign(desk, 0)
    desk.write(desk.message(0, 0, {"pulse": 70}), desk.message(0, 0, {"pulse": 90}))
    assign(desk, 0)
    found = again(desk)
    assert (found.done, found.waiting, found.stored, found.reasons) == (1, 1, 1, {"contradictory": 1})
    assert [row[:2] for row in waiting(desk)] == [("contradictory", 1)]
    assert again(desk).waiting == 1
    assert [row[3] for row in desk.stored()] == [70]


def test_what_is_refused_again_waits_for_what_is_wrong_with_it_now(desk: Desk) -> None:
    stranger = observations_topic(0, "stranger")
    desk.write(desk.raw(stranger, payload(desk.at(0), {"pulse": 70, "spo2": 3})))
    assert [row[:2] for row in waiting(desk)] == [("unknown_device", 2)]
    desk.ask(
        "insert into device (organisation_id, code, kind, lane) values (%s, 'stranger', 'cuff', 0) returning 1",
        desk.ward.organisation,
    )
    found = again(desk)
    assert (found.done, found.waiting, found.reasons) == (0, 1, {"unassigned": 1})
    assert [row[:2] for row in waiting(desk)] == [("unassigned", 2)]
    assert desk.ask("select device_id is not null from quarantine") == [(True,)]
    desk.ask(
        "insert into device_assignment (organisation_id, device_id, patient_id, during) "
        "select organisation_id, device_id, %s, '(,)' from device where code = 'stranger' returning 1",
        desk.ward.patients[0],
    )
    found = again(desk)
    # one value is stored; the other one goes on waiting, alone
    assert (found.stored, found.reasons) == (1, {"implausible": 1})
    assert [row[:2] for row in waiting(desk)] == [("implausible", 1)]
    assert "spo2: 3" in waiting(desk)[0][2]
    assert len(desk.ask("select 1 from quarantine")) == 1


def test_several_reasons_of_one_message_are_settled_together(desk: Desk) -> None:
    values = {"pulse": 70, "spo2": 3, "temperature": {"value": 1, "unit": "furlong"}, "nonsense": 4}
    desk.write(desk.message(0, 0, values))
    before = waiting(desk)
    assert {row[0] for row in before} == {"implausible", "unit", "unknown_vital_sign"}
    found = again(desk)
    assert (found.messages, found.done, found.stored, found.duplicate) == (3, 0, 0, 1)
    assert waiting(desk) == before
    # a patient's device taken away: the message is refused as a whole, beside what cannot be read of it
    unassign(desk, 0)
    again(desk)
    assert {row[0] for row in waiting(desk)} == {"unassigned", "unit", "unknown_vital_sign"}
    assert len(desk.ask("select 1 from quarantine")) == 3


def test_a_refusal_after_a_replay_waits_again(desk: Desk) -> None:
    unassign(desk, 0)
    message = desk.message(0, 0, {"pulse": 70})
    desk.write(message)
    assign(desk, 0)
    again(desk)
    assert waiting(desk) == []
    unassign(desk, 0)
    outcome = desk.write(message)
    assert outcome.receipt(0)["quarantined"] == 1
    assert [row[0] for row in waiting(desk)] == ["unassigned"]


def test_nobody_is_paged_for_what_can_no_longer_be_acted_on(desk: Desk) -> None:
    unassign(desk, 0)
    low = {"spo2": 70, "respiration_rate": 30, "pulse": 140, "bp_systolic": 80, "temperature": 36, "on_oxygen": 1,
           "consciousness": 4}  # fmt: skip
    old = datetime.now(UTC) - timedelta(days=3)
    desk.write(desk.raw(desk.ward.topic(0), payload(old, low)), desk.message(1, 54, low))
    paged = "select count(*) from notification_job j join episode e using (episode_id) where e.patient_id = %s"
    assert desk.ask(paged, desk.ward.patients[1])[0][0] > 0, "what is measured now pages"
    assign(desk, 0)
    desk.ask("update enrolment set started_at = now() - interval '5 days' returning 1")
    desk.keeper.read_again()
    assert again(desk).stored == len(low)
    episodes = desk.ask("select retrospective from episode where patient_id = %s", desk.ward.patients[0])
    assert episodes
    assert all(retrospective for (retrospective,) in episodes)
    assert desk.ask(paged, desk.ward.patients[0]) == [(0,)]


def test_thousands_are_replayed_in_bounded_parts_and_two_at_once_do_no_harm(desk: Desk) -> None:
    unassign(desk, 0)
    count = 3 * AT_ONCE + 7
    for start in range(0, count, 50):
        many = [desk.message(0, m / 10, {"pulse": 60}) for m in range(start, min(start + 50, count))]
        desk.write(*many)
    assign(desk, 0)
    chosen = Chosen(desk.ward.organisation, reason=Reason.UNASSIGNED)
    with desk.pool.connection() as connection:
        assert left(connection, chosen) == count
    found: list[Replayed] = []

    def work() -> None:
        keeper, total = RegistryKeeper(desk.pool), Replayed(next=0)
        while total.next is not None:
            total.add(replay(desk.pool, keeper, chosen, None, total.next))
        found.append(total)

    threads = [threading.Thread(target=work) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sum(f.stored for f in found) == count
    assert sum(f.messages for f in found) == count
    assert len(desk.stored()) == count
    entries = desk.ask("select detail from audit_log where action = 'quarantine_replayed'")
    assert sum(len(detail["items"]) for (detail,) in entries) == count
    assert max(len(detail["items"]) for (detail,) in entries) <= AT_ONCE


def test_one_organisation_does_not_touch_anothers_and_the_nobodys_are_asked_for(desk: Desk) -> None:
    desk.ask("insert into organisation (name) values ('Other') returning 1")
    desk.write(desk.raw(observations_topic(0, "stranger"), payload(desk.at(0), {"pulse": 70})))
    assert desk.ask("select organisation_id from quarantine") == [(None,)]
    assert again(desk).messages == 0
    desk.ask(
        "insert into device (organisation_id, code, kind, lane) values (%s, 'stranger', 'cuff', 0) returning 1",
        desk.ward.organisation,
    )
    assert again(desk, nobodys=True).reasons == {"unassigned": 1}
    assert desk.ask("select organisation_id from quarantine") == [(desk.ward.organisation,)]


def test_the_one_that_homeward_cannot_process_does_not_hold_up_the_others(
    desk: Desk,
) -> None:
    """A fault of ours, made here by a patient's record that is no record and cannot be made anew."""
    for index in (0, 1):
        unassign(desk, index)
        desk.write(desk.message(index, 0, {"pulse": 60}))
        assign(desk, index)
    desk.ask("insert into observation values (now(), now(), 'NaN', %s, 1, 32000, 0) returning 1", desk.ward.patients[0])
    desk.ask(
        "insert into patient_state (patient_id, machine) values (%s, 'no record') returning 1", desk.ward.patients[0]
    )
    found = again(desk)
    assert (found.messages, found.done, found.waiting) == (2, 1, 1)
    assert [row[0] for row in desk.stored() if row[1] != 32000] == [desk.ward.patients[1]]
    assert len(waiting(desk)) == 1


def test_the_span_of_what_waits_is_known_where_its_times_are_the_devices_own(desk: Desk) -> None:
    code = desk.ward.devices[0]
    noon = desk.at(0).replace(microsecond=0) - timedelta(days=2)
    local = noon.astimezone(ZoneInfo("America/New_York"))
    rows = [(local + timedelta(minutes=m)).strftime("%Y-%m-%d %H:%M:%S") for m in (0, 90)]
    table = "datetime,dia,sys,bpm,mov,ihb\n" + "".join(f"{row},80,120,70,0,0\n" for row in rows)
    desk.write(Incoming.from_topic(observations_topic(0, code), table.encode(), time.time_ns() // 1000))
    assert {row[0] for row in waiting(desk)} == {"time_without_zone"}

    def span() -> tuple[datetime | None, datetime | None, list[int]]:
        with desk.pool.connection() as connection:
            return observed_span(connection, Chosen(desk.ward.organisation, reason="time_without_zone"))

    assert span() == (None, None, [])
    desk.ask("update device set time_zone = 'America/New_York' where code = %s returning 1", code)
    assert span() == (noon, noon + timedelta(minutes=90), [0])

"""Does everything that the broker took arrive once, whatever is killed or cut, and is nothing confirmed too soon?"""

from __future__ import annotations

import contextlib
import os
import signal
import threading
from collections.abc import Callable, Iterator
from typing import Any

import psycopg
import pytest

from alerts.state import unpack
from ingest import service, writer
from schemas.topic import LANES, backlog_topic, observations_topic, receipts_topic
from tests.conftest import TestBroker, TestDatabase
from tests.ingest.conftest import Desk
from tests.ingest.proxy import Proxy
from tests.ingest.test_writer import WELL
from tests.ingest.ward import payload
from tests.ingest.workers import USER, Sender, Workers, begin_lanes, clean_lanes, workers
from tests.waiting import PATIENCE_S, wait_until

__all__ = ["clean_lanes", "workers"]  # fixtures


@pytest.fixture
def desk(make_desk: Callable[..., Desk]) -> Desk:
    """Three residents in each lane."""
    return make_desk(3 * LANES)


@pytest.fixture
def hub(broker: TestBroker, desk: Desk) -> Iterator[Sender]:
    sender = Sender(broker, desk.ward.hub)
    yield sender
    sender.close()


def flood(desk: Desk, hub: Sender, count: int, stop: threading.Event | None = None) -> int:
    """Publish ``count`` messages of three values on all lanes and wait for the broker to have them; give how many."""
    sent = []
    for number in range(count):
        if stop is not None and stop.is_set():
            break
        device = number % len(desk.ward.devices)
        content = payload(
            desk.at(number / 1000), {"pulse": 60, "spo2": 97, "temperature": 36.5}, device=desk.ward.devices[device]
        )
        # each device keeps to its lane, so that its messages come in their order
        sent.append(hub.publish(observations_topic(device % LANES, desk.ward.hub), content))
    for info in sent:
        info.wait_for_publish(PATIENCE_S)
        assert info.is_published()
    return len(sent)


def stored(desk: Desk) -> int:
    return int(desk.ask("select count(*) from observation")[0][0])


def test_a_receipt_says_what_was_committed(desk: Desk, hub: Sender, workers: Workers) -> None:
    workers.start()
    own = receipts_topic(0, desk.ward.hub)
    hub.client.subscribe(own + "/#", 1)
    content = payload(desk.at(0), {"pulse": 71, "spo2": 0, "temperature": 36.8}, device=desk.ward.devices[0])
    asked: dict[str, Any] = {"ResponseTopic": own, "CorrelationData": b"17"}
    hub.publish(desk.ward.hub_topic, content, **asked)
    correlation, receipt = hub.receipts.get(timeout=PATIENCE_S)
    assert correlation == b"17"
    assert receipt == {"stored": 2, "duplicate": 0, "quarantined": 1, "reasons": ["implausible"]}
    assert stored(desk) == 2
    hub.publish(desk.ward.hub_topic, content, **asked)
    assert hub.receipts.get(timeout=PATIENCE_S)[1]["duplicate"] == 3
    # another's topic gets nothing; the message counts all the same
    elsewhere = {"ResponseTopic": receipts_topic(0, "somebody")}
    hub.publish(desk.ward.hub_topic, payload(desk.at(1), {"pulse": 71}, device=desk.ward.devices[0]), **elsewhere)
    wait_until(lambda: stored(desk) == 3, "the third message is stored")
    assert hub.receipts.empty()


def test_a_session_whose_holder_was_killed_before_it_subscribed_takes_messages(
    broker: TestBroker, desk: Desk, hub: Sender, workers: Workers
) -> None:
    begin_lanes(broker, 3600)
    workers.start()
    hub.publish(desk.ward.hub_topic, payload(desk.at(0), {"pulse": 71}, device=desk.ward.devices[0]))
    wait_until(lambda: stored(desk) == 1, "the message is stored")


def test_what_is_live_goes_before_a_backlog(desk: Desk, hub: Sender, workers: Workers) -> None:
    worker = workers.start()  # makes the lanes' sessions, which the broker then keeps messages for
    worker.terminate()
    assert worker.wait(PATIENCE_S) == 0
    kept = [
        hub.publish(
            backlog_topic(n % LANES, desk.ward.hub),
            payload(desk.at(n / 1000), {"pulse": 60}, device=desk.ward.devices[n % LANES]),
        )
        for n in range(20_000)
    ]
    for info in kept:
        info.wait_for_publish(PATIENCE_S)
    own = receipts_topic(0, desk.ward.hub)
    hub.client.subscribe(own, 1)
    asked: dict[str, Any] = {"ResponseTopic": own, "CorrelationData": b"live"}
    # the worker finds the backlog waiting; what is published now overtakes it
    workers.start()
    hub.publish(desk.ward.hub_topic, payload(desk.at(50), {"pulse": 71}, device=desk.ward.devices[0]), **asked)
    assert hub.receipts.get(timeout=PATIENCE_S)[1]["stored"] == 1
    wait_until(lambda: stored(desk) == 20_001, "the backlog is stored")
    transactions = "select xmin::text::bigint from observation where value"
    assert desk.ask(f"{transactions} = 60 and xmin::text::bigint > ({transactions} = 71) limit 1"), (
        "the backlog was there first, and was not done"
    )


def test_messages_of_every_size_and_quality_of_service_arrive(desk: Desk, hub: Sender, workers: Workers) -> None:
    worker = workers.start()
    device = desk.ward.devices[0]
    hub.client.publish(desk.ward.hub_topic, payload(desk.at(0), {"pulse": 71}, device=device), qos=0)
    hub.client.publish(desk.ward.hub_topic, payload(desk.at(1), {"pulse": 72}, device=device), qos=2)
    hub.publish(desk.ward.hub_topic, payload(desk.at(2), {"pulse": 73}, device=device), UserProperty=("a", "b"))
    many = b"[" + b",".join(payload(desk.at(3 + n / 100), {"pulse": 74}, device=device) for n in range(2000)) + b"]"
    hub.publish(desk.ward.hub_topic, many)
    hub.publish(desk.ward.hub_topic, b" " * 700_000)
    hub.publish(desk.ward.hub_topic, b"")
    wait_until(lambda: stored(desk) == 2003, "all is stored")
    wait_until(
        lambda: desk.ask("select reason from quarantine order by 1") == [("malformed",), ("too_large",)],
        "the others are put aside",
    )
    worker.terminate()
    assert worker.wait(PATIENCE_S) == 0
    # nothing was left unconfirmed: the next worker is sent nothing again
    assert desk.ask("select sum((counters->>'messages')::int) from service_instance") == [(6,)]
    workers.start()
    content = payload(desk.at(40), {"pulse": 75}, device=device)
    hub.publish(desk.ward.hub_topic, content)
    wait_until(lambda: stored(desk) == 2004, "the next message is stored")
    wait_until(
        lambda: desk.ask("select sum((counters->>'messages')::int) from service_instance") == [(7,)], "one was sent"
    )


def test_nothing_is_confirmed_before_the_commit(desk: Desk, hub: Sender, workers: Workers) -> None:
    worker = workers.start()
    with psycopg.connect(desk.database.url) as connection:
        connection.execute("lock table homeward.observation in exclusive mode")
        flood(desk, hub, 300)
        wait_until(
            lambda: desk.ask("select 1 from pg_locks where not granted"),
            "the worker waits for the table",
        )
        worker.kill()
        worker.wait()
    assert stored(desk) == 0
    workers.start()
    wait_until(lambda: stored(desk) == 900, "the broker delivered all of it again")


@pytest.mark.slow
def test_a_worker_killed_under_load_loses_and_doubles_nothing(desk: Desk, hub: Sender, workers: Workers) -> None:
    worker = workers.start()
    published: list[int] = []
    flooding = threading.Thread(target=lambda: published.append(flood(desk, hub, 12_000)))
    flooding.start()
    for _ in range(4):
        before = stored(desk)
        wait_until(lambda before=before: stored(desk) > before, "the worker stores")  # type: ignore[misc]
        worker.kill()
        worker.wait()
        worker = workers.start()
    flooding.join()
    wait_until(lambda: stored(desk) >= 3 * published[0], "all is stored")
    worker.terminate()
    assert worker.wait(PATIENCE_S) == 0
    assert stored(desk) == 3 * published[0]
    assert desk.ask("select count(*) from quarantine") == [(0,)]
    assert desk.ask("select count(*) from (select distinct patient_id, vital, observed_at from observation) o") == [
        (3 * published[0],)
    ]


@pytest.mark.slow
def test_a_cut_database_connection_loses_and_doubles_nothing(
    desk: Desk, hub: Sender, broker: TestBroker, database: TestDatabase, clean_lanes: None
) -> None:
    url = database.url_for("homeward_ingest")
    with psycopg.connect(url) as connection:
        proxy = Proxy((str(connection.info.hostaddr or connection.info.host), connection.info.port))
        through = url.replace(f":{connection.info.port}/", f":{proxy.port}/")
    workers = Workers(broker, through)
    with contextlib.closing(proxy):
        try:
            worker = workers.start()
            published: list[int] = []
            flooding = threading.Thread(target=lambda: published.append(flood(desk, hub, 12_000)))
            flooding.start()
            for _ in range(3):
                before = stored(desk)
                wait_until(lambda before=before: stored(desk) > before, "the worker stores")  # type: ignore[misc]
                proxy.cut()
                wait_until(lambda: not desk.ask("select 1 from pg_locks where locktype = 'advisory'"), "lanes are free")
                proxy.mend()
            flooding.join()
            wait_until(lambda: stored(desk) >= 3 * published[0], "all is stored")
            worker.terminate()
            assert worker.wait(PATIENCE_S) == 0
        finally:
            workers.end()
    assert stored(desk) == 3 * published[0]


def lanes_held(desk: Desk) -> list[int]:
    rows = desk.ask("select count(*) from pg_locks where locktype = 'advisory' and granted group by pid order by 1")
    return [count for (count,) in rows]


def test_workers_share_the_lanes_and_take_over_from_each_other(desk: Desk, hub: Sender, workers: Workers) -> None:
    first = workers.start()
    wait_until(lambda: lanes_held(desk) == [16], "one worker holds all lanes")
    second = workers.start()
    wait_until(lambda: lanes_held(desk) == [8, 8], "two workers hold half of them each")
    assert flood(desk, hub, 320) == 320
    wait_until(lambda: stored(desk) == 960, "both store")
    first.kill()
    first.wait()
    assert flood(desk, hub, 640) == 640
    wait_until(lambda: stored(desk) == 1920, "the second stores what the first left")
    wait_until(lambda: lanes_held(desk) == [16], "the second holds all lanes")
    second.terminate()
    assert second.wait(PATIENCE_S) == 0
    assert desk.ask("select count(*) from pg_locks where locktype = 'advisory'") == [(0,)]


def test_a_frozen_worker_keeps_nobody_waiting(desk: Desk, hub: Sender, workers: Workers) -> None:
    frozen = workers.start()
    wait_until(lambda: lanes_held(desk) == [16], "one worker holds all lanes")
    # in the middle of a transaction, with patients' rows locked
    with psycopg.connect(desk.database.url) as connection:
        connection.execute("lock table homeward.episode_event in exclusive mode")
        connection.execute("lock table homeward.observation in exclusive mode")
        flood(desk, hub, 300)
        wait_until(lambda: desk.ask("select 1 from pg_locks where not granted"), "the worker waits for the table")
        os.kill(frozen.pid, signal.SIGSTOP)
    workers.start()
    wait_until(lambda: stored(desk) == 900, "the other has taken over")
    assert flood(desk, hub, 460) == 460  # the first 300 are the same again
    wait_until(lambda: stored(desk) == 1380, "all lanes are served")
    os.kill(frozen.pid, signal.SIGCONT)
    wait_until(lambda: lanes_held(desk) == [8, 8], "the one that woke up takes its share again")
    flood(desk, hub, 620)
    wait_until(lambda: stored(desk) == 1860, "both store")
    assert desk.ask("select count(*) from quarantine") == [(0,)]


def test_a_database_that_may_only_be_read_is_waited_for(desk: Desk, hub: Sender, workers: Workers) -> None:
    workers.start()
    name = desk.database.name
    with psycopg.connect(desk.database.url, autocommit=True) as one:
        one.execute(f"alter database {name} set default_transaction_read_only = on".encode())
    desk.ask("select pg_terminate_backend(pid) from pg_stat_activity where usename = 'homeward_ingest'")
    sent = flood(desk, hub, 160)
    wait_until(
        lambda: desk.ask("select 1 from pg_stat_activity where usename = 'homeward_ingest'"), "the worker is back"
    )
    assert stored(desk) == 0
    with psycopg.connect(desk.database.url, autocommit=True, options="-c default_transaction_read_only=off") as one:
        one.execute(f"alter database {name} reset default_transaction_read_only".encode())
    # as a standby that takes over: connections made before may write as soon as it does
    desk.ask("select pg_terminate_backend(pid) from pg_stat_activity where usename = 'homeward_ingest'")
    wait_until(lambda: stored(desk) == 3 * sent, "all is stored")
    assert desk.ask("select count(*) from quarantine") == [(0,)]


@pytest.fixture
def serve(desk: Desk, broker: TestBroker, clean_lanes: None) -> Iterator[Callable[[], None]]:
    """Run a worker in this process, which a test can make stumble."""
    stop, held = threading.Event(), threading.Event()
    arguments = (desk.database.url_for("homeward_ingest"), broker.url, USER, broker.add_service(USER), stop, held.set)
    running = threading.Thread(target=service.run, args=arguments)

    def start() -> None:
        running.start()
        assert held.wait(PATIENCE_S)

    yield start
    stop.set()
    running.join()


def test_a_message_that_cannot_be_processed_does_not_block_the_others(
    desk: Desk, hub: Sender, serve: Callable[[], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    evaluate = writer.evaluate

    def stumble(machines: Any, rows: Any, batch: Any, *rest: Any) -> Any:
        if (batch.value == 66.0).any():
            raise ZeroDivisionError("a fault of our own")
        return evaluate(machines, rows, batch, *rest)

    monkeypatch.setattr(writer, "evaluate", stumble)
    serve()
    for number in range(64):
        device = desk.ward.devices[number % LANES]
        content = payload(desk.at(number / 10), {"pulse": 66 if number == 40 else 70}, device=device)
        hub.publish(observations_topic(number % LANES, desk.ward.hub), content)
    wait_until(lambda: stored(desk) == 63, "the others are stored")
    wait_until(
        lambda: desk.ask("select reason, observations from quarantine") == [("unprocessable", 1)],
        "the culprit is put aside",
    )


def test_a_record_of_another_version_is_made_anew(desk: Desk, hub: Sender, serve: Callable[[], None]) -> None:
    desk.write(*(desk.message(0, minute, {"pulse": 60 + minute}) for minute in range(5)))
    ((before,),) = desk.ask("select machine from patient_state")
    desk.ask("update patient_state set machine = 'an older version' returning 1")
    serve()
    content = payload(desk.at(6), {"pulse": 71}, device=desk.ward.devices[0])
    hub.publish(desk.ward.hub_topic, content)
    wait_until(lambda: stored(desk) == 6, "the message is stored")
    ((after,),) = desk.ask("select machine from patient_state")
    assert len(after) == len(before)
    assert unpack([after])["instants"] == 6


def test_the_clock_finds_who_is_overdue(desk: Desk, workers: Workers) -> None:
    desk.ask("update enrolment set started_at = now() - interval '21 hours' returning 1")
    desk.write(*(desk.message(index, -60 * 20, WELL) for index in range(48)), now=desk.at(-60 * 20))
    assert desk.episodes() == []
    clock = workers.start("clock")
    wait_until(lambda: len(desk.episodes()) == 48, "48 residents are overdue")
    clock.terminate()
    assert clock.wait(PATIENCE_S) == 0
    # dated when it was due, 14 hours after the last observation, not when somebody looked
    assert {episode[3] for episode in desk.episodes()} == {desk.at(-60 * 20 + 60 * 14)}
    assert desk.ask("select count(*) from notification_job") == [(48,)]


def test_what_a_process_counted_adds_up(desk: Desk, hub: Sender, workers: Workers) -> None:
    worker = workers.start()
    flood(desk, hub, 100)
    hub.publish(desk.ward.hub_topic, b"{")
    wait_until(lambda: desk.ask("select 1 from quarantine"), "the malformed one is put aside")
    wait_until(lambda: stored(desk) == 300, "the others are stored")
    worker.terminate()
    assert worker.wait(PATIENCE_S) == 0
    ((counters,),) = desk.ask("select counters from service_instance where service = 'ingest'")
    assert counters["messages"] == 101
    assert counters["observations_stored"] == 300
    assert counters["quarantined"] == {"malformed": 1}
    assert sum(counters["lateness_up_to_s"].values()) == 300
    assert counters["lanes"] == 0

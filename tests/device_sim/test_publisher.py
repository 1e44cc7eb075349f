"""Does the publisher keep every message until its receipt, whatever happens to broker, receipts and ingest?"""

import threading
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest

from device_sim import load, run
from device_sim.cohort import make_cohort
from device_sim.physiology import HOUR_US
from device_sim.provisioning import lane_of, topic_of
from device_sim.publisher import Publisher, PublishError
from device_sim.recording import survey
from homeward.broker_accounts import BrokerAccounts
from homeward.local.broker import PrivateBroker
from homeward.local.programs import Programs
from homeward.local.watchdog import Watchdog
from schemas.topic import backlog_topic
from tests.conftest import TestBroker
from tests.device_sim.receipt_writer import ReceiptWriter
from tests.waiting import PATIENCE_S

START = 1_760_000_000_000_000


def payload(number: int) -> bytes:
    return msgspec.json.encode(
        {"time": f"2026-01-01T00:00:{number % 60:02d}Z", "id": str(number), "values": {"pulse": 60}}
    )


@pytest.fixture
def hub(broker: TestBroker, request: pytest.FixtureRequest) -> tuple[str, str]:
    name = f"hub-{abs(hash(request.node.nodeid)) % 10**9}"
    return name, broker.add_device(name)


@pytest.fixture
def writer(broker: TestBroker, hub: tuple[str, str]) -> Iterator[ReceiptWriter]:
    name = f"writer-of-{hub[0]}"
    topics = (topic_of(hub[0]), backlog_topic(lane_of(hub[0]), hub[0]))
    with ReceiptWriter(broker.url, name, broker.add_service(name), *topics) as writer:
        yield writer


def test_everything_published_is_accounted_for_by_receipts(
    broker: TestBroker, hub: tuple[str, str], writer: ReceiptWriter
) -> None:
    with Publisher(broker.url, *hub, window=50) as publisher:
        for number in range(500):
            assert publisher.publish(payload(number), 1)
        assert publisher.publish(payload(7), 1)
        assert publisher.wait_for_receipts(PATIENCE_S)
    assert (publisher.tally.published, publisher.tally.stored, publisher.tally.duplicates) == (501, 500, 1)
    assert publisher.tally.unaccounted == 0
    assert publisher.tally.republished == 0
    assert writer.received[:500] == [payload(n) for n in range(500)]


def test_a_message_without_receipt_is_published_again(
    broker: TestBroker, hub: tuple[str, str], writer: ReceiptWriter
) -> None:
    writer.mute = lambda number: number < 5
    with Publisher(broker.url, *hub, receipt_timeout_s=0.2) as publisher:
        for number in range(8):
            publisher.publish(payload(number), 1)
        assert publisher.wait_for_receipts(PATIENCE_S)
    assert publisher.tally.stored + publisher.tally.duplicates == publisher.tally.published == 8
    assert publisher.tally.republished >= 5


def test_without_receipts_no_more_than_the_window_is_under_way(
    broker: TestBroker, hub: tuple[str, str], writer: ReceiptWriter
) -> None:
    writer.mute = lambda number: True
    stop = threading.Event()
    with Publisher(broker.url, *hub, window=10) as publisher:
        for number in range(10):
            assert publisher.publish(payload(number), 1)
        writer.wait_for(lambda: len(writer.received) == 10)
        threading.Timer(0.1, stop.set).start()
        assert not publisher.publish(payload(10), 1, stop)
        assert not publisher.wait_for_receipts(0.1)
        assert publisher.tally.unaccounted == 10


def test_publishing_goes_on_when_the_broker_comes_back(
    service_folder: Path, programs: Programs, watchdog: Watchdog
) -> None:
    server = PrivateBroker(service_folder / "restarted", programs)
    server.start(watchdog)
    try:
        login = server.credentials("hub-r")
        service = server.credentials("writer-r")
        with BrokerAccounts(server.url, *server.admin) as accounts:
            accounts.add_device(*login)
            accounts.add_service(*service)
        topic = topic_of(login.user)
        with (
            ReceiptWriter(server.url, *service, topic) as writer,
            Publisher(server.url, *login, receipt_timeout_s=2.0, window=1000) as publisher,
        ):
            for number in range(100):
                publisher.publish(payload(number), 1)
            server.stop()
            for number in range(100, 200):
                publisher.publish(payload(number), 1)
            server.start(watchdog)
            for number in range(200, 300):
                publisher.publish(payload(number), 1)
            assert publisher.wait_for_receipts(PATIENCE_S)
            assert publisher.tally.published == publisher.tally.stored + publisher.tally.duplicates == 300
            assert set(writer.received) == {payload(n) for n in range(300)}
    finally:
        server.stop()


def test_wrong_logins_and_addresses_are_told(broker: TestBroker, hub: tuple[str, str]) -> None:
    with pytest.raises(PublishError, match="check the login"), Publisher(broker.url, hub[0], "wrong"):
        pass
    with pytest.raises(PublishError, match="no connection"), Publisher("mqtt://127.0.0.1:1", *hub):
        pass
    with pytest.raises(PublishError, match="expected mqtt://"), Publisher("http://127.0.0.1", *hub):
        pass


def test_publishing_where_the_login_may_not_is_told(broker: TestBroker, hub: tuple[str, str]) -> None:
    with Publisher(broker.url, *hub, window=1) as publisher:
        publisher._topic = topic_of("somebody-else")  # the topic follows from the login: only wrong rights lead here
        publisher.publish(payload(1), 1)
        with pytest.raises(PublishError, match="rights"):
            publisher.publish(payload(2), 1)


def test_a_cohort_is_published_by_its_hub(
    broker: TestBroker, hub: tuple[str, str], writer: ReceiptWriter, tmp_path: Path
) -> None:
    cohort = make_cohort(5, "mix", 3, START)
    standings: list[run.Standing] = []
    tally = run.simulate(
        cohort,
        run.Broker(broker.url, *hub),
        speed=float("inf"),
        hours=24,
        truth=tmp_path / "truth.csv",
        on_progress=standings.append,
    )
    assert tally.published == tally.stored > 0
    assert tally.messages == len(writer.received)
    assert standings[-1].share == 1.0
    assert len((tmp_path / "truth.csv").read_text().splitlines()) == 6


def test_devices_with_logins_of_their_own_play_a_recording(
    broker: TestBroker, hub: tuple[str, str], tmp_path: Path
) -> None:
    codes = [f"{hub[0]}-a", f"{hub[0]}-b"]
    path = tmp_path / "two.csv"
    rows = [f"p{i % 2},{codes[i % 2]},2026-03-02T08:00:{i:02d}Z,pulse,{60 + i}" for i in range(20)]
    path.write_text("\n".join(["patient,device,observed_at,vital,value", *rows]))
    name = f"writer-of-both-{hub[0]}"
    logins = {code: broker.add_device(code) for code in codes}
    with ReceiptWriter(broker.url, name, broker.add_service(name), "homeward/v1/+/+/observations") as writer:
        tally = run.play(survey(path), run.Broker(broker.url, logins=logins), speed=float("inf"), now=START)
        assert tally.published == tally.stored == 20
        assert len(writer.received) == 20


def test_a_stopped_run_waits_for_what_is_under_way(
    broker: TestBroker, hub: tuple[str, str], writer: ReceiptWriter
) -> None:
    stop = threading.Event()
    cohort = make_cohort(5, "stable", 3, START, kit="ward_continuous")

    def stop_soon(standing: run.Standing) -> None:
        stop.set()

    tally = run.simulate(cohort, run.Broker(broker.url, *hub), speed=3600.0, stop=stop, on_progress=stop_soon)
    assert tally.unaccounted == 0
    assert tally.published > 0


def test_the_load_generator_counts_pubacks(broker: TestBroker, hub: tuple[str, str]) -> None:
    payloads = [payload(n) for n in range(3000)]
    loads = [load.HubLoad(*hub, topic_of(hub[0]), payloads)]
    with load.start(broker.url, loads, stamp=True) as process:
        process.go()
        result = process.result()
    assert (result.published, result.pubacks, result.refused) == (3000, 3000, 0)
    assert len(result.sent_at[0]) == 3000
    foreign = [load.HubLoad(*hub, topic_of("someone-else"), payloads[:3])]
    with pytest.raises(load.LoadError, match="rights"):
        load.put_on(broker.url, foreign)
    with pytest.raises(load.LoadError, match="check the login"):
        load.put_on(broker.url, [load.HubLoad(hub[0], "wrong", topic_of(hub[0]), payloads)])


def test_the_load_generator_keeps_a_rate(broker: TestBroker, hub: tuple[str, str]) -> None:
    loads = [load.HubLoad(*hub, topic_of(hub[0]), [payload(n) for n in range(200)])]
    assert load.put_on(broker.url, loads, rate=1000).seconds == pytest.approx(0.2, abs=0.1)


def test_a_pace_never_overtakes_the_real_clock() -> None:
    now = START + HOUR_US
    pace = run.Pace(START, 60.0, began=100.0, wall=lambda: now, elapsed=lambda: 110.0)
    assert pace.wait_s(START + 600_000_000) == 0
    assert pace.wait_s(START + 1_200_000_000) == 10
    late = run.Pace(START, float("inf"), began=100.0, wall=lambda: now, elapsed=lambda: 100.0)
    assert late.wait_s(START) < 0
    assert late.wait_s(now + 5_000_000) == 5

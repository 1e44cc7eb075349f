"""Do the private servers start from nothing, again, and after their parent was killed; and does nothing stay behind?"""

import json
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import psutil
import psycopg
import pytest

from homeward.local import SetupError, server_folder
from homeward.local.broker import PrivateBroker
from homeward.local.postgres import PrivatePostgres
from homeward.local.programs import Programs
from homeward.local.watchdog import Watchdog, WatchdogError, is_gone
from tests.waiting import PATIENCE_S, wait_until

PARENT = """
import json, signal, sys, time
from pathlib import Path
from homeward.local.broker import PrivateBroker
from homeward.local.postgres import PrivatePostgres
from homeward.local.programs import ensure_programs
from homeward.local.watchdog import Watchdog, WatchdogError, is_gone
watchdog = Watchdog() if sys.argv[2] == "watched" else None
programs = ensure_programs()
postgres = PrivatePostgres(Path(sys.argv[1]) / "postgres", programs, durable=False)
broker = PrivateBroker(Path(sys.argv[1]) / "broker", programs)
postgres.start(watchdog)
broker.start(watchdog)
print(json.dumps([postgres.pid, broker.pid] + ([watchdog.pid] if watchdog else [])), flush=True)
signal.pause()
"""


@pytest.fixture
def postgres(service_folder: Path, programs: Programs, request: pytest.FixtureRequest) -> Iterator[PrivatePostgres]:
    """A cluster of the test's own, stopped at its end."""
    server = PrivatePostgres(service_folder / request.node.name / "postgres", programs, durable=False)
    yield server
    server.stop()


def kill_a_parent(folder: Path, how: str) -> list[int]:
    """Start both servers from another process, kill it without notice, and return the processes it had started."""
    parent = subprocess.Popen([sys.executable, "-c", PARENT, str(folder), how], stdout=subprocess.PIPE)
    assert parent.stdout is not None
    pids: list[int] = json.loads(parent.stdout.readline())
    pids += [child.pid for pid in pids for child in psutil.Process(pid).children(recursive=True)]
    parent.kill()
    parent.wait()
    parent.stdout.close()
    return pids


def test_cluster_starts_from_nothing_and_again_on_the_same_port(postgres: PrivatePostgres) -> None:
    postgres.start()
    url = postgres.superuser_url
    with psycopg.connect(url) as connection:
        connection.execute("create extension timescaledb")
        connection.execute("create table kept (n integer)")
        telemetry = connection.execute("show timescaledb.telemetry_level").fetchone()
    assert telemetry == ("off",)
    postgres.stop()
    assert not postgres.is_running()
    postgres.start()
    assert postgres.superuser_url == url
    with psycopg.connect(url) as connection:
        assert connection.execute("select count(*) from kept").fetchone() == (0,)


def test_servers_never_run_as_root(postgres: PrivatePostgres) -> None:
    postgres.start()
    assert psutil.Process(postgres.pid).uids().real != 0


def test_another_port_is_taken_where_the_last_one_is_in_use(postgres: PrivatePostgres) -> None:
    postgres.start()
    first = int(postgres.superuser_url.rpartition(":")[2].partition("/")[0])
    postgres.stop()
    with socket.create_server(("127.0.0.1", first)):
        postgres.start()
        assert f":{first}/" not in postgres.superuser_url
        assert postgres.is_running()


def test_a_wrong_password_is_refused(postgres: PrivatePostgres) -> None:
    postgres.start()
    address = postgres.superuser_url.rpartition("@")[2]
    with pytest.raises(psycopg.OperationalError, match="password authentication failed"):
        psycopg.connect(f"postgresql://postgres:guess@{address}")


def test_one_folder_has_one_owner(postgres: PrivatePostgres, programs: Programs, service_folder: Path) -> None:
    postgres.start()
    folder = service_folder / "test_one_folder_has_one_owner/postgres"
    with pytest.raises(SetupError, match=f"in use by process {os.getpid()}"):
        PrivatePostgres(folder, programs).start()
    assert postgres.is_running()


def test_a_cluster_of_another_version_is_explained(
    postgres: PrivatePostgres, programs: Programs, service_folder: Path
) -> None:
    postgres.start()
    postgres.stop()
    version = service_folder / "test_a_cluster_of_another_version_is_explained/postgres/data/PG_VERSION"
    version.write_text("12\n")
    with pytest.raises(SetupError, match=r"made by PostgreSQL 12 and this is \d+; upgrade"):
        postgres.start()


def test_a_full_disk_is_explained(postgres: PrivatePostgres, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(server_folder, "SPACE_NEEDED", 2**62)
    with pytest.raises(SetupError, match=r"MB free and PostgreSQL needs .* make room"):
        postgres.start()


def test_a_folder_that_cannot_be_made_is_explained(programs: Programs, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(SetupError, match="cannot be used"):
        PrivateBroker(tmp_path / "file/broker", programs).start()


@pytest.mark.slow
def test_a_start_recovers_from_a_server_killed_at_work(postgres: PrivatePostgres) -> None:
    for _ in range(3):
        postgres.start()
        with psycopg.connect(postgres.superuser_url, autocommit=True) as connection:
            connection.execute("create table if not exists filled as select g from generate_series(1, 200000) g")
            os.kill(postgres.pid or 0, signal.SIGKILL)
            postgres.stop()
            postgres.start()
            assert postgres.is_running()
        postgres.stop()


@pytest.mark.slow
def test_a_killed_parent_leaves_no_process(service_folder: Path, programs: Programs) -> None:
    pids = kill_a_parent(service_folder / "killed", "watched")
    assert len(pids) > 5
    wait_until(lambda: all(is_gone(pid) for pid in pids))


@pytest.mark.slow
def test_a_start_ends_what_a_killed_parent_left(service_folder: Path, programs: Programs) -> None:
    folder = service_folder / "left_over"
    left = kill_a_parent(folder, "unwatched")
    assert not any(is_gone(pid) for pid in left)
    postgres = PrivatePostgres(folder / "postgres", programs, durable=False)
    broker = PrivateBroker(folder / "broker", programs)
    try:
        postgres.start()
        broker.start()
        assert postgres.is_running()
        assert broker.is_running()
        wait_until(lambda: all(is_gone(pid) for pid in left))
    finally:
        broker.stop()
        postgres.stop()


STUBBORN = "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); print(1, flush=True); time.sleep(600)"


def test_watchdog_stops_in_stages_and_kills_what_does_not_listen() -> None:
    watchdog = Watchdog()
    options = {"stdout": subprocess.PIPE, "start_new_session": True}
    server = subprocess.Popen(["sleep", "600"], **options)
    service = subprocess.Popen([sys.executable, "-c", STUBBORN], **options)
    assert service.stdout.readline() == b"1\n"
    watchdog.watch(server.pid, stage=0)
    watchdog.watch(service.pid, stage=1, grace_s=0.2)
    watchdog.end_all()
    assert service.wait(PATIENCE_S) == -signal.SIGKILL
    assert server.wait(PATIENCE_S) == -signal.SIGTERM
    service.stdout.close()
    server.stdout.close()


def test_watchdog_leaves_alone_what_was_taken_off_its_list() -> None:
    watchdog = Watchdog()
    process = subprocess.Popen(["sleep", "600"], start_new_session=True)
    watchdog.watch(process.pid)
    watchdog.forget(process.pid)
    watchdog.end_all()
    assert process.poll() is None
    process.kill()
    process.wait()


def test_watchdog_ends_a_group_that_lost_its_leader() -> None:
    watchdog = Watchdog()
    script = "import os, subprocess; print(subprocess.Popen(['sleep', '600']).pid, flush=True); os._exit(0)"
    leader = subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE, start_new_session=True)
    watchdog.watch(leader.pid)
    assert leader.stdout is not None
    child = int(leader.stdout.readline())
    leader.wait()
    leader.stdout.close()
    watchdog.end_all()
    wait_until(lambda: is_gone(child))


def test_a_dead_watchdog_is_noticed() -> None:
    watchdog = Watchdog()
    psutil.Process(watchdog.pid).kill()
    wait_until(lambda: not watchdog.is_alive())
    with pytest.raises(WatchdogError, match="start the installation again"):
        watchdog.watch(os.getpid())
    watchdog.end_all()

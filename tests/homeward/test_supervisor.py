"""Are services kept running, given up with a sentence, and ended, grandchildren included?"""

import os
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from homeward.local.watchdog import Watchdog
from homeward.supervisor import ATTEMPTS, Service, SupervisionError, Supervisor
from tests.waiting import wait_until

WAITS = "import signal; signal.pause()"


@pytest.fixture
def said() -> list[str]:
    """What the supervisor told people."""
    return []


@pytest.fixture
def supervisor(tmp_path: Path, said: list[str]) -> Iterator[Supervisor]:
    """A supervisor that does not wait long before it starts something again."""
    watchdog = Watchdog()
    found = Supervisor(watchdog, tmp_path / "logs", said.append, first_pause_s=0.01)
    yield found
    found.stop_all()
    watchdog.end_all()


def python(name: str, program: str, stage: int = 1) -> Service:
    """Make a service of a few words of Python."""
    return Service(name, [sys.executable, "-S", "-c", program], dict(os.environ), stage)


def test_what_ends_is_started_again_and_said(supervisor: Supervisor, said: list[str]) -> None:
    supervisor.start(python("clock", WAITS))
    first = supervisor.pids["clock"]
    psutil.Process(first).kill()

    def is_another() -> bool:
        supervisor.look()
        return supervisor.pids["clock"] != first

    wait_until(is_another)
    assert said == ["The clock has ended (exit code -9); starting it again in 0.01 s."]


def test_what_keeps_ending_is_given_up_with_the_place_of_its_log(supervisor: Supervisor, said: list[str]) -> None:
    supervisor.start(python("ingest", "print('no broker'); raise SystemExit(3)"))
    with pytest.raises(SupervisionError) as given_up:
        supervisor.watch_over(threading.Event())
    assert str(given_up.value).startswith(f"The ingest has ended {ATTEMPTS} times in a row (exit code 3); see ")
    assert supervisor.log("ingest").read_text().count("no broker") == ATTEMPTS
    assert len(said) == ATTEMPTS - 1


def test_stopping_ends_grandchildren_and_what_does_not_listen(supervisor: Supervisor, tmp_path: Path) -> None:
    marker = tmp_path / "grandchild"
    program = (
        "import pathlib, signal, subprocess, sys; signal.signal(signal.SIGTERM, signal.SIG_IGN); "
        f"child = subprocess.Popen([sys.executable, '-S', '-c', {WAITS!r}]); "
        f"pathlib.Path({str(marker)!r}).write_text(str(child.pid)); signal.pause()"
    )
    supervisor.start(python("dashboard", program))
    child = psutil.Process(int(wait_until(lambda: marker.exists() and marker.read_text())))
    supervisor.stop("dashboard", grace_s=0.1)
    wait_until(lambda: not child.is_running() or child.status() == psutil.STATUS_ZOMBIE)
    assert supervisor.pids == {}


def test_one_that_does_not_get_ready_is_named(supervisor: Supervisor) -> None:
    supervisor.start(python("dashboard", WAITS))
    with pytest.raises(SupervisionError, match="did not get ready"):
        supervisor.await_ready("dashboard", lambda: False, 0.05)

"""How are an installation's services kept running, and ended with the process that started them?

Each is a process of its own in a session of its own, with its own log. One that ends is started again after a pause
that grows; one that keeps ending stops the whole installation with a sentence. The watchdog knows every one of them,
so that even a parent that is killed leaves none behind.
"""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from homeward.local.watchdog import Watchdog

Say = Callable[[str], None]
GRACE_S = 15.0
FIRST_PAUSE_S = 0.5
LONGEST_PAUSE_S = 8.0
# A service that has run this long is taken to be well: the next end is the first again.
WELL_AFTER_S = 60.0
ATTEMPTS = 5
_LOOK_S = 0.2


class SupervisionError(Exception):
    """A service does not run; the message says which, and where its log is."""


@dataclass(frozen=True)
class Service:
    """One program of the installation; services of a higher stage end first."""

    name: str
    command: Sequence[str]
    environment: Mapping[str, str]
    stage: int = 1


@dataclass
class _Running:
    service: Service
    process: subprocess.Popen[bytes]
    started: float
    ends: int = 0
    again_at: float | None = None


class Supervisor:
    """Starts services, starts them again, and stops them all."""

    def __init__(self, watchdog: Watchdog, logs: Path, say: Say, *, first_pause_s: float = FIRST_PAUSE_S) -> None:
        self._watchdog = watchdog
        self._logs = logs
        self._say = say
        self._first_pause_s = first_pause_s
        self._running: dict[str, _Running] = {}
        logs.mkdir(parents=True, exist_ok=True)

    def log(self, name: str) -> Path:
        """Where a service's output goes."""
        return self._logs / f"{name}.log"

    @property
    def pids(self) -> dict[str, int]:
        """The processes by service."""
        return {name: running.process.pid for name, running in self._running.items()}

    def start(self, service: Service) -> None:
        """Start a service and watch over it from now on."""
        self._running[service.name] = _Running(service, self._spawn(service), time.monotonic())

    def await_ready(self, name: str, is_ready: Callable[[], bool], timeout_s: float) -> None:
        """Wait until a service answers, looking after all of them meanwhile."""
        deadline = time.monotonic() + timeout_s
        while not is_ready():
            self.look()
            if time.monotonic() > deadline:
                raise SupervisionError(f"The {name} did not get ready within {timeout_s:.0f} s; see {self.log(name)}.")
            time.sleep(0.05)

    def watch_over(self, stop: threading.Event, until: float | None = None) -> None:
        """Look after the services until `stop` is set or the monotonic instant `until` has come."""
        while not stop.is_set():
            left = _LOOK_S if until is None else min(_LOOK_S, until - time.monotonic())
            if left <= 0:
                return
            stop.wait(left)
            self.look()

    def look(self) -> None:
        """Notice services that have ended, and start again those whose pause is over."""
        now = time.monotonic()
        for running in self._running.values():
            if running.again_at is None and running.process.poll() is not None:
                self._has_ended(running, now)
            elif running.again_at is not None and now >= running.again_at:
                running.process, running.started, running.again_at = self._spawn(running.service), now, None

    def stop(self, name: str, grace_s: float = GRACE_S) -> None:
        """Ask a service to end, wait for it, and kill it where it does not."""
        running = self._running.pop(name, None)
        if running is None or running.again_at is not None:
            return
        if running.process.poll() is None:
            running.process.send_signal(signal.SIGTERM)
            try:
                running.process.wait(grace_s)
            except subprocess.TimeoutExpired:
                self._say(f"The {name} did not end within {grace_s:.0f} s and is killed.")
        self._end_group(running.process)
        self._forget(running.process.pid)

    def stop_all(self) -> None:
        """End every service, those of a higher stage first."""
        for running in sorted(self._running.values(), key=lambda r: -r.service.stage):
            self.stop(running.service.name)

    def stop_stage(self, stage: int) -> None:
        """End the services of one stage."""
        for running in [r for r in self._running.values() if r.service.stage == stage]:
            self.stop(running.service.name)

    def _has_ended(self, running: _Running, now: float) -> None:
        name, code = running.service.name, running.process.returncode
        self._end_group(running.process)
        self._forget(running.process.pid)
        running.ends = running.ends + 1 if now - running.started < WELL_AFTER_S else 1
        if running.ends >= ATTEMPTS:
            raise SupervisionError(
                f"The {name} has ended {running.ends} times in a row (exit code {code}); see {self.log(name)}."
            )
        pause_s = min(self._first_pause_s * 2 ** (running.ends - 1), LONGEST_PAUSE_S)
        running.again_at = now + pause_s
        self._say(f"The {name} has ended (exit code {code}); starting it again in {pause_s:g} s.")

    def _spawn(self, service: Service) -> subprocess.Popen[bytes]:
        with self.log(service.name).open("ab") as log:
            process = subprocess.Popen(
                list(service.command),
                env=dict(service.environment),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        self._watchdog.watch(process.pid, stage=service.stage, grace_s=GRACE_S)
        return process

    def _end_group(self, process: subprocess.Popen[bytes]) -> None:
        """Kill what is left of a service's session, itself included."""
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()

    def _forget(self, pid: int) -> None:
        if self._watchdog.is_alive():
            self._watchdog.forget(pid)

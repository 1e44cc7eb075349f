"""Who ends an installation's processes when the process that started them is killed?

A small process in a session of its own holds one end of a pipe from its parent. When the pipe closes, the parent has
ended in whatever way, and the watchdog stops everything registered with it, in stages. PR_SET_PDEATHSIG alone would not
do: it is lost when a child changes its account, it does not reach grandchildren, and it fires when the *thread* that
started the child ends. Only the standard library is used, so that the watchdog starts in a few milliseconds.
"""

import contextlib
import os
import select
import signal
import subprocess
import sys
import time
from dataclasses import dataclass

POLL_S = 0.5
ENDED = "The watchdog has ended, so nothing would stop this installation's processes; start the installation again."


class WatchdogError(Exception):
    """The watchdog is gone; the sentence says what to do."""


@dataclass(frozen=True)
class Watched:
    """A process to stop, how, and in which stage: higher stages stop first, so services go before their servers."""

    pid: int
    stop_signal: int
    stage: int
    grace_s: float
    group: bool

    def line(self) -> str:
        """Return the words with which the parent registers this process."""
        return f"watch {self.pid} {self.stop_signal} {self.stage} {self.grace_s} {int(self.group)}\n"


class Watchdog:
    """The parent's end: register processes, end all of them, or leave it to the watchdog when the parent is killed."""

    def __init__(self) -> None:
        # -I -S: neither the environment nor site-packages can delay it or make it fail.
        self._process = subprocess.Popen(
            [sys.executable, "-I", "-S", __file__], stdin=subprocess.PIPE, start_new_session=True, close_fds=True
        )

    @property
    def pid(self) -> int:
        """The watchdog's own process."""
        return self._process.pid

    def watch(
        self,
        pid: int,
        *,
        stop_signal: int = signal.SIGTERM,
        stage: int = 1,
        grace_s: float = 5.0,
        group: bool = True,
    ) -> None:
        """Register a process; `group` extends the signals to its process group, which must be its own."""
        self._tell(Watched(pid, int(stop_signal), stage, grace_s, group).line())

    def forget(self, pid: int) -> None:
        """Take a process off the list that the parent has stopped itself, before its number is used again."""
        self._tell(f"forget {pid}\n")

    def end_all(self, timeout_s: float = 30.0) -> None:
        """Stop everything that is registered, in stages, and the watchdog; returns when all of it is gone."""
        if self._process.stdin is not None:
            with contextlib.suppress(BrokenPipeError):
                self._process.stdin.close()
        self._process.wait(timeout_s)

    def is_alive(self) -> bool:
        """Tell whether the watchdog is there to stop anything."""
        return self._process.poll() is None

    def _tell(self, line: str) -> None:
        if self._process.stdin is None or self._process.stdin.closed or not self.is_alive():
            raise WatchdogError(ENDED)
        try:
            self._process.stdin.write(line.encode())
            self._process.stdin.flush()
        except BrokenPipeError as gone:
            raise WatchdogError(ENDED) from gone


def is_gone(pid: int) -> bool:
    """Tell whether a process has ended; one that only waits for its parent to collect it has."""
    try:
        with open(f"/proc/{pid}/stat", "rb") as stat:
            return stat.read().rpartition(b")")[2].split()[0] in b"ZX"
    except (FileNotFoundError, ProcessLookupError):
        return True


def _send(process: Watched, signal_number: int) -> None:
    with contextlib.suppress(ProcessLookupError, PermissionError):
        if process.group:
            os.killpg(process.pid, signal_number)
        else:
            os.kill(process.pid, signal_number)


def _end_stage(processes: list[Watched]) -> None:
    """Ask, wait as long as each may take, then kill."""
    for process in processes:
        _send(process, process.stop_signal)
    started = time.monotonic()
    waiting = list(processes)
    while waiting:
        waiting = [process for process in waiting if not is_gone(process.pid)]
        for process in waiting:
            if time.monotonic() - started > process.grace_s:
                _send(process, signal.SIGKILL)
        time.sleep(0.02 if waiting else 0)
    for process in processes:
        if process.group:  # what outlived the leader of its group
            _send(process, signal.SIGKILL)


def _serve() -> None:
    """The watchdog's end: keep the list until the parent is gone, then stop everything on it."""
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    parent = os.getppid()
    watched: dict[int, Watched] = {}
    rest = b""
    # A copy of the pipe in a forked sibling would keep it open: a new parent tells the same thing.
    while os.getppid() == parent:
        if not select.select([0], [], [], POLL_S)[0]:
            continue
        chunk = os.read(0, 65536)
        if not chunk:
            break
        *lines, rest = (rest + chunk).split(b"\n")
        for line in lines:
            word, pid, *how = line.split()
            if word == b"watch":
                stop_signal, stop_stage, grace_s, group = how
                watched[int(pid)] = Watched(int(pid), int(stop_signal), int(stop_stage), float(grace_s), group == b"1")
            else:
                watched.pop(int(pid), None)
    for stage in sorted({process.stage for process in watched.values()}, reverse=True):
        # A group may outlive its leader; a single process that is gone is not signalled, its number may be another's.
        due = [process for process in watched.values() if process.stage == stage]
        _end_stage([process for process in due if process.group or not is_gone(process.pid)])


if __name__ == "__main__":
    _serve()

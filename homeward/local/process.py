"""How is a private server's process started once, found again, and ended?

A server may outlive the process that started it (killed, or its machine's power cut). Its folder holds a lock that the
kernel releases with the parent, and the server's number: a start that gets the lock may end what is left.
"""

import contextlib
import fcntl
import os
import secrets
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import IO

import psutil

from homeward.local.account import Account
from homeward.local.errors import SetupError

# The machine's own library path and locale would mislead programs that bring their own libraries.
ENVIRONMENT = {"PATH": "/usr/bin:/bin", "LC_ALL": "C", "TZ": "UTC"}
HOST = "127.0.0.1"


class FolderLock:
    """The right to run the server of one folder, held until it is released or this process ends."""

    def __init__(self, folder: Path) -> None:
        self._path = folder / "lock"
        self._file: IO[str] | None = None

    def acquire(self) -> None:
        """Take the lock, or say who has it."""
        file = self._path.open("a+")
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as taken:
            file.seek(0)
            holder = file.read().strip() or "unknown"
            file.close()
            raise SetupError(
                f"{self._path.parent} is in use by process {holder}; stop it, or set HOMEWARD_HOME to another folder."
            ) from taken
        file.truncate(0)
        file.write(str(os.getpid()))
        file.flush()
        self._file = file

    def release(self) -> None:
        """Give the lock back."""
        if self._file is not None:
            self._file.close()
            self._file = None


BELOW_OUTGOING = range(20_000, 32_000)
PORTS_TRIED = 50


def free_port(preferred: int | None = None, host: str = HOST) -> int:
    """Return the preferred port where it is free, else any other.

    Below the ports that Linux gives to outgoing connections, so that none of these takes it before the server does.
    """
    others = secrets.SystemRandom().sample(BELOW_OUTGOING, PORTS_TRIED)
    for port in (*([] if preferred is None else [preferred]), *others, 0):
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            with contextlib.suppress(OSError):
                probe.bind((host, port))
                return int(probe.getsockname()[1])
    raise SetupError(f"No free port on {host}; stop some of the programs that listen there.")


def spawn(command: Sequence[str | Path], account: Account, log: Path, folder: Path) -> subprocess.Popen[bytes]:
    """Start a server as its account, logging to a file; in a session of its own, as Ctrl-C is for the parent."""
    options: dict[str, object] = {"cwd": folder, "env": ENVIRONMENT, "start_new_session": True, "umask": 0o077}
    with log.open("ab") as out:
        if account.changes:
            os.chown(log, account.user_id, account.group_id)
        return subprocess.Popen(  # type: ignore[call-overload,no-any-return]
            list(command), stdin=subprocess.DEVNULL, stdout=out, stderr=out, **options, **account.spawn_options()
        )


def run_to_end(command: Sequence[str | Path], account: Account, folder: Path) -> None:
    """Run a program that prepares something, and say what it complained about if it failed."""
    done = subprocess.run(  # type: ignore[call-overload]
        list(command),
        cwd=folder,
        env=ENVIRONMENT,
        capture_output=True,
        text=True,
        check=False,
        **account.spawn_options(),
    )
    if done.returncode:
        lines = [line for line in (done.stderr or done.stdout).splitlines() if "error" in line.lower()]
        complaint = (lines or (done.stderr or done.stdout).splitlines() or [f"exit code {done.returncode}"])[0]
        raise SetupError(f"{Path(command[0]).name} failed in {folder}: {complaint.strip()}")


def wait_until(condition: Callable[[], bool], process: subprocess.Popen[bytes], timeout_s: float) -> bool:
    """Wait until a server answers; False when it ended or took too long."""
    deadline = time.monotonic() + timeout_s
    pause_s = 0.01
    while time.monotonic() < deadline:
        if condition():
            return True
        if process.poll() is not None:
            return False
        time.sleep(pause_s)
        pause_s = min(pause_s * 1.5, 0.1)
    return False


def stop(process: subprocess.Popen[bytes], signals: Sequence[int], grace_s: float) -> None:
    """Send one signal after the other until the process has ended."""
    for number in (*signals, signal.SIGKILL):
        if process.poll() is None:
            process.send_signal(number)
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(grace_s)


def end_left_over(program: str, marker: Path, signals: Sequence[int], grace_s: float) -> None:
    """End the server whose command line names `marker`: an earlier parent was killed and left it behind."""
    for candidate in find(program, marker):
        with contextlib.suppress(psutil.Error):
            _end_stranger(candidate, signals, grace_s)


def find(program: str, marker: Path) -> list[psutil.Process]:
    """Find the servers whose command line names `marker`, whoever started them."""
    found = []
    for candidate in psutil.process_iter():
        with contextlib.suppress(psutil.Error):
            if candidate.name() == program and str(marker) in candidate.cmdline()[1:]:
                found.append(candidate)
    return found


def _end_stranger(candidate: psutil.Process, signals: Sequence[int], grace_s: float) -> None:
    for number in (*signals, signal.SIGKILL):
        candidate.send_signal(number)
        with contextlib.suppress(psutil.TimeoutExpired):
            candidate.wait(grace_s)
            return


def last_words(complaint: str) -> str:
    """Return the line of a server's log that says why it ended."""
    lines = complaint.splitlines()[-40:]
    telling = [line for line in lines if any(word in line for word in ("FATAL", "PANIC", "Error", "error"))]
    return (telling or lines or ["its log is empty"])[-1].strip()

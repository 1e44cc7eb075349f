"""What do the private PostgreSQL and the private Mosquitto have in common?

Each lives in one folder: a lock held by the process that runs it, a secret from which its passwords follow, the port
of its last start, and a log. Each is started on a free port, awaited, registered with the watchdog, and ended.
"""

import base64
import hashlib
import hmac
import secrets
import shutil
import subprocess
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from homeward.local import process
from homeward.local.account import Account, service_account
from homeward.local.errors import SetupError
from homeward.local.watchdog import Watchdog

ATTEMPTS = 3
SPACE_NEEDED = 256 * 2**20
LARGEST_LOG = 16 * 2**20


@dataclass(frozen=True)
class Manner:
    """How a server is started and ended: how long it may take, and which signals end it, the mildest first."""

    name: str
    program: str
    stop_signals: tuple[int, ...]
    start_timeout_s: float
    stop_grace_s: float


class ServerFolder:
    """One server's folder, lock, secret, port, log and process."""

    def __init__(self, path: Path, manner: Manner) -> None:
        self.path = path.absolute()
        self.account: Account = service_account()
        self.log = self.path / "server.log"
        self._manner = manner
        self._lock = process.FolderLock(self.path)
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def pid(self) -> int | None:
        """The server's process, where this process started it."""
        return self._process.pid if self._process is not None else None

    @property
    def port(self) -> int:
        """The port of the present or last start."""
        try:
            return int((self.path / "port").read_text())
        except OSError as failed:
            raise SetupError(
                f"{self.path} cannot be read ({failed.strerror}); start the installation first."
            ) from failed

    def password(self, account: str) -> str:
        """Derive an account's password from the folder's secret, so that one file is all there is to keep."""
        try:
            secret = (self.path / "secret").read_bytes()
        except OSError as failed:
            raise SetupError(
                f"{self.path} cannot be read ({failed.strerror}); start the installation first."
            ) from failed
        return base64.urlsafe_b64encode(hmac.digest(secret, account.encode(), hashlib.sha256)).decode().rstrip("=")

    def open(self, marker: Path) -> None:
        """Make the folder, take its lock, and end a server of it that a killed parent left behind."""
        self.account.make_folder(self.path)
        free = shutil.disk_usage(self.path).free
        if free < SPACE_NEEDED:
            raise SetupError(
                f"{self.path} has {free // 2**20} MB free and {self._manner.name} needs {SPACE_NEEDED // 2**20} MB to "
                "start; make room, or set HOMEWARD_HOME to a folder on another disk."
            )
        self._lock.acquire()
        process.end_left_over(self._manner.program, marker, self._manner.stop_signals, self._manner.stop_grace_s)
        if not (self.path / "secret").exists():
            self.account.write_secret(self.path / "secret", secrets.token_urlsafe(32))

    def launch(
        self,
        command: Sequence[str | Path],
        configure: Callable[[int], None],
        answers: Callable[[], bool],
        watchdog: Watchdog | None,
    ) -> None:
        """Start the server on its last port, or on another where that is taken, and wait until it answers."""
        if self.log.exists() and self.log.stat().st_size > LARGEST_LOG:
            self.log.replace(self.log.with_suffix(".log.1"))
        for _ in range(ATTEMPTS):
            port = process.free_port(self.port if (self.path / "port").exists() else None)
            self.account.write_secret(self.path / "port", str(port))
            configure(port)
            begun = self.log.stat().st_size if self.log.exists() else 0
            self._process = process.spawn(command, self.account, self.log, self.path)
            if watchdog is not None:
                watchdog.watch(
                    self._process.pid,
                    stop_signal=self._manner.stop_signals[0],
                    stage=0,
                    grace_s=self._manner.stop_grace_s,
                    group=False,
                )
            if process.wait_until(answers, self._process, self._manner.start_timeout_s):
                return
            self._end(watchdog)
            complaint = self.log.read_bytes()[begun:].decode(errors="replace")
            # Another program may have taken the port since it was found free.
            if "Address already in use" not in complaint:
                break
            (self.path / "port").unlink()
        words = process.last_words(complaint)
        raise SetupError(f"{self._manner.name} did not start: {words} (log: {self.log}).")

    def close(self, watchdog: Watchdog | None) -> None:
        """End the server, waiting for it, and give the lock back."""
        self._end(watchdog)
        self._lock.release()

    def _end(self, watchdog: Watchdog | None) -> None:
        if self._process is not None:
            process.stop(self._process, self._manner.stop_signals, self._manner.stop_grace_s)
            if watchdog is not None and watchdog.is_alive():
                watchdog.forget(self._process.pid)
            self._process = None

"""How do the tests start `homeward` as its user does, and see what it leaves behind?"""

import json
import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil

from tests.waiting import PATIENCE_S


def environment(home: Path, **settings: str) -> dict[str, str]:
    """Give the environment of a command for one installation, with a free port."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("HOMEWARD_")}
    return {**kept, "HOMEWARD_HOME": str(home), "HOMEWARD_HTTP": "127.0.0.1:0", **settings}


def homeward(home: Path, *words: str, given: str = "", **settings: str) -> subprocess.CompletedProcess[str]:
    """Run a command to its end."""
    return subprocess.run(
        [sys.executable, "-m", "homeward", *words],
        env=environment(home, **settings),
        input=given,
        capture_output=True,
        text=True,
        check=False,
        timeout=PATIENCE_S,
    )


def answer(done: subprocess.CompletedProcess[str]) -> Any:
    """Give what a command with --json reported."""
    assert done.returncode == 0, done.stderr
    [line] = done.stdout.splitlines()
    return json.loads(line)


@contextmanager
def home_folder() -> Iterator[Path]:
    """A data folder that the servers' account can reach, and nothing of it left running afterwards."""
    with tempfile.TemporaryDirectory(prefix="homeward-test-") as name:
        Path(name).chmod(0o755)
        try:
            yield Path(name) / "home"
        finally:
            for left in processes_of(Path(name)):
                left.kill()


def processes_of(home: Path) -> list[psutil.Process]:
    """Find every process whose command line or environment names the data folder, this one's parents excepted."""
    found = []
    for process in psutil.process_iter():
        try:
            words = [*process.cmdline(), *process.environ().values()]
            gone = process.status() == psutil.STATUS_ZOMBIE
        except psutil.Error:
            continue
        if not gone and process.pid != os.getpid() and any(str(home) in word for word in words):
            found.append(process)
    return found


def service(home: Path, name: str) -> psutil.Process | None:
    """Find the process of one service of an installation."""
    found = [p for p in processes_of(home) if p.cmdline()[-2:] == ["homeward", name]]
    return found[0] if found else None


@dataclass
class Running:
    """A `homeward demo` or `homeward up` that is ready."""

    home: Path
    process: subprocess.Popen[str]
    ready: dict[str, Any]

    def end(self, number: int = signal.SIGINT) -> tuple[int, dict[str, Any]]:
        """Send it a signal, and give its exit code and last line."""
        self.process.send_signal(number)
        out, _ = self.process.communicate(timeout=PATIENCE_S)
        [line] = out.splitlines()
        return self.process.returncode, json.loads(line)


@contextmanager
def running(home: Path, *words: str) -> Iterator[Running]:
    """Start an installation and wait for its first line; it is ended on leaving, whatever happens."""
    process = subprocess.Popen(
        [sys.executable, "-m", "homeward", *words, "--json"],
        env=environment(home),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    try:
        assert process.stdout is not None
        line = process.stdout.readline()
        assert line, process.communicate()[1]
        yield Running(home, process, json.loads(line))
    finally:
        if process.poll() is None:
            process.terminate()
            process.communicate(timeout=PATIENCE_S)

"""A notifier in a process of its own, for tests that kill it: `python -m tests.homeward.notify.worker`.

What it needs is in the environment: TEST_DATABASE_URL, TEST_SMTP_URL, TEST_HOME.
"""

from __future__ import annotations

import os
import signal
import threading
from pathlib import Path

from homeward.notify import service
from homeward.notify.ways import Outside


def main() -> None:
    """Run until a signal to end; print a line when ready."""
    stop = threading.Event()
    signal.signal(signal.SIGTERM, lambda *_: stop.set())
    outside = Outside("https://homeward.trust.example", os.environ["TEST_SMTP_URL"])
    service.run(
        os.environ["TEST_DATABASE_URL"],
        outside,
        Path(os.environ["TEST_HOME"]),
        stop,
        lambda: print("ready", flush=True),
    )


if __name__ == "__main__":
    main()

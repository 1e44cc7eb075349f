"""An ingest worker or a clock in a process of its own, for tests that kill it: `python -m tests.ingest.worker ingest`.

What it needs is in the environment: TEST_DATABASE_URL, TEST_MQTT_URL, TEST_MQTT_USER, TEST_MQTT_PASSWORD.
"""

from __future__ import annotations

import os
import signal
import sys
import threading

from ingest import clock, service


def main() -> None:
    """Run until a signal to end; print a line when ready."""
    stop = threading.Event()
    signal.signal(signal.SIGTERM, lambda *_: stop.set())
    database_url = os.environ["TEST_DATABASE_URL"]

    def ready() -> None:
        print("ready", flush=True)

    if sys.argv[1] == "clock":
        clock.run(database_url, stop, ready)
        return
    service.run(
        database_url,
        os.environ["TEST_MQTT_URL"],
        os.environ["TEST_MQTT_USER"],
        os.environ["TEST_MQTT_PASSWORD"],
        stop,
        ready,
    )


if __name__ == "__main__":
    main()

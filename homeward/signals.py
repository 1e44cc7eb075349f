"""How does a program end in order when it is told to: by Ctrl-C, by another program, or by its terminal closing?"""

from __future__ import annotations

import signal
import threading
from types import FrameType

SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


class StopSignal:
    """An event that the signals set.

    Until `be_patient` is called, the first one also interrupts what is being done: setting up takes long and has
    nothing to finish. A second signal changes nothing: stopping is under way, and takes seconds.
    """

    def __init__(self) -> None:
        self.event = threading.Event()
        self.number = 0
        self._interrupts = True
        for number in SIGNALS:
            signal.signal(number, self._on_signal)

    def be_patient(self) -> None:
        """From now on somebody looks at the event: do not interrupt."""
        self._interrupts = False

    def _on_signal(self, number: int, _frame: FrameType | None) -> None:
        if self.event.is_set():
            return
        self.number = number
        self.event.set()
        if self._interrupts:
            raise KeyboardInterrupt


def service_stop() -> threading.Event:
    """Give the event that tells a service to end."""
    stop = StopSignal()
    stop.be_patient()
    return stop.event

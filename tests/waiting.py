"""How long do the tests wait for what must come about, on a machine that may be busy, and what if it does not?"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from functools import partial
from typing import Any

import httpx

PATIENCE_S = 180.0
# of itself httpx gives a server five seconds
get = partial(httpx.get, timeout=PATIENCE_S)
post = partial(httpx.post, timeout=PATIENCE_S)


def wait_until(condition: Callable[[], Any], what: str = "what was waited for", timeout_s: float = PATIENCE_S) -> Any:
    """Wait for a condition to hold, and give what it gave."""
    end, pause = time.monotonic() + timeout_s, threading.Event()
    while not (found := condition()):
        assert time.monotonic() < end, f"not within {timeout_s:.0f} s: {what}"
        pause.wait(0.03)
    return found

"""Has this address failed to sign in too often just now?

The database locks an account after repeated failures wherever they come from. This guards the process: one address
cannot try many passwords or many accounts in a row, nor keep the cores busy with hashing. Each process counts for
itself, which can only make the limit looser by the number of processes.
"""

from __future__ import annotations

import ipaddress
import time
from collections import OrderedDict, deque
from collections.abc import Callable

WINDOW_S = 300.0
FAILURES_OF_ACCOUNT = 10
# A hospital's people share one address, and only failures count.
FAILURES_OF_ADDRESS = 60
_REMEMBERED = 10_000


class Throttle:
    """Failures of the last minutes, by account and address and by address alone."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._failures: OrderedDict[tuple[str, str], deque[float]] = OrderedDict()

    def wait_s(self, sign_in: str, address: str) -> float:
        """Say how many seconds must pass before another attempt; 0 where it may be made now."""
        network = _network(address)
        return max(
            self._wait((sign_in.lower(), network), FAILURES_OF_ACCOUNT), self._wait(("", network), FAILURES_OF_ADDRESS)
        )

    def failed(self, sign_in: str, address: str) -> None:
        """Count a failure."""
        network = _network(address)
        for key in ((sign_in.lower(), network), ("", network)):
            self._failures.setdefault(key, deque(maxlen=FAILURES_OF_ADDRESS)).append(self._clock())
            self._failures.move_to_end(key)
        while len(self._failures) > _REMEMBERED:
            self._failures.popitem(last=False)

    def succeeded(self, sign_in: str, address: str) -> None:
        """Forget the failures of an account at an address, whose person has found the password."""
        self._failures.pop((sign_in.lower(), _network(address)), None)

    def _wait(self, key: tuple[str, str], allowed: int) -> float:
        failures = self._failures.get(key)
        if failures is None:
            return 0.0
        now = self._clock()
        while failures and failures[0] <= now - WINDOW_S:
            failures.popleft()
        if not failures:
            del self._failures[key]
        return failures[-allowed] + WINDOW_S - now if len(failures) >= allowed else 0.0


def _network(address: str) -> str:
    """Take an IPv6 address by its /64, which one household or machine has to itself."""
    try:
        parsed = ipaddress.ip_address(address)
    except ValueError:
        return address
    return str(ipaddress.ip_network(f"{parsed}/64", strict=False)) if parsed.version == 6 else address

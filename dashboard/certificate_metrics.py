"""How does whoever watches over the installation hear in time that a certificate ends?

Of each kind of holder the first end is a number of `/metrics`; which one it is, the page System says. Reading all
certificates may take seconds, so it is done now and then and not at each scrape.
"""

from __future__ import annotations

import asyncio
import math
import time

from prometheus_client import CollectorRegistry, Gauge

from dashboard.device_acts import BrokerError, Logins
from schemas.certificates import Holder

_EVERY_S, _PATIENCE_S = 600.0, 2.0


class CertificateEnds:
    """The number, for one process; none of a kind that there is not, or that cannot be looked at."""

    def __init__(self, logins: Logins | None, registry: CollectorRegistry) -> None:
        self._logins, self._due = logins, -math.inf
        self._reading: asyncio.Task[None] | None = None
        self._ends = Gauge(
            "homeward_certificate_ends_timestamp_seconds",
            "When the first certificate of a kind of holder ends.",
            ["holder"],
            registry=registry,
        )

    async def look(self) -> None:
        """Read the certificates where it is time to; what takes longer is there at the next scrape."""
        if self._logins is None:
            return
        if time.monotonic() >= self._due:
            self._due = time.monotonic() + _EVERY_S
            self._reading = asyncio.create_task(self._read(self._logins))
        if self._reading is not None and not self._reading.done():
            await asyncio.wait({self._reading}, timeout=_PATIENCE_S)

    async def _read(self, logins: Logins) -> None:
        try:
            found = await asyncio.to_thread(logins.certificates)
        except BrokerError:
            found = []
        self._ends.clear()
        for holder in Holder:
            ends = [one.ends.timestamp() for one in found if one.holder is holder]
            if ends:
                self._ends.labels(holder.value).set(min(ends))

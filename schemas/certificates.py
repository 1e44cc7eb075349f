"""Which certificate is whose, and until when does it hold?"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

ENDS_SOON = timedelta(days=30)
"""From here on it is time to see to another one."""


class Holder(StrEnum):
    """What a certificate vouches for."""

    AUTHORITY = "authority"
    BROKER = "broker"
    PAGES = "pages"
    DEVICE = "device"


@dataclass(frozen=True)
class Certificate:
    """One certificate in use; ``name`` is a device's code, or the address at which it is shown."""

    holder: Holder
    name: str
    ends: datetime

    def days_left(self, now: datetime) -> int:
        """Give the whole days until its end; less than zero where it is past."""
        return (self.ends - now).days

    def ends_soon(self, now: datetime) -> bool:
        """Say whether it is time to see to another one."""
        return self.ends - now < ENDS_SOON

"""Is the first end of each kind of certificate a number of the metrics, read once in a while and never in the way?"""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from prometheus_client import CollectorRegistry, generate_latest

from dashboard.certificate_metrics import CertificateEnds
from dashboard.device_acts import BrokerError
from schemas.certificates import Certificate, Holder

pytestmark = pytest.mark.pure
SOON = datetime(2027, 1, 1, tzinfo=UTC)
NAME = "homeward_certificate_ends_timestamp_seconds"


class Shown:
    """What would give devices their logins, and says which certificates there are."""

    def __init__(self, *found: Certificate, fails: bool = False) -> None:
        self.found, self.fails, self.asked = list(found), fails, 0

    def certificates(self) -> list[Certificate]:
        """List them."""
        self.asked += 1
        if self.fails:
            raise BrokerError("No broker answers.")
        return self.found

    def give(self, *_words: Any, **_more: Any) -> Any:
        """Give none."""
        raise AssertionError

    def take(self, code: str, hubs: Any) -> None:
        """Take none."""
        raise AssertionError


def scraped(shown: Shown | None) -> list[str]:
    """What two scrapes in a row say of certificates, the second."""
    registry = CollectorRegistry()
    ends = CertificateEnds(shown, registry)

    async def twice() -> None:
        await asyncio.gather(ends.look(), ends.look())

    asyncio.run(twice())
    return [line for line in generate_latest(registry).decode().splitlines() if line.startswith(NAME)]


def test_the_first_of_each_kind_is_told_and_no_device_is_named() -> None:
    shown = Shown(
        Certificate(Holder.BROKER, "127.0.0.1:8883", SOON + timedelta(days=9)),
        Certificate(Holder.DEVICE, "cuff-7", SOON + timedelta(days=1)),
        Certificate(Holder.DEVICE, "cuff-8", SOON),
    )
    lines = scraped(shown)
    assert {line.split("{")[1].split("}")[0]: float(line.split()[-1]) for line in lines} == {
        'holder="broker"': (SOON + timedelta(days=9)).timestamp(),
        'holder="device"': SOON.timestamp(),
    }
    assert shown.asked == 1


@pytest.mark.parametrize("shown", [None, Shown(fails=True), Shown()])
def test_where_there_is_none_or_nobody_knows_there_is_no_number(shown: Shown | None) -> None:
    assert scraped(shown) == []

"""What waits in a demonstration's quarantine, so that the page shows what it is for?

Messages such as real devices send, each with one thing wrong that somebody can find out and mend: an oximeter that was
handed out without saying to whom, one that the hub speaks for and nobody has registered, a clock that runs ahead, a
value that no finger gives, a unit that a new firmware writes. They go through the same admission and the same writer as
every message; nothing is put into quarantine by hand.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from psycopg_pool import ConnectionPool

from ingest.admission import Incoming, admit
from ingest.registry import RegistryKeeper
from ingest.writer import write_batch
from schemas.topic import topic_of

SPARE = "oximeter-spare-1"
"""A device at the first site that is nobody's; the demonstration registers it."""
UNKNOWN = "oximeter-of-the-shop-4711"


def messages(hub: str, codes: Sequence[str], now: int) -> list[Incoming]:
    """Write them, as if they had come in the hours before `now` [µs since 1970 UTC].

    Parameters
    ----------
    hub : str
        The code of the hub that speaks for the devices.
    codes : sequence of str
        The devices of the demonstration's people.
    now : int
    """
    oximeter, cuff, thermometer = (_first(codes, kind) for kind in ("oximeter", "cuff", "thermometer"))
    told: list[tuple[str | None, float, float, dict[str, Any]]] = [
        (SPARE, 20.0, 0.0, {"spo2": 96, "pulse": 71}),
        (SPARE, 16.0, 0.0, {"spo2": 95, "pulse": 74}),
        (SPARE, 4.0, 0.0, {"spo2": 97, "pulse": 69}),
        (UNKNOWN, 3.0, 0.0, {"spo2": 98, "pulse": 80}),
        (oximeter, 2.5, 0.0, {"spo2": 379}),
        (cuff, 1.5, 3.0, {"bp_systolic": 138, "bp_diastolic": 81}),
        (thermometer, 1.0, 0.0, {"temperature": {"value": 36.9, "unit": "degC"}}),
    ]
    return [_message(hub, code, now, before, ahead, values) for code, before, ahead, values in told if code]


def put(pool: ConnectionPool, hub: str, codes: Sequence[str], now: int) -> None:
    """Have them taken in by the writer, as the role of ingest."""
    with pool.connection() as connection:
        write_batch(connection, admit(messages(hub, codes, now), RegistryKeeper(pool)), now)


def _first(codes: Sequence[str], kind: str) -> str | None:
    return next((code for code in sorted(codes) if code.endswith(kind)), None)


def _message(
    hub: str, code: str, now: int, hours_before: float, hours_ahead: float, values: dict[str, Any]
) -> Incoming:
    received = now - round(hours_before * 3_600_000_000)
    observed = datetime.fromtimestamp(received / 1_000_000, UTC) + timedelta(hours=hours_ahead, seconds=-2)
    payload = {"device": code, "time": observed.isoformat(timespec="seconds"), "values": values}
    return Incoming.from_topic(topic_of(hub), json.dumps(payload).encode(), received)

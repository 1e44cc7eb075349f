"""How much has the installation done, in numbers for Prometheus?

Every service writes what it has counted into its row of ``service_instance``; ``/metrics`` of any dashboard adds the
rows up, so one address tells of all. Nothing here names a patient, a person or a device.
"""

from __future__ import annotations

import re
import time
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from itertools import accumulate
from typing import Any

from prometheus_client import CollectorRegistry, Gauge, Histogram, generate_latest
from prometheus_client import Counter as CounterMetric
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily, Metric
from prometheus_client.exposition import CONTENT_TYPE_PLAIN_0_0_4
from psycopg_pool import AsyncConnectionPool
from starlette.types import ASGIApp, Message, Receive, Scope, Send

CONTENT_TYPE = CONTENT_TYPE_PLAIN_0_0_4
# A service says that it is there every few seconds; one that has not for this long is not.
LIVE_S = 30
# What the services call how things stand now: what an ended process said of that is over, and it is no count.
STANDINGS = frozenset({"lanes", "lanes_connected", "queue", "messages_waiting", "messages_oldest_s"})
LABELS = {
    "quarantined": "reason",
    "episodes_activated": "severity",
    "messages_delivered": "way",
    "messages_failed": "way",
}
HISTOGRAM = "_up_to_s"
_NOT_IN_A_NAME = re.compile(r"[^a-z0-9_]+")


@dataclass(frozen=True)
class Instance:
    """A running or former process of a service, and what it has counted."""

    service: str
    counters: dict[str, Any]
    silent_s: float

    @property
    def is_live(self) -> bool:
        """Say whether it was heard of lately."""
        return self.silent_s <= LIVE_S


async def instances(pool: AsyncConnectionPool) -> list[Instance]:
    """Read every process's row; those that have ended as well, since a count must not fall when a process ends."""
    async with pool.connection() as connection:
        cursor = await connection.execute(
            "select service, counters, extract(epoch from now() - seen_at)::float8 from service_instance"
        )
        return [Instance(*row) for row in await cursor.fetchall()]


def families(found: Iterable[Instance]) -> Iterator[Metric]:
    """Add the processes of each service up: ``homeward_ingest_observations_stored_total`` and its like."""
    live: dict[str, int] = defaultdict(int)
    silent: dict[str, float] = {}
    sums: dict[tuple[str, str], Counter[str]] = defaultdict(Counter)
    for instance in found:
        live[instance.service] += instance.is_live
        silent[instance.service] = min(instance.silent_s, silent.get(instance.service, instance.silent_s))
        for name, value in instance.counters.items():
            if isinstance(value, list):
                continue  # words, such as the ways that a notifier has
            if instance.is_live or name not in STANDINGS:
                sums[instance.service, name].update(_by_kind(value))
    yield _gauge("homeward_instances", "Processes of a service heard of lately.", live)
    yield _gauge("homeward_silence_seconds", "Time since a process of the service was last heard of.", silent)
    for (service, name), by_kind in sorted(sums.items()):
        yield _family(f"homeward_{_metric_name(service)}_", name, by_kind)


def _by_kind(value: Any) -> dict[str, float]:
    given = value if isinstance(value, dict) else {"": value}
    return {str(kind): n for kind, n in given.items() if isinstance(n, int | float) and not isinstance(n, bool)}


def _family(prefix: str, name: str, by_kind: Mapping[str, float]) -> Metric:
    if name.endswith(HISTOGRAM):
        return _histogram(f"{prefix}{_metric_name(name.removesuffix(HISTOGRAM))}_seconds", by_kind)
    if name in STANDINGS:
        return GaugeMetricFamily(
            prefix + _metric_name(name), "How it is now, over all processes.", sum(by_kind.values())
        )
    labels = [LABELS.get(name, "kind")] if set(by_kind) - {""} or name in LABELS else []
    family = CounterMetricFamily(prefix + _metric_name(name), "Counted by the service.", labels=labels)
    for kind, value in sorted(by_kind.items()):
        family.add_metric([kind] if labels else [], value)
    return family


def _histogram(name: str, by_edge: Mapping[str, float]) -> HistogramMetricFamily:
    """Write how many fell between each edge and the one before it as Prometheus wants it: how many up to the edge."""
    edges = sorted((e for e in by_edge if e != "more"), key=float)
    counts = accumulate(by_edge[edge] for edge in [*edges, *(["more"] if "more" in by_edge else [])])
    buckets = list(zip([*edges, "+Inf"], counts, strict=False))
    family = HistogramMetricFamily(name, "How many took up to so long.")
    family.add_metric([], buckets, sum_value=None)
    return family


def _gauge(name: str, text: str, by_service: dict[str, Any]) -> GaugeMetricFamily:
    family = GaugeMetricFamily(name, text, labels=["service"])
    for service, value in sorted(by_service.items()):
        family.add_metric([service], float(value))
    return family


def _metric_name(name: str) -> str:
    return _NOT_IN_A_NAME.sub("_", name.lower()).strip("_").removesuffix("_total") or "unnamed"


class RequestMetrics:
    """What this process has served."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self.requests = CounterMetric(
            "homeward_http_requests", "Requests by route and status.", ["route", "status"], registry=self.registry
        )
        self.seconds = Histogram(
            "homeward_http_request_seconds",
            "Time to answer.",
            ["route"],
            registry=self.registry,
            buckets=(0.005, 0.02, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 10.0),
        )
        self.browsers = Gauge("homeward_browsers", "Pages open with a live connection.", registry=self.registry)
        self.served = 0

    def count(self, route: str, status: int, seconds: float) -> None:
        """Count one answered request."""
        self.served += 1
        self.requests.labels(route, str(status)).inc()
        self.seconds.labels(route).observe(seconds)

    def text(self, found: Iterable[Instance]) -> bytes:
        """Write both kinds in Prometheus's text format."""
        rows = CollectorRegistry()
        rows.register(_Rows(list(families(found))))
        return bytes(generate_latest(rows) + generate_latest(self.registry))


@dataclass(frozen=True, eq=False)
class _Rows:
    found: list[Metric]

    def collect(self) -> list[Metric]:
        return self.found


class Measured:
    """Times every request under its route's pattern, never its path: a path has patients' numbers and no end."""

    def __init__(self, app: ASGIApp, metrics: RequestMetrics) -> None:
        self._app = app
        self._metrics = metrics

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        begun, status = time.perf_counter(), 500

        async def watch(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
            await send(message)

        try:
            await self._app(scope, receive, watch)
        finally:
            route = getattr(scope.get("route"), "path", "other")
            self._metrics.count(route, status, time.perf_counter() - begun)

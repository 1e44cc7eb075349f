"""Is this process alive, and is the installation behind it ready to be used?

``/healthz``: the process answers. ``/readyz``: the database answers, its schema is this program's, and an ingest and a
notifier were heard of lately. Point a load balancer at ``/healthz``: with ingest down the pages are still worth
reading, and they say that they are not live.
"""

from __future__ import annotations

import asyncio
import logging
import uuid
from collections.abc import Callable, Sequence

import psycopg
import psycopg_pool
from fastapi import APIRouter, Response
from fastapi.responses import JSONResponse
from psycopg.types.json import Jsonb
from psycopg_pool import AsyncConnectionPool

from dashboard.certificate_metrics import CertificateEnds
from dashboard.device_acts import Logins
from dashboard.metrics import CONTENT_TYPE, Instance, RequestMetrics, instances
from dashboard.push import Push
from schemas.database import load_migrations

log = logging.getLogger(__name__)
PRESENCE_S = 10.0
# without the one nothing is stored, without the other nobody is told
NEEDED = ("ingest", "notify")
ANSWER_WITHIN_S = 5.0
_UNREACHABLE = (psycopg.Error, psycopg_pool.PoolTimeout, TimeoutError, OSError)


async def readiness(pool: AsyncConnectionPool) -> dict[str, str]:
    """Say of each part whether it is ready: ``ok``, or a sentence with what is wrong."""
    try:
        async with asyncio.timeout(ANSWER_WITHIN_S):
            heard = await instances(pool)
            parts = {service: _service(service, heard) for service in NEEDED}
            return {"database": await _database(pool), "migrations": await _migrations(pool), **parts}
    except _UNREACHABLE as exc:
        return {"database": f"does not answer ({type(exc).__name__})"}


async def _database(pool: AsyncConnectionPool) -> str:
    async with pool.connection() as connection:
        cursor = await connection.execute("show transaction_read_only")
        row = await cursor.fetchone()
    return "ok" if row == ("off",) else "may only be read: nothing is stored or confirmed until it may be written again"


async def _migrations(pool: AsyncConnectionPool) -> str:
    async with pool.connection() as connection:
        cursor = await connection.execute("select name, sha256 from homeward_migration")
        applied: dict[str, str] = dict(await cursor.fetchall())
    shipped = {m.name: m.sha256 for m in load_migrations()}
    return "ok" if applied == shipped else "the schema is not this program's; run `homeward migrate`"


def _service(name: str, heard: Sequence[Instance]) -> str:
    silences = [i for i in heard if i.service == name]
    if any(i.is_live for i in silences):
        return "ok"
    if not silences:
        return f"no {name} has run yet"
    return f"no {name} heard of for {min(i.silent_s for i in silences):.0f} s"


class Presence:
    """Writes this process's row of ``service_instance``, every few seconds."""

    def __init__(self, pool: AsyncConnectionPool, counters: Callable[[], dict[str, float]]) -> None:
        self._pool = pool
        self._counters = counters
        self._instance = uuid.uuid4()

    async def run(self) -> None:
        """Write it until cancelled; a database that is away is asked again the next time."""
        while True:
            try:
                async with self._pool.connection() as connection:
                    await connection.execute(
                        "insert into service_instance (instance_id, service, counters) values (%s, 'dashboard', %s) "
                        "on conflict (instance_id) do update set seen_at = now(), counters = excluded.counters",
                        [self._instance, Jsonb(self._counters())],
                    )
            except (psycopg.Error, psycopg_pool.PoolTimeout) as exc:
                log.warning("presence not written", extra={"action": "presence_failed", "error": type(exc).__name__})
            await asyncio.sleep(PRESENCE_S)


def routes(pool: AsyncConnectionPool, metrics: RequestMetrics, push: Push, logins: Logins | None = None) -> APIRouter:
    """Make the routes that machines ask; they need no session and tell of no person."""
    router = APIRouter(include_in_schema=False)
    certificates = CertificateEnds(logins, metrics.registry)

    @router.get("/healthz")
    async def healthz() -> JSONResponse:
        return JSONResponse({"status": "ok"})

    @router.get("/readyz")
    async def readyz() -> JSONResponse:
        parts = await readiness(pool)
        is_ready = all(word == "ok" for word in parts.values())
        return JSONResponse({"status": "ok" if is_ready else "not ready", **parts}, 200 if is_ready else 503)

    @router.get("/metrics")
    async def prometheus() -> Response:
        metrics.browsers.set(push.browsers)
        await certificates.look()
        try:
            async with asyncio.timeout(ANSWER_WITHIN_S):
                found = await instances(pool)
        except _UNREACHABLE:
            found = []  # what this process knows itself is still worth having, and the rows' absence tells
        return Response(metrics.text(found), media_type=CONTENT_TYPE)

    return router

"""How is the installation running: which devices are there, which processes live?"""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query
from psycopg_pool import AsyncConnectionPool

from dashboard import store
from dashboard.api import models, paging
from dashboard.api.paging import After, Limit
from dashboard.api.rights import allowed
from dashboard.health import readiness
from dashboard.metrics import LIVE_S
from dashboard.permissions import Permission

FILE = "api/queries.sql"


def routes(pool: AsyncConnectionPool) -> APIRouter:
    """Make the routes for those who keep the installation running."""
    router = APIRouter(tags=["running"])

    @router.get("/devices", dependencies=[allowed(Permission.SEE_DEVICES)])
    async def devices(
        retired: Annotated[bool, Query(description="retired devices as well")] = False,
        limit: Limit = 1000,
        after: After = None,
    ) -> models.Page[models.Device]:
        """List the devices of your sites."""
        (after_id,) = paging.read(after, paging.number)
        rows = await store.fetch_from(FILE, "devices", retired=retired, limit=limit + 1, after_id=after_id)
        items = [models.Device(**row) for row in rows[:limit]]
        return models.Page(items=items, next=paging.next_of(rows, limit, "device_id"))

    @router.get("/system", dependencies=[allowed(Permission.SEE_SYSTEM)])
    async def system() -> models.System:
        """Say how the installation is."""
        services = await store.fetch_from(FILE, "services", live_s=LIVE_S)
        return models.System(parts=await readiness(pool), services=[models.Service(**row) for row in services])

    return router

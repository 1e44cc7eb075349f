"""How is the installation running: which devices are there, which processes live?"""

from __future__ import annotations

from fastapi import APIRouter
from psycopg_pool import AsyncConnectionPool

from dashboard import store
from dashboard.api import models
from dashboard.api.rights import allowed
from dashboard.health import readiness
from dashboard.metrics import LIVE_S
from dashboard.permissions import Permission

FILE = "api/queries.sql"


def routes(pool: AsyncConnectionPool) -> APIRouter:
    """Make the routes for those who keep the installation running."""
    router = APIRouter(tags=["running"])

    @router.get("/system", dependencies=[allowed(Permission.SEE_SYSTEM)])
    async def system() -> models.System:
        """Say how the installation is."""
        services = await store.fetch_from(FILE, "services", live_s=LIVE_S)
        return models.System(parts=await readiness(pool), services=[models.Service(**row) for row in services])

    return router

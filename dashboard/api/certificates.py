"""Until when do the certificates hold, for a program that watches over the installation?"""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime
from typing import Literal

from fastapi import APIRouter, HTTPException

from dashboard import certificate_parts
from dashboard.api.devices import BROKER_AWAY
from dashboard.api.models import Document
from dashboard.api.rights import allowed
from dashboard.device_acts import BrokerError, Logins
from dashboard.permissions import Permission


class CertificateInUse(Document):
    """One certificate; ``name`` is a device's code, or the address at which it is shown.

    ``days_left`` is less than 0 where its end is past.
    """

    holder: Literal["authority", "broker", "pages", "device"]
    name: str
    ends: datetime
    days_left: int


def routes(logins: Logins | None) -> APIRouter:
    """Make the route; where the broker is not known there is nothing to list."""
    router = APIRouter(tags=["running"])

    @router.get("/system/certificates", dependencies=[allowed(Permission.SEE_SYSTEM)], responses=BROKER_AWAY)
    async def certificates() -> list[CertificateInUse]:
        """List the certificates that the installation depends on, of devices those of your sites."""
        try:
            found = [] if logins is None else await asyncio.to_thread(logins.certificates)
        except BrokerError as unreadable:
            raise HTTPException(503, str(unreadable)) from unreadable
        now = datetime.now(UTC)
        return [
            CertificateInUse(holder=c.holder.value, name=c.name, ends=c.ends, days_left=c.days_left(now))
            for c in await certificate_parts.visible(found)
        ]

    return router

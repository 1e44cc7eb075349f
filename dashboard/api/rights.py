"""Who may ask this route?"""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import Depends, Path

from dashboard import identity
from dashboard.permissions import Permission, require

# PostgreSQL's integer and bigint: a number past them is nobody's
PatientId = Annotated[int, Path(ge=1, le=2**31 - 1)]
EpisodeId = Annotated[int, Path(ge=1, le=2**63 - 1)]


def allowed(permission: Permission) -> Any:
    """Let a route be asked only by those whose role includes the permission."""

    async def check() -> None:
        require(identity.current(), permission)

    return Depends(check)

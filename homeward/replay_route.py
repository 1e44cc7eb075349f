"""Does an alert come out the same when the rules run over the stored observations again? Asked from its page.

`ingest` knows how to replay, `dashboard` knows who asks and whom they may see; they are put together here.
"""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, HTTPException, Path
from fastapi.concurrency import run_in_threadpool
from psycopg_pool import ConnectionPool

from dashboard import audit, identity, store
from dashboard.permissions import NotPermittedError, Permission, require
from ingest.replay import ReplayError, replay_episode

NONE = "There is no such episode."
SHOWN = 20
"""Differences that are told."""


def routes(pool: ConnectionPool) -> APIRouter:
    """Make the route; ``pool`` is of the ingest role."""
    router = APIRouter(prefix="/api/v1", tags=["episodes"])

    @router.post("/episodes/{episode_id}/replay")
    async def replay(episode_id: Annotated[int, Path(ge=1, le=2**63 - 1)]) -> dict[str, Any]:
        """Score the patient's stored observations again, and say whether this episode comes out as it is stored."""
        await _asked_for(episode_id)
        try:
            _, found = await run_in_threadpool(replay_episode, pool, episode_id)
        except ReplayError as gone:
            raise HTTPException(404, NONE) from gone
        same = not found.differences
        verdict = (
            f"Comes out the same: {found.transitions} steps were scored again and each agrees with what is stored."
            if same
            else f"Does not come out the same: {len(found.differences)} differences."
        )
        return {
            "same": same,
            "sentence": verdict,
            "differences": [d.sentence for _, d in found.differences[:SHOWN]],
        }

    return router


async def _asked_for(episode_id: int) -> None:
    """Go on only for somebody who may see the episode, and write down that they asked."""
    try:
        person = identity.current()
        require(person, Permission.SEE_PATIENTS)
    except identity.NotSignedInError as nobody:
        raise HTTPException(401, "Sign in first.") from nobody
    except NotPermittedError as refused:
        raise HTTPException(403, str(refused)) from refused
    async with store.transaction() as connection:
        found = await store.rows(connection, store.queries("triage.sql")["names_of_episodes"], episodes=[episode_id])
        if not found:
            raise HTTPException(404, NONE)
        await audit.write(connection, person, "replayed", f"episode/{episode_id}")

"""Who is told of alerts, by which ways, and what became of it: the JSON interface to `dashboard.escalations`."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated, Any

from fastapi import APIRouter, Path, Query, Response

from alerts import ladder as ladders
from alerts.ladder import LadderError
from dashboard import escalations, reachable
from dashboard.actions import InvalidActionError
from dashboard.api import message_models as models
from dashboard.api.models import Document
from dashboard.api.rights import allowed
from dashboard.permissions import Permission
from schemas.episode import Severity

ChannelId = Annotated[int, Path(ge=1, le=2**31 - 1)]
router = APIRouter(tags=["messages"], dependencies=[allowed(Permission.SET_UP_MESSAGES)])


@router.get("/ladders")
async def list_ladders() -> list[models.Ladder]:
    """List the ladders in force: the organisation's, whose `site_id` is null, and those of single sites."""
    found = (await escalations.setup()).ladders.values()
    return [models.Ladder(**_of(models.Ladder, row)) for row in sorted(found, key=lambda row: row["site_id"] or 0)]


@router.get("/ladders/versions")
async def ladder_versions(
    site_id: Annotated[int | None, Query(ge=1, le=2**31 - 1, description="without it, the organisation's")] = None,
) -> list[models.Version]:
    """List the last versions of one ladder, the newest first."""
    return [models.Version(**_of(models.Version, row)) for row in await escalations.ladder_versions(site_id)]


@router.post("/ladders", status_code=201)
async def publish_ladder(given: models.NewLadder) -> models.Published:
    """Put the next version of a ladder in force; alerts that have begun go on with theirs."""
    return models.Published(version=await escalations.publish_ladder(given.site_id, given.document, given.reason))


@router.post("/ladders/trial")
async def try_ladder(given: models.Trial) -> list[models.Stage]:
    """Say whom an alert would reach, tier by tier, if nobody acknowledged it; `why` is said of who is not reached."""
    found = await escalations.setup()
    row = found.ladder_for(given.site_id)
    if row is None:
        raise InvalidActionError("No ladder is in force here.")
    try:
        ladder = ladders.read(row["document"])
    except LadderError as exc:
        raise InvalidActionError(str(exc)) from exc
    at = given.at or datetime.now(UTC)
    return [
        models.Stage(
            at=stage.at,
            tier=stage.tier.name,
            receivers=[models.Receiver(name=r.name, ways=list(r.ways), why=r.why) for r in stage.reached],
        )
        for stage in escalations.preview(found, ladder, given.site_id, Severity.of(given.severity), at)
    ]


@router.get("/rotas")
async def list_rotas() -> list[models.Rota]:
    """List the rotas in force."""
    return [models.Rota(**_of(models.Rota, row)) for row in (await escalations.setup()).rotas.values()]


@router.post("/rotas", status_code=201)
async def publish_rota(given: models.NewRota) -> models.Published:
    """Put the next version of a rota in force, or the first of a new one."""
    return models.Published(version=await escalations.publish_rota(given.name, given.document, given.reason))


@router.get("/channels")
async def list_channels() -> list[models.Channel]:
    """List the ways that are set up; a secret is never given back."""
    return [models.Channel(**_of(models.Channel, row)) for row in (await escalations.setup()).channels.values()]


@router.post("/channels", status_code=201)
async def add_channel(given: models.NewChannel) -> models.ChannelId:
    """Set a way up; its secret is sealed for the notifiers."""
    settings = {"url": given.url, "template": given.template, "provider": given.provider}
    number = await escalations.add_channel(given.kind, given.name, given.identity, settings, given.secret)
    return models.ChannelId(channel_id=number)


@router.delete("/channels/{channel_id}", status_code=204, response_class=Response)
async def retire_channel(channel_id: ChannelId) -> Response:
    """Take a way out of use."""
    await escalations.retire_channel(channel_id)
    return Response(status_code=204)


@router.post("/channels/{channel_id}/test", status_code=202, response_class=Response)
async def test_channel(channel_id: ChannelId) -> Response:
    """Send a test message by a webhook or a team's chat; what became of it is among the messages."""
    await escalations.test_channel(channel_id)
    return Response(status_code=202)


@router.get("/messages")
async def messages(
    status: models.StatusWord | None = None, limit: Annotated[int, Query(ge=1, le=1000)] = 100
) -> list[models.Delivery]:
    """List messages with what became of each, the latest first; no address and no name of a patient."""
    return [models.Delivery(**_of(models.Delivery, row)) for row in await escalations.deliveries(status, limit)]


@router.get("/messages/unreached")
async def unreached() -> models.Unreached:
    """Say which tiers reach nobody now, and why: nothing, where an alert would reach somebody of every tier."""
    return models.Unreached(unreached=await reachable.standing(datetime.now(UTC)))


def _of(model: type[Document], row: dict[str, Any]) -> dict[str, Any]:
    return {name: row[name] for name in model.model_fields}

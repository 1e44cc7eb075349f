"""Which episodes are there, and who takes them on?"""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any

from fastapi import APIRouter, HTTPException, Query, Response
from fastapi.responses import JSONResponse

from dashboard import actions, audit, identity, queries, reasons, resets, rows, store
from dashboard.actions import Held, InvalidActionError, Outcome
from dashboard.api import models, paging
from dashboard.api.paging import After, Limit
from dashboard.api.rights import EpisodeId, allowed
from dashboard.patient_charts import standard_of
from dashboard.permissions import Permission
from dashboard.problems import problem
from schemas.episode import Severity

FILE = "api/queries.sql"
NONE = "There is no such episode."
router = APIRouter(dependencies=[allowed(Permission.SEE_PATIENTS)], tags=["episodes"])


@router.get("/episodes")
async def episodes(
    phase: Annotated[list[models.PhaseWord] | None, Query()] = None,
    severity: Annotated[list[models.SeverityWord] | None, Query()] = None,
    patient: Annotated[int | None, Query(ge=1, le=2**31 - 1)] = None,
    site: Annotated[int | None, Query(ge=1, le=2**31 - 1)] = None,
    acknowledged: bool | None = None,
    limit: Limit = 100,
    after: After = None,
) -> models.Page[models.Episode]:
    """List episodes, the latest first."""
    after_at, after_id = paging.read(after, datetime.fromisoformat, paging.number)
    async with store.transaction() as connection:
        found = await _find(
            connection,
            phases=phase,
            severities=None if severity is None else [Severity.of(word) for word in severity],
            patient=patient,
            site=site,
            acknowledged=acknowledged,
            after_at=after_at,
            after_id=after_id,
            limit=limit + 1,
        )
        await audit.write(connection, identity.current(), "looked_at", "episodes", patients=_patients(found[:limit]))
    items = [models.Episode(**_with_words(row)) for row in found[:limit]]
    return models.Page(items=items, next=paging.next_of(found, limit, "opened_at", "episode_id"))


@router.get("/episodes/{episode_id}")
async def episode(episode_id: EpisodeId) -> models.EpisodeInFull:
    """Give one episode with its explanation and its history."""
    async with store.transaction() as connection:
        found = await _find(connection, episode=episode_id)
        if not found:
            raise HTTPException(404, NONE)
        details = await store.rows(connection, store.queries(FILE)["episode_details"], episode=episode_id)
        events = await store.rows(connection, store.queries(FILE)["episode_events"], episode=episode_id)
        subject = f"patient/{found[0]['patient_id']}"
        await audit.write(connection, identity.current(), "looked_at", subject, episode=episode_id)
    happened = [models.EpisodeEvent(**(row | {"severity": Severity(row["severity"]).word})) for row in events]
    kept = {"explanation": found[0]["explanation"], **details[0], **await _present(found[0])}
    return models.EpisodeInFull(**_with_words(found[0]), **kept, events=happened)


@router.post(
    "/episodes/{episode_id}/acknowledgement",
    response_model=models.Acknowledgement,
    responses={409: {"model": models.Problem, "description": "somebody else has taken it on"}},
    dependencies=[allowed(Permission.ACKNOWLEDGE)],
)
async def acknowledge(episode_id: EpisodeId, given: models.ActionNote | None = None) -> Any:
    """Take an episode on; where somebody else has, 409 says who and when."""
    outcome = await _do(actions.acknowledge([episode_id], given.note if given else ""))
    if outcome.missing:
        raise HTTPException(404, NONE)
    held = outcome.held[0] if outcome.held else None
    if held is not None and held.account_id != identity.current().account_id:
        return _held_problem(held)
    async with store.transaction(read_only=True) as connection:
        row = (await _find(connection, episode=episode_id))[0]
    return models.Acknowledgement(**{name: row[name] for name in models.Acknowledgement.model_fields})


@router.delete(
    "/episodes/{episode_id}/acknowledgement",
    status_code=204,
    response_class=Response,
    responses={409: {"model": models.Problem, "description": "somebody else has taken it on, or nobody"}},
    dependencies=[allowed(Permission.ACKNOWLEDGE)],
)
async def release(episode_id: EpisodeId) -> Response:
    """Let go of an episode that you have taken on."""
    outcome = await _do(actions.release([episode_id]))
    if outcome.held:
        return _held_problem(outcome.held[0])
    if outcome.missing:
        async with store.transaction(read_only=True) as connection:
            if await _find(connection, episode=episode_id):
                return problem(409, "Nobody has taken this episode on.")
        raise HTTPException(404, NONE)
    return Response(status_code=204)


@router.post(
    "/episodes/{episode_id}/reset",
    status_code=204,
    response_class=Response,
    responses={409: {"model": models.Problem, "description": "the episode does not wait for a reset"}},
    dependencies=[allowed(Permission.ACKNOWLEDGE)],
)
async def reset(episode_id: EpisodeId, given: models.ActionNote | None = None) -> Response:
    """Let go of a latched episode whose condition is over; it resolves within a second or two."""
    try:
        done = await resets.reset(episode_id, given.note if given else "")
    except InvalidActionError as exc:
        raise HTTPException(422, str(exc)) from exc
    if done is None:
        raise HTTPException(404, NONE)
    if not done:
        return problem(409, "This episode is not latched, or its condition is still there.")
    return Response(status_code=204)


@router.post(
    "/episodes/{episode_id}/snooze",
    responses={409: {"model": models.Problem, "description": "the episode is not active"}},
    dependencies=[allowed(Permission.ACKNOWLEDGE)],
)
async def snooze(episode_id: EpisodeId, given: models.Snooze) -> models.EpisodeInFull:
    """Put an active episode off; it waits again at that time, or as soon as it becomes more severe."""
    outcome = await _do(actions.snooze([episode_id], given.until, given.note))
    await _refuse_unless_done(outcome, episode_id, "Only an active episode can be snoozed.")
    return await episode(episode_id)


@router.delete(
    "/episodes/{episode_id}/snooze",
    status_code=204,
    responses={409: {"model": models.Problem, "description": "the episode is not snoozed"}},
    dependencies=[allowed(Permission.ACKNOWLEDGE)],
)
async def resume(episode_id: EpisodeId) -> Response:
    """End the snooze of an episode before its time."""
    outcome = await _do(actions.resume([episode_id]))
    await _refuse_unless_done(outcome, episode_id, "This episode is not snoozed.")
    return Response(status_code=204)


@router.post("/episodes/acknowledgements", dependencies=[allowed(Permission.ACKNOWLEDGE)])
async def acknowledge_several(given: models.EpisodeList) -> models.Acknowledgements:
    """Take several episodes on; those that somebody holds stay with them."""
    outcome = await _do(actions.acknowledge(given.episodes, given.note))
    return models.Acknowledgements(
        acknowledged=list(outcome.done),
        held=[
            models.Acknowledgement(
                episode_id=h.episode_id, acknowledged_by=h.account_id, acknowledged_name=h.by, acknowledged_at=h.at
            )
            for h in outcome.held
        ],
        missing=list(outcome.missing),
    )


async def _refuse_unless_done(outcome: Outcome, episode_id: int, why_not: str) -> None:
    if outcome.done:
        return
    async with store.transaction(read_only=True) as connection:
        found = await _find(connection, episode=episode_id)
    raise HTTPException(409, why_not) if found else HTTPException(404, NONE)


async def _do(action: Any) -> Outcome:
    try:
        outcome: Outcome = await action
    except InvalidActionError as exc:
        raise HTTPException(422, str(exc)) from exc
    return outcome


def _held_problem(held: Held) -> JSONResponse:
    return problem(
        409,
        f"{held.by} has taken this episode on.",
        episode_id=held.episode_id,
        acknowledged_by=held.account_id,
        acknowledged_name=held.by,
        acknowledged_at=held.at.isoformat(),
    )


async def _find(connection: Any, **given: Any) -> list[dict[str, Any]]:
    names = ("episode", "phases", "severities", "patient", "site", "acknowledged", "after_at", "after_id")
    parameters = dict.fromkeys(names) | {"limit": 1} | given
    return await store.rows(connection, store.queries(FILE)["episodes"], **parameters)


def _patients(rows: list[dict[str, Any]]) -> list[int]:
    return sorted({row["patient_id"] for row in rows})


def _with_words(row: dict[str, Any]) -> dict[str, Any]:
    words = {name: Severity(row[name]).word for name in ("severity", "peak_severity")}
    told = {"sentence": f"{reasons.why(row)}.", "sentence_at": reasons.said_at(row)}
    return {name: value for name, value in row.items() if name != "explanation"} | words | told


async def _present(row: dict[str, Any]) -> dict[str, Any]:
    """Say how it is now, and why the episode is open if it is not so any more; nothing of one that is over."""
    patient = await queries.patient(row["patient_id"]) if row["phase"] == "active" else None
    if patient is None:
        return {"now": "", "now_at": None, "stays": ""}
    followed = standard_of(patient)
    known = {} if followed is None else {patient["policy_id"]: followed}
    at = rows.situation([row["patient_id"]], {row["patient_id"]: patient}, known, patient["now"])
    found = reasons.reason(row, at, 0, lambda seen: seen.isoformat(timespec="minutes"))
    return {"now": found.now, "now_at": found.now_at, "stays": found.stays}

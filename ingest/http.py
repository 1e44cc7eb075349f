"""How do observations come in over HTTP? The same payload, the same admission, the same transaction as over MQTT.

A gateway sends for its devices; a person enters a set for a patient, which is kept as the organisation's device for
entry by hand. Who sends is decided by the dependency that the application passes in; the answer is the receipt, after
the commit.
"""

# Annotations are not postponed here: FastAPI could not find the dependency that is passed in.
import threading
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Annotated, Any

import numpy as np
import psycopg
import structlog
from fastapi import APIRouter, Depends, HTTPException, Query, Request
from fastapi.concurrency import run_in_threadpool
from fastapi.responses import JSONResponse
from psycopg_pool import ConnectionPool, PoolTimeout

from ingest.admission import Incoming, admit
from ingest.limits import LARGEST_PAYLOAD
from ingest.registry import RegistryKeeper
from ingest.writer import Outcome, write_batch
from schemas.observation import native_json_schema

PATH = "/api/v1/observations"
_TRIES = 3

log = structlog.get_logger()


async def _nobody(_patient: int) -> bool:
    return False


@dataclass(frozen=True)
class Sender:
    """Who sends: a device or hub by its code, or a person, who may enter for some patients.

    ``may_enter_for`` says of a patient whether the person may; a device may not state a patient at all.
    """

    organisation_id: int
    device: str | None = None
    may_enter_for: Callable[[int], Awaitable[bool]] = _nobody


class Entrance:
    """The writer as a request uses it: one message is one transaction."""

    def __init__(self, pool: ConnectionPool) -> None:
        self._pool = pool
        self.keeper = RegistryKeeper(pool)
        self._stop = threading.Event()
        self._watching = threading.Thread(target=self.keeper.watch, args=(self._stop,), name="registry", daemon=True)

    def start(self) -> None:
        """Keep the registry current from now on."""
        self._watching.start()

    def close(self) -> None:
        """Stop that."""
        self._stop.set()
        self._watching.join()

    def manual_device(self, organisation_id: int) -> str | None:
        """Give the code of the organisation's device for entry by hand."""
        registry = self.keeper.registry
        mine = registry.by_hand & ~registry.retired & (registry.device_organisation == organisation_id)
        found = np.flatnonzero(mine)
        if not len(found):
            return None
        return next(code for code, device in registry.device_of.items() if device == found[0])

    def take(self, sender: str, patient: int, payload: bytes) -> Outcome:
        """Store one message and score it; tried again where another writer was in the way."""
        received_at = time.time_ns() // 1000
        message = Incoming(f"http:{sender}", payload, received_at, sender, patient)
        for left in reversed(range(_TRIES)):
            try:
                admitted = admit([message], self.keeper)
                with self._pool.connection() as connection:
                    return write_batch(connection, admitted, received_at)
            except psycopg.errors.TransactionRollback:
                if not left:
                    raise
        raise AssertionError("the last try returns or raises")


def routes(entrance: Entrance, authenticate: Callable[..., Any]) -> APIRouter:
    """Make the router.

    Parameters
    ----------
    entrance : Entrance
    authenticate : FastAPI dependency
        Gives the `Sender`, or refuses the request.
    """
    router = APIRouter(tags=["observations"])
    schema = _without_references(native_json_schema()["$defs"]["NativeMessage"])
    body = {"content": {"application/json": {"schema": schema}}, "required": True}

    @router.post(PATH, openapi_extra={"requestBody": body}, summary="Store and score observations")
    async def enter(
        request: Request,
        sender: Annotated[Sender, Depends(authenticate)],
        patient: Annotated[int | None, Query(ge=1, le=2**31 - 1)] = None,
    ) -> JSONResponse:
        payload = await _body(request)
        code = await _code(entrance, sender, patient)
        try:
            outcome = await run_in_threadpool(entrance.take, code, patient or 0, payload)
        except (psycopg.OperationalError, psycopg.InterfaceError, PoolTimeout) as failed:
            log.warning("observations not taken", action="http_refused", error=type(failed).__name__)
            raise HTTPException(503, "The database is away; send it again.", {"Retry-After": "5"}) from failed
        receipt = outcome.receipt(0)
        return JSONResponse(receipt, 200 if receipt["stored"] or receipt["duplicate"] else 422)

    return router


async def _body(request: Request) -> bytes:
    """Read the body, but no more of it than is accepted."""
    found = bytearray()
    async for chunk in request.stream():
        found += chunk
        if len(found) > LARGEST_PAYLOAD:
            raise HTTPException(413, f"The body is larger than {LARGEST_PAYLOAD} bytes; send it in several requests.")
    return bytes(found)


async def _code(entrance: Entrance, sender: Sender, patient: int | None) -> str:
    """Give the code under which the sender's observations are taken."""
    if sender.device is not None:
        if patient is not None:
            raise HTTPException(403, "A device does not state whose its observations are; assign it to the patient.")
        return sender.device
    if patient is None:
        raise HTTPException(422, "State the patient: ?patient=….")
    if not await sender.may_enter_for(patient):
        raise HTTPException(404, "There is no such patient.")
    code = await run_in_threadpool(entrance.manual_device, sender.organisation_id)
    if code is None:
        raise HTTPException(409, "The organisation has no device of kind 'manual'; register one.")
    return code


def _without_references(schema: dict[str, Any]) -> dict[str, Any]:
    """Leave out what the one schema refers to elsewhere; the full one is published with the package."""
    properties = {name: part for name, part in schema["properties"].items() if "$ref" not in str(part)}
    return schema | {"properties": properties | {"values": {"type": "object", "minProperties": 1}}}

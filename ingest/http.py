"""How do observations come in over HTTP? The same payload, the same admission, the same transaction as over MQTT.

A device or hub sends with its own token; a person enters a set for a patient, which is kept as the organisation's
device for entry by hand. Who sends is decided by the dependency that the application passes in; the answer says, after
the commit, what became of each item.
"""

# Annotations are not postponed here: FastAPI could not find the dependency that is passed in.
import time
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Annotated, Any

import msgspec
import structlog
from fastapi import APIRouter, Depends, Header, HTTPException, Query, Request
from fastapi.concurrency import run_in_threadpool
from fastapi.responses import JSONResponse

from ingest.admission import Admitted, Incoming
from ingest.entrance import AWAY, Answer, BusyError, Entrance, Once, OtherRequestError
from ingest.limits import LARGEST_PAYLOAD
from ingest.writer import Outcome
from schemas.observation import native_json_schema

PATH = "/api/v1/observations"

log = structlog.get_logger()
_ITEMS = msgspec.json.Decoder(list[msgspec.Raw])


async def _nobody(_patient: int) -> bool:
    return False


async def _unknown(_nhs_number: str) -> int | None:
    return None


@dataclass(frozen=True)
class Sender:
    """Who sends: a device or hub by its code, or a person, who may enter for some patients.

    ``may_enter_for`` says of a patient whether the person may, ``patient_of_nhs_number`` finds one of these; a device
    may not state a patient at all.
    """

    organisation_id: int
    device: str | None = None
    may_enter_for: Callable[[int], Awaitable[bool]] = _nobody
    account_id: int = 0
    patient_of_nhs_number: Callable[[str], Awaitable[int | None]] = _unknown

    @property
    def name(self) -> str:
        """Under which keys and limits are kept."""
        return f"account/{self.account_id}" if self.device is None else f"device/{self.device}"


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
    one_or_many = {"oneOf": [schema, {"type": "array", "items": schema, "minItems": 1}]}
    body = {"content": {"application/json": {"schema": one_or_many}}, "required": True}

    @router.post(PATH, openapi_extra={"requestBody": body}, summary="Store and score observations")
    async def enter(
        request: Request,
        sender: Annotated[Sender, Depends(authenticate)],
        patient: Annotated[int | None, Query(ge=1, le=2**31 - 1)] = None,
        idempotency_key: Annotated[str | None, Header(min_length=1, max_length=255)] = None,
    ) -> JSONResponse:
        payload = await read_body(request)
        code = await device_code(entrance, sender, patient)
        asked = f"{PATH}?patient={patient or 0}\n".encode() + payload
        once = Once(sender.organisation_id, sender.name, idempotency_key, asked) if idempotency_key else None
        received_at = time.time_ns() // 1000
        messages = [Incoming(f"http:{code}", item, received_at, code, patient or 0) for item in items_of(payload)]
        with refusals(entrance, sender):
            answer = await run_in_threadpool(entrance.take, messages, _say, once=once)
        return JSONResponse(answer.body, answer.status, {"Idempotent-Replayed": "true"} if answer.again else None)

    return router


def items_of(payload: bytes) -> list[bytes]:
    """Give the items of a list, each as its own message with its own fate; anything else is one message."""
    try:
        items = _ITEMS.decode(payload)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return [payload]
    return [bytes(item) for item in items] or [payload]


def _say(admitted: Admitted, outcome: Outcome) -> Answer:
    """Tell what became of all observations together, and of each item; 422 where nothing at all is stored."""
    why: dict[int, list[dict[str, str]]] = {}
    for rejection in admitted.rejections:
        why.setdefault(rejection.message, []).append({"reason": rejection.reason.value, "detail": rejection.detail})
    items = [
        {
            "stored": int(outcome.stored[i]),
            "duplicate": int(outcome.duplicate[i]),
            "quarantined": int(outcome.quarantined[i]),
            "why": why.get(i, []),
        }
        for i in range(len(admitted.messages))
    ]
    total = {
        "stored": int(outcome.stored.sum()),
        "duplicate": int(outcome.duplicate.sum()),
        "quarantined": int(outcome.quarantined.sum()),
        "reasons": sorted({reason for reasons in outcome.reasons.values() for reason in reasons}),
    }
    is_taken = total["stored"] or total["duplicate"]
    return Answer(200 if is_taken else 422, total | {"items": items})


@contextmanager
def refusals(entrance: Entrance, sender: Sender) -> Iterator[None]:
    """Wait for the sender's turn, and turn what prevents storing into an answer that says what to do."""
    try:
        with entrance.turn(sender.name):
            yield
    except BusyError as busy:
        if busy.of_sender:
            raise HTTPException(429, "Too many of your requests at once; send one after another.", _LATER[1]) from busy
        raise HTTPException(503, "Too many requests at once; send it again.", _LATER[1]) from busy
    except OtherRequestError as other:
        raise HTTPException(422, "This Idempotency-Key was used for another request; take a new one.") from other
    except AWAY as failed:
        log.warning("observations not taken", action="http_refused", error=type(failed).__name__)
        raise HTTPException(503, "The database is away; send it again.", _LATER[5]) from failed


_LATER = {seconds: {"Retry-After": str(seconds)} for seconds in (1, 5)}


async def read_body(request: Request) -> bytes:
    """Read the body, but no more of it than is accepted."""
    found = bytearray()
    async for chunk in request.stream():
        found += chunk
        if len(found) > LARGEST_PAYLOAD:
            raise HTTPException(413, f"The body is larger than {LARGEST_PAYLOAD} bytes; send it in several requests.")
    return bytes(found)


async def device_code(entrance: Entrance, sender: Sender, patient: int | None) -> str:
    """Give the code under which the sender's observations are taken."""
    if sender.device is not None:
        if patient is not None:
            raise HTTPException(403, "A device does not state whose its observations are; assign it to the patient.")
        return sender.device
    if patient is None:
        raise HTTPException(422, "State the patient: ?patient=….")
    if not await sender.may_enter_for(patient):
        raise HTTPException(404, "There is no such patient.")
    return await by_hand(entrance, sender.organisation_id)


async def by_hand(entrance: Entrance, organisation_id: int) -> str:
    """Give the code of the organisation's device for what people enter."""
    code = await run_in_threadpool(entrance.manual_device, organisation_id)
    if code is None:
        raise HTTPException(409, "The organisation has no device of kind 'manual'; register one.")
    return code


def _without_references(schema: dict[str, Any]) -> dict[str, Any]:
    """Leave out what the one schema refers to elsewhere; the full one is published with the package."""
    properties = {name: part for name, part in schema["properties"].items() if "$ref" not in str(part)}
    return schema | {"properties": properties | {"values": {"type": "object", "minProperties": 1}}}

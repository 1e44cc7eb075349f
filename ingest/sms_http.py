"""How does a gateway hand in text messages?

Each request is signed with the gateway's secret over the time and the body, so that nobody else can hand any in, and no
old one again. The gateway's own number of a message makes it the same message, and is answered as it was before.
"""

# Annotations are not postponed here, as in the other modules of routes.
import hashlib
import hmac
import time
from typing import Annotated

import msgspec
from fastapi import APIRouter, Header, HTTPException, Request
from fastapi.concurrency import run_in_threadpool
from fastapi.responses import JSONResponse

from ingest.admission import Admitted, Incoming
from ingest.entrance import AWAY, Answer, Entrance, Once
from ingest.formats.instant import microseconds
from ingest.formats.json_document import Refused
from ingest.http import Sender, by_hand, read_body, refusals
from ingest.sms import TOPIC, TextMessage, Understood, rejected, understand
from ingest.sql import load
from ingest.writer import Outcome
from schemas import telephone

PATH = "/api/v1/sms"
WINDOW_S = 300
"""How far a request's time may be from ours: what clocks differ, and a gateway's next try."""
_QUERIES = load("sms.sql")
_NOBODY = "0" * 32


def signature(secret: str, timestamp: str, body: bytes) -> str:
    """Sign a request."""
    return hmac.new(secret.encode(), timestamp.encode() + b"." + body, hashlib.sha256).hexdigest()


def routes(entrance: Entrance) -> APIRouter:
    """Make the router; gateways are known by their signatures alone."""
    router = APIRouter(tags=["observations"])
    schema = msgspec.json.schema(TextMessage)["$defs"]["TextMessage"]
    body = {"content": {"application/json": {"schema": schema}}, "required": True}

    @router.post(PATH, openapi_extra={"requestBody": body}, summary="Hand in a text message")
    async def take(
        request: Request,
        homeward_gateway: Annotated[str, Header(max_length=64)] = "",
        homeward_timestamp: Annotated[str, Header(max_length=20)] = "",
        homeward_signature: Annotated[str, Header(max_length=64)] = "",
    ) -> JSONResponse:
        payload = await read_body(request)
        try:
            row = await run_in_threadpool(_gateway, entrance, homeward_gateway)
        except AWAY as failed:
            raise HTTPException(503, "The database is away; send it again.", {"Retry-After": "5"}) from failed
        organisation = _authenticated(row, homeward_timestamp, payload, homeward_signature)
        told = _told(payload)
        code = await by_hand(entrance, organisation)
        sender = Sender(organisation, f"sms/{homeward_gateway}")
        once = Once(organisation, sender.name, hashlib.sha256(told.id.encode()).hexdigest(), msgspec.json.encode(told))
        message = Incoming(f"{TOPIC}{homeward_gateway}", msgspec.json.encode(told), time.time_ns() // 1000, code)
        with refusals(entrance, sender):
            answer = await run_in_threadpool(_take, entrance, organisation, message, once, told.id)
        return JSONResponse(answer.body, answer.status, {"Idempotent-Replayed": "true"} if answer.again else None)

    return router


def _gateway(entrance: Entrance, name: str) -> tuple[int, str]:
    with entrance.pool.connection(timeout=5) as connection:
        row = connection.execute(_QUERIES["gateway"], [name]).fetchone()
    return (int(row[0]), str(row[1])) if row else (0, _NOBODY)


def _authenticated(gateway: tuple[int, str], timestamp: str, body: bytes, given: str) -> int:
    """Give the gateway's organisation, or refuse: for an unknown gateway, another time or another signature alike."""
    organisation, secret = gateway
    # as bytes: of texts only ASCII can be compared, and what was given may be anything
    is_right = hmac.compare_digest(signature(secret, timestamp, body).encode(), given.lower().encode())
    is_now = timestamp.isascii() and timestamp.isdigit() and abs(time.time() - int(timestamp)) <= WINDOW_S
    if not (is_right and is_now and organisation):
        raise HTTPException(401, f"Not signed by a known gateway within the last {WINDOW_S} s.")
    return organisation


def _told(payload: bytes) -> TextMessage:
    try:
        told = msgspec.json.decode(payload, type=TextMessage)
        microseconds(told.sent_at, "sent_at")
    except (msgspec.MsgspecError, UnicodeDecodeError) as wrong:
        raise HTTPException(422, f"The body is not as expected: {wrong}") from wrong
    except Refused as wrong:
        raise HTTPException(422, str(wrong)) from wrong
    if not 0 < len(told.id) <= 255 or "\0" in told.text:
        raise HTTPException(422, "id: expected 1 to 255 characters; text: expected text.")
    try:
        telephone.read(told.sender)
    except ValueError as wrong:
        raise HTTPException(422, f"from: {wrong}") from wrong
    return told


def _take(entrance: Entrance, organisation: int, message: Incoming, once: Once, number: str) -> Answer:
    with entrance.pool.connection() as connection:
        understood = understand(connection, organisation, message)

    def amend(admitted: Admitted) -> Admitted:
        return rejected(admitted, [understood.rejection])

    def say(admitted: Admitted, outcome: Outcome) -> Answer:
        return Answer(200, {"id": number, "reply": f"{_reply(understood, admitted, outcome)} {understood.advice}"})

    return entrance.take([understood.message], say, once=once, amend=amend)


def _reply(understood: Understood, admitted: Admitted, outcome: Outcome) -> str:
    if understood.rejection is not None:
        return understood.reply
    if not admitted.rejections:
        return understood.reply
    if outcome.stored[0] or outcome.duplicate[0]:
        return "Only a part was recorded, the rest cannot be right. Please measure again, and ring your care team."
    return "Nothing was recorded: these values or their time cannot be right. Please measure again."

"""Whose is a text message, what does it say, and what is answered?

The answer repeats what was understood and reassures nobody: it ends with what the site has people do in an emergency.
What is not stored waits in quarantine with the whole message, and is read anew when it is tried again.
"""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass, replace

import msgspec
import numpy as np
import psycopg

from ingest.admission import Admitted, Incoming
from ingest.formats.decoded import Rejection
from ingest.formats.sms import Reading, Unclear, read
from ingest.sql import load
from schemas import telephone
from schemas.observation import ObservationBatch
from schemas.quarantine import Reason
from schemas.units import to_catalogue_unit
from schemas.vital_signs import BY_NAME

TOPIC = "sms:"
"""How the topic of a text message begins; the gateway's name follows."""
EXAMPLE = "BP 152/91 72, or SATS 94"
NO_ADVICE = "In an emergency call 999."
_QUERIES = load("sms.sql")


class TextMessage(msgspec.Struct, forbid_unknown_fields=True):
    """What a gateway hands in: its own number for the message, who sent it, what, and when."""

    id: str
    sender: str = msgspec.field(name="from")
    text: str
    sent_at: str


@dataclass(frozen=True)
class Understood:
    """A text message on its way: what is stored of it, or why it waits, and what is answered.

    ``rejection`` is None where there is something to store.
    """

    message: Incoming
    reply: str
    advice: str
    rejection: Rejection | None = None


def understand(connection: psycopg.Connection, organisation_id: int, message: Incoming) -> Understood:
    """Find whose a message is and what it says.

    ``message`` has the text message as its payload, and the organisation's device for entry by hand as its sender.
    """
    told = msgspec.json.decode(message.payload, type=TextMessage)
    owners = connection.execute(_QUERIES["owners"], [organisation_id, telephone.read_or_leave(told.sender)]).fetchall()
    if not owners:
        rejection = Rejection(0, Reason.UNKNOWN_NUMBER, "from: this number is registered for nobody in care")
        reply = "Nothing was recorded. Please ring your care team; this number is not set up for text messages."
        return Understood(message, reply, NO_ADVICE, rejection)
    advice = str(owners[0][2])
    text, owner = _owner(told.text, [(int(o[0]), str(o[1])) for o in owners])
    if owner is None:
        words = [str(o[1]).upper() for o in owners if o[1]] or ["YOUR WORD"]
        rejection = Rejection(0, Reason.UNREADABLE_TEXT, "text: several people share this number, and it names none")
        named = f"Begin with {' or '.join(words)}, for example: {words[0]} BP 152/91 72."
        reply = f"Who is this for? Nothing was recorded. {named}"
        return Understood(message, reply, advice, rejection)
    found = read(text)
    if isinstance(found, Unclear):
        # the piece itself stays in the payload: details are for everybody who mends
        rejection = Rejection(0, Reason.UNREADABLE_TEXT, f"text: {found.why}")
        said = f' "{found.piece}"' if found.piece else ""
        reply = f"Nothing was recorded: we could not read{said or ' your message'}. Send for example {EXAMPLE}."
        return Understood(replace(message, patient=owner), reply, advice, rejection)
    return Understood(replace(message, payload=_native(told, found), patient=owner), words_of(found), advice)


def rejected(admitted: Admitted, rejections: Sequence[Rejection | None]) -> Admitted:
    """Put aside the messages that were not understood; what was made of them by reading them as JSON is void."""
    aside = {position for position, rejection in enumerate(rejections) if rejection is not None}
    if not aside:
        return admitted
    keep = ~np.isin(admitted.message, list(aside))
    others = [r for r in admitted.rejections if r.message not in aside]
    own = [replace(r, message=position) for position, r in enumerate(rejections) if r is not None]
    batch: ObservationBatch = admitted.batch.take(keep)
    return replace(admitted, batch=batch, message=admitted.message[keep], rejections=[*others, *own])


def read_again(connection: psycopg.Connection, messages: Sequence[Incoming]) -> list[tuple[Incoming, Rejection | None]]:
    """Read those anew that waited for what was not known of them then; others stay as they are."""
    found: list[tuple[Incoming, Rejection | None]] = []
    for message in messages:
        if not message.topic.startswith(TOPIC) or not _is_text_message(message.payload):
            found.append((message, None))
            continue
        row = connection.execute(_QUERIES["organisation_of_device"], [message.sender]).fetchone()
        understood = understand(connection, int(row[0]) if row else 0, replace(message, patient=0))
        found.append((understood.message, understood.rejection))
    return found


def words_of(reading: Reading) -> str:
    """Say what was understood, each value in the unit in which it is stored."""
    values = {name: _catalogue(name, value, unit) for name, value, unit in reading.values}
    parts = []
    if "bp_systolic" in values:
        parts.append(f"blood pressure {values.pop('bp_systolic'):g}/{values.pop('bp_diastolic'):g}")
    parts += [f"{BY_NAME[name].label.lower()} {BY_NAME[name].format(value)}" for name, value in values.items()]
    return f"Recorded: {', '.join(parts)}."


def _owner(text: str, owners: Sequence[tuple[int, str]]) -> tuple[str, int | None]:
    """Find whose it is by the word at its beginning; give the text without that word."""
    first = re.match(r"\s*([A-Za-z]+)[\s:,.]+", text)
    for patient, word in owners:
        if word and first and first[1].lower() == word:
            return text[first.end() :], patient
    return text, owners[0][0] if len(owners) == 1 else None


def _native(told: TextMessage, found: Reading) -> bytes:
    values = {name: value if unit is None else {"value": value, "unit": unit} for name, value, unit in found.values}
    return json.dumps({"id": told.id[:64], "time": told.sent_at, "values": values}).encode()


def _catalogue(name: str, value: float, unit: str | None) -> float:
    return value if unit is None else to_catalogue_unit(BY_NAME[name], value, unit)


def _is_text_message(payload: bytes) -> bool:
    try:
        msgspec.json.decode(payload, type=TextMessage)
    except msgspec.MsgspecError:
        return False
    return True

"""What do the documents about ladders, rotas, channels and messages look like?"""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any, Literal

import msgspec
from pydantic import AwareDatetime, Field, WithJsonSchema

from alerts import ladder, rota
from dashboard.api.models import Document

Number = Annotated[int, Field(ge=1, le=2**31 - 1)]
Reason = Annotated[str, Field(min_length=1, max_length=300)]
KindWord = Literal["email", "sms", "webhook", "apprise"]
StatusWord = Literal["waiting", "delivered", "failed", "cancelled"]


def _written_out(schema: Any, parts: dict[str, Any]) -> Any:
    """Put what a schema refers to in its place: a reference would lead nowhere inside of the interface's own."""
    if isinstance(schema, list):
        return [_written_out(one, parts) for one in schema]
    if not isinstance(schema, dict):
        return schema
    if "$ref" in schema:
        return _written_out(parts[schema["$ref"].rpartition("/")[2]], parts)
    # a mapping from tags to references is of no use without them
    return {key: _written_out(value, parts) for key, value in schema.items() if key != "discriminator"}


def _schema_of(record: type[msgspec.Struct]) -> dict[str, Any]:
    [schema], parts = msgspec.json.schema_components([record])
    found: dict[str, Any] = _written_out(schema, parts)
    return found


# checked where it is published, as the pages' are: one reader, one set of complaints
LadderDocument = Annotated[dict[str, Any], WithJsonSchema(_schema_of(ladder.Ladder))]
RotaDocument = Annotated[dict[str, Any], WithJsonSchema(_schema_of(rota.Rota))]


class Version(Document):
    """Who has put a version in force, when and why."""

    version: int
    author: str
    reason: str
    published_at: datetime


class Ladder(Version):
    """A ladder in force; without a site it is the organisation's."""

    site_id: int | None
    document: LadderDocument


class NewLadder(Document):
    """The next version of a ladder."""

    site_id: Number | None = None
    document: LadderDocument
    reason: Reason


class Published(Document):
    """The number of what is in force now."""

    version: int


class Trial(Document):
    """An alert that is only thought of; without an instant, raised now."""

    site_id: Number | None = None
    severity: Literal["yellow", "amber", "red"]
    at: AwareDatetime | None = None


class Receiver(Document):
    """Somebody or something that a tier names, the ways by which it is reached then, and why there is none."""

    name: str
    ways: list[str]
    why: str


class Stage(Document):
    """A tier's turn."""

    at: datetime
    tier: str
    receivers: list[Receiver]


class Rota(Version):
    """A rota in force."""

    name: str
    document: RotaDocument


class NewRota(Document):
    """The next version of a rota, known by its name."""

    name: Annotated[str, Field(min_length=1, max_length=80)]
    document: RotaDocument
    reason: Reason


class NewChannel(Document):
    """A way that is set up: `url` for a webhook or a gateway, `template` for GOV.UK Notify."""

    kind: KindWord
    name: Annotated[str, Field(min_length=1, max_length=80)]
    identity: Literal["none", "initials", "name"] = "none"
    url: Annotated[str, Field(max_length=2000)] = ""
    template: Annotated[str, Field(max_length=200)] = ""
    provider: Literal["", "govuk_notify", "gateway"] = ""
    secret: Annotated[str, Field(max_length=2000, repr=False)] = ""


class ChannelId(Document):
    """The number of a channel."""

    channel_id: int


class Channel(ChannelId):
    """A way that is set up, without its secret."""

    kind: str
    name: str
    identity: str
    created_at: datetime


class Delivery(Document):
    """One message to one receiver."""

    delivery_id: int
    created_at: datetime
    ended_at: datetime | None
    purpose: str
    kind: str
    site: str | None
    tier: str
    again: bool
    severity: int
    receiver: str | None
    episodes: int
    status: str
    outcome: str
    attempts: int


class Unreached(Document):
    """A sentence for each tier that reaches nobody."""

    unreached: list[str]


class NewContact(Document):
    """Where somebody is reached, entered and vouched for by an administrator."""

    kind: Literal["email", "sms"]
    address: Annotated[str, Field(min_length=3, max_length=254)]


class ContactId(Document):
    """The number of an address."""

    contact_id: int


class Contact(ContactId):
    """An address of somebody; used where it is confirmed and wanted."""

    kind: str
    address: str
    wanted: bool
    verified_at: datetime | None
    vouched_by: str | None

"""What do the JSON interface's documents about devices look like?"""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Literal

from pydantic import AwareDatetime, Field

from dashboard.api.models import Document

Kind = Literal["hub", "cuff", "oximeter", "thermometer", "scale", "glucometer", "monitor", "manual"]
RowId = Annotated[int, Field(ge=1, le=2**31 - 1)]


class Device(Document):
    """A device or hub, whose observations it brings now, and how it stands.

    ``online`` is null where it says nothing of itself; ``since`` is when it came or went. ``clock_skew_s`` is
    about how many seconds its clock is ahead; less than zero: it is behind, or what it measures comes late.
    ``clock_zone`` is the time zone in which times without an offset are read.
    ``messages_parked`` were beyond its share and had to wait, ``messages_not_kept`` were only counted.
    """

    device_id: int
    code: str
    kind: str
    lane: int
    site_id: int | None
    hub: str | None
    retired_at: datetime | None
    patients: list[int]
    online: bool | None
    since: datetime | None
    battery: int | None
    firmware: str | None
    status_trouble: str
    reported_at: datetime | None
    heard_at: datetime | None
    clock_skew_s: float | None
    clock_is_set: bool
    clock_zone: str | None
    last_observed_at: datetime | None
    messages_parked: int
    messages_not_kept: int
    parked_at: datetime | None


class Assignment(Document):
    """Whose a device's observations are, over a span; ``until`` is null while it lasts."""

    patient_id: int
    user: int
    since: datetime | None
    until: datetime | None


class Placement(Document):
    """Where a device was, over a span."""

    site_id: int
    since: datetime | None
    until: datetime | None


class DeviceInFull(Device):
    """One device with its past, the latest first."""

    assignments: list[Assignment]
    placements: list[Placement]


class Login(Document):
    """How a device signs in: by password, by certificate, or by one for its own key (PKCS #10, PEM)."""

    certificate: bool = False
    request: Annotated[str | None, Field(max_length=10_000)] = None


class NewDevice(Login):
    """A device to register; ``hub`` is the code of the hub that speaks for it."""

    code: Annotated[str, Field(max_length=64)]
    kind: Kind
    site_id: RowId | None = None
    hub: Annotated[str | None, Field(max_length=64)] = None


class NewAssignment(Document):
    """A device for a patient, from now on or over a span that nobody has yet."""

    patient_id: RowId
    user: Annotated[int, Field(ge=0, le=32_767)] = 0
    since: AwareDatetime | None = None
    until: AwareDatetime | None = None


class NewPlacement(Document):
    """A device for a site, or for none; ``since`` where it was moved some time ago."""

    site_id: RowId | None
    since: AwareDatetime | None = None


class ClockZone(Document):
    """The time zone that a device's own clock shows; null where its times carry an offset."""

    clock_zone: Annotated[str, Field(max_length=64)] | None


class Provisioned(Document):
    """What a device needs to connect, told once: nothing keeps the password or the key."""

    version: int
    device: str
    kind: str
    lane: int
    host: str
    port: int
    tls: bool
    user: str
    password: str | None
    topic: str
    receipts_topic: str
    status_topic: str
    ca_sha256: str | None
    ca_certificate: str | None
    certificate: str | None
    private_key: str | None
    device_id: int
    qr_svg: Annotated[str | None, Field(description="the QR code for the hub; none with a certificate")]


class ResidentCode(Document):
    """The word by which a shared device names a resident."""

    patient_id: int
    resident: str

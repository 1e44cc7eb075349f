"""What does a device say of itself: is it online, how full is its battery, which firmware does it run?

Published retained on ``…/status``, and as the Last Will, which says for the device that it is gone. Fields that are not
known here are passed over: nothing clinical hangs on a status.
"""

from __future__ import annotations

from typing import Annotated, Any

import msgspec

Battery = Annotated[int, msgspec.Meta(ge=0, le=100, description="per cent")]
Firmware = Annotated[str, msgspec.Meta(max_length=64)]
LARGEST = 65_536
"""A status takes no more bytes than this."""


class PartStatus(msgspec.Struct):
    """What a hub says of a device that it speaks for."""

    battery: Battery | None = None
    firmware: Firmware | None = None


class DeviceStatus(msgspec.Struct):
    """What a device or hub says of itself."""

    online: bool
    session: Annotated[
        str,
        msgspec.Meta(max_length=64, description="the same in the Last Will: a late one of an older connection is told"),
    ] = ""
    battery: Battery | None = None
    firmware: Firmware | None = None
    devices: Annotated[
        dict[str, PartStatus], msgspec.Meta(description="by device code: those that the hub speaks for")
    ] = {}


def read_status(payload: bytes) -> DeviceStatus:
    """Read a status.

    Raises
    ------
    ValueError
        Where it is none; the message says what is wrong.
    """
    if len(payload) > LARGEST:
        raise ValueError(f"{len(payload)} bytes; expected at most {LARGEST}")
    try:
        return msgspec.json.decode(payload, type=DeviceStatus)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as wrong:
        raise ValueError(str(wrong)) from wrong


def status_json_schema() -> dict[str, Any]:
    """Give the JSON Schema of a status."""
    return msgspec.json.schema(DeviceStatus)

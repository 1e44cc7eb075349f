"""How does a hub pass on what a Bluetooth device said, byte for byte?

The hub decodes nothing: it sends the value of the characteristic as it was notified, and says when that was.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

import msgspec

from schemas.observation import ShortText

CHARACTERISTICS = ("2A18", "2A1C", "2A35", "2A5E", "2A5F", "2A9D")


class BluetoothRecord(msgspec.Struct, forbid_unknown_fields=True):
    """The value of one characteristic, as a hub was notified of it."""

    characteristic: Annotated[
        str,
        msgspec.Meta(
            description=f"assigned number ({', '.join(CHARACTERISTICS)}), with 0x or without, or the whole UUID",
            max_length=36,
        ),
    ]
    value: Annotated[str, msgspec.Meta(description="the bytes, written as `encoding` says", max_length=1024)]
    encoding: Literal["hex", "base64"]
    time: (
        Annotated[
            str,
            msgspec.Meta(
                description="when the hub was notified, ISO 8601 with an offset from UTC; used where the record has no "
                "time of its own, or says that its clock is not set. Send the same again when you repeat a message.",
                max_length=40,
            ),
        ]
        | None
    ) = None
    id: ShortText | None = None
    device: ShortText | None = None
    user: Annotated[int | None, msgspec.Meta(description="where the record has no user of its own")] = None


def bluetooth_json_schema() -> dict[str, Any]:
    """Give the JSON Schema of the hub's payload: one record, or a list of them."""
    return msgspec.json.schema(BluetoothRecord | list[BluetoothRecord])

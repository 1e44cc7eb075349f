"""How are many messages of one sender kept as one, byte for byte, until there is time to read them?

Behind a first line each message with its length before it. A parcel is no larger than a message may be, and never lies
in another one.
"""

from __future__ import annotations

import struct
from collections.abc import Sequence

from ingest.formats.json_document import Refused
from ingest.limits import LARGEST_PAYLOAD
from schemas.quarantine import Reason

MAGIC = b"homeward-parcel-1\n"
_LENGTH = struct.Struct(">I")


def pack(payloads: Sequence[bytes]) -> list[tuple[bytes, int]]:
    """Put messages into as few parcels as they need; give each with how many are in it.

    None of the messages may be too large for a parcel of its own.
    """
    parcels: list[tuple[bytes, int]] = []
    parts, size = [MAGIC], len(MAGIC)
    for payload in payloads:
        needed = _LENGTH.size + len(payload)
        if size + needed > LARGEST_PAYLOAD and len(parts) > 1:
            parcels.append((b"".join(parts), len(parts) // 2))
            parts, size = [MAGIC], len(MAGIC)
        parts += (_LENGTH.pack(len(payload)), payload)
        size += needed
    if len(parts) > 1:
        parcels.append((b"".join(parts), len(parts) // 2))
    return parcels


def fits(payload: bytes) -> bool:
    """Say whether a message can be in a parcel."""
    return len(MAGIC) + _LENGTH.size + len(payload) <= LARGEST_PAYLOAD


def unpack(parcel: bytes) -> list[bytes]:
    """Give the messages of a parcel.

    Raises
    ------
    Refused
        Where it ends within one, or has none.
    """
    found: list[bytes] = []
    at = len(MAGIC)
    while at < len(parcel):
        start = at + _LENGTH.size
        length = _LENGTH.unpack(parcel[at:start])[0] if start <= len(parcel) else len(parcel)
        at = start + length
        if at > len(parcel):
            raise Refused(Reason.MALFORMED, f"payload: a parcel that ends in its message {len(found)}")
        found.append(parcel[start:at])
    if not found:
        raise Refused(Reason.MALFORMED, "payload: a parcel without a message")
    return found

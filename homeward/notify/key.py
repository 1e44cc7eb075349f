"""Where is the private half of the key that opens channels' secrets, and is it the one they were sealed for?"""

from __future__ import annotations

import base64
import contextlib
import os
from pathlib import Path

import structlog

from homeward.notify.sql import Connection, run
from schemas import sealed

FILE = "messages.key"

log = structlog.get_logger()


def load(connection: Connection, home: Path) -> bytes | None:
    """Read the key, or make it where the installation has none yet; None where its file lies elsewhere.

    Several notifiers need the same file. One that has not got it sends what needs no secret.
    """
    place = home / FILE
    with connection.transaction():
        known = run(connection, "key")
        if not known and not place.exists():
            _write(place, sealed.new_private_key())
        private = base64.b64decode(place.read_text()) if place.exists() else None
        if private is not None:
            run(connection, "add_key", key=sealed.public_key(private))
            known = run(connection, "key")
    if private is None or bytes(known[0]["public_key"]) != sealed.public_key(private):
        log.error("channels' secrets are sealed for another key; copy its messages.key here", action="key_missing")
        return None
    return private


def _write(place: Path, private: bytes) -> None:
    place.parent.mkdir(parents=True, exist_ok=True)
    # another notifier of this machine may be first: then its key is ours
    with contextlib.suppress(FileExistsError):
        draft = os.open(place, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(draft, "wb") as out:
            out.write(base64.b64encode(private))

"""How is something kept that the database or the browser holds for us, and must neither read nor change?

With a key that lies in the installation's folder and not in the database: a copy of the tables gives nobody the
secrets of the second factors, and what a browser keeps between two steps of signing in comes back as it was, or not at
all.
"""

from __future__ import annotations

import json
from datetime import timedelta
from typing import Any

from cryptography.fernet import Fernet, InvalidToken


class BrokenSealError(ValueError):
    """What came back was not sealed here, was changed, is for something else or is too old."""


class Seal:
    """Encrypts and authenticates; ``purpose`` keeps what was sealed for one thing from being used for another."""

    def __init__(self, key: bytes) -> None:
        self._fernet = Fernet(key)

    @staticmethod
    def new_key() -> bytes:
        """Make a key."""
        return Fernet.generate_key()

    def close(self, purpose: str, content: Any) -> str:
        """Seal something that JSON can say."""
        return self._fernet.encrypt(json.dumps([purpose, content]).encode()).decode()

    def open(self, purpose: str, sealed: str, *, within: timedelta | None = None) -> Any:
        """Give what was sealed, where that was for this purpose and, if asked, not longer ago than ``within``.

        Raises
        ------
        BrokenSealError
            In every other case, for one and the same reason.
        """
        try:
            ttl = None if within is None else int(within.total_seconds())
            found, content = json.loads(self._fernet.decrypt(sealed.encode(), ttl=ttl))
        except (InvalidToken, ValueError, UnicodeEncodeError) as exc:
            raise BrokenSealError("this was not sealed here, or is too old") from exc
        if found != purpose:
            raise BrokenSealError("this was sealed for something else")
        return content

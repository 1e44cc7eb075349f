"""Is this the account's password, and does the answer take as long for an account that does not exist?"""

from __future__ import annotations

import asyncio
import secrets
from functools import cache

from pwdlib import PasswordHash
from pwdlib.exceptions import UnknownHashError
from pwdlib.hashers.argon2 import Argon2Hasher

_HASHER = PasswordHash((Argon2Hasher(),))
# Argon2 takes a core and 64 MiB for its time by design: more at once would let sign-ins starve the pages.
_AT_ONCE = 2


def hash_password(password: str) -> str:
    """Hash a password for ``account.password_hash`` (argon2id)."""
    return _HASHER.hash(password)


@cache
def _nobodys_hash() -> str:
    return _HASHER.hash(secrets.token_urlsafe(32))


class PasswordCheck:
    """Compares passwords with hashes, off the event loop and a few at a time."""

    def __init__(self) -> None:
        self._free = asyncio.Semaphore(_AT_ONCE)

    async def prepare(self) -> None:
        """Make what unknown accounts are compared with, so that the first such attempt takes no longer than others."""
        await asyncio.to_thread(_nobodys_hash)

    async def matches(self, password: str, stored: str | None) -> bool:
        """Say whether the password belongs to the hash; without one, take as long and say no."""
        async with self._free:
            return await asyncio.to_thread(_matches, password, stored)


def _matches(password: str, stored: str | None) -> bool:
    try:
        same = _HASHER.verify(password, stored or _nobodys_hash())
    except UnknownHashError:
        # an account whose hash was written by something else cannot sign in, and takes as long to be told so
        _HASHER.verify(password, _nobodys_hash())
        return False
    return same and stored is not None

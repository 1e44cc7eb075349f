"""Is this the account's password, and may it be one?

The answer to the first takes as long for an account that does not exist.
"""

from __future__ import annotations

import asyncio
import re
import secrets
from functools import cache

from pwdlib import PasswordHash
from pwdlib.exceptions import UnknownHashError
from pwdlib.hashers.argon2 import Argon2Hasher

_HASHER = PasswordHash((Argon2Hasher(),))
# Argon2 takes a core and 64 MiB for its time by design: more at once would let sign-ins starve the pages.
_AT_ONCE = 2
# NIST SP 800-63B, 3.1.1: length counts, kinds of characters do not; what belongs to the person or the service is known.
SHORTEST, LONGEST = 12, 1000
_FEWEST_DIFFERENT = 5
_SHORTEST_PART = 4
_OWN_WORDS = ("homeward", "password", "passwort")


def hash_password(password: str) -> str:
    """Hash a password for ``account.password_hash`` (argon2id)."""
    return _HASHER.hash(password)


async def hash_password_async(password: str) -> str:
    """Do what `hash_password` does, off the event loop."""
    return await asyncio.to_thread(hash_password, password)


def refusal(password: str, sign_in: str, name: str) -> str:
    """Say why this is no password for a person, as a sentence; empty where it may be one."""
    if not SHORTEST <= len(password) <= LONGEST:
        return f"A password has at least {SHORTEST} characters; a few words in a row are easy to remember."
    plain = password.casefold()
    if len(set(plain)) < _FEWEST_DIFFERENT:
        return "This password is one of the first that anybody would try; choose another."
    parts = [w for w in re.split(r"[^\w]+", f"{sign_in} {name}".casefold()) if len(w) >= _SHORTEST_PART]
    known = next((w for w in (*parts, *_OWN_WORDS) if w in plain), None)
    rest = len(plain) - (len(known) if known else 0)
    if known and rest < SHORTEST:
        return "This password is mostly a name that others know; choose one without your name or sign-in name in it."
    return ""


@cache
def _nobodys_hash() -> str:
    return _HASHER.hash(secrets.token_urlsafe(32))


class PasswordCheck:
    """Compares passwords with hashes, off the event loop and a few at a time.

    ``turn`` is held from the look at whether an account is locked to the count of the failure: of many guesses that are
    sent at once, no more than a few look before the first is counted.
    """

    def __init__(self) -> None:
        self._free = asyncio.Semaphore(_AT_ONCE)
        self.turn = asyncio.Semaphore(_AT_ONCE)

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

"""Does somebody have, beside their password, the telephone that they enrolled?

Time-based one-time passwords (RFC 6238) as every authenticator app makes them. A code is good once: the step that it
belongs to is noted, and that step and earlier ones are refused from then on. Ten recovery codes stand in for a lost
telephone; they are kept as hashes and good once each. The secret is sealed with a key that the database does not have.
"""

from __future__ import annotations

import hashlib
import io
import secrets
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any

import psycopg
import pyotp
import segno

from dashboard import audit, store
from dashboard.actions import InvalidActionError
from dashboard.identity import Person
from dashboard.seal import BrokenSealError, Seal

STEP_S = 30
# Clocks of telephones differ: one step to either side, as RFC 6238 recommends.
STEPS_AROUND = 1
FAILURES_TO_LOCK = 5
RECOVERY_CODES = 10
ISSUER = "Homeward"
_PURPOSE = "second factor"
_LETTERS = "abcdefghjkmnpqrstuvwxyz23456789"


class Answer(StrEnum):
    """What a code turned out to be."""

    RIGHT = "right"
    WRONG = "wrong"
    LOCKED = "locked"


@dataclass(frozen=True)
class Enrolment:
    """What an authenticator app is told: as a picture to scan and as letters to type."""

    secret: str
    svg: str


class SecondFactor:
    """Checks and enrols the second factor; each method works in a transaction that acts for the person."""

    def __init__(self, seal: Seal, clock: Callable[[], float] = time.time) -> None:
        self._seal = seal
        self._clock = clock

    async def begin(self, connection: psycopg.AsyncConnection[Any], person: Person, sign_in: str) -> Enrolment | None:
        """Make a secret for the person; until it is confirmed it asks nothing of them. ``None`` where one is."""
        secret = pyotp.random_base32()
        sealed = self._seal.close(_PURPOSE, secret).encode()
        begun = await _run(
            connection, "begin", organisation=person.organisation_id, account=person.account_id, secret=sealed
        )
        return _enrolment(secret, sign_in) if begun else None

    async def under_way(
        self, connection: psycopg.AsyncConnection[Any], person: Person, sign_in: str
    ) -> Enrolment | None:
        """Give the secret again that was begun and not confirmed yet, for a page that is shown once more."""
        rows = await _run(connection, "secret", account=person.account_id)
        if not rows or rows[0]["confirmed_at"] is not None:
            return None
        secret = self._unsealed(rows[0]["secret"])
        return None if secret is None else _enrolment(secret, sign_in)

    async def confirm(
        self, connection: psycopg.AsyncConnection[Any], person: Person, code: str
    ) -> tuple[Answer, list[str]]:
        """Take the first code of an enrolment; where it is right the factor protects the account from now on."""
        rows = await _run(connection, "secret", account=person.account_id)
        if not rows or rows[0]["confirmed_at"] is not None:
            return Answer.WRONG, []
        answer = await self._compare(connection, person, rows[0], code)
        if answer is not Answer.RIGHT:
            return answer, []
        await _run(connection, "protected", account=person.account_id, at=datetime.now(UTC))
        await audit.write(connection, person, "second_factor_enrolled", f"account/{person.account_id}")
        return answer, await new_recovery_codes(connection, person)

    async def check(self, connection: psycopg.AsyncConnection[Any], person: Person, code: str) -> tuple[Answer, str]:
        """Compare what was typed at sign-in; also say which way it was: ``second_factor`` or ``recovery_code``."""
        rows = await _run(connection, "secret", account=person.account_id)
        if not rows or rows[0]["confirmed_at"] is None:
            return Answer.WRONG, "second_factor"
        if rows[0]["is_locked"]:
            return Answer.LOCKED, "second_factor"
        if len(_tidy(code)) > pyotp.TOTP(pyotp.random_base32()).digits:
            used = await _run(connection, "use_code", account=person.account_id, hash=_hash(code))
            if used:
                await _run(connection, "cleared", account=person.account_id)
                await audit.write(connection, person, "recovery_code_used", f"account/{person.account_id}")
                return Answer.RIGHT, "recovery_code"
        return await self._compare(connection, person, rows[0], code), "second_factor"

    async def _compare(
        self, connection: psycopg.AsyncConnection[Any], person: Person, row: dict[str, Any], code: str
    ) -> Answer:
        if row["is_locked"]:
            return Answer.LOCKED
        secret = self._unsealed(row["secret"])
        step = None if secret is None else self._step_of(secret, _tidy(code), row["last_step"])
        if step is not None:
            await _run(connection, "confirm", account=person.account_id, step=step)
            return Answer.RIGHT
        await _run(connection, "failed", account=person.account_id, allowed=FAILURES_TO_LOCK)
        await audit.write(connection, person, "second_factor_failed", f"account/{person.account_id}")
        return Answer.WRONG

    def _step_of(self, secret: str, code: str, last: int) -> int | None:
        """Find the step that a code belongs to, among those that are near now and later than the last one used."""
        now = int(self._clock()) // STEP_S
        totp = pyotp.TOTP(secret, interval=STEP_S)
        found = None
        for step in range(now - STEPS_AROUND, now + STEPS_AROUND + 1):
            # all of them, in the same time, whichever fits
            if pyotp.utils.strings_equal(code, totp.generate_otp(step)) and step > last:
                found = step
        return found

    def _unsealed(self, sealed: bytes) -> str | None:
        try:
            return str(self._seal.open(_PURPOSE, bytes(sealed).decode()))
        except BrokenSealError:
            return None


async def is_required(connection: psycopg.AsyncConnection[Any], person: Person) -> tuple[bool, bool]:
    """Say whether the person's role needs a second factor here, and whether they have one."""
    [row] = await _run(connection, "is_required", account=person.account_id)
    return row["required"], row["has"]


async def new_recovery_codes(connection: psycopg.AsyncConnection[Any], person: Person) -> list[str]:
    """Make recovery codes, which are shown once; those from before are void."""
    codes = [f"{_letters(5)}-{_letters(5)}" for _ in range(RECOVERY_CODES)]
    await _run(connection, "remove_codes", account=person.account_id)
    await _run(
        connection,
        "add_codes",
        organisation=person.organisation_id,
        account=person.account_id,
        hashes=[_hash(code) for code in codes],
    )
    await audit.write(connection, person, "recovery_codes_made", f"account/{person.account_id}")
    return codes


async def codes_left(connection: psycopg.AsyncConnection[Any], person: Person) -> int:
    """Count the recovery codes that were not used."""
    [row] = await _run(connection, "codes_left", account=person.account_id)
    return int(row["codes"])


async def remove(connection: psycopg.AsyncConnection[Any], account_id: int) -> None:
    """Take a second factor away with its recovery codes: one's own, or as an administrator anybody's."""
    for statement in ("remove_codes", "remove"):
        await _run(connection, statement, account=account_id)
    await _run(connection, "protected", account=account_id, at=None)


async def remove_own(connection: psycopg.AsyncConnection[Any], person: Person) -> None:
    """Take the second factor of the person at work away, unless their role needs one."""
    required, _ = await is_required(connection, person)
    if required:
        raise InvalidActionError("Your role needs a second factor. An administrator can reset it for a new telephone.")
    await remove(connection, person.account_id)
    await audit.write(connection, person, "second_factor_removed", f"account/{person.account_id}")


def _enrolment(secret: str, sign_in: str) -> Enrolment:
    address = pyotp.TOTP(secret, interval=STEP_S).provisioning_uri(name=sign_in, issuer_name=ISSUER)
    picture = io.BytesIO()
    segno.make(address, error="m").save(
        picture, kind="svg", scale=4, border=4, dark="#000", light="#fff", xmldecl=False, nl=False, svgns=True
    )
    return Enrolment(" ".join(secret[i : i + 4] for i in range(0, len(secret), 4)), picture.getvalue().decode())


def _letters(count: int) -> str:
    return "".join(secrets.choice(_LETTERS) for _ in range(count))


def _tidy(code: str) -> str:
    return "".join(code.split()).replace("-", "").lower()


def _hash(code: str) -> bytes:
    # ten letters out of 31 chosen by chance are beyond guessing, so no slow hash is needed
    return hashlib.sha256(_tidy(code).encode()).digest()


async def _run(connection: psycopg.AsyncConnection[Any], name: str, **parameters: Any) -> list[dict[str, Any]]:
    return await store.rows(connection, store.queries("second_factor.sql")[name], **parameters)

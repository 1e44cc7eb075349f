"""What is done to a device: registered, given to somebody and taken back, moved, given another login, retired?

Written once, for the pages, the API and the command line. Each act is one transaction with its entry in the audit log.
Where the broker is part of it, it is asked before the commit: if it is away nothing is done, and if the commit fails a
new login is taken back.
"""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Protocol
from zoneinfo import available_timezones

import psycopg
from psycopg.types.json import Jsonb

from dashboard import identity, store
from dashboard.identity import Person
from dashboard.permissions import Permission, may
from dashboard.wording import typed
from schemas.certificates import Certificate
from schemas.credentials import Credentials
from schemas.topic import DEVICE_CODE, lane_of

FILE = "devices.sql"
DEVICE_KINDS = ("hub", "cuff", "oximeter", "thermometer", "scale", "glucometer", "monitor", "manual")
LARGEST_USER = 32_767
CORRECTED_WITHIN = timedelta(minutes=1)
"""A device that has somebody is taken from them for an instant as recent as this, and for no earlier one: what was
stored since would stay theirs."""
_CODE_LETTERS = "ABCDEFGHJKMNPQRSTUVWXYZ23456789"

Transaction = Callable[[], AbstractAsyncContextManager[psycopg.AsyncConnection[Any]]]
Row = dict[str, Any]


class DeviceError(ValueError):
    """What was asked for cannot be done as it stands; the message says what to change."""


class NotThereError(DeviceError):
    """There is no such device or resident for whoever asks."""


class BrokerError(Exception):
    """The broker cannot be asked just now, or refuses; the message says why, and nothing was changed."""


class Logins(Protocol):
    """Who gives devices their logins at the broker, and takes them; may take seconds, so not in the event loop.

    It also knows the certificates, and raises `BrokerError` where they cannot be looked at.
    """

    def certificates(self) -> list[Certificate]:
        """List every certificate that the installation depends on."""

    def give(
        self,
        code: str,
        kind: str,
        hubs: Mapping[str, Sequence[str]],
        *,
        certificate: bool = False,
        request: str | None = None,
    ) -> Credentials:
        """Make a login, or renew the one there is."""

    def take(self, code: str, hubs: Mapping[str, Sequence[str]]) -> None:
        """Take a login away."""


@dataclass(frozen=True)
class DeviceActs:
    """The acts of one person, or of the command line, for which there is no account.

    Parameters
    ----------
    organisation_id, account_id : int
        Who acts.
    transaction : callable
        Opens a transaction that acts for them.
    logins : Logins, optional
    sees_patients : bool
        Whether a patient who is not found does not exist; a technician sees none.
    """

    organisation_id: int
    account_id: int | None
    transaction: Transaction
    logins: Logins | None
    sees_patients: bool = True

    @classmethod
    def of(cls, person: Person, logins: Logins | None) -> DeviceActs:
        """Make the acts of a person who is signed in."""
        sees = may(person, Permission.SEE_PATIENTS)
        return cls(person.organisation_id, person.account_id, store.transaction, logins, sees)

    async def add(
        self,
        code: str,
        kind: str,
        *,
        site: int | None = None,
        hub: str | None = None,
        certificate: bool = False,
        request: str | None = None,
    ) -> Credentials:
        """Register a device and give it a login."""
        if not DEVICE_CODE.match(code):
            raise DeviceError(f"Device {code!r}: a code has 1 to 64 letters, digits, '.', '_' or '-'.")
        if kind not in DEVICE_KINDS:
            raise DeviceError(f"Kind {kind!r}: expected one of {', '.join(DEVICE_KINDS)}.")
        given = False
        try:
            async with self.transaction() as connection:
                speaker = None if hub is None else (await self._by_code(connection, hub, "hub"))["device_id"]
                device = await self._register(connection, code, kind, site, speaker)
                credentials = await self._give(connection, code, kind, [device, speaker], certificate, request)
                given = True
                await self._audit(connection, "device_added", device, kind=kind, site=site, certificate=certificate)
        except BaseException:
            if given and self.logins is not None:
                await asyncio.to_thread(self.logins.take, code, {})
            raise
        return credentials

    async def renew_login(self, device: int, *, certificate: bool = False, request: str | None = None) -> Credentials:
        """Give a device another password or certificate; the old one is void at once."""
        async with self.transaction() as connection:
            found = await self._lock(connection, device)
            await self._audit(connection, "device_login_renewed", device, certificate=certificate)
            return await self._give(connection, found["code"], found["kind"], [device], certificate, request)

    async def assign(
        self, device: int, patient: int, *, user: int = 0, since: datetime | None = None, until: datetime | None = None
    ) -> None:
        """Give a device, or one user number of it, to a patient; from now on, or over a span that nobody has yet."""
        now = datetime.now(UTC)
        since = since or now
        _check_span(since, until)
        if not 0 <= user <= LARGEST_USER:
            raise DeviceError(f"User {user}: expected a number from 0 to {LARGEST_USER}.")
        nobody = f"There is no patient {patient} in care in this organisation."
        async with self.transaction() as connection:
            found = await self._lock(connection, device)
            if self.sees_patients and not await _run(connection, "patient", patient=patient):
                raise DeviceError(nobody)
            await self._make_room(connection, found["code"], device, user, since, until, now)
            try:
                await _run(
                    connection,
                    "assign",
                    organisation=self.organisation_id,
                    device=device,
                    user=user,
                    patient=patient,
                    since=since,
                    until=until,
                )
            except (psycopg.errors.ForeignKeyViolation, psycopg.errors.InsufficientPrivilege) as exc:
                raise DeviceError(nobody) from exc
            except psycopg.errors.ExclusionViolation as exc:
                raise DeviceError(
                    f"Device {found['code']!r} has somebody at that time whom you may not see; ask an administrator."
                ) from exc
            detail = {"patient": patient, "user": user, "since": since.isoformat()}
            await self._audit(
                connection, "device_assigned", device, **detail, until=until.isoformat() if until else None
            )

    async def unassign(self, device: int, *, user: int | None = None) -> None:
        """Take a device from whoever has it, or one user number of it; from now on it is nobody's."""
        async with self.transaction() as connection:
            found = await self._lock(connection, device)
            ended = await _run(connection, "end_assignments", device=device, user=user, at=datetime.now(UTC))
            if not ended:
                raise DeviceError(f"Device {found['code']!r} is nobody's now.")
            patients = sorted({row["patient_id"] for row in ended})
            await self._audit(connection, "device_unassigned", device, user=user, patients=patients)

    async def place(self, device: int, site: int | None, *, since: datetime | None = None) -> None:
        """Say at which site a device is; since an instant in the past where it was moved earlier."""
        now = datetime.now(UTC)
        if since is not None and (since.tzinfo is None or since > now):
            raise DeviceError("A device is at a site since a time with its zone that has passed.")
        async with self.transaction() as connection:
            await self._lock(connection, device)
            try:
                await _run(connection, "place", device=device, site=site)
                if since is not None and site is not None:
                    await _run(connection, "shorten_placement", device=device, since=since)
                    await _run(connection, "lengthen_placement", device=device, since=since)
            except (psycopg.errors.ForeignKeyViolation, psycopg.errors.InsufficientPrivilege) as exc:
                raise DeviceError(f"There is no site {site} among those that you work for.") from exc
            except psycopg.errors.ExclusionViolation as exc:
                raise DeviceError("The device was moved more than once since then; name a later time.") from exc
            at = since.isoformat() if since else None
            await self._audit(connection, "device_placed", device, site=site, since=at)

    async def set_zone(self, device: int, zone: str | None) -> None:
        """Say which time zone the device's own clock shows; None where its times carry an offset."""
        if zone is not None and zone not in available_timezones():
            raise DeviceError(f"Time zone {zone!r} is not known; expected a name like Europe/London.")
        async with self.transaction() as connection:
            await self._lock(connection, device)
            await _run(connection, "set_zone", device=device, zone=zone)
            await self._audit(connection, "device_zone_set", device, zone=zone)

    async def retire(self, device: int) -> None:
        """Take a device out of use with its login; what it sends from now on is quarantined."""
        async with self.transaction() as connection:
            found = await self._lock(connection, device)
            await _run(connection, "end_assignments", device=device, user=None, at=datetime.now(UTC))
            await _run(connection, "retire", device=device)
            await self._audit(connection, "device_retired", device)
            hubs = await self._spoken_for(connection, [found["hub_id"]])
            if self.logins is not None:
                await asyncio.to_thread(self.logins.take, found["code"], hubs)

    async def give_resident_code(self, patient: int) -> str:
        """Give the word by which a shared device names a resident; the first time it is made by chance."""
        async with self.transaction() as connection:
            found = await _run(connection, "resident_code", patient=patient)
            if not found:
                raise NotThereError(f"There is no patient {patient} in care in this organisation.")
            if found[0]["resident_code"]:
                await self._write_audit(connection, "resident_code_shown", f"patient/{patient}")
                return str(found[0]["resident_code"])
            code = "".join(secrets.choice(_CODE_LETTERS) for _ in range(8))
            await _run(connection, "set_resident_code", patient=patient, code=code)
            await self._write_audit(connection, "resident_code_given", f"patient/{patient}")
            return code

    async def find(self, code: str) -> int:
        """Find a device in use by its code."""
        async with self.transaction() as connection:
            return int((await self._by_code(connection, code))["device_id"])

    # ------------------------------------------------------------------------------------------- parts of the acts

    async def _register(
        self, connection: psycopg.AsyncConnection[Any], code: str, kind: str, site: int | None, hub: int | None
    ) -> int:
        try:
            made = await _run(
                connection,
                "add_device",
                organisation=self.organisation_id,
                site=site,
                hub=hub,
                code=code,
                kind=kind,
                lane=lane_of(code),
            )
        except (psycopg.errors.ForeignKeyViolation, psycopg.errors.InsufficientPrivilege) as exc:
            raise DeviceError(f"There is no site {site} among those that you work for.") from exc
        if not made:
            raise DeviceError(f"The device code {code!r} is taken; choose another.")
        return int(made[0]["device_id"])

    async def _give(
        self,
        connection: psycopg.AsyncConnection[Any],
        code: str,
        kind: str,
        hubs: list[int | None],
        certificate: bool,
        request: str | None,
    ) -> Credentials:
        if self.logins is None:
            raise BrokerError("This process does not know the broker, so it can give no login; nothing was changed.")
        spoken_for = await self._spoken_for(connection, hubs)
        if kind != "hub":
            spoken_for.pop(code, None)
        return await asyncio.to_thread(
            self.logins.give, code, kind, spoken_for, certificate=certificate, request=request
        )

    async def _spoken_for(
        self, connection: psycopg.AsyncConnection[Any], hubs: list[int | None]
    ) -> dict[str, list[str]]:
        known = [hub for hub in hubs if hub is not None]
        return {row["hub"]: row["devices"] for row in await _run(connection, "spoken_for", hubs=known)}

    async def _make_room(
        self,
        connection: psycopg.AsyncConnection[Any],
        code: str,
        device: int,
        user: int,
        since: datetime,
        until: datetime | None,
        now: datetime,
    ) -> None:
        """End what is in force; refuse a span in which somebody has the device whose observations are stored."""
        others = await _run(connection, "overlapping", device=device, user=user, since=since, until=until)
        for other in others:
            if other["may_end"] and since >= now - CORRECTED_WITHIN:
                await _run(connection, "end_assignments", device=device, user=user, at=since)
                continue
            raise DeviceError(
                f"Device {code!r} has patient {other['patient_id']} {_span_words(other['since'], other['until'])}; "
                "choose a span that does not meet that one."
            )

    async def _lock(self, connection: psycopg.AsyncConnection[Any], device: int) -> Row:
        found = await _run(connection, "lock_device", device=device)
        if not found or found[0]["retired_at"] is not None:
            raise NotThereError(f"There is no device {device} in use here.")
        return found[0]

    async def _by_code(self, connection: psycopg.AsyncConnection[Any], code: str, kind: str | None = None) -> Row:
        found = await _run(connection, "device", code=code)
        if not found or found[0]["retired_at"] is not None:
            raise NotThereError(f"There is no device {code!r} in use in this organisation.")
        if kind is not None and found[0]["kind"] != kind:
            raise DeviceError(f"Device {code!r} is a {found[0]['kind']}, not a {kind}.")
        return found[0]

    async def _audit(self, connection: psycopg.AsyncConnection[Any], action: str, device: int, **detail: Any) -> None:
        await self._write_audit(connection, action, f"device:{device}", **detail)

    async def _write_audit(
        self, connection: psycopg.AsyncConnection[Any], action: str, subject: str, **detail: Any
    ) -> None:
        await connection.execute(
            "insert into audit_log (organisation_id, account_id, action, object, detail) values (%s, %s, %s, %s, %s)",
            [self.organisation_id, self.account_id, action, subject, Jsonb(detail)],
        )


def acts(logins: Logins | None) -> DeviceActs:
    """Give the acts of the person at work."""
    return DeviceActs.of(identity.current(), logins)


def _check_span(since: datetime, until: datetime | None) -> None:
    if since.tzinfo is None or (until is not None and until.tzinfo is None):
        raise DeviceError("A device is assigned over times with their zone, such as 2026-11-22T08:00:00+00:00.")
    if until is not None and until <= since:
        raise DeviceError("A device is assigned until a time after the one since which it is.")


def _span_words(since: datetime | None, until: datetime | None) -> str:
    begin = f"since {typed(since.astimezone(UTC))} UTC" if since else "since always"
    return f"{begin} until {typed(until.astimezone(UTC))} UTC" if until else begin


async def _run(connection: psycopg.AsyncConnection[Any], name: str, **parameters: Any) -> list[Row]:
    return await store.rows(connection, store.queries(FILE)[name], **parameters)

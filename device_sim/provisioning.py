"""How do simulated people and devices get into the registry, so that what they send belongs to somebody?

Runs as ``homeward_admin`` for one organisation. Everything is found by device code first, so that playing the same
recording or the same seed twice meets the same people and devices.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import psycopg
from psycopg.types.json import Jsonb

from device_sim.people import Person, nhs_numbers
from schemas import named_queries
from schemas.database import acting_for
from schemas.topic import DEVICE_CODE
from schemas.topic import lane_of as lane_of
from schemas.topic import topic_of as topic_of

_QUERIES = named_queries.load("device_sim", "provisioning.sql")


class ProvisioningError(Exception):
    """People or devices cannot be registered; the message says why and what to do."""


@dataclass(frozen=True)
class DeviceEntry:
    """One device and who uses it: user number → the person's key; 0 where one person has it alone."""

    code: str
    kind: str
    holders: Mapping[int, str]


@dataclass(frozen=True)
class Registry:
    """What the database calls them: ids by the person's key and by device code, and how many are new."""

    patients: dict[str, int]
    devices: dict[str, int]
    new_patients: int
    new_devices: int


def provision(
    connection: psycopg.Connection[Any],
    organisation_id: int,
    site_id: int,
    people: Sequence[Person],
    devices: Sequence[DeviceEntry],
    pathway_id: int | None = None,
    *,
    hub: str | None = None,
) -> Registry:
    """Register people and devices, assign the devices, and enrol the people on a pathway, in one transaction.

    Parameters
    ----------
    connection : psycopg.Connection
        Of role ``homeward_admin``.
    organisation_id, site_id : int
        Where the people live or are cared for.
    people : sequence of Person
    devices : sequence of DeviceEntry
        A device that is registered already keeps its assignment, and with it its person.
    pathway_id : int, optional
        Whoever is enrolled on another pathway is moved to this one.
    hub : str, optional
        Code of a hub that may publish for the devices; it is registered where it is missing.

    Raises
    ------
    ProvisioningError
        Where a code cannot be used or belongs to another organisation.
    """
    _check(people, devices)
    with acting_for(connection, organisation_id):
        hub_id = None
        if hub is not None:
            hub_id = _register_devices(connection, organisation_id, None, [DeviceEntry(hub, "hub", {})], None)[0][hub]
        device_ids, new_devices = _register_devices(connection, organisation_id, site_id, devices, hub_id)
        patients = _assigned(connection, devices, device_ids)
        missing = [p for p in people if p.key not in patients]
        patients |= _register_people(connection, organisation_id, site_id, missing)
        _assign(connection, organisation_id, devices, device_ids, patients)
        if pathway_id is not None:
            _enrol(connection, organisation_id, pathway_id, [patients[p.key] for p in people])
        if missing or new_devices:
            counted = Jsonb({"patients": len(missing), "devices": new_devices, "pathway": pathway_id})
            connection.execute(
                _QUERIES["audit"].encode(),
                [organisation_id, "simulated_people_registered", f"site:{site_id}", counted],
            )
    return Registry(patients, device_ids, len(missing), new_devices)


def _check(people: Sequence[Person], devices: Sequence[DeviceEntry]) -> None:
    known = {p.key for p in people}
    for entry in devices:
        if not DEVICE_CODE.match(entry.code):
            raise ProvisioningError(
                f"device {entry.code!r}: a code has 1 to 64 letters, digits, '.', '_' or '-'; rename the device"
            )
        if unknown := sorted(set(entry.holders.values()) - known):
            raise ProvisioningError(f"device {entry.code!r}: its holder {unknown[0]!r} is not among the people given")


def _register_devices(
    connection: psycopg.Connection[Any],
    organisation_id: int,
    site_id: int | None,
    devices: Sequence[DeviceEntry],
    hub_id: int | None,
) -> tuple[dict[str, int], int]:
    codes = [d.code for d in devices]
    cursor = connection.execute(
        _QUERIES["add_devices"].encode(),
        [organisation_id, site_id, hub_id, codes, [d.kind for d in devices], [lane_of(c) for c in codes]],
    )
    new = cursor.rowcount
    if hub_id is not None:
        connection.execute(_QUERIES["set_hub"].encode(), [hub_id, codes, hub_id])
    rows = connection.execute(_QUERIES["devices"].encode(), [codes]).fetchall()
    found = {code: device_id for code, device_id, retired in rows if retired is None}
    if lost := sorted(set(codes) - set(found)):
        raise ProvisioningError(
            f"device {lost[0]!r} ({len(lost)} in all) is retired or belongs to another organisation; "
            "use other device codes, or another organisation"
        )
    return found, new


def _assigned(
    connection: psycopg.Connection[Any], devices: Sequence[DeviceEntry], device_ids: Mapping[str, int]
) -> dict[str, int]:
    """Find the people who hold these devices already."""
    slots = {(device_ids[d.code], user): key for d in devices for user, key in d.holders.items()}
    rows = connection.execute(
        _QUERIES["holders"].encode(),
        [list(device_ids.values())],
    ).fetchall()
    return {slots[d, u]: p for d, u, p in rows if (d, u) in slots}


def _register_people(
    connection: psycopg.Connection[Any], organisation_id: int, site_id: int, people: Sequence[Person]
) -> dict[str, int]:
    taken = {number for (number,) in connection.execute(_QUERIES["numbers_taken"].encode()).fetchall()}
    numbers = []
    for person in people:
        number = next((n for n in nhs_numbers(person.key) if n not in taken), None)
        if number is None:
            raise ProvisioningError("no NHS number of the range 999 is left in this organisation; use another one")
        taken.add(number)
        numbers.append(number)
    rows = connection.execute(
        _QUERIES["add_patients"].encode(),
        [
            organisation_id,
            site_id,
            [p.family_name for p in people],
            [p.given_name for p in people],
            numbers,
            [p.born_on for p in people],
            [p.sex for p in people],
            [p.spo2_scale for p in people],
        ],
    ).fetchall()
    by_number = dict(rows)
    return {p.key: by_number[n] for p, n in zip(people, numbers, strict=True)}


def _assign(
    connection: psycopg.Connection[Any],
    organisation_id: int,
    devices: Sequence[DeviceEntry],
    device_ids: Mapping[str, int],
    patients: Mapping[str, int],
) -> None:
    """Assign what nobody holds, for all time: a recording's dates may lie anywhere."""
    slots = [(device_ids[d.code], user, patients[key]) for d in devices for user, key in d.holders.items()]
    connection.execute(
        _QUERIES["assign"].encode(),
        [organisation_id, [s[0] for s in slots], [s[1] for s in slots], [s[2] for s in slots]],
    )


def _enrol(connection: psycopg.Connection[Any], organisation_id: int, pathway_id: int, patients: Iterable[int]) -> None:
    chosen = list(patients)
    connection.execute(
        _QUERIES["leave_other_pathways"].encode(),
        [chosen, pathway_id],
    )
    try:
        connection.execute(
            _QUERIES["enrol"].encode(),
            [organisation_id, pathway_id, chosen],
        )
    except psycopg.errors.CheckViolation as exc:
        raise ProvisioningError(exc.diag.message_primary or str(exc)) from exc

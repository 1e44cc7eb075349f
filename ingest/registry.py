"""Who may send, to whom does a device belong at an instant, and by which policy is that patient scored?

Everything is held in memory as arrays indexed by id and one dictionary of device codes, so that half a million patients
fit; it is read whole with a few queries, and again when the database says that something changed.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any
from zoneinfo import ZoneInfoNotFoundError

import numpy as np
import psycopg
import structlog
from numpy.typing import NDArray
from psycopg_pool import ConnectionPool

from alerts.bank import PolicyBank
from alerts.documents import Policy
from alerts.notation import PolicyError
from alerts.overrides import own_policy
from alerts.policy import parse_version
from alerts.state import PERSON
from alerts.zones import Zones
from ingest.residents import Residents
from ingest.sql import QUERIES

CHANNEL = "homeward_registry"
UNSCORED = -1
"""In place of a policy's index: the patient is on no pathway; observations are stored and not scored."""
_SETTLE_S = 0.1

log = structlog.get_logger()


@dataclass(frozen=True)
class Registry:
    """One reading of the registry; never changed, only replaced.

    Attributes
    ----------
    device_of : dict of device code → device_id
    device_organisation, hub : int32 arrays, indexed by device_id
        0: no such device; no hub.
    spoken_for : int array, indexed by device_id
        How many devices a hub speaks for; 0 for what is no hub.
    retired, by_hand : bool arrays, indexed by device_id
    zones : dict of device code → time zone
        Of those whose record states one; their clocks show that local time.
    wearer_key : int64 array, shape (A,)
        device_id and user of each assignment as one number, ascending; then the arrays of the same order:
    wearer, since, until : int arrays, shape (A,)
        The patient, and from which instant to before which.
    patient_organisation : int32 array, indexed by patient_id
        0: no such patient.
    people : array of PERSON, indexed by patient_id
        ``policy`` is `UNSCORED` where the patient is on no pathway.
    bank : PolicyBank
        The policies in force, and behind them those that are somebody's own.
    residents : Residents
        Who is meant by a code.
    """

    device_of: dict[str, int]
    device_organisation: NDArray[np.int32]
    hub: NDArray[np.int32]
    spoken_for: NDArray[np.intp]
    retired: NDArray[np.bool_]
    by_hand: NDArray[np.bool_]
    wearer_key: NDArray[np.int64]
    wearer: NDArray[np.int32]
    since: NDArray[np.int64]
    until: NDArray[np.int64]
    patient_organisation: NDArray[np.int32]
    people: NDArray[np.void]
    bank: PolicyBank
    zones: dict[str, str]
    residents: Residents

    def wearers(self, device: NDArray[np.int32], user: NDArray[np.int32], at: NDArray[np.int64]) -> NDArray[np.int32]:
        """Find whose the observations of a device and its user are at an instant; 0 where nobody's."""
        found = np.zeros(len(device), np.int32)
        if not len(self.wearer_key):
            return found
        key = wearer_key(device, user)
        position = np.searchsorted(self.wearer_key, key)
        last = np.searchsorted(self.wearer_key, key, side="right")
        # almost every device has one wearer; the loop turns as often as the most passed-on device changed hands
        open_ = np.flatnonzero(position < last)
        while len(open_):
            here = position[open_]
            fits = (self.since[here] <= at[open_]) & (at[open_] < self.until[here])
            found[open_[fits]] = self.wearer[here[fits]]
            position[open_] += 1
            open_ = open_[~fits & (position[open_] < last[open_])]
        return found


def wearer_key(device: NDArray[np.int32], user: NDArray[np.int32]) -> NDArray[np.int64]:
    """Give one number for a device and one of its users, ordered like the pair."""
    return device.astype(np.int64) << 16 | user


def read_registry(connection: psycopg.Connection) -> Registry:
    """Read everything in one consistent view."""
    with connection.transaction():
        connection.execute("set transaction isolation level repeatable read, read only")
        devices = connection.execute(QUERIES["devices"], binary=True).fetchall()
        assignments = connection.execute(QUERIES["assignments"], binary=True).fetchall()
        placements = connection.execute(QUERIES["placements"], binary=True).fetchall()
        people = connection.execute(QUERIES["people"], binary=True).fetchall()
        policies = connection.execute(QUERIES["policies_in_force"]).fetchall()
        overrides = connection.execute(QUERIES["overrides_in_force"]).fetchall()
    device_id = _column(devices, 0, np.int32)
    patient_id = _column(people, 0, np.int32)
    own = {row[0]: row[1:] for row in overrides}
    persons = np.zeros(len(people), PERSON)
    persons["spo2_scale"] = [own.get(row[0], _NOTHING)[1] or row[2] for row in people]
    zones, persons["zone"] = _zones([row[6] for row in people])
    bank, persons["policy"] = _compile(policies, people, own, zones)
    persons["enrolled_at"] = _column(people, 4, np.int64)
    nobody = np.zeros(1, PERSON)
    nobody["policy"] = UNSCORED
    key = wearer_key(_column(assignments, 0, np.int32), _column(assignments, 1, np.int32))
    hub = _by_id(device_id, _column(devices, 2, np.int32))
    return Registry(
        device_of={row[3]: row[0] for row in devices},
        device_organisation=_by_id(device_id, _column(devices, 1, np.int32)),
        hub=hub,
        spoken_for=np.bincount(hub[hub > 0], minlength=len(hub)),
        by_hand=_by_id(device_id, _column(devices, 4, np.bool_)),
        retired=_by_id(device_id, _column(devices, 5, np.bool_)),
        wearer_key=key,
        wearer=_column(assignments, 2, np.int32),
        since=_column(assignments, 3, np.int64),
        until=_column(assignments, 4, np.int64),
        patient_organisation=_by_id(patient_id, _column(people, 1, np.int32)),
        people=_by_id(patient_id, persons, nobody[0]),
        bank=bank,
        zones={row[3]: row[6] for row in devices if row[6] is not None},
        residents=Residents.of(people, _by_id(patient_id, _column(people, 7, np.int32)), placements),
    )


_Own = tuple[str, int | None, int | None]
_NOTHING: _Own = ("{}", None, None)
"""A person's own document, SpO2 scale and usual NEWS2, where there is none."""


def _compile(
    rows: list[tuple[int, int, str]], people: list[tuple[Any, ...]], own: dict[int, _Own], zones: Zones
) -> tuple[PolicyBank, list[int]]:
    """Give one row of the bank to each policy and to each that is somebody's own, and the row of each person."""
    policies: list[Policy] = []
    index_of: dict[tuple[int, str, int | None], int] = {}
    for policy_id, version, document in rows:
        try:
            policies.append(parse_version(document, policy_id, version))
        except PolicyError:
            # published by a newer program, or by hand: its patients are stored unscored, and the operators told
            log.error("policy cannot be used", action="policy_refused", policy_id=policy_id)
        else:
            index_of[policy_id, "{}", None] = len(policies) - 1
    found = []
    for row in people:
        document, _, usual = own.get(row[0], _NOTHING)
        usual = row[5] if usual is None else usual
        shared = index_of.get((row[3], "{}", None), UNSCORED)
        key = (row[3], document, usual)
        if key not in index_of and shared != UNSCORED:
            index_of[key] = _personal_row(policies, shared, document, usual)
        found.append(index_of.get(key, UNSCORED))
    return PolicyBank(policies, zones), found


def _zones(names: list[str]) -> tuple[Zones, list[int]]:
    """Give the table of the zones that there are, and each person's place in it; what is no zone counts as UTC."""
    place = {"UTC": 0}
    for name in set(names):
        try:
            Zones.of([name])
        except (ZoneInfoNotFoundError, ValueError):
            log.error("site has no such time zone", action="time_zone_refused", time_zone=name)
        else:
            place.setdefault(name, len(place))
    return Zones.of(list(place)), [place.get(name, 0) for name in names]


def _personal_row(policies: list[Policy], shared: int, document: str, usual: int | None) -> int:
    whole = policies[shared]
    try:
        policy = own_policy(whole.text, whole.policy_id, whole.version, document, usual)
    except PolicyError:
        # a later version of the policy permits it no more: the shared one scores, and the operators are told
        log.error("personal override cannot be used", action="override_refused", policy_id=whole.policy_id)
        return shared
    if policy.document == whole.document:
        return shared
    policies.append(policy)
    return len(policies) - 1


def _column(rows: list[tuple[Any, ...]], position: int, kind: type[np.generic]) -> NDArray[Any]:
    return np.fromiter((row[position] for row in rows), kind, len(rows))


def _by_id(ids: NDArray[np.int32], values: NDArray[Any], default: Any = 0) -> NDArray[Any]:
    out = np.full(int(ids.max(initial=0)) + 1, default, values.dtype)
    out[ids] = values
    return out


class RegistryKeeper:
    """The registry that is current, read again when the database announces a change.

    Parameters
    ----------
    pool : ConnectionPool
        Of the ingest role. One connection listens as long as the keeper runs.
    """

    def __init__(self, pool: ConnectionPool) -> None:
        self._pool = pool
        self._reading = threading.Lock()
        self._registry: Registry | None = None

    @property
    def registry(self) -> Registry:
        """The newest reading; the first one is made now if there was none."""
        return self._registry or self.read_again()

    def read_again(self) -> Registry:
        """Read the registry now."""
        with self._reading:
            started = time.monotonic()
            with self._pool.connection() as connection:
                found = read_registry(connection)
            self._registry = found
        log.info(
            "registry read",
            action="registry_read",
            devices=len(found.device_of),
            policies=len(found.bank.policies),
            seconds=round(time.monotonic() - started, 3),
        )
        return found

    def read_if_known_now(
        self,
        codes: Iterable[str],
        devices: NDArray[np.int32],
        users: NDArray[np.int32],
        at: NDArray[np.int64],
        residents: Iterable[str] = (),
    ) -> bool:
        """Read again where an unknown sender or resident, or an unassigned device, has been entered since; say so."""
        parameters = {
            "residents": list(residents),
            "codes": list(codes),
            "devices": devices.tolist(),
            "users": users.tolist(),
            "times": at.tolist(),
        }
        with self._pool.connection() as connection:
            row = connection.execute(QUERIES["known_now"], parameters).fetchone()
        if row is None or not row[0]:
            return False
        self.read_again()
        return True

    def watch(self, stop: threading.Event) -> None:
        """Read again at each announcement until ``stop``; survives a lost database."""
        while not stop.is_set():
            try:
                with self._pool.connection() as connection:
                    self._listen(connection, stop)
            except psycopg.Error:
                log.warning("registry not watched, the database is away", action="registry_unwatched")
                stop.wait(1)

    def _listen(self, connection: psycopg.Connection, stop: threading.Event) -> None:
        connection.autocommit = True
        try:
            connection.execute(f"listen {CHANNEL}".encode())
            self.read_again()  # whatever was announced while nobody listened
            while not stop.is_set():
                if list(connection.notifies(timeout=0.5, stop_after=1)):
                    # a registration is several statements: what follows at once is read together
                    list(connection.notifies(timeout=_SETTLE_S))
                    self.read_again()
        finally:
            if not connection.closed:
                connection.execute("unlisten *")
                connection.autocommit = False

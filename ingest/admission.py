"""From whom is each message, whose are its values, and may they be stored?

What devices sent becomes one `ObservationBatch`; whatever cannot be stored becomes a rejection with its reason. Every
value ends in one of the two. Single messages cost a dictionary look-up each; the rest is done on whole arrays.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ingest.device_clocks import Heard
from ingest.formats import detect, native
from ingest.formats.decoded import Decoded, Rejection
from ingest.limits import FUTURE_TOLERANCE, OLDEST
from ingest.registry import Registry, RegistryKeeper
from ingest.residents import RESIDENT_CODE
from schemas import topic as topics
from schemas.observation import Flag, ObservationBatch
from schemas.quarantine import Reason
from schemas.vital_signs import BY_NAME, CATALOGUE, PLAUSIBLE_HIGH, PLAUSIBLE_LOW

_UPPER, _LOWER = BY_NAME["bp_systolic"].code, BY_NAME["bp_diastolic"].code
_UNKNOWN, _FORBIDDEN = -1, -2
_PREFIX = f"{topics.PREFIX}/"
_STREAMS = frozenset(topics.Stream)


@dataclass(slots=True)
class Incoming:
    """One message as it came: ``received_at`` in microseconds UTC; ``sender`` is the device code in the topic.

    ``patient`` is stated where a person enters observations for somebody; otherwise (0) the device's wearer counts.
    """

    topic: str
    payload: bytes
    received_at: int
    sender: str
    patient: int = 0

    @classmethod
    def from_topic(cls, topic: str, payload: bytes, received_at: int) -> Incoming:
        """Take the sender from the topic; one that means nothing here has no sender."""
        # not topics.parse: that costs more than decoding the payload, and a code is looked up in the registry anyway
        parts = topic.split("/")
        ours = len(parts) == 5 and topic.startswith(_PREFIX) and parts[4] in _STREAMS
        return cls(topic, payload, received_at, parts[3] if ours else topics.foreign_sender(topic) or "")


@dataclass(frozen=True)
class Admitted:
    """What of M messages may be stored.

    Attributes
    ----------
    messages : sequence of Incoming, length M
    batch : ObservationBatch of N
    message : int array, shape (N,)
        Which message each observation came in.
    rejections : list of Rejection
    sequences : list of (message, sequence)
        Numbers that senders gave their observation sets.
    registry : Registry
        By which this was decided; the same scores the observations.
    heard : Heard, optional
        What the messages say of their devices' clocks.
    """

    messages: Sequence[Incoming]
    batch: ObservationBatch
    message: NDArray[np.intp]
    rejections: list[Rejection]
    registry: Registry
    sequences: Sequence[tuple[int, int]] = ()
    heard: Heard | None = None


def admit(messages: Sequence[Incoming], keeper: RegistryKeeper) -> Admitted:
    """Decode messages and decide what may be stored, with a fresh registry where a sender is not known."""
    admission = _Admission(messages, _decode(messages, keeper.registry), keeper.registry)
    if admission.has_strangers and keeper.read_if_known_now(*admission.strangers()):
        # decoded anew: the time zone of a device that has just been registered is known only now
        admission = _Admission(messages, _decode(messages, keeper.registry), keeper.registry)
    return admission.result()


def _decode(messages: Sequence[Incoming], registry: Registry) -> Decoded:
    decoded, zones = Decoded(), registry.zones
    for position, message in enumerate(messages):
        # the common case asked here, without another call: this line is passed by every message of a country
        if not native.take(message.payload, position, decoded):
            detect.decode(message.payload, position, decoded, message.topic, message.sender, zones)
    return decoded


class _Admission:
    """One look at decoded messages by one registry: arrays over the S observation sets and their N values."""

    def __init__(self, messages: Sequence[Incoming], decoded: Decoded, registry: Registry) -> None:
        self._messages, self._decoded, self._registry = messages, decoded, registry
        self._rejections = list(decoded.rejections)
        self._message = np.array(decoded.message, np.intp)
        self._at = np.array(decoded.observed_at, np.int64)
        received = np.fromiter((m.received_at for m in messages), np.int64, len(messages))
        self._received = received[self._message]
        self._user = np.array(decoded.user, np.int32)
        self._device = self._devices()
        known = np.maximum(self._device, 0)
        stated = np.fromiter((m.patient for m in messages), np.int32, len(messages))[self._message]
        worn = np.where(stated > 0, stated, registry.wearers(known, self._user, self._at))
        self._patient = np.where(self._device > 0, worn, 0)
        self._disputed: dict[int, int] = {}
        for position, code in decoded.resident.items():
            self._name_resident(position, code)

    def _name_resident(self, position: int, code: str) -> None:
        """Give a set to the resident whom it names; where the device is somebody else's then, it is nobody's."""
        device = self._device[position]
        if device <= 0:
            return
        organisation = int(self._registry.device_organisation[device])
        named = self._registry.residents.find(organisation, int(device), code, int(self._at[position]))
        if named and self._patient[position] not in (0, named):
            self._disputed[position] = int(self._patient[position])
            named = 0
        self._patient[position] = named

    def _devices(self) -> NDArray[np.int32]:
        """Find the device of each set: the sender itself, or one that the sender, its hub, speaks for."""
        registry, messages = self._registry, self._messages
        device_of, hub = registry.device_of, registry.hub
        found = np.empty(len(self._message), np.int32)
        named = self._decoded.device
        for position, message in enumerate(self._decoded.message):
            sender = device_of.get(messages[message].sender, _UNKNOWN)
            name = named[position]
            if name is None or name == messages[message].sender or sender == _UNKNOWN:
                found[position] = sender
                continue
            device = device_of.get(name, _UNKNOWN)
            found[position] = device if device == _UNKNOWN or hub[device] == sender else _FORBIDDEN
        retired = (found > 0) & registry.retired[np.maximum(found, 0)]
        found[retired] = _UNKNOWN
        return found

    @property
    def has_strangers(self) -> bool:
        """Whether a device is not known, or nobody's."""
        return bool((self._patient == 0).any()) or bool(self._unzoned())

    def strangers(self) -> tuple[list[str], NDArray[np.int32], NDArray[np.int32], NDArray[np.int64], list[str]]:
        """Give the codes that are not known, the devices that are nobody's, their users and instants, and residents."""
        unknown = np.flatnonzero(self._device < 0)
        codes = {self._decoded.device[i] or "" for i in unknown}
        codes |= {self._messages[self._decoded.message[i]].sender for i in unknown}
        codes |= self._unzoned()
        codes = {c for c in codes if topics.DEVICE_CODE.match(c) and c not in self._registry.device_of}
        nobodys = np.flatnonzero((self._device > 0) & (self._patient == 0))
        known = {code for _, code in self._registry.residents.patient_of} if self._decoded.resident else set()
        residents = {c for c in self._decoded.resident.values() if RESIDENT_CODE.match(c) and c not in known}
        # a set that names a resident waits for them, not for a wearer of its device
        nobodys = nobodys[[i not in self._decoded.resident for i in nobodys]]
        return sorted(codes), self._device[nobodys], self._user[nobodys], self._at[nobodys], sorted(residents)

    def _unzoned(self) -> set[str]:
        """Give the codes that are not known, of devices whose local time could not be read for that."""
        refused = [r for r in self._decoded.rejections if r.reason is Reason.TIME_WITHOUT_ZONE]
        codes = {r.device or self._messages[r.message].sender for r in refused}
        return codes - self._registry.device_of.keys()

    def result(self) -> Admitted:
        """Reject what must be, and give the rest as one batch."""
        size = np.array(self._decoded.size, np.intp)
        self._set = np.repeat(np.arange(len(size)), size)
        self._vital = np.array(self._decoded.vital, np.int16)
        self._value = np.array(self._decoded.value, np.float64)
        refused = self._refuse_sets(size)
        kept = ~(refused[self._set] | self._refuse_values(refused))
        flags = np.array(self._decoded.flags, np.int16)
        flags[self._registry.by_hand[np.maximum(self._device, 0)]] |= Flag.BY_HAND
        of_set = self._set[kept]
        batch = ObservationBatch(
            self._patient[of_set],
            self._device[of_set],
            self._vital[kept],
            self._at[of_set],
            self._received[of_set],
            self._value[kept],
            flags[of_set],
        )
        return Admitted(
            self._messages,
            batch,
            self._message[of_set],
            self._rejections,
            self._registry,
            self._decoded.sequences,
            self._heard(flags),
        )

    def _heard(self, flags: NDArray[np.int16]) -> Heard:
        """Say what the sets tell of their devices' clocks; a person's entry by hand tells nothing."""
        known = np.flatnonzero((self._device > 0) & ((flags & Flag.BY_HAND) == 0))
        received = self._received[known]
        return Heard(self._device[known], received - self._at[known], (flags[known] & Flag.CLOCK_UNSET) != 0, received)

    def _refuse_sets(self, size: NDArray[np.intp]) -> NDArray[np.bool_]:
        """Reject whole sets for their time, sender or wearer; shape (S,)."""
        early, late = self._received - self._at > OLDEST, self._at - self._received > FUTURE_TOLERANCE
        unknown, forbidden = self._device == _UNKNOWN, self._device == _FORBIDDEN
        refused: NDArray[np.bool_] = early | late | (self._patient == 0)
        for i in np.flatnonzero(refused):
            sender = self._messages[self._decoded.message[i]].sender
            code = self._decoded.device[i] or sender
            ahead = (self._at[i] - self._received[i]) / 1_000_000
            if unknown[i]:
                reason, detail = Reason.UNKNOWN_DEVICE, f"device {code!r}: not registered, or retired"
            elif forbidden[i]:
                reason, detail = Reason.NOT_PERMITTED, f"device {code!r}: sent by {sender!r}, which is not its hub"
            elif late[i]:
                reason, detail = Reason.FUTURE_TIME, f"time: {ahead:.0f} s ahead; the clock of device {code!r} is wrong"
            elif early[i]:
                reason, detail = Reason.TOO_OLD, f"time: {-ahead / 86_400:.0f} days ago; expected at most a year"
            elif i in self._disputed:
                reason = Reason.CONTRADICTORY
                detail = f"resident: names somebody other than whose device {code!r} was; expected one of the two"
            elif i in self._decoded.resident:
                reason = Reason.UNASSIGNED
                detail = f"device {code!r}: nobody of the code it names lived where it was at that time"
            else:
                reason, detail = Reason.UNASSIGNED, f"device {code!r}, user {self._user[i]}: nobody's at that time"
            self._reject(i, reason, detail, int(size[i]))
        return refused

    def _refuse_values(self, refused: NDArray[np.bool_]) -> NDArray[np.bool_]:
        """Reject single values that no device can measure, and pairs that exclude each other; shape (N,)."""
        vital, value, of_set = self._vital, self._value, self._set
        implausible = ~((value >= PLAUSIBLE_LOW[vital]) & (value <= PLAUSIBLE_HIGH[vital]))
        for i in np.flatnonzero(implausible & ~refused[of_set]):
            sign = CATALOGUE[vital[i] - 1]
            detail = (
                f"{sign.name}: {value[i]:g}; expected {sign.plausible_low:g} to {sign.plausible_high:g} {sign.unit}"
            )
            self._reject(of_set[i], Reason.IMPLAUSIBLE, detail, 1)
        pressures = np.full((2, len(refused)), np.nan)
        for row, code in enumerate((_UPPER, _LOWER)):
            here = (vital == code) & ~implausible
            pressures[row, of_set[here]] = value[here]
        crossed = (pressures[0] <= pressures[1]) & ~refused
        for i in np.flatnonzero(crossed):
            detail = f"bp_systolic {pressures[0, i]:g} is not above bp_diastolic {pressures[1, i]:g}"
            self._reject(i, Reason.CONTRADICTORY, detail, 2)
        wrong: NDArray[np.bool_] = implausible | (crossed[of_set] & ((vital == _UPPER) | (vital == _LOWER)))
        return wrong

    def _reject(self, one_set: np.intp, reason: Reason, detail: str, observations: int) -> None:
        code = self._decoded.device[one_set]
        self._rejections.append(Rejection(self._decoded.message[one_set], reason, detail, observations, code))

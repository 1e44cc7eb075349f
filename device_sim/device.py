"""What do devices make of a person's vital signs: when are they used, what do they say, and when does it arrive?

Pure and seeded like the physiology below it: a use of a device depends on the seed, the device and the instant alone.
Times come in three kinds: when it truly was (``at``), what the device's own clock says (``stated_at``) and when the
connection lets it go (``sent_at``): what was observed during a lost connection is sent in a burst at its end.
"""

from __future__ import annotations

import tomllib
from collections.abc import Sequence
from dataclasses import dataclass, fields
from functools import cache
from importlib import resources

import msgspec
import numpy as np
from numpy.typing import NDArray

from device_sim import draws
from device_sim.faults import MINUTE_US, SECOND_US, connected, disturb, faults_of, slip_off
from device_sim.physiology import DAY_US, HOUR_US, Population, vital_signs
from device_sim.scenario import NEVER, Faults, Story, departures
from schemas.observation import Flag
from schemas.vital_signs import BY_NAME, CATALOGUE, VITALS

# A clock that lost its battery begins at 2000-01-01.
_SINCE_BATTERY = 946_684_800 * SECOND_US


class DeviceModel(msgspec.Struct, forbid_unknown_fields=True, frozen=True):
    """One type of device; the comments are in ``devices.toml``."""

    kind: str
    measures: list[str]
    used: float
    noise: dict[str, float]
    only_with: str = ""
    hours: list[float] = []
    every_s: float = 0.0
    spread_minutes: float = 0.0


class Devices(msgspec.Struct, forbid_unknown_fields=True, frozen=True):
    """The whole of ``devices.toml``."""

    device: dict[str, DeviceModel]
    kit: dict[str, list[str]]
    pathway: dict[str, str]
    faults: Faults


@cache
def load_devices() -> Devices:
    """Read the device types once and refuse names that do not exist."""
    text = resources.files("device_sim").joinpath("devices.toml").read_text(encoding="utf-8")
    found = msgspec.convert(tomllib.loads(text), Devices)
    for name, model in found.device.items():
        if unknown := sorted({*model.measures, *model.noise} - set(BY_NAME)):
            raise ValueError(f"devices.toml: device.{name}: {', '.join(unknown)} not in the catalogue of vital signs")
        if bool(model.hours) == bool(model.every_s):
            raise ValueError(f"devices.toml: device.{name}: give either hours or every_s")
    if unknown := sorted({d for kit in found.kit.values() for d in kit} - set(found.device)):
        raise ValueError(f"devices.toml: [kit] names {', '.join(unknown)}, which is no device")
    return found


def kit_for(pathway: str | None) -> str:
    """Name the kit that suits a pathway."""
    return load_devices().pathway.get(pathway or "", "home")


@dataclass(frozen=True)
class DeviceTable:
    """D devices in use, one row for each device and user: a shared device has two rows with the same code.

    Parameters
    ----------
    code : list of str, length D
        As in topics and in the registry.
    model : list of str, length D
        Type in ``devices.toml``.
    row : intp array, shape (D,)
        Whose it is.
    user : int16 array, shape (D,)
        Which user of a shared device; 0 where it has one alone.
    key : uint64 array, shape (D,)
        What every draw of the device starts from; the rows of a shared device have the same one.
    """

    code: list[str]
    model: list[str]
    row: NDArray[np.intp]
    user: NDArray[np.int16]
    key: NDArray[np.uint64]

    def __len__(self) -> int:
        return len(self.code)


def equip(people: Population, codes: Sequence[str], kits: Sequence[str], partner: NDArray[np.intp]) -> DeviceTable:
    """Give each person the devices of a kit; the second of a couple uses the first one's.

    Parameters
    ----------
    people : Population
    codes : sequence of str, length P
        The people's own codes; a device's code is made from its owner's.
    kits : sequence of str, length P
    partner : intp array, shape (P,)
        Row of the person whose devices are used; one's own row where nothing is shared.
    """
    devices = load_devices()
    code, model, row, user = [], [], [], []
    couple = {int(p) for i, p in enumerate(partner) if p != i}
    for i in range(len(people)):
        owner = int(partner[i])
        for name in devices.kit[kits[owner]]:
            needed = devices.device[name].only_with
            if needed and not people.conditions[needed][i]:
                continue
            code.append(f"{codes[owner]}-{name.replace('_', '-')}")
            model.append(name)
            row.append(i)
            user.append(0 if i == owner and i not in couple else 1 if i == owner else 2)
    numbers = {name: k for k, name in enumerate(devices.device)}
    rows = np.array(row, np.intp)
    owners = people.key[partner[rows]] if len(rows) else np.empty(0, np.uint64)
    key = owners ^ np.array([numbers[m] + 1 for m in model], np.uint64) if len(rows) else owners
    return DeviceTable(code, model, rows, np.array(user, np.int16), key)


@dataclass(frozen=True)
class Uses:
    """N uses of devices, each of which becomes one message.

    Parameters
    ----------
    slot : intp array, shape (N,)
        Row in the device table.
    at, stated_at, sent_at : int64 array, shape (N,)
        True instant, what the device's clock says, when it is sent [µs since 1970 UTC].
    value : float array, shape (N, VITALS)
        What the device says, rounded to its resolution; NaN where it does not measure.
    flags : int16 array, shape (N,)
        Bits of `Flag`.
    """

    slot: NDArray[np.intp]
    at: NDArray[np.int64]
    stated_at: NDArray[np.int64]
    sent_at: NDArray[np.int64]
    value: NDArray[np.float64]
    flags: NDArray[np.int16]

    def __len__(self) -> int:
        return len(self.slot)

    def take(self, index: NDArray[np.intp] | NDArray[np.bool_]) -> Uses:
        """Choose uses by a mask or by positions."""
        return Uses(**{f.name: getattr(self, f.name)[index] for f in fields(self)})


def _planned(table: DeviceTable, name: str, start: int, end: int) -> tuple[NDArray[np.intp], NDArray[np.int64]]:
    """Find the uses of one type of device from `start` until before `end`."""
    model = load_devices().device[name]
    slots = np.flatnonzero(np.array(table.model) == name)
    # the two users of a shared device do not use it at the same instant
    person = table.key[slots] + table.user[slots].astype(np.uint64) * np.uint64(0x1000)
    if model.every_s:
        step = int(model.every_s * SECOND_US)
        phase = (draws.uniform(person, "phase") * step).astype(np.int64)
        count = np.arange(start // step - 1, end // step + 1)
        planned = count[None, :] * step + phase[:, None]
        jitter = np.zeros_like(planned)
    else:
        days = np.arange(start // DAY_US - 1, end // DAY_US + 2)
        hours = np.array([int(h * HOUR_US) for h in model.hours], np.int64)
        planned = np.tile((days[:, None] * DAY_US + hours[None, :]).ravel(), (len(slots), 1))
        spread = draws.uniform(person[:, None], "jitter", planned) * 2 - 1
        jitter = (spread * model.spread_minutes * MINUTE_US).astype(np.int64)
    happens = draws.uniform(person[:, None], "used", planned) < model.used
    # devices state whole seconds
    at = (planned + jitter) // SECOND_US * SECOND_US
    chosen = happens & (at >= start) & (at < end)
    return np.broadcast_to(slots[:, None], at.shape)[chosen], at[chosen]


def _extra_checks(
    table: DeviceTable, story: Story, faults: dict[str, NDArray[np.float64]], start: int, end: int
) -> tuple[NDArray[np.intp], NDArray[np.int64]]:
    """A person who feels unwell measures the glucose every quarter of an hour until it is over."""
    slots = [
        i
        for i, model in enumerate(table.model)
        if "glucose" in load_devices().device[model].measures and faults["glucose_checks"][table.row[i]] > 0
    ]
    found_slots, found_at = [], []
    for slot in slots:
        onset, crisis = story.onset[table.row[slot]], story.crisis[table.row[slot]]
        if onset == NEVER or crisis == NEVER:
            continue
        at = onset + np.arange(1, 2 * (crisis - onset) // (15 * MINUTE_US), dtype=np.int64) * 15 * MINUTE_US
        at = at[(at >= start) & (at < end)]
        found_slots.append(np.full(len(at), slot, np.intp))
        found_at.append(at)
    if not found_slots:
        return np.empty(0, np.intp), np.empty(0, np.int64)
    return np.concatenate(found_slots), np.concatenate(found_at)


def observe(
    people: Population, story: Story, table: DeviceTable, start: int, end: int, *, sent_from: int | None = None
) -> Uses:
    """Use every device as its owner would from `start` until before `end` [µs since 1970 UTC].

    Where `sent_from` is given, only what is sent at that instant or later.

    Returns
    -------
    Uses
        In order of `at`, then of the device table.
    """
    faults = faults_of(story, load_devices().faults)
    planned = [_planned(table, name, start, end) for name in sorted(set(table.model))]
    planned.append(_extra_checks(table, story, faults, start, end))
    slot = np.concatenate([p[0] for p in planned])
    at = np.concatenate([p[1] for p in planned])
    sent_at = connected(people.key[table.row[slot]], {n: c[table.row[slot]] for n, c in faults.items()}, at)
    order = np.lexsort((slot, at))
    if sent_from is not None:
        order = order[sent_at[order] >= sent_from]
    slot, at, sent_at = slot[order], at[order], sent_at[order]
    rows = table.row[slot]
    key = table.key[slot] + table.user[slot].astype(np.uint64)
    fault = {name: column[rows] for name, column in faults.items()}
    truth = vital_signs(people, rows, at, departures(story, rows, at))
    value, flags = _measure(people, table, slot, at, key, truth)
    disturb(value, flags, fault, key, at)
    slip_off(value, fault, key, at, story.onset[rows])
    stated_at = at + (fault["clock_skew_s"] * draws.normal(table.key[slot], "skew") * SECOND_US).astype(np.int64)
    unset = draws.uniform(key, "unset", at) < fault["clock_unset"]
    flags |= np.where(unset, np.int16(Flag.CLOCK_UNSET), np.int16(0))
    stated_at = np.where(unset, _SINCE_BATTERY + at % DAY_US, stated_at) // SECOND_US * SECOND_US
    return Uses(slot, at, stated_at, sent_at, _rounded(value), flags)


def _measure(
    people: Population,
    table: DeviceTable,
    slot: NDArray[np.intp],
    at: NDArray[np.int64],
    key: NDArray[np.uint64],
    truth: NDArray[np.float64],
) -> tuple[NDArray[np.float64], NDArray[np.int16]]:
    """Keep what each device measures, with its noise."""
    value = np.full((len(slot), VITALS), np.nan)
    flags = np.zeros(len(slot), np.int16)
    models = np.array(table.model)[slot]
    for name in set(models.tolist()):
        model = load_devices().device[name]
        mine = np.flatnonzero(models == name)
        for vital in model.measures:
            noise = draws.normal(key[mine], f"noise {vital}", at[mine]) * model.noise.get(vital, 0.0)
            value[mine, BY_NAME[vital].code] = truth[mine, BY_NAME[vital].code] + noise
        if "bp_systolic" in model.measures:  # cuffs notice it in most of the uses
            irregular = people.conditions["atrial_fibrillation"][table.row[slot[mine]]]
            noticed = irregular & (draws.uniform(key[mine], "irregular", at[mine]) < 0.7)
            flags[mine] |= np.where(noticed, np.int16(Flag.IRREGULAR_PULSE), np.int16(0))
    return value, flags


def _rounded(value: NDArray[np.float64]) -> NDArray[np.float64]:
    """Round to each vital sign's resolution, and keep saturations and pulses within what a display can show."""
    value[:, BY_NAME["spo2"].code] = np.clip(value[:, BY_NAME["spo2"].code], 0.0, 100.0)
    for vital in CATALOGUE:
        column = np.round(value[:, vital.code] / vital.resolution) * vital.resolution
        value[:, vital.code] = np.round(column, vital.decimals)
    return value

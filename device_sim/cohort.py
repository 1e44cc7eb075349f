"""Who takes part in a simulated run, with which devices, and what do they send when?

A cohort puts physiology, story and devices together. Its history (as arrays) and its messages (as payloads) come from
the same draws, so a live run goes on exactly where the history of the same cohort ended.
"""

from __future__ import annotations

import heapq
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import msgspec
import numpy as np

from device_sim import draws
from device_sim import scenario as scenarios
from device_sim.device import DeviceModel, DeviceTable, Uses, equip, load_devices, observe
from device_sim.faults import OUTAGE_BLOCK_US
from device_sim.people import Person, portrait
from device_sim.physiology import HOUR_US, Population, populate
from device_sim.provisioning import DeviceEntry
from schemas.observation import QUALITY_WORDS, ObservationBatch
from schemas.vital_signs import CATALOGUE, PLAUSIBLE_HIGH, PLAUSIBLE_LOW

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_ENCODER = msgspec.json.Encoder()
# Uses are made for stretches of this many at a time: enough to be fast, few enough to stay small.
_USES_AT_ONCE = 4000
# What is sent later than this after it was observed had waited for a connection.
_KEPT_US = 60_000_000


@dataclass(frozen=True)
class Message:
    """One payload with what is needed to pace and count it.

    ``due`` and ``observed_at`` are in µs since 1970 UTC; ``observations`` says how many values the payload carries,
    ``is_backlog`` that it was kept for want of a connection.
    """

    due: int
    device: str
    observed_at: int
    payload: bytes
    observations: int
    is_backlog: bool = False


@dataclass(frozen=True)
class Cohort:
    """P simulated people, their story and their devices."""

    seed: int
    start: int
    people: Population
    story: scenarios.Story
    table: DeviceTable
    codes: list[str]
    kits: list[str]

    def __len__(self) -> int:
        return len(self.people)

    def persons(self) -> list[Person]:
        """Describe the people for the registry, under names that nobody bears."""
        day = EPOCH + timedelta(microseconds=self.start)
        return [
            portrait(
                code,
                int(key),
                female=bool(female),
                born_on=day.date() - timedelta(days=int(age) * 365 + int(key) % 365),
                spo2_scale=2 if copd else 1,
            )
            for code, key, female, age, copd in zip(
                self.codes,
                self.people.key,
                self.people.female,
                self.people.age,
                # a target of 88 to 92 % is set for some of the people with COPD only
                self.people.conditions["copd"] & (draws.uniform(self.people.key, "spo2 scale") < 0.4),
                strict=True,
            )
        ]

    def devices(self) -> list[DeviceEntry]:
        """List the devices with their users, as the registry needs them."""
        models = load_devices().device
        holders: dict[str, dict[int, str]] = {}
        kinds = {}
        for code, model, row, user in zip(
            self.table.code, self.table.model, self.table.row, self.table.user, strict=True
        ):
            holders.setdefault(code, {})[int(user)] = self.codes[row]
            kinds[code] = models[model].kind
        return [DeviceEntry(code, kinds[code], holders[code]) for code in holders]


def make_cohort(
    patients: int,
    scenario: str | Sequence[str],
    seed: int,
    start: int,
    *,
    kit: str | Sequence[str] = "home",
    under_way: tuple[float, float] | None = None,
) -> Cohort:
    """Put P people together.

    Parameters
    ----------
    patients : int
        How many; patient k is the same person in a cohort of any size.
    scenario : str or sequence of str, length P
        One scenario or mixture for all, or one for each.
    seed : int
    start : int
        Beginning of the run [µs since 1970 UTC]; onsets are reckoned from it.
    kit : str or sequence of str, length P
        Kit of ``devices.toml`` for all, or for each.
    under_way : (float, float), optional
        See `device_sim.scenario.tell`.
    """
    if patients < 1:
        raise ValueError(f"cohort: {patients} patients; give 1 or more")
    number = np.arange(patients)
    told = scenarios.allot(scenario, seed, number) if isinstance(scenario, str) else list(scenario)
    kits = [kit] * patients if isinstance(kit, str) else list(kit)
    if len(told) != patients or len(kits) != patients:
        raise ValueError(f"cohort: {len(told)} scenarios and {len(kits)} kits for {patients} patients; give one each")
    if unknown := sorted(set(kits) - set(load_devices().kit)):
        raise ValueError(f"cohort: no kit {', '.join(unknown)}; expected one of {', '.join(load_devices().kit)}")
    ages = np.array([scenarios.load(s).age for s in told]).reshape(patients, 2)
    given = [frozenset(scenarios.load(s).conditions) for s in told]
    people = populate(seed, number.tolist(), ages, given)
    partner = number.astype(np.intp)
    for i in range(1, patients, 2):
        if scenarios.load(told[i]).shared and told[i - 1] == told[i]:
            partner[i] = i - 1
    # 40 bits of the key: no two patients of a run, or of two runs, are likely to have the same code
    codes = [f"s{int(k) >> 24:010x}" for k in people.key]
    story = scenarios.tell(told, people.key, start, under_way)
    return Cohort(seed, start, people, story, equip(people, codes, kits, partner), codes, kits)


def history(
    cohort: Cohort,
    patient_ids: Sequence[int],
    device_ids: Mapping[str, int],
    start: int,
    end: int,
) -> ObservationBatch:
    """Give what ingest would hold at `end` of a run that began at `start`: plausible observations already sent.

    Parameters
    ----------
    cohort : Cohort
    patient_ids : sequence of int, length P
        The registry's ids of the cohort's people, in their order.
    device_ids : mapping of str to int
        The registry's ids by device code.
    start, end : int
        First and last instant [µs since 1970 UTC]; `messages` with ``start=end`` goes on from here.

    Returns
    -------
    ObservationBatch
        In order of ``observed_at``.
    """
    uses = observe(cohort.people, cohort.story, cohort.table, start, end)
    uses = uses.take(uses.sent_at < end)
    plausible = (uses.value >= PLAUSIBLE_LOW) & (uses.value <= PLAUSIBLE_HIGH)
    plausible &= (np.abs(uses.stated_at - uses.at) < HOUR_US)[:, None]  # an unset clock's would be in quarantine
    n, vital = np.nonzero(plausible)
    slots = uses.slot[n]
    patient = np.asarray(patient_ids, np.int32)[cohort.table.row[slots]]
    device = np.array([device_ids[c] for c in cohort.table.code], np.int32)[slots]
    order = np.argsort(uses.stated_at[n], kind="stable")
    batch = ObservationBatch.of(
        patient, device, vital, uses.stated_at[n], uses.sent_at[n], uses.value[n, vital], uses.flags[n]
    )
    return batch.take(order)


def messages(cohort: Cohort, start: int, end: int | None = None) -> Iterator[Message]:
    """Yield what the cohort sends from `start` until before `end` (or for ever), in order of sending.

    What was observed before `start` while the connection was lost, and is sent after it, is part of it.
    """
    if not len(cohort.table):  # nobody has a device: without an end, the search for a first message would have none
        return
    waiting: list[tuple[int, int, Message]] = []
    counter = 0
    stretch_us = _stretch(cohort)
    begin = start - OUTAGE_BLOCK_US
    while end is None or begin < end:
        # little of what lies before the start is still waiting, so its stretches may be long
        until = begin + stretch_us if begin >= start else min(begin + 32 * stretch_us, start)
        uses = observe(cohort.people, cohort.story, cohort.table, begin, until, sent_from=start)
        for message in _payloads(cohort, uses):
            heapq.heappush(waiting, (message.due, counter, message))
            counter += 1
        while waiting and waiting[0][0] < (until if end is None else min(until, end)):
            yield heapq.heappop(waiting)[2]
        begin = until


def _stretch(cohort: Cohort) -> int:
    """How long a stretch holds about `_USES_AT_ONCE` uses [µs]: between a second and six hours."""
    models = load_devices().device
    per_hour = sum(_uses_per_hour(models[m]) for m in cohort.table.model)
    return int(np.clip(_USES_AT_ONCE / max(per_hour, 1e-9) * HOUR_US, 1_000_000, 6 * HOUR_US))


def _uses_per_hour(model: DeviceModel) -> float:
    return 3600 / model.every_s if model.every_s else len(model.hours) / 24


def _payloads(cohort: Cohort, uses: Uses) -> Iterator[Message]:
    measured = ~np.isnan(uses.value)
    for i in range(len(uses)):
        slot = int(uses.slot[i])
        code = cohort.table.code[slot]
        user = int(cohort.table.user[slot])
        values = {v.name: float(uses.value[i, v.code]) for v in CATALOGUE if measured[i, v.code]}
        stated = int(uses.stated_at[i])
        body: dict[str, object] = {
            "id": f"{code}-{user}-{int(uses.at[i]) // 1_000_000}",
            "device": code,
            "time": (EPOCH + timedelta(microseconds=stated)).isoformat(),
            "values": values,
        }
        if user:
            body["user"] = user
        if quality := [word for word, flag in QUALITY_WORDS.items() if int(uses.flags[i]) & flag]:
            body["quality"] = quality
        was_kept = bool(uses.sent_at[i] - uses.at[i] > _KEPT_US)
        yield Message(int(uses.sent_at[i]), code, stated, _ENCODER.encode(body), len(values), was_kept)

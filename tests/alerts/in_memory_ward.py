"""How would a service feed the core, with plain Python in the place of the database?

Keeps observations, snapshots and episodes in dictionaries; what is late, which snapshot serves, and how transitions are
applied follows the writer's rules. Shared by the tests of the core.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, NamedTuple

import numpy as np

from alerts import state
from alerts.acts import NO_ACTS, Acts
from alerts.bank import PolicyBank
from alerts.documents import Policy, rule_key
from alerts.episodes import PHASES
from alerts.evaluate import Evaluation, History, evaluate
from alerts.state import WITHDRAWN
from alerts.zones import Zones
from schemas.observation import CORES_OWN, Flag, ObservationBatch
from schemas.vital_signs import BY_NAME, CATALOGUE

MINUTE = 60_000_000
HOUR = 60 * MINUTE
START = 1_760_000_000_000_000
DAY = START + 24 * HOUR
SPO2 = BY_NAME["spo2"].code


class Seen(NamedTuple):
    """One observation of the tests: minutes since the start, vital sign's code, device, value."""

    patient: int
    minute: float
    vital: int
    value: float
    device: int = 1
    flags: int = 0

    @property
    def at(self) -> int:
        """The instant in microseconds."""
        return START + round(self.minute * MINUTE)


@dataclass
class Ward:
    """A ward of patients 0 to P-1 under given policies."""

    policies: list[Policy]
    patients: int = 1
    spo2_scale: int = 1
    machines: Any = None
    stored: dict[tuple[int, int, int, int], tuple[float, int]] = field(default_factory=dict)
    shelf: dict[int, dict[int, Any]] = field(default_factory=dict)
    episodes: dict[tuple[int, str, int], dict[str, Any]] = field(default_factory=dict)
    events: dict[tuple[int, str, int], list[Any]] = field(default_factory=dict)
    reasons: dict[tuple[int, str, int], bytes] = field(default_factory=dict)
    too_late: int = 0
    acts: Acts = NO_ACTS
    zones: tuple[str, ...] = ("UTC",)

    def __post_init__(self) -> None:
        self.bank = PolicyBank(self.policies, Zones.of(self.zones))
        self.people = np.zeros(self.patients, state.PERSON)
        self.people["policy"] = np.arange(self.patients) % len(self.policies)
        self.people["spo2_scale"] = self.spo2_scale
        self.people["zone"] = np.arange(self.patients) % len(self.zones)
        self.people["enrolled_at"] = START
        self.machines = state.initial(self.patients)
        self.names = {rule_key(r.name): r.name for p in self.policies for r in p.rules}

    def feed(self, seen: list[Seen], now: int) -> Evaluation:
        """Give the ward one batch in any order; ``now`` is when it arrives."""
        new = list(dict.fromkeys(s for s in seen if (s.patient, s.at, s.vital, s.device) not in self.stored))
        late = {s.patient for s in new if s.at <= self.machines["last_at"][s.patient]}
        history, kept = self._history(late, new)
        result = evaluate(self.machines, _rows(kept), _batch(kept), self.bank, self.people, now, history, self.acts)
        self.machines = result.machines
        for s, flags in zip(kept, result.flags.tolist(), strict=True):
            self.stored[s.patient, s.at, s.vital, s.device] = (s.value, flags)
        if history is not None:
            for s, flags in zip(self._known, result.known_flags.tolist(), strict=True):
                self.stored[s.patient, s.at, s.vital, s.device] = (s.value, flags)
        shots = result.snapshots
        for row, at, machine in zip(shots.row.tolist(), shots.at.tolist(), shots.machines, strict=True):
            self.shelf.setdefault(row, {})[at] = machine.copy()
        self._apply(result)
        return result

    def _history(self, late: set[int], new: list[Seen]) -> tuple[History | None, list[Seen]]:
        rows, machines, self._known = [], [], []
        for patient in sorted(late):
            earliest = min(s.at for s in new if s.patient == patient)
            serving = max((at for at in self.shelf[patient] if at < earliest), default=None)
            if serving is None:
                self.too_late += 1
                raise AssertionError("the tests stay within the lateness")
            rows.append(patient)
            machines.append(self.shelf[patient][serving])
            self.shelf[patient] = {at: m for at, m in self.shelf[patient].items() if at <= serving}
            self._known += [
                Seen(p, (at - START) / MINUTE, v, value, d, flags & ~CORES_OWN)
                for (p, at, v, d), (value, flags) in self.stored.items()
                if p == patient and at > serving
            ]
        if not rows:
            return None, new
        return History(np.array(rows), np.array(machines, state.MACHINE), _batch(self._known), _rows(self._known)), new

    def _apply(self, result: Evaluation) -> None:
        for t in result.transitions:
            events = self.events.setdefault(self._key(t), [])
            if t["retracted"]:
                events.remove(next(e for e in events if said(e) == said(t)))
            elif t["phase"] != WITHDRAWN:
                events.append(t.copy())
        for t in result.reasons:
            self.reasons[self._key(t)] = why(t)
        for t in result.episodes:
            key = self._key(t)
            self.episodes[key] = {
                "phase": str(PHASES[int(t["phase"])]),
                "severity": int(t["severity"]),
                "peak": int(t["peak"]),
                "activated_at": int(t["activated_at"]),
                "at": max((int(e["at"]) for e in self.events[key]), default=0),
            }

    def _key(self, t: Any) -> tuple[int, str, int]:
        return int(t["row"]), self.names[int(t["rule"])], int(t["opened_at"])

    def told(self) -> list[tuple[Any, ...]]:
        """Give all that stands of what was told, in the order of time."""
        return sorted((key, int(e["at"]), said(e)) for key, events in self.events.items() for e in events)

    def standing(self) -> dict[tuple[int, str, int], dict[str, Any]]:
        """Give the episodes that were not withdrawn."""
        return {k: e for k, e in self.episodes.items() if e["phase"] != "withdrawn"}

    def silent(self, patient: int, rule: str) -> set[str]:
        """Give the vital signs that the state holds to be silent for a schedule that needs all."""
        slots = self.machines["slots"][patient]
        bits = int(slots["held_ms"][slots["rule"] == rule_key(rule), 0][0])
        return {v.name for v in CATALOGUE if bits >> v.code & 1}

    def flagged(self, flag: Flag = Flag.SUSPECTED_REPEAT) -> set[tuple[int, int, int, int]]:
        """Give the keys of the observations that the core has flagged."""
        return {k for k, (_, flags) in self.stored.items() if flags & flag}


def said(t: Any) -> tuple[int, int, int, bytes]:
    """Give what an event in an episode's history says."""
    return int(t["kind"]), int(t["at"]), int(t["severity"]), t["value"].tobytes()


def why(t: Any) -> bytes:
    """Give all that an explanation is made of."""
    return b"".join(t[name].tobytes() for name in ("kind", "at", "severity", "count", "value", "inputs", "window"))


def _rows(seen: list[Seen]) -> Any:
    return np.array([s.patient for s in seen], np.intp)


def _batch(seen: list[Seen]) -> ObservationBatch:
    at = [s.at for s in seen]
    return ObservationBatch.of(
        [s.patient for s in seen],
        [s.device for s in seen],
        [s.vital for s in seen],
        at,
        at,
        [s.value for s in seen],
        [s.flags for s in seen],
    )


def saturations(text: str, every: float = 10, patient: int = 0) -> list[Seen]:
    """Write a course of saturations as on a chart: values every ten minutes, ``.`` where none was taken."""
    return [Seen(patient, i * every, SPO2, float(v)) for i, v in enumerate(text.split()) if v != "."]


def story(ward: Ward, rule: str) -> list[tuple[str, int, int]]:
    """Give phase, severity and peak of a rule's standing episodes in the order of their beginning."""
    found = sorted((k[2], e) for k, e in ward.standing().items() if k[1] == rule)
    return [(e["phase"], e["severity"], e["peak"]) for _, e in found]


def distinct(seen: list[Seen]) -> list[Seen]:
    """What is seen, each at its instant by its device once."""
    return list({(s.patient, s.at, s.vital, s.device): s for s in seen}.values())

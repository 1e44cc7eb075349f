"""How do P packed records become arrays that a step can work on, and records again?

The packed record keeps one patient together, for the database; a step wants one field of all patients together. A
`Working` copies the fields out once, and back once, however many instants lie between.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from alerts.acts import Acts
from alerts.bank import PolicyBank
from alerts.state import ACTIVE, MACHINE, MEMORY, SLOT, SLOTS, take

_OWN = tuple(name for name in MACHINE.names or () if name not in ("version", "slots", "memories"))
_SLOT = tuple(SLOT.names or ())
_MEMORY = tuple(MEMORY.names or ())


class Working:
    """P patients' states and their policies' columns as contiguous arrays; row i is one patient throughout.

    ``stirring``, shape (P, R), says where a severity is latched or on its way.

    Attributes named like the fields of `alerts.state.MACHINE` have shape (P, …), those of `alerts.state.SLOT` shape
    (P, R, …) where R is the number of rules of the longest policy; a slot's last instant is ``slot_last_at``. Those of
    `alerts.state.MEMORY` begin with ``memory_``. ``pauses`` are beginnings and ends, ``resets`` instants and rules,
    each (P, K).
    """

    instants: NDArray[np.uint32]
    last_at: NDArray[np.int64]
    clock_at: NDArray[np.int64]
    recent_at: NDArray[np.int64]
    recent: NDArray[np.float64]
    rule: NDArray[np.uint32]
    phase: NDArray[np.uint8]
    severity: NDArray[np.uint8]
    peak: NDArray[np.uint8]
    basis: NDArray[np.uint8]
    opened_at: NDArray[np.int64]
    activated_at: NDArray[np.int64]
    slot_last_at: NDArray[np.int64]
    since: NDArray[np.int64]
    held_ms: NDArray[np.uint32]
    count: NDArray[np.uint16]
    latched: NDArray[np.uint8]
    memory_step: NDArray[np.int32]
    memory_count: NDArray[np.uint16]
    memory_mean: NDArray[np.float32]

    def __init__(self, machines: NDArray[np.void], bank: PolicyBank, people: NDArray[np.void], acts: Acts) -> None:
        self._machines, self._bank, self.width, self.zones = machines, bank, bank.width, bank.zones
        self.has_nights, self.courses, self.tables = bank.has_nights, bank.courses, bank.tables
        self.people = people
        self.pauses = acts.pauses_by_patient(len(people))
        self.resets = acts.resets_by_patient(len(people))
        for name in _OWN:
            setattr(self, name, np.ascontiguousarray(machines[name]))
        for name in _SLOT:
            setattr(self, _attribute(name), np.ascontiguousarray(machines["slots"][name][:, : self.width]))
        for name in _MEMORY:
            setattr(self, f"memory_{name}", np.ascontiguousarray(machines["memories"][name][:, : bank.courses]))
        self.policy: Mapping[str, NDArray[Any]] = _Columns(bank, people["policy"])
        self.each_due: NDArray[np.int64] | None = None  # kept by alerts.schedule
        self._pairs: dict[int, tuple[NDArray[np.intp], NDArray[np.intp]]] = {}
        self.stirring = (self.latched != 0).any(axis=2) | (self.count > 0).any(axis=2)
        # held by a rule that is latching no more
        self.stirring |= (self.phase == ACTIVE) & ~self.policy["latching"]

    def pairs_of(self, kind: int, n: int) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
        """Give the rows and slots of one rule family among the first ``n`` patients, in their order."""
        if kind not in self._pairs:
            row = slot = np.empty(0, np.intp)
            if kind in self._bank.has:
                row, slot = np.nonzero(self.policy["kind"] == kind)
            self._pairs[kind] = row, slot
        row, slot = self._pairs[kind]
        end = int(np.searchsorted(row, n))
        return row[:end], slot[:end]

    def records(self, rows: NDArray[np.intp]) -> NDArray[np.void]:
        """Copy some patients back into packed records; what nobody changes comes from the records they began as."""
        machines = take(self._machines, rows)
        for name in _OWN:
            machines[name] = getattr(self, name)[rows]
        for name in _SLOT[1:]:
            machines["slots"][name][:, : self.width] = getattr(self, _attribute(name))[rows]
        for name in _MEMORY[1:]:
            machines["memories"][name][:, : self._bank.courses] = getattr(self, f"memory_{name}")[rows]
        return machines

    def records_at_first(self, rows: NDArray[np.intp]) -> NDArray[np.void]:
        """Copy the records that some patients began as."""
        return take(self._machines, rows)


class _Columns(dict[str, NDArray[Any]]):
    """The columns of everybody's policy; one is made when it is first asked for, so that no unused family costs any."""

    def __init__(self, bank: PolicyBank, policy: NDArray[np.int32]) -> None:
        super().__init__()
        self._bank, self._policy = bank, policy
        self._alike = bool(len(policy)) and bool((policy == policy[0]).all())

    def __missing__(self, name: str) -> NDArray[Any]:
        column, policy = self._bank.columns[name], self._policy
        if column.shape[1:2] == (SLOTS,):
            column = column[:, : self._bank.width]
        # where all have the same policy, its row is not copied
        alike = (len(policy), *column.shape[1:])
        self[name] = np.broadcast_to(column[policy[0]], alike) if self._alike else column[policy]
        return self[name]


def _attribute(name: str) -> str:
    return "slot_last_at" if name == "last_at" else name

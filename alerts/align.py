"""How does a patient's state follow when the policy in force changes?

Rules are known by the key of their name. A rule that the new version still has keeps its state, wherever it stands; one
that is gone resolves its episode; a new one begins from nothing.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from alerts.bank import PolicyBank
from alerts.episodes import EASED, TRANSITION
from alerts.state import IDLE, MEMORY, RESOLVED, SLOT


def align(
    machines: NDArray[np.void], bank: PolicyBank, people: NDArray[np.void]
) -> tuple[NDArray[np.void], NDArray[np.void]]:
    """Give the states with their slots in the order of their policies' rules, and the transitions of lost rules."""
    wanted = bank.columns["rule"][people["policy"]]
    _name(machines["slots"]["rule"], wanted)
    differ = np.flatnonzero((machines["slots"]["rule"] != wanted).any(axis=1))
    lost: list[NDArray[np.void]] = []
    for row in differ:
        old = machines["slots"][row].copy()
        machines["slots"][row] = _blank(wanted[row])
        for slot in old[old["rule"] != 0]:
            place = np.flatnonzero(wanted[row] == slot["rule"])
            if len(place):
                machines["slots"][row, place[0]] = slot
            elif slot["phase"] != IDLE:
                lost.append(_end(int(row), slot, int(machines["last_at"][row]), int(people["policy"][row])))
    _align_memories(machines, bank.columns["memory_key"][people["policy"]])
    return machines, np.concatenate(lost) if lost else np.zeros(0, TRANSITION)


def _align_memories(machines: NDArray[np.void], wanted: NDArray[np.uint32]) -> None:
    """Put each remembered course where the policy looks for it; one that it does not follow is forgotten."""
    memories = machines["memories"]
    _name(memories["key"], wanted)
    for row in np.flatnonzero((memories["key"] != wanted).any(axis=1)):
        old = memories[row].copy()
        fresh = np.zeros(len(old), MEMORY)
        fresh["key"], fresh["mean"] = wanted[row], np.nan
        for place, key in enumerate(wanted[row].tolist()):
            found = np.flatnonzero((old["key"] == key) & (key != 0))
            if len(found):
                fresh[place] = old[found[0]]
        memories[row] = fresh


def _name(keys: NDArray[np.uint32], wanted: NDArray[np.uint32]) -> None:
    """Give those of whom nothing is known yet their keys, all at once; there is nothing to move."""
    fresh = ~keys.any(axis=1)
    keys[fresh] = wanted[fresh]


def _blank(rules: NDArray[np.uint32]) -> NDArray[np.void]:
    slots = np.zeros(len(rules), SLOT)
    slots["rule"] = rules
    return slots


def _end(row: int, slot: np.void, at: int, policy: int) -> NDArray[np.void]:
    ended = np.zeros(1, TRANSITION)
    for name in ("rule", "peak", "opened_at", "activated_at"):
        ended[name] = slot[name]
    ended["row"], ended["policy"], ended["at"] = row, policy, at
    ended["kind"], ended["phase"] = EASED, RESOLVED
    for name in ("value", "inputs", "window"):
        ended[name] = np.nan
    return ended

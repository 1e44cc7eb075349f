"""What does the core remember of one patient between observations?

One packed record, `MACHINE`, kept in ``patient_state.machine``: the last few values of each vital sign; for each rule
of the patient's policy, how far its alarm condition has come; and the longer course of a few vital signs. Times are
microseconds since 1970 UTC; 0 means never. A record of another `VERSION`, or of another size, is not read: it is
rebuilt from the observations.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np
from numpy.typing import NDArray

from schemas.vital_signs import VITALS

VERSION = 1
SLOTS = 10
"""Rules that one policy can have."""
RING = 3
"""Recent values kept for each vital sign, newest first."""
LEVELS = 3
"""Yellow, amber, red."""
MEMORIES = 4
"""Series of a vital sign, in steps of a rule's own length, that one policy can follow."""
IDLE, PENDING, ACTIVE, RESOLVED, WITHDRAWN = (np.uint8(i) for i in range(5))
"""Phases of an episode, as codes."""
STEPS = 28
"""Steps that a memory reaches back: four weeks of days, or a day and a bit of hours."""

SLOT = np.dtype(
    [
        ("rule", "<u4"),  # which rule: alerts.policy.rule_key of its name, so that a new policy version finds its own
        ("phase", "u1"),
        ("severity", "u1"),
        ("peak", "u1"),
        ("basis", "u1"),  # NEWS2 parameters that gave points when the condition was last met
        ("opened_at", "<i8"),
        ("activated_at", "<i8"),
        ("last_at", "<i8"),  # last instant at which the rule was evaluated
        ("since", "<i8", (LEVELS,)),  # first instant of the run towards on, or towards off where latched
        (
            "held_ms",
            "<u4",
            (LEVELS,),
        ),  # length of that run without its gaps; of a schedule: who is silent
        ("count", "<u2", (LEVELS,)),  # instants in that run
        ("latched", "u1", (LEVELS,)),
    ]
)

MEMORY = np.dtype(
    [
        ("key", "<u4"),  # which course: alerts.bank gives each vital sign and length of step its own
        ("step", "<i4"),  # number of the newest step since 1970
        ("count", "<u2"),  # observations in it so far; 0 where nothing was ever remembered
        ("mean", "<f4", (STEPS,)),  # mean of each step, newest first; NaN where it has none
    ]
)

MACHINE = np.dtype(
    [
        ("version", "<u2"),
        ("instants", "<u4"),  # instants scored since the beginning
        ("last_at", "<i8"),  # newest event, observation or timer, that has been scored
        ("clock_at", "<i8"),  # timers have been fired up to here
        ("recent_at", "<i8", (VITALS, RING)),
        ("recent", "<f8", (VITALS, RING)),
        ("slots", SLOT, (SLOTS,)),
        ("memories", MEMORY, (MEMORIES,)),
    ]
)

_BYTES = np.dtype((np.void, MACHINE.itemsize))

PERSON = np.dtype(
    [
        ("policy", "<i4"),  # index in the PolicyBank
        ("spo2_scale", "i1"),
        ("zone", "<i2"),  # index in the PolicyBank's zones
        ("enrolled_at", "<i8"),
    ]
)


class StateError(Exception):
    """A stored record cannot be read as it is; the message says what to do."""


def initial(size: int) -> NDArray[np.void]:
    """Give the records of ``size`` patients of whom nothing is known yet, shape (P,)."""
    machines = np.zeros(size, MACHINE)
    machines["version"] = VERSION
    machines["recent"] = np.nan
    machines["memories"]["mean"] = np.nan
    return machines


def unpack(records: Iterable[bytes]) -> NDArray[np.void]:
    """Turn stored records into one structured array, shape (P,).

    Raises
    ------
    StateError
        Where a record has another size or version: rebuild it, do not guess.
    """
    parts = list(records)
    for position, part in enumerate(parts):
        if len(part) != MACHINE.itemsize:
            raise StateError(
                f"patient_state: record {position} has {len(part)} bytes, expected {MACHINE.itemsize}; "
                "run `homeward state rebuild`"
            )
    machines = np.frombuffer(b"".join(parts), MACHINE).copy()
    if (machines["version"] != VERSION).any():
        raise StateError(f"patient_state: a record is not of version {VERSION}; run `homeward state rebuild`")
    return machines


def take(machines: NDArray[np.void], index: NDArray[np.intp]) -> NDArray[np.void]:
    """Copy records by position, shape (len(index),).

    As plain bytes: numpy would copy them field by field, which takes ten times as long.
    """
    chosen: NDArray[np.void] = machines.view(_BYTES)[index].view(MACHINE)
    return chosen


def together(parts: Sequence[NDArray[np.void]]) -> NDArray[np.void]:
    """Put records behind each other, as plain bytes."""
    if len(parts) == 1:
        return parts[0]
    whole: NDArray[np.void] = np.concatenate([part.view(_BYTES) for part in parts]).view(MACHINE)
    return whole


def pack(machines: NDArray[np.void]) -> list[bytes]:
    """Turn a structured array back into one bytes object a patient."""
    whole, size = machines.tobytes(), MACHINE.itemsize
    return [whole[start : start + size] for start in range(0, len(whole), size)]

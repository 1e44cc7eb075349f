"""What goes wrong between a person's vital signs and what arrives: artefacts, slipped probes, lost connections?

How often is data: ``devices.toml`` for everybody, the scenario's ``[faults]`` for those who live through it.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from device_sim import draws
from device_sim.physiology import HOUR_US
from device_sim.scenario import Faults, Story, load
from schemas.observation import Flag
from schemas.vital_signs import BY_NAME

MINUTE_US = 60_000_000
SECOND_US = 1_000_000
# Connections are looked at in half-days: at most one loss in each, over before it ends.
OUTAGE_BLOCK_US = 12 * HOUR_US


def faults_of(story: Story, usual: Faults) -> dict[str, NDArray[np.float64]]:
    """Give each person's faults: the `usual`, unless the scenario says otherwise; arrays of shape (P,)."""
    return {
        name: np.array([load(s).faults.get(name, getattr(usual, name)) for s in story.scenario], np.float64)
        for name in Faults.__struct_fields__
    }


def disturb(
    value: NDArray[np.float64],
    flags: NDArray[np.int16],
    fault: dict[str, NDArray[np.float64]],
    key: NDArray[np.uint64],
    at: NDArray[np.int64],
) -> None:
    """Add cold fingers, movement and misfitting cuffs; devices notice some of them and say so."""
    spo2, pulse = BY_NAME["spo2"].code, BY_NAME["pulse"].code
    systolic, diastolic = BY_NAME["bp_systolic"].code, BY_NAME["bp_diastolic"].code
    depth = draws.uniform(key, "depth", at)
    noticed = draws.uniform(key, "noticed", at)
    cold = (draws.uniform(key, "cold finger", at) < fault["cold_finger"]) & ~np.isnan(value[:, spo2])
    value[cold, spo2] -= 3.0 + 9.0 * depth[cold]
    moved = (draws.uniform(key, "movement", at) < fault["movement"]) & ~np.isnan(value[:, pulse])
    value[moved, spo2] -= 2.0 + 6.0 * depth[moved]
    value[moved, pulse] += 8.0 + 20.0 * depth[moved]
    flags[moved & (noticed < 0.8)] |= np.int16(Flag.MOVEMENT)
    loose = (draws.uniform(key, "cuff misfit", at) < fault["cuff_misfit"]) & ~np.isnan(value[:, systolic])
    value[loose, systolic] += 40.0 * depth[loose] - 15.0
    value[loose, diastolic] += 24.0 * depth[loose] - 9.0
    flags[loose & (noticed < 0.6)] |= np.int16(Flag.CUFF_FIT)


def slip_off(
    value: NDArray[np.float64],
    fault: dict[str, NDArray[np.float64]],
    key: NDArray[np.uint64],
    at: NDArray[np.int64],
    onset: NDArray[np.int64],
) -> None:
    """Let a probe that is off say what such probes say: mostly zeros, now and then a low number."""
    spo2, pulse = BY_NAME["spo2"].code, BY_NAME["pulse"].code
    off = (fault["probe_off"] > 0) & (at >= onset) & ~np.isnan(value[:, spo2])
    low = off & (draws.uniform(key, "probe", at) < 0.25)
    value[off, spo2] = 0.0
    value[low, spo2] = 60.0 + 25.0 * draws.uniform(key, "probe value", at)[low]
    value[off & ~low, pulse] = 0.0


def connected(
    network: NDArray[np.uint64], fault: dict[str, NDArray[np.float64]], at: NDArray[np.int64]
) -> NDArray[np.int64]:
    """Say when each use can be sent: a second or so later, or at the end of the lost connection it fell into."""
    block = at // OUTAGE_BLOCK_US
    lost = draws.uniform(network, "outage", block) < fault["outage"]
    longest = OUTAGE_BLOCK_US - MINUTE_US
    length = np.minimum(2 * fault["outage_hours"] * draws.uniform(network, "outage length", block) * HOUR_US, longest)
    begin = block * OUTAGE_BLOCK_US + (draws.uniform(network, "outage begin", block) * (longest - length)).astype(
        np.int64
    )
    end = begin + length.astype(np.int64)
    return np.where(lost & (at >= begin) & (at < end), end, at + SECOND_US)

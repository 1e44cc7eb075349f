"""How does a file of history come into the store: checked whole, in the order of its times, once however often?

Two passes. The first reads the file and sets aside the rows that cannot be taken; what can is kept in a temporary file,
40 bytes a value, so that memory does not grow with the history but for the order of the instants. The second walks
through it as `ingest.history` does: states and episodes come out as if it had been live, and nobody is paged.
"""

from __future__ import annotations

import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import IO, Any

import numpy as np
from numpy.typing import NDArray
from psycopg_pool import ConnectionPool

from ingest.history import SLICE, mark_past, store
from ingest.history_file import Block, RefusedRow, Table
from ingest.limits import FUTURE_TOLERANCE
from ingest.registry import Registry
from schemas.observation import Flag, ObservationBatch
from schemas.quarantine import Reason
from schemas.vital_signs import BY_NAME, CATALOGUE, PLAUSIBLE_HIGH, PLAUSIBLE_LOW

_KEPT = np.dtype(
    [("at", "<i8"), ("value", "<f8"), ("line", "<i8"), ("patient", "<i4"), ("device", "<i4"), ("vital", "<i2"),
     ("flags", "<i2"), ("pad", "<i4")]
)  # fmt: skip
_UPPER, _LOWER = BY_NAME["bp_systolic"].code, BY_NAME["bp_diastolic"].code


@dataclass(frozen=True)
class Whose:
    """To whom values belong where the file does not say, and whom its words mean.

    ``patients`` are those of the organisation, by number and by NHS number; ``device_id`` is of entry by hand where no
    other was given.
    """

    organisation_id: int
    patients: Mapping[str, int]
    patient_id: int
    device_id: int


@dataclass
class Imported:
    """What became of a file; counted in values, but for ``rows``."""

    rows: int = 0
    values: int = 0
    stored: int = 0
    duplicate: int = 0
    refused: int = 0
    reasons: Counter[str] = field(default_factory=Counter)


class Import:
    """One file on its way in.

    Parameters
    ----------
    registry : Registry
    whose : Whose
    refuse : callable
        Is told every row that is not taken.
    """

    def __init__(self, registry: Registry, whose: Whose, refuse: Callable[[RefusedRow], None]) -> None:
        self._registry, self._whose, self._refuse = registry, whose, refuse
        self._now = time.time_ns() // 1000
        self.result = Imported()
        self._file: IO[bytes] = tempfile.TemporaryFile()  # noqa: SIM115  closed with the import
        self._count, self._in_order, self._last = 0, True, np.iinfo(np.int64).min

    def close(self) -> None:
        """Give the temporary file back."""
        self._file.close()

    def read(self, table: Table, progress: Callable[[int], None] = lambda _: None) -> None:
        """Read the whole file; ``progress`` is told how many rows have been read."""
        for block in table.blocks():
            self.result.rows += block.rows
            for row in block.refused:
                self._set_aside(row)
            self._keep(block)
            progress(self.result.rows)

    def write(self, pool: ConnectionPool, progress: Callable[[int], None] = lambda _: None) -> None:
        """Store what was read; ``progress`` is told how many values are done."""
        since, seen = time.time_ns() // 1000, np.zeros(len(self._registry.people), bool)
        for part, lines, end in self._slices():
            if len(part):
                seen[np.unique(part.patient_id)] = True
                outcome = store(pool, self._registry, part)
                self.result.stored += int(outcome.stored.sum())
                self.result.duplicate += int(outcome.duplicate.sum())
                for place in outcome.contrary:
                    detail = f"{CATALOGUE[part.vital[place] - 1].name}: what is stored of this instant says otherwise"
                    self._set_aside(RefusedRow(int(lines[place]), Reason.CONTRADICTORY, detail))
            progress(end)
        mark_past(pool, self._registry, np.flatnonzero(seen).astype(np.int32), since, time.time_ns() // 1000)

    def check(self) -> None:
        """Look at everything as `write` does, and store nothing."""
        for part, _lines, _end in self._slices():
            self.result.stored += len(part)

    @property
    def count(self) -> int:
        """How many values were read and can be stored, as far as each can be seen alone."""
        return self._count

    def _set_aside(self, row: RefusedRow) -> None:
        self.result.refused += 1
        self.result.reasons[row.reason.value] += 1
        self._refuse(row)

    def _keep(self, block: Block) -> None:
        line, at, vital, flags, user = block.columns()
        self.result.values += len(line)
        value = np.array(block.value, np.float64)
        device, patient = self._devices(block), self._patients(block)
        registry = self._registry
        worn = registry.wearers(np.maximum(device, 0), user.astype(np.int32), at)
        owner = np.where(patient == 0, worn, patient)
        implausible = ~((value >= PLAUSIBLE_LOW[vital]) & (value <= PLAUSIBLE_HIGH[vital]))
        faults: tuple[tuple[NDArray[np.bool_], Reason, Callable[[int], str]], ...] = (
            (device <= 0, Reason.UNKNOWN_DEVICE, lambda i: f"device {block.device[i]!r}: not in use here"),
            (patient < 0, Reason.UNASSIGNED, lambda i: f"patient {block.patient[i]!r}: not one of this organisation"),
            (owner == 0, Reason.UNASSIGNED, lambda _: "nobody's device at that time; assign it, or name the patient"),
            (
                (patient > 0) & (worn > 0) & (worn != patient),
                Reason.NOT_PERMITTED,
                lambda _: "the device was somebody else's at that time",
            ),
            (at <= 0, Reason.TOO_OLD, lambda _: "time: lies before 1970"),
            (at - self._now > FUTURE_TOLERANCE, Reason.FUTURE_TIME, lambda _: "time: lies in the future"),
            (implausible, Reason.IMPLAUSIBLE, lambda i: _range(int(vital[i]), float(value[i]))),
        )
        refused = np.zeros(len(line), bool)
        for wrong, reason, say in faults:
            for i in np.flatnonzero(wrong & ~refused):
                self._set_aside(RefusedRow(int(line[i]), reason, say(int(i))))
            refused |= wrong
        kept = np.zeros(int((~refused).sum()), _KEPT)
        flags |= np.where(registry.by_hand[np.maximum(device, 0)], Flag.BY_HAND, 0)
        for name, column in (("at", at), ("value", value), ("line", line), ("patient", owner), ("device", device),
                             ("vital", vital), ("flags", flags)):  # fmt: skip
            kept[name] = column[~refused]
        if len(kept):
            self._in_order &= bool(kept["at"][0] >= self._last and (np.diff(kept["at"]) >= 0).all())
            self._last = max(self._last, int(kept["at"][-1]))
            self._count += len(kept)
            self._file.write(kept.tobytes())

    def _devices(self, block: Block) -> NDArray[np.int32]:
        registry, known = self._registry, {"": self._whose.device_id}
        for code in set(block.device) - {""}:
            device = registry.device_of.get(code, 0)
            is_ours = registry.device_organisation[device] == self._whose.organisation_id
            known[code] = device if is_ours and not registry.retired[device] else -1
        return np.fromiter((known[code] for code in block.device), np.int32, len(block.device))

    def _patients(self, block: Block) -> NDArray[np.int32]:
        known = {name: self._whose.patients.get(name.replace(" ", ""), -1) for name in set(block.patient)}
        known[""] = self._whose.patient_id
        return np.fromiter((known[name] for name in block.patient), np.int32, len(block.patient))

    def _slices(self) -> Iterator[tuple[ObservationBatch, NDArray[np.int64], int]]:
        """Walk through the values in the order of their times, with their lines; no instant is cut in two."""
        if not self._count:
            return
        self._file.flush()
        kept = np.memmap(self._file, _KEPT, "r", shape=(self._count,))
        order = None if self._in_order else np.argsort(kept["at"], kind="stable")
        start = 0
        while start < self._count:
            end = min(start + SLICE, self._count)
            end = self._end_of_instant(kept, order, end)
            part = np.array(kept[start:end] if order is None else kept[order[start:end]])
            part = part[~(self._repeated(part) | self._crossed(part))]
            yield self._batch(part), part["line"], end
            start = end

    @staticmethod
    def _end_of_instant(kept: Any, order: NDArray[np.intp] | None, end: int) -> int:
        def at(place: int) -> int:
            return int(kept["at"][place if order is None else order[place]])

        while end < len(kept) and at(end) == at(end - 1):
            end += 1
        return end

    def _batch(self, part: NDArray[Any]) -> ObservationBatch:
        received = np.full(len(part), self._now)
        return ObservationBatch.of(
            part["patient"], part["device"], part["vital"], part["at"], received, part["value"], part["flags"]
        )

    def _repeated(self, part: NDArray[Any]) -> NDArray[np.bool_]:
        """Refuse a value that another row of the file says otherwise; the first one stands."""
        order = np.lexsort((part["line"], part["device"], part["vital"], part["at"], part["patient"]))
        keys = np.stack([part[name][order].astype(np.int64) for name in ("patient", "at", "vital", "device")])
        same = np.zeros(len(part), bool)
        same[1:] = (keys[:, 1:] == keys[:, :-1]).all(axis=0)
        other = np.zeros(len(part), bool)
        if same.any():
            first = np.maximum.accumulate(np.where(same, 0, np.arange(len(part))))
            other[order] = same & (part["value"][order] != part["value"][order][first])
        for row in part[other]:
            detail = f"{CATALOGUE[row['vital'] - 1].name}: another row of this instant says otherwise"
            self._set_aside(RefusedRow(int(row["line"]), Reason.CONTRADICTORY, detail))
        return other

    def _crossed(self, part: NDArray[Any]) -> NDArray[np.bool_]:
        """Refuse both pressures of an instant of which the upper is not above the lower."""
        wrong = np.zeros(len(part), bool)
        pressures = np.flatnonzero((part["vital"] == _UPPER) | (part["vital"] == _LOWER))
        if not len(pressures):
            return wrong
        order = pressures[np.lexsort([part[n][pressures] for n in ("vital", "device", "at", "patient")])]
        here, after = part[order[:-1]], part[order[1:]]
        paired = (here["vital"] == _UPPER) & (after["vital"] == _LOWER)
        for name in ("patient", "at", "device"):
            paired &= here[name] == after[name]
        crossed = paired & (here["value"] <= after["value"])
        for place in np.flatnonzero(crossed):
            for row in (here[place], after[place]):
                detail = f"bp_systolic {here[place]['value']:g} is not above bp_diastolic {after[place]['value']:g}"
                self._set_aside(RefusedRow(int(row["line"]), Reason.CONTRADICTORY, detail))
        wrong[order[:-1][crossed]] = True
        wrong[order[1:][crossed]] = True
        return wrong


def _range(vital: int, value: float) -> str:
    sign = CATALOGUE[vital - 1]
    return f"{sign.name}: {value:g}; expected {sign.plausible_low:g} to {sign.plausible_high:g} {sign.unit}"

"""What of patients has a request read for somebody, and does an entry of the audit log tell of it?

Whatever serves a person, a route, a page or a callback, asks the database through `store`, which notes here whose rows
came back; `audit.write` notes of whom an entry tells. What is read and not told of is recorded by the `Recorder` before
the answer leaves, so that a new way to look at a patient cannot be one that leaves no trace. One entry tells of a look
at a list, and names whom it showed. Pages ask again and again while they are open: a person's looks at the same
patient, alone or on the same list, are told of once in a while.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Mapping, Sequence
from contextvars import ContextVar, Token
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

WHILE = timedelta(minutes=15)
"""Within it, another look of the same person at the same patient or list is the same look."""
MOST_REMEMBERED = 50_000
# that a patient is there, and where, is no look at them
_NUMBERS = frozenset({"patient_id", "organisation_id", "site_id"})
_PERSONAL = frozenset({"names", "given_name", "family_name", "nhs_number", "sentence", "body", "signed_by"})

# an entry of anything else tells nothing of a list that was read beside it
_OF_LISTS = frozenset({"looked_at", "exported"})

Subject = str | tuple[str, int]
"""What an entry is about: a patient alone, a list, or one patient on a list."""
Row = Mapping[str, Any]


@dataclass
class Looks:
    """The looks of one request; ``where`` names a list of several patients, a look at which one entry tells of.

    ``is_of_others`` says that a list told of people whose numbers its rows do not have.
    """

    where: str
    patients: set[int] = field(default_factory=set)
    listed: set[int] = field(default_factory=set)
    is_of_others: bool = False
    told: set[int] = field(default_factory=set)
    is_told: bool = False

    def owed(self) -> list[Subject]:
        """Name what was read and what no entry tells of yet."""
        alone = [f"patient/{patient}" for patient in sorted(self.patients - self.told)]
        listed = [(self.where, patient) for patient in sorted(self.listed - self.patients - self.told)]
        return [*alone, *listed, *([self.where] if self.is_of_others and not self.is_told else [])]

    def settle(self) -> None:
        """Take all that was read as told."""
        self.told |= self.patients | self.listed
        self.is_told = self.is_told or self.is_of_others


_looks: ContextVar[Looks | None] = ContextVar("homeward_looks", default=None)


def begin(where: str) -> Token[Looks | None]:
    """Note looks from now on, for one request; `end` takes the result back."""
    return _looks.set(Looks(where))


def end(token: Token[Looks | None]) -> None:
    """Forget them when the request has ended."""
    _looks.reset(token)


def current() -> Looks | None:
    """Give the looks of this request; ``None`` where none is served, such as in a command."""
    return _looks.get()


def name(where: str) -> None:
    """Say what this request shows, where its address does not."""
    if (looks := _looks.get()) is not None:
        looks.where = where


def read(parameters: Mapping[str, Any], rows: Sequence[Row]) -> None:
    """Note which rows came back for a question with these parameters."""
    looks, told = _looks.get(), set(rows[0]) if rows else set()
    if looks is None or told <= _NUMBERS:
        return
    patient = parameters.get("patient")
    if isinstance(patient, int):
        looks.patients.add(patient)
        return
    looks.listed |= _named(rows)
    if told & _PERSONAL and any(_in(row) is None for row in rows):
        looks.is_of_others = True


def _in(row: Row) -> Collection[int] | None:
    """Say whom a row tells of by number; a number of patients is nobody's."""
    patient, several = row.get("patient_id"), row.get("patients")
    if patient is not None:
        return (patient,)
    return several if isinstance(several, list) else None


def _named(rows: Sequence[Row]) -> set[int]:
    return {patient for row in rows for patient in _in(row) or ()}


def shown(patients: Collection[int]) -> None:
    """Note of whom an answer tells that somebody else has asked for too: each who is given it has looked at them."""
    if (looks := _looks.get()) is not None:
        looks.listed.update(patients)


def withheld(rows: Sequence[Row], told: Sequence[Row] = ()) -> None:
    """Note that rows which were read stay here, such as one that only says that there are more than are ``told``."""
    if (looks := _looks.get()) is not None:
        looks.listed -= _named(rows) - _named(told)


def tell(action: str, subject: str, detail: Mapping[str, Any]) -> None:
    """Note that an entry was written: of the patients that it names, or of what was read as a list."""
    if (looks := _looks.get()) is None:
        return
    looks.is_told = looks.is_told or action in _OF_LISTS
    kind, _, number = subject.partition("/")
    if kind == "patient" and number.isdigit():
        looks.told.add(int(number))
    named = detail.get("patients")
    looks.told.update(p for p in (detail.get("patient"), *(named if isinstance(named, list) else ())) if p is not None)


def doubt() -> None:
    """Believe no entry of this request: one of its transactions has failed, perhaps that of the entry."""
    if (looks := _looks.get()) is not None:
        looks.told, looks.is_told = set(), False


class Remembered:
    """What was recorded in the last while by this process, so that it need not ask the database each time."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._until: dict[tuple[int, Subject], float] = {}

    def unknown(self, account: int, subjects: Collection[Subject]) -> list[Subject]:
        """Leave out what was recorded lately."""
        now = self._clock()
        return [s for s in subjects if self._until.get((account, s), now) <= now]

    def add(self, account: int, subjects: Collection[Subject]) -> None:
        """Note what the database has recorded, now or within the last while: asked for again in half of one."""
        if len(self._until) > MOST_REMEMBERED:
            self._until.clear()
        until = self._clock() + WHILE.total_seconds() / 2
        self._until.update({(account, s): until for s in subjects})

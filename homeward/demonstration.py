"""Who takes part in the demonstration, and what do they live through? ``demo.toml``, turned into a cohort.

The cohort is made anew from its seed at every start, so only the seed and the instants at which its stories begin are
kept; what the devices say between two starts can then be made up as if the machine had never slept.
"""

from __future__ import annotations

import tomllib
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cache
from importlib import resources

import msgspec
import numpy as np
from numpy.typing import NDArray

from device_sim import draws
from device_sim import scenario as scenarios
from device_sim.cohort import Cohort, make_cohort
from device_sim.device import DeviceTable
from device_sim.physiology import HOUR_US
from device_sim.scenario import Story

DAY_US = 24 * HOUR_US


class Site(msgspec.Struct, forbid_unknown_fields=True, frozen=True):
    """One of the trust's places."""

    name: str
    kind: str


class Account(msgspec.Struct, forbid_unknown_fields=True, frozen=True):
    """Somebody who may sign in."""

    sign_in: str
    name: str
    role: str
    sites: list[str] = []


class OnCall(msgspec.Struct, forbid_unknown_fields=True, frozen=True):
    """Who has the rota, day and night, and where they are told."""

    name: str
    sign_in: str
    email: str


class Tier(msgspec.Struct, forbid_unknown_fields=True, frozen=True):
    """A tier of the trust's ladder: the site's display, and whoever is on call."""

    name: str
    after_min: int = 0
    severity: str = "yellow"
    on_call: bool = False


class Sudden(msgspec.Struct, forbid_unknown_fields=True, frozen=True):
    """What happens in the first minutes of each start, and to how many."""

    scenario: str
    people: int


class Group(msgspec.Struct, forbid_unknown_fields=True, frozen=True):
    """People of one site on one pathway."""

    site: str
    pathway: str
    kit: str
    cast: dict[str, int]
    sudden: Sudden | None = None

    @property
    def told(self) -> list[str]:
        """The scenario of each of the group's people."""
        return [name for name, people in self.cast.items() for _ in range(people)]


class Telling(msgspec.Struct, forbid_unknown_fields=True, frozen=True):
    """How stories begin."""

    under_way: tuple[float, float]
    anew_after_hours: float


class Live(msgspec.Struct, forbid_unknown_fields=True, frozen=True):
    """How devices are used in the presence of a spectator."""

    hours: float
    worn: list[str]
    often: dict[str, str]


class Morning(msgspec.Struct, forbid_unknown_fields=True, frozen=True):
    """What the shift before has left to do."""

    waiting_hours: float
    waiting: dict[str, int]
    settled: int
    notes: list[str]


class Records(msgspec.Struct, forbid_unknown_fields=True, frozen=True):
    """What the patients' records say, dealt out in turn."""

    contacts: list[str]
    allergies: list[str]
    resuscitation: list[str]


class Script(msgspec.Struct, forbid_unknown_fields=True, frozen=True):
    """The whole of ``demo.toml``."""

    trust: str
    days: int
    seed: int
    hub: str
    records: Records
    site: list[Site]
    account: list[Account]
    on_call: OnCall
    tier: list[Tier]
    group: list[Group]
    story: Telling
    live: Live
    morning: Morning


@cache
def load_script() -> Script:
    """Read the demonstration's script."""
    text = resources.files("homeward").joinpath("demo.toml").read_text(encoding="utf-8")
    return msgspec.convert(tomllib.loads(text), Script)


@dataclass(frozen=True)
class Past:
    """What is kept of a demonstration: when its people came into care, and when its present stories were begun [µs]."""

    begun: int
    story_at: int


@dataclass(frozen=True)
class Cast:
    """The demonstration's people with their stories; ``groups`` gives each group's rows."""

    cohort: Cohort
    groups: list[tuple[Group, list[int]]]
    past: Past

    @classmethod
    def of(cls, past: Past) -> Cast:
        """Make the cast whose stories are those of ``past``."""
        script = load_script()
        told = [name for group in script.group for name in group.told]
        kits = [group.kit for group in script.group for _ in group.told]
        cohort = make_cohort(len(told), told, script.seed, past.begun, kit=kits)
        # each telling draws anew who is how far on the way
        key = draws.patient_keys(past.story_at // 1_000_000, np.arange(len(told)))
        story = scenarios.tell(told, key, past.story_at, script.story.under_way)
        ends = np.cumsum([len(group.told) for group in script.group])
        rows = [list(range(end - len(g.told), end)) for g, end in zip(script.group, ends.tolist(), strict=True)]
        return cls(replace(cohort, story=story), list(zip(script.group, rows, strict=True)), past)

    def with_hands(self) -> Cohort:
        """Give the cohort with the devices that people hold in their hands."""
        return self._using(lambda model: None if model in load_script().live.worn else model)

    def busy(self) -> Cohort:
        """Give the cohort with all its devices, used as they are before a spectator."""
        often = load_script().live.often
        return self._using(lambda model: often.get(model, model))

    def live(self, start: int) -> Cohort:
        """Give the cohort as it plays before a spectator from `start` on [µs since 1970 UTC]."""
        return replace(self.busy(), start=start, story=self._with_sudden(start))

    def _with_sudden(self, start: int) -> Story:
        """Let some of those who are well fall ill within minutes."""
        story = self.cohort.story
        told, onset, crisis = list(story.scenario), story.onset.copy(), story.crisis.copy()
        for group, rows in self.groups:
            if group.sudden is None:
                continue
            well = np.array([row for row in rows if told[row] == "stable"])
            key = draws.patient_keys(start // 1_000_000, well)
            chosen = well[np.argsort(draws.uniform(key, "sudden"))][: group.sudden.people]
            sudden = scenarios.tell([group.sudden.scenario] * len(chosen), self.cohort.people.key[chosen], start)
            onset[chosen], crisis[chosen] = sudden.onset, sudden.crisis
            for row in chosen.tolist():
                told[row] = group.sudden.scenario
        return Story(told, onset, crisis, story.strength)

    def _using(self, model_for: Callable[[str], str | None]) -> Cohort:
        table = self.cohort.table
        kept = [(i, model) for i, m in enumerate(table.model) if (model := model_for(m)) is not None]
        index: NDArray[np.intp] = np.array([i for i, _ in kept], np.intp)
        chosen = DeviceTable(
            [table.code[i] for i in index],
            [model for _, model in kept],
            table.row[index],
            table.user[index],
            table.key[index],
        )
        return replace(self.cohort, table=chosen)

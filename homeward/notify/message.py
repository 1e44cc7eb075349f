"""What does a message say? As little as it can: where, how urgent, since when, and a link to the rest.

A name or initials come along only where the way's setting allows it, and the database gives no more than that. No value
and no NHS number is ever in a message: mail servers, telephones and walls have readers whom nobody signed in.
"""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

from schemas.episode import Severity

MOST_LISTED = 20
# two text messages' worth
LONGEST_SHORT = 300


@dataclass(frozen=True)
class Told:
    """An episode that a message tells of; the name is empty unless the way may carry it."""

    episode_id: int
    patient_id: int
    severity: int
    since: datetime
    name: str = ""


@dataclass(frozen=True)
class Message:
    """One message to one receiver."""

    key: str
    purpose: str
    site_id: int | None = None
    site: str = ""
    zone: str = "Europe/London"
    tier: str = ""
    step: int = 0
    public_url: str = ""
    episodes: tuple[Told, ...] = ()
    code: str = field(default="", repr=False)
    again: bool = False

    @property
    def severity(self) -> Severity:
        """The worst that it tells of."""
        return Severity(max((told.severity for told in self.episodes), default=0))

    @property
    def subject(self) -> str:
        """One line."""
        if self.purpose == "code":
            return "Homeward: your code"
        if self.purpose == "test":
            return "Homeward: test message"
        again = ", told again" if self.again else ""
        if len(self.episodes) == 1:
            return f"Homeward: {self.severity.word} alert, {self.site}{again}"
        return f"Homeward: {len(self.episodes)} alerts ({self._counts()}), {self.site}{again}"

    @property
    def text(self) -> str:
        """The whole message for people."""
        if self.purpose == "code":
            return f"Your code for Homeward is {self.code}. It holds for 15 minutes. If you asked for none, do nothing."
        if self.purpose == "test":
            return "This is a test message from Homeward. It works. Nothing needs to be done."
        lines = [self._lead(), ""]
        lines += [f"- {self._line(told)}" for told in self.episodes[:MOST_LISTED]]
        if len(self.episodes) > MOST_LISTED:
            lines.append(f"- and {len(self.episodes) - MOST_LISTED} more: {self.public_url}/")
        return "\n".join(
            [*lines, "", f"For: {self.tier}. Acknowledge it in Homeward, so that nobody else is told of it."]
        )

    @property
    def short(self) -> str:
        """The same for a telephone."""
        if self.purpose != "alert":
            return self.text
        first = self.episodes[0]
        name = f" {first.name}" if first.name else ""
        told = f"{self.severity.word} alert{name}" if len(self.episodes) == 1 else f"{self._counts()} alerts"
        link = self._link(first) if len(self.episodes) == 1 else f"{self.public_url}/"
        again = " still" if self.again else ""
        return f"Homeward: {told}{again} at {self.site}. {link}"[:LONGEST_SHORT]

    @property
    def facts(self) -> dict[str, Any]:
        """The same for programs; numbers are opaque outside the installation."""
        return {
            "key": self.key,
            "type": self.purpose,
            "severity": self.severity.word,
            "site": self.site_id,
            "tier": self.tier,
            "step": self.step,
            "again": self.again,
            "episodes": [
                {
                    "episode": told.episode_id,
                    "patient": told.patient_id,
                    "severity": Severity(told.severity).word,
                    "since": told.since.isoformat(),
                    "link": self._link(told),
                    **({"name": told.name} if told.name else {}),
                }
                for told in self.episodes
            ],
        }

    @property
    def json(self) -> bytes:
        """The facts as they go over the wire: the same bytes each time, so that a signature holds for a repeat."""
        return json.dumps(self.facts, sort_keys=True, separators=(",", ":")).encode()

    def _lead(self) -> str:
        if len(self.episodes) == 1:
            return f"{self.severity.word.capitalize()} alert at {self.site}: nobody has taken it on yet."
        return f"{len(self.episodes)} alerts at {self.site} ({self._counts()}): nobody has taken them on yet."

    def _line(self, told: Told) -> str:
        local = told.since.astimezone(ZoneInfo(self.zone))
        name = f"{told.name}, " if told.name else ""
        word = Severity(told.severity).word
        return f"{name}{word} since {local:%H:%M} on {local.day} {local:%b} ({local:%Z}): {self._link(told)}"

    def _link(self, told: Told) -> str:
        return f"{self.public_url}/patients/{told.patient_id}"

    def _counts(self) -> str:
        counts = Counter(Severity(told.severity) for told in self.episodes)
        return ", ".join(f"{counts[severity]} {severity.word}" for severity in sorted(counts, reverse=True))

"""What are the words of an alert's life: its severity, its phase, and what can happen to it?"""

from __future__ import annotations

from enum import IntEnum, StrEnum


class Severity(IntEnum):
    """How urgent an episode is; the number orders them, in the database too."""

    NONE = 0
    YELLOW = 1
    AMBER = 2
    RED = 3

    @property
    def word(self) -> str:
        """The word in JSON and in policies: ``red``."""
        return self.name.lower()

    @classmethod
    def of(cls, word: str) -> Severity:
        """Read the word back; raises ``KeyError`` for any other."""
        return cls[word.upper()] if word == word.lower() else cls[""]


class Phase(StrEnum):
    """Where an episode stands. ``withdrawn``: late observations showed that it never was."""

    PENDING = "pending"
    ACTIVE = "active"
    RESOLVED = "resolved"
    WITHDRAWN = "withdrawn"


class Event(StrEnum):
    """What happens to an episode: the first six by the core, the others by people."""

    OPENED = "opened"
    ACTIVATED = "activated"
    SEVERITY = "severity"
    RESOLVED = "resolved"
    WITHDRAWN = "withdrawn"
    CLEARED = "cleared"
    ACKNOWLEDGED = "acknowledged"
    RELEASED = "released"
    SNOOZED = "snoozed"
    RESUMED = "resumed"
    ESCALATED = "escalated"
    NOTED = "noted"
    RESET = "reset"

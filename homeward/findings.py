"""In which form is told what was looked at, how it stands and what to do?"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Finding:
    """One thing looked at: ``ok``, ``warn`` or ``fail``, in a sentence, and what to do where it does not stand well."""

    subject: str
    state: str
    sentence: str
    remedy: str = ""

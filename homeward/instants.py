"""Which instant does somebody mean who gives a command a time?"""

from __future__ import annotations

from datetime import UTC, datetime

from homeward.local.errors import SetupError


def read_instant(text: str, option: str) -> datetime:
    """Read a day or a time, in UTC where it says no zone.

    Raises
    ------
    SetupError
        Where it is none; the message names the option.
    """
    try:
        at = datetime.fromisoformat(text)
    except ValueError as failed:
        raise SetupError(
            f"{option}: {text!r} is no time; write it like 2026-03-01 or 2026-03-01T08:00+00:00."
        ) from failed
    return at.replace(tzinfo=at.tzinfo or UTC)

"""How does a device's clock go, in words?"""

from __future__ import annotations

from dashboard.text import device_clock as text

AHEAD_US = 5_000_000
BEHIND_US = 60_000_000
"""Within these a clock is right: what is sent takes a few seconds, and a hub may wait for a minute."""
_SPANS = ((86_400, "d"), (3600, "h"), (60, "min"), (1, "s"))


def clock_words(unset: bool | None, skew_us: int | None) -> str:
    """Say by how much a clock is off; a clock that is behind looks like observations that come late."""
    if unset:
        return text.UNSET
    if skew_us is None:
        return text.UNKNOWN
    if -BEHIND_US < skew_us < AHEAD_US:
        return text.RIGHT
    return (text.AHEAD if skew_us > 0 else text.BEHIND).format(_span(abs(skew_us) / 1_000_000))


def _span(seconds: float) -> str:
    size, unit = next((size, unit) for size, unit in _SPANS if seconds >= size)
    return f"{seconds / size:.0f} {unit}"

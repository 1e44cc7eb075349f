"""What does ingest refuse for the way it was sent, whatever it says? Engineering limits; none of them is clinical."""

from __future__ import annotations

SECOND = 1_000_000
"""Microseconds."""

FUTURE_TOLERANCE = 300 * SECOND
"""A device's clock may be ahead by this much: what a clock set once a year drifts, and less than any rule's hold."""

OLDEST = 365 * 86_400 * SECOND
"""Older observations are history to import, not a live message: a device whose clock was reset sends them."""

LARGEST_PAYLOAD = 256 * 1024
"""Bytes. About a thousand stored observation sets; what is larger is kept, but not decoded on the live path."""

LONGEST_DETAIL = 400
"""Characters of a rejection's detail, parts of which the sender chose."""

LONGEST_MEASUREMENT = 300 * SECOND
"""A value of a span no longer than this was measured in it, such as a cuff's; what spans more is a summary."""

SHARE = 100
"""Messages that a device may have in a crowded micro-batch, a twentieth of a full one; what is more waits."""

KEPT_A_DAY = 256 * 1024 * 1024
"""Bytes that are kept of what waited of one sender in a day; a disk that one device can fill stops everybody."""

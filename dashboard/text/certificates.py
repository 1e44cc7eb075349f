"""Which words say until when certificates hold?"""

from __future__ import annotations

TITLE = "Certificates"
LEAD = "By which hubs know the broker, browsers know these pages, and the broker knows devices."
COLUMNS = ("Whose", "Ends", "Left", "State")
WHOSE = {
    "authority": "The authority that hubs trust",
    "broker": "The broker at {}",
    "pages": "These pages at {}",
    "device": "Device {}",
}
HOLDS, ENDS_SOON, ENDED = "Holds", "Ends soon", "Has ended"
NONE = "There is none: nothing here speaks TLS by itself."
UNREADABLE = "They cannot be looked at: {}"
LATER = "{} more of devices hold longer."


def left(days: int) -> str:
    """Say how many days are left."""
    return f"{days:,} days" if days != 1 else "1 day"

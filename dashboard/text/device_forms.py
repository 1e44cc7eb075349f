"""Which words stand in a device's forms for its clock and for the residents whom it names?"""

from __future__ import annotations

ZONE = "Its clock's time zone"
ZONE_LEAD = (
    "Only for a device whose times say no offset, such as a cuff that is read out: what it sends is understood in this "
    "zone. What waits in quarantine as a time without a zone can then be replayed."
)
ZONE_LABEL = "Time zone"
NO_ZONE = "None: its times say their offset"
ZONE_ACT = "Set it"

RESIDENT = "A resident's code"
RESIDENT_LEAD = (
    "A device that a home shares says by a code whom it measured: an opaque word, no name. It is made the first time "
    "that it is asked for, and stays the same."
)
RESIDENT_ACT = "Show the code"
NO_RESIDENT = "Choose a resident first."
NAMED_AS = "{} is named as"

REGISTERED = "It is registered"


def behind_hub(hub: str) -> str:
    """Say why a device behind a hub is given no login to copy."""
    return (
        f"It needs no login: {hub} publishes for it, and names it by its code. Should it ever connect by itself, make "
        "it a login on its page."
    )


def resident_at(site: str) -> str:
    """Say who can be chosen: only who lives where the device is can be meant by it."""
    return f"Who lives at {site}"

"""Which English words do the pages about messages, ladders and rotas show?"""

from __future__ import annotations

from collections.abc import Sequence

MESSAGES = "Messages"


def standing(waiting: int, failed: int, oldest: str) -> str:
    """Say how many messages wait and how many could not be delivered."""
    since = f", the oldest for {oldest}" if oldest else ""
    return f"{waiting} waiting to be sent{since}; {failed} could not be delivered in the last 24 hours."


def without_ladder(sites: Sequence[str]) -> str:
    """Say of which sites nobody is told."""
    return (
        f"Nobody is told of alerts at {', '.join(sites)}: no ladder is in force there. An administrator publishes one."
    )


def nobody(jobs: int) -> str:
    """Say that alerts wait with nobody to tell."""
    return (
        f"{jobs} alerts reach nobody: nobody is on call, whoever is has no address yet, or there is no ladder. "
        "They are tried again every minute."
    )

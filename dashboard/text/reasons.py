"""Which words tell what raised an alert, how it is now, and why it does not end?"""

from __future__ import annotations

from collections.abc import Sequence

RAISED = "Raised"
CHANGED = "Changed"
NOW = "Now"
ALSO = "Also"
NOTHING_COUNTS = "nothing recent enough to count"
EASED = "eased"
NO_NEWER = "no newer set"
WHY = "Why"
BEFORE_CHANGE = "from before they changed, does not count"
RESET = "stays until somebody resets it"
ANOTHER_SET = "stays until another set is taken"


def until_taken(labels: Sequence[str]) -> str:
    """Say that what gave points has not been looked at again."""
    return f"stays until {' and '.join(labels)} {'is' if len(labels) == 1 else 'are'} taken again"


def not_clear(by: str) -> str:
    """Say that a value is back behind its limit, but not by enough."""
    return f"stays until it is back by more than {by}"


def until_confirmed(needed: Sequence[str], so_far: int, following: str) -> str:
    """Say how much longer it has to stay so: ``2 in a row, 30 min apart``."""
    told = f"stays until confirmed: {', '.join(needed)}; {so_far} so far"
    return f"{told}, the next from {following}" if following else told

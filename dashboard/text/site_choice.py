"""Which words does a page show that shows one of several sites?"""

from __future__ import annotations

OTHERS = "Your other sites"


def one_of(name: str, sites: int) -> str:
    """Say that this is one site of several."""
    return f"“All sites” is chosen, and this page shows one at a time: {name}, one of your {sites}. Go to another:"


def waiting(count: int) -> str:
    """Say how many wait for somebody at a site."""
    return f"{count} waiting" if count else "nobody waiting"


def more(count: int) -> str:
    """Say that there are more sites than are offered here."""
    return f"{count} more: choose above."

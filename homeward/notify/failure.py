"""What can go wrong with a message, and is it worth trying again?"""

from __future__ import annotations


class DeliveryError(Exception):
    """A message did not get through. The reason is kept and shown, so it holds no address and nothing that was said."""

    def __init__(self, reason: str, *, permanent: bool = False) -> None:
        super().__init__(reason)
        self.reason = reason
        self.permanent = permanent

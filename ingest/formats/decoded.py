"""What has been read from many messages, before it is known whose it is?

Columns instead of objects: one element of the first group a message's observation set, one of the second a value.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from ingest.limits import LONGEST_DETAIL
from schemas.quarantine import Reason


@dataclass(slots=True)
class Rejection:
    """Why observations of one message cannot be stored; ``message`` is its position among those taken together."""

    message: int
    reason: Reason
    detail: str
    observations: int = 1
    device: str | None = None

    def __post_init__(self) -> None:
        # a NUL cannot be stored in a text column, and half a surrogate pair cannot be encoded
        readable = self.detail.replace("\0", "\\0").encode("utf-8", "backslashreplace").decode()
        self.detail = readable[:LONGEST_DETAIL]


@dataclass(slots=True)
class Decoded:
    """Observation sets as columns, and what was rejected on the way.

    Attributes
    ----------
    message, device, user, observed_at, flags, size : lists, one element an observation set
        Which message, the device it names (None: the sender's own), its user (0: none given), microseconds UTC,
        bits of `Flag`, number of values.
    vital, value : lists, one element a value
    resident : dict of position of an observation set → code
        Of the sets that name a resident, which few do.
    sequences : list of (message, sequence)
        Of the sets whose sender numbers them, whatever became of them.
    """

    message: list[int] = field(default_factory=list)
    device: list[str | None] = field(default_factory=list)
    user: list[int] = field(default_factory=list)
    observed_at: list[int] = field(default_factory=list)
    flags: list[int] = field(default_factory=list)
    size: list[int] = field(default_factory=list)
    vital: list[int] = field(default_factory=list)
    value: list[float] = field(default_factory=list)
    rejections: list[Rejection] = field(default_factory=list)
    resident: dict[int, str] = field(default_factory=dict)
    sequences: list[tuple[int, int]] = field(default_factory=list)

    def add(
        self,
        message: int,
        observed_at: int,
        values: Sequence[tuple[int, float]],
        *,
        device: str | None = None,
        user: int = 0,
        flags: int = 0,
    ) -> None:
        """Append one observation set, of (vital sign, value) pairs; one without values is none."""
        if not values:
            return
        self.message.append(message)
        self.device.append(device)
        self.user.append(user)
        self.observed_at.append(observed_at)
        self.flags.append(flags)
        self.size.append(len(values))
        for vital, value in values:
            self.vital.append(vital)
            self.value.append(value)

"""Through whose eyes is a question asked, and who sees the same?

What row-level security shows of patients depends on the organisation, the role, the sites and what was opened in an
emergency, and on nothing else of a person. Whoever agrees in all of them may be given the same answer.
"""

from __future__ import annotations

from dataclasses import dataclass

from dashboard import identity
from dashboard.store import fetch


@dataclass(frozen=True)
class Sight:
    """What decides which patients a person sees."""

    organisation_id: int
    role: str
    sees: bool
    """Whether the role that the account has by now sees patients; ``role`` is that of the session."""
    sites: tuple[int, ...]
    opened: tuple[int, ...]


async def sight() -> Sight:
    """Ask the database what the person at work sees now: the same functions as its policies ask."""
    person, found = identity.current(), (await fetch("sight"))[0]
    return Sight(
        person.organisation_id,
        person.role,
        found["sees"],
        tuple(sorted(found["sites"])),
        tuple(sorted(found["opened"])),
    )

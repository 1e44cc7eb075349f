"""Which rules are in force on each pathway, which were before, and how does a new version come into force?

A version is never changed: the next one follows it, with who answers for it and why. What a new version does not permit
of patients' own limits is said before it is in force.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import psycopg

from alerts import policy as documents
from alerts.documents import Policy
from alerts.notation import PolicyError
from alerts.overrides import personalise, read_override
from dashboard import audit, identity, looks, store
from dashboard.actions import InvalidActionError, NotThereError
from dashboard.permissions import Permission, require

FILE = "policies.sql"
LONGEST_DOCUMENT = 200_000
Row = dict[str, Any]


@dataclass(frozen=True)
class Draft:
    """A document that may become a version."""

    policy: Policy

    @classmethod
    def read(cls, text: str) -> Draft:
        """Read and check a document; raises `PolicyError` with the place and what to do."""
        return cls(documents.parse(text))

    @property
    def name(self) -> str:
        """The pathway that it is for."""
        return self.policy.document.name

    @property
    def title(self) -> str:
        """The pathway's name in words."""
        return self.policy.document.title

    @property
    def sha256(self) -> bytes:
        """What tells whether it is the one in force already."""
        return _digest(self.policy.text)

    def columns(self) -> Row:
        """Give what the database keeps of it beside author and reason."""
        document = self.policy.document
        template = documents.template_of(document)
        return {
            "document": self.policy.text,
            "sha256": self.sha256,
            "derived_from": template and template.document.name,
            "derived_sha256": template and _digest(template.text),
            "lowest_age": document.applies_to.lowest_age,
            "pregnancy": document.applies_to.pregnancy,
            "source": document.source,
        }

    def refuse_misfits(self, overrides: Sequence[Row]) -> None:
        """Raise `PolicyError` where it does not permit what is in force for one of its patients."""
        for row in overrides:
            try:
                personalise(self.policy, read_override(row["document"]))
            except PolicyError as exc:
                raise PolicyError(
                    f"policy {self.name}: patient {row['patient_id']} has limits of their own that this version does "
                    f"not permit: {exc}; change them first"
                ) from exc


async def policies() -> list[Row]:
    """List the policies in force."""
    require(identity.current(), Permission.SEE_POLICIES)
    return await store.fetch_from(FILE, "policies")


async def versions(name: str) -> list[Row]:
    """List the versions of a pathway's policy, newest first, with their documents."""
    require(identity.current(), Permission.SEE_POLICIES)
    found = await store.fetch_from(FILE, "versions", name=name)
    if not found:
        raise NotThereError("There is no such policy.")
    return found


async def publish(text: str, *, author: str, reason: str, after: int | None = None) -> tuple[str, int]:
    """Put a document in force as the next version; give the pathway's name and the version.

    With ``after``, only where that version is still the newest: somebody else may have been faster.

    Raises
    ------
    InvalidActionError
        Where the document is no policy, author or reason are missing, or it is in force already.
    """
    person = identity.current()
    require(person, Permission.PUBLISH_POLICIES)
    author, reason = " ".join(author.split()), " ".join(reason.split())
    if not author or not reason or max(len(author), len(reason)) > 1000:
        raise InvalidActionError("A version needs an author who answers for it and a reason, for the record.")
    if len(text) > LONGEST_DOCUMENT:
        raise InvalidActionError(f"A policy document has at most {LONGEST_DOCUMENT} characters.")
    try:
        draft = Draft.read(text)
        return await _publish(person, draft, author, reason, after)
    except PolicyError as exc:
        raise InvalidActionError(str(exc)) from exc


async def _publish(
    person: identity.Person, draft: Draft, author: str, reason: str, after: int | None
) -> tuple[str, int]:
    organisation = person.organisation_id
    async with store.transaction() as connection:
        await _run(connection, "add_pathway", organisation=organisation, name=draft.name, title=draft.title)
        [pathway] = await _run(connection, "lock_pathway", organisation=organisation, name=draft.name)
        newest = int(pathway["version"])
        if pathway["sha256"] is not None and bytes(pathway["sha256"]) == draft.sha256:
            raise InvalidActionError(f"This document is in force already, as version {newest}.")
        if after is not None and after != newest:
            raise InvalidActionError(
                f"Somebody has put version {newest} in force meanwhile; read it, then compare and publish again."
            )
        overrides = await _run(connection, "overrides_of_pathway", name=draft.name)
        draft.refuse_misfits(overrides)
        looks.withheld(overrides)
        await _run(
            connection,
            "add_policy",
            organisation=organisation,
            pathway=pathway["pathway_id"],
            version=newest + 1,
            author=author,
            reason=reason,
            **draft.columns(),
        )
        await audit.write(
            connection, person, "policy_published", f"pathway/{draft.name}", version=newest + 1, reason=reason,
            author=author,
        )  # fmt: skip
    return draft.name, newest + 1


def _digest(text: str) -> bytes:
    return hashlib.sha256(text.encode()).digest()


async def _run(connection: psycopg.AsyncConnection[Any], query: str, /, **parameters: Any) -> list[Row]:
    return await store.rows(connection, store.queries(FILE)[query], **parameters)

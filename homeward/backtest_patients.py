"""Whom does a backtest look at, by which policy is each of them scored, and what of theirs may the draft not have?

A person's own limits belong to their enrolment and go with them to the draft, as far as it permits them; what it does
not permit is told.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import psycopg
from numpy.typing import NDArray

from alerts.acts import Acts
from alerts.bank import PolicyBank
from alerts.documents import Policy
from alerts.notation import PolicyError
from alerts.overrides import own_policy, permitted, read_override, spo2_scale
from alerts.policy import parse_version
from alerts.state import PERSON
from alerts.zones import Zones
from schemas.named_queries import load

QUERIES = load("homeward", "backtest.sql")


@dataclass(frozen=True)
class Enrolled:
    """The patients chosen, as parallel arrays and lists, and the policies in force.

    Attributes
    ----------
    ids : int32 array, shape (P,)
    people : array of PERSON, shape (P,)
        ``policy`` is the place in ``policies``.
    sites, zones : lists of str
        Names of the sites and of their time zones.
    site : int array, shape (P,)
    policies : list of Policy
        Those in force and those that are somebody's own.
    own : list of (str, int or None), length P
        What is each person's own, as the database keeps it, and their usual NEWS2 on record.
    scale : int array, shape (P,)
        The SpO2 scale on record.
    acts : Acts
        When they were paused.
    """

    ids: NDArray[np.int32]
    people: NDArray[np.void]
    sites: list[str]
    zones: list[str]
    site: NDArray[np.intp]
    policies: list[Policy]
    own: list[tuple[str, int | None]]
    scale: NDArray[np.int8]
    acts: Acts

    @property
    def bank(self) -> PolicyBank:
        """The policies in force, compiled."""
        return PolicyBank(self.policies, Zones.of(self.zones))

    def under(self, draft: Policy) -> tuple[PolicyBank, NDArray[np.void], list[dict[str, Any]]]:
        """Give the draft with each person's own, who is scored by which of its rows, and what could not be applied."""
        people, policies = self.people.copy(), [draft]
        refused: list[dict[str, Any]] = []
        found: dict[tuple[str, int | None], tuple[int, list[str]]] = {}
        for row, key in enumerate(self.own):
            if key not in found:
                policy, why = permitted(draft, read_override(key[0]), key[1])
                own = policy.document != draft.document
                policies += [policy] if own else []
                found[key] = len(policies) - 1 if own else 0, why
            people["policy"][row], why = found[key]
            people["spo2_scale"][row] = self._scale_under(draft, row)
            refused += [{"patient": int(self.ids[row]), "why": sentence} for sentence in why]
        return PolicyBank(policies, Zones.of(self.zones)), people, refused

    def _scale_under(self, draft: Policy, row: int) -> int:
        try:
            return spo2_scale(draft, read_override(self.own[row][0])) or int(self.scale[row])
        except PolicyError:
            return int(self.scale[row])


def pathway_of(connection: psycopg.Connection[Any], organisation: int, draft: str) -> str | None:
    """Give the pathway that a draft is for, by its name; None where nobody is on one of that name."""
    with connection.transaction():
        connection.execute("select set_config('homeward.organisation', %s, true)", [str(organisation)])
        row = connection.execute(QUERIES["is_followed"], {"organisation": organisation, "pathway": draft}).fetchone()
    return draft if row and row[0] else None


def enrolled_patients(
    connection: psycopg.Connection[Any], organisation: int, *, site: str | None = None, pathway: str | None = None
) -> Enrolled:
    """Find whom to look at: everybody enrolled, or those of one site or pathway."""
    with connection.transaction():
        connection.execute("select set_config('homeward.organisation', %s, true)", [str(organisation)])
        rows = connection.execute(
            QUERIES["patients"], {"organisation": organisation, "site": site, "pathway": pathway}
        ).fetchall()
        paused = connection.execute(QUERIES["pauses"], {"organisation": organisation}).fetchall()
    if not rows:
        where = "".join(f" {name} {value!r}" for name, value in (("at site", site), ("on pathway", pathway)) if value)
        raise PolicyError(f"backtest: nobody is enrolled{where}; check --site and --pathway")
    people = np.zeros(len(rows), PERSON)
    policies, people["policy"] = _in_force(rows)
    people["spo2_scale"] = [row[10] or row[3] for row in rows]
    people["enrolled_at"] = [row[4] for row in rows]
    sites = dict.fromkeys(row[1] for row in rows)
    zone_of = {row[1]: row[2] for row in rows}
    place = {name: position for position, name in enumerate(sites)}
    site_of = np.array([place[row[1]] for row in rows], np.intp)
    people["zone"] = site_of
    row_of = {row[0]: position for position, row in enumerate(rows)}
    return Enrolled(
        np.array([row[0] for row in rows], np.int32),
        people,
        list(sites),
        [zone_of[name] for name in sites],
        site_of,
        policies,
        [(row[9], row[11]) for row in rows],
        np.array([row[3] for row in rows], np.int8),
        Acts.of([(row_of[patient], since, until) for patient, since, until in paused if patient in row_of]),
    )


def _in_force(rows: list[tuple[Any, ...]]) -> tuple[list[Policy], list[int]]:
    """Give the policies in force with what is people's own, and the place of each person's."""
    policies: list[Policy] = []
    index: dict[tuple[Any, ...], int] = {}
    found = []
    for row in rows:
        policy_id, version, document, own, usual = row[6], row[7], row[8], row[9], row[11]
        key = (policy_id, own, usual)
        if key not in index:
            try:
                policy = own_policy(document, policy_id, version, own, usual)
            except PolicyError:
                policy = parse_version(document, policy_id, version)  # as ingest does: the shared one scores
            index[key] = len(policies)
            policies.append(policy)
        found.append(index[key])
    return policies, found

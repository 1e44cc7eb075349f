"""By which policy, and with which limits of their own, was each patient scored when?

A patient's past is cut into spans: where they were enrolled anew, where a version of their policy was published, and
where a version of what is their own within it was written.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, LiteralString, cast

import numpy as np
import psycopg
from numpy.typing import NDArray

from alerts.bank import PolicyBank
from alerts.documents import Policy
from alerts.notation import PolicyError
from alerts.overrides import own_policy
from alerts.policy import parse_version
from alerts.replay import Stage
from alerts.state import PERSON
from ingest.registry import Registry
from schemas import named_queries

_QUERIES = cast("dict[str, LiteralString]", named_queries.load("ingest", "replay.sql"))
_FIRST, _LAST = -(2**62), 2**62
_Key = tuple[int, str, int | None]
"""A policy version, what is somebody's own within it, and their usual score on record."""


@dataclass(frozen=True)
class Span:
    """From its first instant to its last: the policy, and what was a person's own; ``spo2_scale`` 0 is not theirs."""

    policy_id: int
    enrolled_at: int
    since: int
    until: int
    document: str = "{}"
    spo2_scale: int = 0


def stages_of(
    connection: psycopg.Connection, registry: Registry, patients: NDArray[np.int32], until: NDArray[np.int64]
) -> tuple[list[Stage], PolicyBank]:
    """Find by which policy each patient was scored when; the k-th stage holds the k-th span of every patient."""
    spans = _spans_of(connection, patients)
    record = {p: (scale, usual) for p, scale, usual in _ask(connection, "on_record", patients)}
    keys = [
        [(s.policy_id, s.document, record[patient][1]) for s in theirs]
        for patient, theirs in zip(patients.tolist(), spans, strict=True)
    ]
    added, index = _policies(connection, registry, {key for theirs in keys for key in theirs})
    bank = PolicyBank([*registry.bank.policies, *added], registry.bank.zones)
    known = registry.people[np.minimum(patients, len(registry.people) - 1)]
    stages = []
    for k in range(max(map(len, spans), default=0)):
        chosen = [i for i, theirs in enumerate(spans) if k < len(theirs) and theirs[k].since <= until[i]]
        here = np.zeros(len(chosen), PERSON)
        for place, i in enumerate(chosen):
            span, (scale, _) = spans[i][k], record[int(patients[i])]
            here[place]["policy"], here[place]["zone"] = index[keys[i][k]], known[i]["zone"]
            here[place]["spo2_scale"] = span.spo2_scale or scale
            here[place]["enrolled_at"] = span.enrolled_at
        row = np.array(chosen, np.intp)
        since, ends = (np.array([getattr(spans[i][k], name) for i in chosen], np.int64) for name in ("since", "until"))
        stages.append(Stage(row, here, since, ends, np.minimum(ends, until[row])))
    return [s for s in stages if len(s.rows)], bank


def _ask(connection: psycopg.Connection, name: str, patients: NDArray[np.int32]) -> list[tuple[Any, ...]]:
    return connection.execute(_QUERIES[name], [patients.tolist()], binary=True).fetchall()


def _spans_of(connection: psycopg.Connection, patients: NDArray[np.int32]) -> list[list[Span]]:
    versions, own = _ask(connection, "versions", patients), _ask(connection, "overrides", patients)
    found = []
    for patient in patients.tolist():
        theirs = [row[1:] for row in own if row[0] == patient]
        found.append(
            [piece for span in _spans([r[1:] for r in versions if r[0] == patient]) for piece in _cut(span, theirs)]
        )
    return found


def _spans(versions: Sequence[tuple[Any, ...]]) -> list[Span]:
    """Turn a patient's (enrolled, ended, policy, published) rows into spans one after the other.

    A history may be entered after the fact: before the first version, and before the first enrolment, there is no
    other, so the first one counts from the beginning.
    """
    begins: list[tuple[int, int, int, int]] = []
    for started in sorted({v[0] for v in versions}):
        theirs = [v for v in versions if v[0] == started]
        first = max((i for i, v in enumerate(theirs) if v[3] <= started), default=0)
        for i, (_, ended, policy, published) in enumerate(theirs[first:]):
            begin = (_FIRST if not begins else started) if i == 0 else published
            begins.append((begin, _LAST if ended is None else ended, policy, started))
    ends = [begin for begin, *_ in begins[1:]] + [_LAST]
    spans = [
        Span(policy, started, begin, min(end, ended) - 1)
        for (begin, ended, policy, started), end in zip(begins, ends, strict=True)
    ]
    return [s for s in spans if s.since <= s.until]


def _cut(span: Span, own: Sequence[tuple[Any, ...]]) -> list[Span]:
    """Cut a span where a version of what was the person's own came into force; before the first there was nothing."""
    theirs = [(at, document, scale or 0) for started, at, document, scale in own if started == span.enrolled_at]
    pieces = [span]
    for at, document, scale in theirs:
        last = pieces[-1]
        if at > last.until:
            break
        if at > last.since:
            pieces[-1:] = [replace(last, until=at - 1), replace(last, since=at)]
        pieces[-1] = replace(pieces[-1], document=document, spo2_scale=scale)
    return pieces


def _policies(
    connection: psycopg.Connection, registry: Registry, keys: set[_Key]
) -> tuple[list[Policy], dict[_Key, int]]:
    """Give the policies that the registry's bank does not have as shared ones, and the index of each key in all."""
    shared = {p.policy_id: i for i, p in enumerate(registry.bank.policies) if not p.personal and p.usual_news2 is None}
    older = sorted({policy_id for policy_id, _, _ in keys} - set(shared))
    rows = connection.execute(_QUERIES["documents"], [older]).fetchall() if older else []
    added = [parse_version(document, number, version) for number, version, document in rows]
    first = len(registry.bank.policies)
    shared |= {policy.policy_id: first + i for i, policy in enumerate(added)}
    index: dict[_Key, int] = {}
    for key in sorted(keys, key=str):
        policy_id, document, usual = key
        place = shared[policy_id]
        whole = added[place - first] if place >= first else registry.bank.policies[place]
        try:
            own = own_policy(whole.text, policy_id, whole.version, document, usual)
        except PolicyError:
            own = whole  # as at the time: the shared one scores where a version does not permit what is somebody's own
        if own.document == whole.document:
            index[key] = place
        else:
            index[key] = first + len(added)
            added.append(own)
    return added, index

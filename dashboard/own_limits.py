"""How do a patient's own limits change: what is permitted, what would it have done, who put it in force and why?

The preview runs the scoring core over the patient's last two weeks: as they are scored now, and with the change.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec
import numpy as np

from alerts.backtest import backtest, reach
from alerts.documents import Personal, Policy, Rule
from alerts.notation import PolicyError
from alerts.overrides import Override, TargetRange, Thresholds, override_json, personalise, read_override, spo2_scale
from alerts.policy import parse_version
from alerts.state import PERSON
from dashboard import audit, identity, store
from dashboard.actions import InvalidActionError, checked_note
from dashboard.permissions import Permission, require
from dashboard.wording import microseconds
from schemas.episode import Severity
from schemas.observation import ObservationBatch

FILE = "own_limits.sql"
OVERTAKEN = "Somebody has changed these limits since this page was opened: open the page anew and look at them first."
PREVIEW = timedelta(days=14)
MOST_OBSERVATIONS = 400_000
WORDS = ("yellow", "amber", "red")
Row = dict[str, Any]


@dataclass(frozen=True)
class Alerts:
    """How many episodes a policy would have raised, by the worst severity each reached."""

    by_severity: dict[Severity, int]

    @property
    def total(self) -> int:
        """All of them."""
        return sum(self.by_severity.values())


@dataclass(frozen=True)
class Preview:
    """What the last days would have been, as scored now and with the change."""

    now: Alerts
    draft: Alerts


def changeable(policy: Policy) -> list[Rule]:
    """The rules of which a person may have thresholds of their own."""
    return [r for r in policy.rules if isinstance(r, Personal) and r.personal is not None]


def drafted(values: Mapping[str, float | None], usual: int | None, target: str | None) -> Override:
    """Make an override of what a form holds: ``rule.word`` → threshold, nothing where the policy's own stays.

    Raises
    ------
    InvalidActionError
        Where the target is none.
    """
    limits: dict[str, dict[str, float]] = {}
    for name, value in values.items():
        rule, _, word = name.rpartition(".")
        if value is not None and word in WORDS:
            limits.setdefault(rule, {})[word] = float(value)
    try:
        wanted = [float(part) for part in (target or "").split("-")] if target else []
        own = {rule: msgspec.convert(stated, Thresholds) for rule, stated in limits.items()}
    except (ValueError, msgspec.ValidationError) as exc:
        raise InvalidActionError("A limit is a number.") from exc
    return Override(own, TargetRange(*wanted) if len(wanted) == 2 else None, usual)


def present(patient: Row) -> tuple[Policy, Override]:
    """The policy that a patient is on, without what is their own, and that."""
    policy = parse_version(patient["document"], patient["policy_id"], patient["version"])
    return policy, read_override(patient["own"] or "{}")


async def preview(patient: Row, draft: Override) -> Preview:
    """Run the core over the last two weeks, as now and with the change.

    Raises
    ------
    InvalidActionError
        Where the policy does not permit the change; the message says what it permits.
    """
    policy, own = present(patient)
    usual = patient["usual_news2"]
    before, after = _own(policy, own, usual), _own(policy, draft, usual)
    until = datetime.now(UTC)
    begin = until - PREVIEW
    since = microseconds(begin)
    earliest = begin - timedelta(microseconds=max(reach(before), reach(after)))
    rows = await store.fetch_from(
        FILE, "scored_observations", patient=patient["patient_id"], since=earliest, until=until,
        limit=MOST_OBSERVATIONS,
    )  # fmt: skip
    batch = _batch(rows)
    counted = []
    for variant, override in ((before, own), (after, draft)):
        person = np.zeros(1, PERSON)
        person["enrolled_at"] = microseconds(patient["enrolled_at"])
        person["spo2_scale"] = spo2_scale(policy, override) or patient["spo2_scale"]
        episodes, _ = backtest(variant, np.zeros(len(rows), np.intp), batch, person, microseconds(until))
        recent = episodes[episodes["activated_at"] >= since]
        counted.append(Alerts({s: int((recent["peak"] == s).sum()) for s in Severity if s}))
    return Preview(*counted)


def _own(policy: Policy, override: Override, usual: int | None) -> Policy:
    if override.usual_news2 is None and usual is not None:
        override = msgspec.structs.replace(override, usual_news2=usual)
    try:
        return personalise(policy, override)
    except PolicyError as exc:
        raise InvalidActionError(str(exc)) from exc


def _batch(rows: list[Row]) -> ObservationBatch:
    columns = {name: [r[name] for r in rows] for name in ("vital", "value", "flags", "device_id")}
    at = np.array([microseconds(r["observed_at"]) for r in rows], np.int64)
    received = np.array([microseconds(r["received_at"]) for r in rows], np.int64)
    return ObservationBatch(
        patient_id=np.zeros(len(rows), np.int32),
        device_id=np.array(columns["device_id"], np.int32),
        vital=np.array(columns["vital"], np.int16),
        value=np.array(columns["value"], np.float64),
        observed_at=at,
        received_at=received,
        flags=np.array(columns["flags"], np.int16),
    )


async def put_in_force(patient_id: int, draft: Override, reason: str, after: int | None = None) -> int | None:
    """Give a patient these limits from now on; the version, or ``None`` where there is no such patient on a policy.

    With ``after``, only where that version is still the newest: a form of the morning undoes no change of noon.
    """
    person = identity.current()
    require(person, Permission.SET_LIMITS)
    reason = checked_note(reason)
    if not reason:
        raise InvalidActionError("Limits of a person's own need a reason.")
    async with store.transaction() as connection:
        run = store.queries(FILE)
        found = await store.rows(connection, run["enrolment"], patient=patient_id)
        if not found:
            return None
        row = found[0]
        if after is not None and after != row["last_override"]:
            raise InvalidActionError(OVERTAKEN)
        policy = parse_version(row["document"], row["policy_id"], row["version"])
        _own(policy, draft, row["usual_news2"])
        given = {
            "organisation": person.organisation_id,
            "patient": patient_id,
            "enrolment": row["enrolment_id"],
            "number": row["last_override"] + 1,
            "document": override_json(draft),
            "spo2_scale": spo2_scale(policy, draft),
            "usual_news2": draft.usual_news2,
            "policy": row["policy_id"],
            "author": person.name,
            "reason": reason,
        }
        await store.rows(connection, run["add_override"], **given)
        await audit.write(
            connection, person, "override_set", f"patient/{patient_id}", version=given["number"], reason=reason
        )
        payload = msgspec.json.encode(
            {"organisation": person.organisation_id, "patients": [patient_id], "episodes": False}
        ).decode()
        await store.rows(connection, store.queries("actions.sql")["tell_browsers"], payload=payload)
    return int(given["number"])

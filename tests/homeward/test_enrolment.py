"""Does a person get limits of their own, checked and kept, and does nobody come onto a policy not meant for them?"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, date, datetime
from typing import Any

import psycopg
import pytest

from alerts.documents import LimitRule, ScoreRule
from alerts.notation import PolicyError
from alerts.policy import shipped
from homeward import provisioning
from homeward.enrolment import enrol, overrides, set_override
from homeward.provisioning import ProvisioningError
from ingest.registry import read_registry
from schemas.database import acting_for, open_pool
from tests.conftest import TestDatabase

Connection = psycopg.Connection[Any]


class Trust:
    """One organisation with a policy for saturations and one for care homes."""

    def __init__(self, database: TestDatabase, connection: Connection) -> None:
        self.database, self.connection = database, connection
        self.number = provisioning.ensure_organisation(connection, "Trust")
        self.site = provisioning.ensure_site(connection, self.number, "Home", "care_home")
        for name in ("pulse_oximetry_home", "care_home_news2"):
            self.publish(shipped(name).text)

    def publish(self, text: str) -> tuple[str, int]:
        return provisioning.publish_policy(self.connection, self.number, text, author="A", reason="R")

    def patient(self, born_on: date = date(1950, 1, 1), *, pregnant: bool = False) -> int:
        with acting_for(self.connection, self.number):
            row = self.connection.execute(
                "insert into patient (organisation_id, site_id, family_name, given_name, born_on, pregnant) "
                "values (%s, %s, 'F', 'G', %s, %s) returning patient_id",
                [self.number, self.site, born_on, pregnant],
            ).fetchone()
        assert row is not None
        return int(row[0])

    def on(self, policy: str, **more: Any) -> int:
        patient = self.patient(**more)
        enrol(self.connection, self.number, patient, policy)
        return patient

    def own(self, patient: int, text: str) -> int:
        return set_override(self.connection, self.number, patient, text, author="Dr A", reason="COPD")


@pytest.fixture
def trust(database: TestDatabase) -> Iterator[Trust]:
    with (
        open_pool(database.url_for("homeward_admin"), "homeward_admin") as pool,
        pool.connection() as connection,
    ):
        yield Trust(database, connection)


def test_a_person_is_scored_by_limits_of_their_own(trust: Trust) -> None:
    first, second, third = (trust.on("pulse_oximetry_home") for _ in range(3))
    assert trust.own(first, "limits.low_saturation.amber = 95") == 1
    assert trust.own(first, "limits.low_saturation.amber = 96") == 2
    assert trust.own(second, "limits.low_saturation.amber = 96") == 1
    resident = trust.on("care_home_news2")
    trust.own(resident, "usual_news2 = 0\ntarget_saturation = { lowest = 88, highest = 92 }")
    with psycopg.connect(trust.database.url_for("homeward_ingest"), options="-c search_path=homeward,public") as ours:
        registry = read_registry(ours)
    people, bank = registry.people, registry.bank
    assert len(bank.policies) == 4  # two shared, one of two people, one of the resident
    assert people["policy"][first] == people["policy"][second] != people["policy"][third]
    rule = bank.policies[people["policy"][first]].rules[0]
    assert isinstance(rule, LimitRule)
    assert (rule.amber, rule.red) == (96, 92)
    score = next(r for r in bank.policies[people["policy"][resident]].rules if isinstance(r, ScoreRule))
    assert score.yellow == 2
    assert people["spo2_scale"][[first, resident]].tolist() == [1, 2]
    history = overrides(trust.connection, trust.number, first)
    assert [(h["version"], h["author"]) for h in history] == [(2, "Dr A"), (1, "Dr A")]


def test_what_the_policy_does_not_permit_is_refused(trust: Trust) -> None:
    patient = trust.on("pulse_oximetry_home")
    with pytest.raises(PolicyError, match=r"limits.low_saturation.red: 88 is looser than the policy's 92"):
        trust.own(patient, "limits.low_saturation.red = 88")
    with pytest.raises(provisioning.ProvisioningError, match="on no policy in this organisation; enrol them first"):
        trust.own(trust.patient(), "")
    assert overrides(trust.connection, trust.number, patient) == []


def test_a_version_that_does_not_permit_what_is_in_force_is_not_published(trust: Trust) -> None:
    patient = trust.on("pulse_oximetry_home")
    trust.own(patient, "limits.low_saturation.amber = 95")
    stricter = shipped("pulse_oximetry_home").text.replace("amber = 94", "amber = 96")
    with pytest.raises(PolicyError, match=f"patient {patient} has limits of their own that this version does not"):
        trust.publish(stricter)
    trust.own(patient, "")
    assert trust.publish(stricter) == ("pulse_oximetry_home", 2)


@pytest.mark.parametrize(
    ("who", "message"),
    [
        ({"born_on": date(datetime.now(UTC).year - 14, 1, 1)}, "is younger than 16; .* Choose another policy"),
        ({"pregnant": True}, "is pregnant; .* Choose another policy"),
    ],
)
def test_news2_is_refused_to_children_and_in_pregnancy(trust: Trust, who: dict[str, Any], message: str) -> None:
    with pytest.raises(provisioning.ProvisioningError, match=message):
        trust.on("care_home_news2", **who)


def test_a_published_version_is_never_changed_and_knows_its_template(trust: Trust) -> None:
    patient = trust.on("pulse_oximetry_home")
    trust.own(patient, "")
    with psycopg.connect(
        trust.database.url, options="-c search_path=homeward,public", autocommit=True
    ) as owner:  # even the superuser
        for statement in (
            "update policy set document = ''",
            "delete from policy",
            "update enrolment_override set document = '{}'",
            "delete from enrolment_override",
        ):
            with pytest.raises(psycopg.errors.RaiseException, match="never changed; publish another one"):
                owner.execute(statement.encode())
        found = owner.execute("select derived_from, derived_sha256 = sha256 from policy order by 1").fetchall()
    assert found == [("care_home_news2", True), ("pulse_oximetry_home", True)]
    for statement in ("update policy set document = ''", "delete from enrolment_override"):
        with (
            pytest.raises(psycopg.errors.InsufficientPrivilege),
            acting_for(trust.connection, trust.number),
        ):
            trust.connection.execute(statement.encode())


def test_a_version_of_a_policy_has_an_author_and_a_reason(trust: Trust) -> None:
    text = shipped("pulse_oximetry_home").text.replace("amber = 94", "amber = 95")
    for author, reason in (("", "R"), ("A", ""), (" ", "R"), ("A", "\t")):
        with pytest.raises(ProvisioningError, match="needs an author who answers for it and a reason"):
            provisioning.publish_policy(trust.connection, trust.number, text, author=author, reason=reason)
    assert trust.publish(text) == ("pulse_oximetry_home", 2)

"""A ward in a test's database: patients, each with a device that speaks for itself, and a hub that speaks for all."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import psycopg

from alerts.policy import shipped
from schemas.topic import observations_topic

ENROLLED = datetime.now(UTC) - timedelta(days=400)


@dataclass(frozen=True)
class Ward:
    """Its patients, the codes of their devices (same order), and the hub; device i is in lane i % 16."""

    organisation: int
    patients: list[int]
    devices: list[str]
    hub: str

    def topic(self, index: int) -> str:
        """Where device ``index`` publishes."""
        return observations_topic(index % 16, self.devices[index])

    @property
    def hub_topic(self) -> str:
        """Where the hub publishes."""
        return observations_topic(0, self.hub)


def make_ward(url: str, size: int, policy: str = "care_home_news2", prefix: str = "w") -> Ward:
    """Enter a ward of ``size`` patients on one pathway, as the superuser."""
    document = shipped(policy)
    with psycopg.connect(url, options="-c search_path=homeward,public") as connection:
        organisation = _insert(connection, "organisation (name)", [f"Trust {prefix}"], "organisation_id")
        site = _insert(connection, "site (organisation_id, name, kind)", [organisation, "Ward", "ward"], "site_id")
        pathway = _insert(
            connection, "pathway (organisation_id, name, title)", [organisation, policy, policy], "pathway_id"
        )
        published = _insert(
            connection,
            "policy (organisation_id, pathway_id, version, document, sha256, author, source, reason)",
            [organisation, pathway, 1, document.text, hashlib.sha256(document.text.encode()).digest(), "a", "s", "r"],
            "policy_id",
        )
        connection.execute("update pathway set policy_id = %s where pathway_id = %s", [published, pathway])
        hub = _insert(
            connection,
            "device (organisation_id, code, kind, lane)",
            [organisation, f"{prefix}-hub", "hub", 0],
            "device_id",
        )
        patients = [
            row[0]
            for row in connection.execute(
                """insert into patient (organisation_id, site_id, family_name, given_name, born_on)
                select %s, %s, 'Family' || i, 'Given', '1950-01-01' from generate_series(1, %s) i
                returning patient_id""",
                [organisation, site, size],
            )
        ]
        connection.execute(
            """insert into device (organisation_id, site_id, hub_id, code, kind, lane)
            select %s, %s, %s, %s || '-' || i, 'monitor', i %% 16 from generate_series(0, %s - 1) i""",
            [organisation, site, hub, prefix, size],
        )
        connection.execute(
            """insert into device_assignment (organisation_id, device_id, patient_id, during)
            select %s, d.device_id, u.patient, tstzrange(%s, null)
            from unnest(%s::int[]) with ordinality as u(patient, i) join device d on d.code = %s || '-' || (u.i - 1)""",
            [organisation, ENROLLED, patients, prefix],
        )
        connection.execute(
            """insert into enrolment (organisation_id, patient_id, pathway_id, started_at)
            select %s, unnest(%s::int[]), %s, %s""",
            [organisation, patients, pathway, datetime.now(UTC) - timedelta(hours=1)],
        )
    return Ward(organisation, patients, [f"{prefix}-{i}" for i in range(size)], f"{prefix}-hub")


def _insert(connection: psycopg.Connection, target: str, values: list[object], returning: str) -> int:
    places = ", ".join(["%s"] * len(values))
    row = connection.execute(
        f"insert into {target} values ({places}) returning {returning}".encode(), values
    ).fetchone()
    assert row is not None
    return int(row[0])


def payload(at: datetime, values: dict[str, object], **more: object) -> bytes:
    """One native message."""
    return json.dumps({"time": at.isoformat(), "values": values, **more}).encode()

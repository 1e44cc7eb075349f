"""Who lives in a district of 100,000 patients, and how is a database filled with them in a minute?

Everything is made in the database by set-wise statements: people on fifty sites, a day of observations each, one of a
few hundred states, one in twenty with an open episode, and two weeks of what has ended. One more person is observed
once a minute for a year.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from datetime import UTC, datetime

import numpy as np
import psycopg

from alerts.policy import shipped
from alerts.state import initial, pack
from dashboard.passwords import hash_password
from schemas.vital_signs import BY_NAME

SIGN_IN, PASSWORD = "nurse", "a benchmark signs in"
_STATES = 400
_USUAL = {"respiration_rate": 16, "spo2": 96, "bp_systolic": 131, "bp_diastolic": 77, "pulse": 74, "temperature": 36.7,
          "on_oxygen": 0, "consciousness": 0}  # fmt: skip
_SPREAD = {"respiration_rate": 3, "spo2": 1.6, "bp_systolic": 14, "bp_diastolic": 8, "pulse": 12, "temperature": 0.5}
_GIVEN = "Margaret Arthur Doris Gordon Eileen Norman Brenda Reginald Maureen Derek Phyllis Raymond Joan Ernest Beryl"
_FAMILY = (
    "Okafor Sutcliffe Ahmed Bennett Ashworth Pritchard Hughes Nwosu Entwistle Kaur Whitfield Doyle Iqbal Jones Lowe"
)


@dataclass(frozen=True)
class District:
    """What was made: how many patients, and the one who is observed every minute."""

    patients: int
    watched: int


def fill(url: str, patients: int) -> District:
    """Fill an empty, migrated database."""
    with psycopg.connect(url, options="-c search_path=homeward,public") as connection:
        _frame(connection)
        _people(connection, patients)
        _states(connection)
        _observations(connection)
        _episodes(connection, patients)
        watched = _watched(connection)
        connection.commit()
        connection.autocommit = True
        connection.execute("vacuum analyze")
        connection.execute("checkpoint")
    return District(patients, watched)


def _frame(connection: psycopg.Connection) -> None:
    """One trust with fifty sites, two pathways and somebody who sees everything."""
    connection.execute(
        "insert into organisation (name) values ('District'); "
        "insert into site (organisation_id, name, kind) select 1, 'House ' || i, 'care_home' "
        "from generate_series(1, 50) i"
    )
    for number, name in enumerate(("care_home_news2", "pulse_oximetry_home"), start=1):
        text = shipped(name).text
        connection.execute(
            "insert into pathway (organisation_id, name, title) values (1, %s, %s)", [name, name.replace("_", " ")]
        )
        connection.execute(
            "insert into policy (organisation_id, pathway_id, version, document, sha256, author, source, reason) "
            "values (1, %s, 1, %s, %s, 'benchmark', 'benchmark', 'benchmark')",
            [number, text, hashlib.sha256(text.encode()).digest()],
        )
    connection.execute("update pathway set policy_id = pathway_id")
    connection.execute(
        "insert into account (organisation_id, sign_in, name, role, all_sites, password_hash) "
        "values (1, %s, 'Nurse', 'clinician', true, %s)",
        [SIGN_IN, hash_password(PASSWORD)],
    )


def _people(connection: psycopg.Connection, patients: int) -> None:
    names = {"given": _GIVEN.split(), "family": _FAMILY.split()}
    for statement in (
        "insert into patient (organisation_id, site_id, family_name, given_name, nhs_number, born_on, room, contact) "
        "select 1, 1 + i %% 50, (%(family)s::text[])[1 + i / 7 %% 15] || ' ' || i / 100, "
        "(%(given)s::text[])[1 + i %% 15], lpad((4000000000 + i * 37)::text, 10, '0'), date '1930-01-01' + i %% 9000, "
        "'room ' || i %% 90, 'Daughter, 01632 960 143' from generate_series(0, %(last)s) i",
        "insert into device (organisation_id, site_id, code, kind, lane) "
        "select 1, 1 + i %% 50, 'm-' || i, 'monitor', i %% 16 from generate_series(0, %(last)s) i",
        "insert into device_assignment (organisation_id, device_id, patient_id, during) "
        "select 1, i + 1, i + 1, tstzrange(now() - interval '400 days', null) from generate_series(0, %(last)s) i",
        "insert into enrolment (organisation_id, patient_id, pathway_id, started_at) "
        "select 1, i + 1, 1 + (i %% 5 = 0)::int, now() - interval '30 days' from generate_series(0, %(last)s) i",
    ):
        connection.execute(statement.encode(), {"last": patients - 1, **names})


def _states(connection: psycopg.Connection) -> None:
    """A few hundred different states, shared out: what is unpacked and scored differs from row to row."""
    rng = np.random.default_rng(7)
    machines = initial(_STATES)
    now = round(datetime.now(UTC).timestamp() * 1e6)
    for name, usual in _USUAL.items():
        code = BY_NAME[name].code
        machines["recent"][:, code, 0] = np.round(rng.normal(usual, _SPREAD.get(name, 0), _STATES), 1)
        machines["recent_at"][:, code, 0] = now - rng.integers(60, 7200, _STATES) * 1_000_000
    connection.execute("create temp table made (n integer primary key, machine bytea) on commit drop")
    with connection.cursor().copy("copy made from stdin (format binary)") as copy:
        copy.set_types(["int4", "bytea"])
        for number, machine in enumerate(pack(machines)):
            copy.write_row((number, machine))
    connection.execute(
        "insert into patient_state (patient_id, machine, last_observed_at) select p.patient_id, m.machine, now() "
        "from patient p join made m on m.n = p.patient_id %% %s",
        [_STATES],
    )


def _observations(connection: psycopg.Connection) -> None:
    """Four sets in the last day for everybody, each with five vital signs."""
    names = list(_SPREAD)
    connection.execute(
        "insert into observation (observed_at, received_at, value, patient_id, device_id, vital) "
        "select now() - h * interval '6 hours' - p.patient_id %% 3600 * interval '1 second', now(), "
        "q.usual + q.spread * sin(p.patient_id + h), p.patient_id, p.patient_id, q.vital "
        "from generate_series(0, 3) h, patient p, "
        "unnest(%s::smallint[], %s::float8[], %s::float8[]) as q (vital, usual, spread)",
        [[BY_NAME[n].code for n in names], [float(_USUAL[n]) for n in names], [float(_SPREAD[n]) for n in names]],
    )


def _episodes(connection: psycopg.Connection, patients: int) -> None:
    """One in twenty has an open episode, a third of them in somebody's hands; ten times as many have ended."""
    overdue = shipped("care_home_news2").document.overdue[0].name
    connection.execute(
        "insert into episode (organisation_id, patient_id, policy_id, rule, opened_at, activated_at, phase, severity, "
        "peak_severity, sentence, acknowledged_by, acknowledged_at, acknowledged_severity) "
        "select 1, i, 1, case when i %% 60 = 0 then %s else 'news2' end, at, at, 'active', severity, severity, "
        "'NEWS2 ' || 3 + severity * 2 || '.', case when i %% 60 = 20 then 1 end, "
        "case when i %% 60 = 20 then at + interval '5 minutes' end, case when i %% 60 = 20 then severity end "
        "from (select i, now() - i %% 2880 * interval '1 minute' as at, "
        "case when i %% 200 = 0 then 3 when i %% 60 < 20 then 2 else 1 end as severity "
        "from generate_series(20, %s, 20) i) x",
        [overdue, patients],
    )
    connection.execute(
        "insert into episode (organisation_id, patient_id, policy_id, rule, opened_at, activated_at, resolved_at, "
        "phase, severity, peak_severity, sentence) select 1, i, 1, 'news2', at, at, at + interval '2 hours', "
        "'resolved', 0, 2, 'NEWS2 5.' from (select i, now() - n * interval '3 days' - i * interval '1 second' as at "
        "from generate_series(1, %s, 10) i, generate_series(1, 5) n) x",
        [patients],
    )


def _watched(connection: psycopg.Connection) -> int:
    """The first patient, observed once a minute for a year: 525,600 instants of three vital signs."""
    connection.execute(
        "insert into observation (observed_at, received_at, value, patient_id, device_id, vital) "
        "select at, at, round((q.usual + q.spread * sin(extract(epoch from at) / 13700.0 + q.vital))::numeric, 1), "
        "1, 1, q.vital from generate_series(now() - interval '365 days', now() - interval '1 minute', '1 minute') at, "
        "(values (1, 16, 3), (2, 96, 1.6), (6, 74, 12)) as q (vital, usual, spread) on conflict do nothing"
    )
    return 1

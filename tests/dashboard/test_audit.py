"""Is the record of looks and changes whole, and is it noticed when somebody has touched it?"""

import concurrent.futures
from collections.abc import Iterator

import psycopg
import pytest

from dashboard.audit import verify
from schemas.database import acting_for, open_pool
from tests.conftest import TestDatabase
from tests.dashboard.conftest import Served, Trusts, connect, make_trusts


@pytest.fixture
def trusts(database: TestDatabase) -> Iterator[Trusts]:
    """Two organisations whose audit logs have twelve entries each."""
    made = make_trusts(database)
    with connect(database) as connection:
        for number in range(12):
            for organisation in (made.north, made.south):
                connection.execute(
                    "insert into audit_log (organisation_id, account_id, action, object, detail) values "
                    "(%s, %s, 'looked_at', %s, %s)",
                    [
                        organisation.organisation_id,
                        None if number % 3 else 1,
                        f"patient/{number}",
                        '{"what": "é \\u001f"}',
                    ],
                )
    return made


def check(database: TestDatabase, organisation: int) -> tuple[int, int | None]:
    """Verify as the command line does: with the role for provisioning, for one organisation."""
    with open_pool(database.url_for("homeward_admin"), "homeward_admin") as pool, pool.connection() as connection:
        with acting_for(connection, organisation):
            found = verify(connection, organisation)
        return found.entries, found.first_broken


def touch(database: TestDatabase, statement: str, *parameters: object) -> None:
    """Do what only somebody can who holds the whole database: change the log behind its triggers."""
    with connect(database) as connection:
        connection.execute("set session_replication_role = replica")
        connection.execute(statement, parameters)


def test_an_untouched_log_is_intact(database: TestDatabase, trusts: Trusts) -> None:
    assert check(database, trusts.north.organisation_id) == (12, None)
    assert check(database, trusts.south.organisation_id) == (12, None)
    assert check(database, 999) == (0, None)


@pytest.mark.parametrize(
    "change",
    [
        "set object = 'patient/99'",
        "set action = 'looked_past'",
        "set account_id = 2",
        "set at = at + interval '1 microsecond'",
        "set detail = '{}'",
        "set previous_hash = ''",
        "set hash = sha256('x')",
        "set organisation_id = 2 - organisation_id + 1",
    ],
)
def test_a_changed_entry_is_named(database: TestDatabase, trusts: Trusts, change: str) -> None:
    organisation = trusts.north.organisation_id
    with connect(database) as connection:
        rows = connection.execute(
            "select audit_id from audit_log where organisation_id = %s order by audit_id", [organisation]
        ).fetchall()
    fifth, sixth = rows[4][0], rows[5][0]
    touch(database, f"update audit_log {change} where audit_id = %s", fifth)
    entries, broken = check(database, organisation)
    assert entries == 4
    assert broken == (sixth if "organisation_id" in change else fifth)


def test_a_removed_entry_is_noticed_at_the_one_after_it(database: TestDatabase, trusts: Trusts) -> None:
    organisation = trusts.north.organisation_id
    touch(
        database,
        "delete from audit_log where audit_id = (select audit_id from audit_log where organisation_id = %s "
        "order by audit_id offset 3 limit 1)",
        organisation,
    )
    entries, broken = check(database, organisation)
    assert entries == 3
    assert broken is not None
    assert check(database, trusts.south.organisation_id) == (12, None)


def test_a_shortened_log_has_another_end(database: TestDatabase, trusts: Trusts) -> None:
    organisation = trusts.north.organisation_id
    with connect(database) as connection:
        before = verify(connection, organisation)
    touch(
        database,
        "delete from audit_log where audit_id = (select max(audit_id) from audit_log where organisation_id = %s)",
        organisation,
    )
    with connect(database) as connection:
        after = verify(connection, organisation)
    assert after.intact
    assert (after.entries, after.last_hash) != (before.entries, before.last_hash)


def test_the_end_of_an_earlier_report_must_be_found_again(database: TestDatabase, trusts: Trusts) -> None:
    organisation = trusts.north.organisation_id
    with connect(database) as connection:
        earlier = verify(connection, organisation).last_hash
        connection.execute(
            "insert into audit_log (organisation_id, action, object) values (%s, 'looked_at', 'x')", [organisation]
        )
        later = verify(connection, organisation).last_hash
        assert verify(connection, organisation, earlier).intact
        assert verify(connection, organisation, later).intact
        assert not verify(connection, trusts.south.organisation_id, later).intact
    cut = "delete from audit_log where audit_id = (select max(audit_id) from audit_log where organisation_id = %s)"
    touch(database, cut, organisation)
    with connect(database) as connection:
        # what is written afterwards makes the chain no whole one again
        connection.execute(
            "insert into audit_log (organisation_id, action, object) values (%s, 'looked_at', 'x')", [organisation]
        )
        assert verify(connection, organisation, earlier).intact
        found = verify(connection, organisation, later)
    assert (found.entries, found.first_broken, found.expected_found, found.intact) == (13, None, False, False)


def test_nobody_can_change_the_log_through_the_door(database: TestDatabase, trusts: Trusts) -> None:
    for role in ("homeward_dashboard", "homeward_admin", "homeward_ingest", "homeward_notify"):
        with psycopg.connect(database.url_for(role), options="-c search_path=homeward,public") as connection:
            for statement in ("update audit_log set object = ''", "delete from audit_log", "truncate audit_log"):
                with pytest.raises(psycopg.errors.InsufficientPrivilege):
                    connection.execute(statement)
                connection.rollback()
    with connect(database) as connection:
        for statement in ("update audit_log set object = ''", "delete from audit_log", "truncate audit_log"):
            with pytest.raises(psycopg.errors.RaiseException, match="append-only"):
                connection.execute(statement)


def test_many_writers_at_once_make_one_chain(database: TestDatabase, trusts: Trusts) -> None:
    organisation = trusts.north.organisation_id

    def write(writer: int) -> None:
        with psycopg.connect(
            database.url_for("homeward_dashboard"), options="-c search_path=homeward,public"
        ) as connection:
            for number in range(25):
                with acting_for(connection, organisation):
                    connection.execute(
                        "insert into audit_log (organisation_id, action, object) values (%s, 'looked_at', %s)",
                        [organisation, f"{writer}/{number}"],
                    )

    with concurrent.futures.ThreadPoolExecutor(6) as pool:
        list(pool.map(write, range(6)))
    assert check(database, organisation) == (12 + 150, None)


def test_the_log_is_searched_by_who_whom_what_and_when(fresh: Served) -> None:
    patient = fresh.trusts.north.patients[0]
    with fresh.client("nurse") as nurse:
        nurse.get(f"/api/v1/patients/{patient.patient_id}")
    with fresh.client("auditor") as auditor:
        nurse_number = fresh.trusts.north.accounts["nurse"]
        for query in ({"patient": patient.patient_id}, {"account": nurse_number, "action": "looked_at"}):
            found = auditor.get("/api/v1/audit", params=query).json()["items"]
            assert [(e["account"], e["object"]) for e in found] == [("Nurse", f"patient/{patient.patient_id}")]
        assert auditor.get("/api/v1/audit", params={"to": "2000-01-01T00:00:00Z"}).json()["items"] == []
        parts = auditor.get("/api/v1/audit", params={"limit": 2}).json()
        rest = auditor.get("/api/v1/audit", params={"limit": 1000, "after": parts["next"]}).json()["items"]
        assert min(e["audit_id"] for e in parts["items"]) > max(e["audit_id"] for e in rest)
        # that the log was read is in the log, and another trust's is not
        read = auditor.get("/api/v1/audit", params={"action": "looked_at"}).json()["items"]
        assert "audit" in {e["object"] for e in read}
        everything = auditor.get("/api/v1/audit", params={"limit": 1000}).json()["items"]
        ours = set(fresh.trusts.north.accounts.values())
        assert {e["account_id"] for e in everything} <= ours
    fresh.ask("alter table audit_log disable trigger audit_log_append_only")
    fresh.ask("update audit_log set detail = '{}' where action = 'looked_at' and object = 'audit'")
    with fresh.client("auditor") as auditor:
        found = auditor.get("/api/v1/audit/verification").json()
        assert not found["intact"]
        assert found["first_broken"]

"""Does the database itself keep tenants apart: every table, every grant, every role that serves people?

`faults` walks the catalogue and knows no table by name but those that hold no tenant's data, so a table, view, grant or
function that is added without thinking of it fails here. The second half looks with each role's eyes.
"""

from typing import Any

import psycopg
import pytest

from dashboard.identity import Person
from dashboard.permissions import PERMISSIONS, Permission, may
from schemas.database import OWNER, ROLES, acting_for
from tests.conftest import TestDatabase
from tests.dashboard.conftest import Trusts, connect
from tests.schemas.filled_trusts import make_filled_trusts

# What holds no tenant's data: anything else needs row-level security.
WITHOUT_TENANT = {"service_instance", "message_key"}
PEOPLE = ("homeward_dashboard", "homeward_admin")
SERVICES = ("homeward_ingest", "homeward_notify")
# Provisioning makes an organisation and looks one up by name before there is a tenant to act for.
OPEN_TO_PEOPLE = {("organisation", "provisioning_new"), ("organisation", "provisioning_names")}
# What nobody else reads of those who sign in.
FOR_ADMINISTRATORS = {"audit_log", "identity_rule"}
# Each runs with the owner's eyes: read them before adding one.
WITH_OWNERS_EYES = {
    "chain_audit_entry",
    "account_for_sign_in",
    "record_sign_in_attempt",
    "account_for_session",
    "drop_observation_chunks",
    "account_for_link",
    "account_for_identity",
    "account_by_rule",
    "end_sessions",
    "open_in_emergency",
    "nhs_number_is_known",
    "names_for_message",
    "message_standing",
    "record_looks",
    "record_list",
    "patient_of_nhs_number",
    "organisation_of_provider",
    "overrides_of_pathway",
    "ways_of_people",
}

RULES = {
    "{0}: row-level security is not enabled and forced": """
        select c.relname from pg_class c
        where c.relnamespace = 'homeward'::regnamespace and c.relkind in ('r', 'p')
          and not (c.relrowsecurity and c.relforcerowsecurity) and c.relname <> all (%(without)s)
          and not exists (select from timescaledb_information.hypertables h
                          where h.hypertable_schema = 'homeward' and h.hypertable_name = c.relname)""",
    "{0}: said to hold no tenant's data, but has a column that names one": """
        select distinct table_name from information_schema.columns
        where table_schema = 'homeward' and table_name = any (%(without)s)
          and column_name in ('organisation_id', 'patient_id', 'episode_id', 'account_id', 'device_id', 'site_id')""",
    "{0}: hypertable or chunk on which {1} has a grant": """
        with tables as (
            select format('%%I.%%I', hypertable_schema, hypertable_name)::regclass as t
            from timescaledb_information.hypertables where hypertable_schema = 'homeward'
            union select format('%%I.%%I', chunk_schema, chunk_name)::regclass from timescaledb_information.chunks
            where hypertable_schema = 'homeward')
        select t::text, r from tables, unnest(%(people)s::text[]) r
        where has_any_column_privilege(r, t, 'select, insert, update, references')
           or has_table_privilege(r, t, 'delete, truncate, trigger')""",
    "{0}: policy {1} shows {2} everything": """
        select tablename, policyname, roles::text from pg_policies
        where schemaname = 'homeward' and (roles && (%(people)s::name[] || '{homeward_reader,public}'::name[]))
          and (coalesce(qual, 'true') = 'true' and coalesce(with_check, 'true') = 'true')
          and (tablename || '.' || policyname) <> all (%(open)s)""",
    "{0}: policy {1} for {2} speaks of neither the tenant nor a patient or episode under policy": """
        select tablename, policyname, roles::text from pg_policies
        where schemaname = 'homeward' and (roles && (%(people)s::name[] || '{homeward_reader,public}'::name[]))
          and coalesce(qual, with_check) !~ 'current_organisation|FROM (homeward\\.)?(patient|episode) '
          and (tablename || '.' || policyname) <> all (%(open)s)""",
    "{0}: belongs to {1}, not to the owner": """
        select c.relname, pg_get_userbyid(c.relowner) from pg_class c
        where c.relnamespace = 'homeward'::regnamespace and c.relkind in ('r', 'p', 'v', 'm', 'S')
          and pg_get_userbyid(c.relowner) <> %(owner)s
          and not (c.relkind = 'v' and pg_get_userbyid(c.relowner) = 'homeward_reader')""",
    "{0}: view that does not look with the reader's eyes behind a barrier": """
        select c.relname from pg_class c
        where c.relnamespace = 'homeward'::regnamespace and c.relkind in ('v', 'm')
          and not (c.relkind = 'v' and pg_get_userbyid(c.relowner) = 'homeward_reader'
                   and coalesce(c.reloptions, '{}') @> '{security_barrier=true}')""",
    "{0}: granted to everybody ({1})": """
        select table_name, privilege_type from information_schema.role_table_grants
        where table_schema = 'homeward' and grantee = 'PUBLIC'
        union select routine_name, 'EXECUTE' from information_schema.routine_privileges
        where routine_schema = 'homeward' and grantee = 'PUBLIC'""",
    "{0}: {1} may {2}": """
        select table_name, grantee::text, privilege_type from information_schema.role_table_grants
        where table_schema = 'homeward' and grantee = any (%(roles)s)
          and privilege_type in ('TRUNCATE', 'REFERENCES', 'TRIGGER')
          and (table_name, grantee) <> ('patient_observation', 'homeward_reader') -- its owner""",
    "{0}: runs with the owner's eyes and is not on the list": """
        select p.proname from pg_proc p where p.pronamespace = 'homeward'::regnamespace and p.prosecdef
          and p.proname <> all (%(eyes)s)""",
    "{0}: runs with the owner's eyes and without a search path of its own": """
        select p.proname from pg_proc p where p.pronamespace = 'homeward'::regnamespace and p.prosecdef
          and not exists (select from unnest(p.proconfig) x where x like 'search_path=%%')""",
    "{0}: a role that may do more than its grants": """
        select rolname from pg_roles where rolname = any (%(roles)s || array[%(owner)s])
          and (rolsuper or rolbypassrls or rolcreaterole or rolcreatedb or rolreplication)""",
    "{0}: a member of {1}": """
        select pg_get_userbyid(member), pg_get_userbyid(roleid) from pg_auth_members
        where pg_get_userbyid(member) = any (%(roles)s || array[%(owner)s])
           or pg_get_userbyid(roleid) in (%(owner)s, 'homeward_reader')""",
    "{0}: a role for people that may make things in the schema": """
        select r from unnest(%(roles)s::text[]) r where has_schema_privilege(r, 'homeward', 'create')""",
    "{0}: {1} has a grant and is none of our roles": """
        select table_name, grantee::text from information_schema.role_table_grants
        where table_schema = 'homeward' and grantee <> all (%(roles)s) and grantee <> %(owner)s
          and grantee not in (select rolname from pg_roles where rolsuper)""",
}


def faults(connection: psycopg.Connection[Any]) -> list[str]:
    """Walk the catalogue and say what breaks a rule."""
    parameters = {
        "without": sorted(WITHOUT_TENANT),
        "people": list(PEOPLE),
        "roles": list(ROLES),
        "owner": OWNER,
        "open": [".".join(pair) for pair in sorted(OPEN_TO_PEOPLE)],
        "eyes": sorted(WITH_OWNERS_EYES),
    }
    return [
        sentence.format(*row)
        for sentence, query in RULES.items()
        for row in connection.execute(query, parameters).fetchall()
    ]


def test_the_catalogue_has_no_fault(module_database: TestDatabase) -> None:
    with connect(module_database) as connection:
        assert faults(connection) == []


@pytest.mark.parametrize(
    ("carelessness", "fault"),
    [
        ("create table diary (diary_id int, patient_id int)", "diary: row-level security is not enabled"),
        ("create table diary (diary_id int, body text)", "diary: row-level security is not enabled"),
        (
            "create table diary (patient_id int); alter table diary enable row level security",
            "diary: row-level security is not enabled and forced",
        ),
        ("alter table note no force row level security", "note: row-level security is not enabled and forced"),
        ("alter table note disable row level security", "note: row-level security is not enabled and forced"),
        ("alter table service_instance add patient_id int", "service_instance: said to hold no tenant's data"),
        ("grant select on observation to homeward_dashboard", "observation: hypertable or chunk on which"),
        ("grant select (value) on observation to homeward_admin", "observation: hypertable or chunk on which"),
        ("grant delete on observation to homeward_dashboard", "observation: hypertable or chunk on which"),
        ("create policy x on note to homeward_dashboard using (true)", "note: policy x shows"),
        ("create policy x on note using (true)", "note: policy x shows"),
        ("create policy x on note to homeward_admin using (body <> '')", "note: policy x for"),
        ("alter table note owner to homeward_dashboard", "note: belongs to homeward_dashboard"),
        ("create table t (patient_id int)", "t: belongs to postgres"),
        ("create view all_notes as select * from note", "all_notes: view that does not look"),
        ("create view v as select * from observation; alter view v owner to homeward_reader", "v: view that does not"),
        ("create materialized view m as select * from note", "m: view that does not"),
        ("grant select on note to public", "note: granted to everybody"),
        ("grant truncate on note to homeward_ingest", "note: homeward_ingest may TRUNCATE"),
        (
            "create function f() returns int language sql security definer as 'select 1'",
            "f: runs with the owner's eyes and is not on the list",
        ),
        (
            "alter function account_for_session reset search_path",
            "account_for_session: runs with the owner's eyes and w",
        ),
        ("alter role homeward_ingest bypassrls", "homeward_ingest: a role that may do more"),
        ("grant homeward_owner to homeward_ingest", "homeward_ingest: a member of homeward_owner"),
        ("grant homeward_reader to homeward_dashboard", "homeward_dashboard: a member of homeward_reader"),
        ("grant create on schema homeward to homeward_dashboard", "homeward_dashboard: a role for people"),
        ("create role passer_by; grant select on note to passer_by", "note: passer_by has a grant"),
    ],
)
def test_what_is_added_carelessly_is_found(module_database: TestDatabase, carelessness: str, fault: str) -> None:
    with connect(module_database) as connection, connection.transaction(force_rollback=True):
        connection.execute(carelessness.encode())
        assert [found for found in faults(connection) if found.startswith(fault)]


@pytest.fixture(scope="module")
def trusts(module_database: TestDatabase) -> Trusts:
    return make_filled_trusts(module_database)


def tables_with_tenant(connection: psycopg.Connection[Any]) -> dict[str, str]:
    """Give each table and view with tenant data, and how to find a row's organisation."""
    rows = connection.execute(
        "select table_name, bool_or(column_name = 'organisation_id'), bool_or(column_name = 'patient_id') "
        "from information_schema.columns where table_schema = 'homeward' group by 1"
    ).fetchall()
    by_patient = "(select p.organisation_id from homeward.patient p where p.patient_id = t.patient_id)"
    return {name: "t.organisation_id" if own else by_patient for name, own, patient in rows if own or patient}


@pytest.mark.parametrize("role", [*PEOPLE, "homeward_reader"])
def test_people_see_nothing_without_a_tenant_and_nothing_of_another(
    module_database: TestDatabase, trusts: Trusts, role: str
) -> None:
    with connect(module_database) as connection:
        tables = tables_with_tenant(connection)
        empty = {t for t in tables if not connection.execute(f"select 1 from {t} limit 1".encode()).fetchone()}
        # through the view even the superuser looks with the reader's eyes
        assert empty == {"patient_observation"}, "fill the new table in tests/schemas/filled_trusts.py"
    with psycopg.connect(module_database.url, options="-c search_path=homeward,public") as connection:
        connection.execute(f"set role {role}".encode())
        readable = [t for t in sorted(tables) if _may_read(connection, role, t) and t != "observation"]
        assert len(readable) > 3
        for table in readable:
            who = "admin" if table in FOR_ADMINISTRATORS else "nurse"
            ours, theirs = trusts.north.accounts[who], trusts.south.accounts[f"south-{who}"]
            seen = {
                name: _organisations(connection, table, tables[table], organisation, account)
                for name, organisation, account in (
                    ("nobody", None, None),
                    ("north", trusts.north.organisation_id, ours),
                    ("stranger", trusts.north.organisation_id, theirs),
                    ("south", trusts.south.organisation_id, theirs),
                )
            }
            if (role, table) == ("homeward_admin", "organisation"):
                continue  # looked up by name, before there is a tenant
            assert seen["nobody"] == set(), table
            assert seen["north"] == {trusts.north.organisation_id}, table
            assert seen["south"] == {trusts.south.organisation_id}, table
            assert seen["stranger"] <= {trusts.north.organisation_id}, table


def _may_read(connection: psycopg.Connection[Any], role: str, table: str) -> bool:
    row = connection.execute("select has_any_column_privilege(%s, %s, 'select')", [role, table]).fetchone()
    return bool(row and row[0])


def _organisations(
    connection: psycopg.Connection[Any], table: str, finder: str, organisation: int | None, account: int | None
) -> set[int]:
    with connection.transaction(force_rollback=True):
        if organisation is not None:
            connection.execute(
                "select set_config('homeward.organisation', %s, true), set_config('homeward.account', %s, true)",
                [str(organisation), str(account or "")],
            )
        return {row[0] for row in connection.execute(f"select distinct {finder} from {table} t".encode()).fetchall()}


def test_a_person_without_sites_or_disabled_sees_no_patient(module_database: TestDatabase, trusts: Trusts) -> None:
    north = trusts.north
    with (
        connect(module_database) as owner,
        psycopg.connect(
            module_database.url_for("homeward_dashboard"), options="-c search_path=homeward,public"
        ) as connection,
    ):

        def patients(account: str) -> int:
            with acting_for(connection, north.organisation_id, north.accounts[account]):
                row = connection.execute("select count(*) from patient").fetchone()
                seen = connection.execute("select count(distinct patient_id) from patient_observation").fetchone()
            assert row is not None
            assert row == seen
            return int(row[0])

        assert patients("nurse") == 4
        assert patients("carer") == 2
        owner.execute("delete from account_site where account_id = %s", [north.accounts["carer"]])
        assert patients("carer") == 0
        owner.execute("update account set disabled_at = now() where account_id = %s", [north.accounts["other-nurse"]])
        assert patients("other-nurse") == 0


def test_the_database_and_the_table_of_permissions_agree_on_who_sees_patients(
    module_database: TestDatabase, trusts: Trusts
) -> None:
    north = trusts.north
    with (
        connect(module_database) as owner,
        psycopg.connect(
            module_database.url_for("homeward_dashboard"), options="-c search_path=homeward,public"
        ) as connection,
    ):
        for role in PERMISSIONS:
            owner.execute("update account set role = %s where account_id = %s", [role, north.accounts["reader"]])
            with acting_for(connection, north.organisation_id, north.accounts["reader"]):
                row = connection.execute("select count(*) > 0 from patient").fetchone()
            person = Person(north.accounts["reader"], north.organisation_id, "", role)
            assert row == (may(person, Permission.SEE_PATIENTS),), role


def test_people_cannot_write_for_another_tenant_or_read_a_password(
    module_database: TestDatabase, trusts: Trusts
) -> None:
    north, south = trusts.north, trusts.south
    foreign = south.patients[0]
    with psycopg.connect(
        module_database.url_for("homeward_dashboard"), options="-c search_path=homeward,public"
    ) as connection:
        for statement in (
            "insert into note (organisation_id, patient_id, account_id, body) values (%(s)s, %(p)s, %(a)s, 'x')",
            "insert into note (organisation_id, patient_id, account_id, body) values (%(n)s, %(p)s, %(a)s, 'x')",
            "insert into episode_event (organisation_id, episode_id, patient_id, kind, at) "
            "values (%(s)s, %(e)s, %(p)s, 'noted', now())",
            "insert into audit_log (organisation_id, action, object) values (%(s)s, 'x', 'x')",
            "insert into session values (sha256('z'), %(s)s, %(b)s, now(), now(), now())",
            "select password_hash from account",
            "select * from observation",
        ):
            with (
                pytest.raises(psycopg.errors.InsufficientPrivilege),
                acting_for(connection, north.organisation_id, north.accounts["nurse"]),
            ):
                connection.execute(
                    statement.encode(),
                    {
                        "s": south.organisation_id,
                        "n": north.organisation_id,
                        "p": foreign.patient_id,
                        "e": foreign.episode_id,
                        "a": north.accounts["nurse"],
                        "b": south.accounts["south-nurse"],
                    },
                )
        for statement in (
            "update episode set acknowledged_by = %(a)s, acknowledged_at = now() where episode_id = %(e)s",
            "update quarantine set status = 'discarded' where organisation_id = %(s)s",
            "delete from session where organisation_id = %(s)s",
        ):
            with acting_for(connection, north.organisation_id, north.accounts["nurse"]):
                cursor = connection.execute(
                    statement.encode(),
                    {"a": north.accounts["nurse"], "e": foreign.episode_id, "s": south.organisation_id},
                )
                assert cursor.rowcount == 0


def test_services_read_no_name(module_database: TestDatabase) -> None:
    for role in SERVICES:
        with psycopg.connect(module_database.url_for(role), options="-c search_path=homeward,public") as connection:
            for column in ("family_name", "given_name", "nhs_number", "contact"):
                with pytest.raises(psycopg.errors.InsufficientPrivilege):
                    connection.execute(f"select {column} from patient".encode())
                connection.rollback()

"""Can the schema be brought up to date again, by two programs at once, and not behind a changed file?"""

import concurrent.futures
import os
import tempfile
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest
from psycopg import sql

from homeward.local.postgres import SUPERUSER, PrivatePostgres
from homeward.local.programs import Programs
from homeward.local.watchdog import Watchdog
from schemas import database as subject
from schemas.database import OWNER, ROLES, DatabaseError, Migration, load_migrations, migrate


@pytest.fixture
def empty_url(postgres_server: PrivatePostgres) -> Iterator[str]:
    """An empty database of a test's own."""
    name = f"empty_{os.urandom(4).hex()}"
    with psycopg.connect(postgres_server.url_for(SUPERUSER, "postgres"), autocommit=True) as connection:
        connection.execute(sql.SQL("create database {}").format(sql.Identifier(name)))
        yield postgres_server.url_for(SUPERUSER, name)
        connection.execute(sql.SQL("drop database {} with (force)").format(sql.Identifier(name)))


def shape(url: str) -> list[tuple[object, ...]]:
    """Describe every column, grant and policy."""
    with psycopg.connect(url) as connection:
        return [
            *connection.execute(
                "select table_name, column_name, data_type, is_nullable from information_schema.columns "
                "where table_schema = 'homeward' order by 1, ordinal_position"
            ).fetchall(),
            *connection.execute(
                "select grantee, table_name, privilege_type from information_schema.role_table_grants "
                "where table_schema = 'homeward' order by 1, 2, 3"
            ).fetchall(),
            *connection.execute(
                "select tablename, policyname, roles::text, qual from pg_policies order by 1, 2"
            ).fetchall(),
        ]


def test_the_second_time_there_is_nothing_to_do(empty_url: str) -> None:
    assert migrate(empty_url) == [m.name for m in load_migrations()]
    before = shape(empty_url)
    assert migrate(empty_url) == []
    assert shape(empty_url) == before


def test_of_two_at_once_one_does_it_and_both_succeed(empty_url: str) -> None:
    with concurrent.futures.ThreadPoolExecutor(3) as pool:
        found = sorted(pool.map(migrate, [empty_url] * 3))
    assert found == [[], [], [m.name for m in load_migrations()]]


def test_a_file_changed_after_it_was_applied_is_refused(empty_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    migrate(empty_url)
    first, *others = load_migrations()
    edited = Migration(first.number, first.name, first.text + "\n-- changed\n")
    monkeypatch.setattr(subject, "load_migrations", lambda: [edited, *others])
    with pytest.raises(DatabaseError, match=rf"{first.name}: the file was changed"):
        migrate(empty_url)


def test_a_database_newer_than_the_program_is_refused(empty_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    later = Migration(9999, "9999_later.sql", "create table homeward.later (x int)")
    monkeypatch.setattr(subject, "load_migrations", lambda: [*load_migrations(), later])
    assert "9999_later.sql" in migrate(empty_url)
    monkeypatch.undo()
    with pytest.raises(DatabaseError, match=r"9999_later\.sql, which this program does not know"):
        migrate(empty_url)


def test_a_migration_that_fails_leaves_nothing_behind(empty_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    migrate(empty_url)
    before = shape(empty_url)
    broken = Migration(9999, "9999_broken.sql", "create table homeward.half (x int); select 1 / 0")
    monkeypatch.setattr(subject, "load_migrations", lambda: [*load_migrations(), broken])
    with pytest.raises(psycopg.errors.DivisionByZero):
        migrate(empty_url)
    assert shape(empty_url) == before


def test_a_table_that_a_backup_holds_is_not_waited_for(empty_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    migrate(empty_url)
    before = shape(empty_url)
    later = Migration(9999, "9999_later.sql", "alter table homeward.delivery add column later int")
    monkeypatch.setattr(subject, "load_migrations", lambda: [*load_migrations(), later])
    monkeypatch.setattr(subject, "LOCK_TIMEOUT_S", 1)
    with psycopg.connect(empty_url) as backup:
        backup.execute("lock table homeward.delivery in access share mode")
        with pytest.raises(DatabaseError, match=r"9999_later\.sql waited 1 s .* run `homeward migrate` again"):
            migrate(empty_url)
        assert shape(empty_url) == before
    assert migrate(empty_url) == ["9999_later.sql"]


def test_a_server_that_is_not_there_is_told_in_one_sentence() -> None:
    with pytest.raises(DatabaseError, match="HOMEWARD_DATABASE_URL") as failed:
        migrate("postgresql://nobody@127.0.0.1:1/nothing")
    assert "\n" not in str(failed.value)


ACCOUNT_PASSWORD = "of a test"
MAKERS = {
    "as it comes": "login createrole",
    "without inheriting": "login createrole noinherit",
    "that grants itself what it makes": "login createrole",
}


@pytest.fixture(scope="module")
def roleless_server(programs: Programs, watchdog: Watchdog) -> Iterator[PrivatePostgres]:
    """A cluster in which nothing was migrated yet: its roles belong to no superuser of ours."""
    with tempfile.TemporaryDirectory(prefix="homeward-test-") as name:
        folder = Path(name)
        folder.chmod(0o755)
        server = PrivatePostgres(folder / "postgres", programs, durable=False)
        server.start(watchdog)
        yield server
        server.stop()


def as_superuser(server: PrivatePostgres, *statements: str, database: str = "postgres") -> None:
    """Do as the superuser what a test begins or ends with."""
    with psycopg.connect(server.url_for(SUPERUSER, database), autocommit=True) as connection:
        for statement in statements:
            connection.execute(statement.encode())


def url_as(server: PrivatePostgres, account: str, database: str) -> str:
    """The address of a database for an account of a test's own."""
    parts = psycopg.conninfo.conninfo_to_dict(server.url_for(SUPERUSER, database))
    return psycopg.conninfo.make_conninfo(**{**parts, "user": account, "password": ACCOUNT_PASSWORD})


@pytest.fixture(params=MAKERS)
def maker_url(roleless_server: PrivatePostgres, request: pytest.FixtureRequest) -> Iterator[str]:
    """An empty database that belongs to an account which may create roles and is no superuser."""
    made = f"create role maker {MAKERS[request.param]} password '{ACCOUNT_PASSWORD}'"
    as_superuser(roleless_server, made, "create database makers owner maker")
    if "grants itself" in request.param:
        as_superuser(roleless_server, "alter role maker set createrole_self_grant = 'set, inherit'")
    yield url_as(roleless_server, "maker", "makers")
    roles = ", ".join((OWNER, *ROLES))
    as_superuser(
        roleless_server, "drop database makers with (force)", f"drop role if exists {roles}", "drop role maker"
    )


def test_an_account_that_may_create_roles_is_enough(maker_url: str, empty_url: str) -> None:
    assert migrate(maker_url) == [m.name for m in load_migrations()]
    assert migrate(maker_url) == []
    migrate(empty_url)
    with psycopg.connect(maker_url) as made, psycopg.connect(empty_url) as usual:
        # who owns what, and who may do what in the schema, is as after a superuser's migration
        for question in (
            "select c.relname, pg_get_userbyid(c.relowner) from pg_class c where c.relnamespace ="
            " 'homeward'::regnamespace and relkind in ('r', 'p', 'v') order by 1",
            "select p.proname, pg_get_userbyid(p.proowner) from pg_proc p where pronamespace = 'homeward'::regnamespace"
            " order by 1",
            "select r, has_schema_privilege(r, 'homeward', 'create'), has_schema_privilege(r, 'homeward', 'usage') from"
            " unnest(array['homeward_owner', 'homeward_reader', 'homeward_ingest']) r order by 1",
        ):
            assert made.execute(question).fetchall() == usual.execute(question).fetchall()
    theirs, ours = shape(maker_url), shape(empty_url)
    assert [row for row in ours if row not in theirs] == []


def test_who_made_the_schema_may_also_change_it(maker_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    migrate(maker_url)
    later = Migration(
        9999,
        "9999_later.sql",
        "create table homeward.later (x int); alter table homeward.note add column later int; "
        "create view homeward.seen as select 1; alter view homeward.seen owner to homeward_reader",
    )
    monkeypatch.setattr(subject, "load_migrations", lambda: [*load_migrations(), later])
    assert migrate(maker_url) == ["9999_later.sql"]
    assert migrate(maker_url) == []


def test_an_account_without_the_right_to_act_as_the_owner_is_told_what_to_do(
    maker_url: str, roleless_server: PrivatePostgres
) -> None:
    as_superuser(roleless_server, *(f"create role {role}" for role in (OWNER, *ROLES)))
    with pytest.raises(DatabaseError, match="once: grant homeward_owner, homeward_reader to maker") as told:
        migrate(maker_url)
    assert "\n" not in str(told.value)
    as_superuser(roleless_server, f"grant {OWNER}, homeward_reader to maker with inherit true")
    assert migrate(maker_url) == [m.name for m in load_migrations()]


@pytest.fixture
def guest(postgres_server: PrivatePostgres) -> Iterator[str]:
    """An account that may do nothing but connect."""
    as_superuser(postgres_server, f"create role guest login password '{ACCOUNT_PASSWORD}'")
    yield "guest"
    as_superuser(postgres_server, "drop role guest")


def test_with_nothing_to_apply_any_account_will_do(
    empty_url: str, guest: str, postgres_server: PrivatePostgres, monkeypatch: pytest.MonkeyPatch
) -> None:
    migrate(empty_url)
    guest_url = url_as(postgres_server, guest, empty_url.rpartition("/")[2])
    assert migrate(guest_url) == []
    later = Migration(9999, "9999_later.sql", "create table homeward.later (x int)")
    monkeypatch.setattr(subject, "load_migrations", lambda: [*load_migrations(), later])
    with pytest.raises(DatabaseError, match=r"guest may not act as homeward_owner"):
        migrate(guest_url)


def test_an_ordinary_account_cannot_begin(empty_url: str, guest: str, postgres_server: PrivatePostgres) -> None:
    with pytest.raises(DatabaseError, match=r"may not (create it|act as)"):
        migrate(url_as(postgres_server, guest, empty_url.rpartition("/")[2]))

"""Can the schema be brought up to date again, by two programs at once, and not behind a changed file?"""

import concurrent.futures
import os
from collections.abc import Iterator

import psycopg
import pytest
from psycopg import sql

from homeward.local.postgres import SUPERUSER, PrivatePostgres
from schemas import database as subject
from schemas.database import DatabaseError, Migration, load_migrations, migrate


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


def test_a_server_that_is_not_there_is_told_in_one_sentence() -> None:
    with pytest.raises(DatabaseError, match="HOMEWARD_DATABASE_URL") as failed:
        migrate("postgresql://nobody@127.0.0.1:1/nothing")
    assert "\n" not in str(failed.value)

"""How does Homeward reach its database, say for whom it acts, and bring the schema up to date?

The only module on this floor that opens a socket.
"""

from __future__ import annotations

import hashlib
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from importlib import resources

import psycopg
from psycopg import sql
from psycopg_pool import AsyncConnectionPool, ConnectionPool

OWNER = "homeward_owner"
READER = "homeward_reader"
ROLES = (
    "homeward_ingest",
    "homeward_notify",
    "homeward_dashboard",
    "homeward_reader",
    "homeward_admin",
    "homeward_retention",
)
# Any two programs that migrate the same database wait for each other on this key.
MIGRATION_LOCK = 0x686F6D65
LOCK_TIMEOUT_S = 5
# Of what an event loop asks.
STATEMENT_TIMEOUT = "30s"


class DatabaseError(Exception):
    """The database cannot be used as it is; the message says why and what to do."""


@dataclass(frozen=True)
class Migration:
    """One numbered SQL file of ``schemas/migrations``."""

    number: int
    name: str
    text: str

    @property
    def sha256(self) -> str:
        """The digest that tells whether an applied file was edited afterwards."""
        return hashlib.sha256(self.text.encode()).hexdigest()


def load_migrations() -> list[Migration]:
    """Read the migrations shipped with the package, in order."""
    files = [f for f in resources.files("schemas").joinpath("migrations").iterdir() if f.name.endswith(".sql")]
    return [
        Migration(int(f.name.split("_", 1)[0]), f.name, f.read_text(encoding="utf-8"))
        for f in sorted(files, key=lambda f: f.name)
    ]


def migrate(url: str) -> list[str]:
    """Bring the database at ``url`` up to date and return the names of the migrations applied now.

    Each file is one transaction. A second program that starts at the same moment waits, then finds nothing to do. Where
    nothing is to be applied, any account will do that may connect.

    Raises
    ------
    DatabaseError
        Where an applied file was edited since, the database is newer than this program, the account lacks a right, or
        something holds a table for long.
    """
    migrations = load_migrations()
    with _connect(url) as connection:
        connection.autocommit = True
        connection.execute("select pg_advisory_lock(%s)", [MIGRATION_LOCK])
        _create_roles(connection)
        applied = _applied(connection)
        _check_history(migrations, applied)
        waiting = [m for m in migrations if m.number not in applied]
        if waiting:
            _join_owners(connection)
        for migration in waiting:
            try:
                with connection.transaction():
                    _apply(connection, migration)
            except psycopg.errors.InsufficientPrivilege as exc:
                raise DatabaseError(
                    f"database: this account may not apply {migration.name} ({_first_line(exc)}); run "
                    "`homeward migrate` as the account that owns the database and may create roles, or as a superuser"
                ) from exc
            except psycopg.errors.LockNotAvailable as exc:
                raise DatabaseError(
                    f"database: {migration.name} waited {LOCK_TIMEOUT_S} s for a table that something else holds, such "
                    "as a backup; nothing of it was applied: end that, or wait for it, and run `homeward migrate` again"
                ) from exc
    return [m.name for m in waiting]


def _connect(url: str) -> psycopg.Connection:
    try:
        return psycopg.connect(url, connect_timeout=10)
    except psycopg.OperationalError as exc:
        raise DatabaseError(
            f"database: no connection ({_first_line(exc)}); check HOMEWARD_DATABASE_URL and that the server runs"
        ) from exc


def _first_line(exc: BaseException) -> str:
    return str(exc).strip().splitlines()[0] if str(exc).strip() else type(exc).__name__


def _create_roles(connection: psycopg.Connection) -> None:
    """Make the roles where they are missing; they belong to the whole cluster, so another database may have them."""
    for role in (OWNER, *ROLES):
        try:
            exists = connection.execute("select 1 from pg_roles where rolname = %s", [role]).fetchone()
            if not exists:
                connection.execute(sql.SQL("create role {} nologin noinherit").format(sql.Identifier(role)))
        except (psycopg.errors.DuplicateObject, psycopg.errors.UniqueViolation):
            continue  # a migration of another database of this cluster was first
        except psycopg.errors.InsufficientPrivilege as exc:
            raise DatabaseError(
                f"database: role {role} is missing and this account may not create it; "
                "run `homeward migrate` once with an account that may create roles"
            ) from exc


def _applied(connection: psycopg.Connection) -> dict[int, tuple[str, str]]:
    # asked first: a table that is there already may not be made again by everybody
    if connection.execute("select to_regclass('homeward_migration')").fetchone() == (None,):
        return {}
    rows = connection.execute("select number, name, sha256 from homeward_migration").fetchall()
    return {number: (name, sha256) for number, name, sha256 in rows}


def _join_owners(connection: psycopg.Connection) -> None:
    """Let this account act as the roles that own something: a superuser may anyhow, and who made them may grant it."""
    row = connection.execute("select rolsuper from pg_roles where rolname = current_user").fetchone()
    if row and row[0]:
        return
    # before PostgreSQL 16 being a member is both
    apart = connection.info.server_version >= 160000
    for role in (OWNER, READER):
        rights = ["SET", "USAGE"] if apart else ["MEMBER", "USAGE"]
        has = connection.execute(
            "select bool_and(pg_has_role(current_user, %s, held)) from unnest(%s::text[]) held", [role, rights]
        ).fetchone()
        if has == (True,):
            continue
        options = sql.SQL("with inherit true, set true" if apart else "")
        try:
            connection.execute(sql.SQL("grant {} to current_user {}").format(sql.Identifier(role), options))
        except psycopg.errors.InsufficientPrivilege as exc:
            raise DatabaseError(
                f"database: the account {connection.info.user} may not act as {role}, which owns what is made; let a "
                f"superuser say once: grant {OWNER}, {READER} to {connection.info.user}"
            ) from exc


def _apply(connection: psycopg.Connection, migration: Migration) -> None:
    """Run a file and note it, in the caller's transaction."""
    connection.execute(
        "create table if not exists homeward_migration (number integer primary key, name text not null, "
        "sha256 text not null, applied_at timestamptz not null default now())"
    )
    if not connection.execute("select 1 from pg_namespace where nspname = 'homeward'").fetchone():
        connection.execute("create schema homeward")
    # every service may ask whether the schema is its own
    connection.execute("grant select on homeward_migration to public")
    # who is handed a table or a view must be allowed to make one where it lies; the reader only for that moment
    _let_create(connection, OWNER)
    lent = _let_create(connection, READER)
    # whoever writes to a table that a migration waits for waits behind it: intake would stand still for as long
    connection.execute(f"set local lock_timeout = '{LOCK_TIMEOUT_S}s'")
    connection.execute(migration.text.encode())
    connection.execute(
        "insert into homeward_migration (number, name, sha256) values (%s, %s, %s)",
        [migration.number, migration.name, migration.sha256],
    )
    _hand_over(connection)
    if lent:
        connection.execute(f"revoke create on schema homeward from {READER}")


def _let_create(connection: psycopg.Connection, role: str) -> bool:
    """Let a role make things in the schema; False where it may already."""
    may = connection.execute(
        "select has_schema_privilege(%s, 'homeward', 'create') and has_schema_privilege(%s, 'homeward', 'usage')",
        [role, role],
    ).fetchone()
    if may == (True,):
        return False
    connection.execute(sql.SQL("grant create, usage on schema homeward to {}").format(sql.Identifier(role)))
    return True


def _check_history(migrations: list[Migration], applied: dict[int, tuple[str, str]]) -> None:
    known = {m.number: m for m in migrations}
    for number, (name, sha256) in sorted(applied.items()):
        if number not in known:
            raise DatabaseError(
                f"database: it has migration {name}, which this program does not know; install the newer Homeward"
            )
        if known[number].sha256 != sha256:
            raise DatabaseError(
                f"schemas/migrations/{known[number].name}: the file was changed after it had been applied; "
                "put the original back and write the change as a new migration"
            )


def _hand_over(connection: psycopg.Connection) -> None:
    """Give every table, view and function of the schema to the owner role, which runs nothing."""
    owned = connection.execute(
        """
        select c.oid::regclass::text, case c.relkind when 'v' then 'view' else 'table' end
        from pg_class c
        where c.relnamespace = 'homeward'::regnamespace and c.relkind in ('r', 'p', 'v')
          and pg_get_userbyid(c.relowner) <> all (%s)
        union all
        select p.oid::regprocedure::text, 'function' from pg_proc p
        where p.pronamespace = 'homeward'::regnamespace and pg_get_userbyid(p.proowner) <> %s
        """,
        [[OWNER, *ROLES], OWNER],
    ).fetchall()
    for name, kind in owned:
        connection.execute(f"alter {kind} {name} owner to {OWNER}".encode())


def open_pool(url: str, role: str, *, min_size: int = 1, max_size: int = 4, application: str = "") -> ConnectionPool:
    """Open a pool of connections that act as ``role`` and nothing more; ``application`` is what they call themselves.

    Where the URL's own account is another one (a single account for a small installation), each connection takes the
    role on with ``SET ROLE``.
    """

    def configure(connection: psycopg.Connection) -> None:
        connection.execute("select set_config('search_path', 'homeward, public', false)")
        row = connection.execute("select current_user").fetchone()
        if row and row[0] != role:
            connection.execute(sql.SQL("set role {}").format(sql.Identifier(role)))
        connection.execute("set timezone to 'UTC'")
        connection.commit()

    named = {"application_name": application} if application else {}
    return ConnectionPool(
        url, kwargs=named, configure=configure, min_size=min_size, max_size=max_size, open=True, timeout=30
    )


@contextmanager
def acting_for(
    connection: psycopg.Connection, organisation_id: int, account_id: int | None = None
) -> Iterator[psycopg.Connection]:
    """Run one transaction for a tenant and, where given, a person: row-level security reads both."""
    with connection.transaction():
        connection.execute(
            "select set_config('homeward.organisation', %s, true), set_config('homeward.account', %s, true)",
            [str(organisation_id), "" if account_id is None else str(account_id)],
        )
        yield connection


def open_async_pool(url: str, role: str, *, min_size: int = 1, max_size: int = 4) -> AsyncConnectionPool:
    """Make the same pool for an event loop; it is opened with ``await pool.open()`` in the loop that uses it."""

    async def configure(connection: psycopg.AsyncConnection) -> None:
        await connection.execute("select set_config('search_path', 'homeward, public', false)")
        row = await (await connection.execute("select current_user")).fetchone()
        if row and row[0] != role:
            await connection.execute(sql.SQL("set role {}").format(sql.Identifier(role)))
        await connection.execute("set timezone to 'UTC'")
        # somebody waits for the answer; one that takes this long would hold up everybody else's
        await connection.execute(sql.SQL("set statement_timeout to {}").format(sql.Literal(STATEMENT_TIMEOUT)))
        await connection.commit()

    return AsyncConnectionPool(url, configure=configure, min_size=min_size, max_size=max_size, open=False, timeout=5)


@asynccontextmanager
async def acting_for_async(
    connection: psycopg.AsyncConnection,
    organisation_id: int,
    account_id: int | None = None,
    *,
    read_only: bool = False,
) -> AsyncIterator[psycopg.AsyncConnection]:
    """Do what `acting_for` does, in an event loop; ``read_only`` makes the database refuse any change."""
    async with connection.transaction():
        await connection.execute(
            "select set_config('homeward.organisation', %s, true), set_config('homeward.account', %s, true), "
            "set_config('transaction_read_only', %s, true)",
            [str(organisation_id), "" if account_id is None else str(account_id), "on" if read_only else "off"],
        )
        yield connection

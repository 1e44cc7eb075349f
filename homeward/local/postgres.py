"""How does an installation run a PostgreSQL with TimescaleDB of its own?

A cluster in one folder, on the loopback address, with passwords made at its first start. It has no Unix socket: a
socket's path may not be longer than 107 bytes, and TCP works from every account.
"""

import shutil
import signal
import socket
from collections.abc import Iterable
from pathlib import Path

import psycopg
from psycopg import sql

from homeward.local import process
from homeward.local.errors import SetupError
from homeward.local.programs import Programs
from homeward.local.server_folder import Manner, ServerFolder
from homeward.local.watchdog import Watchdog

SUPERUSER = "postgres"
DATABASE = "homeward"
# SIGINT is PostgreSQL's fast shutdown, SIGQUIT its immediate one.
MANNER = Manner("PostgreSQL", "postgres", (signal.SIGINT, signal.SIGQUIT), start_timeout_s=60.0, stop_grace_s=10.0)

SETTINGS = """\
# Written by Homeward at every start; put settings of your own into own.conf beside this file.
listen_addresses = '{host}'
port = {port}
unix_socket_directories = ''
shared_preload_libraries = 'timescaledb'
timescaledb.telemetry_level = off
timescaledb.max_background_workers = 8
max_connections = 100
max_worker_processes = 16
max_parallel_workers_per_gather = 0
shared_buffers = {shared_buffers_mb}MB
effective_cache_size = {cache_mb}MB
work_mem = 8MB
maintenance_work_mem = 64MB
max_wal_size = 1GB
wal_compression = on
max_locks_per_transaction = 256
random_page_cost = 1.1
jit = off
timezone = '{timezone}'
log_timezone = '{timezone}'
lc_messages = 'C'
password_encryption = 'scram-sha-256'
log_line_prefix = '%m [%p] %q%u@%d '
log_checkpoints = off
fsync = {durable}
full_page_writes = {durable}
synchronous_commit = {durable}
include_if_exists = 'own.conf'
"""


class PrivatePostgres:
    """One folder's cluster: started and stopped by one process, its addresses readable by every process of the user."""

    def __init__(self, folder: Path, programs: Programs, *, durable: bool = True) -> None:
        self._programs = programs
        self._durable = durable
        self._server = ServerFolder(folder, MANNER)
        self._folder = self._server.path
        self._data = self._folder / "data"
        self._watchdog: Watchdog | None = None

    @property
    def pid(self) -> int | None:
        """The server's process, where this process started it."""
        return self._server.pid

    @property
    def superuser_url(self) -> str:
        """The address of the database as its superuser, for migrations."""
        return self.url_for(SUPERUSER)

    def url_for(self, role: str, database: str = DATABASE) -> str:
        """Return the address of the database as one role; give the role its login with `enable_logins` first."""
        return f"postgresql://{role}:{self._server.password(role)}@{process.HOST}:{self._server.port}/{database}"

    def enable_logins(self, roles: Iterable[str]) -> None:
        """Give roles that a migration made without a login the passwords that `url_for` names."""
        with psycopg.connect(self.superuser_url, autocommit=True) as connection:
            for role in roles:
                change = sql.SQL("alter role {} login password {}")
                connection.execute(change.format(sql.Identifier(role), sql.Literal(self._server.password(role))))

    def is_running(self) -> bool:
        """Tell whether the server answers."""
        try:
            with psycopg.connect(self.url_for(SUPERUSER, "postgres"), connect_timeout=2):
                return True
        except (psycopg.OperationalError, SetupError):
            return False

    def start(self, watchdog: Watchdog | None = None) -> None:
        """Make the cluster if there is none, end what a killed parent left behind, start, and wait for an answer."""
        self._server.open(self._data)
        self._watchdog = watchdog
        try:
            if not (self._data / "PG_VERSION").exists():
                self._make_cluster()
            self._check_version()
            command: list[str | Path] = [self._programs.postgres_bin / "postgres", "-D", self._data]
            self._server.launch(command, self._configure, self._answers, watchdog)
            self._make_database()
        except BaseException:
            self.stop()
            raise

    def stop(self) -> None:
        """Stop the server, waiting for it, and let go of the folder."""
        self._server.close(self._watchdog)

    def _answers(self) -> bool:
        # A socket first: a driver's error for each early attempt costs more than the start itself.
        with socket.socket() as probe:
            if probe.connect_ex((process.HOST, self._server.port)):
                return False
        return self.is_running()

    def _make_cluster(self) -> None:
        """Make the cluster beside its place and move it there, so that an interruption leaves none by halves."""
        draft = self._folder / "data.new"
        password = self._folder / "initial-password"
        shutil.rmtree(draft, ignore_errors=True)
        self._server.account.write_secret(password, self._server.password(SUPERUSER))
        # Letters beyond ASCII sort by code point and fold correctly, whatever locales the machine has.
        builtin = ["--locale-provider=builtin", "--builtin-locale=C.UTF-8", "--locale=C"]
        locale = builtin if int(self._programs.postgres_version.split(".")[0]) >= 17 else ["--locale=C.UTF-8"]
        options = ["--encoding=UTF8", *locale, "--auth=scram-sha-256", f"--pwfile={password}", "--no-sync"]
        initdb: list[str | Path] = [self._programs.postgres_bin / "initdb", "-D", draft, "-U", SUPERUSER]
        process.run_to_end([*initdb, *options, "--no-instructions"], self._server.account, self._folder)
        password.unlink()
        with (draft / "postgresql.conf").open("a") as settings:
            settings.write("\ninclude 'homeward.conf'\n")
        draft.rename(self._data)

    def _configure(self, port: int) -> None:
        memory_mb = _memory_mb()
        text = SETTINGS.format(
            host=process.HOST,
            port=port,
            shared_buffers_mb=max(64, min(512, memory_mb // 8)),
            cache_mb=max(256, memory_mb // 2),
            timezone="UTC" if Path("/usr/share/zoneinfo/UTC").exists() else "GMT",
            durable="on" if self._durable else "off",
        )
        self._server.account.write_secret(self._data / "homeward.conf", text)

    def _make_database(self) -> None:
        with psycopg.connect(self.url_for(SUPERUSER, "postgres"), autocommit=True) as connection:
            if not connection.execute("select 1 from pg_database where datname = %s", [DATABASE]).fetchone():
                connection.execute(sql.SQL("create database {}").format(sql.Identifier(DATABASE)))

    def _check_version(self) -> None:
        made_by = (self._data / "PG_VERSION").read_text().strip()
        present = self._programs.postgres_version.split(".")[0]
        if made_by != present:
            raise SetupError(
                f"{self._data} was made by PostgreSQL {made_by} and this is {present}; upgrade it with pg_upgrade, "
                "or set HOMEWARD_HOME to a new folder."
            )


def _memory_mb() -> int:
    with Path("/proc/meminfo").open() as lines:
        return next(int(line.split()[1]) // 1024 for line in lines if line.startswith("MemTotal"))

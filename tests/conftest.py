"""Which real servers do the tests run against, and what must hold of every run?

Each worker has a cluster and a broker of its own on free ports. The migrated database is made once a worker, as a
template; a test that writes takes a clone of it.
"""

import os
import tempfile
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import psycopg
import pytest
from hypothesis import settings
from psycopg import sql

from homeward.broker_accounts import BrokerAccounts
from homeward.local.broker import PrivateBroker
from homeward.local.postgres import SUPERUSER, PrivatePostgres
from homeward.local.programs import Programs, ensure_programs
from homeward.local.watchdog import Watchdog
from schemas.database import ROLES, migrate

TEMPLATE = "homeward_template"

# how long an example takes says more of the machine than of the code
settings.register_profile("homeward", deadline=None)
settings.load_profile("homeward")


@dataclass(frozen=True)
class TestDatabase:
    """One test's own database."""

    __test__ = False

    name: str
    postgres: PrivatePostgres

    @property
    def url(self) -> str:
        """The address for the superuser, who owns nothing and may do everything."""
        return self.postgres.url_for(SUPERUSER, self.name)

    def url_for(self, role: str) -> str:
        """The address for one of `schemas.database.ROLES`, as which the services connect."""
        return self.postgres.url_for(role, self.name)


@dataclass(frozen=True)
class TestBroker:
    """A worker's Mosquitto, with logins for what the tests play."""

    __test__ = False

    server: PrivateBroker
    accounts: BrokerAccounts

    @property
    def url(self) -> str:
        """The broker's address without a login."""
        return self.server.url

    def add_service(self, user: str) -> str:
        """Make a service's login and return its password."""
        password = self.server.credentials(user).password
        self.accounts.add_service(user, password)
        return password

    def add_device(self, user: str) -> str:
        """Make a device's login and return its password."""
        password = self.server.credentials(user).password
        self.accounts.add_device(user, password)
        return password


@pytest.fixture(scope="session")
def programs() -> Programs:
    """The servers' programs, fetched when they are missing."""
    return ensure_programs()


@pytest.fixture(scope="session")
def watchdog() -> Iterator[Watchdog]:
    """Ends the servers even when the test run is killed."""
    watchdog = Watchdog()
    yield watchdog
    watchdog.end_all()


@pytest.fixture(scope="session")
def service_folder() -> Iterator[Path]:
    """A folder that the servers' account can reach; pytest's own temporary folders are closed to others."""
    with tempfile.TemporaryDirectory(prefix="homeward-test-") as name:
        folder = Path(name)
        folder.chmod(0o755)
        yield folder


@pytest.fixture(scope="session")
def postgres_server(service_folder: Path, programs: Programs, watchdog: Watchdog) -> Iterator[PrivatePostgres]:
    """A worker's own cluster; it need not survive a power cut."""
    server = PrivatePostgres(service_folder / "postgres", programs, durable=False)
    server.start(watchdog)
    yield server
    server.stop()


@pytest.fixture(scope="session")
def database_template(postgres_server: PrivatePostgres) -> str:
    """The migrated database that tests clone; closed to connections, which a template must not have."""
    url = postgres_server.url_for(SUPERUSER, "postgres")
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute(sql.SQL("create database {}").format(sql.Identifier(TEMPLATE)))
        migrate(postgres_server.url_for(SUPERUSER, TEMPLATE))
        postgres_server.enable_logins(ROLES)
        connection.execute(sql.SQL("alter database {} allow_connections false").format(sql.Identifier(TEMPLATE)))
        connection.execute(
            "select pg_terminate_backend(pid, 5000) from pg_stat_activity where datname = %s", (TEMPLATE,)
        )
    return TEMPLATE


@pytest.fixture
def database(postgres_server: PrivatePostgres, database_template: str) -> Iterator[TestDatabase]:
    """A test's own migrated and otherwise empty database."""
    yield from _clone(postgres_server, database_template)


@pytest.fixture(scope="module")
def module_database(postgres_server: PrivatePostgres, database_template: str) -> Iterator[TestDatabase]:
    """A migrated database that one module's tests share."""
    yield from _clone(postgres_server, database_template)


@pytest.fixture
def database_url(database: TestDatabase) -> str:
    """The superuser's address of a test's own database."""
    return database.url


def _clone(server: PrivatePostgres, template: str) -> Iterator[TestDatabase]:
    name = f"test_{uuid.uuid4().hex[:12]}"
    with psycopg.connect(server.url_for(SUPERUSER, "postgres"), autocommit=True) as connection:
        made = sql.SQL("create database {} template {} strategy file_copy").format(
            sql.Identifier(name), sql.Identifier(template)
        )
        connection.execute(made)
        yield TestDatabase(name, server)
        connection.execute(sql.SQL("drop database {} with (force)").format(sql.Identifier(name)))


@pytest.fixture(scope="session")
def broker(service_folder: Path, programs: Programs, watchdog: Watchdog) -> Iterator[TestBroker]:
    """A worker's own Mosquitto; tests keep apart by the names of their devices."""
    server = PrivateBroker(service_folder / "broker", programs)
    server.start(watchdog)
    with BrokerAccounts(server.url, *server.admin) as accounts:
        yield TestBroker(server, accounts)
    server.stop()


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark as pure what asks for no server: `make test-fast` runs that."""
    for item in items:
        fixtures = getattr(item, "fixturenames", [])
        if "programs" not in fixtures and not any(item.iter_markers("slow")) and not any(item.iter_markers("browser")):
            item.add_marker(pytest.mark.pure)


def pytest_sessionfinish(session: pytest.Session) -> None:
    """In continuous integration nothing may be left out: a skipped test fails the run."""
    reporter = session.config.pluginmanager.get_plugin("terminalreporter")
    if os.environ.get("CI") and reporter is not None and reporter.stats.get("skipped"):
        session.exitstatus = pytest.ExitCode.TESTS_FAILED


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Say why a run without a failed test failed."""
    skipped = len(terminalreporter.stats.get("skipped", []))
    if os.environ.get("CI") and skipped:
        terminalreporter.write_line(f"{skipped} skipped, and CI is set: a skip is a failure", red=True)

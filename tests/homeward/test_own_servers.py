"""Does an installation run on servers that somebody else keeps, with no more rights than it needs?"""

from collections.abc import Iterator
from urllib.parse import urlsplit

import psycopg
import pytest

from homeward.installation import Login, with_login
from tests.conftest import TestBroker, TestDatabase
from tests.homeward.running import home_folder, homeward

PASSWORD = "of-a-test"


@pytest.fixture
def one_login_for_all(database: TestDatabase) -> Iterator[str]:
    """The address of a migrated database for an account that takes the services' roles on, and has no other right."""
    with psycopg.connect(database.url, autocommit=True) as connection:
        connection.execute(f"create role homeward_app login noinherit password '{PASSWORD}'".encode())
        connection.execute("grant homeward_ingest, homeward_notify, homeward_dashboard, homeward_admin to homeward_app")
        parts = urlsplit(database.url)
        yield f"postgresql://homeward_app:{PASSWORD}@{parts.hostname}:{parts.port}{parts.path}"
        connection.execute("drop role homeward_app")


def test_one_login_without_any_right_of_its_own_runs_everything(one_login_for_all: str, broker: TestBroker) -> None:
    login = Login("own-servers", broker.add_service("own-servers"))
    with home_folder() as home:
        done = homeward(
            home,
            *("up", "--seconds", "0.1", "--organisation", "North trust", "--json"),
            HOMEWARD_DATABASE_URL=one_login_for_all,
            HOMEWARD_MQTT_URL=with_login(broker.url, login),
        )
    assert done.returncode == 0, done.stderr
    assert '"event": "ready"' in done.stdout
    assert '"event": "end"' in done.stdout

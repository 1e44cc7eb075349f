"""Which people, patients and alerts do the dashboard's tests meet, and on which server?

Two organisations, so that each can be looked for with the other's eyes; in the first a carer who works in one of two
homes. The server is the real one: uvicorn on a free port, on its own role in the database.
"""

import contextlib
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cache
from typing import Any

import httpx
import psycopg
import pytest
from pwdlib.hashers.argon2 import Argon2Hasher

from dashboard import service
from tests.conftest import TestDatabase
from tests.waiting import PATIENCE_S, wait_until

PASSWORD = "correct horse battery"
NOW = datetime.now(UTC).replace(microsecond=0)


@cache
def password_hash() -> str:
    """One hash for everybody, and one that is checked at once: a real one takes a fifth of a second of a core."""
    return quick_hash(PASSWORD)


def quick_hash(password: str) -> str:
    """Hash as Homeward does, with the least work that Argon2 allows."""
    return Argon2Hasher(time_cost=1, memory_cost=8, parallelism=1).hash(password)


@dataclass(frozen=True)
class Patient:
    """A patient with an active red episode."""

    patient_id: int
    site_id: int
    family_name: str
    episode_id: int
    device_id: int


@dataclass(frozen=True)
class Organisation:
    """A tenant: sites by name, accounts by sign-in, patients in the order in which they came."""

    organisation_id: int
    sites: dict[str, int]
    accounts: dict[str, int]
    patients: list[Patient]


@dataclass(frozen=True)
class Trusts:
    """Two organisations on one installation."""

    north: Organisation
    south: Organisation


@dataclass(frozen=True)
class Served:
    """A running server with its database and its people."""

    url: str
    database: TestDatabase
    trusts: Trusts

    @contextlib.contextmanager
    def client(self, sign_in: str = "", **options: Any) -> Iterator[httpx.Client]:
        """Give a client, signed in through the JSON interface where a name is given."""
        with httpx.Client(base_url=self.url, timeout=PATIENCE_S, **options) as client:
            if sign_in:
                answer = client.post("/api/v1/sign-in", json={"sign_in": sign_in, "password": PASSWORD})
                assert answer.status_code == 200, answer.text
                client.headers["Authorization"] = f"Bearer {answer.json()['token']}"
            yield client

    @contextlib.contextmanager
    def browser(self, sign_in: str) -> Iterator[httpx.Client]:
        """Give a client that has signed in through the form and keeps the cookie."""
        with httpx.Client(base_url=self.url, timeout=PATIENCE_S, headers={"Accept": "text/html"}) as client:
            answer = client.post("/sign-in", data={"sign_in": sign_in, "password": PASSWORD})
            assert answer.status_code == 303, answer.text
            yield client

    def ask(self, query: str, *parameters: Any) -> list[tuple[Any, ...]]:
        """Ask the database as its superuser, who sees everything."""
        with connect(self.database) as connection:
            cursor = connection.execute(query, parameters)
            return cursor.fetchall() if cursor.description else []

    @property
    def websocket_url(self) -> str:
        """The address of the push."""
        return self.url.replace("http://", "ws://") + "/live"


def connect(database: TestDatabase) -> psycopg.Connection[tuple[Any, ...]]:
    """Connect as the superuser, in our schema."""
    return psycopg.connect(database.url, autocommit=True, options="-c search_path=homeward,public")


@contextlib.contextmanager
def serve(database: TestDatabase, **options: Any) -> Iterator[str]:
    """Run the dashboard as the program does, in a thread."""
    stop, ports, failures = threading.Event(), [], []

    def run() -> None:
        try:
            url = database.url_for("homeward_dashboard")
            service.run(url, "127.0.0.1", 0, stop, started=ports.append, **options)
        except BaseException as exc:
            failures.append(exc)

    thread = threading.Thread(target=run, name="dashboard")
    thread.start()
    try:
        wait_until(lambda: ports or failures, "the server listens")
        if failures:
            raise failures[0]
        yield f"http://127.0.0.1:{ports[0]}"
    finally:
        stop.set()
        thread.join(PATIENCE_S)
        assert not thread.is_alive(), "the server did not stop"


@pytest.fixture(scope="module")
def served(module_database: TestDatabase) -> Iterator[Served]:
    """A server that one module's tests share."""
    trusts = make_trusts(module_database)
    with serve(module_database) as url:
        yield Served(url, module_database, trusts)


@pytest.fixture
def fresh(database: TestDatabase) -> Iterator[Served]:
    """A server of a test's own, for what others must not feel."""
    trusts = make_trusts(database)
    with serve(database) as url:
        yield Served(url, database, trusts)


def make_trusts(database: TestDatabase) -> Trusts:
    """Fill the database."""
    with connect(database) as connection:
        north = _organisation(
            connection,
            "North",
            {"Elm House": "care_home", "Oak House": "care_home"},
            {
                "nurse": ("clinician", None),
                "other-nurse": ("clinician", None),
                "carer": ("carer", "Elm House"),
                "admin": ("administrator", None),
                "technician": ("technician", None),
                "auditor": ("auditor", None),
                "reader": ("read_only", None),
            },
        )
        south = _organisation(
            connection,
            "South",
            {"South Ward": "ward"},
            {"south-nurse": ("clinician", None), "south-admin": ("administrator", None)},
        )
    return Trusts(north, south)


def _organisation(
    connection: psycopg.Connection[tuple[Any, ...]],
    name: str,
    sites: dict[str, str],
    people: dict[str, tuple[str, str | None]],
) -> Organisation:
    organisation = _id(connection, "insert into organisation (name) values (%s) returning organisation_id", name)
    site_ids = {
        site: _id(
            connection,
            "insert into site (organisation_id, name, kind) values (%s, %s, %s) returning site_id",
            organisation,
            site,
            kind,
        )
        for site, kind in sites.items()
    }
    accounts = {}
    for sign_in, (role, site) in people.items():
        accounts[sign_in] = _account(connection, organisation, sign_in, role, site_ids.get(site or ""))
    policy = _policy(connection, organisation)
    patients = [
        _patient(connection, organisation, policy, site_id, f"{site.split()[0]}-{number}")
        for site, site_id in site_ids.items()
        for number in (1, 2)
    ]
    connection.execute(
        "insert into quarantine (organisation_id, device_id, topic, payload, reason, detail, received_at) "
        "values (%s, %s, 'homeward/v1/0/x/observations', %s, 'unit', 'spo2: 98 mmHg', now())",
        [organisation, patients[0].device_id, f'{{"{name}": 1}}'.encode()],
    )
    return Organisation(organisation, site_ids, accounts, patients)


def _account(connection: Any, organisation: int, sign_in: str, role: str, site: int | None) -> int:
    account = _id(
        connection,
        "insert into account (organisation_id, sign_in, name, role, all_sites, password_hash) "
        "values (%s, %s, %s, %s, %s, %s) returning account_id",
        organisation,
        sign_in,
        sign_in.replace("-", " ").title(),
        role,
        site is None,
        password_hash(),
    )
    if site is not None:
        connection.execute("insert into account_site values (%s, %s, %s)", [account, site, organisation])
    return account


def _policy(connection: Any, organisation: int) -> int:
    pathway = _id(
        connection,
        "insert into pathway (organisation_id, name, title) values (%s, 'care_home', 'Care home') returning pathway_id",
        organisation,
    )
    policy = _id(
        connection,
        "insert into policy (organisation_id, pathway_id, version, document, sha256, author, source, reason) "
        "values (%s, %s, 1, '', sha256(''), 'Author', 'Source', 'Reason') returning policy_id",
        organisation,
        pathway,
    )
    connection.execute("update pathway set policy_id = %s where pathway_id = %s", [policy, pathway])
    return policy


def _patient(connection: Any, organisation: int, policy: int, site: int, family_name: str) -> Patient:
    patient = _id(
        connection,
        "insert into patient (organisation_id, site_id, family_name, given_name, born_on) "
        "values (%s, %s, %s, 'Given', '1940-05-06') returning patient_id",
        organisation,
        site,
        family_name,
    )
    device = _id(
        connection,
        "insert into device (organisation_id, site_id, code, kind, lane) values (%s, %s, %s, 'oximeter', 0) "
        "returning device_id",
        organisation,
        site,
        f"oximeter-{patient}",
    )
    connection.execute(
        "insert into device_assignment (organisation_id, device_id, patient_id, during) values (%s, %s, %s, '(,)')",
        [organisation, device, patient],
    )
    connection.execute(
        "insert into observation select at, at + interval '2 s', 90 + extract(minute from at)::int %% 7, %s, %s, 2, 0 "
        "from generate_series(%s::timestamptz - interval '1 hour', %s::timestamptz - interval '1 min', '1 min') at",
        [patient, device, NOW, NOW],
    )
    episode = make_episode(connection, organisation, patient, policy)
    return Patient(patient, site, family_name, episode, device)


def make_episode(
    connection: Any, organisation: int, patient: int, policy: int, *, age: timedelta = timedelta(minutes=9)
) -> int:
    """Raise a red episode some time ago."""
    episode = _id(
        connection,
        "insert into episode (organisation_id, patient_id, policy_id, rule, opened_at, activated_at, phase, severity, "
        "peak_severity, sentence) values (%s, %s, %s, 'spo2_low', %s, %s, 'active', 3, 3, 'SpO2 84 %%') "
        "returning episode_id",
        organisation,
        patient,
        policy,
        NOW - age,
        NOW - age,
    )
    connection.execute(
        "insert into episode_event (organisation_id, episode_id, patient_id, kind, at, severity) "
        "values (%s, %s, %s, 'activated', %s, 3)",
        [organisation, episode, patient, NOW - age],
    )
    return episode


def _id(connection: Any, statement: str, *parameters: Any) -> int:
    row = connection.execute(statement, parameters).fetchone()
    return int(row[0])

"""Does an open page hear of changes within moments, of its own patients only, and stop hearing when it must?"""

import contextlib
import json
import socket
import time
from collections.abc import Iterator
from typing import Any

import psycopg
import pytest
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.sync.client import ClientConnection
from websockets.sync.client import connect as open_websocket

from dashboard import push, service
from dashboard.push import SIGNED_OUT
from tests.conftest import TestDatabase
from tests.dashboard.conftest import Served, connect, make_trusts, serve
from tests.waiting import PATIENCE_S, wait_until


@contextlib.contextmanager
def page(served: Served, sign_in: str) -> Iterator[ClientConnection]:
    """Open the live connection as a page does, and wait until it is told that it is live."""
    with served.browser(sign_in) as client:
        (token,) = client.cookies.values()
    with listen(served, Cookie=f"homeward_session={token}", Origin=served.url) as websocket:
        yield websocket


@contextlib.contextmanager
def listen(served: Served, **headers: str) -> Iterator[ClientConnection]:
    """Open the live connection and wait for the first heartbeat."""
    given = {name.replace("_", "-"): value for name, value in headers.items()}
    with open_websocket(
        served.websocket_url, additional_headers=given, proxy=None, open_timeout=PATIENCE_S
    ) as websocket:
        assert next_of(websocket, "heartbeat")["at"]
        yield websocket


def next_of(websocket: ClientConnection, kind: str, timeout_s: float = PATIENCE_S) -> dict[str, Any]:
    """Wait for the next message of a kind."""
    deadline = time.monotonic() + timeout_s
    while True:
        message: dict[str, Any] = json.loads(websocket.recv(timeout=max(0.001, deadline - time.monotonic())))
        if message["type"] == kind:
            return message


def tell(
    connection: psycopg.Connection[Any], organisation: int, patients: list[int] | None, episodes: bool = True
) -> None:
    """Do what a writer does in its transaction."""
    payload: dict[str, Any] = {"organisation": organisation, "episodes": episodes}
    if patients is not None:
        payload["patients"] = patients
    connection.execute("select pg_notify('homeward_live', %s)", [json.dumps(payload)])


def test_a_change_reaches_the_page_after_its_commit(served: Served) -> None:
    north = served.trusts.north
    with page(served, "nurse") as websocket, connect(served.database) as connection:
        with connection.transaction():
            tell(connection, north.organisation_id, [north.patients[0].patient_id])
        message = next_of(websocket, "changed")
        patient = north.patients[0]
        assert message == {
            "type": "changed", "patients": [patient.patient_id], "sites": [patient.site_id], "episodes": True
        }  # fmt: skip


def test_an_acknowledgement_reaches_everybody_elses_page(served: Served) -> None:
    patient = served.trusts.north.patients[1]
    with page(served, "nurse") as websocket, served.client("carer") as carer:
        assert carer.post(f"/api/v1/episodes/{patient.episode_id}/acknowledgement", json={}).status_code == 200
        message = next_of(websocket, "changed")
        assert (message["patients"], message["episodes"]) == ([patient.patient_id], True)


def test_nobody_hears_of_patients_whom_they_may_not_see(served: Served) -> None:
    north, south = served.trusts.north, served.trusts.south
    elm = [p.patient_id for p in north.patients if p.site_id == north.sites["Elm House"]]
    oak = [p.patient_id for p in north.patients if p.site_id == north.sites["Oak House"]]
    with (
        page(served, "carer") as carer,
        page(served, "south-nurse") as foreign,
        page(served, "technician") as technician,
        connect(served.database) as connection,
    ):
        tell(connection, north.organisation_id, oak)
        tell(connection, south.organisation_id, [elm[0]])  # another tenant's number in one's own message
        tell(connection, north.organisation_id, elm + oak)
        assert next_of(carer, "changed")["patients"] == elm
        tell(connection, south.organisation_id, [south.patients[0].patient_id])
        assert next_of(foreign, "changed")["patients"] == [south.patients[0].patient_id]
        for websocket in (carer, foreign, technician):
            with pytest.raises(TimeoutError):
                next_of(websocket, "changed", 1)


def test_a_burst_becomes_a_few_messages_and_names_every_patient(served: Served) -> None:
    north = served.trusts.north
    ids = sorted(p.patient_id for p in north.patients)
    with page(served, "nurse") as websocket, connect(served.database) as connection:
        begun = time.monotonic()
        for number in range(400):
            tell(connection, north.organisation_id, [ids[number % len(ids)]], episodes=number % 50 == 0)
        named: set[int] = set()
        messages = 0
        with contextlib.suppress(TimeoutError):
            while True:
                message = next_of(websocket, "changed", 1.5 if named == set(ids) else PATIENCE_S)
                messages += 1
                named.update(message["patients"])
                last = time.monotonic()
        assert named == set(ids)
        assert messages <= 2 + (last - begun) / push.SPACING_S


def test_many_changes_and_words_that_are_not_understood(served: Served) -> None:
    north = served.trusts.north
    with page(served, "nurse") as websocket, connect(served.database) as connection:
        for nonsense in (
            "",
            "{",
            "[]",
            "null",
            '{"organisation": "x"}',
            '{"patients": [1]}',
            '{"organisation": 1, "patients": 5}',
        ):
            connection.execute("select pg_notify('homeward_live', %s)", [nonsense])
        tell(connection, north.organisation_id, None)
        assert next_of(websocket, "changed")["patients"] is None
        tell(connection, north.organisation_id, list(range(10**6, 10**6 + push.MOST_NAMED + 1)))
        assert next_of(websocket, "changed")["patients"] is None


def test_the_page_is_told_when_its_session_ends_and_is_closed(fresh: Served) -> None:
    with fresh.browser("nurse") as client:
        (token,) = client.cookies.values()
        with (
            listen(fresh, Cookie=f"homeward_session={token}", Origin=fresh.url) as websocket,
            page(fresh, "nurse") as other,
        ):
            client.post("/sign-out")
            next_of(websocket, "signed_out")
            with pytest.raises(ConnectionClosed) as closed:
                websocket.recv(timeout=PATIENCE_S)
            assert closed.value.rcvd is not None
            assert closed.value.rcvd.code == SIGNED_OUT
            # the same person's other sign-in goes on
            with connect(fresh.database) as connection:
                tell(connection, fresh.trusts.north.organisation_id, None)
            assert next_of(other, "changed")["patients"] is None


def test_a_disabled_account_stops_hearing_with_the_next_heartbeat(
    fresh: Served, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(push, "HEARTBEAT_S", 0.5)
    with page(fresh, "carer") as websocket:
        next_of(websocket, "heartbeat")
        fresh.ask("update account set disabled_at = now() where sign_in = 'carer'")
        next_of(websocket, "signed_out")


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"Origin": "self"},
        {"Cookie": "homeward_session=" + "A" * 43, "Origin": "self"},
        {"Cookie": "token", "Origin": "http://evil.example"},
        {"Cookie": "token", "Origin": "null"},
        {"Cookie": "token", "Origin": "self.evil.example"},
        {"Cookie": "token", "Origin": "self", "Sec-Fetch-Site": "same-site"},
    ],
)
@pytest.mark.parametrize("path", ["/live", "/_dash-ws-callback", "/nope"])
def test_without_a_session_or_from_another_origin_the_door_stays_shut(
    served: Served, headers: dict[str, str], path: str
) -> None:
    with served.browser("nurse") as client:
        (token,) = client.cookies.values()
    given = dict(headers)
    if given.get("Cookie") == "token":
        given["Cookie"] = f"homeward_session={token}"
    if given.get("Origin", "").startswith("self"):
        given["Origin"] = served.url + given["Origin"].removeprefix("self")
    address = served.websocket_url.replace("/live", path)
    with (
        pytest.raises(InvalidStatus) as refused,
        open_websocket(address, additional_headers=given, proxy=None, open_timeout=PATIENCE_S),
    ):
        pass
    assert refused.value.response.status_code == 403


def test_dashs_own_socket_is_shut_with_a_session_as_well(served: Served) -> None:
    with served.browser("nurse") as client:
        (token,) = client.cookies.values()
    address = served.websocket_url.replace("/live", "/_dash-ws-callback")
    given = {"Cookie": f"homeward_session={token}", "Origin": served.url}
    with (
        pytest.raises(InvalidStatus),
        open_websocket(address, additional_headers=given, proxy=None, open_timeout=PATIENCE_S),
    ):
        pass


def test_after_the_database_comes_back_pages_are_told_to_look_again(fresh: Served) -> None:
    with page(fresh, "nurse") as websocket, connect(fresh.database) as connection:
        connection.execute(
            "select pg_terminate_backend(pid) from pg_stat_activity where application_name = 'homeward-push'"
        )
        message = next_of(websocket, "changed")
        assert message["patients"] is None
        tell(connection, fresh.trusts.north.organisation_id, [fresh.trusts.north.patients[0].patient_id])
        assert next_of(websocket, "changed")["patients"] == [fresh.trusts.north.patients[0].patient_id]


def test_two_servers_on_one_database_both_tell_their_pages(fresh: Served) -> None:
    with serve(fresh.database) as url:
        second = Served(url, fresh.database, fresh.trusts)
        with page(second, "nurse") as websocket, fresh.client("carer") as carer:
            patient = fresh.trusts.north.patients[0]
            carer.post(f"/api/v1/patients/{patient.patient_id}/notes", json={"body": "slept well"})
            assert next_of(websocket, "changed") == {
                "type": "changed",
                "patients": [patient.patient_id],
                "sites": [patient.site_id],
                "episodes": False,
            }
        with second.browser("nurse") as client:
            (token,) = client.cookies.values()
        with listen(fresh, Cookie=f"homeward_session={token}", Origin=fresh.url) as elsewhere:
            with second.client() as client:
                client.post("/sign-out", headers={"Cookie": f"homeward_session={token}"})
            next_of(elsewhere, "signed_out")


def test_pages_that_come_and_go_leave_nothing_behind(fresh: Served) -> None:
    def browsers() -> float:
        with fresh.client() as client:
            line = next(x for x in client.get("/metrics").text.splitlines() if x.startswith("homeward_browsers "))
            return float(line.split()[1])

    with contextlib.ExitStack() as pages:
        for _ in range(5):
            pages.enter_context(page(fresh, "nurse"))
        abrupt = pages.enter_context(page(fresh, "nurse"))
        assert browsers() == 6
        abrupt.socket.shutdown(socket.SHUT_RDWR)
        wait_until(lambda: browsers() == 5, "the one that broke off is gone")
    wait_until(lambda: browsers() == 0, "all are gone")


def test_the_server_stops_at_once_with_pages_open(database: TestDatabase, monkeypatch: pytest.MonkeyPatch) -> None:
    # far longer than closing takes on a busy machine: a page that was waited for would be noticed
    monkeypatch.setattr(service, "GRACE_S", 120)
    trusts = make_trusts(database)
    with contextlib.ExitStack() as pages, serve(database) as url:
        pages.enter_context(page(Served(url, database, trusts), "nurse"))
        begun = time.monotonic()
    assert time.monotonic() - begun < 60

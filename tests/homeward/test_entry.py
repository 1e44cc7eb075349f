"""Do devices and people come in over HTTP with their own credentials, and is a request that is sent again stored once?

The real server with ingest's routes, as `homeward dashboard` runs it.
"""

from __future__ import annotations

import hashlib
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import psycopg
import pytest

from dashboard.api.routes import PREFIX
from homeward.device_tokens import give_token, take_token
from homeward.entry import other_ways_in
from ingest.http import PATH
from ingest.limits import LARGEST_PAYLOAD
from schemas.database import acting_for
from tests import waiting
from tests.conftest import TestDatabase
from tests.dashboard.conftest import Served, make_trusts, serve


@contextmanager
def running(database: TestDatabase) -> Iterator[Served]:
    """Serve the pages and all other ways in."""
    trusts = make_trusts(database)
    with other_ways_in(database.url_for("homeward_ingest")) as ways_in, serve(database, extra_routers=ways_in) as url:
        yield Served(url, database, trusts)


@pytest.fixture(scope="module")
def house(module_database: TestDatabase) -> Iterator[Served]:
    """A server that this module's tests share; the nurse's organisation has a device for entry by hand."""
    with running(module_database) as served:
        served.ask(
            "insert into device (organisation_id, code, kind, lane) values (%s, 'by-hand', 'manual', 0)",
            served.trusts.north.organisation_id,
        )
        yield served


@pytest.fixture(scope="module")
def token(house: Served) -> str:
    """The token of the first patient's oximeter."""
    return make_token(house, code_of(house, 0))


def code_of(house: Served, index: int) -> str:
    """The code of a patient's oximeter."""
    return f"oximeter-{house.trusts.north.patients[index].patient_id}"


def make_token(house: Served, code: str) -> str:
    """Make a token as the command does."""
    with administrator(house) as connection:
        return give_token(connection, house.trusts.north.organisation_id, code)


@contextmanager
def administrator(house: Served) -> Iterator[psycopg.Connection[Any]]:
    """Connect as provisioning does."""
    url = house.database.url_for("homeward_admin")
    with psycopg.connect(url, options="-c search_path=homeward,public") as connection:
        yield connection


_minutes = iter(range(1, 10_000))


def one(**values: Any) -> dict[str, Any]:
    """An observation set at an instant of its own."""
    at = datetime.now(UTC) - timedelta(days=2) + timedelta(seconds=next(_minutes))
    return {"time": at.isoformat(), "values": values}


def stored(house: Served, message: dict[str, Any]) -> int:
    """How many observations of a set's instant there are."""
    return int(house.ask("select count(*) from observation where observed_at = %s", message["time"])[0][0])


def test_a_device_sends_with_its_token_in_either_form(house: Served, token: str) -> None:
    code = code_of(house, 0)
    for credential in ({"headers": {"Authorization": f"Bearer {token}"}}, {"auth": (code, token)}):
        message = one(spo2=95)
        answer = waiting.post(house.url + PATH, json=message, **credential)
        assert answer.status_code == 200, answer.text
        assert answer.json()["items"] == [{"stored": 1, "duplicate": 0, "quarantined": 0, "why": []}]
        assert stored(house, message) == 1


@pytest.mark.parametrize("auth", [("oximeter-2", "TOKEN"), ("oximeter-1", "hwd_wrong"), ("x", "y")])
def test_another_credential_is_refused(house: Served, token: str, auth: tuple[str, str]) -> None:
    given = (auth[0], auth[1].replace("TOKEN", token))
    answer = waiting.post(house.url + PATH, json=one(spo2=95), auth=given)
    assert answer.status_code == 401
    assert "Basic" in answer.headers["WWW-Authenticate"]
    # and a device's token opens nothing but the way in
    assert (
        waiting.get(house.url + f"{PREFIX}/patients", headers={"Authorization": f"Bearer {token}"}).status_code == 401
    )


def test_a_new_token_voids_the_old_one_and_only_its_digest_is_kept(house: Served) -> None:
    code = code_of(house, 1)
    old, new = make_token(house, code), make_token(house, code)
    assert waiting.post(house.url + PATH, json=one(spo2=95), auth=(code, old)).status_code == 401
    assert waiting.post(house.url + PATH, json=one(spo2=95), auth=(code, new)).status_code == 200
    assert house.ask("select 1 from device_token where token_hash = %s", hashlib.sha256(new.encode()).digest())
    with administrator(house) as connection:
        take_token(connection, house.trusts.north.organisation_id, code)
    assert waiting.post(house.url + PATH, json=one(spo2=95), auth=(code, new)).status_code == 401


def test_each_item_has_its_own_fate(house: Served, token: str) -> None:
    good = one(spo2=95)
    answer = waiting.post(
        house.url + PATH,
        json=[good, good, one(spo2=3), one(spo2={"value": 95, "unit": "mm[Hg]"}), {"values": {"spo2": 95}}, 7],
        headers={"Authorization": f"Bearer {token}"},
    )
    assert answer.status_code == 200
    items = answer.json()["items"]
    fates = [(i["stored"], i["duplicate"], i["quarantined"], [w["reason"] for w in i["why"]]) for i in items]
    assert fates == [
        (1, 0, 0, []),
        (0, 1, 0, []),
        (0, 0, 1, ["implausible"]),
        (0, 0, 1, ["unit"]),
        (0, 0, 1, ["missing_time"]),
        (0, 0, 1, ["wrong_type"]),
    ]
    assert "spo2: 3" in items[2]["why"][0]["detail"]
    whole = json.dumps(one(spo2=3))
    kept = house.ask("select 1 from quarantine where sender = %s and reason = 'implausible'", code_of(house, 0))
    assert len(kept) == 1, whole


def test_a_request_sent_again_is_answered_as_before_and_stored_once(house: Served, token: str) -> None:
    message = one(spo2=95)
    headers = {"Authorization": f"Bearer {token}", "Idempotency-Key": "again-1"}
    first, second = (waiting.post(house.url + PATH, json=message, headers=headers) for _ in range(2))
    assert first.json() == second.json()
    assert first.json()["stored"] == 1
    assert (first.headers.get("Idempotent-Replayed"), second.headers.get("Idempotent-Replayed")) == (None, "true")
    other = waiting.post(house.url + PATH, json=one(spo2=95), headers=headers)
    assert other.status_code == 422
    assert "Idempotency-Key" in other.text


def test_the_key_belongs_to_its_sender(house: Served, token: str) -> None:
    patient = house.trusts.north.patients[0].patient_id
    key = {"Idempotency-Key": "shared"}
    assert waiting.post(
        house.url + PATH, json=one(spo2=95), headers={"Authorization": f"Bearer {token}"} | key
    ).is_success
    with house.client("nurse") as nurse:
        answer = nurse.post(f"{PATH}?patient={patient}", json=one(spo2=95), headers=key)
    assert answer.status_code == 200
    assert answer.json()["stored"] == 1


def test_the_same_request_twice_at_once_is_stored_once(house: Served, token: str) -> None:
    message = [one(spo2=95) for _ in range(50)]
    headers = {"Authorization": f"Bearer {token}", "Idempotency-Key": "at-once"}
    answers: list[httpx.Response] = []

    def send() -> None:
        answers.append(waiting.post(house.url + PATH, json=message, headers=headers))

    threads = [threading.Thread(target=send) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [a.status_code for a in answers] == [200] * 4
    assert {a.json()["stored"] for a in answers} == {50}
    assert sum("Idempotent-Replayed" not in a.headers for a in answers) == 1
    assert sum(stored(house, m) for m in message) == 50


def test_answers_are_kept_for_a_day(house: Served, token: str) -> None:
    message = one(spo2=95)
    headers = {"Authorization": f"Bearer {token}", "Idempotency-Key": "old"}
    assert waiting.post(house.url + PATH, json=message, headers=headers).json()["stored"] == 1
    house.ask("update answered_request set answered_at = now() - interval '25 hours' where key = 'old'")
    answer = waiting.post(house.url + PATH, json=message, headers=headers).json()
    assert (answer["stored"], answer["duplicate"]) == (0, 1)


def test_too_much_from_one_sender_is_put_off_and_the_others_get_in(house: Served, token: str) -> None:
    """Requests wait behind the patient's lock; the fifth of the same sender is told to come later."""
    patient = house.trusts.north.patients[0].patient_id
    messages = [one(spo2=95) for _ in range(4)]
    answers: list[httpx.Response] = []

    def send(message: dict[str, Any]) -> None:
        headers = {"Authorization": f"Bearer {token}"}
        answers.append(waiting.post(house.url + PATH, json=message, headers=headers))

    threads = [threading.Thread(target=send, args=(m,)) for m in messages]
    with psycopg.connect(house.database.url, options="-c search_path=homeward,public") as connection:
        connection.execute("select 1 from patient_state where patient_id = %s for update", [patient])
        for thread in threads:
            thread.start()
        blocked = "select count(*) from pg_stat_activity where wait_event_type = 'Lock'"
        waiting.wait_until(lambda: house.ask(blocked)[0][0] >= 4, "four requests wait behind the lock")
        answer = waiting.post(house.url + PATH, json=one(spo2=95), headers={"Authorization": f"Bearer {token}"})
        assert (answer.status_code, answer.headers["Retry-After"]) == (429, "1")
        with house.client("nurse") as nurse:
            other = house.trusts.north.patients[1].patient_id
            assert nurse.post(f"{PATH}?patient={other}", json=one(spo2=95)).status_code == 200
        connection.rollback()
    for thread in threads:
        thread.join()
    assert [a.status_code for a in answers] == [200] * 4
    assert sum(stored(house, m) for m in messages) == 4


def test_a_body_that_is_too_large_is_refused_whole(house: Served, token: str) -> None:
    content = b"[" + b" " * LARGEST_PAYLOAD + b"]"
    answer = waiting.post(house.url + PATH, content=content, headers={"Authorization": f"Bearer {token}"})
    assert answer.status_code == 413


def test_a_database_that_takes_nothing_is_said_and_nothing_is_lost(database: TestDatabase) -> None:
    with running(database) as house:
        headers = {"Authorization": f"Bearer {make_token(house, code_of(house, 0))}", "Idempotency-Key": "k"}
        message = one(spo2=95)
        house.ask(f"alter role homeward_ingest in database {database.name} set default_transaction_read_only = on")
        house.ask("select pg_terminate_backend(pid) from pg_stat_activity where usename = 'homeward_ingest'")
        statuses = {waiting.post(house.url + PATH, json=message, headers=headers).status_code for _ in range(8)}
        assert statuses == {503}
        house.ask(f"alter role homeward_ingest in database {database.name} reset default_transaction_read_only")
        house.ask("select pg_terminate_backend(pid) from pg_stat_activity where usename = 'homeward_ingest'")

        def taken() -> httpx.Response | None:
            answer = waiting.post(house.url + PATH, json=message, headers=headers)
            assert answer.headers.get("Retry-After") == ("5" if answer.status_code == 503 else None)
            return None if answer.status_code == 503 else answer

        assert waiting.wait_until(taken, "the database takes it").json()["stored"] == 1
        assert stored(house, message) == 1


def test_making_a_token_is_in_the_audit_log(house: Served) -> None:
    north = house.trusts.north
    make_token(house, code_of(house, 2))
    with administrator(house) as connection, acting_for(connection, north.organisation_id):
        actions = connection.execute("select action from audit_log where action = 'device_token_made'").fetchall()
    assert actions

"""Does a text message end with the right patient, and is its answer safe, whoever sends it and however often?"""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest

from homeward.provisioning import ProvisioningError
from homeward.sms_numbers import add_gateway, add_phone, phones, remove_phone
from ingest.sms_http import PATH, WINDOW_S, signature
from schemas.observation import Flag
from tests import waiting
from tests.conftest import TestDatabase
from tests.dashboard.conftest import Served
from tests.homeward.test_entry import administrator, running

ALONE, SHARED, STRANGER = "+447700900123", "+447700900456", "+447700900999"
ADVICE = "Ring 999 if you feel very unwell."
_numbers = iter(range(1, 10_000))


@pytest.fixture(scope="module")
def house(module_database: TestDatabase) -> Iterator[Served]:
    """A server, two people who share a telephone, and one with a telephone of her own."""
    with running(module_database) as served:
        served.ask("delete from quarantine")
        north = served.trusts.north
        served.ask(
            "insert into device (organisation_id, code, kind, lane) values (%s, 'by-hand', 'manual', 0)",
            north.organisation_id,
        )
        served.ask("update site set emergency_advice = %s", ADVICE)
        with administrator(served) as connection:
            organisation, people = north.organisation_id, [p.patient_id for p in north.patients]
            add_phone(connection, organisation, "+44 7700 900123", people[0], "")
            add_phone(connection, organisation, SHARED, people[1], "mum")
            add_phone(connection, organisation, SHARED, people[2], "dad")
        yield served


@pytest.fixture(scope="module")
def secret(house: Served) -> str:
    """The gateway's secret."""
    with administrator(house) as connection:
        return add_gateway(connection, house.trusts.north.organisation_id, "notify")


def told(text: str, sender: str = ALONE, **more: Any) -> dict[str, Any]:
    """A text message, at an instant of its own."""
    number = next(_numbers)
    at = datetime.now(UTC) - timedelta(days=2) + timedelta(seconds=number)
    return {"id": f"m-{number}", "from": sender, "text": text, "sent_at": at.isoformat()} | more


def hand_in(house: Served, secret: str, message: dict[str, Any], **headers: str) -> httpx.Response:
    """Send it as the gateway does."""
    body = json.dumps(message).encode()
    stamp = str(int(time.time()))
    signed = {
        "Homeward-Gateway": "notify",
        "Homeward-Timestamp": stamp,
        "Homeward-Signature": signature(secret, headers.get("Homeward-Timestamp", stamp), body),
    }
    return waiting.post(house.url + PATH, content=body, headers=signed | headers)


def of(house: Served, message: dict[str, Any]) -> list[tuple[Any, ...]]:
    """What is stored of a message: whose, which vital sign, value, flags."""
    return house.ask(
        "select patient_id, vital, value, flags from observation where observed_at = %s order by vital",
        message["sent_at"],
    )


def test_what_was_understood_is_stored_and_said(house: Served, secret: str) -> None:
    message = told("BP 152/91 72")
    answer = hand_in(house, secret, message)
    assert answer.status_code == 200, answer.text
    said = f"Recorded: blood pressure 152/91, pulse 72 /min. {ADVICE}"
    assert answer.json() == {"id": message["id"], "reply": said}
    patient = house.trusts.north.patients[0].patient_id
    assert of(house, message) == [(patient, v, x, Flag.BY_HAND) for v, x in ((4, 152.0), (5, 91.0), (6, 72.0))]


def test_a_unit_that_was_stated_is_converted_and_said_as_stored(house: Served, secret: str) -> None:
    message = told("temp 99.5 F")
    assert "temperature 37.5 °C" in hand_in(house, secret, message).json()["reply"]
    assert of(house, message)[0][2] == pytest.approx(37.5)


@pytest.mark.parametrize("text", ["sats ninety", "bp 152 91", "mum is unwell", "94", "temp 37 temp 38"])
def test_what_is_not_clear_is_asked_and_waits(house: Served, secret: str, text: str) -> None:
    message = told(text)
    reply = hand_in(house, secret, message).json()["reply"]
    assert "Nothing was recorded" in reply
    assert "BP 152/91 72" in reply
    assert reply.endswith(ADVICE)
    assert of(house, message) == []
    [(reason, detail)] = house.ask(
        "select reason, detail from quarantine where payload like %s", f"%{message['id']}%".encode()
    )
    assert reason == "unreadable_text"
    assert text not in detail


def test_what_cannot_be_is_not_stored_and_nobody_is_reassured(house: Served, secret: str) -> None:
    for text, words in (
        ("sats 9", "Nothing was recorded"),
        ("temp 98.6", "Nothing was recorded"),
        ("sats 9 hr 70", "a part"),
    ):
        reply = hand_in(house, secret, told(text)).json()["reply"]
        assert words in reply
        assert reply.endswith(ADVICE)
        assert not {"fine", "normal", "well done", "good"} & set(reply.lower().split())


def test_people_who_share_a_telephone_are_told_apart_by_their_word(house: Served, secret: str) -> None:
    asked = told("BP 152/91", SHARED)
    reply = hand_in(house, secret, asked).json()["reply"]
    assert "DAD or MUM" in reply
    assert of(house, asked) == []
    for word, index in (("Mum", 1), ("DAD:", 2)):
        message = told(f"{word} BP 152/91", SHARED)
        hand_in(house, secret, message)
        assert {row[0] for row in of(house, message)} == {house.trusts.north.patients[index].patient_id}


def test_an_unknown_number_waits_and_its_answer_says_nothing_of_anybody(house: Served, secret: str) -> None:
    message = told("SATS 94", STRANGER)
    reply = hand_in(house, secret, message).json()["reply"]
    assert "Nothing was recorded" in reply
    assert "999" in reply
    assert reply == hand_in(house, secret, told("hello", STRANGER)).json()["reply"]
    rows = house.ask(
        "select reason, detail, topic from quarantine where payload like %s", f"%{message['id']}%".encode()
    )
    assert rows[0][0] == "unknown_number"
    assert STRANGER not in str(rows)
    # registered since: what waited is stored as of then
    patient = house.trusts.north.patients[3].patient_id
    with administrator(house) as connection:
        add_phone(connection, house.trusts.north.organisation_id, STRANGER, patient, "")
    # whose it was nobody knew: it is for those who run the organisation
    with house.client("admin") as client:
        done = client.post("/api/v1/quarantine/replay", json={"reason": "unknown_number"}).json()
    assert (done["messages"], done["stored"], done["reasons"]) == (2, 1, {"unreadable_text": 1})
    assert of(house, message) == [(patient, 2, 94.0, Flag.BY_HAND)]
    with administrator(house) as connection:
        remove_phone(connection, house.trusts.north.organisation_id, STRANGER, patient)


def test_a_message_handed_in_again_is_answered_as_before_and_stored_once(house: Served, secret: str) -> None:
    message = told("SATS 95")
    first, second = (hand_in(house, secret, message) for _ in range(2))
    assert first.json() == second.json()
    assert second.headers["Idempotent-Replayed"] == "true"
    assert len(of(house, message)) == 1
    assert hand_in(house, secret, message | {"text": "SATS 90"}).status_code == 422


@pytest.mark.parametrize("fault", ["signature", "gateway", "late", "early", "nothing", "body", "not ascii"])
def test_what_is_not_signed_now_by_a_known_gateway_is_refused(house: Served, secret: str, fault: str) -> None:
    message = told("SATS 95")
    headers = {
        "signature": {"Homeward-Signature": "0" * 64},
        "gateway": {"Homeward-Gateway": "other"},
        "late": {"Homeward-Timestamp": str(int(time.time()) - WINDOW_S - 5)},
        "early": {"Homeward-Timestamp": str(int(time.time()) + 2 * WINDOW_S)},
        "nothing": {"Homeward-Signature": ""},
        "not ascii": {"Homeward-Timestamp": "²"},
    }.get(fault, {})
    if fault == "body":
        stamp = str(int(time.time()))
        signed = {
            "Homeward-Gateway": "notify",
            "Homeward-Timestamp": stamp,
            "Homeward-Signature": signature(secret, stamp, b"{}"),
        }
        answer = waiting.post(house.url + PATH, json=message, headers=signed)
    elif fault == "not ascii":
        body = json.dumps(message).encode()
        signed = {"Homeward-Gateway": "notify", "Homeward-Timestamp": "2²".encode(), "Homeward-Signature": "é".encode()}
        answer = waiting.post(house.url + PATH, content=body, headers=signed)  # type: ignore[arg-type]
    else:
        answer = hand_in(house, secret, message, **headers)
    assert answer.status_code == 401, answer.text
    assert of(house, message) == []


@pytest.mark.parametrize(
    "more",
    [
        {"from": "HEALTH"},
        {"from": "60777"},
        {"sent_at": "yesterday"},
        {"sent_at": "2026-01-01T00:00:00"},
        {"id": ""},
        {"x": 1},
    ],
)
def test_what_a_gateway_says_wrongly_is_told_to_it(house: Served, secret: str, more: dict[str, Any]) -> None:
    assert hand_in(house, secret, told("SATS 95", **more)).status_code == 422


def test_a_number_is_known_however_the_gateway_writes_it(house: Served, secret: str) -> None:
    patient = house.trusts.north.patients[0].patient_id
    for written in ("07700 900123", "00447700900123", "+44 (0)7700 900123"):
        message = told("SATS 95", written)
        assert hand_in(house, secret, message).status_code == 200
        assert [row[0] for row in of(house, message)] == [patient]


def test_a_number_needs_words_where_two_share_it(house: Served) -> None:
    north = house.trusts.north
    with administrator(house) as connection:
        for phone, patient, word, says in (
            ("7700900123", north.patients[0].patient_id, "", "write it like"),
            (ALONE, north.patients[1].patient_id, "mum", "each of the two"),
            (SHARED, north.patients[0].patient_id, "", "each of the two"),
            (SHARED, north.patients[0].patient_id, "mum", "the other one's"),
            (SHARED, house.trusts.south.patients[0].patient_id, "x", "2 to 20 letters"),
            (SHARED, house.trusts.south.patients[0].patient_id, "aunt", "no patient"),
        ):
            with pytest.raises(ProvisioningError, match=says):
                add_phone(connection, north.organisation_id, phone, patient, word)
        assert {p["word"] for p in phones(connection, north.organisation_id)} == {"", "mum", "dad"}

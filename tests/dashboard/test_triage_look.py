"""Does each open page get its own list, and only its own, however many ask at once?"""

from __future__ import annotations

import asyncio
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from typing import Any, LiteralString

import httpx
import pytest
from psycopg.types.json import Jsonb

from tests.dashboard.conftest import PASSWORD, Served, connect
from tests.waiting import PATIENCE_S, wait_until

LOOK = "/triage/look"
ALL = {"rows": [0, 50], "numbers": True, "news": {}}


def names(answer: dict[str, Any]) -> set[str]:
    return {row["name"].split()[-1] for row in answer["rows"]["listed"]}


def seen_by(served: Served, organisation: str, site: str = "") -> set[str]:
    trust = getattr(served.trusts, organisation)
    return {p.family_name for p in trust.patients if not site or p.site_id == trust.sites[site]}


def test_fifty_who_ask_at_once_each_get_what_they_may_see(served: Served) -> None:
    expected = {
        "nurse": seen_by(served, "north"),
        "other-nurse": seen_by(served, "north"),
        "reader": seen_by(served, "north"),
        "carer": seen_by(served, "north", "Elm House"),
        "south-nurse": seen_by(served, "south"),
    }

    async def ask() -> None:
        async with httpx.AsyncClient(base_url=served.url, timeout=PATIENCE_S) as client:
            tokens = {}
            for name in expected:
                signed = await client.post("/api/v1/sign-in", json={"sign_in": name, "password": PASSWORD})
                tokens[name] = signed.json()["token"]
            who = [name for _ in range(10) for name in expected]
            answers = await asyncio.gather(
                *(client.post(LOOK, json=ALL, headers={"Authorization": f"Bearer {tokens[name]}"}) for name in who)
            )
        for name, answer in zip(who, answers, strict=True):
            found = answer.raise_for_status().json()
            assert names(found) == expected[name]
            assert found["rows"]["total"] == len(expected[name])
            assert found["numbers"]["shown"]["count-red"] == str(len(expected[name]))
            assert found["numbers"]["shown"]["hint-not_reporting"] == f"of {len(expected[name])}"
            assert found["news"]["items"] == []

    asyncio.run(ask())


@pytest.mark.parametrize("change", ["all_sites = true", "role = 'technician'"])
def test_what_whoever_asks_for_all_may_see_meanwhile_is_given_to_nobody(fresh: Served, change: LiteralString) -> None:
    elm = fresh.trusts.north.sites["Elm House"]
    fresh.ask(
        "insert into account (organisation_id, sign_in, name, role, password_hash) select organisation_id, 'second', "
        "'Second', role, password_hash from account where sign_in = 'carer'"
    )
    fresh.ask(
        "insert into account_site select account_id, %s, organisation_id from account where sign_in = 'second'", elm
    )
    with fresh.client("carer") as first, fresh.client("second") as second, ThreadPoolExecutor(2) as pool:
        first.post(LOOK, json=ALL).raise_for_status()
        with connect(fresh.database) as connection, connection.transaction():
            connection.execute("lock table episode in access exclusive mode")
            asked = [pool.submit(first.post, LOOK, json={"rows": [0, 50]})]
            wait_until(lambda: fresh.ask("select 1 from pg_locks where not granted"))
            asked.append(pool.submit(second.post, LOOK, json={"rows": [0, 50]}))  # waits for the first one's answer
            fresh.ask("update account set " + change + " where sign_in = 'carer'")
        changed, own = (answer.result(PATIENCE_S).raise_for_status().json() for answer in asked)
    assert names(own) == seen_by(fresh, "north", "Elm House")
    assert names(changed) == (seen_by(fresh, "north") if change.startswith("all_sites") else set())


def test_the_answer_is_compressed_and_kept_nowhere(served: Served) -> None:
    with served.client("nurse") as nurse:
        answer = nurse.post(LOOK, json=ALL, headers={"Accept-Encoding": "br"})
    assert answer.headers["content-encoding"] == "br"
    assert answer.headers["cache-control"] == "no-store"
    assert names(answer.json()) == seen_by(served, "north")


def test_a_site_that_is_taken_away_is_gone_with_the_next_look(fresh: Served) -> None:
    with fresh.client("carer") as carer:
        assert names(carer.post(LOOK, json=ALL).json()) == seen_by(fresh, "north", "Elm House")
        fresh.ask("delete from account_site")
        found = carer.post(LOOK, json=ALL).json()
        assert (found["rows"]["listed"], found["rows"]["total"]) == ([], 0)
        assert found["numbers"]["shown"]["count-red"] == "0"


def test_who_was_discharged_with_an_open_episode_is_in_no_list_and_no_number(fresh: Served) -> None:
    gone, *others = fresh.trusts.north.patients
    left = {p.family_name for p in others}
    fresh.ask("update patient set discharged_at = now() where patient_id = %s", gone.patient_id)
    # and where somebody was let in to see them in an emergency as well
    fresh.ask(
        "insert into emergency_access (organisation_id, account_id, patient_id, reason, expires_at) "
        "select organisation_id, account_id, %s, 'found on the floor', now() + interval '1 hour' from account "
        "where sign_in = 'carer'", gone.patient_id
    )  # fmt: skip
    with fresh.client("nurse") as nurse, fresh.client("carer") as carer:
        for view in ({}, {"filter": "red"}, {"filter": "waiting"}, {"filter": "red", "search": gone.family_name}):
            found = nurse.post(LOOK, json=ALL | {"view": view}).raise_for_status().json()
            expected = {name for name in left if name.startswith(view.get("search", ""))}
            assert names(found) == expected, view
            assert found["rows"]["total"] == len(expected)
            assert (
                found["numbers"]["shown"]["count-red"] == found["numbers"]["shown"]["count-waiting"] == str(len(left))
            )
            assert found["numbers"]["shown"]["hint-not_reporting"] == f"of {len(left)}"
        assert gone.family_name not in names(carer.post(LOOK, json=ALL).json())
        fresh.ask("update patient set discharged_at = null")
        assert names(nurse.post(LOOK, json=ALL).json()) == left | {gone.family_name}


def test_what_is_new_since_a_page_last_asked(fresh: Served) -> None:
    north = fresh.trusts.north
    patient = north.patients[0]
    # what was raised a moment before a page asks is told to it as well
    fresh.ask("update episode_event set recorded_at = now() - interval '1 hour'")
    with fresh.client("nurse") as nurse, fresh.client("carer") as carer:
        at = nurse.post(LOOK, json={"news": {}}).json()["news"]["at"]
        fresh.ask("update episode set severity = 2 where episode_id = %s", patient.episode_id)
        fresh.ask(
            "insert into episode_event (organisation_id, episode_id, patient_id, kind, at, severity) "
            "values (%s, %s, %s, 'severity', now(), 2)", north.organisation_id, patient.episode_id, patient.patient_id
        )  # fmt: skip
        fresh.ask(
            "insert into episode_event (organisation_id, episode_id, patient_id, kind, at, severity) "
            "values (%s, %s, %s, 'severity', now(), 3)", north.organisation_id, patient.episode_id, patient.patient_id
        )  # fmt: skip
        fresh.ask("update episode set severity = 3, updated_at = now() where episode_id = %s", patient.episode_id)
        for client, sees in ((nurse, True), (carer, patient.site_id == north.sites["Elm House"])):
            found = client.post(LOOK, json={"news": {"since": at, "patients": None}}).json()["news"]
            assert [item["id"] for item in found["items"]] == [str(patient.patient_id)] * sees
            assert not sees or found["items"][0]["words"].startswith(f"Worse, red: Given {patient.family_name}")
        named = {"since": at, "patients": [north.patients[1].patient_id]}
        assert nurse.post(LOOK, json={"news": named}).json()["news"]["items"] == []


def test_what_is_new_is_told_in_the_words_of_its_row(fresh: Served) -> None:
    patient = fresh.trusts.north.patients[0]
    facts = {"title": "Observations overdue", "vitals": ["spo2"], "every": "12 h", "grace": "2 h"}
    fresh.ask(
        "update episode set sentence = 'No SpO2 for longer than 12 h and 2 h of grace.', explanation = %s, "
        "updated_at = now() where episode_id = %s", Jsonb(facts), patient.episode_id
    )  # fmt: skip
    with fresh.client("nurse") as nurse:
        asked = {"rows": [0, 50], "news": {"since": (datetime.now(UTC) - timedelta(minutes=5)).isoformat()}}
        found = nurse.post(LOOK, json=asked).raise_for_status().json()
    [row] = [r for r in found["rows"]["listed"] if r["id"] == str(patient.patient_id)]
    [item] = [i for i in found["news"]["items"] if i["id"] == row["id"]]
    assert row["reason"] == "No SpO2 for longer than 12 h"
    assert item["words"].endswith(f". {row['reason']}.")


def test_who_may_not_see_patients_gets_no_list_and_who_is_nobody_neither(served: Served) -> None:
    with served.client("technician") as technician, served.client("auditor") as auditor, served.client() as nobody:
        assert technician.post(LOOK, json=ALL).status_code == 403
        assert auditor.post(LOOK, json=ALL).status_code == 403
        assert nobody.post(LOOK, json=ALL).status_code == 401
    with served.browser("nurse") as nurse:
        assert nurse.post(LOOK, json=ALL, headers={"Origin": "https://elsewhere.example"}).status_code == 403
        assert nurse.post(LOOK, json=ALL, headers={"Origin": served.url}).status_code == 200
        assert nurse.get(LOOK).status_code in (404, 405)


def test_the_numbers_of_another_trust_narrow_the_list_to_nothing(served: Served) -> None:
    theirs = served.trusts.south.patients[0]
    with served.client("nurse") as nurse:
        found = nurse.post(LOOK, json={"view": {"site": str(theirs.site_id)}, **ALL}).json()
        assert (found["rows"]["listed"], found["rows"]["total"]) == ([], 0)
        searched = nurse.post(LOOK, json={"view": {"search": theirs.family_name}, "rows": [0, 50]}).json()["rows"]
        assert (searched["listed"], searched["total"]) == ([], 0)


@pytest.mark.parametrize(
    "body",
    [
        b"{",
        b"[]",
        b'{"rows": [0]}',
        b'{"rows": [50, 0]}',
        b'{"rows": [0, 100000]}',
        b'{"rows": [-1, 5]}',
        b'{"view": {"site": 1}}',
        b'{"news": {"since": "yesterday"}}',
        b'{"news": {"since": "2026-11-25T08:00:00"}}',
        b'{"news": {"patients": [99999999999]}}',
        b'{"what": 1}',
        b"\xff\xfe",
    ],
)
def test_what_no_page_asks_is_refused_with_a_reason(served: Served, body: bytes) -> None:
    with served.client("nurse") as nurse:
        answer = nurse.post(LOOK, content=body, headers={"Content-Type": "application/json"})
    assert answer.status_code == 422
    assert answer.headers["content-type"] == "application/problem+json"
    assert "asks" in answer.json()["detail"]

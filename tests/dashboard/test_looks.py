"""Is every look at a patient in the audit log, through every route that gives one and every page that shows one?

Walks all routes, all callbacks and all pages, so that a new one cannot be forgotten: where an answer has a patient's
name or the address is a patient's, an entry must have been written meanwhile.
"""

from __future__ import annotations

import asyncio
import hashlib
import itertools
import re
import secrets
from typing import Any

import httpx
import psycopg
import pytest
from playwright.sync_api import Browser, expect

from dashboard import looks as looks_module
from dashboard import pages, text
from dashboard.pages.triage import FIRST_VIEW
from tests import waiting
from tests.conftest import TestDatabase
from tests.dashboard.chromium import PATIENCE_MS, browser, open_page, sign_in
from tests.dashboard.conftest import PASSWORD, Served, connect, make_trusts, serve
from tests.dashboard.test_tenants import callbacks, sent

__all__ = ["browser"]  # a fixture


def looks(served: Served) -> int:
    return int(served.ask("select count(*) from audit_log where action in ('looked_at', 'exported')")[0][0])


@pytest.mark.parametrize("who", ["nurse", "admin"])
def test_every_route_that_names_a_patient_leaves_an_entry(served: Served, who: str) -> None:
    patient = served.trusts.north.patients[0]
    names = [p.family_name for p in served.trusts.north.patients]
    role = {"nurse": "clinician", "admin": "administrator"}[who]
    numbers = {"patient_id": patient.patient_id, "episode_id": patient.episode_id, "site_id": patient.site_id}
    paths = [p for p, methods in waiting.get(served.url + "/openapi.json").json()["paths"].items() if "get" in methods]
    named = 0
    with connect(served.database) as connection, served.client() as client:
        for path in paths:
            if set(re.findall(r"{(\w+)}", path)) - set(numbers):
                continue
            account, headers = newcomer(served, connection, role)
            answer = client.get(path.format(**numbers), headers=headers)
            shown = answer.status_code == 200 and ("{patient_id}" in path or any(name in answer.text for name in names))
            named += shown
            told = told_of(served, account)
            assert not shown or told, path
            assert whom_it_names(served, answer) <= told, path
    assert named > 5


def test_no_callback_shows_a_patient_without_an_entry(served: Served) -> None:
    """Each is asked as a request made by hand would be, by somebody who has opened no page before."""
    patient = served.trusts.north.patients[0]
    secret = [p.family_name for p in served.trusts.north.patients] + ["SpO2 84 %"]
    own = {"site": patient.site_id, "episode": patient.episode_id, "device": patient.device_id,
           "patient": patient.patient_id, "account": 1, "person": 1}  # fmt: skip
    shown, looked = set(), set()
    with connect(served.database) as connection, served.client() as client:
        for callback, shape in itertools.product(callbacks(), ("number", "object")):
            account, headers = newcomer(served, connection)
            asked = chosen(sent(callback, own, shape))
            answer = client.post("/_dash-update-component", json=asked, headers=headers)
            told = told_of(served, account)
            if told:
                looked.add(callback["output"])
            if any(word in answer.text for word in secret):
                shown.add(callback["output"])
                assert told, (callback["output"], shape, answer.text[:400])
            assert whom_it_names(served, answer) <= told, (callback["output"], shape, answer.text[:400])
    of_the_patient = {
        "panel-who.children", "patient-vitals.children", "patient-timeline.children", "patient-chart.figure",
        "patient-other.children", "residents-list.children",
    }  # fmt: skip
    missing = {name for name in of_the_patient if not any(name in output for output in looked)}
    assert not missing, missing
    assert len(shown) > 5, shown


def test_one_entry_tells_of_a_page_that_asks_again_and_again(served: Served) -> None:
    patient = served.trusts.north.patients[1].patient_id
    [now] = [c for c in callbacks() if "patient-vitals.children" in c["output"]]
    [timeline] = [c for c in callbacks() if c["output"] == "patient-timeline.children"]
    with connect(served.database) as connection, served.client() as client:
        account, headers = newcomer(served, connection)
        for callback in (now, timeline, now, now):
            asked = sent(callback, {"patient": patient}, "number")
            assert client.post("/_dash-update-component", json=asked, headers=headers).status_code == 200
    told = served.ask("select action, object, detail from audit_log where account_id = %s", account)
    assert told == [("looked_at", f"patient/{patient}", {"what": "patient"})]


def test_each_of_several_who_share_a_list_has_looked_at_it(served: Served) -> None:
    with connect(served.database) as connection:
        people = [newcomer(served, connection) for _ in range(6)]

        async def ask() -> list[httpx.Response]:
            async with httpx.AsyncClient(base_url=served.url, timeout=PATIENCE_MS / 1000) as client:
                asked = {"rows": [0, 50], "numbers": True, "news": {}}
                return await asyncio.gather(
                    *(client.post("/triage/look", json=asked, headers=headers) for _, headers in people * 3)
                )

        for answer in asyncio.run(ask()):
            assert served.trusts.north.patients[0].family_name in answer.raise_for_status().text
    for account, _ in people:
        told = served.ask("select action, object, detail from audit_log where account_id = %s", account)
        everybody = sorted(p.patient_id for p in served.trusts.north.patients)
        # what of several answers of one moment is written first, no other entry of that moment knows
        assert {(action, listed) for action, listed, _ in told} == {("looked_at", "triage")}
        assert all(detail == {"what": "triage", "patients": everybody} for *_, detail in told), told


def test_a_list_that_is_open_names_each_patient_once_in_a_while(served: Served) -> None:
    asked = [{"rows": [0, 1]}, {"rows": [0, 1]}, {"rows": [0, 50]}, {"rows": [0, 50], "numbers": True, "news": {}}]
    with connect(served.database) as connection, served.client() as client:
        account, headers = newcomer(served, connection)
        rows = [client.post("/triage/look", json=a, headers=headers).raise_for_status().json()["rows"] for a in asked]
        [first], everybody = (sorted(int(r["id"]) for r in rows[place]["listed"]) for place in (0, 2))
        told = served.ask("select object, detail from audit_log where account_id = %s order by audit_id", account)
        others = [patient for patient in everybody if patient != first]
        assert told == [
            ("triage", {"what": "triage", "patients": [first]}),
            ("triage", {"what": "triage", "patients": others}),
        ]
        # and in a process that knows of none of it
        for name, number in (("organisation", served.trusts.north.organisation_id), ("account", account)):
            connection.execute("select set_config('homeward.' || %s, %s, false)", [name, str(number)])
        again = "select record_list('triage', %s, '{}', interval '15 minutes')"
        connection.execute(again, [everybody])
        assert served.ask("select count(*) from audit_log where account_id = %s", account) == [(2,)]
        connection.execute(again.replace("15 minutes", "0 minutes"), [everybody])
        assert served.ask("select count(*) from audit_log where account_id = %s", account) == [(3,)]


def test_who_saw_a_patient_is_answered_with_the_lists_that_showed_them(served: Served) -> None:
    patient = served.trusts.north.patients[1].patient_id
    with connect(served.database) as connection, served.client() as client, served.client("admin") as admin:
        account, headers = newcomer(served, connection)
        client.post("/triage/look", json={"rows": [0, 50]}, headers=headers).raise_for_status()
        found = admin.get("/api/v1/audit", params={"patient": patient, "account": account}).raise_for_status().json()
    assert [(e["action"], e["object"]) for e in found["items"]] == [("looked_at", "triage")]
    assert patient in found["items"][0]["detail"]["patients"]


def test_a_row_that_only_says_there_are_more_is_no_look(served: Served) -> None:
    with connect(served.database) as connection, served.client() as client:
        account, headers = newcomer(served, connection)
        listed = client.get("/api/v1/patients", params={"limit": 1}, headers=headers).raise_for_status().json()
    assert listed["next"]
    assert told_of(served, account) == {listed["items"][0]["patient_id"]}


def test_after_a_while_the_same_look_is_another_one() -> None:
    at = 0.0
    remembered = looks_module.Remembered(lambda: at)
    remembered.add(1, ["patient/1"])
    assert remembered.unknown(1, ["patient/1", "patient/2"]) == ["patient/2"]
    assert remembered.unknown(2, ["patient/1"]) == ["patient/1"]
    at = looks_module.WHILE.total_seconds() / 2
    assert remembered.unknown(1, ["patient/1"]) == ["patient/1"]


def told_of(served: Served, account: int) -> set[int]:
    """Give the patients of whom an entry says that somebody has seen them; 0 where it does not say whom."""
    told = set()
    for subject, detail in served.ask("select object, detail from audit_log where account_id = %s", account):
        kind, _, number = subject.partition("/")
        told |= {int(number)} if kind == "patient" and number else set(detail.get("patients") or [0])
        told |= {detail["patient"]} if "patient" in detail else set()
    return told


def whom_it_names(served: Served, answer: httpx.Response) -> set[int]:
    return {p.patient_id for p in served.trusts.north.patients if p.family_name in answer.text}


def newcomer(
    served: Served, connection: psycopg.Connection[Any], role: str = "clinician"
) -> tuple[int, dict[str, str]]:
    """Make a person who has looked at nothing, and give the number and what a request of theirs carries."""
    organisation, token = served.trusts.north.organisation_id, secrets.token_urlsafe(32)
    row = connection.execute(
        "insert into account (organisation_id, sign_in, name, role, all_sites) "
        "values (%s, %s, 'New Nurse', %s, true) returning account_id",
        [organisation, token.lower(), role],
    ).fetchone()
    assert row is not None
    connection.execute(
        "insert into session (token_hash, organisation_id, account_id, expires_at) "
        "values (%s, %s, %s, now() + interval '1 day')",
        [hashlib.sha256(token.encode()).digest(), organisation, row[0]],
    )
    return int(row[0]), {"Authorization": f"Bearer {token}"}


CHOSEN = {"scheme": "light", "patient-span": "24h", "patient-window": None, "triage-view": FIRST_VIEW}


def chosen(request: dict[str, Any]) -> dict[str, Any]:
    """Choose what a page offers to choose, where nonsense would be answered with nothing."""
    alone = [given for given in (*request["inputs"], *request["state"]) if isinstance(given, dict)]
    for given in alone:
        if given["id"] == "patient-view":
            given["value"] = "charts" if "patient-chart.figure" in request["output"] else "table"
        elif given["property"] == "getRowsRequest":
            given["value"] = {"startRow": 0, "endRow": 20}
        else:
            given["value"] = CHOSEN.get(given["id"], given["value"])
    return request


def test_nothing_is_shown_where_the_look_cannot_be_recorded(database: TestDatabase) -> None:
    trusts = make_trusts(database)
    patient = trusts.north.patients[0]
    asked = {
        "output": "page.children",
        "outputs": {"id": "page", "property": "children"},
        "inputs": [{"id": "url", "property": "pathname", "value": f"/patients/{patient.patient_id}"}],
        "changedPropIds": ["url.pathname"],
    }
    with serve(database) as url, Served(url, database, trusts).browser("nurse") as client:
        assert patient.family_name in client.post("/_dash-update-component", json=asked).text
        with connect(database) as connection:
            connection.execute("revoke insert on audit_log from homeward_dashboard")
        answer = client.post("/_dash-update-component", json=asked)
        assert answer.status_code == 200
        assert patient.family_name not in answer.text
        assert text.TROUBLE in answer.text


@pytest.mark.browser
def test_every_page_that_shows_a_patient_leaves_an_entry(served: Served, browser: Browser) -> None:
    patient = served.trusts.north.patients[0]
    names = [p.family_name for p in served.trusts.north.patients]
    page = sign_in(open_page(browser), served.url, "nurse", PASSWORD)
    showing = []
    for path in pages.PATHS:
        before = looks(served)
        page.goto(served.url + path.format(patient_id=patient.patient_id, device_id=patient.device_id))
        expect(page.locator("#page #main")).to_be_attached()
        page.wait_for_load_state("networkidle")
        expect(page.locator(".loading-note")).to_have_count(0)
        expect(page.locator("[data-dash-is-loading=true]")).to_have_count(0)
        if any(name in page.locator("#page").inner_text() for name in names):
            showing.append(path)
            assert looks(served) > before, path
    assert len(showing) > 3, showing
    assert "/devices/{device_id}" in showing
    # and whom a search by name offers to whoever gives a device to somebody
    page.goto(f"{served.url}/devices/{patient.device_id}")
    before = looks(served)
    page.locator("#device-patient").fill(names[0])
    expect(page.get_by_role("option").filter(has_text=names[0])).to_be_visible()
    assert looks(served) > before
    page.context.close()

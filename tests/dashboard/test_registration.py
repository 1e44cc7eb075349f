"""Are people taken into care whole or not at all, and sites and rules looked after, through the JSON interface?"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from alerts.policy import shipped
from homeward import provisioning
from schemas.database import open_pool
from tests.conftest import TestDatabase
from tests.dashboard.conftest import Served, make_trusts, serve

NUMBERS = ("9434765919", "4505577104", "4010232137", "9876543210")


@pytest.fixture(scope="module")
def ward(module_database: TestDatabase) -> Iterator[Served]:
    """Two trusts; the first has policies in force and a spare device."""
    trusts = make_trusts(module_database)
    north = trusts.north.organisation_id
    with (
        open_pool(module_database.url_for("homeward_admin"), "homeward_admin") as pool,
        pool.connection() as connection,
    ):
        for name in ("pulse_oximetry_home", "care_home_news2"):
            provisioning.publish_policy(connection, north, shipped(name).text, author="Dr A", reason="Begin")
        for code in ("spare-1", "spare-2"):
            provisioning.add_device(connection, north, code, "oximeter", site="Elm House")
    with serve(module_database) as url:
        yield Served(url, module_database, trusts)


def somebody(ward: Served, **more: Any) -> dict[str, Any]:
    site = ward.trusts.north.sites["Elm House"]
    return {"family_name": "Adeyemi", "given_name": "Joy", "born_on": "1950-02-03", "site_id": site} | more


def registered(client: httpx.Client, ward: Served, **more: Any) -> int:
    answer = client.post("/api/v1/patients", json=somebody(ward, **more))
    assert answer.status_code == 201, answer.text
    return int(answer.json()["patient_id"])


def test_a_patient_comes_with_pathway_target_and_device(ward: Served) -> None:
    with ward.client("nurse") as nurse:
        number = registered(
            nurse, ward, nhs_number="943 476 5919", pathway="care_home_news2", usual_news2=1, devices=["spare-1"],
            target_saturation={"lowest": 88, "highest": 92}, contact="Daughter Ann, 01632 960983",
        )  # fmt: skip
        found = nurse.get(f"/api/v1/patients/{number}").json()
    assert (found["nhs_number"], found["pathway"], found["contact"]) == (
        "9434765919", "care_home_news2", "Daughter Ann, 01632 960983"
    )  # fmt: skip
    assert ward.ask(
        "select o.spo2_scale, o.usual_news2, o.author from enrolment_override o where patient_id = %s", number
    ) == [(2, 1, "Nurse")]
    actions = [a for (a,) in ward.ask("select action from audit_log where object = %s order by 1", f"patient/{number}")]
    assert "patient_registered" in actions


@pytest.mark.parametrize(
    ("more", "says"),
    [
        ({"nhs_number": "9434765918"}, "last digit"),
        ({"nhs_number": "123"}, "ten digits"),
        ({"born_on": "2050-01-01"}, "date of birth"),
        ({"born_on": "1850-01-01"}, "date of birth"),
        ({"pathway": "nowhere"}, "no such pathway"),
        ({"pathway": "care_home_news2", "born_on": "2020-01-01"}, "not meant"),
        ({"pathway": "care_home_news2", "pregnant": True}, "not meant"),
        ({"pathway": "care_home_news2", "target_saturation": {"lowest": 80, "highest": 85}}, "not a target"),
        ({"usual_news2": 3}, "belong to a pathway"),
        ({"devices": ["nothing"]}, "no device"),
        ({"devices": ["oximeter-1"]}, "somebody else"),
        ({"sex": "male", "pregnant": True}, "pregnant"),
        ({"family_name": " \t "}, "family name"),
        ({"given_name": "a\0b"}, "no text"),
    ],
)
def test_what_cannot_be_leaves_nothing_behind(ward: Served, more: dict[str, Any], says: str) -> None:
    before = ward.ask("select count(*) from patient")
    with ward.client("nurse") as nurse:
        answer = nurse.post("/api/v1/patients", json=somebody(ward, **more))
    assert answer.status_code == 422
    assert says in answer.json()["detail"]
    assert ward.ask("select count(*) from patient") == before


def test_the_same_nhs_number_is_told_with_whose_it_is_where_one_may_know(ward: Served) -> None:
    north, number = ward.trusts.north, NUMBERS[1]
    with ward.client("admin") as admin:
        theirs = registered(admin, ward, nhs_number=number, site_id=north.sites["Oak House"])
        known = admin.post("/api/v1/patients", json=somebody(ward, nhs_number=number))
        assert (known.status_code, known.json()["patient_id"]) == (409, theirs)
    ward.ask("update account set all_sites = false where account_id = %s", north.accounts["other-nurse"])
    ward.ask(
        "insert into account_site values (%s, %s, %s)",
        north.accounts["other-nurse"], north.sites["Elm House"], north.organisation_id,
    )  # fmt: skip
    with ward.client("other-nurse") as nurse:
        hidden = nurse.post("/api/v1/patients", json=somebody(ward, nhs_number=number))
        assert (hidden.status_code, hidden.json()["patient_id"]) == (409, None)
        assert "Joy" not in hidden.text
        elsewhere = nurse.post("/api/v1/patients", json=somebody(ward, site_id=north.sites["Oak House"]))
        assert "do not work for this site" in elsewhere.json()["detail"]
    foreign = ward.trusts.south.patients[0]
    ward.ask("update patient set nhs_number = %s where patient_id = %s", NUMBERS[2], foreign.patient_id)
    with ward.client("nurse") as nurse:
        # another trust's patient may be one of ours as well, and nobody learns of it
        assert registered(nurse, ward, nhs_number=NUMBERS[2]) != foreign.patient_id


def test_discharged_moved_and_taken_back(ward: Served) -> None:
    north = ward.trusts.north
    oak = north.sites["Oak House"]
    with ward.client("nurse") as nurse, ward.client("carer") as carer:
        number = registered(nurse, ward, pathway="care_home_news2", devices=["spare-2"])
        address = f"/api/v1/patients/{number}"
        assert carer.get(address).status_code == 200
        assert nurse.post(f"{address}/move", json={"site_id": oak, "room": "7"}).status_code == 204
        assert carer.get(address).status_code == 404
        assert nurse.get(address).json()["room"] == "7"
        assert nurse.post(f"{address}/discharge", json={"reason": "  "}).status_code == 422
        assert nurse.post(f"{address}/discharge", json={"reason": "Well again"}).status_code == 204
        assert nurse.post(f"{address}/discharge", json={"reason": "Twice"}).status_code == 422
        assert ward.ask("select count(*) from enrolment where patient_id = %s and ended_at is null", number) == [(0,)]
        assert ward.ask(
            "select count(*) from device_assignment where patient_id = %s and upper_inf(during)", number
        ) == [(0,)]
        back = {"site_id": north.sites["Elm House"], "pathway": "care_home_news2", "reason": "Back from hospital"}
        assert nurse.post(f"{address}/readmission", json=back).status_code == 204
        assert carer.get(address).json()["pathway"] == "care_home_news2"


def test_a_clinician_opens_somebody_elsewhere_for_a_while_and_it_is_in_the_record(fresh: Served) -> None:
    north = fresh.trusts.north
    patient, nurse = north.patients[2], north.accounts["nurse"]
    fresh.ask("update patient set nhs_number = %s where patient_id = %s", NUMBERS[0], patient.patient_id)
    fresh.ask("update account set all_sites = false where account_id = %s", nurse)
    opening = {"nhs_number": NUMBERS[0], "born_on": "1940-05-06", "reason": "Collapsed in the street"}
    with fresh.client("nurse") as client:
        address = f"/api/v1/patients/{patient.patient_id}"
        assert client.get(address).status_code == 404
        for wrong in ({"born_on": "1940-05-07"}, {"nhs_number": NUMBERS[1]}):
            assert client.post("/api/v1/emergency-access", json=opening | wrong).status_code == 404
        assert client.post("/api/v1/emergency-access", json=opening | {"reason": "x"}).status_code == 422
        assert client.post("/api/v1/emergency-access", json=opening | {"minutes": 721}).status_code == 422
        assert client.post("/api/v1/emergency-access", json=opening).json() == {"patient_id": patient.patient_id}
        assert client.get(address).status_code == 200
        assert client.get(f"{address}/observations").json()["items"]
        assert [p["patient_id"] for p in client.get("/api/v1/patients").json()["items"]] == [patient.patient_id]
        # to look and to note, not to move into one's own sites
        moved = client.post(f"{address}/move", json={"site_id": patient.site_id})
        assert moved.status_code == 422
        with fresh.client("other-nurse") as other:
            fresh.ask("update account set all_sites = false where sign_in = 'other-nurse'")
        with fresh.client("other-nurse") as other:
            assert other.get(address).status_code == 404
        fresh.ask(
            "update emergency_access set started_at = now() - interval '2 h', expires_at = now() - interval '1 s'"
        )
        assert client.get(address).status_code == 404
    with fresh.client("auditor") as auditor:
        [told] = auditor.get("/api/v1/emergency-access").json()
        assert (told["account_id"], told["reason"]) == (nurse, "Collapsed in the street")
        found = auditor.get("/api/v1/audit", params={"action": "emergency_access"}).json()["items"]
        assert [e["object"] for e in found] == [f"patient/{patient.patient_id}"]
        failed = auditor.get("/api/v1/audit", params={"action": "emergency_access_failed"}).json()["items"]
        assert len(failed) == 2
        assert auditor.get("/api/v1/audit/verification").json()["intact"]
    for who in ("carer", "admin", "reader", "technician"):
        with fresh.client(who) as client:
            assert client.post("/api/v1/emergency-access", json=opening).status_code == 403


def test_what_is_opened_in_an_emergency_cannot_be_kept(fresh: Served) -> None:
    north = fresh.trusts.north
    patient = next(p for p in north.patients if p.site_id == north.sites["Oak House"])
    fresh.ask("update patient set nhs_number = %s where patient_id = %s", NUMBERS[0], patient.patient_id)
    fresh.ask("update account set all_sites = false where account_id = %s", north.accounts["nurse"])
    elm = north.sites["Elm House"]
    fresh.ask("insert into account_site values (%s, %s, %s)", north.accounts["nurse"], elm, north.organisation_id)
    opening = {"nhs_number": NUMBERS[0], "born_on": "1940-05-06", "reason": "found on the floor, not responding"}
    address = f"/api/v1/patients/{patient.patient_id}"
    with fresh.client("nurse") as nurse:
        assert nurse.post("/api/v1/emergency-access", json=opening).status_code == 201
        assert nurse.get(address).status_code == 200
        assert nurse.post(f"{address}/notes", json={"body": "seen at the roadside"}).status_code == 201
        # to one's own site, where one would go on seeing them
        assert nurse.post(f"{address}/move", json={"site_id": elm}).status_code == 422
        assert nurse.post(f"{address}/discharge", json={"reason": "x"}).status_code == 422
    assert fresh.ask("select site_id from patient where patient_id = %s", patient.patient_id) == [(patient.site_id,)]
    fresh.ask("update account set role = 'carer' where account_id = %s", north.accounts["nurse"])
    with fresh.client("nurse") as carer:
        assert carer.get(address).status_code == 404


def test_sites_are_made_and_changed(ward: Served) -> None:
    with ward.client("admin") as admin:
        made = admin.post("/api/v1/sites", json={"name": "Yew Court", "kind": "care_home"})
        number = made.json()["site_id"]
        assert admin.post("/api/v1/sites", json={"name": "Yew  Court", "kind": "ward"}).status_code == 422
        for wrong in ({"time_zone": "Europe/Atlantis"}, {"kind": "palace"}, {"name": " "}):
            given = {"name": "X", "kind": "ward"} | wrong
            assert admin.post("/api/v1/sites", json=given).status_code == 422
        changed = {"name": "Yew Court", "kind": "ward", "time_zone": "Atlantic/Faroe"}
        assert admin.put(f"/api/v1/sites/{number}", json=changed).status_code == 204
        [found] = [s for s in admin.get("/api/v1/sites").json() if s["site_id"] == number]
        assert (found["kind"], found["time_zone"]) == ("ward", "Atlantic/Faroe")


def test_a_policy_is_put_in_force_once_with_author_and_reason(ward: Served) -> None:
    text = shipped("pulse_oximetry_home").text
    newer = text.replace("amber = 94", "amber = 93")
    with ward.client("admin") as admin, ward.client("nurse") as nurse:
        given = {"document": newer, "author": "Dr B", "reason": "Fewer calls", "after": 1}
        assert nurse.post("/api/v1/policies", json=given).status_code == 403
        assert "in force already" in admin.post("/api/v1/policies", json=given | {"document": text}).json()["detail"]
        assert (
            "low_saturation"
            in admin.post("/api/v1/policies", json=given | {"document": newer.replace("red = 92", "red = 99")}).json()[
                "detail"
            ]
        )
        assert admin.post("/api/v1/policies", json=given).json() == {"name": "pulse_oximetry_home", "version": 2}
        late = admin.post("/api/v1/policies", json=given | {"document": text})
        assert "meanwhile" in late.json()["detail"]
        versions = nurse.get("/api/v1/policies/pulse_oximetry_home").json()
        assert [(v["version"], v["in_force"]) for v in versions] == [(2, True), (1, False)]


def test_a_policy_is_checked_against_the_limits_of_patients_whom_the_administrator_does_not_see(ward: Served) -> None:
    north = ward.trusts.north
    document = shipped("care_home_news2").text
    own = '{"limits": {"low_saturation": {"red": 80}}}'
    patient = next(p for p in north.patients if p.site_id == north.sites["Oak House"]).patient_id
    ward.ask(
        "with e as (insert into enrolment (organisation_id, patient_id, pathway_id) "
        "select organisation_id, %s, pathway_id from pathway where name = 'care_home_news2' returning *) "
        "insert into enrolment_override (organisation_id, patient_id, enrolment_id, version, document, policy_id, "
        "author, reason) select e.organisation_id, e.patient_id, e.enrolment_id, 1, %s::jsonb, w.policy_id, 'x', 'x' "
        "from e join pathway w using (pathway_id)",
        patient,
        own,
    )
    administrator = north.accounts["admin"]
    ward.ask("update account set all_sites = false where account_id = %s", administrator)
    given = {"document": document + "\n", "author": "Dr B", "reason": "A line more"}
    with ward.client("admin") as admin:
        assert admin.get(f"/api/v1/patients/{patient}").status_code == 404
        refused = admin.post("/api/v1/policies", json=given)
    ward.ask("update account set all_sites = true where account_id = %s", administrator)
    assert refused.status_code == 422
    assert f"patient {patient} has limits of their own" in refused.json()["detail"]
    with ward.client("south-admin") as admin:
        # another organisation's pathway of the same name has none of that
        assert admin.post("/api/v1/policies", json=given).status_code == 201

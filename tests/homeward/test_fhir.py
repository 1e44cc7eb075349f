"""Do FHIR clients get on with the server: write, read, search page by page, and understand every refusal?

The real server, and a client library that others use as well.
"""

from __future__ import annotations

import asyncio
import json
import os
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest
from fhir.resources.R4B.bundle import Bundle
from fhir.resources.R4B.capabilitystatement import CapabilityStatement
from fhir.resources.R4B.observation import Observation
from fhir.resources.R4B.operationoutcome import OperationOutcome
from fhir.resources.R4B.patient import Patient
from fhirpy import AsyncFHIRClient, SyncFHIRClient

from schemas.fhir import CATEGORY, MEDIA_TYPE, NHS_NUMBER, PREFIX
from tests import waiting
from tests.conftest import TestDatabase
from tests.dashboard.conftest import PASSWORD, Served
from tests.homeward.test_entry import code_of, make_token, running

UCUM, LOINC = "http://unitsofmeasure.org", "http://loinc.org"
NUMBER = "9434765919"
SAMPLES = Path(__file__).parents[3] / "shared" / "data" / "payloads" / "fhir_r4_spec"
START = (datetime.now(UTC) - timedelta(days=9)).replace(microsecond=0)
_seconds = iter(range(1, 100_000))


@pytest.fixture(scope="module")
def house(module_database: TestDatabase) -> Iterator[Served]:
    """A server; the first patient has an NHS number, and only the last day's observations that everybody has."""
    with running(module_database) as served:
        north = served.trusts.north
        served.ask(
            "insert into device (organisation_id, code, kind, lane) values (%s, 'by-hand', 'manual', 0)",
            north.organisation_id,
        )
        served.ask("update patient set nhs_number = %s where patient_id = %s", NUMBER, north.patients[0].patient_id)
        yield served


@pytest.fixture(scope="module")
def token(house: Served) -> str:
    """The nurse's token."""
    answer = waiting.post(f"{house.url}/api/v1/sign-in", json={"sign_in": "nurse", "password": PASSWORD})
    return str(answer.json()["token"])


@pytest.fixture
def nurse(house: Served, token: str) -> Iterator[httpx.Client]:
    """A client that speaks as the nurse."""
    headers = {"Authorization": f"Bearer {token}", "Content-Type": MEDIA_TYPE}
    with httpx.Client(base_url=house.url + PREFIX, headers=headers, timeout=waiting.PATIENCE_S) as client:
        yield client


def instant() -> str:
    """An instant of its own."""
    return (START + timedelta(seconds=next(_seconds))).isoformat()


def quantity(value: float, unit: str) -> dict[str, Any]:
    return {"valueQuantity": {"value": value, "system": UCUM, "code": unit}}


def code(loinc: str) -> dict[str, Any]:
    return {"code": {"coding": [{"system": LOINC, "code": loinc}]}}


def pulse(patient: int, value: float = 71, at: str | None = None) -> dict[str, Any]:
    return {
        "resourceType": "Observation",
        "status": "final",
        "subject": {"reference": f"Patient/{patient}"},
        "effectiveDateTime": at or instant(),
        **code("8867-4"),
        **quantity(value, "/min"),
    }


def pressure(patient: int, upper: float, lower: float, at: str | None = None) -> dict[str, Any]:
    found = pulse(patient, at=at) | code("85354-9")
    del found["valueQuantity"]
    found["component"] = [code("8480-6") | quantity(upper, "mm[Hg]"), code("8462-4") | quantity(lower, "mm[Hg]")]
    return found


def fields_of(resource: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in resource.items() if name != "resourceType"}


def bundle(kind: str, *resources: dict[str, Any]) -> dict[str, Any]:
    entries = [{"resource": r, "request": {"method": "POST", "url": r["resourceType"]}} for r in resources]
    return {"resourceType": "Bundle", "type": kind, "entry": entries}


def refused(answer: httpx.Response, status: int, issue: str) -> str:
    """Hold an answer to be an OperationOutcome, and give its first sentence."""
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"].startswith(MEDIA_TYPE)
    found = OperationOutcome.model_validate(answer.json())
    assert found.issue[0].code == issue
    return str(found.issue[0].diagnostics)


def test_what_is_written_is_read_again(house: Served, nurse: httpx.Client) -> None:
    patient = house.trusts.north.patients[0].patient_id
    sent = pressure(patient, 142, 88)
    answer = nurse.post("/Observation", json=sent)
    assert answer.status_code == 201, answer.text
    identity = answer.json()["id"]
    assert answer.headers["Location"] == f"{PREFIX}/Observation/{identity}"
    again = nurse.post("/Observation", json=sent)
    assert (again.status_code, again.json()["id"]) == (200, identity)
    read = nurse.get(f"/Observation/{identity}")
    assert read.headers["content-type"].startswith(MEDIA_TYPE)
    found = Observation.model_validate(read.json())
    assert found.id == identity
    assert [c.valueQuantity.value for c in found.component] == [142, 88]
    assert found.category[0].coding[0].code == "vital-signs"
    assert found.meta.profile == ["http://hl7.org/fhir/StructureDefinition/bp"]
    assert {c.system for c in found.code.coding} == {LOINC, "http://snomed.info/sct"}
    assert found.subject.reference == f"Patient/{patient}"
    assert found.effectiveDateTime == datetime.fromisoformat(sent["effectiveDateTime"])


def test_the_patient_may_be_named_by_nhs_number(house: Served, nurse: httpx.Client) -> None:
    patient = house.trusts.north.patients[0].patient_id
    entered = "select count(*) from audit_log where action = 'entered_by_hand' and object = %s"
    [(before,)] = house.ask(entered, f"patient/{patient}")
    sent = pulse(0) | {"subject": {"identifier": {"system": NHS_NUMBER, "value": NUMBER}}}
    answer = nurse.post("/Observation", json=sent)
    assert answer.status_code == 201, answer.text
    assert answer.json()["id"].startswith(f"{patient}-")
    # whoever is named by their number is in the record as whoever is named by ours
    assert house.ask(entered, f"patient/{patient}") == [(before + 1,)]
    unknown = sent | {"subject": {"identifier": {"system": NHS_NUMBER, "value": "9999999999"}}}
    refused(nurse.post("/Observation", json=unknown), 422, "not-found")


def test_a_transaction_is_stored_whole_or_not_at_all(house: Served, nurse: httpx.Client) -> None:
    patient = house.trusts.north.patients[1].patient_id
    good, wrong = pulse(patient, 71), pulse(patient, 999)
    counted = "select count(*) from observation where patient_id = %s and observed_at < now() - interval '2 days'"
    text = refused(nurse.post("", json=bundle("transaction", good, wrong)), 422, "processing")
    assert "implausible" in text
    assert house.ask(counted, patient) == [(0,)]
    assert house.ask("select count(*) from quarantine where topic like 'fhir:%%'") == [(0,)]
    answer = nurse.post("/", json=bundle("transaction", good, pressure(patient, 120, 80)))
    assert answer.status_code == 200, answer.text
    found = Bundle.model_validate(answer.json())
    assert found.type == "transaction-response"
    assert [e.response.status for e in found.entry] == ["201 Created"] * 2
    assert house.ask(counted, patient) == [(3,)]
    # nor where what is stored already says otherwise
    whole = bundle("transaction", pulse(patient, 66), good | quantity(88, "/min"))
    assert "contradictory" in refused(nurse.post("", json=whole), 422, "processing")
    assert "contradictory" in refused(nurse.post("/Observation", json=good | quantity(88, "/min")), 422, "processing")
    assert house.ask(counted, patient) == [(3,)]
    again = nurse.post("", json=bundle("transaction", good))
    assert again.json()["entry"][0]["response"]["status"] == "200 OK"
    location = again.json()["entry"][0]["response"]["location"]
    assert nurse.get(f"/{location}").json()["valueQuantity"]["value"] == 71


def test_of_a_batch_each_entry_is_for_itself(house: Served, nurse: httpx.Client) -> None:
    patient, foreign = house.trusts.north.patients[0].patient_id, house.trusts.south.patients[0].patient_id
    broken = pulse(patient) | {"status": 7}
    document = bundle("batch", pulse(patient), pulse(patient, 999), pulse(foreign), broken, pulse(patient))
    document["entry"][4]["request"] = {"method": "DELETE", "url": "Observation/1"}
    answer = nurse.post("", json=document)
    assert answer.status_code == 200
    found = Bundle.model_validate(answer.json())
    said = [(e.response.status[:3], e.response.outcome and e.response.outcome.issue[0].code) for e in found.entry]
    assert said == [
        ("201", None),
        ("422", "processing"),
        ("422", "not-found"),
        ("422", "invalid"),
        ("422", "not-supported"),
    ]


def test_a_hub_writes_with_its_token_and_does_not_write_for_another_person(house: Served) -> None:
    [mine, other] = [p.patient_id for p in house.trusts.north.patients[:2]]
    auth = (code_of(house, 0), make_token(house, code_of(house, 0)))
    where = f"{house.url}{PREFIX}/Observation"
    assert waiting.post(where, json=pulse(mine), auth=auth).status_code == 201
    without = {name: value for name, value in pulse(mine).items() if name != "subject"}
    assert waiting.post(where, json=without, auth=auth).status_code == 201
    answer = waiting.post(where, json=pulse(other), auth=auth)
    assert "not whose the device was" in refused(answer, 422, "forbidden")
    assert house.ask("select reason from quarantine where sender = %s", auth[0]) == [("not_permitted",)]
    with house.client("nurse") as client:
        # another try finds the same person: it goes on waiting
        done = client.post("/api/v1/quarantine/replay", json={"reason": "not_permitted"}).json()
    assert (done["messages"], done["waiting"], done["stored"]) == (1, 1, 0)
    # and a device reads nothing
    refused(waiting.get(f"{where}?patient={mine}", auth=auth), 401, "login")


def test_a_device_named_in_a_bundle_is_found(house: Served) -> None:
    hub = "fhir-hub"
    house.ask(
        "insert into device (organisation_id, code, kind, lane) values (%s, %s, 'hub', 0)",
        house.trusts.north.organisation_id, hub,
    )  # fmt: skip
    house.ask(
        "update device set hub_id = (select device_id from device where code = %s) where code = %s",
        hub, code_of(house, 0),
    )  # fmt: skip
    device = {"resourceType": "Device", "id": "d1", "identifier": [{"value": code_of(house, 0)}]}
    measured = pulse(house.trusts.north.patients[0].patient_id) | {"device": {"reference": "Device/d1"}}
    answer = waiting.post(
        f"{house.url}{PREFIX}", json=bundle("batch", device, measured), auth=(hub, make_token(house, hub))
    )
    assert [e["response"]["status"] for e in answer.json()["entry"]] == ["200 OK", "201 Created"]


def test_a_search_gives_everything_once_page_by_page(house: Served, nurse: httpx.Client) -> None:
    patient = house.trusts.north.patients[2].patient_id
    first = START + timedelta(days=1)
    sent = []
    for i in range(7):
        at = (first + timedelta(minutes=i)).isoformat()
        sent += [pressure(patient, 120 + i, 80, at), pulse(patient, 60 + i, at)]
    assert nurse.post("", json=bundle("batch", *sent)).status_code == 200
    span = {"date": [f"ge{first.isoformat()}", f"le{(first + timedelta(minutes=6)).isoformat()}"]}
    found: list[dict[str, Any]] = []
    url: str | None = "/Observation"
    parameters: dict[str, Any] | None = {"patient": f"Patient/{patient}", "_count": 4} | span
    pages = 0
    while url:
        answer = nurse.get(url, params=parameters)
        assert answer.status_code == 200, answer.text
        page = Bundle.model_validate(answer.json())
        found += [e["resource"] for e in answer.json().get("entry", [])]
        url = next((link.url for link in page.link if link.relation == "next"), None)
        parameters, pages = None, pages + 1
    assert pages == 4
    assert len({f["id"] for f in found}) == len(found) == 14
    times = [f["effectiveDateTime"] for f in found]
    assert times == sorted(times, reverse=True)
    only = nurse.get("/Observation", params={"patient": patient, "code": f"{LOINC}|8867-4"} | span).json()["entry"]
    assert {e["resource"]["code"]["coding"][0]["code"] for e in only} == {"8867-4"}
    assert len(only) == 7
    panels = nurse.get("/Observation", params={"patient": patient, "code": "85354-9"} | span).json()["entry"]
    assert all(len(e["resource"]["component"]) == 2 for e in panels)
    day = nurse.get("/Observation", params={"patient": patient, "date": f"{first:%Y-%m-%d}", "_count": 500}).json()
    assert len(day["entry"]) >= 1
    assert "entry" not in nurse.get("/Observation", params={"patient": patient, "code": "no-such-code"}).json()


def test_a_patient_is_found_and_every_look_is_recorded(house: Served, nurse: httpx.Client) -> None:
    patient = house.trusts.north.patients[0].patient_id
    found = Patient.model_validate(nurse.get(f"/Patient/{patient}").json())
    assert found.identifier[0].system == NHS_NUMBER
    by_number = nurse.get("/Patient", params={"identifier": f"{NHS_NUMBER}|{NUMBER}"}).json()
    assert [e["resource"]["id"] for e in by_number["entry"]] == [str(patient)]
    assert "entry" not in nurse.get("/Patient", params={"identifier": "urn:other|9434765919"}).json()
    foreign = house.trusts.south.patients[0]
    refused(nurse.get(f"/Patient/{foreign.patient_id}"), 404, "not-found")
    refused(nurse.get("/Observation", params={"patient": foreign.patient_id}), 404, "not-found")
    looks = house.ask("select count(*) from audit_log where action = 'looked_at' and detail ->> 'what' = 'fhir'")
    assert looks[0][0] >= 2


@pytest.mark.parametrize(
    ("method", "path", "options", "status", "issue"),
    [
        ("GET", "/Observation", {}, 400, "invalid"),
        ("GET", "/Observation?patient=1&value-quantity=5", {}, 400, "invalid"),
        ("GET", "/Observation?patient=1&date=yesterday", {}, 400, "invalid"),
        ("GET", "/Observation?patient=1&date=2026-11-22T08:00:00", {}, 400, "invalid"),
        ("GET", "/Observation?patient=1&_count=0", {}, 400, "invalid"),
        ("GET", "/Observation?patient=1&_after=x", {}, 422, "processing"),
        ("GET", "/Observation/nonsense", {}, 404, "not-found"),
        ("GET", "/Observation/1-6-99999999999999999-1", {}, 404, "not-found"),
        ("GET", "/Patient/x", {}, 404, "not-found"),
        ("GET", "/Patient", {}, 400, "invalid"),
        ("GET", "/Medication", {}, 404, "not-found"),
        ("DELETE", "/Observation/1", {}, 405, "not-supported"),
        ("GET", "/Patient/1", {"headers": {"Accept": "application/fhir+xml"}}, 406, "not-supported"),
        ("POST", "/Observation", {"headers": {"Content-Type": "text/plain"}, "content": b"{}"}, 415, "not-supported"),
        ("POST", "/Observation", {"content": b"{"}, 400, "invalid"),
        ("POST", "/Observation", {"content": b'{"status": 1, "status": 2}'}, 400, "invalid"),
        ("POST", "/Observation", {"content": b"[]"}, 400, "invalid"),
        ("POST", "/Observation", {"content": b'{"resourceType": "Patient"}'}, 400, "invalid"),
        ("POST", "/Observation", {"content": b" " * 300_000}, 413, "too-long"),
        ("POST", "", {"content": b'{"resourceType": "Bundle", "type": "history"}'}, 400, "not-supported"),
        ("POST", "", {"content": b'{"resourceType": "Bundle", "type": "batch", "entry": [7]}'}, 400, "invalid"),
        ("POST", "", {"content": b'{"resourceType": "Bundle", "type": "batch"}'}, 422, "processing"),
    ],
)
def test_every_refusal_is_an_operation_outcome(
    nurse: httpx.Client, method: str, path: str, options: dict[str, Any], status: int, issue: str
) -> None:
    assert refused(nurse.request(method, path, **options), status, issue)


def test_nobody_is_told_to_sign_in_and_the_capabilities_are_for_anybody(house: Served) -> None:
    base = house.url + PREFIX
    refused(waiting.get(f"{base}/Patient/1"), 401, "login")
    refused(waiting.post(f"{base}/Observation", json={}), 401, "login")
    refused(waiting.post(f"{base}/Observation", json={}, headers={"Origin": "https://evil.example"}), 403, "forbidden")
    statement = CapabilityStatement.model_validate(waiting.get(f"{base}/metadata").json())
    assert statement.fhirVersion == "4.0.1"
    with house.client("technician") as client:
        refused(client.get(f"{PREFIX}/Patient/1"), 403, "forbidden")


def test_a_repeated_request_is_answered_as_before(house: Served, nurse: httpx.Client) -> None:
    sent = pulse(house.trusts.north.patients[0].patient_id)
    headers = {"Idempotency-Key": "fhir-1"}
    first, second = (nurse.post("/Observation", json=sent, headers=headers) for _ in range(2))
    assert (first.status_code, second.status_code) == (201, 201)
    assert second.headers["Idempotent-Replayed"] == "true"


def test_a_client_of_others_gets_on_with_it(house: Served, token: str) -> None:
    patient = house.trusts.north.patients[3].patient_id
    client = SyncFHIRClient(house.url + PREFIX, authorization=f"Bearer {token}")
    made = client.resource(
        "Observation", **{k: v for k, v in pressure(patient, 131, 79).items() if k != "resourceType"}
    )
    made.save()
    assert made["id"]
    read = client.reference("Observation", made["id"]).to_resource()
    assert read["component"][0]["valueQuantity"]["value"] == 131
    for value in range(5):
        client.resource(
            "Observation", **{k: v for k, v in pulse(patient, 60 + value).items() if k != "resourceType"}
        ).save()
    search = client.resources("Observation").search(patient=patient, code="8867-4", date__ge=f"{START:%Y-%m-%d}")
    mine = [o for o in search.limit(2) if o["effectiveDateTime"] < (START + timedelta(days=2)).isoformat()]
    assert [o["valueQuantity"]["value"] for o in mine] == [64, 63, 62, 61, 60]
    found = client.resources("Patient").search(_id=str(patient)).first()
    assert found["id"] == str(patient)


async def _use(url: str, token: str, patient: int) -> list[Any]:
    client = AsyncFHIRClient(url, authorization=f"Bearer {token}")
    made = client.resource("Observation", **fields_of(pulse(patient, 88)))
    await made.save()
    return [o["id"] async for o in client.resources("Observation").search(patient=patient, code="8867-4").limit(20)]


def test_an_asynchronous_client_as_well(house: Served, token: str) -> None:
    found = asyncio.run(_use(house.url + PREFIX, token, house.trusts.north.patients[3].patient_id))
    assert found


def test_what_states_a_profile_is_held_to_it_and_each_element_is_named(house: Served, nurse: httpx.Client) -> None:
    patient = house.trusts.north.patients[0].patient_id
    stated = {"meta": {"profile": ["http://hl7.org/fhir/StructureDefinition/heartrate"]}}
    before = house.ask("select (select count(*) from observation), (select count(*) from quarantine)")
    lacking = pulse(patient) | stated
    answer = nurse.post("/Observation", json=lacking)
    refused(answer, 422, "required")
    places = [one["expression"] for one in answer.json()["issue"]]
    assert places == [["Observation.category"], ["Observation.valueQuantity.unit"]]
    answer = nurse.post("", json=bundle("transaction", pulse(patient), lacking))
    refused(answer, 422, "required")
    assert answer.json()["issue"][0]["expression"] == ["Bundle.entry[1].resource.category"]
    assert house.ask("select (select count(*) from observation), (select count(*) from quarantine)") == before
    whole = json.loads(json.dumps(lacking))
    whole["category"] = [{"coding": [{"system": CATEGORY, "code": "vital-signs"}]}]
    whole["valueQuantity"]["unit"] = "beats/min"
    answer = nurse.post("", json=bundle("batch", lacking, whole))
    assert [e["response"]["status"][:3] for e in answer.json()["entry"]] == ["422", "201"]


def test_hl7s_own_examples_are_read_or_refused_with_a_reason(house: Served, nurse: httpx.Client) -> None:
    if not SAMPLES.is_dir():
        assert not os.environ.get("CI"), f"{SAMPLES} is missing"
        pytest.skip("the samples are not beside this checkout")
    patient = house.trusts.north.patients[0].patient_id
    found = {}
    for file in sorted(SAMPLES.glob("observation-*.json")):
        document = json.loads(file.read_text()) | {"subject": {"reference": f"Patient/{patient}"}}
        answer = nurse.post("/Observation", json=document)
        found[file.stem.removeprefix("observation-example-")] = answer.status_code
        if answer.status_code >= 400:
            assert OperationOutcome.model_validate(answer.json()).issue[0].diagnostics
    # all are older than what is taken live, or say a day and no instant; none is stored as something that it is not
    assert set(found.values()) == {422}, found
    assert len(found) > 10

"""Is what somebody signed kept as it was, found again by those who may, and by nobody else?"""

from concurrent.futures import ThreadPoolExecutor

import psycopg
import pytest

from tests.dashboard.conftest import Served, connect

SECTIONS = {"situation": "S <script>alert(1)</script>", "background": "B", "assessment": "A", "recommendation": "R",
            "decision": "D"}  # fmt: skip


def handovers_of(served: Served, number: int = 0) -> str:
    """The address of the handovers of one of the first trust's patients."""
    return f"/api/v1/patients/{served.trusts.north.patients[number].patient_id}/handovers"


def test_a_handover_is_signed_corrected_and_never_changed(served: Served) -> None:
    to = handovers_of(served)
    patient = served.trusts.north.patients[0].patient_id
    with served.client("carer") as client:
        draft = client.get(f"{to}/draft").json()
        assert "Red since" in draft["sections"]["situation"]
        assert draft["sections"]["decision"] == ""
        first = client.post(to, json={"sections": SECTIONS})
        assert first.status_code == 201
        assert (first.json()["number"], first.json()["version"], first.json()["signed_name"]) == (1, 1, "Carer")
        second = client.post(to, json={"sections": SECTIONS | {"decision": "E"}, "number": 1, "corrects": 1}).json()
        assert (second["number"], second["version"]) == (1, 2)
        late = client.post(to, json={"sections": SECTIONS, "number": 1, "corrects": 1})
        assert late.status_code == 409
        assert "newer version" in late.json()["detail"]
        listed = client.get(to).json()
        assert [(h["version"], h["counts"], h["sections"]["decision"]) for h in listed] == [
            (2, True, "E"),
            (1, False, "D"),
        ]
        one = f"{to}/{first.json()['handover_id']}"
        assert client.get(one).json()["sections"] == SECTIONS
        pdf = client.get(f"{one}/pdf")
        assert (pdf.headers["content-type"], pdf.content[:5]) == ("application/pdf", b"%PDF-")
        plain = client.get(f"{one}/text")
        assert plain.headers["content-type"].startswith("text/plain")
        assert "S <script>alert(1)</script>" in plain.text
        assert "version 1 (superseded)" in plain.text
    actions = served.ask(
        "select action, detail ->> 'version' from audit_log where object = %s and action <> 'looked_at' order by 1, 2",
        f"patient/{patient}",
    )
    assert actions == [("handover_signed", "1"), ("handover_signed", "2")]
    looks = (
        "select count(*) from audit_log where object = %s and action = 'looked_at' and detail ->> 'what' = 'handovers'"
    )
    assert served.ask(looks, f"patient/{patient}")[0][0] >= 5
    with connect(served.database) as connection:
        for statement in ("update handover set number = 9", "delete from handover", "truncate handover"):
            with pytest.raises(psycopg.errors.RaiseException, match="never changed"):
                connection.execute(statement.encode())


def test_of_two_who_correct_at_once_one_is_told(served: Served) -> None:
    to = handovers_of(served, 1)
    with served.client("carer") as client, ThreadPoolExecutor(4) as pool:
        client.post(to, json={"sections": SECTIONS})
        given = {"sections": SECTIONS, "number": 1, "corrects": 1}
        codes = sorted(pool.map(lambda _: client.post(to, json=given).status_code, range(4)))
        assert codes == [201, 409, 409, 409]
        numbers = sorted(pool.map(lambda _: client.post(to, json={"sections": SECTIONS}).json()["number"], range(4)))
        assert numbers == [2, 3, 4, 5]


@pytest.mark.parametrize(
    ("who", "number", "read", "signs"),
    [("reader", 0, 200, 403), ("carer", 2, 404, 404), ("technician", 0, 403, 403), ("admin", 0, 200, 403)],
)
def test_who_may_read_and_who_may_sign(served: Served, who: str, number: int, read: int, signs: int) -> None:
    to = handovers_of(served, number)
    with served.client(who) as client:
        assert client.get(to).status_code == read
        assert client.get(f"{to}/draft").status_code == read
        assert client.post(to, json={"sections": SECTIONS}).status_code == signs


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"sections": SECTIONS | {"situation": "  "}}, "Write something"),
        ({"sections": SECTIONS | {"situation": "x" * 8001}}, "not as expected"),
        ({"sections": SECTIONS | {"invented": "x"}}, "not as expected"),
        ({}, "not as expected"),
    ],
)
def test_what_cannot_be_signed_is_refused_in_words(served: Served, given: dict[str, object], said: str) -> None:
    with served.client("nurse") as client:
        answer = client.post(handovers_of(served), json=given)
        assert answer.status_code == 422
        assert said in answer.json()["detail"]


def test_nobody_signs_in_anothers_name(served: Served) -> None:
    north = served.trusts.north
    statement = (
        "insert into handover (organisation_id, patient_id, number, version, sections, facts, signed_by, signed_name, "
        "signed_role) values (%s, %s, 90, 1, '{}', '{}', %s, 'x', 'x')"
    )
    with psycopg.connect(
        served.database.url_for("homeward_dashboard"), options="-c search_path=homeward,public"
    ) as connection:
        connection.execute(
            "select set_config('homeward.organisation', %s, true), set_config('homeward.account', %s, true)",
            [str(north.organisation_id), str(north.accounts["carer"])],
        )
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            connection.execute(
                statement, [north.organisation_id, north.patients[0].patient_id, north.accounts["nurse"]]
            )


def test_a_shift_is_drafted_signed_and_its_notes_corrected(served: Served) -> None:
    north = served.trusts.north
    home, patient = north.sites["Elm House"], north.patients[0]
    to = f"/api/v1/sites/{home}/handovers"
    with served.client("carer") as client:
        since = "2020-01-01T00:00:00+00:00"
        assert client.get(f"{to}/draft", params={"since": since}).status_code == 422
        draft = client.get(f"{to}/draft").json()
        assert {e["patient_id"] for e in draft["entries"]} == {p.patient_id for p in north.patients[:2]}
        given = {"since": draft["since"], "stamp": draft["stamp"], "notes": {str(patient.patient_id): "Call the son."}}
        assert client.post(to, json=given | {"stamp": "0" * 32}).status_code == 409
        signed = client.post(to, json=given).json()
        assert (signed["number"], signed["version"], signed["signed_name"]) == (1, 1, "Carer")
        one = f"{to}/{signed['shift_handover_id']}"
        assert "Call the son." in client.get(f"{one}/text").text
        assert client.get(f"{one}/pdf").content[:5] == b"%PDF-"
        again = client.post(f"{one}/versions", json={"notes": {}, "general": "Quiet otherwise."})
        assert (again.status_code, again.json()["version"]) == (201, 2)
        assert "Call the son." in str(again.json()["document"])
        assert client.post(f"{one}/versions", json={}).status_code == 409
        assert [(h["version"], h["counts"]) for h in client.get(to).json()] == [(2, True), (1, False)]
        assert client.get(f"/api/v1/sites/{north.sites['Oak House']}/handovers").status_code == 404
        assert client.get(f"/api/v1/sites/{north.sites['Oak House']}/handovers/draft").status_code == 404
    with served.client("technician") as client:
        assert client.get(to).status_code == 403
    with served.client("reader") as client:
        assert client.get(to).status_code == 200
        assert client.post(to, json=given).status_code == 403

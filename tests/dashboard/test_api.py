"""Does the JSON interface give a person what they may see, take their acts, and nothing more?"""

import concurrent.futures
from datetime import UTC, datetime, timedelta

import httpx
import pytest

from dashboard.api import paging
from tests.dashboard.conftest import NOW, Served, connect, make_episode


def test_it_describes_itself_and_asks_for_a_session(served: Served) -> None:
    with served.client() as client:
        document = client.get("/openapi.json").json()
        assert "/api/v1/patients/{patient_id}/observations" in document["paths"]
        for path, methods in document["paths"].items():
            for method in methods:
                if path == "/api/v1/sign-in":
                    continue
                answer = client.request(method, path.replace("{patient_id}", "1").replace("{episode_id}", "1"))
                assert answer.status_code == 401, (method, path)
                assert answer.headers["content-type"] == "application/problem+json"
                assert answer.headers["www-authenticate"] == "Bearer"


def test_a_carer_sees_the_patients_of_their_own_home_only(served: Served) -> None:
    elm = served.trusts.north.sites["Elm House"]
    own = {p.patient_id for p in served.trusts.north.patients if p.site_id == elm}
    with served.client("carer") as carer, served.client("nurse") as nurse:
        assert [s["name"] for s in carer.get("/api/v1/sites").json()] == ["Elm House"]
        assert {p["patient_id"] for p in carer.get("/api/v1/patients").json()["items"]} == own
        assert {e["patient_id"] for e in carer.get("/api/v1/episodes").json()["items"]} == own
        assert {d["site_id"] for d in carer.get("/api/v1/devices").json()["items"]} == {elm}
        assert len(nurse.get("/api/v1/patients").json()["items"]) == 4
        for patient in served.trusts.north.patients:
            expected = 200 if patient.patient_id in own else 404
            for path in ("", "/observations", "/notes"):
                assert carer.get(f"/api/v1/patients/{patient.patient_id}{path}").status_code == expected
            assert carer.get(f"/api/v1/episodes/{patient.episode_id}").status_code == expected
        other_home = {"site": served.trusts.north.sites["Oak House"]}
        assert carer.get("/api/v1/patients", params=other_home).json()["items"] == []


def test_what_is_another_tenants_answers_like_what_does_not_exist(served: Served) -> None:
    foreign = served.trusts.south.patients[0]
    with served.client("nurse") as client:

        def answers(patient: int, episode: int) -> list[tuple[int, str]]:
            requests = [
                client.get(f"/api/v1/patients/{patient}"),
                client.get(f"/api/v1/patients/{patient}/observations"),
                client.get(f"/api/v1/patients/{patient}/notes"),
                client.post(f"/api/v1/patients/{patient}/notes", json={"body": "x"}),
                client.get(f"/api/v1/episodes/{episode}"),
                client.post(f"/api/v1/episodes/{episode}/acknowledgement", json={}),
                client.delete(f"/api/v1/episodes/{episode}/acknowledgement"),
            ]
            lists = [
                client.get("/api/v1/episodes", params={"patient": patient}),
                client.get("/api/v1/patients", params={"site": foreign.site_id if patient < 10**6 else 10**6}),
                client.get("/api/v1/patients", params={"search": foreign.family_name}),
            ]
            return [(r.status_code, r.text) for r in requests + lists]

        found = answers(foreign.patient_id, foreign.episode_id)
        assert found == answers(10**6, 10**6)
        assert [status for status, _ in found] == [404] * 7 + [200] * 3
        both = client.post("/api/v1/episodes/acknowledgements", json={"episodes": [foreign.episode_id, 10**6]}).json()
        assert both == {"acknowledged": [], "held": [], "missing": [foreign.episode_id, 10**6]}
        own = served.trusts.north.patients[0].patient_id
        note = {"body": "x", "episode_id": foreign.episode_id}
        assert client.post(f"/api/v1/patients/{own}/notes", json=note).status_code == 404
    assert served.ask(
        "select count(*) from episode where acknowledged_by is not null and organisation_id = %s",
        served.trusts.south.organisation_id,
    ) == [(0,)]


@pytest.mark.parametrize(
    ("sign_in", "refused"),
    [
        ("carer", {"quarantine", "system"}),
        ("technician", {"sites", "patients", "episodes"}),
        ("auditor", {"sites", "patients", "episodes", "quarantine", "devices"}),
        ("reader", {"quarantine", "system"}),
        ("admin", set()),
        ("nurse", set()),
    ],
)
def test_each_role_may_do_what_its_row_says(served: Served, sign_in: str, refused: set[str]) -> None:
    patient = served.trusts.north.patients[0]
    with served.client(sign_in) as client:
        for name in ("sites", "patients", "episodes", "quarantine", "devices", "system"):
            answer = client.get(f"/api/v1/{name}")
            assert answer.status_code == (403 if name in refused else 200), name
        if sign_in in ("admin", "reader", "technician", "auditor"):
            act = client.post(f"/api/v1/episodes/{patient.episode_id}/acknowledgement", json={})
            assert act.status_code == 403
            assert "ask an administrator" in act.json()["detail"]
            assert client.post(f"/api/v1/patients/{patient.patient_id}/notes", json={"body": "x"}).status_code == 403


def test_patients_are_found_by_name_and_number_and_signs_are_no_wildcards(served: Served) -> None:
    with served.client("nurse") as client:

        def search(words: str) -> list[str]:
            items = client.get("/api/v1/patients", params={"search": words}).json()["items"]
            return [item["family_name"] for item in items]

        served.ask("update patient set nhs_number = '9434765919' where family_name = 'Elm-2'")
        assert search("elm-1") == ["Elm-1"]
        assert search("given elm") == ["Elm-1", "Elm-2"]
        assert search("943 476 5919") == ["Elm-2"]
        assert search("%") == []
        assert search("_") == []
        assert search("\\") == []
        assert client.get("/api/v1/patients", params={"search": "\0"}).status_code == 422


def test_lists_can_be_walked_part_by_part(served: Served) -> None:
    with served.client("nurse") as client:

        def walk(path: str, limit: int, **given: str) -> list[dict[str, object]]:
            found: list[dict[str, object]] = []
            page = client.get(path, params={"limit": limit, **given}).json()
            while True:
                assert len(page["items"]) <= limit
                found += page["items"]
                if page["next"] is None:
                    return found
                page = client.get(path, params={"limit": limit, "after": page["next"], **given}).json()

        patient = served.trusts.north.patients[0].patient_id
        for number in range(5):
            client.post(f"/api/v1/patients/{patient}/notes", json={"body": f"note {number}"})
        for path, limit in (
            ("/api/v1/patients", 1),
            ("/api/v1/episodes", 3),
            ("/api/v1/devices", 2),
            ("/api/v1/quarantine", 1),
            (f"/api/v1/patients/{patient}/observations", 7),
            (f"/api/v1/patients/{patient}/notes", 2),
        ):
            assert walk(path, limit) == walk(path, 1000), path
        assert len(walk(f"/api/v1/patients/{patient}/observations", 59)) == 60


def test_observations_come_in_their_unit_by_time_and_vital_sign(served: Served) -> None:
    patient = served.trusts.north.patients[0]
    path = f"/api/v1/patients/{patient.patient_id}/observations"
    with served.client("nurse") as client:
        span = {"from": (NOW - timedelta(minutes=30)).isoformat(), "to": (NOW - timedelta(minutes=20)).isoformat()}
        items = client.get(path, params=span).json()["items"]
        assert len(items) == 10
        assert items[0]["observed_at"] == (NOW - timedelta(minutes=30)).isoformat().replace("+00:00", "Z")
        assert {(i["vital"], i["unit"], i["device"]) for i in items} == {
            ("spo2", "%", f"oximeter-{patient.patient_id}")
        }
        assert client.get(path, params={"vital": "pulse"}).json()["items"] == []
        assert len(client.get(path, params={"vital": ["pulse", "spo2"]}).json()["items"]) == 60
        served.ask(
            "update observation set flags = 3 where patient_id = %s and observed_at = %s",
            patient.patient_id,
            NOW - timedelta(minutes=30),
        )
        assert client.get(path, params=span).json()["items"][0]["quality"] == ["suspected_repeat", "irregular_pulse"]
        assert client.get(path, params={"vital": "charm"}).status_code == 422
        assert client.get(path, params={"from": "2026-01-01T00:00:00"}).status_code == 422


@pytest.mark.parametrize(
    "after", ["x", "W10", "e30", "WyJhIl0", "bnVsbA", "é", "WzFd", "/" * 500, paging.write([1, 2, 3, 4])]
)
def test_a_place_that_no_list_gave_is_refused(served: Served, after: str) -> None:
    patient = served.trusts.north.patients[0].patient_id
    with served.client("nurse") as client:
        for path in ("patients", "episodes", f"patients/{patient}/observations"):
            assert client.get(f"/api/v1/{path}", params={"after": after}).status_code == 422


def test_numbers_that_no_row_can_have_are_refused_without_asking(served: Served) -> None:
    with served.client("nurse") as client:
        for number in ("0", "-1", str(2**31), str(2**63), "1e3", "x", "%00"):
            assert client.get(f"/api/v1/patients/{number}").status_code in (404, 422), number
            assert client.get(f"/api/v1/episodes/{number}").status_code in (404, 422), number


def test_acknowledging_writes_who_and_when_everywhere(fresh: Served) -> None:
    episode = fresh.trusts.north.patients[0].episode_id
    with fresh.client("carer") as client:
        answer = client.post(f"/api/v1/episodes/{episode}/acknowledgement", json={"note": "on my way"})
        assert answer.status_code == 200
        assert answer.json()["acknowledged_name"] == "Carer"
        again = client.post(f"/api/v1/episodes/{episode}/acknowledgement")
        assert again.json() == answer.json()
        full = client.get(f"/api/v1/episodes/{episode}").json()
        assert [(e["kind"], e["account"], e["note"]) for e in full["events"]] == [
            ("activated", None, ""),
            ("acknowledged", "Carer", "on my way"),
        ]
        assert full["phase"] == "active"
        assert client.get("/api/v1/episodes", params={"acknowledged": True}).json()["items"][0]["episode_id"] == episode
        assert client.delete(f"/api/v1/episodes/{episode}/acknowledgement").status_code == 204
        assert client.delete(f"/api/v1/episodes/{episode}/acknowledgement").status_code == 409
    assert fresh.ask(
        "select action, account_id from audit_log where object = %s order by audit_id", f"episode/{episode}"
    ) == [
        ("episode_acknowledged", fresh.trusts.north.accounts["carer"]),
        ("episode_released", fresh.trusts.north.accounts["carer"]),
    ]


def test_of_two_who_acknowledge_at_once_one_has_it_and_the_other_is_told(fresh: Served) -> None:
    patient = fresh.trusts.north.patients[0]
    organisation, policy = fresh.trusts.north.organisation_id, fresh.ask("select min(policy_id) from policy")[0][0]
    with connect(fresh.database) as connection:
        episodes = [
            make_episode(connection, organisation, patient.patient_id, policy, age=timedelta(hours=n))
            for n in range(1, 21)
        ]
    with fresh.client("nurse") as one, fresh.client("other-nurse") as two:
        with concurrent.futures.ThreadPoolExecutor(2) as pool:

            def take(client: httpx.Client) -> list[httpx.Response]:
                return [client.post(f"/api/v1/episodes/{e}/acknowledgement", json={}) for e in episodes]

            answers = list(pool.map(take, (one, two)))
        for mine, theirs in zip(*answers, strict=True):
            assert sorted((mine.status_code, theirs.status_code)) == [200, 409]
            won, lost = (mine, theirs) if mine.status_code == 200 else (theirs, mine)
            assert lost.json()["acknowledged_name"] == won.json()["acknowledged_name"]
            assert lost.json()["detail"] == f"{won.json()['acknowledged_name']} has taken this episode on."
            assert lost.json()["acknowledged_at"][:19] == won.json()["acknowledged_at"][:19]
        lists = [c.post("/api/v1/episodes/acknowledgements", json={"episodes": episodes}).json() for c in (one, two)]
        assert all(len(found["held"]) == 20 and not found["acknowledged"] for found in lists)
        held = next(h for h in lists[0]["held"] if h["acknowledged_name"] != "Nurse")
        assert one.delete(f"/api/v1/episodes/{held['episode_id']}/acknowledgement").status_code == 409
    assert fresh.ask("select count(*) from episode_event where kind = 'acknowledged'") == [(20,)]


def test_overlapping_lists_taken_on_at_once_are_shared_without_a_deadlock(fresh: Served) -> None:
    episodes = [p.episode_id for p in fresh.trusts.north.patients]
    with (
        fresh.client("nurse") as one,
        fresh.client("other-nurse") as two,
        concurrent.futures.ThreadPoolExecutor(2) as pool,
    ):
        for _ in range(10):
            fresh.ask("update episode set acknowledged_by = null, acknowledged_at = null")
            given = [(one, episodes), (two, episodes[::-1])]
            found = list(
                pool.map(
                    lambda x: x[0].post("/api/v1/episodes/acknowledgements", json={"episodes": x[1]}).json(), given
                )
            )
            assert sorted(found[0]["acknowledged"] + found[1]["acknowledged"]) == sorted(episodes)
            assert all(h["acknowledged_name"] in ("Nurse", "Other Nurse") for f in found for h in f["held"])


def test_what_is_pending_or_withdrawn_cannot_be_taken_on(fresh: Served) -> None:
    episode = fresh.trusts.north.patients[0].episode_id
    with fresh.client("nurse") as client:
        for phase, status in (("pending", 404), ("withdrawn", 404), ("resolved", 200)):
            fresh.ask("update episode set phase = %s where episode_id = %s", phase, episode)
            assert client.post(f"/api/v1/episodes/{episode}/acknowledgement", json={}).status_code == status


def test_a_note_is_kept_as_it_was_written(fresh: Served) -> None:
    patient = fresh.trusts.north.patients[0]
    body = "  <b>Refused</b> lunch; said “no, thank you” 🙂\nsecond line  "
    with fresh.client("carer") as client:
        path = f"/api/v1/patients/{patient.patient_id}/notes"
        made = client.post(path, json={"body": body, "episode_id": patient.episode_id})
        assert made.status_code == 201
        note = client.get(path).json()["items"][0]
        assert (note["note_id"], note["body"], note["account"]) == (made.json()["note_id"], body.strip(), "Carer")
        assert client.get(f"/api/v1/episodes/{patient.episode_id}").json()["events"][-1]["kind"] == "noted"
        for bad in ("", "   ", "x" * 4001, "a\0b", "\ud800"):
            assert (
                client.post(path, content=_json(bad), headers={"Content-Type": "application/json"}).status_code == 422
            )
        assert client.post(path, json={"body": "x", "account_id": 1}).status_code == 422


def _json(body: str) -> bytes:
    escaped = "".join(f"\\u{ord(c):04x}" for c in body)
    return f'{{"body": "{escaped}"}}'.encode()


def test_the_running_of_the_installation_is_told_without_patients(served: Served) -> None:
    with served.client("technician") as client:
        (item,) = client.get("/api/v1/quarantine").json()["items"]
        assert item["reason"] == "unit"
        assert "UCUM" in item["remedy"]
        looked = "select detail from audit_log where object = 'quarantine' and account_id = %s"
        assert served.ask(looked, served.trusts.north.accounts["technician"])[-1] == ({"messages": 1},)
        with served.client("nurse") as nurse:
            assert nurse.get("/api/v1/quarantine").json()["items"]
        told = {"messages": 1, "patients": [served.trusts.north.patients[0].patient_id]}
        assert served.ask(looked, served.trusts.north.accounts["nurse"])[-1] == (told,)
        # who sees no patient sees the form, with every digit a 0
        assert item["payload"] == '{"North": 0}'
        system = client.get("/api/v1/system").json()
        assert system["parts"]["database"] == "ok"
        assert system["parts"]["migrations"] == "ok"
        assert [s["service"] for s in system["services"]] == ["dashboard"]


def test_each_look_at_a_patient_is_in_the_audit_log(fresh: Served) -> None:
    patient = fresh.trusts.north.patients[0]
    with fresh.client("nurse") as client:
        for path in ("", "/observations", "/notes"):
            client.get(f"/api/v1/patients/{patient.patient_id}{path}")
        client.get(f"/api/v1/episodes/{patient.episode_id}")
        client.get("/api/v1/patients")
        client.get("/api/v1/episodes")
        client.get(f"/api/v1/patients/{fresh.trusts.south.patients[0].patient_id}")
    looks = fresh.ask(
        "select object from audit_log where action = 'looked_at' and account_id = %s order by audit_id",
        fresh.trusts.north.accounts["nurse"],
    )
    assert [row[0] for row in looks] == [f"patient/{patient.patient_id}"] * 4 + ["patients", "episodes"]


def test_a_snooze_puts_an_episode_off_and_ends_by_itself(served: Served) -> None:
    patient = served.trusts.north.patients[0]
    path = f"/api/v1/episodes/{patient.episode_id}/snooze"
    later = datetime.now(UTC) + timedelta(hours=2)

    def waiting(client: httpx.Client) -> int:
        return int(client.get(f"/api/v1/patients/{patient.patient_id}").json()["waiting"])

    with served.client("nurse") as nurse, served.client("reader") as reader:
        assert waiting(nurse) == 1
        assert reader.post(path, json={"until": later.isoformat()}).status_code == 403
        for wrong in (later - timedelta(hours=3), later + timedelta(days=8)):
            assert nurse.post(path, json={"until": wrong.isoformat()}).status_code == 422
        assert nurse.post(path, json={"until": later.replace(tzinfo=None).isoformat()}).status_code == 422
        assert nurse.delete(path).status_code == 409
        answer = nurse.post(path, json={"until": later.isoformat(), "note": "asleep"}).json()
        assert datetime.fromisoformat(answer["snoozed_until"]) == later
        assert [(e["kind"], e["note"]) for e in answer["events"]][-1] == ("snoozed", "asleep")
        assert waiting(nurse) == 0
        assert nurse.delete(path).status_code == 204
        assert waiting(nurse) == 1
        nurse.post(path, json={"until": later.isoformat()})
        served.ask("update episode set snoozed_until = now() - interval '1 second' where snoozed_until is not null")
        assert waiting(nurse) == 1
        foreign = served.trusts.south.patients[0].episode_id
        assert nurse.post(f"/api/v1/episodes/{foreign}/snooze", json={"until": later.isoformat()}).status_code == 404
    assert served.ask("select count(*) from audit_log where action = 'episode_snoozed'") == [(2,)]

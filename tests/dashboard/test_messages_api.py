"""Can a program set up who is told as an administrator does on the pages, and nobody else?"""

from __future__ import annotations

from typing import Any

import pytest

from dashboard.contacts import MOST_CODES
from schemas import sealed
from tests.dashboard.conftest import Served

API = "/api/v1"
WALL = {"tiers": [{"name": "Display", "receivers": [{"kind": "wall"}]}], "repeat_min": 20}


@pytest.fixture(autouse=True)
def key(served: Served) -> None:
    served.ask("delete from delivery")
    served.ask("delete from contact")
    served.ask("delete from message_key")
    served.ask("insert into message_key (public_key) values (%s)", sealed.public_key(sealed.new_private_key()))


def audited(served: Served, action: str) -> int:
    [(count,)] = served.ask("select count(*) from audit_log where action = %s", action)
    return int(count)


def test_a_ladder_is_published_read_and_tried(served: Served) -> None:
    site = served.trusts.north.patients[0].site_id
    before = audited(served, "ladder_published")
    with served.client("admin") as client:
        given = {"site_id": site, "document": WALL, "reason": "The home has a display"}
        version = client.post(f"{API}/ladders", json=given)
        assert version.status_code == 201, version.text
        [listed] = [one for one in client.get(f"{API}/ladders").json() if one["site_id"] == site]
        assert listed["document"] == WALL
        assert listed["version"] == version.json()["version"]
        [newest, *_] = client.get(f"{API}/ladders/versions", params={"site_id": site}).json()
        assert newest["reason"] == "The home has a display"
        stages = client.post(f"{API}/ladders/trial", json={"site_id": site, "severity": "red"}).json()
        assert [(s["tier"], s["receivers"]) for s in stages] == [
            ("Display", [{"name": "", "ways": [], "why": "nobody knows whether a display is connected at the site"}])
        ]
    assert audited(served, "ladder_published") == before + 1


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"repeat_min": 0}, "repeat_min"),
        ({"repeat_min": 1441}, "repeat_min"),
        ({"repeat_min": "often"}, "repeat_min"),
        ({"tiers": []}, "tiers"),
        ({"tiers": [{"name": "x", "receivers": [{"kind": "pigeon"}]}]}, "pigeon"),
        ({"tiers": [{"name": "x", "receivers": [{"kind": "person", "account": 2147483647}]}]}, "no longer there"),
        ({"unknown": 1}, "unknown"),
    ],
)
def test_a_ladder_that_cannot_be_used_is_refused_with_the_place(
    served: Served, change: dict[str, Any], said: str
) -> None:
    with served.client("admin") as client:
        answer = client.post(f"{API}/ladders", json={"document": WALL | change, "reason": "x"})
    assert answer.status_code == 422
    assert said in answer.json()["detail"]


def test_rotas_and_channels_are_set_up_without_giving_a_secret_back(served: Served) -> None:
    nurse = served.trusts.north.accounts["nurse"]
    rota = {"shifts": [{"account": nurse, "start": "20:00", "end": "08:00"}]}
    with served.client("admin") as client:
        assert client.post(f"{API}/rotas", json={"name": "Nights", "document": rota, "reason": "x"}).status_code == 201
        overlap = {"shifts": [*rota["shifts"], *rota["shifts"]]}
        refused = client.post(f"{API}/rotas", json={"name": "Nights", "document": overlap, "reason": "x"})
        assert "overlaps" in refused.json()["detail"]
        assert [one["name"] for one in client.get(f"{API}/rotas").json()] == ["Nights"]
        webhook = {"kind": "webhook", "name": "Paging", "url": "https://x.example/a", "secret": "0123456789abcdef"}
        number = client.post(f"{API}/channels", json=webhook).json()["channel_id"]
        listed = client.get(f"{API}/channels")
        assert "0123456789abcdef" not in listed.text
        assert [one["channel_id"] for one in listed.json()] == [number]
        assert client.post(f"{API}/channels/{number}/test").status_code == 202
        [sent] = client.get(f"{API}/messages").json()
        assert (sent["purpose"], sent["receiver"], sent["status"]) == ("test", "Paging", "waiting")
        assert client.delete(f"{API}/channels/{number}").status_code == 204
        assert client.get(f"{API}/channels").json() == []


def test_it_is_said_which_tiers_reach_nobody(served: Served) -> None:
    nurse = served.trusts.north.accounts["nurse"]
    person = {"tiers": [{"name": "Nurse", "receivers": [{"kind": "person", "account": nurse}]}]}
    with served.client("admin") as client:
        for site in served.trusts.north.sites.values():
            client.post(f"{API}/ladders", json={"site_id": site, "document": person, "reason": "x"})
        served.ask("delete from service_instance where service = 'notify'")
        no_notifier, nobody = client.get(f"{API}/messages/unreached").json()["unreached"]
        assert "does not run" in no_notifier
        [(name,)] = served.ask("select name from account where account_id = %s", nurse)
        assert nobody == f"Nurse reaches nobody: {name}: no confirmed address in use."
        served.ask(
            "insert into service_instance (instance_id, service, counters) "
            "values (gen_random_uuid(), 'notify', '{\"ways\": [\"email\"]}')"
        )
        assert client.get(f"{API}/messages/unreached").json()["unreached"] == [nobody]
        mail = {"kind": "email", "address": "rosa@trust.example"}
        assert client.post(f"{API}/accounts/{nurse}/contacts", json=mail).status_code == 201
        assert client.get(f"{API}/messages/unreached").json()["unreached"] == []
        served.ask("update service_instance set counters = '{\"ways\": []}' where service = 'notify'")
        assert "no mail server" in client.get(f"{API}/messages/unreached").json()["unreached"][0]


def test_a_ladders_telephone_number_is_kept_in_international_form(served: Served) -> None:
    ward = {"kind": "address", "by": "sms", "address": "07700 900123"}
    mail = {"kind": "address", "by": "email", "address": " ward@trust.example "}
    document = {"tiers": [{"name": "Ward", "receivers": [ward, mail, {"kind": "wall"}]}]}
    with served.client("admin") as client:
        answer = client.post(f"{API}/ladders", json={"document": document, "reason": "x"})
        assert answer.status_code == 201, answer.text
    [(kept,)] = served.ask("select document from ladder where site_id is null order by version desc limit 1")
    assert [receiver.get("address") for receiver in kept["tiers"][0]["receivers"]] == [
        "+447700900123", "ward@trust.example", None,
    ]  # fmt: skip


def test_of_an_address_that_is_vouched_for_a_part_is_in_the_audit_log(served: Served) -> None:
    where = f"{API}/accounts/{served.trusts.north.accounts['nurse']}/contacts"
    with served.client("admin") as client:
        for given in ({"kind": "sms", "address": "07700 900123"}, {"kind": "email", "address": "rosa@trust.example"}):
            assert client.post(where, json=given).status_code == 201
    kept = served.ask("select detail ->> 'address' from audit_log where action = 'contact_vouched' order by audit_id")
    assert [address for (address,) in kept[-2:]] == ["…123", "…@trust.example"]


def test_tests_that_are_sent_by_vouching_are_not_sent_without_end(served: Served) -> None:
    where = f"{API}/accounts/{served.trusts.north.accounts['nurse']}/contacts"
    with served.client("admin") as client:
        answers = [
            client.post(where, json={"kind": "sms", "address": f"07700 9001{n:02}"}) for n in range(MOST_CODES + 1)
        ]
    assert [answer.status_code for answer in answers] == [201] * MOST_CODES + [422]
    assert "wait before the next" in answers[-1].json()["detail"]
    assert served.ask("select count(*) from contact") == [(MOST_CODES,)]


def test_an_administrator_vouches_for_an_address_in_international_form(served: Served) -> None:
    nurse = served.trusts.north.accounts["nurse"]
    where = f"{API}/accounts/{nurse}/contacts"
    with served.client("admin") as client:
        bad = client.post(where, json={"kind": "sms", "address": "900123"})
        assert bad.status_code == 422
        assert "country code" in bad.json()["detail"]
        number = client.post(where, json={"kind": "sms", "address": "07700 900123"}).json()["contact_id"]
        again = client.post(where, json={"kind": "sms", "address": "+44 (0)7700 900123"})
        assert "confirmed already" in again.json()["detail"]
        [contact] = client.get(where).json()
        assert contact["address"] == "+447700900123"
        [(admin,)] = served.ask("select name from account where sign_in = 'admin'")
        assert contact["vouched_by"] == admin
        assert served.ask("select purpose, kind, account_id from delivery") == [("test", "sms", nurse)]
        assert audited(served, "contact_vouched")
        elsewhere = served.trusts.south.accounts["south-nurse"]
        foreign = client.post(f"{API}/accounts/{elsewhere}/contacts", json={"kind": "sms", "address": "07700 900123"})
        assert foreign.status_code == 404
        assert client.delete(f"{where}/{number}").status_code == 204
        assert client.delete(f"{where}/{number}").status_code == 404
    assert served.ask("select count(*) from contact") == [(0,)]


def test_nobody_but_an_administrator_and_nothing_of_another_trust(served: Served) -> None:
    nurse = served.trusts.north.accounts["nurse"]
    with served.client("nurse") as client:
        for path in ("ladders", "rotas", "channels", "messages", "messages/unreached", f"accounts/{nurse}/contacts"):
            assert client.get(f"{API}/{path}").status_code == 403, path
        assert client.post(f"{API}/ladders", json={"document": WALL, "reason": "x"}).status_code == 403
        mail = {"kind": "email", "address": "rosa@trust.example"}
        assert client.post(f"{API}/accounts/{nurse}/contacts", json=mail).status_code == 403
    site = served.trusts.south.sites["South Ward"]
    with served.client("admin") as client:
        answer = client.post(f"{API}/ladders", json={"site_id": site, "document": WALL, "reason": "x"})
    assert answer.status_code == 422
    assert "no such site" in answer.json()["detail"]


def test_a_site_says_what_to_do_in_an_emergency(served: Served) -> None:
    site = served.trusts.north.patients[0].site_id
    [(name,)] = served.ask("select name from site where site_id = %s", site)
    given = {"name": name, "kind": "care_home"}
    with served.client("admin") as client:
        told = given | {"emergency_advice": "Ring 01234 567890 at night."}
        assert client.put(f"{API}/sites/{site}", json=told).status_code == 204
        assert client.put(f"{API}/sites/{site}", json=given).status_code == 204
        assert client.put(f"{API}/sites/{site}", json=given | {"emergency_advice": " "}).status_code == 422
    assert served.ask("select emergency_advice from site where site_id = %s", site) == [
        ("Ring 01234 567890 at night.",)
    ]

"""Do those who look after devices get what they need over the JSON interface, and nobody else?"""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import psycopg
import pytest

from dashboard import device_parts
from dashboard.text import devices as words
from homeward.devices import DeviceLogins
from homeward.installation import Addresses
from homeward.local.programs import Programs
from homeward.settings import Settings
from schemas.database import acting_for
from tests.conftest import TestBroker, TestDatabase
from tests.dashboard.conftest import Served, make_trusts, serve
from tests.homeward.test_broker import Peer


@pytest.fixture(scope="module")
def kept(
    module_database: TestDatabase, broker: TestBroker, service_folder: Path, programs: Programs
) -> Iterator[Served]:
    """A dashboard that was given the broker's account administration, as the program gives it."""
    trusts = make_trusts(module_database)
    provisioner = broker.server.credentials("homeward-provisioning")
    broker.accounts.add_service(*provisioner, role="homeward-provisioning")
    logins = DeviceLogins(Addresses(Settings(home=service_folder), programs), provisioner.user)
    with serve(module_database, device_logins=logins) as url:
        yield Served(url, module_database, trusts)


def made(answer: Any) -> dict[str, Any]:
    assert answer.status_code in (200, 201), answer.text
    found: dict[str, Any] = answer.json()
    return found


def test_a_device_lives_from_its_login_to_its_end(kept: Served, broker: TestBroker) -> None:
    site = kept.trusts.north.sites["Elm House"]
    patient = kept.trusts.north.patients[0].patient_id
    with kept.client("technician") as technician:
        told = made(technician.post("/api/v1/devices", json={"code": "cuff-a", "kind": "cuff", "site_id": site}))
        assert told["qr_svg"].startswith("<svg")
        assert told["ca_certificate"] == broker.server.authority.certificate
        device = f"/api/v1/devices/{told['device_id']}"
        peer = Peer(broker, "cuff-a", told["password"])
        assert peer.publish(told["topic"]).startswith(("Success", "No matching"))
        peer.close()
        # a technician gives it to a number, and sees no name behind it
        assert technician.post(f"{device}/assignments", json={"patient_id": patient}).status_code == 204
        found = made(technician.get(device))
        assert (found["patients"], found["site_id"], found["online"]) == ([patient], site, None)
        assert [a["patient_id"] for a in found["assignments"]] == [patient]
        renewed = made(technician.post(f"{device}/login", json={"certificate": True}))
        assert "BEGIN CERTIFICATE" in renewed["certificate"]
        assert "PRIVATE KEY" in renewed["private_key"]
        assert (renewed["password"], renewed["qr_svg"]) == (None, None)
        for zone in ("Asia/Kolkata", None, "Europe/London"):
            assert technician.put(f"{device}/clock", json={"clock_zone": zone}).status_code == 204
            assert made(technician.get(device))["clock_zone"] == zone
        assert technician.put(f"{device}/clock", json={"clock_zone": "Europe/Atlantis"}).status_code == 409
        assert technician.put(f"{device}/site", json={"site_id": None}).status_code == 204
        assert technician.delete(f"{device}/assignments").status_code == 204
        assert technician.delete(device).status_code == 204
        assert technician.delete(device).status_code == 404
        found = made(technician.get(device))
        assert found["retired_at"]
        assert found["placements"][0]["until"]
    actions = [a for (a,) in kept.ask("select action from audit_log where object = %s order by audit_id",
                                      f"device:{told['device_id']}")]  # fmt: skip
    zones = ["device_zone_set"] * 3
    assert actions == ["device_added", "device_assigned", "device_login_renewed", *zones, "device_placed",
                       "device_unassigned", "device_retired"]  # fmt: skip
    assert {account for (account,) in kept.ask("select account_id from audit_log where action like 'device%%'")} == {
        kept.trusts.north.accounts["technician"]
    }


@pytest.mark.parametrize("who", ["carer", "auditor", "reader", "nurse", ""])
def test_others_change_no_device(kept: Served, who: str) -> None:
    device = f"/api/v1/devices/{kept.trusts.north.patients[0].device_id}"
    refused = 403 if who else 401
    with kept.client(who) as client:
        for method, path, body in (
            ("POST", "/api/v1/devices", {"code": "x", "kind": "cuff"}),
            ("POST", f"{device}/login", {}),
            ("PUT", f"{device}/site", {"site_id": None}),
            ("PUT", f"{device}/clock", {"clock_zone": "Europe/London"}),
            ("DELETE", device, None),
        ):
            assert client.request(method, path, json=body).status_code == refused, (method, path)
        given = client.post(f"{device}/assignments", json={"patient_id": kept.trusts.north.patients[0].patient_id})
        assert given.status_code == (204 if who == "nurse" else refused)


def test_the_database_itself_refuses_a_role_that_may_not(kept: Served) -> None:
    """Whatever the pages let through: the role is checked again behind them."""
    north = kept.trusts.north
    with psycopg.connect(
        kept.database.url_for("homeward_dashboard"), options="-c search_path=homeward,public"
    ) as connection:
        for who, statement in (
            ("nurse", "insert into device (organisation_id, code, kind, lane) values (%(o)s, 'sly', 'cuff', 0)"),
            ("carer", "insert into device_assignment (organisation_id, device_id, patient_id, device_user, during) "
                      "values (%(o)s, %(d)s, %(p)s, 7, '(,)')"),
            ("reader", "insert into device_assignment (organisation_id, device_id, patient_id, device_user, during) "
                       "values (%(o)s, %(d)s, %(p)s, 8, '(,)')"),
        ):  # fmt: skip
            values = {"o": north.organisation_id, "d": north.patients[0].device_id, "p": north.patients[0].patient_id}
            with (
                pytest.raises(psycopg.errors.InsufficientPrivilege),
                acting_for(connection, north.organisation_id, north.accounts[who]),
            ):
                connection.execute(statement.encode(), values)
        with acting_for(connection, north.organisation_id, north.accounts["reader"]):
            assert connection.execute("update device_assignment set during = '(,)'").rowcount == 0
        with (
            pytest.raises(psycopg.errors.InsufficientPrivilege),
            acting_for(connection, north.organisation_id, north.accounts["reader"]),
        ):
            connection.execute("update device set retired_at = now()")


def test_another_tenant_s_device_is_not_there(kept: Served) -> None:
    foreign = kept.trusts.south.patients[0]
    with kept.client("technician") as technician:
        device = f"/api/v1/devices/{foreign.device_id}"
        assert technician.get(device).status_code == 404
        for method, path, body in (
            ("POST", f"{device}/login", {}),
            ("DELETE", device, None),
            ("POST", f"{device}/assignments", {"patient_id": foreign.patient_id}),
            ("PUT", f"{device}/site", {"site_id": None}),
            ("PUT", f"{device}/clock", {"clock_zone": "Europe/London"}),
        ):
            assert technician.request(method, path, json=body).status_code == 404, (method, path)
        own = kept.trusts.north.patients[1].device_id
        for body in ({"patient_id": foreign.patient_id, "user": 5}, {"patient_id": 2**31 - 1, "user": 5}):
            assert technician.post(f"/api/v1/devices/{own}/assignments", json=body).status_code == 409
        assert technician.put(f"/api/v1/devices/{own}/site", json={"site_id": foreign.site_id}).status_code == 409


def test_the_list_is_filtered_searched_and_turned_over_by_pages(kept: Served) -> None:
    north = kept.trusts.north
    kept.ask(
        "insert into device_standing (device_id, organisation_id, online, since, battery, reported_at) "
        "values (%s, %s, false, now(), 9, now()) on conflict (device_id) do nothing returning 1",
        north.patients[2].device_id,
        north.organisation_id,
    )
    with kept.client("technician") as technician:

        def codes(**asked: Any) -> list[str]:
            return [d["code"] for d in made(technician.get("/api/v1/devices", params=asked))["items"]]

        known = codes()
        assert known == sorted(known)
        offline = kept.ask("select code from device where device_id = %s", north.patients[2].device_id)[0][0]
        assert codes(state="offline") == codes(state="battery") == [offline]
        assert set(codes(site=north.sites["Elm House"])) < set(known)
        assert codes(search=known[0][:-1]) != []
        assert codes(search="%") == codes(kind="glucometer") == []
        assert "cuff-a" not in known
        assert "cuff-a" in codes(retired=True)
        first = made(technician.get("/api/v1/devices", params={"limit": 2}))
        rest = made(technician.get("/api/v1/devices", params={"limit": 1000, "after": first["next"]}))
        assert [d["code"] for d in first["items"] + rest["items"]] == known
        assert codes(search="Elm-1") == []  # a name is no way to a device for who may not see names
    with kept.client("nurse") as nurse:
        found = made(nurse.get("/api/v1/devices", params={"search": "given elm-1"}))["items"]
        assert [d["patients"] for d in found] == [[north.patients[0].patient_id]]


def test_a_resident_s_code_is_for_those_who_see_patients(kept: Served) -> None:
    patient = kept.trusts.north.patients[0].patient_id
    with kept.client("nurse") as nurse, kept.client("technician") as technician:
        first = made(nurse.post(f"/api/v1/patients/{patient}/resident-code"))
        assert made(nurse.post(f"/api/v1/patients/{patient}/resident-code")) == first
        assert technician.post(f"/api/v1/patients/{patient}/resident-code").status_code == 403
        foreign = kept.trusts.south.patients[0].patient_id
        assert nurse.post(f"/api/v1/patients/{foreign}/resident-code").status_code == 404


def test_without_the_broker_the_answer_says_so_and_nothing_is_stored(fresh: Served) -> None:
    with fresh.client("technician") as technician:
        answer = technician.post("/api/v1/devices", json={"code": "cuff-b", "kind": "cuff"})
        assert answer.status_code == 503
        assert "Nothing was changed" in answer.json()["detail"]
    assert fresh.ask("select 1 from device where code = 'cuff-b'") == []


def test_a_device_that_sends_too_much_is_named(kept: Served) -> None:
    north = kept.trusts.north
    device = north.patients[1].device_id
    kept.ask(
        "insert into device_excess (device_id, organisation_id, messages, not_kept) "
        "values (%s, %s, 12000, 30) returning 1",
        device,
        north.organisation_id,
    )
    with kept.client("technician") as technician:
        found = made(technician.get(f"/api/v1/devices/{device}"))
        assert (found["messages_parked"], found["messages_not_kept"], bool(found["parked_at"])) == (12_000, 30, True)
        other = made(technician.get(f"/api/v1/devices/{north.patients[0].device_id}"))
        assert (other["messages_parked"], other["messages_not_kept"], other["parked_at"]) == (0, 0, None)
    now = datetime.now(UTC)
    row = found | {"retired_at": None, "trouble": "", "parked_at": now - timedelta(hours=1)}
    assert device_parts.standing(row, now) == ("sends too much", "bad")
    told = "12,000 messages had to wait, the last 1 h ago; 30 more were not kept"
    assert words.excess(12_000, 30, "1 h ago") == told

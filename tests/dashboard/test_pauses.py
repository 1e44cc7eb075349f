"""Can a patient be paused over the interface by those who may, and does everybody see it?"""

from datetime import UTC, datetime, timedelta

from tests.dashboard.conftest import Served

NOW = datetime.now(UTC)


def test_a_pause_is_shown_moved_lifted_and_in_the_audit_log(served: Served) -> None:
    patient = served.trusts.north.patients[0].patient_id
    address = f"/api/v1/patients/{patient}/pause"
    with served.client("nurse") as nurse:
        assert nurse.get(f"/api/v1/patients/{patient}").json()["pause"] is None
        assert nurse.delete(address).status_code == 409
        first, later = NOW + timedelta(days=2), NOW + timedelta(days=5)
        given = nurse.post(address, json={"until": first.isoformat(), "reason": "in hospital"})
        assert given.status_code == 200, given.text
        moved = nurse.post(address, json={"until": later.isoformat(), "reason": "still in hospital"}).json()
        shown = nurse.get(f"/api/v1/patients/{patient}").json()
        assert shown["pause"] == moved
        assert datetime.fromisoformat(shown["paused_until"]) == later
        assert moved["reason"] == "still in hospital"
        listed = nurse.get("/api/v1/patients").json()["items"]
        assert [p["patient_id"] for p in listed if p["paused_until"]] == [patient]
        assert nurse.delete(address).status_code == 204
        assert nurse.get(f"/api/v1/patients/{patient}").json()["pause"] is None
    assert served.ask("select count(*) from patient_pause where lifted_at is not null") == [(2,)]
    acts = served.ask(
        "select action, detail->>'reason' from audit_log where object = %s and action like 'patient_pause%%' "
        "order by 1, 2",
        f"patient/{patient}",
    )
    assert acts == [
        ("patient_pause_lifted", None), ("patient_paused", "in hospital"), ("patient_paused", "still in hospital")
    ]  # fmt: skip


def test_a_pause_needs_a_time_a_reason_the_right_and_the_patient(served: Served) -> None:
    own, foreign = (trust.patients[1].patient_id for trust in (served.trusts.north, served.trusts.south))
    soon = (NOW + timedelta(hours=3)).isoformat()
    with served.client("nurse") as nurse, served.client("admin") as administrator:
        address = f"/api/v1/patients/{own}/pause"
        for until in (NOW - timedelta(minutes=1), NOW + timedelta(days=29)):
            refused = nurse.post(address, json={"until": until.isoformat(), "reason": "away"})
            assert refused.status_code == 422
            assert "28 days" in refused.json()["detail"]
        assert nurse.post(address, json={"until": soon, "reason": "  "}).status_code == 422
        assert nurse.post(address, json={"until": soon[:19], "reason": "away"}).status_code == 422
        assert administrator.post(address, json={"until": soon, "reason": "away"}).status_code == 403
        for patient in (foreign, 10**6):
            address = f"/api/v1/patients/{patient}/pause"
            assert nurse.post(address, json={"until": soon, "reason": "away"}).status_code == 404
            assert nurse.delete(address).status_code == 404
    assert served.ask("select count(*) from patient_pause where patient_id in (%s, %s)", own, foreign) == [(0,)]

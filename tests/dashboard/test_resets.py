"""May a latched episode be reset by those who may, when its condition is over and not before?"""

from datetime import timedelta

from tests.dashboard.conftest import NOW, Served


def test_an_episode_is_reset_only_where_it_waits_for_that(served: Served) -> None:
    patient = served.trusts.north.patients[0]
    address = f"/api/v1/episodes/{patient.episode_id}"
    with served.client("nurse") as nurse, served.client("admin") as administrator:
        assert nurse.get(address).json()["waits_for_reset"] is False
        still = nurse.post(f"{address}/reset")
        assert (still.status_code, still.json()["detail"]) == (
            409,
            "This episode is not latched, or its condition is still there.",
        )
        served.ask(
            "insert into episode_event (organisation_id, episode_id, patient_id, kind, at, severity) "
            "select organisation_id, episode_id, patient_id, 'cleared', %s, 3 from episode where episode_id = %s",
            NOW - timedelta(minutes=2),
            patient.episode_id,
        )
        served.ask(
            "update episode set explanation = %s where episode_id = %s", '{"latching": true}', patient.episode_id
        )
        assert nurse.get(address).json()["waits_for_reset"] is True
        assert administrator.post(f"{address}/reset").status_code == 403
        assert nurse.post(f"{address}/reset", json={"note": "seen, well"}).status_code == 204
        assert [e["kind"] for e in nurse.get(address).json()["events"]] == ["activated", "cleared", "reset"]
        for other in (served.trusts.south.patients[0].episode_id, 10**6):
            assert nurse.post(f"/api/v1/episodes/{other}/reset").status_code == 404
    (event,) = served.ask("select account_id, note from episode_event where kind = 'reset'")
    assert event == (served.trusts.north.accounts["nurse"], "seen, well")
    assert served.ask("select count(*) from audit_log where action = 'episode_reset'") == [(1,)]

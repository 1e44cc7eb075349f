"""Can whoever sees an episode have it scored again, and nobody else?"""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from alerts.policy import shipped
from alerts.state import initial, pack
from homeward import replay_route
from ingest.service import ROLE
from schemas.database import open_pool
from tests.conftest import TestDatabase
from tests.dashboard.conftest import Served, connect, make_trusts, serve


@pytest.fixture(scope="module")
def served(module_database: TestDatabase) -> Iterator[Served]:
    trusts = make_trusts(module_database)
    with connect(module_database) as connection:  # rules that say nothing of these observations
        connection.execute("alter table policy disable trigger policy_immutable")
        connection.execute("update policy set document = %s", [shipped("blood_pressure_home").text])
        connection.execute(
            "insert into enrolment (organisation_id, patient_id, pathway_id, started_at) select p.organisation_id, "
            "p.patient_id, w.pathway_id, now() - interval '1 day' from patient p join pathway w using (organisation_id)"
        )
        connection.execute(
            "insert into patient_state (patient_id, machine) select patient_id, %s from patient", [pack(initial(1))[0]]
        )
    with (
        open_pool(module_database.url_for(ROLE), ROLE, min_size=1, max_size=2) as pool,
        serve(module_database, extra_routers=[replay_route.routes(pool)]) as url,
    ):
        yield Served(url, module_database, trusts)


def test_an_episode_that_the_rules_do_not_give_is_said_to_differ(served: Served) -> None:
    own = served.trusts.north.patients[0]
    with served.client("nurse") as nurse:
        answer = nurse.post(f"/api/v1/episodes/{own.episode_id}/replay")
    assert answer.status_code == 200, answer.text
    assert answer.json()["same"] is False
    assert "the replay has not" in answer.json()["differences"][0]
    assert served.ask("select count(*) from audit_log where action = 'replayed' and object = %s",
                      f"episode/{own.episode_id}") == [(1,)]  # fmt: skip


def test_what_one_may_not_see_is_not_there(served: Served) -> None:
    foreign, elsewhere = served.trusts.south.patients[0], served.trusts.north.patients[-1]
    with served.client("nurse") as nurse, served.client("carer") as carer, served.client("technician") as technician:
        assert nurse.post(f"/api/v1/episodes/{foreign.episode_id}/replay").status_code == 404
        assert carer.post(f"/api/v1/episodes/{elsewhere.episode_id}/replay").status_code == 404
        assert technician.post(f"/api/v1/episodes/{elsewhere.episode_id}/replay").status_code == 403
        assert nurse.post("/api/v1/episodes/99999999/replay").status_code == 404
    with served.client() as nobody:
        assert nobody.post(f"/api/v1/episodes/{foreign.episode_id}/replay").status_code == 401

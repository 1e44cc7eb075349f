"""Does a request end where a message ends, and does it answer with what was committed?"""

from __future__ import annotations

import asyncio

import httpx
import pytest
from fastapi import FastAPI, Header, HTTPException

from ingest.entrance import Entrance
from ingest.http import PATH, Sender, routes
from ingest.limits import LARGEST_PAYLOAD
from schemas.observation import Flag
from tests.ingest.conftest import Desk
from tests.ingest.ward import payload


class Client:
    """Sends requests to an application in this process."""

    def __init__(self, app: FastAPI) -> None:
        self._app = app

    def post(self, path: str, content: bytes, headers: dict[str, str]) -> httpx.Response:
        """Send one."""

        async def send() -> httpx.Response:
            transport = httpx.ASGITransport(self._app)
            async with httpx.AsyncClient(transport=transport, base_url="http://homeward") as client:
                return await client.post(path, content=content, headers=headers)

        return asyncio.run(send())


@pytest.fixture
def entrance(desk: Desk) -> Entrance:
    """The writer; its registry is read again where a test says so."""
    return Entrance(desk.pool)


@pytest.fixture
def client(desk: Desk, entrance: Entrance) -> Client:
    """A client of an application that knows one hub, and one person who may enter for the first resident."""

    async def mine(patient: int) -> bool:
        return patient == desk.ward.patients[0]

    async def authenticate(who: str = Header()) -> Sender:
        if who == "hub":
            return Sender(desk.ward.organisation, desk.ward.hub)
        if who == "nurse":
            return Sender(desk.ward.organisation, None, mine)
        raise HTTPException(401)

    app = FastAPI()
    app.include_router(routes(entrance, authenticate))
    return Client(app)


def test_a_gateway_sends_for_its_devices(desk: Desk, client: Client) -> None:
    content = payload(desk.at(0), {"pulse": 71, "spo2": 0}, device=desk.ward.devices[1])
    answer = client.post(PATH, content=content, headers={"who": "hub"})
    assert answer.status_code == 200
    answered = answer.json()
    items = answered.pop("items")
    assert answered == {"stored": 1, "duplicate": 0, "quarantined": 1, "reasons": ["implausible"]}
    assert items[0]["why"] == [{"reason": "implausible", "detail": "spo2: 0; expected 40 to 100 %"}]
    assert [row[0] for row in desk.stored()] == [desk.ward.patients[1]]


def test_another_value_of_an_instant_is_told_and_not_called_a_duplicate(desk: Desk, client: Client) -> None:
    one, other = (payload(desk.at(0), {"pulse": p}, device=desk.ward.devices[1]) for p in (71, 91))
    assert client.post(PATH, content=one, headers={"who": "hub"}).status_code == 200
    answer = client.post(PATH, content=other, headers={"who": "hub"})
    assert answer.status_code == 422
    [item] = answer.json()["items"]
    assert (item["duplicate"], item["quarantined"], item["why"][0]["reason"]) == (0, 1, "contradictory")


def test_a_person_enters_for_a_patient_they_may_see(desk: Desk, client: Client, entrance: Entrance) -> None:
    content = payload(desk.at(0), {"respiration_rate": 18})
    first, second = desk.ward.patients[:2]
    nurse = {"who": "nurse"}
    assert client.post(f"{PATH}?patient={first}", content=content, headers=nurse).status_code == 409
    desk.ask(
        "insert into device (organisation_id, code, kind, lane) values (%s, 'by-hand', 'manual', 0) returning 1",
        desk.ward.organisation,
    )
    entrance.keeper.read_again()
    assert client.post(f"{PATH}?patient={first}", content=content, headers=nurse).json()["stored"] == 1
    assert client.post(f"{PATH}?patient={second}", content=content, headers=nurse).status_code == 404
    assert desk.ask("select patient_id, flags from observation") == [(first, Flag.BY_HAND)]


@pytest.mark.parametrize(
    ("who", "query", "status"),
    [("stranger", "", 401), ("nurse", "", 422), ("nurse", "?patient=999999", 404), ("hub", "?patient=1", 403)],
)
def test_others_are_refused(desk: Desk, client: Client, who: str, query: str, status: int) -> None:
    content = payload(desk.at(0), {"pulse": 71})
    assert client.post(PATH + query, content=content, headers={"who": who}).status_code == status
    assert desk.stored() == []


@pytest.mark.parametrize(("content", "status"), [(b"{", 422), (b"x" * (LARGEST_PAYLOAD + 1), 413)])
def test_what_cannot_be_stored_is_said(desk: Desk, client: Client, content: bytes, status: int) -> None:
    answer = client.post(PATH, content=content, headers={"who": "hub"})
    assert answer.status_code == status
    assert len(desk.ask("select 1 from quarantine")) == (status == 422)

"""Does a device get its login, its people and its places when it should, and nothing half when something is away?"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, TypeVar

import msgspec
import psycopg
import pytest
from jsonschema import Draft202012Validator

from dashboard.device_acts import BrokerError, DeviceActs, DeviceError, NotThereError
from homeward import cli
from homeward.devices import DeviceLogins
from homeward.installation import Addresses
from homeward.local.programs import Programs
from homeward.settings import Settings
from schemas.certificates import Certificate
from schemas.credentials import Credentials, credentials_json_schema
from schemas.database import acting_for_async, open_async_pool
from tests.conftest import TestBroker, TestDatabase
from tests.dashboard.conftest import Trusts, connect, make_trusts
from tests.homeward.test_broker import Peer

Result = TypeVar("Result")
NOW = datetime.now(UTC)


class Desk:
    """Runs acts as the command line does, against the worker's broker."""

    def __init__(self, database: TestDatabase, trusts: Trusts, logins: DeviceLogins) -> None:
        self.database, self.trusts, self.logins = database, trusts, logins
        self.organisation = trusts.north.organisation_id

    def do(self, act: Callable[[DeviceActs], Awaitable[Result]], **changed: Any) -> Result:
        """Do one act."""

        async def run() -> Result:
            role = "homeward_admin"
            async with open_async_pool(self.database.url_for(role), role) as pool:

                @asynccontextmanager
                async def transaction() -> AsyncIterator[psycopg.AsyncConnection[Any]]:
                    async with pool.connection() as connection, acting_for_async(connection, self.organisation):
                        yield connection

                return await act(replace(DeviceActs(self.organisation, None, transaction, self.logins), **changed))

        return asyncio.run(run())

    def ask(self, query: str, *parameters: Any) -> list[tuple[Any, ...]]:
        """Ask the database as its superuser."""
        with connect(self.database) as connection:
            return connection.execute(query.encode(), parameters).fetchall()

    def device(self, code: str) -> int:
        """Find a device's number."""
        return int(self.ask("select device_id from device where code = %s", code)[0][0])


@pytest.fixture(scope="module")
def desk(module_database: TestDatabase, broker: TestBroker, service_folder: Path, programs: Programs) -> Desk:
    # the worker's broker lies where the private one of an installation in this folder would
    addresses = Addresses(Settings(home=service_folder), programs)
    return Desk(module_database, make_trusts(module_database), DeviceLogins(addresses))


def test_what_a_hub_is_told_lets_it_in_and_is_as_documented(desk: Desk, broker: TestBroker) -> None:
    made = desk.do(lambda acts: acts.add("hub-n", "hub"))
    Draft202012Validator(credentials_json_schema()).validate(made.document())
    assert made.ca_sha256 == broker.server.authority.fingerprint
    assert (made.host, made.port) == broker.server.hubs[:2]
    text = made.qr_text()
    assert text is not None
    scanned = msgspec.json.decode(text)
    assert scanned["password"] == made.password
    assert scanned["topic"] == made.topic
    cuff = desk.do(lambda acts: acts.add("cuff-n", "cuff", hub="hub-n"))
    hub = Peer(broker, "hub-n", made.password or "")
    assert hub.publish(made.topic).startswith(("Success", "No matching"))
    assert hub.publish(cuff.topic).startswith(("Success", "No matching"))
    assert hub.publish("homeward/v1/3/cuff-7/observations") == "Not authorized"
    hub.close()


def test_a_renewed_login_voids_the_old_one_and_a_retired_device_has_none(desk: Desk, broker: TestBroker) -> None:
    first = desk.do(lambda acts: acts.add("scale-n", "scale"))
    device = desk.device("scale-n")
    second = desk.do(lambda acts: acts.renew_login(device))
    outcomes = []
    for made in (first, second):
        peer = Peer(broker, "scale-n", made.password or "")
        outcomes.append(peer.outcome)
        peer.close()
    assert outcomes == ["Not authorized", "Success"]
    desk.do(lambda acts: acts.retire(device))
    peer = Peer(broker, "scale-n", second.password or "")
    assert peer.outcome == "Not authorized"
    peer.close()
    with pytest.raises(NotThereError):
        desk.do(lambda acts: acts.renew_login(device))


def test_a_certificate_comes_with_its_key_once_and_ends_with_the_device(desk: Desk, broker: TestBroker) -> None:
    made = desk.do(lambda acts: acts.add("oximeter-n", "oximeter", certificate=True))
    assert made.password is None
    assert made.qr_text() is None
    assert made.private_key is not None
    assert (made.host, made.port) == broker.server.hubs_with_certificate[:2]
    before = broker.server.authority.revoked
    desk.do(lambda acts: acts.retire(desk.device("oximeter-n")))
    assert broker.server.authority.revoked != before


class Away:
    """A broker that cannot be reached, or a database that goes away after the login was made."""

    def __init__(self, logins: DeviceLogins | None) -> None:
        self.logins, self.taken = logins, list[str]()

    def give(self, *words: Any, **more: Any) -> Credentials:
        """Give a login, or say that there is no broker."""
        if self.logins is None:
            raise BrokerError("No broker answers.")
        return self.logins.give(*words, **more)

    def take(self, code: str, hubs: Any) -> None:
        """Take it back."""
        if self.logins is None:
            raise BrokerError("No broker answers.")
        self.taken.append(code)
        self.logins.take(code, hubs)

    def certificates(self) -> list[Certificate]:
        """List none."""
        return []


def test_without_the_broker_nothing_is_half_done(desk: Desk) -> None:
    entries = desk.ask("select count(*) from audit_log")
    with pytest.raises(BrokerError):
        desk.do(lambda acts: acts.add("cuff-away", "cuff"), logins=Away(None))
    assert desk.ask("select 1 from device where code = 'cuff-away'") == []
    desk.do(lambda acts: acts.add("cuff-away", "cuff"))
    device = desk.device("cuff-away")
    with pytest.raises(BrokerError):
        desk.do(lambda acts: acts.retire(device), logins=Away(None))
    assert desk.ask("select retired_at from device where device_id = %s", device) == [(None,)]
    assert desk.ask("select count(*) from audit_log")[0][0] == entries[0][0] + 1


def test_a_login_is_taken_back_where_its_device_could_not_be_stored(desk: Desk, broker: TestBroker) -> None:
    seen: list[Credentials] = []

    async def act(acts: DeviceActs) -> None:
        @asynccontextmanager
        async def fails() -> AsyncIterator[psycopg.AsyncConnection[Any]]:
            async with acts.transaction() as connection:
                yield connection
                raise psycopg.OperationalError("the server went away at the commit")

        seen.append(await replace(acts, transaction=fails).add("cuff-lost", "cuff"))

    away = Away(desk.logins)
    with pytest.raises(psycopg.OperationalError):
        desk.do(act, logins=away)
    assert away.taken == ["cuff-lost"]
    assert seen == []
    assert desk.ask("select 1 from device where code = 'cuff-lost'") == []


def test_a_device_changes_hands_and_its_past_stays_whose_it_was(desk: Desk) -> None:
    one, two = (patient.patient_id for patient in desk.trusts.north.patients[:2])
    desk.do(lambda acts: acts.add("cuff-h", "cuff"))
    device = desk.device("cuff-h")
    # a span that has passed, for what was sent before anybody thought of it
    earlier = NOW - timedelta(days=3)
    desk.do(lambda acts: acts.assign(device, one, since=earlier, until=earlier + timedelta(days=1)))
    desk.do(lambda acts: acts.assign(device, two, since=earlier + timedelta(days=1)))
    with pytest.raises(DeviceError, match=f"has patient {one}"):
        desk.do(lambda acts: acts.assign(device, two, since=earlier + timedelta(hours=1), until=NOW))
    # what is stored since yesterday is patient two's, and stays so
    with pytest.raises(DeviceError, match=f"has patient {two}"):
        desk.do(lambda acts: acts.assign(device, one, since=NOW - timedelta(days=1)))
    desk.do(lambda acts: acts.assign(device, one))
    desk.do(lambda acts: acts.assign(device, two, user=2))
    held = "select patient_id, device_user from device_assignment where device_id = %s and during @> now() order by 2"
    assert desk.ask(held, device) == [(one, 0), (two, 2)]
    desk.do(lambda acts: acts.unassign(device, user=0))
    assert desk.ask(held, device) == [(two, 2)]
    desk.do(lambda acts: acts.unassign(device))
    with pytest.raises(DeviceError, match="nobody's now"):
        desk.do(lambda acts: acts.unassign(device))
    whose = "select patient_id from device_assignment where device_id = %s and during @> %s::timestamptz"
    assert desk.ask(whose, device, earlier + timedelta(hours=2)) == [(one,)]
    assert desk.ask(whose, device, earlier + timedelta(days=2)) == [(two,)]


@pytest.mark.parametrize(
    ("span", "says"),
    [
        ({"since": NOW, "until": NOW}, "until a time after"),
        ({"since": NOW.replace(tzinfo=None)}, "with their zone"),
        ({"user": -1}, "from 0 to"),
        ({"patient": 999_999}, "no patient"),
    ],
)
def test_what_cannot_be_assigned_is_said(desk: Desk, span: dict[str, Any], says: str) -> None:
    device, patient = desk.trusts.north.patients[3].device_id, desk.trusts.north.patients[3].patient_id
    with pytest.raises(DeviceError, match=says):
        desk.do(lambda acts: acts.assign(device, **({"patient": patient} | span)))


def test_another_organisation_s_devices_patients_and_sites_are_not_there(desk: Desk) -> None:
    foreign = desk.trusts.south.patients[0]
    own = desk.trusts.north.patients[0]
    with pytest.raises(NotThereError):
        desk.do(lambda acts: acts.assign(foreign.device_id, own.patient_id))
    with pytest.raises(DeviceError, match="no patient"):
        desk.do(lambda acts: acts.assign(own.device_id, foreign.patient_id, user=9))
    with pytest.raises(DeviceError, match="no site"):
        desk.do(lambda acts: acts.place(own.device_id, foreign.site_id))


def test_a_device_is_at_one_site_at_a_time_and_was_where_it_is_said_to_have_been(desk: Desk) -> None:
    elm, oak = desk.trusts.north.sites["Elm House"], desk.trusts.north.sites["Oak House"]
    desk.do(lambda acts: acts.add("monitor-n", "monitor", site=elm))
    device = desk.device("monitor-n")
    moved = NOW - timedelta(days=2)
    desk.do(lambda acts: acts.place(device, oak, since=moved))
    where = "select site_id from device_placement where device_id = %s and during @> %s::timestamptz"
    assert desk.ask(where, device, moved - timedelta(minutes=1)) == [(elm,)]
    assert desk.ask(where, device, moved + timedelta(minutes=1)) == [(oak,)]
    assert desk.ask("select site_id from device where device_id = %s", device) == [(oak,)]
    desk.do(lambda acts: acts.place(device, None))
    assert desk.ask(where, device, datetime.now(UTC)) == []
    assert desk.ask(where, device, moved + timedelta(minutes=1)) == [(oak,)]


def test_a_resident_keeps_the_code_that_names_them(desk: Desk) -> None:
    patient = desk.trusts.north.patients[0].patient_id
    code = desk.do(lambda acts: acts.give_resident_code(patient))
    assert code == desk.do(lambda acts: acts.give_resident_code(patient))
    assert len(code) == 8
    told = desk.ask("select action from audit_log where object = %s order by audit_id", f"patient/{patient}")
    assert told == [("resident_code_given",), ("resident_code_shown",)]
    with pytest.raises(DeviceError, match="no patient"):
        desk.do(lambda acts: acts.give_resident_code(desk.trusts.south.patients[0].patient_id))


def test_a_devices_clock_has_a_known_zone(desk: Desk) -> None:
    desk.do(lambda acts: acts.add("cuff-zone", "cuff"))
    device = desk.device("cuff-zone")
    for zone in ("Asia/Kolkata", None, "Europe/London"):
        desk.do(lambda acts, zone=zone: acts.set_zone(device, zone))
        assert desk.ask("select time_zone from device where device_id = %s", device) == [(zone,)]
    with pytest.raises(DeviceError, match="Europe/Atlantis"):
        desk.do(lambda acts: acts.set_zone(device, "Europe/Atlantis"))
    assert desk.ask("select time_zone from device where device_id = %s", device) == [("Europe/London",)]


def test_the_command_says_what_is_needed_and_that_a_password_is_shown_once(
    desk: Desk, service_folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("HOMEWARD_DATABASE_URL", desk.database.url)
    monkeypatch.setenv("HOMEWARD_HOME", str(service_folder))
    said = {}
    for words in (["hub-told", "--kind", "hub"], ["cuff-told", "--kind", "cuff", "--hub", "hub-told"]):
        command = ["homeward", "device", "add", *words, "--organisation", "North"]
        monkeypatch.setattr("sys.argv", command)
        assert cli.main() == 0
        said[words[0]] = capsys.readouterr().out
    assert "with the password" in said["hub-told"]
    assert "shown this once and kept nowhere" in said["hub-told"]
    assert "The hub hub-told publishes for it" in said["cuff-told"]
    assert "needs no login" in said["cuff-told"]
    assert "with the password" not in said["cuff-told"]

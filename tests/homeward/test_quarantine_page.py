"""Can people work the quarantine off: look, assign and replay, replay, discard, one message or all of a cause?

A real Chromium on the real server with ingest's routes. What waits was put there by the writer itself.
"""

from __future__ import annotations

import re
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, expect

from dashboard.fields import read_time
from ingest.admission import Incoming, admit
from ingest.quarantine_replay import AT_ONCE
from ingest.registry import RegistryKeeper
from ingest.writer import write_batch
from schemas.database import open_pool
from schemas.topic import observations_topic
from tests.conftest import TestDatabase
from tests.dashboard import chromium
from tests.dashboard.chromium import WIDTHS, browser, expect_to_fit, violations
from tests.dashboard.conftest import PASSWORD, Served
from tests.homeward.test_entry import running
from tests.ingest.ward import payload

__all__ = ["browser"]  # a fixture
pytestmark = pytest.mark.browser
MANY = 2 * AT_ONCE + 30
# at noon: within an hour that comes twice, as clocks are set back, what is typed is not one instant
START = datetime.now(UTC).replace(hour=12, minute=0, second=0, microsecond=0) - timedelta(days=4)


@pytest.fixture(scope="module")
def house(module_database: TestDatabase) -> Iterator[Served]:
    """A server, with a spare device at the first home; nothing waits but what each test puts there."""
    with running(module_database) as served:
        served.ask("delete from quarantine")
        served.ask(
            "insert into device (organisation_id, site_id, code, kind, lane) values (%s, %s, 'spare', 'oximeter', 0)",
            served.trusts.north.organisation_id,
            served.trusts.north.sites["Elm House"],
        )
        yield served


@pytest.fixture
def empty(house: Served) -> Served:
    """A house in which nothing waits and the spare device is nobody's."""
    house.ask("delete from quarantine")
    house.ask("delete from device_assignment a using device d where d.device_id = a.device_id and d.code = 'spare'")
    return house


def put(house: Served, device: str, *values: dict[str, Any], each: timedelta = timedelta(minutes=1)) -> None:
    """Have messages of a device written as ingest does, a minute apart."""
    with open_pool(house.database.url_for("homeward_ingest"), "homeward_ingest") as pool:
        now = time.time_ns() // 1000
        topic = observations_topic(0, device)
        messages = [Incoming.from_topic(topic, payload(START + i * each, v), now) for i, v in enumerate(values)]
        with pool.connection() as connection:
            write_batch(connection, admit(messages, RegistryKeeper(pool)), now)


def open_page(house: Served, browser: Browser, who: str = "nurse", width: str = "desk", scheme: str = "light") -> Page:
    """Sign in and open the page."""
    page = chromium.open_page(browser, width, scheme, timezone_id="Europe/London")
    page.goto(f"{house.url}/sign-in?next=/quarantine")
    page.fill("#sign_in", who)
    page.fill("#password", PASSWORD)
    page.click("button[type=submit]")
    expect(page.locator("#quarantine-list .card").first).to_be_visible()
    return page


def waiting(house: Served) -> int:
    return int(house.ask("select count(*) from quarantine where status = 'waiting'")[0][0])


def test_a_nurse_says_whose_the_device_was_and_everything_that_waited_is_stored(
    empty: Served, browser: Browser
) -> None:
    put(empty, "spare", *({"spo2": 95} for _ in range(MANY)))
    page = open_page(empty, browser)
    cause = page.locator(".cause")
    expect(cause).to_have_count(1)
    expect(cause).to_contain_text("Nobody had the device at that time")
    expect(cause).to_contain_text(f"{MANY} messages with {MANY} observations")
    cause.get_by_text("Assign the device and replay").click()
    since, until = cause.get_by_label(re.compile("From")), cause.get_by_label(re.compile("Until"))
    expect(since).to_have_value(re.compile(r"\d{1,2} [A-Z][a-z]{2} \d{4} \d\d:\d\d"))
    begin, end = (read_time(box.input_value()) for box in (since, until))
    assert begin is not None
    assert end is not None
    assert begin < end
    box = cause.get_by_label(re.compile("Patient"))
    box.press_sequentially("Elm-1")
    option = page.locator("datalist option")
    expect(option).to_have_count(1)
    box.fill(option.get_attribute("value") or "")
    cause.get_by_role("button", name="Assign and replay").click()
    said = page.locator("#quarantine-said")
    expect(said).to_contain_text(f"Replayed {MANY} messages: {MANY} observations stored.")
    expect(page.locator("#quarantine-list")).to_contain_text("Nothing is in quarantine.")
    patient = empty.trusts.north.patients[0].patient_id
    stored = empty.ask(
        "select count(*), min(observed_at) from observation o join device d using (device_id) "
        "where d.code = 'spare' and o.patient_id = %s",
        patient,
    )
    assert stored == [(MANY, START)]
    account = empty.trusts.north.accounts["nurse"]
    actions = empty.ask("select action, count(*) from audit_log where account_id = %s group by 1", account)
    assert dict(actions)["device_assigned"] == 1
    assert dict(actions)["quarantine_replayed"] == -(-MANY // AT_ONCE)
    assert empty.ask("select distinct handled_by from quarantine") == [(account,)]
    page.context.close()


def test_what_still_cannot_be_stored_goes_on_waiting_and_is_told(empty: Served, browser: Browser) -> None:
    put(empty, "stranger", {"spo2": 95})
    with empty.client("nurse") as client:
        assert client.get("/api/v1/quarantine/causes").json() == [], "nobody's: there are two organisations"
    empty.ask("update quarantine set organisation_id = %s", empty.trusts.north.organisation_id)
    # of a device that is nowhere nobody knows whose it is
    page = open_page(empty, browser, "admin")
    page.get_by_role("button", name="Replay").click()
    expect(page.locator("#quarantine-said")).to_contain_text("1 message cannot be stored yet and still waits.")
    assert waiting(empty) == 1
    page.context.close()


def test_a_technician_discards_one_and_then_the_rest_with_a_reason_and_sees_no_figure(
    empty: Served, browser: Browser
) -> None:
    code = f"oximeter-{empty.trusts.north.patients[1].patient_id}"
    put(empty, code, *({"spo2": value} for value in (7, 8, 9)))
    page = open_page(empty, browser, "technician")
    cause = page.locator(".cause")
    expect(cause).to_contain_text("Value that no device can measure")
    cause.get_by_text("Look at the newest messages").click()
    expect(cause.locator("pre").first).to_contain_text('"spo2": 0')
    first = cause.locator(".cause-message").first
    number = int(first.get_attribute("data-item") or 0)
    first.get_by_text("Discard…").click()
    first.get_by_role("button", name="Discard").click()
    said = page.locator("#quarantine-said")
    expect(said).to_contain_text("Say why they are not wanted.")
    assert waiting(empty) == 3
    first.get_by_label("Why they are not wanted").fill("The probe was off")
    first.get_by_role("button", name="Discard").click()
    expect(said).to_contain_text("Discarded 1 message.")
    expect(cause).to_contain_text("2 messages")
    assert empty.ask("select note, status from quarantine where quarantine_id = %s", number) == [
        ("The probe was off", "discarded")
    ]
    cause.get_by_text("Discard all 2…").click()
    cause.locator("#discard-all-0").fill("The probe was off")
    cause.get_by_role("button", name="Discard all 2").click()
    expect(said).to_contain_text("Discarded 2 messages.")
    expect(page.locator("#quarantine-list")).to_contain_text("Nothing is in quarantine.")
    page.context.close()


def test_the_keyboard_alone_replays(empty: Served, browser: Browser) -> None:
    put(empty, "spare", {"spo2": 95})
    page = open_page(empty, browser)
    page.get_by_role("button", name="Replay").focus()
    page.keyboard.press("Enter")
    expect(page.locator("#quarantine-said")).to_contain_text("still waits")
    page.context.close()


def test_others_may_not(empty: Served) -> None:
    put(empty, "spare", {"spo2": 95})
    choice = {"reason": "unassigned"}
    for who in ("carer", "reader", "auditor"):
        with empty.client(who) as client:
            for path in ("replay", "span", "discard"):
                body = choice | ({"note": "x"} if path == "discard" else {})
                assert client.post(f"/api/v1/quarantine/{path}", json=body).status_code == 403, (who, path)
    with empty.client("technician") as client:
        # mends, and says of nobody's device whose it was
        body = {"device_id": 1, "patient_id": 1, "from": START.isoformat()}
        assert client.post("/api/v1/quarantine/assign", json=body).status_code == 403
    with empty.client("south-nurse") as client:
        assert client.post("/api/v1/quarantine/replay", json=choice).json()["messages"] == 0
        assert client.post("/api/v1/quarantine/discard", json=choice | {"note": "x"}).json()["messages"] == 0
    with empty.client() as client:
        assert client.post("/api/v1/quarantine/replay", json=choice).status_code == 401
    assert waiting(empty) == 1


def test_what_waits_is_worked_off_where_its_device_is(empty: Served) -> None:
    north = empty.trusts.north
    elm, oak = (next(p for p in north.patients if p.site_id == north.sites[s]) for s in ("Elm House", "Oak House"))
    hands = empty.ask(
        "insert into device (organisation_id, code, kind, lane) values (%s, %s, 'manual', 0) returning device_id",
        north.organisation_id,
        f"hands-{time.monotonic_ns()}",
    )[0][0]
    rows = [("elm", elm.device_id, None), ("oak", oak.device_id, None), ("nowhere", hands, None),
            ("unknown", None, None), ("by hand for oak", hands, oak.patient_id)]  # fmt: skip
    for name, device, patient in rows:
        empty.ask(
            "insert into quarantine (organisation_id, device_id, patient_id, topic, payload, reason, detail, "
            "received_at) values (%s, %s, %s, %s, %s, 'malformed', 'x', now())",
            north.organisation_id,
            device,
            patient,
            name,
            name.encode(),
        )
    # a person may have been given a device of their own that is at no site
    empty.ask(
        "insert into device_assignment (organisation_id, device_id, patient_id, during) values (%s, %s, %s, '(,)')",
        north.organisation_id,
        hands,
        elm.patient_id,
    )
    everything = {name for name, _, _ in rows}
    at_elm = {"elm", "nowhere", "by hand for oak"}
    for who, site, seen in (
        ("admin", None, everything),
        ("technician", None, everything),
        ("technician", "Oak House", {"oak"}),
        ("nurse", None, everything - {"unknown"}),
        ("nurse", "Elm House", at_elm),
        ("admin", "Elm House", at_elm | {"unknown"}),
    ):
        account = north.accounts[who]
        empty.ask("update account set all_sites = %s where account_id = %s", site is None, account)
        if site:
            empty.ask("delete from account_site where account_id = %s", account)
            empty.ask("insert into account_site values (%s, %s, %s)", account, north.sites[site], north.organisation_id)
        with empty.client(who) as client:
            listed = {item["topic"] for item in client.get("/api/v1/quarantine").json()["items"]}
            assert listed == seen, (who, site)
            told = client.get("/api/v1/quarantine/causes").json()
            assert sum(cause["messages"] for cause in told) == len(seen), (who, site)
            # a request made by hand reaches no more than the page shows
            span = client.post("/api/v1/quarantine/span", json={"reason": "malformed"})
            assert span.status_code == 200
            tried = client.post("/api/v1/quarantine/replay", json={"reason": "malformed"}).json()
            assert (tried["messages"], tried["next"], tried["left"]) == (len(seen), None, 0), (who, site)
        empty.ask("update account set all_sites = true where account_id = %s", account)
    numbers = dict(empty.ask("select topic, quarantine_id from quarantine"))
    empty.ask("update account set all_sites = false where account_id = %s", north.accounts["technician"])
    with empty.client("technician") as client:
        for path, more in (("replay", {}), ("discard", {"note": "x"})):
            given = {"items": [numbers["elm"], numbers["unknown"]]} | more
            assert client.post(f"/api/v1/quarantine/{path}", json=given).json()["messages"] == 0
    empty.ask("update account set all_sites = true where account_id = %s", north.accounts["technician"])
    assert waiting(empty) == len(rows)


@pytest.mark.parametrize("fault", ["other's patient", "other's device", "taken", "backwards"])
def test_an_assignment_that_cannot_be_is_refused(empty: Served, fault: str) -> None:
    north, south = empty.trusts.north, empty.trusts.south
    [(spare,)] = empty.ask("select device_id from device where code = 'spare'")
    good = {"device_id": spare, "patient_id": north.patients[0].patient_id, "from": START.isoformat()}
    body, status = {
        "other's patient": (good | {"patient_id": south.patients[0].patient_id}, 404),
        "other's device": (good | {"device_id": south.patients[0].device_id}, 404),
        "taken": (good | {"device_id": north.patients[1].device_id}, 409),
        "backwards": (good | {"until": (START - timedelta(days=1)).isoformat()}, 422),
    }[fault]
    with empty.client("nurse") as client:
        assert client.post("/api/v1/quarantine/assign", json=body).status_code == status
    assert empty.ask("select count(*) from device_assignment where device_id = %s", spare) == [(0,)]


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_the_page_with_everything_open_is_accessible_and_does_not_scroll_sideways(
    empty: Served, browser: Browser, scheme: str
) -> None:
    put(empty, "spare", *({"spo2": 95, "pulse": 60} for _ in range(4)))
    code = f"oximeter-{empty.trusts.north.patients[1].patient_id}"
    put(empty, code, {"spo2": 7}, {"spo2": {"value": 9, "unit": "mm[Hg]"}, "quite_unheard_of": 1})
    for width in WIDTHS:
        page = open_page(empty, browser, width=width, scheme=scheme)
        expect(page.locator("#live")).to_have_class(re.compile("live-on"))
        page.evaluate("document.querySelectorAll('.cause details').forEach(d => { d.open = true; })")
        expect(page.locator(".field-from input, input.field-from").first).to_have_value(re.compile(r"\d"))
        assert violations(page) == [], width
        expect_to_fit(page, width)
        page.context.close()

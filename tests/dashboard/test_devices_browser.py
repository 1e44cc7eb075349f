"""Can those who look after devices find one among ten thousand, add one, give it to somebody, and retire it?"""

import os
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect

from homeward.devices import DeviceLogins
from homeward.installation import Addresses
from homeward.local.programs import Programs
from homeward.settings import Settings
from tests.conftest import TestBroker, TestDatabase
from tests.dashboard import chromium
from tests.dashboard.chromium import WIDTHS, browser, expect_to_fit, violations
from tests.dashboard.conftest import PASSWORD, Served, connect, make_trusts, serve
from tests.homeward.test_broker import Peer

__all__ = ["browser"]  # a fixture
pytestmark = pytest.mark.browser
ROW = "#device-grid .ag-center-cols-container .ag-row"
MANY = 10_000
SCREENSHOTS = os.environ.get("HOMEWARD_TEST_SCREENSHOTS")


@pytest.fixture(scope="module")
def kept(
    module_database: TestDatabase, broker: TestBroker, service_folder: Path, programs: Programs
) -> Iterator[Served]:
    """A trust with ten thousand devices: one in four is offline, one in ten low, half have said nothing."""
    trusts = make_trusts(module_database)
    with connect(module_database) as connection:
        connection.execute(
            "insert into device (organisation_id, site_id, code, kind, lane) select %s, %s, "
            "'cuff-' || lpad(i::text, 5, '0'), 'cuff', i %% 16 from generate_series(1, %s) i",
            [trusts.north.organisation_id, trusts.north.sites["Oak House"], MANY],
        )
        connection.execute(
            "insert into device_standing (device_id, organisation_id, online, since, battery, firmware, reported_at) "
            "select device_id, organisation_id, device_id % 4 <> 0, now() - device_id * interval '1 minute', "
            "case when device_id % 10 = 0 then 9 else 80 end, '1.4.2', now() from device "
            "where code like 'cuff-%' and device_id % 2 = 0"
        )
        connection.execute("analyze")
    provisioner = broker.server.credentials("homeward-provisioning")
    broker.accounts.add_service(*provisioner, role="homeward-provisioning")
    logins = DeviceLogins(Addresses(Settings(home=service_folder), programs), provisioner.user)
    with serve(module_database, device_logins=logins) as url:
        yield Served(url, module_database, trusts)


def sign_in(kept: Served, browser: Browser, name: str, scheme: str = "light") -> Page:
    """Sign in through the form, in a session of one's own."""
    return chromium.sign_in(chromium.open_page(browser, scheme=scheme), kept.url, name, PASSWORD)


def open_list(kept: Served, page: Page) -> None:
    page.goto(f"{kept.url}/devices")
    expect(page.locator(f"{ROW} a").first).to_be_visible()


def test_one_of_ten_thousand_is_found_by_filter_and_by_search(kept: Served, browser: Browser) -> None:
    page = sign_in(kept, browser, "technician")
    open_list(kept, page)
    [(offline, in_use)] = kept.ask(
        "select (select count(*) from device_standing where online is false), (select count(*) from device "
        "where organisation_id = %s and retired_at is null)",
        kept.trusts.north.organisation_id,
    )
    expect(page.locator("#device-count-in_use")).to_have_text(f"{in_use:,}")
    expect(page.locator("#device-count-offline")).to_have_text(f"{offline:,}")
    page.get_by_role("button", name=re.compile("Offline")).click()
    expect(page.locator(f"{ROW} .state-bad").first).to_contain_text("Offline")
    expect(page.get_by_role("button", name=re.compile("Offline"))).to_have_attribute("aria-pressed", "true")
    page.get_by_role("button", name=re.compile("In use")).click()
    page.fill("#device-search", "cuff-09999")
    expect(page.locator(ROW)).to_have_count(1)
    expect(page.locator(f"{ROW} a").first).to_have_text("cuff-09999")
    page.fill("#device-search", "no such device")
    expect(page.locator("#device-empty")).to_be_visible()
    page.context.close()


def test_a_device_is_added_given_away_and_retired(kept: Served, browser: Browser, broker: TestBroker) -> None:
    page = sign_in(kept, browser, "admin")
    open_list(kept, page)
    page.get_by_role("link", name="Add a device").click()
    page.get_by_role("button", name="Add it").click()
    expect(page.locator("#new-said")).to_contain_text("Give it a code first")
    page.fill("#new-code", "oximeter-new")
    page.locator("#new-kind").click()
    page.get_by_role("option", name="Pulse oximeter").click()
    page.locator("#new-site").click()
    page.get_by_role("option", name="Elm House").click()
    page.get_by_role("button", name="Add it").click()
    card = page.locator("#device-secret-card")
    expect(card.locator("img")).to_be_visible()
    if SCREENSHOTS:
        page.screenshot(path=f"{SCREENSHOTS}/devices-login.png", full_page=True)
    assert violations(page) == []
    password = card.locator("dt", has_text="Password").locator("xpath=following-sibling::dd").inner_text()
    topic = card.locator("dt", has_text="Topic for observations").locator("xpath=following-sibling::dd").inner_text()
    peer = Peer(broker, "oximeter-new", password)
    assert peer.publish(topic).startswith(("Success", "No matching"))
    peer.close()
    page.get_by_role("link", name="Open the device").click()
    expect(page.locator("h1")).to_have_text("oximeter-new")
    assert password not in page.content()
    page.locator("#device-patient").click()
    page.locator("#device-patient").press_sequentially("Elm-1")
    page.get_by_role("option", name=re.compile("Given Elm-1")).click()
    page.get_by_role("button", name="Give it").click()
    expect(page.locator("#device-said")).to_contain_text("It is the patient's")
    expect(page.get_by_role("region", name="Whose it was")).to_contain_text("Given Elm-1")
    # what cannot be done is said where one looks
    page.fill("#device-since", "yesterday")
    page.get_by_role("button", name="Give it").click()
    expect(page.locator("#device-said")).to_contain_text("Choose a patient first")
    page.get_by_text("New login").click()
    page.get_by_role("button", name="Make a new password").click()
    expect(page.locator("#device-said")).to_contain_text("new login")
    renewed = page.locator("#device-secret-card dt", has_text="Password").locator("xpath=following-sibling::dd")
    expect(renewed).not_to_have_text(password)
    page.get_by_text("Retire it").click()
    page.get_by_role("button", name="Retire oximeter-new").click()
    expect(page.locator("#device-said")).to_contain_text("It is retired")
    assert kept.ask("select retired_at is not null from device where code = 'oximeter-new'") == [(True,)]
    assert kept.ask("select count(*) from audit_log where action = 'device_retired'") == [(1,)]
    page.context.close()


def test_a_device_behind_a_hub_is_given_no_login_to_copy(kept: Served, browser: Browser) -> None:
    kept.ask(
        "insert into device (organisation_id, code, kind, lane) values (%s, 'hub-page', 'hub', 0) returning 1",
        kept.trusts.north.organisation_id,
    )
    page = sign_in(kept, browser, "admin")
    page.goto(f"{kept.url}/devices/new")
    page.fill("#new-code", "cuff-behind")
    page.locator("#new-kind").click()
    page.get_by_role("option", name="Blood pressure cuff").click()
    page.locator("#new-hub").click()
    page.get_by_role("option", name="hub-page").click()
    page.get_by_role("button", name="Add it").click()
    expect(page.locator("#device-behind")).to_contain_text("It needs no login: hub-page publishes for it")
    expect(page.locator("#device-secret-card")).to_have_count(0)
    page.context.close()


def test_a_technician_gives_a_device_to_a_number_and_sees_no_name(kept: Served, browser: Browser) -> None:
    patient = kept.trusts.north.patients[1].patient_id
    [(device,)] = kept.ask("select device_id from device where code = 'cuff-00007'")
    page = sign_in(kept, browser, "technician")
    page.goto(f"{kept.url}/devices/{device}")
    page.fill("#device-patient", str(patient))
    page.get_by_role("button", name="Give it").click()
    expect(page.get_by_role("region", name="Whose it was")).to_contain_text(f"Patient {patient}")
    assert "Elm-2" not in page.content()
    page.get_by_text("Take it back", exact=True).click()
    page.get_by_role("button", name="Take it back from everybody").click()
    expect(page.locator("#device-said")).to_contain_text("nobody's now")
    page.context.close()


def test_a_clock_gets_its_zone_and_a_resident_their_code(kept: Served, browser: Browser) -> None:
    [(device,)] = kept.ask("select device_id from device where code = 'cuff-00012'")
    site = kept.trusts.north.sites["Elm House"]
    kept.ask("update device set site_id = %s where device_id = %s returning 1", site, device)
    page = sign_in(kept, browser, "admin")
    page.goto(f"{kept.url}/devices/{device}")
    page.locator("#device-zone").click()
    page.locator("#device-zone").fill("Kolkata")
    page.get_by_role("option", name="Asia/Kolkata").click()
    page.get_by_role("button", name="Set it").click()
    expect(page.locator("#device-said")).to_contain_text("time zone is changed")
    fact = page.locator(".device-facts dt", has_text="Clock's time zone").locator("xpath=following-sibling::dd")
    expect(fact).to_have_text("Asia/Kolkata")
    page.get_by_role("button", name="Show the code").click()
    expect(page.locator("#device-said")).to_contain_text("Choose a resident first")
    # only who lives where the device is can be meant by it
    box = page.locator("#device-resident")
    box.click()
    box.press_sequentially("Given")
    expect(page.get_by_role("option").first).to_contain_text("Elm House")
    expect(page.get_by_role("option", name=re.compile("Oak House"))).to_have_count(0)
    page.get_by_role("option", name=re.compile("Given Elm-1")).click()
    page.get_by_role("button", name="Show the code").click()
    expect(page.locator("#device-said strong")).to_have_text(re.compile("[A-Z2-9]{8}"))
    patient = kept.trusts.north.patients[0].patient_id
    [(code,)] = kept.ask("select resident_code from patient where patient_id = %s", patient)
    expect(page.locator("#device-said")).to_contain_text("Given Elm-1")
    expect(page.locator("#device-said strong")).to_have_text(code)
    given = "select account_id from audit_log where action = 'resident_code_given' and object = %s"
    assert kept.ask(given, f"patient/{patient}") == [(kept.trusts.north.accounts["admin"],)]
    page.context.close()


def test_who_may_only_look_finds_no_act(kept: Served, browser: Browser) -> None:
    [(device,)] = kept.ask("select device_id from device where code = 'cuff-00008'")
    page = sign_in(kept, browser, "reader")
    open_list(kept, page)
    expect(page.get_by_role("link", name="Add a device")).to_have_count(0)
    page.goto(f"{kept.url}/devices/{device}")
    expect(page.locator("h1")).to_have_text("cuff-00008")
    expect(page.locator("button[id^=device-act]")).to_have_count(0)
    page.goto(f"{kept.url}/devices/new")
    expect(page.get_by_role("alert")).to_contain_text("role")
    page.goto(f"{kept.url}/devices/{kept.trusts.south.patients[0].device_id}")
    expect(page.locator("#main")).to_contain_text("no such device")
    page.context.close()


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_the_pages_can_be_used_by_everybody_at_every_width(kept: Served, browser: Browser, scheme: str) -> None:
    [(device,)] = kept.ask("select device_id from device where code = 'cuff-00010'")
    page = sign_in(kept, browser, "admin", scheme=scheme)
    for name, path, seen in (
        ("list", "/devices", f"{ROW} a"),
        ("one", f"/devices/{device}", "#device-act-retire"),
        ("new", "/devices/new", "#new-add"),
    ):
        page.goto(kept.url + path)
        for width, (across, down) in WIDTHS.items():
            page.set_viewport_size({"width": across, "height": down})
            expect(page.locator(seen).first).to_be_attached()
            expect_to_fit(page, (path, across))
            if SCREENSHOTS:
                page.screenshot(path=f"{SCREENSHOTS}/devices-{name}-{width}-{scheme}.png", full_page=True)
        assert violations(page) == [], path
    page.context.close()

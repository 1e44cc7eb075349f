"""Can people say where they are told, and an administrator who is told when, and does it then happen?

The whole way: a real Chromium, the real server, a real notifier with a real mail server, a real TimescaleDB.
"""

import os
import re
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect

from homeward.notify import service as notifier
from homeward.notify.ways import Outside
from tests.conftest import TestDatabase
from tests.dashboard import chromium
from tests.dashboard.bedside import browser, house, violations
from tests.dashboard.chromium import WIDTHS, expect_to_fit
from tests.dashboard.conftest import connect
from tests.dashboard.test_pages_browser import House
from tests.homeward.notify.house import Mailbox
from tests.waiting import PATIENCE_S, wait_until

__all__ = ["browser", "house"]  # fixtures
pytestmark = pytest.mark.browser
PAGES = {
    "sent": ("/messages", "#sent-list .card"),
    "ladders": ("/messages/ladders", "#try-shown li"),
    "rotas": ("/messages/rotas", "#rota-shown .m-day"),
    "channels": ("/messages/channels", "#channel-list .card"),
    "own": ("/account/messages", "#own-told .section"),
}


@dataclass(frozen=True)
class Post:
    """A notifier at work and the mails that it handed in."""

    mailbox: Mailbox

    def code_for(self, address: str) -> str:
        """Wait for the code that was sent to an address."""
        mail = wait_until(lambda: next((m for m in self.mailbox.mails if m["To"] == address), None))
        found = re.search(r"\b\d{6}\b", mail.get_content())
        assert found is not None
        return found[0]


@pytest.fixture(scope="module")
def post(module_database: TestDatabase, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Post]:
    mailbox, stop, ready = Mailbox(), threading.Event(), threading.Event()
    outside = Outside("http://127.0.0.1:1", mailbox.url, networks=("127.0.0.0/8",))
    home = tmp_path_factory.mktemp("notifier")
    url = module_database.url_for("homeward_notify")
    thread = threading.Thread(target=notifier.run, args=(url, outside, home, stop, ready.set))
    thread.start()
    assert ready.wait(PATIENCE_S)
    yield Post(mailbox)
    stop.set()
    thread.join(PATIENCE_S)
    mailbox.stop()


def open_page(house: House, browser: Browser, path: str, name: str = "admin", **more: str) -> Page:
    page = house.sign_in(browser, name, **more)
    page.goto(house.url + path)
    return page


def choose(page: Page, name: str, label: str) -> None:
    """Choose by the label of an option, as people do."""
    page.locator(f"[id='{name}']").click()
    page.get_by_role("option", name=label, exact=True).click()


def field(page: Page, tier: int, name: str) -> str:
    return f'{{"field":"{name}","tier":{tier},"type":"ladder-field"}}'


def give_address(house: House, name: str, address: str) -> None:
    """Let somebody have an address that is confirmed, where they have not confirmed it themselves."""
    with connect(house.database) as connection:
        connection.execute(
            "insert into contact (organisation_id, account_id, kind, address, verified_at) "
            "select organisation_id, account_id, 'email', %s, now() from account where sign_in = %s "
            "on conflict do nothing",
            [address, name],
        )


def confirm_address(house: House, browser: Browser, post: Post, name: str, address: str) -> Page:
    page = open_page(house, browser, "/account/messages", name)
    page.fill("#own-address", address)
    page.click("#own-add")
    expect(page.locator("#own-said")).to_contain_text("A code is on its way")
    row = page.locator(".m-contact", has_text=address)
    row.get_by_label(f"Code: {address}").fill("000000" if post.code_for(address) != "000000" else "000001")
    row.get_by_role("button", name="Confirm").click()
    expect(page.locator("#own-said")).to_contain_text("That is not the code.")
    row.get_by_label(f"Code: {address}").fill(post.code_for(address))
    row.get_by_role("button", name="Confirm").click()
    expect(page.locator("#own-said")).to_contain_text("This address is confirmed")
    return page


def test_an_address_is_confirmed_by_its_code_and_gets_a_test(house: House, browser: Browser, post: Post) -> None:
    page = confirm_address(house, browser, post, "nurse", "rosa@trust.example")
    row = page.locator(".m-contact", has_text="rosa@trust.example")
    before = len(post.mailbox.mails)
    row.get_by_role("button", name="Send a test").click()
    expect(page.locator("#own-told tr", has_text="Test")).to_contain_text("Delivered")
    assert len(post.mailbox.mails) == before + 1
    toggle = row.get_by_role("button", name="Tell me here")
    expect(toggle).to_have_attribute("aria-pressed", "true")
    toggle.click()
    expect(toggle).to_have_attribute("aria-pressed", "false")
    toggle.click()
    expect(toggle).to_have_attribute("aria-pressed", "true")
    with connect(house.database) as connection:
        kept = connection.execute("select code_hash, verified_at is not null from contact").fetchall()
        acts = connection.execute(
            "select action from audit_log where object like 'contact/%' order by audit_id"
        ).fetchall()
    assert kept == [(None, True)]
    changes = ["contact_changed"] * 2
    assert [a for (a,) in acts] == ["contact_added", "contact_confirmed", "test_message", *changes]
    page.context.close()


def test_what_is_no_address_is_refused_with_what_to_write(house: House, browser: Browser, post: Post) -> None:
    page = open_page(house, browser, "/account/messages", "nurse")
    page.fill("#own-address", "rosa at trust")
    page.click("#own-add")
    expect(page.locator("#own-said")).to_contain_text("write it like name@trust.example")
    page.context.close()


def test_an_administrator_makes_a_rota_and_a_ladder_and_sees_whom_it_reaches(
    house: House, browser: Browser, post: Post
) -> None:
    give_address(house, "nurse", "rosa@trust.example")
    page = open_page(house, browser, "/messages/ladders")
    expect(page.locator("#ladder-shown")).to_contain_text("nobody is told of alerts")
    page.goto(f"{house.url}/messages/rotas")
    page.click(".m-page summary")
    page.fill("#rota-name", "Nights")
    choose(page, '{"field":"account","part":"shift","row":0,"type":"rota-field"}', "Rosa Mbeki")
    page.fill('[id=\'{"field":"start","part":"shift","row":0,"type":"rota-field"}\']', "20:00")
    page.fill('[id=\'{"field":"end","part":"shift","row":0,"type":"rota-field"}\']', "08:00")
    page.fill("#rota-reason", "First rota")
    page.click("#rota-publish")
    expect(page.locator("#rota-said")).to_contain_text("Version 1 is in force")
    expect(page.locator("#rota-shown .m-day")).to_have_count(14)
    expect(page.locator("#rota-shown")).to_contain_text("Nobody is on call: every day 08:00 to 20:00")

    page.goto(f"{house.url}/messages/ladders")
    page.click(".m-page summary")
    page.fill(f"[id='{field(page, 0, 'name')}']", "Night nurse")
    choose(page, field(page, 0, "who"), "On call: Nights")
    page.fill(f"[id='{field(page, 0, 'start')}']", "20:00")
    page.fill(f"[id='{field(page, 0, 'end')}']", "08:00")
    page.fill(f"[id='{field(page, 1, 'name')}']", "Office")
    page.fill(f"[id='{field(page, 1, 'after')}']", "10")
    page.fill(f"[id='{field(page, 1, 'addresses')}']", "office@trust.example")
    page.click("#ladder-publish")
    expect(page.locator("#ladder-said")).to_contain_text("Say why")
    page.fill("#ladder-reason", "First ladder")
    page.click("#ladder-publish")
    expect(page.locator("#ladder-said")).to_contain_text("Version 1 is in force")
    shown = page.locator("#try-shown")
    expect(shown).to_contain_text("A red alert at 03:00 on Sunday")
    expect(shown.locator("li").nth(0)).to_have_text("Sun 03:00 Night nurse: Rosa Mbeki (e-mail)")
    expect(shown.locator("li").nth(1)).to_have_text("Sun 03:10 Office: office@trust.example (e-mail)")
    page.fill("#try-time", "12:00")
    expect(shown.locator("li")).to_have_count(1)
    page.fill("#try-time", "noon")
    expect(shown).to_contain_text("Write the time like 03:00")
    page.context.close()


def test_an_alert_then_goes_where_the_page_said(house: House, browser: Browser, post: Post) -> None:
    with connect(house.database) as connection:
        connection.execute(
            "insert into notification_job (organisation_id, episode_id, key, severity) "
            "select organisation_id, episode_id, 'browser-test', 3 from episode where phase = 'active' "
            "and acknowledged_at is null order by severity desc limit 1"
        )
    wait_until(lambda: [m for m in post.mailbox.mails if "alert" in m["Subject"]])
    page = open_page(house, browser, "/messages")
    expect(
        page.locator("#sent-list tr", has_text="Alert")
        .or_(page.locator("#sent-list tr", has=page.locator(".badge")))
        .first
    ).to_contain_text("Delivered")
    page.context.close()


def test_it_is_said_beside_the_alert_who_was_told(house: House, browser: Browser, post: Post) -> None:
    with connect(house.database) as connection:
        [(patient,)] = connection.execute(
            "select e.patient_id from notification_job join episode e using (episode_id) where key = 'browser-test'"
        ).fetchall()
    page = open_page(house, browser, f"/patients/{patient}", "nurse")
    told = page.locator("#patient-episodes .told")
    expect(told).to_contain_text(re.compile(r"(Red|Amber|Yellow) since "))
    expect(told).to_contain_text("taken by the mail server")
    assert violations(page) == []
    page.context.close()


def test_the_last_tier_is_told_again_where_a_ladder_says_so(house: House, browser: Browser, post: Post) -> None:
    page = open_page(house, browser, "/messages/ladders")
    expect(page.locator("#ladder-shown")).to_contain_text("After the last tier nobody is told again.")
    page.click(".m-page summary")
    page.fill(f"[id='{field(page, -1, 'repeat')}']", "soon")
    page.fill("#ladder-reason", "Nights are long")
    page.click("#ladder-publish")
    expect(page.locator("#ladder-said")).to_contain_text("'soon' is no number of minutes from 1 to 1440")
    page.fill(f"[id='{field(page, -1, 'repeat')}']", "30")
    page.click("#ladder-publish")
    expect(page.locator("#ladder-said")).to_contain_text("Version 2 is in force")
    expect(page.locator("#ladder-shown")).to_contain_text("The last tier is told again every 30 min")
    expect(page.locator("#try-shown")).to_contain_text("Then Office again every 30 min, until somebody acknowledges.")
    page.context.close()


def test_a_tier_that_reaches_nobody_is_said_before_an_alert(house: House, browser: Browser, post: Post) -> None:
    with connect(house.database) as connection:
        connection.execute("update contact set wanted = false")
    for path, shown in (("/messages", "#sent-standing"), ("/system", "#system-list")):
        page = open_page(house, browser, path)
        expect(page.locator(shown)).to_contain_text("Night nurse reaches nobody")
        expect(page.locator(shown)).to_contain_text("Rosa Mbeki: no confirmed address in use")
        page.context.close()
    page = open_page(house, browser, "/residents", "nurse")
    expect(page.locator("#residents-list .untold").first).to_contain_text("Night nurse reaches nobody")
    page.context.close()
    with connect(house.database) as connection:
        connection.execute("update contact set wanted = true")


def test_an_administrator_enters_where_somebody_on_call_is_told(house: House, browser: Browser, post: Post) -> None:
    page = open_page(house, browser, "/people")
    page.get_by_label("Change Rosa Mbeki").click()
    page.fill("#contact-address", "900123")
    page.click("#contact-add")
    expect(page.locator("#contact-said")).to_contain_text("with its country code")
    page.fill("#contact-address", "07700 900123")
    page.click("#contact-add")
    expect(page.locator("#person-contacts")).to_contain_text("+447700900123 entered by Tom Whitfield")
    expect(page.locator("#contact-said")).to_contain_text("a test message is on its way")
    assert chromium.violations(page, "#people-form") == []
    page.get_by_label("Remove: +447700900123").click()
    expect(page.locator("#person-contacts")).not_to_contain_text("+447700900123")
    page.context.close()


def test_a_channels_secret_is_taken_in_and_never_shown(house: House, browser: Browser, post: Post) -> None:
    page = open_page(house, browser, "/messages/channels")
    page.fill("#channel-name", "Paging")
    page.fill("#channel-url", "https://hooks.trust.example/alerts")
    page.fill("#channel-secret", "short")
    page.click("#channel-add")
    expect(page.locator("#channel-said")).to_contain_text("at least 16 characters")
    page.fill("#channel-secret", "a-secret-of-enough-length")
    page.click("#channel-add")
    expect(page.locator("#channel-said")).to_contain_text("The channel is set up")
    expect(page.locator("#channel-list")).to_contain_text("hooks.trust.example")
    expect(page.locator("#channel-secret")).to_have_value("")
    assert "a-secret-of-enough-length" not in page.content()
    with connect(house.database) as connection:
        rows = connection.execute("select settings::text, sealed from channel").fetchall()
        told = connection.execute("select detail::text from audit_log where action like 'channel%'").fetchall()
    assert b"a-secret" not in bytes(rows[0][1])
    assert "a-secret" not in rows[0][0] + str(told)
    page.context.close()


def test_who_is_no_administrator_sets_nothing_up(house: House, browser: Browser, post: Post) -> None:
    for path, shown in (
        ("/messages", "#sent-list"),
        ("/messages/ladders", "#ladder-shown"),
        ("/messages/rotas", "#rota-shown"),
        ("/messages/channels", "#channel-list"),
    ):
        page = open_page(house, browser, path, "nurse")
        expect(page.locator(shown)).to_contain_text("Your role")
        page.context.close()


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_every_page_is_readable_by_everybody(house: House, browser: Browser, post: Post, scheme: str) -> None:
    page = house.sign_in(browser, "admin", scheme=scheme)
    for name, (path, seen) in PAGES.items():
        page.goto(house.url + path)
        expect(page.locator(seen).first).to_be_visible()
        if page.locator(".m-page summary").count():
            page.click(".m-page summary")
        for width, (across, down) in WIDTHS.items():
            page.set_viewport_size({"width": across, "height": down})
            expect_to_fit(page, (name, width))
            if width != "tablet":
                assert violations(page) == [], (name, width)
            if folder := os.environ.get("HOMEWARD_TEST_PICTURES"):
                page.screenshot(path=Path(folder) / f"{name}-{width}-{scheme}.png", full_page=True)
    page.context.close()

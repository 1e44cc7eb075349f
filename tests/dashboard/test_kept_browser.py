"""Is what somebody was writing still there when their session ended meanwhile, and nobody else's to read?"""

import re

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.dashboard import seed
from tests.dashboard.bedside import browser, house
from tests.dashboard.chromium import open_page, until
from tests.dashboard.conftest import connect
from tests.dashboard.test_pages_browser import House

__all__ = ["browser", "house"]  # fixtures
pytestmark = pytest.mark.browser
WRITTEN = "Daughter comes at six. <img src=x onerror=document.title='hacked'>"


def sign_in(page: Page, name: str) -> None:
    page.fill("#sign_in", name)
    page.fill("#password", seed.PASSWORD)
    page.click("button[type=submit]")


def opened(house: House, browser: Browser) -> Page:
    """A browser of its own, in which the carer has signed in."""
    page = open_page(browser, "tablet")
    page.goto(f"{house.url}/sign-in")
    sign_in(page, "carer")
    expect(page.locator("#live")).to_have_class(re.compile("live-on"))
    return page


def end_session(house: House) -> None:
    """Let every session end, as twelve hours do, and let the open page hear of it at once."""
    with connect(house.database) as connection:
        ended = connection.execute("delete from session returning encode(token_hash, 'hex')").fetchall()
        for (token,) in ended:
            connection.execute("select pg_notify('homeward_session', %s)", [token])


def test_a_handover_that_was_being_written_is_put_back_after_signing_in_again(house: House, browser: Browser) -> None:
    page, patient = opened(house, browser), house.seeded.patients[0]
    page.goto(f"{house.url}/patients/{patient}/handover")
    expect(page.locator("#handover-situation")).not_to_have_value("")
    expect(page.locator("#live")).to_have_class(re.compile("live-on"))
    drafted = page.locator("#handover-background").input_value()
    page.locator("#handover-decision").fill(WRITTEN)
    page.locator("#handover-situation").fill("Weaker since noon.")
    end_session(house)
    page.wait_for_url(re.compile("/sign-in"))
    expect(page.get_by_role("status")).to_contain_text("What you had not saved is kept in this tab")
    sign_in(page, "carer")
    expect(page.locator("#handover-decision")).to_have_value(WRITTEN)
    expect(page.locator("#handover-situation")).to_have_value("Weaker since noon.")
    expect(page.locator("#handover-background")).to_have_value(drafted)
    expect(page.locator(".kept")).to_contain_text("read it, then save it")
    page.locator(".kept").get_by_role("button", name="Close").click()
    expect(page.locator(".kept")).to_have_count(0)
    # what was put back is what is signed
    page.get_by_role("button", name="Sign", exact=True).click()
    expect(page.locator("#handover-said")).to_contain_text("signed")
    with connect(house.database) as connection:
        row = connection.execute(
            "select sections ->> 'decision' from handover where patient_id = %s", [patient]
        ).fetchone()
    assert row == (WRITTEN,)
    page.context.close()


def test_a_half_entered_set_is_put_back(house: House, browser: Browser) -> None:
    page = opened(house, browser)
    page.goto(f"{house.url}/patients/{house.seeded.patients[0]}/observe")
    expect(page.locator("#observe-form")).to_have_attribute("data-ready", "1")
    expect(page.locator("#live")).to_have_class(re.compile("live-on"))
    page.locator("#observe-pulse").fill("88")
    page.locator("label[for=observe-on_oxygen-1]").click()
    page.locator("#observe-remark").fill("Slept badly.")
    end_session(house)
    page.wait_for_url(re.compile("/sign-in"))
    sign_in(page, "carer")
    expect(page.locator("#observe-pulse")).to_have_value("88")
    expect(page.locator("#observe-on_oxygen-1")).to_be_checked()
    expect(page.locator("#observe-remark")).to_have_value("Slept badly.")
    expect(page.locator("#observe-preview")).to_contain_text("NEWS2 between")
    page.context.close()


def test_what_was_written_about_somebody_in_a_box_is_shown_with_their_name(house: House, browser: Browser) -> None:
    page = opened(house, browser)
    page.goto(f"{house.url}/residents")
    expect(page.locator("#live")).to_have_class(re.compile("live-on"))
    page.get_by_role("button", name=re.compile("^Done")).first.click()
    expect(page.locator("#done-name")).not_to_be_empty()
    name = page.locator("#done-name").inner_text()
    page.locator("#done-body").fill(WRITTEN)
    end_session(house)
    page.wait_for_url(re.compile("/sign-in"))
    sign_in(page, "carer")
    expect(page.locator(".kept")).to_contain_text(f"{name}: {WRITTEN}")
    assert page.title().endswith("Homeward")
    page.context.close()


def test_nobody_else_gets_it(house: House, browser: Browser) -> None:
    page, patient = opened(house, browser), house.seeded.patients[0]
    page.goto(f"{house.url}/patients/{patient}")
    expect(page.locator("#live")).to_have_class(re.compile("live-on"))
    page.locator("#note-body").fill(WRITTEN)
    end_session(house)
    page.wait_for_url(re.compile("/sign-in"))
    sign_in(page, "nurse")
    expect(page.locator("#person [data-account]")).to_be_attached()
    expect(page.locator("#patient-episodes")).not_to_be_empty()
    until(page, "sessionStorage.getItem('homeward-kept') === null")
    expect(page.locator("#note-body")).to_have_value("")
    expect(page.locator(".kept")).to_have_count(0)
    page.context.close()


def test_a_session_that_ends_with_nothing_unsaved_says_only_that(house: House, browser: Browser) -> None:
    page = opened(house, browser)
    end_session(house)
    page.wait_for_url(re.compile("/sign-in"))
    expect(page.get_by_role("status")).to_have_text("Your session has ended. Sign in again to go on.")
    page.context.close()

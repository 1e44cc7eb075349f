"""Does a nurse with several sites see which one a page shows, that somebody waits at another, and how to get there?"""

from __future__ import annotations

import pytest
from playwright.sync_api import Browser, expect

from tests.dashboard import seed
from tests.dashboard.bedside import browser, house, sign_in, violations
from tests.dashboard.chromium import expect_to_fit, open_page, until
from tests.dashboard.conftest import connect
from tests.dashboard.test_pages_browser import ROW, House

__all__ = ["browser", "house"]  # fixtures
pytestmark = pytest.mark.browser
PAGES = {"/residents": "Residents", "/residents/round": "Round list", "/handover": "Shift handover"}


def sites(house: House) -> dict[str, int]:
    """The sites with how many wait at each."""
    with connect(house.database) as connection:
        return dict(
            connection.execute(
                "select s.name, count(distinct e.patient_id) from site s left join episode e on e.site_id = s.site_id "
                "and e.phase = 'active' and e.acknowledged_at is null and coalesce(e.snoozed_until, now()) <= now() "
                "group by 1 order by 1"
            ).fetchall()
        )


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_the_heading_names_the_site_and_the_others_are_offered(house: House, browser: Browser, scheme: str) -> None:
    waiting = sites(house)
    assert sum(1 for count in waiting.values() if count) > 1
    first = min(name for name in waiting if name != "Virtual ward")  # the first care home
    page = sign_in(house, browser, "nurse", {"width": 360, "height": 740}, scheme)
    for path, title in PAGES.items():
        page.goto(house.url + path)
        expect(page.locator("h1")).to_have_text(f"{title}: {first}")
        for name, count in waiting.items():
            button = page.locator(".site-choice button", has_text=name)
            if name == first:
                expect(button).to_have_count(0)
            else:
                expect(button).to_contain_text(f"{count} waiting" if count else "nobody waiting")
        expect_to_fit(page, path)
        assert violations(page) == [], path
    page.context.close()


def test_one_press_goes_to_another_site_on_every_page(house: House, browser: Browser) -> None:
    page = sign_in(house, browser, "nurse")
    page.goto(f"{house.url}/residents")
    page.locator(".site-choice button", has_text="Virtual ward").click()
    expect(page.locator("h1")).to_have_text("Residents: Virtual ward")
    expect(page.locator("#residents-lead")).to_contain_text("Virtual ward")
    expect(page.locator(".site-choice")).to_have_count(0)
    expect(page.locator("#site")).to_have_value("Virtual ward")
    page.goto(f"{house.url}/handover")
    expect(page.locator("h1")).to_have_text("Shift handover: Virtual ward")
    expect(page.locator(".site-choice")).to_have_count(0)
    page.context.close()


def test_who_works_at_one_site_has_nothing_to_choose(house: House, browser: Browser) -> None:
    page = sign_in(house, browser, "carer")
    page.goto(f"{house.url}/residents")
    expect(page.locator("h1")).to_have_text("Residents: Willow Court")
    expect(page.locator(".site-choice")).to_have_count(0)
    page.context.close()


def test_the_choice_of_whoever_was_here_before_hides_nobody(house: House, browser: Browser) -> None:
    with connect(house.database) as connection:
        connection.execute(
            "with locum as (insert into account (organisation_id, sign_in, name, role, all_sites, password_hash) "
            "select organisation_id, 'locum', 'Ada Nwosu', 'clinician', false, password_hash from account "
            "where sign_in = 'nurse' returning account_id, organisation_id) "
            "insert into account_site (account_id, site_id, organisation_id) "
            "select account_id, site_id, organisation_id from locum join site using (organisation_id) "
            "where site.name <> 'Virtual ward'"
        )
    page = open_page(browser)
    for name in ("nurse", "locum"):
        page.goto(f"{house.url}/sign-in")
        page.fill("#sign_in", name)
        page.fill("#password", seed.PASSWORD)
        page.click("button[type=submit]")
        expect(page.locator(f"{ROW} .cell-name").first).to_be_visible()
        expect(page.locator("#site")).to_have_value("All sites")
        if name == "nurse":
            page.locator("#site").click()
            page.get_by_role("option", name="Virtual ward").click()
            expect(page.locator("#site")).to_have_value("Virtual ward")
            until(page, "JSON.stringify(sessionStorage).includes('site.value')")
            page.locator(".person-menu summary").click()
            page.locator("#sign-out").click()
            page.wait_for_url(f"{house.url}/sign-in")
    page.context.close()

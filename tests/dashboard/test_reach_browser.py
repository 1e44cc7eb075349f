"""Is what has the focus ever behind a bar on a telephone (WCAG 2.2, 2.4.11), by keyboard or by a link to a place?"""

from __future__ import annotations

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.dashboard.bedside import browser, house, sign_in
from tests.dashboard.chromium import until
from tests.dashboard.test_pages_browser import House

__all__ = ["browser", "house"]  # fixtures
pytestmark = pytest.mark.browser
PHONE = {"width": 360, "height": 640}
MOST_STEPS = 60
# where the thing with the focus stands, and which part of the screen no bar covers; a hidden box is seen by its label
SEEN = """() => {
  let found = document.activeElement;
  if (!found || !found.closest('#main') || found.id === 'main' || found.closest('.entry-bar')) return null;
  if (found.getBoundingClientRect().height < 5 && found.labels && found.labels.length) found = found.labels[0];
  const box = found.getBoundingClientRect(), bar = document.querySelector('.entry-bar');
  return {
    what: found.id || found.outerHTML.slice(0, 120), top: box.top, bottom: box.bottom,
    from: document.querySelector('.mantine-AppShell-header').getBoundingClientRect().bottom,
    to: bar ? bar.getBoundingClientRect().top : window.innerHeight,
  };
}"""


def walk(page: Page, key: str) -> int:
    """Step through the controls of the page; say how many were looked at."""
    seen = 0
    for _ in range(MOST_STEPS):
        page.keyboard.press(key)
        found = page.evaluate(SEEN)
        if found is None or found["bottom"] - found["top"] > found["to"] - found["from"]:
            continue
        seen += 1
        assert found["top"] >= found["from"] - 1, ("behind the bar at the top", found)
        assert found["bottom"] <= found["to"] + 1, ("behind the bar at the bottom", found)
    return seen


@pytest.mark.parametrize("path", ["/patients/{patient}/observe", "/patients/{patient}", "/residents"])
def test_the_keyboard_never_leads_behind_a_bar(house: House, browser: Browser, path: str) -> None:
    page = sign_in(house, browser, "carer", PHONE)
    page.goto(house.url + path.format(patient=house.seeded.patients[0]))
    expect(page.locator("#main h1").first).to_be_visible()
    if path.endswith("/observe"):
        expect(page.locator("#observe-form")).to_have_attribute("data-ready", "1")
    expect(page.locator(".loading-note")).to_have_count(0)
    page.wait_for_load_state("networkidle")  # what comes last moves what has the focus
    assert walk(page, "Tab") > 5
    assert walk(page, "Shift+Tab") > 5
    page.context.close()


def test_a_link_to_a_place_ends_beside_the_bar_and_not_behind_it(house: House, browser: Browser) -> None:
    page = sign_in(house, browser, "carer", PHONE)
    page.goto(f"{house.url}/patients/{house.seeded.patients[0]}/observe")
    expect(page.locator("#observe-form")).to_have_attribute("data-ready", "1")
    page.evaluate("window.scrollTo(0, document.body.scrollHeight)")
    page.evaluate("location.hash = 'observe-spo2'")
    expect(page.locator("#observe-spo2")).to_be_in_viewport()
    until(
        page,
        "document.querySelector('#observe-spo2').getBoundingClientRect().top >= "
        "document.querySelector('.mantine-AppShell-header').getBoundingClientRect().bottom - 1",
    )
    page.context.close()

"""Can a carer read the handover that was written for them, mend it, sign it, correct it, and take it along?"""

import io
import re
from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, Page, expect
from pypdf import PdfReader

from tests.dashboard.bedside import TABLET, browser, house, sign_in, violations
from tests.dashboard.chromium import expect_to_fit, hold
from tests.dashboard.test_pages_browser import House

__all__ = ["browser", "house"]  # fixtures
pytestmark = pytest.mark.browser


@pytest.fixture
def page(house: House, browser: Browser) -> Iterator[Page]:
    """A carer's tablet on the handover of an unwell resident."""
    made = sign_in(house, browser, "carer", TABLET)
    made.context.grant_permissions(["clipboard-read", "clipboard-write"], origin=house.url)
    made.goto(f"{house.url}/patients/{house.seeded.unwell[0]}/handover")
    for part in ("situation", "assessment", "recommendation"):
        expect(made.locator(f"#handover-{part}")).not_to_be_empty()
    yield made
    made.context.close()


def test_it_is_written_from_the_record_signed_and_corrected(house: House, page: Page) -> None:
    patient = house.seeded.unwell[0]
    expect(page.locator("#handover-situation")).to_have_value(re.compile("Red since"))
    expect(page.locator("#handover-assessment")).to_have_value(re.compile(r"NEWS2 9\."))
    for said in (r"Call 999 now\.", "Care home, NEWS2, policy version 1"):
        expect(page.locator("#handover-recommendation")).to_have_value(re.compile(said))
    expect(page.locator("#handover-decision")).to_have_value("")
    page.fill("#handover-decision", "999 called 18:05. <script>document.title='hacked'</script>")
    page.get_by_role("button", name="Copy as text").first.tap()
    expect(page.get_by_role("button", name="Copied.")).to_be_visible()
    copied = page.evaluate("navigator.clipboard.readText()")
    assert "SITUATION\n" in copied
    assert "999 called 18:05." in copied
    page.get_by_role("button", name="Sign", exact=True).tap()
    expect(page.locator("#handover-said")).to_contain_text("Handover 1, version 1: signed.")
    listed = page.locator("#handover-signed li")
    expect(listed).to_contain_text("Signed by Leah Doyle (carer)")
    answer = page.request.get(house.url + str(listed.get_by_role("link").get_attribute("href")))
    printed = " ".join(p.extract_text() for p in PdfReader(io.BytesIO(answer.body())).pages)
    assert "999 called 18:05. <script>" in " ".join(printed.split())
    listed.get_by_role("button", name="Correct").tap()
    expect(page.locator("#handover-banner")).to_contain_text("You are correcting handover 1, version 1.")
    # what was signed is replaced without a question; what is written since is not
    expect(page.locator("#handover-ask")).to_be_hidden()
    page.fill("#handover-decision", "Ambulance took her at 18:40.")
    listed.get_by_role("button", name="Correct").tap()
    expect(page.locator("#handover-ask")).to_contain_text("Replace it with handover 1, version 1")
    page.get_by_role("button", name="Keep what I wrote").tap()
    expect(page.locator("#handover-ask")).to_be_hidden()
    expect(page.locator("#handover-decision")).to_have_value("Ambulance took her at 18:40.")
    page.get_by_role("button", name="Sign", exact=True).tap()
    expect(page.locator("#handover-said")).to_contain_text("Handover 1, version 2: signed.")
    expect(listed).to_have_count(2)
    expect(listed.nth(1)).to_contain_text("superseded")
    assert page.title().endswith("Homeward")
    expect(page.locator("#handover-banner")).to_be_empty()
    assert page.url.endswith(f"/patients/{patient}/handover")


def test_what_happens_meanwhile_is_said_and_takes_nothing_away(house: House, page: Page) -> None:
    page.fill("#handover-decision", "Not to be lost")
    patient = house.seeded.unwell[0]
    answer = page.request.post(
        f"{house.url}/api/v1/observations?patient={patient}",
        data={"time": page.evaluate("new Date().toISOString()"), "values": {"pulse": 121}},
    )
    assert answer.ok
    expect(page.locator("#handover-changed")).to_contain_text("Something has changed since this was written")
    expect(page.locator("#handover-decision")).to_have_value("Not to be lost")
    page.get_by_role("button", name="Write anew").focus()
    page.keyboard.press("Enter")
    asked = page.locator("#handover-ask")
    expect(asked).to_contain_text("You have written in Decision, and it is not signed.")
    expect(asked.get_by_role("button", name="Keep what I wrote")).to_be_focused()
    assert violations(page) == []
    page.keyboard.press("Enter")
    expect(asked).to_be_hidden()
    expect(page.get_by_role("button", name="Write anew")).to_be_focused()
    expect(page.locator("#handover-decision")).to_have_value("Not to be lost")
    expect(page.locator("#handover-changed")).to_contain_text("Something has changed since this was written")
    page.get_by_role("button", name="Write anew").tap()
    asked.get_by_role("button", name="Replace it with what the record says now").tap()
    expect(page.locator("#handover-assessment")).to_have_value(re.compile("Pulse: 121"))
    expect(page.locator("#handover-decision")).to_have_value("")
    expect(page.locator("#handover-changed")).to_be_empty()
    expect(asked).to_be_hidden()


def test_what_is_typed_while_it_is_being_written_anew_stays(page: Page) -> None:
    let_go = hold(page, '"handover-anew.n_clicks"')
    page.get_by_role("button", name="Write anew").tap()
    expect(page.locator("#handover-anew")).to_have_attribute("aria-busy", "true")
    page.fill("#handover-decision", "Daughter told.")
    let_go()
    expect(page.locator("#handover-ask")).to_contain_text("You have written in Decision")
    expect(page.locator("#handover-decision")).to_have_value("Daughter told.")
    expect(page.locator("#handover-decision")).to_be_focused()


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_no_accessibility_violation_and_nothing_scrolls_sideways(house: House, browser: Browser, scheme: str) -> None:
    page = sign_in(house, browser, "carer", TABLET, scheme)
    page.goto(f"{house.url}/patients/{house.seeded.unwell[0]}/handover")
    expect(page.locator("#handover-situation")).not_to_be_empty()
    for width in (360, 768, 1440):
        page.set_viewport_size({"width": width, "height": 900})
        expect_to_fit(page, width)
    assert violations(page) == []
    page.context.close()

"""Can whoever ends a shift read what happened, add what they know, sign it, and is nothing signed that was not seen?"""

import io

import pytest
from playwright.sync_api import Browser, Page, Request, Route, expect
from pypdf import PdfReader

from tests.dashboard.bedside import TABLET, browser, house, sign_in, violations
from tests.dashboard.chromium import expect_to_fit
from tests.dashboard.conftest import connect
from tests.dashboard.test_pages_browser import House
from tests.dashboard.test_residents_browser import raise_amber

__all__ = ["browser", "house"]  # fixtures
pytestmark = pytest.mark.browser


def is_of(request: Request, chosen: str = "") -> bool:
    """Whether a request asks for the list, over the time that was chosen."""
    asked = request.post_data or ""
    return "shift-list.children" in asked and chosen in asked


def opened(house: House, browser: Browser, scheme: str = "light") -> Page:
    """A carer's tablet on the page, over the last day."""
    page = sign_in(house, browser, "carer", TABLET, scheme)
    page.goto(f"{house.url}/handover")
    expect(page.locator("#shift-lead")).to_contain_text("Willow Court")
    # the answer to the press, and not one to what the page asked for of itself
    with page.expect_response(lambda answer: is_of(answer.request, '"24h"')):
        page.locator("#shift-span").get_by_text("24 hours").click()
    expect(page.locator("#shift-list .resident").first).to_be_visible()
    return page


def test_what_was_seen_is_signed_with_notes_and_nothing_else(house: House, browser: Browser) -> None:
    page = opened(house, browser)
    first = page.locator("#shift-list .resident").first
    expect(first).to_contain_text("since")
    name = first.locator("h3").inner_text()
    first.locator("textarea").fill("Family told. <img src=x onerror=document.title='hacked'>")
    page.get_by_label("About the shift as a whole").fill("Two agency carers tonight.")
    # something happens between reading and signing
    well = house.seeded.patients[9]
    raise_amber(house, well)
    expect(page.locator("#shift-changed")).to_contain_text("Something has changed")
    page.get_by_role("button", name="Sign", exact=True).tap()
    expect(page.locator("#shift-said")).to_contain_text("Read it, then sign")
    expect(page.locator("#shift-list")).to_contain_text("NEWS2 5.")
    mine = page.locator("#shift-list .resident", has_text=name)
    expect(mine.locator("textarea")).to_have_value("Family told. <img src=x onerror=document.title='hacked'>")
    expect(page.locator("#shift-changed")).to_be_empty()
    page.get_by_role("button", name="Sign", exact=True).tap()
    expect(page.locator("#shift-said")).to_contain_text("Shift handover 1: signed.")
    listed = page.locator("#shift-signed li")
    expect(listed).to_contain_text("Signed by Leah Doyle (carer)")
    to = house.url + str(listed.get_by_role("link").get_attribute("href"))
    printed = " ".join(
        " ".join(p.extract_text().split()) for p in PdfReader(io.BytesIO(page.request.get(to).body())).pages
    )
    assert name in printed
    assert "Note: Family told. <img src=x" in printed
    assert "Two agency carers tonight." in printed
    assert "NEWS2 5." in printed
    assert page.title().endswith("Homeward")
    with connect(house.database) as connection:
        found = connection.execute("select count(*) from audit_log where action = 'shift_handover_signed'").fetchone()
    assert found == (1,)
    page.emulate_media(media="print")
    expect(page.get_by_role("button", name="Sign", exact=True)).to_be_hidden()
    page.context.close()


def test_what_is_typed_while_another_span_is_on_its_way_stays(house: House, browser: Browser) -> None:
    page = opened(house, browser)
    held: list[Route] = []

    def hold(route: Route) -> None:
        if is_of(route.request):
            held.append(route)
        else:
            route.continue_()

    page.route("**/_dash-update-component", hold)
    before = page.locator("#shift-lead").inner_text()
    with page.expect_request(is_of):
        page.locator("#shift-span").get_by_text("12 hours").click()
    note = page.locator("#shift-list .resident").first.locator("textarea")
    note.fill("Ate well.")
    page.get_by_label("About the shift as a whole").fill("Quiet.")
    for route in held:
        route.continue_()
    expect(page.locator("#shift-lead")).not_to_have_text(before)
    expect(page.get_by_label("About the shift as a whole")).to_have_value("Quiet.")
    expect(note).to_have_value("Ate well.")
    page.context.close()


TYPED = """() => [...document.querySelectorAll("#shift-list textarea")].map((box) => {
    const set = Object.getOwnPropertyDescriptor(HTMLTextAreaElement.prototype, "value").set;
    set.call(box, "Ate well.");
    box.dispatchEvent(new Event("input", { bubbles: true }));
    const id = box.id.startsWith("{") ? JSON.parse(box.id) : box.id;
    return window.dash_component_api.getLayout(id).props.value;
})"""


def test_a_key_pressed_is_kept_before_anything_else_can_happen(house: House, browser: Browser) -> None:
    page = opened(house, browser)
    kept = page.evaluate(TYPED)
    assert len(kept) > 1
    assert set(kept) == {"Ate well."}
    page.context.close()


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_no_accessibility_violation_and_nothing_scrolls_sideways(house: House, browser: Browser, scheme: str) -> None:
    page = opened(house, browser, scheme)
    for width in (360, 768, 1440):
        page.set_viewport_size({"width": width, "height": 900})
        expect_to_fit(page, width)
    assert violations(page) == []
    page.context.close()

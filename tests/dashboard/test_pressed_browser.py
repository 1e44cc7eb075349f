"""Is what somebody presses twice done once?"""

from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, Page, Route, expect

from tests.dashboard.bedside import browser, house, sign_in
from tests.dashboard.conftest import connect
from tests.dashboard.test_pages_browser import House

__all__ = ["browser", "house"]  # fixtures
pytestmark = pytest.mark.browser


@pytest.fixture
def page(house: House, browser: Browser) -> Iterator[Page]:
    made = sign_in(house, browser, "carer", {"width": 1440, "height": 900})
    yield made
    made.context.close()


def count(house: House, query: str, *parameters: object) -> int:
    with connect(house.database) as connection:
        row = connection.execute(query.encode(), parameters).fetchone()
    assert row is not None
    return int(row[0])


def test_a_double_click_writes_one_note_and_signs_one_handover(house: House, page: Page) -> None:
    patient = house.seeded.patients[0]
    page.goto(f"{house.url}/patients/{patient}")
    page.locator("#note-body").fill("Pressed twice.")
    page.locator("#note-save").dblclick()
    expect(page.locator("#note-body")).to_have_value("")
    page.locator("#note-body").fill("Pressed once more.")
    page.locator("#note-save").click()
    expect(page.locator("#patient-timeline")).to_contain_text("Pressed once more.")
    assert count(house, "select count(*) from note where body = 'Pressed twice.'") == 1
    page.goto(f"{house.url}/patients/{patient}/handover")
    expect(page.locator("#handover-situation")).not_to_have_value("")
    page.get_by_role("button", name="Sign", exact=True).dblclick()
    expect(page.locator("#handover-said")).to_contain_text("signed")
    page.goto(f"{house.url}/patients/{patient}/handover")
    expect(page.locator("#handover-signed li")).to_have_count(1)


def test_pressing_again_while_the_answer_is_on_its_way_does_nothing(house: House, page: Page) -> None:
    held: list[Route] = []

    def hold(route: Route) -> None:
        if '"note-save.n_clicks"' in (route.request.post_data or ""):
            held.append(route)
        else:
            route.continue_()

    page.goto(f"{house.url}/patients/{house.seeded.patients[3]}")
    page.locator("#note-body").fill("Slow network.")
    page.route("**/_dash-update-component*", hold)
    save = page.locator("#note-save")
    with page.expect_request(lambda asked: '"note-save.n_clicks"' in (asked.post_data or "")):
        save.click()
    expect(save).to_have_attribute("aria-busy", "true")
    expect(save).to_have_css("pointer-events", "none")
    save.press("Enter")
    # what was written since is not stored, so it stays
    page.locator("#note-body").fill("Slow network. Family told.")
    held[0].continue_()
    expect(page.locator("#note-said")).to_contain_text("What you have written since then is not saved yet.")
    expect(page.locator("#note-body")).to_have_value("Slow network. Family told.")
    expect(save).not_to_have_attribute("aria-busy", "true")
    assert len(held) == 1
    assert count(house, "select count(*) from note where body = 'Slow network.'") == 1

"""Does a latched episode whose condition is over say so where people look, and can a nurse reset it there?

As tests/dashboard/test_pages_browser.py: a real Chromium on the real server.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from playwright.sync_api import Browser, Locator, Page, expect

from tests.conftest import TestDatabase
from tests.dashboard import seed
from tests.dashboard.chromium import browser, violations
from tests.dashboard.conftest import connect, serve
from tests.dashboard.test_pages_browser import ROW, House, a_well_patient, raise_red

__all__ = ["browser"]  # a fixture
pytestmark = pytest.mark.browser
OVER = "Its condition is over; it stays until somebody resets it"


@pytest.fixture(scope="module")
def house(module_database: TestDatabase) -> Iterator[House]:
    seeded = seed.seed(module_database.url, patients=24, days=4)
    with serve(module_database) as url:
        yield House(url, module_database, seeded)


def ask(house: House, query: str, *given: object) -> list[tuple[Any, ...]]:
    with connect(house.database) as connection:
        return connection.execute(query, given).fetchall()


def latched(house: House, kinds: tuple[str, ...]) -> tuple[int, int]:
    """Raise an episode that a latching rule holds, and let the core say this of it since: patient and episode."""
    patient, _name = a_well_patient(house)
    episode = raise_red(house, patient)
    with connect(house.database) as connection:
        connection.execute(
            'update episode set explanation = \'{"latching": true, "title": "NEWS2"}\' where episode_id = %s', [episode]
        )
        for number, kind in enumerate(kinds, start=1):
            connection.execute(
                "insert into episode_event (organisation_id, episode_id, patient_id, kind, at, severity) select "
                "organisation_id, episode_id, patient_id, %s, now() + %s * interval '1 ms', 3 from episode "
                "where episode_id = %s",
                [kind, number, episode],
            )
    return patient, episode


def resets_of(house: House, episode: int) -> list[tuple[Any, ...]]:
    return ask(house, "select note from episode_event where episode_id = %s and kind = 'reset'", episode)


def test_the_panel_resets_what_is_over_with_a_reason(house: House, browser: Browser) -> None:
    patient, episode = latched(house, ("cleared",))
    page = house.sign_in(browser)
    page.locator(f"{ROW}[row-id='{patient}'] .cell-reason").click()
    expect(page.locator("#panel-episodes")).to_contain_text(OVER)
    button = page.locator("#panel-episodes [data-act=reset]")
    button.click()
    expect(page.locator("#triage-outcome")).to_contain_text("Write why it can be reset first.")
    assert resets_of(house, episode) == []
    page.fill("#panel-note", "Seen, well again")
    button.click()
    expect(page.locator("#triage-outcome")).to_contain_text("Reset: ")
    expect(button).to_have_count(0)
    expect(page.locator("#panel-episodes")).not_to_contain_text(OVER)
    assert resets_of(house, episode) == [("Seen, well again",)]
    page.context.close()


def press_enter(page: Page, button: Locator) -> None:
    """Press the button, and once more as a person does where the list was filled anew in that moment."""
    for _ in range(3):
        button.press("Enter")
        try:
            expect(page.locator("#patient-said")).to_have_text("Reset.", timeout=15_000)
        except AssertionError:
            expect(button).to_be_visible()
        else:
            return
    raise AssertionError("the button does nothing")


@pytest.mark.parametrize(("width", "scheme"), [("desk", "light"), ("phone", "dark")])
def test_the_page_of_a_patient_resets_one_and_keeps_what_is_typed(
    house: House, browser: Browser, width: str, scheme: str
) -> None:
    patient, episode = latched(house, ("cleared",))
    page = house.sign_in(browser, width=width, scheme=scheme)
    page.goto(f"{house.url}/patients/{patient}")
    expect(page.locator("#patient-episodes")).to_contain_text(OVER)
    button = page.get_by_role("button", name="Reset: NEWS2 at least 11")
    button.click()
    expect(page.locator("#patient-said")).to_have_text("Write why it can be reset first.")
    page.get_by_label("Why it can be reset").fill("Seen, well again")
    # what comes in meanwhile fills the list anew
    before = ask(house, "select count(*) from note where patient_id = %s", patient)
    page.get_by_label("Add a note").fill("Drinks well.")
    page.get_by_role("button", name="Save note").click()
    expect(page.locator("#patient-timeline")).to_contain_text("Drinks well.")
    assert ask(house, "select count(*) from note where patient_id = %s", patient) != before
    expect(page.get_by_label("Why it can be reset")).to_have_value("Seen, well again")
    assert violations(page) == []
    press_enter(page, button)  # by keyboard: on a telephone the bar on top lies over what is only just scrolled to
    expect(button).to_have_count(0)
    expect(page.locator("#patient-reset")).to_be_hidden()
    assert resets_of(house, episode) == [("Seen, well again",)]
    page.context.close()


def test_nothing_is_to_be_reset_while_the_condition_is_there_or_for_whoever_may_not(
    house: House, browser: Browser
) -> None:
    back, episode = latched(house, ("cleared", "activated"))
    over, _other = latched(house, ("cleared",))
    page = house.sign_in(browser)
    page.goto(f"{house.url}/patients/{back}")
    expect(page.locator("#patient-episodes .episode")).to_be_visible()
    expect(page.locator("#patient-episodes")).not_to_contain_text(OVER)
    expect(page.locator("#patient-reset")).to_be_hidden()
    page.context.close()
    watching = house.sign_in(browser, "admin")
    watching.goto(f"{house.url}/patients/{over}")
    expect(watching.locator("#patient-episodes")).to_contain_text(OVER)
    expect(watching.locator("#patient-reset")).to_be_hidden()
    expect(watching.locator("#patient-episodes button[aria-label^=Reset]")).to_have_count(0)
    watching.context.close()
    assert resets_of(house, episode) == []

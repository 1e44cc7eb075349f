"""Does an open list stay what a fresh one would be, ask no more than it must, and say so when it is not answered?

As tests/dashboard/test_triage_browser.py: a real Chromium on the real server. Each test works on patients of its own.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, Page, Request, expect

from dashboard import pages, text
from tests.conftest import TestDatabase
from tests.dashboard.chromium import browser
from tests.dashboard.conftest import connect
from tests.dashboard.test_pages_browser import (
    ROW,
    House,
    a_well_patient,
    number_in,
    open_house,
    patient_at,
    raise_red,
    resolve,
    rows_shown,
)
from tests.waiting import wait_until

__all__ = ["browser"]  # a fixture
pytestmark = pytest.mark.browser
NUMBERS = [f"#count-{name}" for name in text.CARDS] + ["#hint-not_reporting"]


@pytest.fixture(scope="module")
def house(module_database: TestDatabase) -> Iterator[House]:
    yield from open_house(module_database)


def live(page: Page) -> Page:
    rows_shown(page)
    expect(page.locator("#live")).to_have_class(re.compile("live-on"))
    return page


def tell(house: House, patient: int) -> None:
    told = {"organisation": house.seeded.organisation, "patients": [patient], "episodes": True}
    with connect(house.database) as connection:
        connection.execute("select pg_notify('homeward_live', %s)", [json.dumps(told)])


def choose_site(page: Page, name: str) -> None:
    page.locator("#site").click()
    page.get_by_role("option", name=name, exact=True).click()
    expect(page.locator("#site")).to_have_value(name)


def asked_of(page: Page) -> list[list[int] | None]:
    """Take down of whom the page asks from now on what is new."""
    found: list[list[int] | None] = []

    def note(request: Request) -> None:
        if request.url.endswith("/triage/look") and "news" in request.post_data_json:
            found.append(request.post_data_json["news"]["patients"])

    page.on("request", note)
    return found


def agree(house: House, browser: Browser, page: Page, site: str = "") -> None:
    """The list of an open page is the one that is shown to whoever opens it now, and so are its numbers."""
    fresh = live(house.sign_in(browser))
    if site:
        choose_site(fresh, site)
        expect(fresh.locator(f"{ROW} .cell-place").first).to_contain_text(site)

    def shown(one: Page) -> list[str]:
        return [one.locator(number).inner_text() for number in NUMBERS] + rows_shown(one)

    wait_until(lambda: "–" not in shown(fresh) and shown(page) == shown(fresh), "both lists are the same")
    fresh.context.close()


def test_after_all_that_can_happen_an_open_list_is_what_a_fresh_one_is(house: House, browser: Browser) -> None:
    page = live(house.sign_in(browser))
    red, yellow = (number_in(page, f"#count-{name}") for name in ("red", "yellow"))

    def shows(reds: int, yellows: int) -> None:
        expect(page.locator("#count-red")).to_have_text(str(red + reds))
        expect(page.locator("#count-yellow")).to_have_text(str(yellow + yellows))
        agree(house, browser, page)

    one, _ = a_well_patient(house)
    first = raise_red(house, one)
    expect(page.locator("#count-red")).to_have_text(str(red + 1))
    two, _ = a_well_patient(house)
    second = raise_red(house, two)
    shows(2, 0)
    with connect(house.database) as connection:
        connection.execute("update episode set severity = 1, updated_at = now() where episode_id = %s", [first])
    tell(house, one)
    shows(1, 1)
    resolve(house, second)
    tell(house, two)
    shows(0, 1)
    resolve(house, first)
    tell(house, one)
    shows(0, 0)
    page.context.close()


def test_a_list_of_one_site_asks_for_its_own_and_loses_who_moves_away(house: House, browser: Browser) -> None:
    patient, _ = a_well_patient(house)
    mine = patient_at(house, patient)
    with connect(house.database) as connection:
        row = connection.execute(
            "select patient_id from patient p join site s using (site_id) where s.name <> %s and not exists "
            "(select from episode e where e.patient_id = p.patient_id) limit 1", [mine]
        ).fetchone()  # fmt: skip
        assert row is not None
        elsewhere = int(row[0])
        other = connection.execute("select site_id from patient where patient_id = %s", [elsewhere]).fetchone()
    assert other is not None
    page, watching = live(house.sign_in(browser)), live(house.sign_in(browser))
    choose_site(page, mine)
    expect(page.locator(f"{ROW} .cell-place").first).to_contain_text(mine)
    asked = asked_of(page)
    far = raise_red(house, elsewhere)
    # the other page has it: so this one was told as well, and is told the next one after it
    expect(watching.locator(f"{ROW}[row-id='{elsewhere}'] .badge")).to_have_text("Red")
    assert [elsewhere] not in asked
    near = raise_red(house, patient)
    expect(page.locator(f"{ROW}[row-id='{patient}'] .badge")).to_have_text("Red")
    assert sorted([elsewhere, patient]) in [sorted(named or ()) for named in asked]
    expect(page.locator("#triage-announce")).to_contain_text("New, red")
    agree(house, browser, page, mine)
    with connect(house.database) as connection:
        connection.execute("update patient set site_id = %s where patient_id = %s", [other[0], patient])
        told = {"organisation": house.seeded.organisation, "patients": [patient], "episodes": True, "moved": True}
        connection.execute("select pg_notify('homeward_live', %s)", [json.dumps(told)])
    expect(page.locator(f"{ROW}[row-id='{patient}']")).to_have_count(0)
    agree(house, browser, page, mine)
    for episode in (far, near):
        resolve(house, episode)
    page.context.close()
    watching.context.close()


def test_without_an_answer_the_list_stays_says_so_and_asks_again(house: House, browser: Browser) -> None:
    page = live(house.sign_in(browser))
    before = rows_shown(page)
    is_cut = True
    page.route("**/triage/look", lambda route: route.abort() if is_cut else route.continue_())
    patient, name = a_well_patient(house)
    episode = raise_red(house, patient)
    expect(page.locator("#triage-trouble")).to_contain_text(text.TROUBLE)
    # what is said takes the room of a row or two
    kept = rows_shown(page)
    assert len(kept) > 5
    assert kept == before[: len(kept)]
    is_cut = False
    expect(page.locator(f"{ROW}[row-id='{patient}'] .badge")).to_have_text("Red")
    expect(page.locator("#triage-trouble")).to_be_hidden()
    expect(page.locator("#triage-announce")).to_contain_text(name)
    resolve(house, episode)
    page.context.close()


def test_each_page_has_its_own_title_which_names_nobody(house: House, browser: Browser) -> None:
    page = house.sign_in(browser)
    patient = house.seeded.patients[0]
    with connect(house.database) as connection:
        row = connection.execute("select family_name, nhs_number from patient where patient_id = %s", [patient])
        family, nhs = row.fetchone() or ("", "")
    titles = set()
    for each in pages.PAGES:
        page.goto(house.url + each.module.PATH.format(patient_id=patient, device_id=1))
        expected = f"{each.title.format(patient if each.is_of_a_patient else 1)} · Homeward"
        expect(page).to_have_title(expected)
        titles.add(expected)
        assert family not in expected
        assert nhs not in expected
    assert len(titles) == len(pages.PAGES)
    page.goto(house.url)
    expect(page).to_have_title("Triage · Homeward")
    page.locator("#navigation").get_by_role("link", name="Devices").click()
    expect(page).to_have_title("Devices · Homeward")
    page.go_back()
    expect(page).to_have_title("Triage · Homeward")
    page.context.close()

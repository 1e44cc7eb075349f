"""Does a person at the screen see what is so, soon, by mouse and by keyboard, in both colour schemes, at every width?

A real Chromium against the real server on a real TimescaleDB. Nothing waits for time to pass: each step waits for what
must appear.
"""

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import psycopg
import pytest
from playwright.sync_api import Browser, Locator, Page, expect

from dashboard import push, text
from tests.conftest import TestDatabase
from tests.dashboard import chromium, seed
from tests.dashboard.chromium import WIDTHS, browser, expect_to_fit, open_page, until, violations
from tests.dashboard.conftest import connect, serve

__all__ = ["browser"]  # a fixture
pytestmark = pytest.mark.browser
ROW = "#triage-grid .ag-center-cols-container .ag-row"


@dataclass(frozen=True)
class House:
    """A running dashboard with a ward of people in it."""

    url: str
    database: TestDatabase
    seeded: seed.Seeded
    cookies: dict[str, Any] = field(default_factory=dict)

    def sign_in(self, browser: Browser, name: str = "nurse", width: str = "desk", scheme: str = "light") -> Page:
        """Open the list as a person, who signs in the first time and keeps the cookie for the next tests."""
        if name not in self.cookies:
            page = self.sign_in_anew(browser, name)
            self.cookies[name] = page.context.storage_state()
            page.context.close()
        page = open_page(browser, width, scheme, storage_state=self.cookies[name])
        page.goto(f"{self.url}/")
        return page

    def sign_in_anew(self, browser: Browser, name: str) -> Page:
        """Sign in through the form, in a session of one's own."""
        return chromium.sign_in(open_page(browser), self.url, name, seed.PASSWORD)


def open_house(database: TestDatabase) -> Iterator[House]:
    """Fill a database and serve it."""
    seeded = seed.seed(database.url, patients=60, days=8)
    with serve(database) as url:
        yield House(url, database, seeded)


@pytest.fixture(scope="module")
def house(module_database: TestDatabase) -> Iterator[House]:
    yield from open_house(module_database)


def rows_shown(page: Page) -> list[str]:
    """The names in the list with their severity, from top to bottom, when every row in sight has been drawn."""
    # in a form means that the page looks after its list by now: columns fit, and keys and changes are heard
    expect(page.locator("#triage-grid")).to_have_attribute("data-form", re.compile(r"\w"))
    drawn: list[str] = until(page, DRAWN, ROW)
    return drawn


DRAWN = """row => {
    const rows = [...document.querySelectorAll(row)]
        .sort((a, b) => a.getAttribute('row-index') - b.getAttribute('row-index'));
    const isDrawn = r => r.querySelector('.cell-name') && r.querySelector('.badge, .cell-none, .tile-top');
    return rows.length > 0 && rows.every(isDrawn) && rows.map(r =>
        r.querySelector('.cell-name').textContent + '|' + (r.querySelector('.badge')?.textContent ?? ''));
}"""


def go_down(page: Page, row: int) -> Locator:
    """Go one row down by the keyboard, and wait until it has the focus."""
    page.keyboard.press("j")
    focused = page.locator(f"{ROW}[row-index='{row}']:has(.ag-cell-focus)")
    expect(focused).to_have_count(1)
    return focused


def number_in(page: Page, place: str) -> int:
    """A number that the page shows, once it is there."""
    expect(page.locator(place)).to_have_text(re.compile(r"^\d+$"))
    return int(page.locator(place).inner_text())


def raise_red(house: House, patient: int) -> int:
    """Raise an episode as ingest does: the row, and the word to the browsers in the same transaction."""
    with psycopg.connect(house.database.url, options="-c search_path=homeward,public") as connection:
        row = connection.execute(
            "insert into episode (organisation_id, patient_id, policy_id, rule, opened_at, activated_at, phase, "
            "severity, peak_severity, sentence) select organisation_id, %s, (select min(policy_id) from policy), "
            "'news2', now(), now(), 'active', 3, 3, 'NEWS2 at least 11' from patient where patient_id = %s "
            "on conflict do nothing returning episode_id",
            [patient, patient],
        ).fetchone()
        assert row is not None
        connection.execute(
            "insert into episode_event (organisation_id, episode_id, patient_id, kind, at, severity) "
            "select organisation_id, episode_id, patient_id, 'activated', now(), 3 from episode where episode_id = %s",
            row,
        )
        told = {"organisation": house.seeded.organisation, "patients": [patient], "episodes": True}
        connection.execute("select pg_notify('homeward_live', %s)", [json.dumps(told)])
    return int(row[0])


def resolve(house: House, episode: int) -> None:
    with connect(house.database) as connection:
        connection.execute(
            "update episode set phase = 'resolved', resolved_at = now() where episode_id = %s", [episode]
        )


def a_well_patient(house: House) -> tuple[int, str]:
    with connect(house.database) as connection:
        row = connection.execute(
            "select patient_id, given_name || ' ' || family_name from patient p where not exists "
            "(select from episode e where e.patient_id = p.patient_id) order by patient_id desc limit 1"
        ).fetchone()
    assert row is not None
    return int(row[0]), str(row[1])


def test_the_worst_come_first_and_the_counts_agree(house: House, browser: Browser) -> None:
    page = house.sign_in(browser)
    words = [row.split("|")[1] for row in rows_shown(page)]
    order = {"Red": 0, "Amber": 1, "Yellow": 2, "": 3}
    assert [order[w] for w in words] == sorted(order[w] for w in words)
    with connect(house.database) as connection:
        counted = connection.execute(
            "select count(distinct patient_id) filter (where severity = 3) from episode where phase = 'active'"
        ).fetchone()
    assert counted is not None
    expect(page.locator("#count-red")).to_have_text(str(counted[0]))
    assert words.count("Red") == counted[0]
    page.context.close()


@pytest.mark.parametrize("width", ["phone", "desk"])
def test_nothing_is_asked_of_another_machine_and_nothing_fails(house: House, browser: Browser, width: str) -> None:
    page = house.sign_in(browser, width=width)
    asked: list[str] = []
    wrong: list[str] = []
    page.on("request", lambda r: asked.append(r.url))
    page.on("response", lambda r: wrong.append(f"{r.status} {r.url}") if r.status >= 400 else None)
    page.on("console", lambda m: wrong.append(m.text) if m.type == "error" else None)
    page.on("pageerror", lambda e: wrong.append(str(e)))
    for path, seen in (
        ("/", f"{ROW} .cell-name"),
        (f"/patients/{house.seeded.patients[0]}", "#patient-chart .main-svg"),
        ("/devices", "#device-grid .ag-center-cols-container .ag-row"),
        ("/quarantine", "#quarantine-list .card"),
        ("/system", "#system-list .card"),
    ):
        page.goto(house.url + path)
        expect(page.locator(seen).first).to_be_visible()
        page.wait_for_load_state("networkidle")  # what is asked for last counts too
    own = (house.url, house.url.replace("http", "ws"), "data:", "blob:")
    assert [url for url in asked if not url.startswith(own)] == []
    assert wrong == []
    page.context.close()


def test_a_new_red_reaches_the_list_without_losing_the_place(house: House, browser: Browser) -> None:
    page = house.sign_in(browser)
    expect(page.locator("#live")).to_have_class(re.compile("live-on"))
    before = rows_shown(page)
    for row in range(3):
        go_down(page, row)
    focused = page.locator(f"{ROW}:has(.ag-cell-focus) .cell-name")
    expect(focused).to_have_text(before[2].split("|")[0])
    patient, name = a_well_patient(house)
    red = number_in(page, "#count-red")
    episode = raise_red(house, patient)
    expect(page.locator(f"{ROW}[row-id='{patient}'] .badge")).to_have_text("Red")
    expect(page.locator("#count-red")).to_have_text(str(red + 1))
    # the row that had the focus has it still, wherever it stands now
    expect(focused).to_have_text(before[2].split("|")[0])
    expect(page.locator(f"{ROW}[row-id='{patient}'] .cell-name")).to_have_text(name)
    resolve(house, episode)
    page.context.close()


def test_the_systems_page_says_by_itself_that_a_service_has_gone_silent(
    house: House, browser: Browser, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(push, "HEARTBEAT_S", 0.5)
    with connect(house.database) as connection:
        connection.execute("insert into service_instance (instance_id, service) values (gen_random_uuid(), 'notify')")
    page = house.sign_in(browser)
    page.goto(f"{house.url}/system")
    row = page.locator("#system-list tr", has=page.get_by_text("notify", exact=True))
    expect(row).to_contain_text(text.RUNNING)
    with connect(house.database) as connection:
        connection.execute("update service_instance set seen_at = now() - interval '5 min' where service = 'notify'")
    expect(row).to_contain_text(text.SILENT)
    with connect(house.database) as connection:
        connection.execute("delete from service_instance where service = 'notify'")
    page.context.close()


def test_one_click_acknowledges_and_says_who_did(house: House, browser: Browser) -> None:
    patient, _ = a_well_patient(house)
    episode = raise_red(house, patient)
    page = house.sign_in(browser)
    other = house.sign_in(browser, "carer" if patient_at(house, patient) == "Willow Court" else "nurse")
    row = page.locator(f"{ROW}[row-id='{patient}']")
    expect(row.locator(".acknowledge")).to_be_visible()
    expect(other.locator(f"{ROW}[row-id='{patient}'] .acknowledge")).to_be_visible()
    row.locator(".acknowledge").click()
    expect(row.locator(".cell-taken")).to_contain_text("Rosa Mbeki")
    # and on a colleague's screen as well
    expect(other.locator(f"{ROW}[row-id='{patient}'] .cell-taken")).to_contain_text("Rosa Mbeki")
    with connect(house.database) as connection:
        found = connection.execute("select acknowledged_by from episode where episode_id = %s", [episode]).fetchone()
    assert found == (house.seeded.accounts["nurse"],)
    resolve(house, episode)
    page.context.close()
    other.context.close()


def patient_at(house: House, patient: int) -> str:
    with connect(house.database) as connection:
        row = connection.execute(
            "select s.name from patient join site s using (site_id) where patient_id = %s", [patient]
        ).fetchone()
    assert row is not None
    return str(row[0])


def test_the_keyboard_alone_finds_acknowledges_and_opens(house: House, browser: Browser) -> None:
    patient, name = a_well_patient(house)[0], "Wilhelmina Quillfeather"
    with connect(house.database) as connection:  # a name that nobody else has
        given, family = name.split()
        connection.execute(
            "update patient set given_name = %s, family_name = %s where patient_id = %s", [given, family, patient]
        )
    episode = raise_red(house, patient)
    page = house.sign_in(browser)
    rows_shown(page)
    page.keyboard.press("/")
    page.keyboard.type(name)
    row = page.locator(f"{ROW}[row-id='{patient}']")
    expect(row.locator(".cell-name")).to_have_text(name)
    # the list has been narrowed to one, so that j has one row to go to
    expect(page.locator(f"{ROW} .cell-name")).to_have_count(1)
    page.locator("h1").click()
    page.keyboard.press("j")
    expect(page.locator(f"{ROW}[row-id='{patient}']:has(.ag-cell-focus)")).to_have_count(1)
    page.keyboard.press("a")
    expect(row.locator(".cell-taken")).to_contain_text("Rosa Mbeki")
    page.keyboard.press("Enter")
    page.wait_for_url(f"{house.url}/patients/{patient}")
    expect(page.locator("h1")).to_have_text(name)
    resolve(house, episode)
    page.context.close()


def test_the_cards_and_the_control_are_one_filter(house: House, browser: Browser) -> None:
    page = house.sign_in(browser)
    rows_shown(page)
    amber = page.locator("button.count.card-amber")
    amber.click()
    expect(amber).to_have_attribute("aria-pressed", "true")
    expect(page.locator(f"{ROW}:not(:has(.badge.level-2))")).to_have_count(0)
    assert {r.split("|")[1] for r in rows_shown(page)} == {"Amber"}
    amber.click()
    expect(amber).to_have_attribute("aria-pressed", "false")
    page.locator("#triage-segment").get_by_text("Red", exact=True).click()
    expect(page.locator("button.count.card-red")).to_have_attribute("aria-pressed", "true")
    expect(page.locator(f"{ROW} .badge.level-2")).to_have_count(0)
    page.fill("#triage-search", "nobody of this name")
    expect(page.locator("#triage-empty")).to_contain_text("No patient matches")
    page.context.close()


def test_a_patient_is_found_by_nhs_number(house: House, browser: Browser) -> None:
    with connect(house.database) as connection:
        row = connection.execute("select nhs_number, patient_id from patient order by patient_id offset 40").fetchone()
    assert row is not None
    page = house.sign_in(browser)
    rows_shown(page)
    page.fill("#triage-search", f"{row[0][:3]} {row[0][3:6]} {row[0][6:]}")
    expect(page.locator(f"{ROW} .cell-name")).to_have_count(1)
    expect(page.locator(f"{ROW}[row-id='{row[1]}']")).to_be_visible()
    page.context.close()


def test_a_carer_sees_their_own_home_only(house: House, browser: Browser) -> None:
    page = house.sign_in(browser, "carer")
    rows_shown(page)
    # the list is filled anew once the page knows the one site
    places = page.locator(f"{ROW} .cell-two .cell-place", has_text=", ")
    expect(places.first).to_contain_text("Willow Court, ")
    expect(places.filter(has_not_text="Willow Court, ")).to_have_count(0)
    expect(page.locator("#hint-not_reporting")).to_have_text("of 20")
    expect(page.locator("#navigation")).not_to_contain_text("Quarantine")
    elsewhere = next(p for p in house.seeded.patients if patient_at(house, p) != "Willow Court")
    page.goto(f"{house.url}/patients/{elsewhere}")
    expect(page.locator("#main")).to_contain_text("There is no such patient")
    page.context.close()


def test_the_patient_page_shows_how_it_is_and_was(house: House, browser: Browser) -> None:
    page = house.sign_in(browser)
    patient = house.seeded.unwell[0]
    page.goto(f"{house.url}/patients/{patient}")
    expect(page.locator("#patient-chart .main-svg").first).to_be_visible()
    expect(page.locator("#main")).to_contain_text(re.compile(r"NHS \d{3} \d{3} \d{4}"))
    expect(page.locator("#main")).to_contain_text(re.compile(r"Europe/London \((GMT|BST)\)"))
    expect(page.locator("#patient-vitals")).to_contain_text("Oxygen saturation")
    expect(page.locator("#patient-timeline li")).not_to_have_count(0)
    page.get_by_text("7 days", exact=True).click()
    expect(page.locator("#patient-chart .fills path, #patient-chart .fill path").first).to_be_attached()
    page.get_by_text("Table", exact=True).click()
    expect(page.locator("#patient-table .ag-center-cols-container")).to_contain_text("Respiration rate")
    page.context.close()


def test_a_note_is_kept_and_stands_in_the_timeline(house: House, browser: Browser) -> None:
    page = house.sign_in(browser)
    page.goto(f"{house.url}/patients/{house.seeded.patients[3]}")
    page.fill("#note-body", "Drinking well, <b>walked</b> to the garden.")
    page.click("#note-save")
    expect(page.locator("#patient-timeline")).to_contain_text("Drinking well, <b>walked</b> to the garden.")
    expect(page.locator("#note-body")).to_have_value("")
    page.context.close()


def test_a_lost_connection_is_said(house: House, browser: Browser) -> None:
    page = house.sign_in(browser)
    expect(page.locator("#live")).to_have_class(re.compile("live-on"))
    expect(page.locator("#lost")).to_be_hidden()
    page.context.set_offline(True)
    expect(page.locator("#live")).to_contain_text("Not live since")
    expect(page.locator("#lost")).to_contain_text("Connection lost at")
    page.context.set_offline(False)
    expect(page.locator("#live")).to_have_class(re.compile("live-on"))
    expect(page.locator("#lost")).to_be_hidden()
    page.context.close()


def test_signing_out_ends_every_open_page(house: House, browser: Browser) -> None:
    page = house.sign_in_anew(browser, "admin")
    second = page.context.new_page()
    second.goto(house.url)
    expect(second.locator("#live")).to_have_class(re.compile("live-on"))
    page.locator("summary.person").click()
    page.get_by_text("Sign out").click()
    page.wait_for_url(re.compile("/sign-in"))
    second.wait_for_url(re.compile("/sign-in"))
    page.context.close()


@pytest.mark.parametrize("width", WIDTHS)
def test_no_page_scrolls_sideways(house: House, browser: Browser, width: str) -> None:
    page = house.sign_in(browser, width=width)
    for path, seen in (
        ("/", f"{ROW} .cell-name"),
        (f"/patients/{house.seeded.unwell[0]}", "#patient-chart .main-svg"),
        ("/devices", "#device-grid .ag-center-cols-container .ag-row"),
    ):
        page.goto(house.url + path)
        expect(page.locator(seen).first).to_be_visible()
        expect_to_fit(page, path)
    page.context.close()


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", ["phone", "desk"])
def test_no_accessibility_violation(house: House, browser: Browser, scheme: str, width: str) -> None:
    page = house.sign_in(browser, width=width, scheme=scheme)
    for path, seen in (
        ("/", f"{ROW} .cell-name"),
        (f"/patients/{house.seeded.unwell[0]}", "#patient-chart .main-svg"),
        ("/devices", "#device-grid .ag-center-cols-container .ag-row"),
        ("/quarantine", "#quarantine-list .card"),
        ("/system", "#system-list .card"),
    ):
        page.goto(house.url + path)
        expect(page.locator(seen).first).to_be_visible()
        expect(page.locator("#live")).to_have_class(re.compile("live-on"))
        assert violations(page) == [], path
    page.context.close()

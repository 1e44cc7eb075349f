"""Can a nurse work the list without leaving it: look closer, act on one or several, call, snooze, and hear what is new?

As tests/dashboard/test_pages_browser.py: a real Chromium on the real server. Each test works on patients of its own.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.conftest import TestDatabase
from tests.dashboard.chromium import browser, expect_to_fit, until, violations
from tests.dashboard.conftest import connect
from tests.dashboard.test_pages_browser import (
    ROW,
    House,
    a_well_patient,
    go_down,
    open_house,
    raise_red,
    resolve,
    rows_shown,
)

__all__ = ["browser"]  # a fixture
pytestmark = pytest.mark.browser


@pytest.fixture(scope="module")
def house(module_database: TestDatabase) -> Iterator[House]:
    yield from open_house(module_database)


def open_panel(page: Page, patient: int) -> None:
    page.locator(f"{ROW}[row-id='{patient}'] .cell-reason").click()
    expect(page.locator(f"#panel a[href='/patients/{patient}']")).to_be_visible()


def ask(house: House, query: str, *given: object) -> list[tuple[Any, ...]]:
    with connect(house.database) as connection:
        return connection.execute(query, given).fetchall()


def reds(house: House, count: int) -> list[tuple[int, int]]:
    """Raise a red episode for some patients who had none: (patient, episode)."""
    raised = []
    for _ in range(count):
        patient, _name = a_well_patient(house)
        raised.append((patient, raise_red(house, patient)))
    return raised


def test_the_panel_acknowledges_and_releases_and_tells_the_record(house: House, browser: Browser) -> None:
    [(patient, episode)] = reds(house, 1)
    page = house.sign_in(browser)
    open_panel(page, patient)
    page.fill("#panel-note", "on my way")
    page.locator("#panel-episodes [data-act=acknowledge]").click()
    expect(page.locator("#triage-outcome")).to_contain_text("Acknowledged")
    expect(page.locator("#panel-episodes")).to_contain_text("Acknowledged by Rosa Mbeki")
    expect(page.locator("#panel-note")).to_have_value("")
    page.locator("#panel-episodes [data-act=release]").click()
    expect(page.locator("#triage-outcome")).to_contain_text("Released")
    expect(page.locator("#panel-episodes [data-act=acknowledge]")).to_be_visible()
    told = ask(house, "select kind, note from episode_event where episode_id = %s and account_id is not null", episode)
    assert told == [("acknowledged", "on my way"), ("released", "")]
    looked = ask(
        house, "select count(*) from audit_log where object = %s and action = 'looked_at'", f"patient/{patient}"
    )
    assert looked == [(1,)], "however often an open panel asks"
    resolve(house, episode)
    page.context.close()


def test_a_snooze_has_an_end_and_can_be_ended(house: House, browser: Browser) -> None:
    [(patient, episode)] = reds(house, 1)
    page = house.sign_in(browser)
    open_panel(page, patient)
    page.locator("#panel-snooze [data-minutes='120']").click()
    expect(page.locator(f"{ROW}[row-id='{patient}'] .cell-taken")).to_contain_text("Snoozed until")
    [(until,)] = ask(house, "select snoozed_until from episode where episode_id = %s", episode)
    assert abs(until - datetime.now(UTC) - timedelta(hours=2)) < timedelta(minutes=2)
    page.locator("#panel-episodes [data-act=resume]").click()
    expect(page.locator(f"{ROW}[row-id='{patient}'] .acknowledge")).to_be_visible()
    resolve(house, episode)
    page.context.close()


def test_a_call_shows_whom_to_dial_and_is_recorded(house: House, browser: Browser) -> None:
    [(patient, episode)] = reds(house, 1)
    page = house.sign_in(browser)
    open_panel(page, patient)
    expect(page.locator("#panel-contact a")).to_have_attribute("href", "tel:+441632960143")
    page.fill("#panel-note", "Daughter will visit.")
    page.locator("#panel-call [data-outcome=spoke]").click()
    expect(page.locator("#panel-latest")).to_contain_text("Call by Rosa Mbeki: spoke")
    assert ask(house, "select kind, outcome, body from note where patient_id = %s", patient)[-1:] == [
        ("call", "spoke", "Daughter will visit.")
    ]
    resolve(house, episode)
    page.context.close()


def test_of_two_who_acknowledge_at_once_the_second_is_told_and_may_take_over(house: House, browser: Browser) -> None:
    [(patient, episode)] = reds(house, 1)
    ask(house, "update account set all_sites = true where sign_in = 'carer' returning 1")
    nurse, carer = house.sign_in(browser), house.sign_in(browser, "carer")
    open_panel(carer, patient)
    button = carer.locator("#panel-episodes [data-act=acknowledge]")
    expect(button).to_be_visible()
    # the nurse is quicker, and nothing has told the carer's page yet
    ask(house, "update episode set acknowledged_by = %s, acknowledged_at = now(), acknowledged_severity = severity "
        "where episode_id = %s returning 1", house.seeded.accounts["nurse"], episode)  # fmt: skip
    button.click()
    expect(carer.locator("#triage-outcome")).to_contain_text("is with Rosa Mbeki")
    take = carer.locator("#panel-episodes [data-act=take_over]")
    expect(take).to_have_text("Take over from Rosa Mbeki")
    take.click()
    expect(nurse.locator(f"{ROW}[row-id='{patient}'] .cell-taken")).to_contain_text("Leah Doyle")
    [(note,)] = ask(house, "select note from episode_event where episode_id = %s and account_id = %s",
                    episode, house.seeded.accounts["carer"])  # fmt: skip
    assert note == "Taken over from Rosa Mbeki."
    ask(house, "update account set all_sites = false where sign_in = 'carer' returning 1")
    # whose sight has changed signs in again; a browser that is closed on its way there may never answer
    expect(carer).to_have_url(re.compile("/sign-in"))
    resolve(house, episode)
    nurse.context.close()
    carer.context.close()


def pick(page: Page, patient: int, selected: int) -> None:
    """Tick a row, as a person does: once more where the list has just moved, which then says so."""
    for _ in range(20):
        page.locator(f"{ROW}[row-id='{patient}'] .pick").click()
        if page.evaluate("window.homewardPicked.size") == selected:
            expect(page.locator("#bulk-count")).to_have_text(f"{selected} selected")
            return
        expect(page.locator("#triage-outcome")).to_contain_text("The list has just moved")
    raise AssertionError(f"patient {patient} could not be ticked")


def test_several_at_once_with_one_reason_and_an_answer_for_each(house: House, browser: Browser) -> None:
    raised = reds(house, 3)
    page = house.sign_in(browser)
    page.set_viewport_size({"width": 1440, "height": 1300})  # all of them in sight: the list does not move meanwhile
    for selected, (patient, _) in enumerate(raised, 1):
        pick(page, patient, selected)
    page.fill("#bulk-reason", "ward round")
    # meanwhile one of them is taken by somebody else, and nothing tells this page
    ask(house, "update episode set acknowledged_by = %s, acknowledged_at = now() where episode_id = %s returning 1",
        house.seeded.accounts["carer"], raised[1][1])  # fmt: skip
    page.locator("[data-bulk=acknowledge]").click()
    names = dict(
        ask(
            house,
            "select patient_id, given_name || ' ' || family_name from patient where patient_id = any (%s)",
            [p for p, _ in raised],
        )
    )
    said = page.locator("#triage-outcome")
    expect(said).to_contain_text(f"{names[raised[1][0]]} is with Leah Doyle")
    for patient in (raised[0][0], raised[2][0]):
        expect(said).to_contain_text(str(names[patient]))
    expect(page.locator("#bulk")).to_be_hidden()
    expect(page.locator("#bulk-reason")).to_have_value("")
    held = ask(house, "select acknowledged_by, note from episode join episode_event using (episode_id) "
                      "where episode_id = any (%s) and kind = 'acknowledged'", [e for _, e in raised])  # fmt: skip
    assert held == [(house.seeded.accounts["nurse"], "ward round")] * 2
    for _, episode in raised:
        resolve(house, episode)
    page.context.close()


def test_what_is_new_announces_itself_and_moves_nobodys_focus(house: House, browser: Browser) -> None:
    page = house.sign_in(browser)
    rows_shown(page)
    expect(page.locator("#live")).to_have_class(re.compile("live-on"))
    page.locator("#sound").click()
    expect(page.locator("#sound")).to_have_attribute("aria-pressed", "true")
    page.locator("#triage-search").focus()
    patient, name = a_well_patient(house)
    episode = raise_red(house, patient)
    expect(page.locator("#triage-announce")).to_contain_text(f"New, red: {name}")
    expect(page.locator("#news-pill")).to_have_text("1 new or worse")
    expect(page.locator(f"{ROW}[row-id='{patient}']")).to_have_class(re.compile("row-new"))
    expect(page.locator("#triage-search")).to_be_focused()
    expect(page.locator("html")).to_have_attribute("data-sounded", re.compile("[23]"))
    page.locator("#news-pill").click()
    expect(page.locator(f"{ROW}[row-id='{patient}']:has(.ag-cell-focus)")).to_have_count(1)
    expect(page.locator("#news-pill")).to_be_hidden()
    page.reload()
    expect(page.locator("#sound")).to_have_attribute("aria-pressed", "true")  # remembered in this browser
    resolve(house, episode)
    page.context.close()


def test_the_filters_by_owner_and_pathway(house: House, browser: Browser) -> None:
    [(patient, episode)] = reds(house, 1)
    page = house.sign_in(browser)
    page.locator(f"{ROW}[row-id='{patient}'] .acknowledge").click()
    expect(page.locator(f"{ROW}[row-id='{patient}'] .cell-taken")).to_be_visible()
    page.locator("#triage-owner").click()
    page.get_by_role("option", name="Mine", exact=True).click()
    expect(page.locator(f"{ROW} .acknowledge")).to_have_count(0)
    expect(page.locator(f"{ROW}[row-id='{patient}']")).to_be_visible()
    page.locator("#triage-owner").click()
    page.get_by_role("option", name="Nobody's", exact=True).click()
    expect(page.locator(f"{ROW}[row-id='{patient}']")).to_have_count(0)
    page.locator("#triage-owner").click()
    page.get_by_role("option", name="Any owner", exact=True).click()
    page.locator("#triage-pathway").click()
    [(title, count)] = ask(
        house,
        "select w.title, count(*) from enrolment n join pathway w using (pathway_id) where w.name = "
        "'blood_pressure_home' group by 1",
    )
    page.get_by_role("option", name=str(title), exact=True).click()
    expect(page.locator("#hint-not_reporting")).to_have_text(f"of {count}")
    resolve(house, episode)
    page.context.close()


def test_the_keys_do_everything_and_a_key_tells_them_all(house: House, browser: Browser) -> None:
    [(patient, episode)] = reds(house, 1)
    page = house.sign_in(browser)
    rows_shown(page)
    page.keyboard.press("?")
    expect(page.locator("#help")).to_be_visible()
    page.keyboard.press("Escape")
    expect(page.locator("#help")).to_be_hidden()
    focused = page.locator(f"{ROW}[row-id='{patient}']:has(.ag-cell-focus)")
    for row in range(30):
        if go_down(page, row).get_attribute("row-id") == str(patient):
            break
    expect(focused).to_have_count(1)
    page.keyboard.press("x")
    expect(page.locator("#bulk-count")).to_have_text("1 selected")
    page.keyboard.press("n")
    expect(page.locator("#panel-note")).to_be_focused()
    page.keyboard.type("jam for tea <script>document.title='x'</script>")
    page.keyboard.press("Escape")
    expect(page.locator("#panel")).to_be_hidden()
    expect(focused).to_have_count(1)
    page.keyboard.press("s")
    expect(page.locator("#panel-snooze button").first).to_be_focused()
    # what was typed waited for its patient
    expect(page.locator("#panel-note")).to_have_value(re.compile("jam for tea"))
    page.keyboard.press("Enter")
    expect(page.locator(f"{ROW}[row-id='{patient}'] .cell-taken")).to_contain_text("Snoozed until")
    expect(page.locator("#panel-latest")).to_contain_text("jam for tea <script>")
    assert page.title() != "x"
    resolve(house, episode)
    page.context.close()


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", ["phone", "tablet", "desk"])
def test_the_panel_and_the_selection_are_accessible(house: House, browser: Browser, scheme: str, width: str) -> None:
    page = house.sign_in(browser, width=width, scheme=scheme)
    rows_shown(page)
    page.locator(f"{ROW} .pick").first.click()
    expect(page.locator("#bulk")).to_be_visible()
    page.locator(f"{ROW} .cell-reason").nth(1).click()
    expect(page.locator("#panel-call button").first).to_be_visible()
    expect(page.locator("#panel-latest li").first).to_be_attached()
    expect_to_fit(page)
    assert violations(page) == []
    page.context.close()


@pytest.mark.parametrize("width", [1440, 1280, 768, 360])
def test_reason_and_owner_are_read_whole_also_beside_the_panel(house: House, browser: Browser, width: int) -> None:
    patient = house.seeded.unwell[0]
    [(other,)] = ask(
        house, "insert into episode (organisation_id, patient_id, policy_id, rule, opened_at, activated_at, phase, "
        "severity, peak_severity, sentence) select organisation_id, patient_id, policy_id, %s, now(), now(), 'active', "
        "1, 1, 'Not their usual self.' from episode where patient_id = %s limit 1 returning episode_id",
        f"soft_signs_{width}", patient,
    )  # fmt: skip
    page = house.sign_in(browser)
    page.set_viewport_size({"width": width, "height": 900})
    row = page.locator(f"{ROW}[row-id='{patient}']")
    expect(row.locator(".cell-why")).to_contain_text(", limit ")
    expect(row.locator(".cell-now")).to_be_visible()
    expect(row.locator(".cell-also")).to_have_text("Also: Not their usual self")
    until(page, WHOLE)
    open_panel(page, patient)
    panel = page.locator("#panel-episodes .panel-episode").first
    expect(panel).to_contain_text("Raised ")
    expect(panel.locator(".panel-advice")).to_have_text(
        "Call 999 now. Stay with them and keep watching until help is there."
    )
    if width > 900:
        # the list has made room: its columns end where the panel begins
        until(page, BESIDE)
        expect(row.locator(".acknowledge, .cell-taken")).to_be_in_viewport()
        until(page, WHOLE)
    resolve(house, other)
    page.context.close()


WHOLE = """[...document.querySelectorAll('#triage-grid .ag-row')].flatMap(r =>
    [...r.querySelectorAll('.cell-why, .cell-now, .cell-also, .cell-name, .acknowledge')]
    .filter(n => n.scrollHeight > n.clientHeight + 1
        || n.getBoundingClientRect().bottom > r.getBoundingClientRect().bottom + 1)
    .map(n => n.textContent)).length === 0"""
BESIDE = """() => { const edge = document.querySelector('#panel').getBoundingClientRect().left;
    const last = [...document.querySelectorAll('#triage-grid .ag-row .acknowledge, #triage-grid .ag-row .cell-taken')];
    return last.length > 0 && last.every(n => n.getBoundingClientRect().right <= edge); }"""

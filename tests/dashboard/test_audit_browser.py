"""Does whoever checks the record find who looked at somebody, by NHS number and day, page by page and as a file?"""

from __future__ import annotations

import csv
import io
from datetime import UTC, datetime, timedelta

import pytest
from playwright.sync_api import Browser, expect

from dashboard.pages.audit_log import SHOWN
from tests.dashboard.test_accounts_browser import Trust, browser, choose, trust

pytestmark = pytest.mark.browser
__all__ = ["browser", "trust"]
NUMBER = "9434765919"


@pytest.fixture(scope="module")
def logged(trust: Trust) -> Trust:
    """A log with more entries than one page shows, about a patient whose NHS number is known, today and long ago."""
    north = trust.trusts.north
    patient, other = north.patients[0], north.patients[1]
    trust.ask("update patient set nhs_number = %s where patient_id = %s", NUMBER, patient.patient_id)
    trust.ask(
        "insert into audit_log (organisation_id, account_id, action, object, detail) "
        "select %s, %s, 'looked_at', 'patient/' || case when n %% 2 = 0 then %s else %s end, '{\"what\": \"page\"}' "
        "from generate_series(1, %s) n",
        north.organisation_id,
        north.accounts["nurse"],
        patient.patient_id,
        other.patient_id,
        4 * SHOWN + 20,
    )
    trust.ask(
        "insert into audit_log (organisation_id, account_id, action, object, detail) "
        "values (%s, %s, 'patient_moved', %s, jsonb_build_object('site', %s::int, 'reason', 'Nearer to her son'))",
        north.organisation_id,
        north.accounts["nurse"],
        f"patient/{patient.patient_id}",
        north.sites["Elm House"],
    )
    return trust


def test_who_looked_at_somebody_is_found_by_their_nhs_number(logged: Trust, browser: Browser) -> None:
    patient = logged.trusts.north.patients[0]
    page = logged.open(browser, "admin", "/audit")
    rows = page.locator("#audit-list tbody tr")
    expect(rows).to_have_count(SHOWN)
    page.locator("#audit-patient").fill("943 476 5919")
    # a list that named them, such as this page, is an entry about them too
    moved, of_one = rows.filter(has_text="Moved a patient"), rows.filter(has_not_text="Patients: ")
    expect(moved).to_contain_text("Site: Elm House; Reason: Nearer to her son")
    expect(of_one.nth(1)).to_contain_text("Looked at")
    expect(of_one.nth(1)).to_contain_text(f"Given {patient.family_name}")
    expect(of_one.filter(has_text=logged.trusts.north.patients[1].family_name)).to_have_count(0)
    for wrong, says in (
        ("943 476 5918", "its last digit does not follow"),
        ("450 557 7104", "No patient of this organisation"),
        ("Ada", "Type the ten digits"),
    ):
        page.locator("#audit-patient").fill(wrong)
        expect(page.locator("#audit-list [role=alert]")).to_contain_text(says)
    page.locator("#audit-patient").fill(NUMBER)
    moved.get_by_role("link", name=f"Given {patient.family_name}").click()
    page.wait_for_url(f"**/patients/{patient.patient_id}")
    page.context.close()


def test_pages_are_turned_back_and_forth(logged: Trust, browser: Browser) -> None:
    page = logged.open(browser, "auditor", "/audit")
    # whoever sees no patient finds numbers and no name
    choose(page, "audit-action", "Moved a patient")
    rows = page.locator("#audit-list tbody tr")
    expect(rows).to_have_count(1)
    expect(rows).to_contain_text(f"Patient no. {logged.trusts.north.patients[0].patient_id}")
    expect(page.get_by_role("button", name="Earlier entries")).to_be_hidden()
    choose(page, "audit-action", "Looked at")
    expect(rows).to_have_count(SHOWN)
    # by way of somebody without entries: a search that was still on its way would begin the pages anew
    choose(page, "audit-account", "Reader")
    expect(page.locator("#audit-list")).to_contain_text("No entry matches")
    choose(page, "audit-account", "Nurse")
    expect(rows).to_have_count(SHOWN)
    ways = page.locator(".audit-ways")
    earlier, later = (ways.get_by_role("button", name=f"{word} entries") for word in ("Earlier", "Later"))
    expect(rows.first).to_contain_text("Nurse")
    expect(later).to_be_hidden()
    first = rows.first.inner_text()
    for number in range(2, 6):
        earlier.click()
        expect(ways).to_contain_text(f"Page {number}")
    expect(earlier).to_be_hidden()
    for number in range(4, 0, -1):
        later.click()
        expect(ways).to_contain_text(f"Page {number}")
    expect(later).to_be_hidden()
    expect(rows.first).to_have_text(first, use_inner_text=True)
    page.context.close()


def test_a_span_of_days_is_read_as_people_write_it(logged: Trust, browser: Browser) -> None:
    page = logged.open(browser, "auditor", "/audit")
    rows, said = page.locator("#audit-list tbody tr"), page.locator("#audit-list")
    expect(rows).to_have_count(SHOWN)
    # two days: where the site is, the day may have begun before the one of UTC
    later, earlier = (datetime.now(UTC) + timedelta(days=days) for days in (2, -2))
    page.locator("#audit-from").fill(f"{later.day} {later:%B} {later.year}")
    expect(said).to_contain_text("No entry matches")
    page.locator("#audit-from").fill(f"{earlier:%d/%m/%Y}")
    expect(rows).to_have_count(SHOWN)
    page.locator("#audit-to").fill("1 Jan 2020")
    expect(said).to_contain_text("The last day lies before the first")
    page.locator("#audit-to").fill("soon")
    expect(said).to_contain_text("Type a day as day, month and year")
    page.context.close()


def test_the_file_has_what_matches_and_is_an_entry_itself(logged: Trust, browser: Browser) -> None:
    page = logged.open(browser, "admin", "/audit")
    choose(page, "audit-action", "Moved a patient")
    expect(page.locator("#audit-list tbody tr")).to_have_count(1)
    with page.expect_download() as download:
        page.get_by_role("button", name="Download as CSV").click()
    expect(page.locator("#audit-said")).to_contain_text("Entries in the file: 1")
    [row] = csv.DictReader(io.StringIO(download.value.path().read_text()))
    assert (row["what"], row["about"]) == ("Moved a patient", f"Given {logged.trusts.north.patients[0].family_name}")
    admin = logged.trusts.north.accounts["admin"]
    told = "select object, detail from audit_log where action = 'exported' and account_id = %s"
    assert logged.ask(told, admin) == [("audit", {"search": {"action": "patient_moved"}})]
    page.context.close()

"""Can an administrator add people, register patients and look after rules on the screens, in both colour schemes?

A real Chromium against the real server on a real TimescaleDB.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import pyotp
import pytest
from playwright.sync_api import Browser, Page, expect

from alerts.policy import shipped
from homeward import provisioning
from schemas.database import open_pool
from tests.conftest import TestDatabase
from tests.dashboard.chromium import WIDTHS, browser, expect_to_fit, open_page, sign_in, violations
from tests.dashboard.conftest import PASSWORD, Trusts, connect, make_trusts, serve

__all__ = ["browser"]  # a fixture
pytestmark = pytest.mark.browser
NEW_PASSWORD = "seven green lanterns"


@dataclass(frozen=True)
class Trust:
    """A running dashboard with two organisations, of which one has the shipped policies in force."""

    url: str
    database: TestDatabase
    trusts: Trusts
    cookies: dict[str, Any] = field(default_factory=dict)

    def open(self, browser: Browser, name: str, path: str, width: str = "desk", scheme: str = "light") -> Page:
        """Open a page as a person, who signs in the first time only."""
        if name not in self.cookies:
            page = sign_in(open_page(browser), self.url, name, PASSWORD)
            self.cookies[name] = page.context.storage_state()
            page.context.close()
        page = open_page(browser, width, scheme, storage_state=self.cookies[name])
        page.goto(f"{self.url}{path}")
        return page

    def ask(self, query: str, *parameters: Any) -> list[tuple[Any, ...]]:
        """Ask the database as its superuser."""
        with connect(self.database) as connection:
            cursor = connection.execute(query, parameters)
            return cursor.fetchall() if cursor.description else []


@pytest.fixture(scope="module")
def trust(module_database: TestDatabase) -> Iterator[Trust]:
    trusts = make_trusts(module_database)
    url = module_database.url_for("homeward_admin")
    with open_pool(url, "homeward_admin") as pool, pool.connection() as connection:
        for name in ("pulse_oximetry_home", "care_home_news2", "copd", "pregnancy_blood_pressure"):
            provisioning.publish_policy(
                connection, trusts.north.organisation_id, shipped(name).text, author="Dr A. Mensah", reason="Begin"
            )
        provisioning.add_device(connection, trusts.north.organisation_id, "ox-77", "oximeter", site="Elm House")
    with serve(module_database) as address:
        yield Trust(address, module_database, trusts)


def choose(page: Page, box: str, option: str) -> None:
    """Choose from a list as a person does."""
    page.locator(f"#{box}").click()
    page.get_by_role("option", name=option, exact=True).click()


def test_a_person_is_added_and_signs_in_by_the_link(trust: Trust, browser: Browser) -> None:
    page = trust.open(browser, "admin", "/people")
    # a button that is pressed before the page is wired does nothing
    expect(page.locator("#people-list tbody tr").first).to_be_visible()
    page.get_by_role("button", name="Add a person").click()
    form = page.get_by_role("dialog")
    form.get_by_label("Sign-in name").fill("gbeko")
    form.locator("#person-name").fill("Grace <b>Beko</b>")
    form.get_by_role("button", name="Save").click()
    expect(form.get_by_role("alert")).to_contain_text("at least one site")
    form.get_by_label("Every site").check()
    form.get_by_role("button", name="Save").click()
    link = form.locator("#person-link")
    expect(link).to_contain_text("/choose-password?token=")
    expect(form.locator("#person-said")).to_contain_text(re.compile(r"until .* \d\d:\d\d, Europe/London \("))
    address = link.inner_text()
    page.keyboard.press("Escape")
    page.get_by_label("Search by name").fill("beko")
    row = page.locator("#people-list tbody tr")
    expect(row).to_have_count(1)
    expect(row).to_contain_text("Grace <b>Beko</b>")
    expect(row).to_contain_text("Has not chosen a password")
    page.goto(address)
    context = page.context
    context.clear_cookies()
    page.goto(address)
    page.fill("#password", NEW_PASSWORD)
    page.fill("#again", NEW_PASSWORD)
    page.get_by_role("button", name="Save the password").click()
    page.get_by_role("link", name="Sign in").click()
    page.fill("#sign_in", "gbeko")
    page.fill("#password", NEW_PASSWORD)
    page.click("button[type=submit]")
    page.wait_for_selector("#live")
    context.close()


def test_a_patient_is_registered_with_pathway_and_device_in_one_go(trust: Trust, browser: Browser) -> None:
    page = trust.open(browser, "nurse", "/enrol")
    page.get_by_label("Given name").fill("Winifred")
    page.get_by_label("Family name").fill("<script>alert(1)</script>")
    page.get_by_label("Date of birth").fill("6.5.1940")
    page.get_by_label("NHS number").fill("943 476 5918")
    choose(page, "enrol-site", "Elm House")
    page.get_by_role("button", name="Register").click()
    expect(page.get_by_role("alert")).to_contain_text("last digit")
    page.get_by_label("NHS number").fill("943 476 5919")
    choose(page, "enrol-pathway", "Care home, NEWS2")
    choose(page, "enrol-target", "88–92 %")
    page.get_by_label("Usual NEWS2").fill("2")
    page.get_by_label("Devices").fill("ox-77")
    page.get_by_role("button", name="Register").click()
    page.get_by_role("link", name="Open the record").click()
    expect(page.get_by_role("heading", name="Winifred <script>alert(1)</script>")).to_be_visible()
    [(scale, usual, device)] = trust.ask(
        "select o.spo2_scale, o.usual_news2, d.code from patient p join enrolment_override o using (patient_id) "
        "join device_assignment a using (patient_id) join device d using (device_id) where nhs_number = '9434765919'"
    )
    assert (scale, usual, device) == (2, 2, "ox-77")
    # the same number again: told whose it is
    page.goto(f"{trust.url}/enrol")
    page.get_by_label("Given name").fill("Somebody")
    page.get_by_label("Family name").fill("Else")
    page.get_by_label("Date of birth").fill("06051940")
    page.get_by_label("NHS number").fill("9434765919")
    choose(page, "enrol-site", "Elm House")
    page.get_by_role("button", name="Register").click()
    expect(page.get_by_role("alert")).to_contain_text("has this NHS number")
    page.context.close()


def test_a_patient_is_moved_and_discharged_from_their_page(trust: Trust, browser: Browser) -> None:
    patient = trust.trusts.north.patients[3]
    page = trust.open(browser, "nurse", f"/patients/{patient.patient_id}")
    page.get_by_text("Discharge or move").click()
    choose(page, "leave-site", "Elm House")
    page.get_by_role("button", name="Move to another site").click()
    expect(page.locator("#leave-said")).to_contain_text("Moved")
    page.get_by_role("button", name="Discharge", exact=True).click()
    expect(page.locator("#leave-said")).to_contain_text("A reason is needed")
    page.locator("#leave-reason").fill("Well again")
    page.get_by_role("button", name="Discharge", exact=True).click()
    expect(page.locator("#leave-said")).to_contain_text("Discharged")
    page.reload()
    page.get_by_text("Take into care again").first.click()
    choose(page, "leave-site", "Elm House")
    page.locator("#leave-reason").fill("Back home")
    page.get_by_role("button", name="Take into care again").click()
    expect(page.locator("#leave-said")).to_contain_text("In care again")
    assert trust.ask("select site_id, discharged_at from patient where patient_id = %s", patient.patient_id) == [
        (trust.trusts.north.sites["Elm House"], None)
    ]
    page.context.close()


def test_pathways_are_offered_to_whom_they_are_meant_for(trust: Trust, browser: Browser) -> None:
    page = trust.open(browser, "nurse", "/enrol")
    page.get_by_label("Date of birth").fill("1 2 2015")
    page.get_by_label("Date of birth").press("Tab")
    page.locator("#enrol-pathway").click()
    options = page.get_by_role("option")
    expect(options.filter(has_text="None yet")).to_be_visible()
    expect(options.filter(has_text="Care home, NEWS2")).to_have_count(0)
    page.context.close()


def test_a_site_is_added_and_changed(trust: Trust, browser: Browser) -> None:
    page = trust.open(browser, "admin", "/sites")
    page.get_by_label("Name", exact=True).fill("Ash Lodge")
    page.get_by_role("button", name="Save").click()
    row = page.locator("#sites-list tr").filter(has_text="Ash Lodge")
    expect(row).to_be_visible()
    row.get_by_role("button").click()
    expect(page.get_by_role("heading", name="Change the site")).to_be_visible()
    expect(page.get_by_label("Name", exact=True)).to_have_value("Ash Lodge")
    page.get_by_label("Name", exact=True).fill("Elm House")
    page.get_by_role("button", name="Save").click()
    expect(page.get_by_role("alert")).to_contain_text("already")
    page.get_by_label("Name", exact=True).fill("Ash Grove")
    page.locator("#sites-list tr").filter(has_text="Oak House").get_by_role("button").click()
    asked = page.locator("#site-ask")
    expect(asked).to_contain_text("You have written in Name, and it is not saved.")
    asked.get_by_role("button", name="Keep what I wrote").click()
    expect(asked).to_be_hidden()
    page.get_by_role("button", name="Save").click()
    expect(page.locator("#sites-list tr").filter(has_text="Ash Grove")).to_be_visible()
    # what is saved is not lost, so nothing is asked
    page.locator("#sites-list tr").filter(has_text="Oak House").get_by_role("button").click()
    expect(page.get_by_label("Name", exact=True)).to_have_value("Oak House")
    expect(asked).to_be_hidden()
    page.get_by_role("button", name="Cancel").click()
    expect(page.get_by_label("Name", exact=True)).to_have_value("")
    page.context.close()


def test_a_person_protects_their_account_with_an_app_and_ends_another_sign_in(trust: Trust, browser: Browser) -> None:
    page = trust.open(browser, "other-nurse", "/account")
    page.locator("#factor-password").fill(PASSWORD)
    page.get_by_role("button", name="Set up an authenticator app").click()
    shown = page.get_by_text("or type").inner_text()
    found = re.search(r"type ([A-Z2-7 ]+) into", shown)
    assert found is not None
    totp = pyotp.TOTP(found[1].replace(" ", ""))
    page.locator("#factor-code").fill("000000" if totp.now() != "000000" else "111111")
    page.locator("#factor-confirm").click()
    expect(page.locator("#factor-said")).to_contain_text("not right")
    page.locator("#factor-code").fill(totp.now())
    page.locator("#factor-confirm").click()
    expect(page.locator("#factor-step .codes li")).to_have_count(10)
    code = page.locator("#factor-step .codes li").first.inner_text()
    # elsewhere the password is not enough any more; a recovery code is
    other = open_page(browser)
    other.goto(f"{trust.url}/sign-in")
    other.fill("#sign_in", "other-nurse")
    other.fill("#password", PASSWORD)
    other.click("button[type=submit]")
    expect(other.get_by_role("heading", name="One more step")).to_be_visible()
    assert violations(other) == []
    other.fill("#code", code)
    other.click("button[type=submit]")
    other.wait_for_selector("#live")
    page.reload()
    page.get_by_role("button", name="Sign out there").click()
    expect(page.locator("#account-sessions tbody tr")).to_have_count(1)
    expect(page.locator("#account-sessions")).to_contain_text("Times in Europe/London (")
    expect(page.locator("#account-factor")).to_contain_text("Recovery codes left: 9")
    other.wait_for_url(re.compile("/sign-in"))
    other.context.close()
    page.context.close()


def test_a_policy_is_read_compared_and_put_in_force_with_a_reason(trust: Trust, browser: Browser) -> None:
    page = trust.open(browser, "admin", "/policies")
    page.get_by_role("button", name="Read: Pulse oximetry at home").click()
    shown = page.locator("#policy-shown")
    expect(shown).to_contain_text("oxygen saturation 92 % or less")
    expect(shown).to_contain_text("Source: NHS @home")
    page.get_by_text("A new version").click()
    draft = page.locator("#policy-document")
    expect(draft).to_have_value(re.compile("amber = 94"))
    draft.fill(draft.input_value().replace("amber = 94", "amber = 93").replace("red = 92", "red = 95"))
    page.get_by_role("button", name=re.compile("^Read: COPD")).click()
    asked = page.locator("#policy-ask")
    expect(asked).to_contain_text("You have changed the draft of a new version, and it is not in force.")
    asked.get_by_role("button", name="Keep what I wrote").click()
    expect(asked).to_be_hidden()
    expect(draft).to_have_value(re.compile("amber = 93"))
    page.get_by_role("button", name="Put in force").click()
    expect(page.locator("#policy-said")).to_contain_text("exchange them")
    draft.fill(draft.input_value().replace("red = 95", "red = 91"))
    page.locator("#policy-new").get_by_role("button", name="Compare").click()
    said = page.locator("#policy-said")
    expect(said).to_contain_text("2 differences")
    expect(said.locator("ins").filter(has_text="93")).to_be_visible()
    page.get_by_role("button", name="Put in force").click()
    expect(said).to_contain_text("an author who answers for it")
    page.locator("#policy-author").fill("Dr B. Owusu")
    page.locator("#policy-reason").fill("Fewer calls at night")
    page.get_by_role("button", name="Put in force").click()
    expect(said).to_contain_text("in version 2")
    expect(page.locator("#policies-list tr").filter(has_text="Pulse oximetry at home")).to_contain_text("Dr B. Owusu")
    [(who, reason)] = trust.ask(
        "select a.name, l.detail ->> 'reason' from audit_log l join account a using (account_id) "
        "where action = 'policy_published' and (detail ->> 'version')::int = 2"
    )
    assert (who, reason) == ("Admin", "Fewer calls at night")
    # what is in force is not lost, so nothing is asked
    page.get_by_role("button", name=re.compile("^Read: COPD")).click()
    expect(draft).to_have_value(re.compile("COPD"))
    expect(asked).to_be_hidden()
    page.context.close()


def test_a_clinician_opens_a_patient_elsewhere_and_everybody_sees_it(trust: Trust, browser: Browser) -> None:
    oak, nurse = trust.trusts.north.sites["Oak House"], trust.trusts.north.accounts["nurse"]
    elm = trust.trusts.north.sites["Elm House"]
    patient = trust.trusts.north.patients[2]
    assert patient.site_id == oak
    trust.ask("update patient set nhs_number = '4505577104' where patient_id = %s", patient.patient_id)
    trust.ask("update site set time_zone = 'Asia/Kolkata' where site_id = %s", oak)
    trust.ask("update account set all_sites = false where account_id = %s", nurse)
    trust.cookies.pop("nurse", None)
    trust.ask("insert into account_site values (%s, %s, %s)", nurse, elm, trust.trusts.north.organisation_id)
    page = trust.open(browser, "nurse", f"/patients/{patient.patient_id}")
    expect(page.locator("#main")).to_contain_text("no such patient")
    page.goto(f"{trust.url}/emergency")
    page.locator("#emergency-number").fill("450 557 7104")
    page.locator("#emergency-born-on").fill("6 5 1940")
    page.locator("#emergency-reason").fill("x")
    page.get_by_role("button", name="Open for 60 minutes").click()
    expect(page.get_by_role("alert")).to_contain_text("Say why")
    page.locator("#emergency-reason").fill("Found unconscious at a day centre")
    page.get_by_role("button", name="Open for 60 minutes").click()
    expect(page.locator("#emergency-list")).to_contain_text("Times in Europe/London (")
    page.get_by_role("link", name="Open the record").click()
    expect(page.locator(".emergency-banner")).to_contain_text("Found unconscious")
    expect(page.locator(".emergency-banner")).to_contain_text(", Asia/Kolkata (IST)")
    expect(page.get_by_role("heading", name=patient.family_name)).to_be_visible()
    page.context.close()
    audit = trust.open(browser, "admin", "/audit")
    expect(audit.locator("#audit-emergencies")).to_contain_text("Found unconscious at a day centre")
    choose(audit, "audit-action", "Opened a patient in an emergency")
    rows = audit.locator("#audit-list tbody tr")
    expect(rows).to_have_count(1)
    expect(rows).to_contain_text("Found unconscious")
    audit.get_by_role("button", name="Verify the log").click()
    expect(audit.locator("#audit-said")).to_contain_text("none changed")
    with audit.expect_download() as download:
        audit.get_by_role("button", name="Download as CSV").click()
    file = download.value.path().read_text()
    assert file.splitlines()[0].startswith("audit_id,at,account_id")
    assert "Found unconscious" in file
    audit.context.close()
    trust.ask("update site set time_zone = 'Europe/London' where site_id = %s", oak)
    trust.ask("delete from account_site where account_id = %s", nurse)
    trust.ask("update account set all_sites = true where account_id = %s", nurse)
    trust.cookies.pop("nurse", None)


PAGES = [
    ("admin", "/people"),
    ("nurse", "/enrol"),
    ("admin", "/sites"),
    ("admin", "/policies"),
    ("admin", "/audit"),
    ("carer", "/account"),
    ("nurse", "/emergency"),
]


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize(("who", "path"), PAGES)
def test_no_page_has_a_fault_that_axe_finds_or_is_wider_than_the_screen(
    trust: Trust, browser: Browser, who: str, path: str, scheme: str
) -> None:
    page = trust.open(browser, who, path, scheme=scheme)
    expect(page.locator("#main h1")).to_be_visible()
    expect(page.locator(".loading-note")).to_have_count(0)
    for width in ("tablet", "phone", "desk"):
        page.set_viewport_size({"width": WIDTHS[width][0], "height": WIDTHS[width][1]})
        if width != "tablet":
            assert violations(page) == [], (path, width, scheme)
        expect_to_fit(page, (path, width))
    page.context.close()


def test_who_sees_no_patient_begins_with_what_they_are_there_for(trust: Trust, browser: Browser) -> None:
    for who, heading in (("auditor", "Audit"), ("technician", "Devices")):
        page = trust.open(browser, who, "/")
        expect(page.locator("#main h1")).to_have_text(heading)
        expect(page.locator("#navigation [aria-current=page]")).to_have_text(heading)
        page.context.close()
    page = trust.open(browser, "technician", "/system")
    expect(page.locator("#system-list")).to_contain_text("TimescaleDB")
    page.locator(".person-menu summary").click()
    page.locator("#sign-out").click()
    page.wait_for_url(f"{trust.url}/sign-in")
    page.context.close()


def test_a_carer_finds_none_of_these_pages(trust: Trust, browser: Browser) -> None:
    page = trust.open(browser, "carer", "/people")
    expect(page.locator("#main .trouble")).to_contain_text("Your role does not include this page")
    expect(page.locator("#navigation")).not_to_contain_text(re.compile("People|Sites|Register"))
    page.context.close()

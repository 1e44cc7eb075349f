"""Can a carer with a tablet enter a set at the bedside, with a network or without, and learn what it means?

The whole way: a real Chromium with touch, the real server with the route of entry, ingest's writer, a real TimescaleDB.
"""

from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, Route, expect

from dashboard import text
from tests.dashboard.bedside import Bedside, browser, house, violations
from tests.dashboard.chromium import expect_to_fit
from tests.dashboard.test_pages_browser import House

__all__ = ["browser", "house"]  # fixtures
pytestmark = pytest.mark.browser
MOST_TAPS = 20
SMALLEST_PX = 48


@pytest.fixture
def bedside(house: House, browser: Browser) -> Iterator[Bedside]:
    made = Bedside(house, browser, house.seeded.patients[0])
    yield made
    made.context.close()


def test_a_whole_set_takes_few_taps_and_says_what_to_do(bedside: Bedside) -> None:
    bedside.enter_set(respiration_rate="26", spo2="90", pulse="118", temperature="38.6")
    result = bedside.page.locator("#observe-result")
    expect(result).to_contain_text("This set: NEWS2 9.")
    expect(result).to_contain_text("Call 999 now.")
    expect(result).to_contain_text("Their usual score is 0: this is 9 above it.")
    expect(result).to_contain_text("From the policy Care home, NEWS2, policy version 1")
    assert bedside.taps <= MOST_TAPS
    assert bedside.stored() == {1: 26, 2: 90, 3: 0, 4: 128, 5: 76, 6: 118, 7: 0, 8: 38.6, 11: 0}
    assert (
        bedside.count("select count(*) from audit_log where action = 'entered_by_hand' and object = 'patient/' || %s")
        == 1
    )
    bedside.tap(result.get_by_role("button", name="I am on it"))
    expect(bedside.page.locator("#observe-taking")).to_have_text(text.ACKNOWLEDGED)
    waiting = "select count(*) from episode where patient_id = %s and phase = 'active' and acknowledged_at is null"
    assert bedside.count(waiting) == 0


def test_a_part_of_a_set_gives_a_range_and_names_what_is_missing(bedside: Bedside) -> None:
    bedside.enter("spo2", "93")
    bedside.enter("pulse", "95")
    bedside.tap("label[for=observe-on_oxygen-0]")
    preview = bedside.page.locator("#observe-preview")
    expect(preview).to_contain_text(
        "NEWS2 between 3 and 15; respiration rate, systolic pressure, consciousness and temperature are missing"
    )
    # a second tap takes a choice back: what was not observed is not forced
    bedside.tap("label[for=observe-on_oxygen-0]")
    expect(preview).to_contain_text("air or oxygen")
    expect(bedside.page.locator("input[name=observe-on_oxygen]:checked")).to_have_count(0)


def test_what_cannot_be_right_is_asked_back_and_not_refused(bedside: Bedside) -> None:
    bedside.enter("temperature", "379")
    bedside.enter("pulse", "80")
    question = bedside.page.locator("#observe-ask-temperature")
    expect(question).to_contain_text("37.9 or 379? You entered 379.")
    bedside.tap("#observe-save")
    expect(bedside.page.locator("#observe-preview")).to_contain_text("answer the question")
    bedside.tap(question.get_by_role("button", name="37.9", exact=True))
    expect(bedside.page.locator("#observe-temperature")).to_have_value("37.9")
    bedside.enter("bp_systolic", "70")
    bedside.enter("bp_diastolic", "120")
    bedside.tap("#observe-pulse")
    bedside.tap(bedside.page.get_by_role("button", name="Swap them"))
    expect(bedside.page.locator("#observe-bp_systolic")).to_have_value("120")
    # who insists is taken at their word: it is kept aside whole, and they are told
    bedside.page.fill("#observe-spo2", "9")
    bedside.tap("#observe-save")
    bedside.tap(bedside.page.get_by_role("button", name="9: It is right"))
    bedside.tap("#observe-save")
    expect(bedside.page.locator("#observe-result")).to_contain_text("4 values saved. 1 could not be right and was kept")
    assert bedside.stored()[8] == 37.9
    assert bedside.count("select count(*) from quarantine where reason = 'implausible' and %s > 0") == 1


def test_who_is_more_confused_is_not_scored_with_alert_from_before(house: House, browser: Browser) -> None:
    bedside = Bedside(house, browser, house.seeded.patients[3])
    result, unclear = bedside.page.locator("#observe-result"), bedside.page.locator(".entry-ask", has_text="confused?")
    bedside.enter_set()
    expect(result).to_contain_text("This set: NEWS2 0.")
    # what to do is alone on the page until another set is wanted
    expect(bedside.page.locator("#observe-form")).to_be_hidden()
    expect(bedside.page.locator("#observe-save")).to_be_hidden()
    bedside.tap("#observe-another")
    for sign in ("soft_signs-1", "sign-1"):
        bedside.tap(f"label[for=observe-{sign}]")
    bedside.enter("pulse", "80")
    bedside.tap("#observe-save")
    expect(unclear).to_be_visible()
    bedside.tap(unclear.get_by_role("button", name="I cannot tell"))
    expect(unclear).to_have_count(0)
    bedside.tap("#observe-save")
    expect(result).to_contain_text("): NEWS2 between 0 and 3; consciousness is missing.")
    expect(result).to_contain_text("what was found before does not count")
    expect(result.locator(".entry-next")).not_to_contain_text("Not their usual self")
    expect(result.locator(".entry-why")).to_contain_text("Not their usual self")
    # every other page, and the core, say the same
    bedside.page.goto(f"{house.url}/patients/{bedside.patient}")
    expect(bedside.page.locator("#patient-vitals")).to_contain_text("without consciousness")
    expect(bedside.page.locator("#patient-vitals")).to_contain_text("from before they changed, does not count")
    bedside.open()
    for sign in ("soft_signs-1", "sign-1"):
        bedside.tap(f"label[for=observe-{sign}]")
    bedside.enter("pulse", "80")
    bedside.tap("#observe-save")
    bedside.tap(unclear.get_by_role("button", name="New confusion (C)"))
    expect(unclear).to_have_count(0)
    bedside.tap("#observe-save")
    expect(result).to_contain_text("): NEWS2 3.")
    assert bedside.stored()[7] == 1
    bedside.context.close()


def test_breaths_are_counted_by_tapping(house: House, browser: Browser) -> None:
    bedside = Bedside(house, browser, house.seeded.patients[3])
    bedside.page.clock.install()
    bedside.tap(bedside.page.get_by_role("button", name="30 s"))
    for _ in range(9):
        bedside.tap(".entry-tap")
    bedside.page.clock.run_for(31_000)
    expect(bedside.page.locator("#observe-respiration_rate")).to_have_value("18")
    expect(bedside.page.locator(".entry-counter")).to_contain_text("9 breaths counted, 30 s")
    bedside.context.close()


def test_without_a_network_a_set_waits_and_is_sent_once(bedside: Bedside) -> None:
    before = bedside.count("select count(*) from observation where patient_id = %s and flags & 64 <> 0")
    notes = bedside.count("select count(*) from note where patient_id = %s")
    bedside.context.set_offline(True)
    bedside.tap("label[for=observe-soft_signs-1]")
    bedside.tap("label[for=observe-sign-2]")
    bedside.page.fill("#observe-remark", "<img src=x onerror=document.title='hacked'> Left her lunch.")
    bedside.enter("pulse", "88")
    bedside.tap("#observe-save")
    chip = bedside.page.locator("#drafts")
    expect(chip).to_contain_text("1 set not sent")
    bedside.enter("temperature", "37.2")
    bedside.tap("#observe-save")
    expect(chip).to_contain_text("2 sets not sent")
    kept = bedside.page.evaluate("window.localStorage.getItem('homeward-drafts')")
    name = bedside.page.locator("h1").inner_text()
    assert not any(part in kept for part in name.split())
    # the first answer is lost on its way: the tablet cannot know, sends again, and nothing doubles
    lost: list[str] = []

    def lose_the_first(route: Route) -> None:
        if not lost:
            lost.append(route.request.post_data or "")
            route.fetch()
            route.abort()
        else:
            route.continue_()

    bedside.page.route("**/api/v1/observations?*", lose_the_first)
    bedside.context.set_offline(False)
    bedside.page.evaluate("window.dispatchEvent(new Event('online'))")
    expect(chip).to_have_count(0)
    assert lost
    assert bedside.count("select count(*) from observation where patient_id = %s and flags & 64 <> 0") == before + 3
    assert bedside.count("select count(*) from note where patient_id = %s") == notes + 1
    expect(bedside.page.locator("#observe-result")).to_contain_text("1 value saved")
    bedside.page.goto(f"{bedside.house.url}/patients/{bedside.patient}")
    expect(bedside.page.locator("#patient-timeline")).to_contain_text("<img src=x onerror")
    expect(bedside.page.locator("#patient-timeline")).to_contain_text("Eating or drinking less")
    assert bedside.page.title().endswith("Homeward")


def test_somebody_elses_draft_waits_for_them(bedside: Bedside) -> None:
    draft = {"key": "k" * 32, "patient": bedside.patient, "account": 999999, "remark": "",
             "set": {"id": "k" * 32, "time": "2026-01-01T00:00:00Z", "values": {"pulse": 70}}}  # fmt: skip
    bedside.page.evaluate("draft => window.localStorage.setItem('homeward-drafts', JSON.stringify([draft]))", draft)
    bedside.page.reload()
    expect(bedside.page.locator("#drafts")).to_contain_text("of somebody else")
    asked: list[str] = []
    bedside.page.on("request", lambda request: asked.append(f"{request.method} {request.url}"))
    # which asks who is signed in, and goes no further
    with bedside.page.expect_response("**/api/v1/me"):
        bedside.page.get_by_role("button", name="Send now").click()
    bedside.page.reload()
    expect(bedside.page.locator("#drafts")).to_contain_text("of somebody else")
    assert [one for one in asked if "/api/v1/observations" in one] == []


def test_a_set_for_somebody_elses_resident_is_refused_and_said(house: House, bedside: Bedside) -> None:
    stranger = house.seeded.patients[1]
    bedside.page.goto(f"{house.url}/patients/{stranger}/observe")
    expect(bedside.page.locator("#main")).to_contain_text("There is no such patient")
    me = bedside.page.evaluate("fetch('/api/v1/me').then(a => a.json()).then(m => m.account_id)")
    draft = {"key": "s" * 32, "patient": stranger, "account": me, "remark": "",
             "set": {"id": "s" * 32, "time": "2026-01-01T00:00:00Z", "values": {"pulse": 70}}}  # fmt: skip
    bedside.page.evaluate("draft => window.localStorage.setItem('homeward-drafts', JSON.stringify([draft]))", draft)
    bedside.page.reload()
    expect(bedside.page.locator("#drafts")).to_contain_text("refused: There is no such patient.")
    bedside.page.on("dialog", lambda dialog: dialog.accept())
    bedside.page.get_by_role("button", name="Throw away").click()
    expect(bedside.page.locator("#drafts")).to_have_count(0)


def test_targets_are_large_and_nothing_scrolls_sideways(bedside: Bedside) -> None:
    bedside.tap("label[for=observe-soft_signs-1]")
    for width in (360, 768, 1440):
        bedside.page.set_viewport_size({"width": width, "height": 900})
        expect_to_fit(bedside.page, width)
        small = bedside.page.evaluate(
            """least => [...document.querySelectorAll(`#observe-form button, #observe-form .entry-option,
            #observe-form .entry-input, #observe-save`)]
            .map(n => [n.textContent || n.id, n.getBoundingClientRect().height])
            .filter(pair => pair[1] < least)""",
            SMALLEST_PX,
        )
        assert small == [], width


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_no_accessibility_violation(house: House, browser: Browser, scheme: str) -> None:
    bedside = Bedside(house, browser, house.seeded.patients[0])
    bedside.page.emulate_media(color_scheme=scheme)
    bedside.open()
    bedside.tap("label[for=observe-soft_signs-1]")
    bedside.enter("temperature", "379")
    bedside.enter("pulse", "80")
    expect(bedside.page.locator("#observe-ask-temperature")).to_contain_text("37.9")
    assert violations(bedside.page) == []
    bedside.tap(bedside.page.get_by_role("button", name="37.9", exact=True))
    bedside.tap("#observe-save")
    expect(bedside.page.locator("#observe-told")).to_be_visible()
    assert violations(bedside.page) == []
    bedside.context.close()

"""Does a carer see at a glance who needs what, say that they are on it or did it, and take a list on the round?"""

import json
import re
from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.dashboard.bedside import browser, house, sign_in, violations
from tests.dashboard.chromium import expect_to_fit, hold, until
from tests.dashboard.conftest import connect
from tests.dashboard.test_pages_browser import House, resolve

__all__ = ["browser", "house"]  # fixtures
pytestmark = pytest.mark.browser
PHONE = {"width": 360, "height": 740}


@pytest.fixture
def page(house: House, browser: Browser) -> Iterator[Page]:
    """The carer's telephone, on the page of residents."""
    made = sign_in(house, browser, "carer", PHONE)
    made.goto(f"{house.url}/residents")
    expect(made.locator(".resident").first).to_be_visible()
    yield made
    made.context.close()


def raise_amber(house: House, patient: int, rule: str = "news2") -> int:
    """Raise an episode as ingest does, with the word to the browsers."""
    with connect(house.database) as connection, connection.transaction():
        row = connection.execute(
            "insert into episode (organisation_id, patient_id, policy_id, rule, opened_at, activated_at, phase, "
            "severity, peak_severity, sentence) select organisation_id, %s, (select min(policy_id) from policy), "
            "%s, now(), now(), 'active', 2, 2, 'NEWS2 5.' from patient where patient_id = %s returning episode_id",
            [patient, rule, patient],
        ).fetchone()
        assert row is not None
        told = {"organisation": house.seeded.organisation, "patients": [patient], "episodes": True}
        connection.execute("select pg_notify('homeward_live', %s)", [json.dumps(told)])
    return int(row[0])


def name_of(house: House, patient: int) -> str:
    with connect(house.database) as connection:
        row = connection.execute(
            "select given_name || ' ' || family_name from patient where patient_id = %s", [patient]
        ).fetchone()
    assert row is not None
    return str(row[0])


def test_only_their_own_home_in_the_policys_plain_words(house: House, page: Page) -> None:
    expect(page.locator("#residents-lead")).to_contain_text("Willow Court")
    mine = {name_of(house, p) for p in house.seeded.patients[::3]}
    names = page.locator(".resident h3, .resident-name")
    expect(names).to_have_count(len(mine))
    for name in mine:
        expect(names.filter(has_text=name)).to_have_count(1)
    red = page.locator(".group-now .resident.level-3").first
    expect(red.locator(".resident-steps")).to_contain_text("Call 999 now.")
    expect(red.locator(".badge")).to_contain_text("Emergency")
    # the worst first
    levels = [int(re.findall(r"level-(\d)", c)[0]) for c in page.eval_on_selector_all(
        ".group-now .resident", "all => all.map(n => n.className)")]  # fmt: skip
    assert levels == sorted(levels, reverse=True)


def test_what_happens_is_there_and_can_be_taken_on_and_done(house: House, page: Page) -> None:
    patient = next(p for p in house.seeded.patients[::3] if p not in house.seeded.unwell)
    name = name_of(house, patient)
    expect(page.locator("#live")).to_have_class(re.compile("live-on"))
    episode = raise_amber(house, patient)
    card = page.locator(".group-now .resident", has_text=name)
    expect(card).to_contain_text("Ring the GP and say it is urgent")
    card.get_by_role("button", name="I am on it").tap()
    taken = page.locator(".group-taken .resident", has_text=name)
    expect(taken).to_contain_text("Leah Doyle is on it")
    taken.get_by_role("button", name="Done").tap()
    box = page.get_by_role("dialog")
    expect(box).to_contain_text(name)
    box.get_by_role("button", name="Save").tap()
    expect(box).to_contain_text("Write what you did first")
    box.get_by_label("What did you do?").last.fill("Rang the GP, <b>visits</b> at four.")
    # an update meanwhile takes nothing of it away
    raise_amber(house, patient, "other")
    expect(page.locator(".resident", has_text=name).locator(".reason")).to_have_count(2)
    box.get_by_role("button", name="Save").tap()
    expect(page.locator(".group-taken .resident", has_text=name)).to_contain_text("Done by Leah Doyle, ")
    expect(page.locator(".group-taken .resident", has_text=name)).to_contain_text("Rang the GP, <b>visits</b> at four.")
    with connect(house.database) as connection:
        kinds = connection.execute(
            "select kind, account_id from episode_event where episode_id = %s order by event_id", [episode]
        ).fetchall()
        audited = connection.execute(
            "select count(*) from audit_log where action = 'done' and object = %s", [f"patient/{patient}"]
        ).fetchone()
    carer = house.seeded.accounts["carer"]
    assert kinds == [("acknowledged", carer), ("noted", carer)]
    assert audited == (1,)


def test_what_was_begun_about_one_resident_is_never_offered_for_another(house: House, page: Page) -> None:
    done = page.get_by_role("button", name=re.compile("^Done: "))
    box, body = page.get_by_role("dialog"), page.locator("#done-body")
    first, second = (str(done.nth(n).get_attribute("aria-label")).removeprefix("Done: ") for n in (0, 1))
    done.nth(0).tap()
    expect(box).to_contain_text(first)
    body.fill("Gave her water.")
    page.keyboard.press("Escape")
    expect(box).to_have_count(0)
    done.nth(1).tap()
    expect(box).to_contain_text(second)
    expect(body).to_have_value("")
    page.keyboard.press("Escape")
    expect(box).to_have_count(0)
    done.nth(0).tap()
    expect(box).to_contain_text(first)
    expect(body).to_have_value("Gave her water.")
    # over a slow network: the answer about one does nothing to what is another's, and what is typed on stays
    let_go, save = hold(page, '"done-save.n_clicks"'), page.locator("#done-save")
    save.tap()
    expect(save).to_have_attribute("aria-busy", "true")
    page.keyboard.press("Escape")
    expect(box).to_have_count(0)
    done.nth(1).tap()
    expect(box).to_contain_text(second)
    body.fill("Slept well.")
    let_go()
    expect(page.locator("#residents-said")).to_contain_text(f"{first}: Saved: done.")
    expect(body).to_have_value("Slept well.")
    expect(save).not_to_have_attribute("aria-busy", "true")
    save.tap()
    expect(save).to_have_attribute("aria-busy", "true")
    body.fill("Slept well. Ate nothing.")
    let_go()
    expect(page.locator("#done-trouble")).to_contain_text("What you have written since then is not saved yet.")
    expect(body).to_have_value("Slept well. Ate nothing.")


def test_who_is_in_the_list_keeps_their_place_when_somebody_comes_above(house: House, page: Page) -> None:
    expect(page.locator("#live")).to_have_class(re.compile("live-on"))
    last = page.locator(".group-now .resident, .group-taken .resident").last
    mine = last.get_by_role("button", name=re.compile("^Done: "))
    label = mine.get_attribute("aria-label")
    page.evaluate("""() => new MutationObserver((changes) => changes.forEach((c) => {
        if (c.target.dataset.moved) (window.moved = window.moved || new Set()).add(c.target.id);
    })).observe(document.body, { subtree: true, attributes: true, attributeFilter: ["data-moved"] })""")
    moved = last.get_attribute("id")
    mine.focus()
    patient = next(p for p in house.seeded.patients[::3] if not open_episodes(house, p))
    episode = raise_amber(house, patient)
    expect(page.locator(".group-now .resident", has_text=name_of(house, patient))).to_be_visible()
    expect(page.locator(":focus")).to_have_attribute("aria-label", str(label))
    # where another card has come to lie a tap that was on its way presses nothing
    until(page, "id => window.moved && window.moved.has(id)", moved)
    expect(last).not_to_have_attribute("data-moved", "1")
    resolve(house, episode)


def open_episodes(house: House, patient: int) -> int:
    with connect(house.database) as connection:
        row = connection.execute(
            "select count(*) from episode where patient_id = %s and phase = 'active'", [patient]
        ).fetchone()
    assert row is not None
    return int(row[0])


def test_the_round_list_has_everybody_and_room_to_write(house: House, page: Page) -> None:
    page.get_by_role("link", name="Round list").tap()
    page.wait_for_url(f"{house.url}/residents/round")
    table = page.locator(".round-table tbody tr")
    expect(table).to_have_count(len(house.seeded.patients[::3]))
    expect(page.locator(".round-stamp")).to_contain_text("Willow Court")
    expect(table.first.locator("td.blank")).to_have_count(8)
    page.emulate_media(media="print")
    expect(page.locator(".mantine-AppShell-header")).to_be_hidden()
    expect(page.get_by_role("button", name="Print")).to_be_hidden()
    expect(page.locator(".round-table")).to_be_visible()


def test_the_way_to_soft_signs_leads_to_the_question(house: House, page: Page) -> None:
    page.get_by_role("link", name="Not their usual self?").first.tap()
    expect(page.locator("#signs")).to_be_visible()
    expect(page.locator("#signs")).to_be_in_viewport()


def test_nothing_scrolls_sideways_and_targets_are_large(house: House, page: Page) -> None:
    for path, seen in (("/residents", ".resident"), ("/residents/round", ".round-table")):
        page.goto(house.url + path)
        for width in (360, 768, 1440):
            page.set_viewport_size({"width": width, "height": 900})
            expect(page.locator(seen).first).to_be_visible()
            expect_to_fit(page, (path, width))
            small = page.evaluate(
                "[...document.querySelectorAll('.care .button')].map(n => n.getBoundingClientRect().height)"
                ".filter(h => h > 0 && h < 48)"
            )
            assert small == [], (path, width)


def test_a_place_with_very_many_shows_the_worst_and_counts_the_rest(house: House, browser: Browser) -> None:
    with connect(house.database) as connection:
        connection.execute(
            "insert into patient (organisation_id, site_id, family_name, given_name, born_on) select organisation_id, "
            "site_id, 'Many', n::text, '1940-01-01' from site, generate_series(1, 130) n where name = 'Virtual ward'"
        )
    page = sign_in(house, browser, "nurse")
    page.goto(f"{house.url}/residents")
    page.locator("#site").click()
    page.get_by_role("option", name="Virtual ward").click()
    expect(page.locator("#residents-lead")).to_contain_text("Virtual ward")
    expect(page.locator(".group-well .resident-line")).to_have_count(100)
    expect(page.locator(".group-well")).to_contain_text("more in this group")
    page.context.close()


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_no_accessibility_violation(house: House, browser: Browser, scheme: str) -> None:
    page = sign_in(house, browser, "carer", PHONE, scheme)
    for path, seen in (("/residents", ".resident"), ("/residents/round", ".round-table")):
        page.goto(house.url + path)
        expect(page.locator(seen).first).to_be_visible()
        assert violations(page) == [], path
    page.context.close()

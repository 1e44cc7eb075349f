"""Does the patient page let a nurse look back a year, read the NEWS2 chart, pause, and change limits with a reason?

As tests/dashboard/test_pages_browser.py: a real Chromium on the real server.
"""

from __future__ import annotations

import csv
import io
import json
import re
from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.conftest import TestDatabase
from tests.dashboard.chromium import browser, expect_to_fit, until, violations
from tests.dashboard.conftest import connect
from tests.dashboard.test_pages_browser import House, open_house

__all__ = ["browser"]  # a fixture
pytestmark = pytest.mark.browser
CHART = "#patient-chart .main-svg"


@pytest.fixture(scope="module")
def house(module_database: TestDatabase) -> Iterator[House]:
    yield from open_house(module_database)


def open_patient(house: House, browser: Browser, patient: int, width: str = "desk", scheme: str = "light") -> Page:
    page = house.sign_in(browser, width=width, scheme=scheme)
    page.goto(f"{house.url}/patients/{patient}")
    expect(page.locator(CHART).first).to_be_visible()
    return page


def test_one_zooms_by_drawing_and_by_buttons_and_comes_back(house: House, browser: Browser) -> None:
    page = open_patient(house, browser, house.seeded.unwell[0])
    page.get_by_text("7 days", exact=True).click()
    expect(page.locator("#patient-chart .fills path, #patient-chart .fill path").first).to_be_attached()
    panel = page.locator("#patient-chart .nsewdrag").nth(1)
    panel.hover(position={"x": 300, "y": 40})  # which waits until the panel holds still
    page.mouse.down()
    panel.hover(position={"x": 500, "y": 44}, force=True)  # what is drawn lies over it by now
    page.mouse.up()
    expect(page.locator("#patient-shown")).to_contain_text("Shown:")
    first = page.locator("#patient-shown").inner_text()
    page.get_by_role("button", name="Earlier").click()
    expect(page.locator("#patient-shown")).not_to_have_text(first)
    page.get_by_role("button", name="Back to now").click()
    expect(page.locator("#patient-shown")).to_have_text("")
    page.get_by_text("1 year", exact=True).click()
    expect(page.locator(f"{CHART} .xtick, {CHART} .xaxislayer-above text").first).to_be_attached()
    page.context.close()


OVER = """() => {
    const place = document.querySelector("#patient-chart").getBoundingClientRect();
    return [...document.querySelectorAll("#patient-chart .main-svg")].map(e => e.getBoundingClientRect())
        .map(e => [Math.round(e.width - place.width), Math.round(e.height - place.height)]);
}"""


def test_the_charts_lie_over_nothing_however_often_they_are_fitted_to_their_place(
    house: House, browser: Browser
) -> None:
    page = open_patient(house, browser, house.seeded.unwell[0], width="tablet")
    as_large = f"(({OVER})()).every(([wide, high]) => !wide && !high)"
    until(page, as_large)
    page.set_viewport_size({"width": 1024, "height": 768})
    until(page, as_large)
    # as the first drawing does when it ends after the second began
    page.evaluate("Plotly.Plots.resize(document.querySelector('#patient-chart .js-plotly-plot')).then(() => true)")
    until(page, as_large)
    assert page.evaluate("document.querySelector('#patient-chart').clientHeight") > 300
    page.context.close()


def test_the_news2_chart_stands_with_its_acknowledgement(house: House, browser: Browser) -> None:
    page = open_patient(house, browser, house.seeded.unwell[1])
    page.get_by_text("NEWS2 chart", exact=True).click()
    chart = page.locator(".news2-chart")
    expect(chart.locator("th[scope=rowgroup]")).to_have_count(8)
    expect(chart.locator(".news2-total td").first).to_have_text(re.compile(r"\d"))
    expect(page.locator(".acknowledgement")).to_contain_text("Royal College of Physicians")
    expect(page.locator("#patient-charts")).to_be_hidden()
    page.context.close()


def test_averages_and_the_table_with_its_file(house: House, browser: Browser) -> None:
    [patient] = [p for p in house.seeded.patients if p == house.seeded.patients[5]]
    page = open_patient(house, browser, patient)
    page.get_by_text("BP averages", exact=True).click()
    expect(page.locator(".averages .average strong")).to_have_text(re.compile(r"\d+/\d+ mmHg"))
    expect(page.locator(".averages tr.discarded")).to_have_count(1)
    page.get_by_text("7 days", exact=True).click()
    page.get_by_text("Table", exact=True).click()
    with page.expect_download() as download:
        page.get_by_text("Download as CSV").click()
    rows = list(csv.DictReader(io.StringIO(download.value.path().read_text())))
    with connect(house.database) as connection:
        counted = connection.execute(
            "select count(*) from observation where patient_id = %s and observed_at > now() - interval '7 days'",
            [patient],
        ).fetchone()
        told = connection.execute(
            "select count(*) from audit_log where action = 'exported' and object = %s", [f"patient/{patient}"]
        ).fetchone()
    assert counted == (len(rows),)
    assert told == (1,)
    assert {r["vital_sign"] for r in rows} == {"bp_systolic", "bp_diastolic", "pulse"}
    page.context.close()


def test_a_pause_begins_is_told_and_ends(house: House, browser: Browser) -> None:
    page = open_patient(house, browser, house.seeded.patients[7])
    page.locator("#pause-more").fill("Ward 12, <i>hip</i>")
    page.locator("#pause-form button").click()
    expect(page.locator("#pause-now")).to_contain_text("In hospital: Ward 12, <i>hip</i>")
    expect(page.locator("#patient-timeline")).to_contain_text("Paused by Rosa Mbeki")
    page.get_by_role("button", name="End the pause now").click()
    expect(page.locator("#pause-form")).to_be_visible()
    expect(page.locator("#patient-timeline")).to_contain_text("Pause ended early")
    page.context.close()


def test_a_pause_does_not_end_because_its_button_is_drawn_again(house: House, browser: Browser) -> None:
    patient = house.seeded.patients[5]
    page = open_patient(house, browser, patient)
    expect(page.locator("#live")).to_have_class(re.compile("live-on"))
    page.locator("#pause-form button").click()
    expect(page.locator("#pause-said")).to_contain_text("Paused")
    expect(page.locator("#pause-now")).to_contain_text("In hospital")
    # what somebody else does about this patient draws the button anew, and the page asks again
    with page.expect_response(lambda r: "pause-now" in (r.request.post_data or "")), connect(house.database) as other:
        told = {"organisation": house.seeded.organisation, "patients": [patient], "episodes": True}
        other.execute("select pg_notify('homeward_live', %s)", [json.dumps(told)])
    # what the page asks because of that, it has asked before this
    page.locator("#note-body").fill("Family told.")
    page.locator("#note-save").click()
    expect(page.locator("#patient-timeline")).to_contain_text("Family told.")
    expect(page.locator("#patient-timeline")).not_to_contain_text("Pause ended early")
    expect(page.locator("#pause-now")).to_contain_text("In hospital")
    page.context.close()


def test_limits_change_with_a_preview_and_a_reason(house: House, browser: Browser) -> None:
    patient = house.seeded.patients[2]  # on pulse oximetry at home
    page, stale = open_patient(house, browser, patient), open_patient(house, browser, patient)
    page.locator("#patient-limits summary").click()
    amber = page.locator("#patient-limits fieldset", has_text="saturation").get_by_label(re.compile("Amber"))
    amber.fill("12")
    page.locator("#limits-try").click()
    expect(page.locator("#limits-said .caution")).to_contain_text("outside what the policy permits")
    amber.fill("96")
    page.locator("#limits-try").click()
    preview = page.locator("#limits-said table")
    expect(preview).to_contain_text("With the change")
    totals = [int(row.split()[-1]) for row in preview.locator("tbody tr").all_inner_texts()]
    assert totals[1] > totals[0], "a stricter limit on this patient's usual values raises more"
    page.locator("#limits-save").click()
    expect(page.locator("#limits-said")).to_contain_text("Write a reason")
    page.locator("#limits-reason").fill("Known to desaturate late")
    page.locator("#limits-save").click()
    expect(page.locator("#limits-said")).to_contain_text("In force from now on.")
    expect(page.locator("#patient-timeline")).to_contain_text("Limits changed by Rosa Mbeki")
    with connect(house.database) as connection:
        row = connection.execute(
            "select document, author, reason from enrolment_override where patient_id = %s", [patient]
        ).fetchone()
    assert row is not None
    assert row[1:] == ("Rosa Mbeki", "Known to desaturate late")
    assert [limits["amber"] for limits in row[0]["limits"].values()] == [96.0]
    # who goes on from here may change them again; a form that was filled before may not take the change back
    page.locator("#limits-reason").fill("Again")
    page.locator("#limits-save").click()
    expect(page.locator("#patient-timeline")).to_contain_text("Again")
    stale.locator("#patient-limits summary").click()
    stale.locator("#limits-reason").fill("From this morning")
    stale.locator("#limits-save").click()
    expect(stale.locator("#limits-said")).to_contain_text("Somebody has changed these limits since")
    expect(stale.locator("#limits-reason")).to_have_value("From this morning")
    stale.context.close()
    page.context.close()
    carer = house.sign_in(browser, "carer")
    carer.goto(f"{house.url}/patients/{house.seeded.patients[0]}")
    expect(carer.locator(CHART).first).to_be_visible()
    expect(carer.locator("#patient-limits")).to_have_count(0)
    carer.context.close()


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", ["phone", "tablet", "desk"])
def test_every_view_is_accessible_and_fits(house: House, browser: Browser, scheme: str, width: str) -> None:
    page = open_patient(house, browser, house.seeded.unwell[1], width, scheme)
    page.locator("#patient-limits summary").click()
    for view, seen in (("NEWS2 chart", ".news2-chart"), ("BP averages", ".averages"), ("Table", "#patient-table")):
        page.get_by_text(view, exact=True).click()
        expect(page.locator(seen)).to_be_visible()
        expect_to_fit(page, view)
        assert violations(page) == [], view
    page.context.close()

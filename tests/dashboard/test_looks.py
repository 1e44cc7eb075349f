"""Is every look at a patient in the audit log, through every route that gives one and every page that shows one?

Walks all routes and all fixed pages, so that a new one cannot be forgotten: where an answer has a patient's name or the
address is a patient's, an entry must have been written meanwhile.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

import httpx
import pytest
from playwright.sync_api import Browser, expect, sync_playwright

from dashboard import pages, text
from tests.conftest import TestDatabase
from tests.dashboard.conftest import PASSWORD, Served, connect, make_trusts, serve
from tests.dashboard.test_pages_browser import FLAGS


def looks(served: Served) -> int:
    return int(served.ask("select count(*) from audit_log where action in ('looked_at', 'exported')")[0][0])


@pytest.mark.parametrize("who", ["nurse", "admin"])
def test_every_route_that_names_a_patient_leaves_an_entry(served: Served, who: str) -> None:
    patient = served.trusts.north.patients[0]
    names = [p.family_name for p in served.trusts.north.patients]
    numbers = {"patient_id": patient.patient_id, "episode_id": patient.episode_id, "site_id": patient.site_id}
    paths = [p for p, methods in httpx.get(served.url + "/openapi.json").json()["paths"].items() if "get" in methods]
    named = 0
    with served.client(who) as client:
        for path in paths:
            if set(re.findall(r"{(\w+)}", path)) - set(numbers):
                continue
            before = looks(served)
            answer = client.get(path.format(**numbers))
            shown = answer.status_code == 200 and ("{patient_id}" in path or any(name in answer.text for name in names))
            named += shown
            assert not shown or looks(served) > before, path
    assert named > 5


def test_nothing_is_shown_where_the_look_cannot_be_recorded(database: TestDatabase) -> None:
    trusts = make_trusts(database)
    patient = trusts.north.patients[0]
    asked = {
        "output": "page.children",
        "outputs": {"id": "page", "property": "children"},
        "inputs": [{"id": "url", "property": "pathname", "value": f"/patients/{patient.patient_id}"}],
        "changedPropIds": ["url.pathname"],
    }
    with serve(database) as url, Served(url, database, trusts).browser("nurse") as client:
        assert patient.family_name in client.post("/_dash-update-component", json=asked).text
        with connect(database) as connection:
            connection.execute("revoke insert on audit_log from homeward_dashboard")
        answer = client.post("/_dash-update-component", json=asked)
        assert answer.status_code == 200
        assert patient.family_name not in answer.text
        assert text.TROUBLE in answer.text


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with sync_playwright() as play:
        launched = play.chromium.launch(executable_path="/usr/bin/chromium", args=FLAGS)
        yield launched
        launched.close()


@pytest.mark.browser
def test_every_page_that_shows_a_patient_leaves_an_entry(served: Served, browser: Browser) -> None:
    patient = served.trusts.north.patients[0]
    names = [p.family_name for p in served.trusts.north.patients]
    context = browser.new_context()
    page = context.new_page()
    page.goto(f"{served.url}/sign-in")
    page.fill("#sign_in", "nurse")
    page.fill("#password", PASSWORD)
    page.click("button[type=submit]")
    page.wait_for_url(f"{served.url}/")
    showing = []
    for path in pages.PATHS:
        before = looks(served)
        page.goto(served.url + path.format(patient_id=patient.patient_id, device_id=patient.device_id))
        expect(page.locator("#page #main")).to_be_attached()
        page.wait_for_load_state("networkidle")
        if any(name in page.locator("#page").inner_text() for name in names):
            showing.append(path)
            assert looks(served) > before, path
    assert len(showing) > 3, showing
    assert "/devices/{device_id}" in showing
    # and whom a search by name offers to whoever gives a device to somebody
    page.goto(f"{served.url}/devices/{patient.device_id}")
    before = looks(served)
    page.locator("#device-patient").fill(names[0])
    expect(page.get_by_role("option").filter(has_text=names[0])).to_be_visible()
    assert looks(served) > before
    context.close()

"""Where do the tests of carers' pages take place: a home with residents, its carer's tablet, and what it may not do?"""

import re
from collections.abc import Iterator
from contextlib import ExitStack

import pytest
from playwright.sync_api import Browser, Locator, Page, expect

from homeward.entry import other_ways_in
from tests.conftest import TestDatabase
from tests.dashboard import chromium, seed
from tests.dashboard.chromium import PATIENCE_MS, browser
from tests.dashboard.conftest import connect, serve
from tests.dashboard.test_pages_browser import House

__all__ = ["TABLET", "Bedside", "browser", "house", "sign_in", "violations"]
TABLET = {"width": 768, "height": 1024}


@pytest.fixture(scope="module")
def house(module_database: TestDatabase) -> Iterator[House]:
    seeded = seed.seed(module_database.url, patients=12, days=2)
    with connect(module_database) as connection:
        connection.execute(
            "insert into device (organisation_id, code, kind, lane) values (%s, 'by-hand', 'manual', 0)",
            [seeded.organisation],
        )
        for patient in (seeded.patients[6], seeded.patients[9]):  # two of the home have recovered
            connection.execute(
                "update episode set phase = 'resolved', resolved_at = now(), severity = 0 where patient_id = %s",
                [patient],
            )
            seeded.unwell.remove(patient)
    with ExitStack() as stack:
        routers = stack.enter_context(other_ways_in(module_database.url_for("homeward_ingest")))
        url = stack.enter_context(serve(module_database, extra_routers=routers))
        yield House(url, module_database, seeded)


def sign_in(house: House, browser: Browser, name: str, size: dict[str, int] = TABLET, scheme: str = "light") -> Page:
    """Give a page with touch to somebody, who signs in the first time and keeps the cookie."""
    if name not in house.cookies:
        first = house.sign_in_anew(browser, name)
        house.cookies[name] = first.context.storage_state()
        first.context.close()
    context = browser.new_context(
        viewport=size,
        has_touch=True,
        reduced_motion="reduce",
        color_scheme="dark" if scheme == "dark" else "light",
        storage_state=house.cookies[name],
    )
    page = context.new_page()
    page.set_default_timeout(PATIENCE_MS)
    return page


class Bedside:
    """A carer's tablet beside one resident; counts what the carer's fingers do."""

    def __init__(self, house: House, browser: Browser, patient: int, size: dict[str, int] = TABLET) -> None:
        self.house, self.patient, self.taps = house, patient, 0
        self.page = sign_in(house, browser, "carer", size)
        self.context = self.page.context
        self.open()

    def open(self) -> None:
        """Go to the page of entry and wait until it can be used."""
        self.page.goto(f"{self.house.url}/patients/{self.patient}/observe")
        expect(self.page.locator("#observe-form")).to_have_attribute("data-ready", "1")

    def tap(self, target: str | Locator) -> None:
        """Touch something."""
        found = self.page.locator(target) if isinstance(target, str) else target
        found.tap()
        self.taps += 1

    def enter(self, name: str, value: str) -> None:
        """Touch a field and type on the tablet's keypad."""
        self.tap(f"#observe-{name}")
        self.page.keyboard.type(value)

    def enter_set(self, **values: str) -> None:
        """Fill in everything else as it is in health, and save."""
        given = {"respiration_rate": "16", "spo2": "97", "bp_systolic": "128", "bp_diastolic": "76", "pulse": "72",
                 "temperature": "36.7"} | values  # fmt: skip
        self.tap("label[for=observe-soft_signs-0]")
        for name, value in given.items():
            self.enter(name, value)
        self.tap("label[for=observe-on_oxygen-0]")
        self.tap("label[for=observe-consciousness-0]")
        self.tap("#observe-save")

    def stored(self) -> dict[int, float]:
        """What the database has of this resident by hand, newest first for each vital sign."""
        with connect(self.house.database) as connection:
            rows = connection.execute(
                "select distinct on (vital) vital, value from observation where patient_id = %s and flags & 64 <> 0 "
                "order by vital, observed_at desc",
                [self.patient],
            ).fetchall()
        return dict(rows)

    def count(self, query: str) -> int:
        """Count something of this resident."""
        with connect(self.house.database) as connection:
            row = connection.execute(query.encode(), [self.patient]).fetchone()
        assert row is not None
        return int(row[0])


def violations(page: Page) -> list[str]:
    """What axe finds on the page when it is live."""
    expect(page.locator("#live")).to_have_class(re.compile("live-on"))
    return chromium.violations(page)

"""Which browser looks at the pages in the tests, how long does it wait, and what must hold of every page?

How long people wait is measured by the benchmarks. A test says what must come, not how soon: its machine may be busy.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, Error, Page, Route, expect, sync_playwright

from tests.waiting import wait_until

FLAGS = ["--disable-gpu", "--disable-quic"]  # beside what Playwright gives a browser without a screen
PATIENCE_MS = 60_000
WIDTHS = {"phone": (360, 740), "tablet": (768, 1024), "desk": (1440, 900)}
_LOOKS = 3
_FITS = "document.documentElement.scrollWidth <= window.innerWidth"
_BEYOND = """[...document.querySelectorAll('body *')].map(n => [n, n.getBoundingClientRect()])
    .filter(([_, box]) => box.width && box.right > window.innerWidth + 1).map(([n]) => n.outerHTML.slice(0, 120))"""

expect.set_options(timeout=PATIENCE_MS)


def launch() -> Iterator[Browser]:
    """Start a Chromium, and end it."""
    with sync_playwright() as play:
        launched = play.chromium.launch(executable_path="/usr/bin/chromium", args=FLAGS)
        yield launched
        launched.close()


browser = pytest.fixture(scope="module")(launch)


def open_page(browser: Browser, width: str = "desk", scheme: str = "light", **more: Any) -> Page:
    """Open a window of its own: so wide, in these colours, and without motion."""
    across, down = WIDTHS[width]
    context = browser.new_context(
        viewport={"width": across, "height": down},
        color_scheme="dark" if scheme == "dark" else "light",
        reduced_motion="reduce",
        **more,
    )
    page = context.new_page()
    page.set_default_timeout(PATIENCE_MS)
    return page


def sign_in(page: Page, url: str, name: str, password: str) -> Page:
    """Sign in through the form, as a person does."""
    page.goto(f"{url}/sign-in")
    page.fill("#sign_in", name)
    page.fill("#password", password)
    page.click("button[type=submit]")
    page.wait_for_url(re.compile(re.escape(url) + "/(?!sign-in)"))
    expect(page.locator("#live")).to_be_attached()
    return page


def violations(page: Page, context: str | None = None) -> list[str]:
    """What axe finds on the page. What it finds of something half drawn is gone when it looks again."""
    found = []
    for _ in range(_LOOKS):
        found = Axe().run(page, context).response["violations"]
        if not found:
            break
    return [f"{v['id']}: {v['nodes'][0]['html'][:160]} {v['nodes'][0]['failureSummary'][:200]}" for v in found]


def until(page: Page, script: str, given: object = None) -> Any:
    """Wait until a script gives something true, and give it; asked from outside, as a page may not `eval`."""

    def found() -> Any:
        try:
            return page.evaluate(script, given)
        except Error as gone:
            if "context was destroyed" not in str(gone):  # on its way to another page
                raise
            return None

    return wait_until(found, script, PATIENCE_MS / 1000)


def hold(page: Page, named: str) -> Callable[[], None]:
    """Keep back what a page asks of its callbacks with something named in it; what is given lets the first go on."""
    held: list[Route] = []

    def keep(route: Route) -> None:
        if named in (route.request.post_data or ""):
            held.append(route)
        else:
            route.continue_()

    def let_go() -> None:
        # a page that is asked something hands on meanwhile what it has heard
        wait_until(lambda: page.evaluate("true") and held, named, PATIENCE_MS / 1000)
        held.pop(0).continue_()

    page.route("**/_dash-update-component*", keep)
    return let_go


def expect_to_fit(page: Page, what: object = "") -> None:
    """Nothing scrolls sideways, once lists and charts have drawn themselves anew for the width."""
    try:
        until(page, _FITS)
    except AssertionError:
        raise AssertionError(f"{what}: beyond the screen are {page.evaluate(_BEYOND)}") from None

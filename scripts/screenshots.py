"""Which pictures does the README show? The demonstration's own pages: ``python scripts/screenshots.py``."""

from __future__ import annotations

import argparse
import json
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from playwright.sync_api import Browser, Page, sync_playwright

FOLDER = Path(__file__).parent.parent / "docs" / "screenshots"
FLAGS = ["--disable-gpu", "--disable-quic"]  # beside what Playwright gives a browser without a screen
DESK, TABLET, PHONE = (1440, 900), (768, 1024), (360, 780)
NAME, CHART = ".cell-name", "#patient-chart .main-svg"
LIST = f".ag-center-cols-container {NAME}"
LONGEST_S = 600


@contextmanager
def demonstration() -> Iterator[dict[str, Any]]:
    """Run `homeward demo` and give what it says when it is ready."""
    command = [sys.executable, "-m", "homeward", "demo", "--seconds", str(LONGEST_S), "--json"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        try:
            line = process.stdout.readline()
            if not line:
                raise SystemExit("homeward demo did not start; its own message says why")
            yield json.loads(line)
        finally:
            process.send_signal(signal.SIGINT)
            process.communicate()


def sign_in(browser: Browser, ready: dict[str, Any], role: str, size: tuple[int, int], scheme: str) -> Page:
    """Open a page as one of the demonstration's people."""
    person = next(p for p in ready["users"] if p["role"] == role)
    context = browser.new_context(
        viewport={"width": size[0], "height": size[1]}, color_scheme="dark" if scheme == "dark" else "light"
    )
    page = context.new_page()
    page.set_default_timeout(60_000)
    page.goto(ready["http"] + "/sign-in")
    page.fill("#sign_in", person["sign_in"])
    page.fill("#password", person["password"])
    page.click("button[type=submit]")
    page.wait_for_selector("#live")
    page.goto(ready["http"] + "/")  # a carer begins elsewhere
    page.wait_for_selector(LIST)
    page.wait_for_selector(".live-on")
    return page


def shoot(page: Page, seen: str, folder: Path, name: str) -> None:
    """Wait until the page is drawn and its fonts are there, and keep the picture."""
    page.wait_for_selector(seen)
    page.wait_for_load_state("networkidle")
    page.evaluate("document.fonts.ready")
    page.screenshot(path=folder / f"{name}.png")


def take(ready: dict[str, Any], folder: Path) -> None:
    """Take all pictures: the list and the worst patient with a NEWS2, light and dark, and the list on a telephone."""
    folder.mkdir(parents=True, exist_ok=True)
    with sync_playwright() as play:
        browser = play.chromium.launch(executable_path="/usr/bin/chromium", args=FLAGS)
        for scheme in ("light", "dark"):
            suffix = "" if scheme == "light" else "-dark"
            page = sign_in(browser, ready, "clinician", DESK, scheme)
            shoot(page, LIST, folder, f"triage{suffix}")
            if scheme == "light":
                page.locator(".ag-row .cell-reason").first.click()
                shoot(page, "#panel-latest li", folder, "triage-panel")
                page.keyboard.press("Escape")
            page.locator(f".ag-row:has(.cell-score) {NAME}").first.click()
            shoot(page, CHART, folder, f"patient{suffix}")
            page.get_by_text("7 days", exact=True).click()
            page.locator("#patient-chart").scroll_into_view_if_needed()
            shoot(page, CHART, folder, f"charts{suffix}")
            if scheme == "light":
                page.get_by_text("NEWS2 chart", exact=True).click()
                page.wait_for_selector(".news2-chart")
                page.set_viewport_size({"width": DESK[0], "height": 2000})
                page.locator("#patient-other").screenshot(path=folder / "news2-chart.png")
            page.context.close()
        page = sign_in(browser, ready, "carer", PHONE, "light")
        shoot(page, LIST, folder, "triage-phone")
        take_care(browser, ready, folder)
        take_running(browser, ready, folder)
        take_messages(browser, ready, folder)
        browser.close()


def take_running(browser: Browser, ready: dict[str, Any], folder: Path) -> None:
    """Take an administrator's pages: people, a policy in words, the audit log; and the form of registrations."""
    page = sign_in(browser, ready, "administrator", DESK, "light")
    page.goto(ready["http"] + "/people")
    shoot(page, "#people-list tbody tr", folder, "people")
    page.goto(ready["http"] + "/policies")
    page.get_by_role("button", name="Read: Care home, NEWS2").click()
    shoot(page, "#policy-shown .rule", folder, "policies")
    page.goto(ready["http"] + "/audit")
    shoot(page, "#audit-list tbody tr", folder, "audit")
    page.goto(ready["http"] + "/enrol")
    shoot(page, "#enrol-save", folder, "register")
    page.goto(ready["http"] + "/account")
    shoot(page, "#account-sessions tbody tr", folder, "account")
    page.context.close()


def take_care(browser: Browser, ready: dict[str, Any], folder: Path) -> None:
    """Take a carer's pages: the residents on a telephone, a set on a tablet, the sheet, and both handovers."""
    page = sign_in(browser, ready, "carer", PHONE, "light")
    page.goto(ready["http"] + "/residents")
    shoot(page, ".resident", folder, "residents-phone")
    page.set_viewport_size({"width": TABLET[0], "height": TABLET[1]})
    worst = str(page.locator(".resident h3 a").first.get_attribute("href"))
    page.goto(ready["http"] + worst + "/observe")
    page.wait_for_selector("#observe-form[data-ready]")
    page.fill("#observe-respiration_rate", "21")
    page.fill("#observe-spo2", "93")
    page.locator("label[for=observe-on_oxygen-0]").click()
    page.wait_for_selector("#observe-preview:has-text('NEWS2 between')")
    shoot(page, "#observe-form[data-ready]", folder, "observe")
    page.set_viewport_size({"width": DESK[0], "height": DESK[1]})
    page.goto(ready["http"] + worst + "/handover")
    shoot(page, "#handover-situation:not(:empty)", folder, "handover")
    page.goto(ready["http"] + "/handover")
    shoot(page, "#shift-list .note-form", folder, "shift-handover")
    page.goto(ready["http"] + "/residents/round")
    shoot(page, ".round-table", folder, "round-list")
    page.context.close()


def take_messages(browser: Browser, ready: dict[str, Any], folder: Path) -> None:
    """Take an administrator's pages about messages: what was sent, the ladder with its preview, the rota."""
    page = sign_in(browser, ready, "administrator", DESK, "light")
    for name, address, seen in (
        ("messages", "/messages", "#sent-list tbody tr"),
        ("ladder", "/messages/ladders", "#try-shown li"),
        ("rota", "/messages/rotas", "#rota-shown .m-day"),
    ):
        page.goto(ready["http"] + address)
        page.wait_for_selector(seen)
        # what was sent is asked for again all the time, so the network is never idle
        page.evaluate("document.fonts.ready")
        page.screenshot(path=folder / f"{name}.png")
    page.context.close()


def main() -> None:
    """Take the pictures of a demonstration of their own, or of one that runs already."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--ready", type=Path, help="file with the first line of a running `homeward demo --json`")
    parser.add_argument("--folder", type=Path, default=FOLDER)
    given = parser.parse_args()
    if given.ready is not None:
        take(json.loads(given.ready.read_text().splitlines()[0]), given.folder)
        return
    with demonstration() as ready:
        take(ready, given.folder)


if __name__ == "__main__":
    main()

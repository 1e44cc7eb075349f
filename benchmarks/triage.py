"""How soon does a nurse with 100,000 patients see who needs somebody first, and what somebody else just did?

python -m benchmarks.triage [--patients N] [--browsers N] [--json]

One dashboard in a process of its own on a private TimescaleDB. Asked as the pages ask: a page of rows, a filter, a
search, the counts; then the first view in a real browser, and the time from the commit of an episode until it stands on
the screen of a browser while others listen and ask again as browsers do.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import multiprocessing as mp
import re
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import psycopg
import websockets

from benchmarks import district
from homeward.local.postgres import SUPERUSER, PrivatePostgres
from homeward.local.programs import ensure_programs
from homeward.local.watchdog import Watchdog
from schemas.database import migrate

ROLE = "homeward_dashboard"
PATIENTS, BROWSERS, TURNS, EPISODES = 100_000, 50, 30, 20
GAP_S = 1.5
"""Between two episodes, so that what one costs is not measured with the next."""
LONGEST_S = 120
"""A busy machine is slow; a figure is better than none."""
SPACING_S = 0.6
"""What an open page leaves between two questions, as in dashboard/assets/triage-list.js."""
GRID_SCRIPT = "/_dash-component-suites/dash_ag_grid/async-community.js"
LOOK = "/triage/look"


def measure(patients: int, browsers: int, tell: Callable[[str], None] = lambda _: None) -> dict[str, Any]:
    """Measure everything on one database."""
    with _database() as (url, role_url):
        tell(f"filling a database with {patients:,} patients")
        began = time.monotonic()
        district.fill(url, patients)
        figures: dict[str, Any] = {"patients": patients, "filled_s": round(time.monotonic() - began, 1)}
        with _dashboard(role_url) as address:
            _warm_up(address)
            tell("asking for rows, filters and searches")
            figures["server_ms"] = _server_times(address)
            tell(f"{figures}")
            tell("opening the list in a browser")
            figures["browser"] = _first_view(address)
            tell(f"{figures['browser']}")
            tell(f"raising episodes before {browsers} open pages")
            figures["commit_to_screen_ms"] = _commit_to_screen(address, url, browsers)
    return figures


@contextmanager
def _database() -> Iterator[tuple[str, str]]:
    programs, watchdog = ensure_programs(), Watchdog()
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="homeward-bench-")))
        folder.chmod(0o755)
        postgres = PrivatePostgres(folder / "postgres", programs)
        postgres.start(watchdog)
        stack.callback(postgres.stop)
        url = postgres.url_for(SUPERUSER)
        migrate(url)
        postgres.enable_logins([ROLE])
        yield url, postgres.url_for(ROLE)
    watchdog.end_all()


@contextmanager
def _dashboard(url: str) -> Iterator[str]:
    context = mp.get_context("spawn")
    port, stop = context.Queue(), context.Event()
    process = context.Process(target=_serve, args=(url, port, stop), daemon=True)
    process.start()
    try:
        yield f"http://127.0.0.1:{port.get(timeout=60)}"
    finally:
        stop.set()
        process.join(20)


def _serve(url: str, port: Any, stop: Any) -> None:
    from dashboard import service

    ended = threading.Event()
    threading.Thread(target=lambda: (stop.wait(), ended.set()), daemon=True).start()
    service.run(url, "127.0.0.1", 0, ended, started=port.put)


@contextmanager
def _signed_in(address: str, name: str = district.SIGN_IN) -> Iterator[httpx.Client]:
    headers = {"Origin": address, "Accept": "application/json"}
    with httpx.Client(base_url=address, timeout=60, headers=headers) as client:
        answer = client.post("/sign-in", data={"sign_in": name, "password": district.PASSWORD})
        if answer.status_code != 303:
            raise RuntimeError(f"signing in was answered with {answer.status_code}")
        yield client


def _rows_request(start: int, end: int, **view: str) -> dict[str, Any]:
    first = {"filter": "all", "site": "", "search": "", "pathway": "", "owner": "anyone"}
    return {"view": first | view, "rows": [start, end]}


def _warm_up(address: str) -> None:
    """Fetch what the page loads, as others have in a dashboard that runs: then it is compressed as well as can be."""
    with _signed_in(address) as client:
        page = client.get("/", headers={"Accept": "text/html"}).text
        for loaded in [*re.findall(r'<script src="([^"]+)"', page), GRID_SCRIPT]:
            client.get(loaded, headers={"Accept-Encoding": "br"})


def _server_times(address: str) -> dict[str, Any]:
    asked = {
        "rows": _rows_request(0, 50),
        "rows_further_down": _rows_request(1000, 1050),
        "filter_red": _rows_request(0, 50, filter="red"),
        "filter_waiting": _rows_request(0, 50, filter="waiting"),
        "filter_mine": _rows_request(0, 50, owner="mine"),
        "filter_pathway": _rows_request(0, 50, pathway="2"),
        "filter_site": _rows_request(0, 50, site="7"),
        "search_name": _rows_request(0, 50, search="margaret kaur 12"),
        "search_nhs": _rows_request(0, 50, search="400 0037"),
        "numbers": {"numbers": True},
        "rows_and_numbers": _rows_request(0, 50) | {"numbers": True},
    }
    with _signed_in(address) as client:
        return {name: _times(client, body) for name, body in asked.items()}


def _times(client: httpx.Client, body: dict[str, Any]) -> dict[str, float]:
    taken = []
    for turn in range(TURNS + 3):
        began = time.perf_counter()
        answer = client.post(LOOK, json=body)
        assert answer.status_code == 200, answer.text
        if turn >= 3:  # the first ones warm the pool and the plans
            taken.append((time.perf_counter() - began) * 1000)
    return _percentiles(taken)


def _percentiles(taken: list[float]) -> dict[str, float]:
    p50, p95, p99 = np.percentile(taken, [50, 95, 99])
    return {"p50": round(float(p50), 1), "p95": round(float(p95), 1), "p99": round(float(p99), 1)}


def _first_view(address: str) -> dict[str, float]:
    """From pressing "sign in" to the first rows: with an empty cache, and again with a warm one; and what it takes."""
    from playwright.sync_api import sync_playwright

    found: dict[str, float] = {}
    with sync_playwright() as play:
        browser = play.chromium.launch(executable_path="/usr/bin/chromium", args=["--headless", "--no-sandbox"])
        page = browser.new_page()
        session = page.context.new_cdp_session(page)
        session.send("Network.enable")
        received = [0.0]
        session.on("Network.loadingFinished", lambda e: received.__setitem__(0, received[0] + e["encodedDataLength"]))
        for name in ("first", "warm"):
            page.goto(f"{address}/sign-in")
            page.fill("#sign_in", district.SIGN_IN)
            page.fill("#password", district.PASSWORD)
            received[0], began = 0.0, time.perf_counter()
            page.click("button[type=submit]")
            page.wait_for_selector("#triage-grid .cell-name")
            found[f"{name}_s"] = round(time.perf_counter() - began, 2)
            page.wait_for_load_state("networkidle")
            found[f"{name}_kB"] = round(received[0] / 1000, 1)
            page.request.post(f"{address}/sign-out", headers={"Origin": address})
            page.wait_for_url(f"{address}/sign-in**")  # which it hears of, and goes there by itself
        browser.close()
    return found


def _commit_to_screen(address: str, url: str, browsers: int) -> dict[str, float]:
    """One real browser, and for the others what their scripts do: listen, and ask for rows, numbers and news again.

    Each is somebody else, signed in by themselves, and sees all patients.
    """
    cookies = []
    for name in _colleagues(url, browsers - 1):
        with _signed_in(address, name) as client:
            cookies.append("; ".join(f"{k}={v}" for k, v in client.cookies.items()))
    context = mp.get_context("spawn")
    ready, stop = context.Event(), context.Event()
    others = context.Process(target=_listen, args=(address, cookies, ready, stop), daemon=True)
    others.start()
    ready.wait(60)
    try:
        return _raise_and_watch(address, url)
    finally:
        stop.set()
        others.join(20)


def _colleagues(url: str, count: int) -> list[str]:
    names = [f"{district.SIGN_IN}-{number}" for number in range(count)]
    with psycopg.connect(url, options="-c search_path=homeward,public") as connection:
        connection.execute(
            "insert into account (organisation_id, sign_in, name, role, all_sites, password_hash) "
            "select organisation_id, other, other, role, all_sites, password_hash "
            "from account, unnest(%s::text[]) as other where sign_in = %s",
            [names, district.SIGN_IN],
        )
    return names


def _raise_and_watch(address: str, url: str) -> dict[str, float]:
    from playwright.sync_api import sync_playwright

    taken = []
    with sync_playwright() as play, psycopg.connect(url, options="-c search_path=homeward,public") as connection:
        browser = play.chromium.launch(executable_path="/usr/bin/chromium", args=["--headless", "--no-sandbox"])
        page = browser.new_page()
        page.set_default_timeout(LONGEST_S * 1000)
        page.goto(f"{address}/sign-in")
        page.fill("#sign_in", district.SIGN_IN)
        page.fill("#password", district.PASSWORD)
        page.click("button[type=submit]")
        page.wait_for_selector("#live.live-on")
        page.wait_for_selector("#triage-grid .cell-name")
        for number in range(EPISODES):
            patient = 3 + 20 * number  # somebody without an episode
            _raise(connection, patient)
            began = time.perf_counter()
            page.wait_for_selector(f"#triage-grid .ag-row[row-id='{patient}'] .badge", timeout=LONGEST_S * 1000)
            taken.append((time.perf_counter() - began) * 1000)
            time.sleep(GAP_S)
        browser.close()
    return _percentiles(taken)


def _raise(connection: psycopg.Connection, patient: int) -> None:
    """Do what ingest does: the episode and the word to the browsers in one transaction; longest waiting, so on top."""
    connection.execute(
        "insert into episode (organisation_id, patient_id, policy_id, rule, opened_at, activated_at, phase, severity, "
        "peak_severity, sentence) values (1, %(p)s, 1, 'news2', now() - interval '9 days' - %(p)s * interval '1 s', "
        "now() - interval '9 days' - %(p)s * interval '1 s', 'active', 3, 3, 'NEWS2 9.')",
        {"p": patient},
    )
    told = json.dumps({"organisation": 1, "patients": [patient], "episodes": True})
    connection.execute("select pg_notify('homeward_live', %s)", [told])
    connection.commit()


def _listen(address: str, cookies: list[str], ready: Any, stop: Any) -> None:
    asyncio.run(_listen_together(address, cookies, ready, stop))


async def _listen_together(address: str, cookies: list[str], ready: Any, stop: Any) -> None:
    limits = httpx.Limits(max_connections=len(cookies))
    headers = {"Origin": address, "Accept": "application/json", "Accept-Encoding": "br"}
    async with httpx.AsyncClient(base_url=address, headers=headers, timeout=LONGEST_S, limits=limits) as client:
        pages = [asyncio.create_task(_page(address, cookie, client)) for cookie in cookies]
        await asyncio.sleep(2)
        ready.set()
        while not stop.is_set():
            await asyncio.sleep(0.2)
        for page in pages:
            page.cancel()
        await asyncio.gather(*pages, return_exceptions=True)


async def _page(address: str, cookie: str, client: httpx.AsyncClient) -> None:
    """Ask again for what a page shows, at once and then no sooner than a page does."""
    socket = address.replace("http", "ws", 1) + "/live"
    since = (await _look(client, cookie, {"news": {}}))["news"]["at"]
    async with websockets.connect(socket, additional_headers={"Cookie": cookie, "Origin": address}, proxy=None) as live:
        async for message in live:
            told = json.loads(message)
            if told.get("type") == "changed":
                news = {"since": since, "patients": told["patients"]}
                answer = await _look(client, cookie, _rows_request(0, 50) | {"numbers": True, "news": news})
                since = answer["news"]["at"]
                await asyncio.sleep(SPACING_S)


async def _look(client: httpx.AsyncClient, cookie: str, wanted: dict[str, Any]) -> dict[str, Any]:
    answer = await client.post(LOOK, json=wanted, headers={"Cookie": cookie})
    found: dict[str, Any] = answer.raise_for_status().json()
    return found


def main() -> None:
    """Measure, and print one JSON object."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--patients", type=int, default=PATIENTS)
    parser.add_argument("--browsers", type=int, default=BROWSERS)
    options = parser.parse_args()
    print(json.dumps(measure(options.patients, options.browsers, lambda what: print(what, flush=True)), indent=1))


if __name__ == "__main__":
    main()

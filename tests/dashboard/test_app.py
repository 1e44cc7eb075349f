"""Is the application put together as it must be: pages, health, files, and Dash held to its place?"""

import gzip
import inspect
import re
import time
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import brotli
import httpx
import pytest
from dash import Dash, Input, Output, html
from dash.backends._fastapi import DashMiddleware, FastAPIDashServer
from psycopg.types.json import Jsonb

from dashboard import dash_server
from dashboard.app import create_app
from dashboard.store import fetch
from schemas.database import load_migrations
from tests.conftest import TestDatabase
from tests.dashboard.conftest import Served, make_trusts, serve
from tests.waiting import PATIENCE_S, wait_until

NOWHERE = "postgresql://homeward_dashboard@127.0.0.1:1/homeward"


def test_every_callback_is_async_or_runs_in_the_browser() -> None:
    dash_app = create_app(NOWHERE).state.dash
    callbacks = {k: v["callback"] for k, v in dash_app.callback_map.items() if v.get("callback") is not None}
    assert len(callbacks) > 5
    assert [name for name, callback in callbacks.items() if not inspect.iscoroutinefunction(callback)] == []


def test_dashs_private_names_are_still_there() -> None:
    for name in ("_setup_catchall", "setup_backend", "serve_callback", "create_app", "websocket_capability"):
        assert hasattr(FastAPIDashServer, name), name
    assert hasattr(DashMiddleware, "_handle_error")
    assert hasattr(Dash, "_setup_server")


def test_an_environment_variable_opens_no_further_door(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("DASH_MCP_ENABLED", "DASH_ENABLE_MCP", "DASH_COMPRESS", "DASH_HOT_RELOAD", "DASH_DEBUG"):
        monkeypatch.setenv(name, "true")
    app = create_app(NOWHERE)
    paths = {getattr(route, "path", "") for route in app.routes}
    assert not [path for path in paths if "mcp" in path or "ws-callback" in path or "{path:path}" in path]


def test_unknown_addresses_are_404_and_never_a_page(served: Served) -> None:
    with served.browser("nurse") as client:
        for path in (
            "/nope",
            "/api/nope",
            "/api/v1/nope",
            "/fhir/R4/Nope",
            "/patients",
            "/patients/1/2",
            "/assets/nope.js",
            "/_dash-nope",
            "/_dash-component-suites/dash/nope.js",
            "/_dash-component-suites/os/path.py",
            "/_dash-component-suites/dash/../../etc/passwd",
            "/_mcp",
            "/docs",
            "/redoc",
            "/favicon.ico",
            "/.env",
            "/_alive_x",
        ):
            answer = client.get(path)
            assert answer.status_code == 404, path
            assert "text/html" not in answer.headers["content-type"], path


def test_pages_are_given_to_the_signed_in_and_others_are_asked_to_sign_in(served: Served) -> None:
    patient = served.trusts.north.patients[0].patient_id
    with served.browser("nurse") as client, served.client(headers={"Accept": "text/html"}) as nobody:
        for path in ("/", f"/patients/{patient}", "/devices", "/quarantine", "/system"):
            page = client.get(path)
            assert page.status_code == 200, path
            assert re.search(r'<html lang="en"', page.text)
            assert "<title>Homeward" in page.text
            assert nobody.get(path).status_code == 303, path


def test_the_page_of_a_patient_who_is_not_there_is_a_404(served: Served) -> None:
    north, south = served.trusts.north, served.trusts.south
    oak = next(p for p in north.patients if p.site_id == north.sites["Oak House"])
    with served.browser("carer") as client:
        for number in (oak.patient_id, south.patients[0].patient_id, 10**6, 10**12, "abc", "-1", "1e2", "٣"):
            assert client.get(f"/patients/{number}").status_code == 404, number


def test_the_page_loads_nothing_from_another_machine(served: Served) -> None:
    with served.browser("nurse") as client:
        page = client.get("/").text
        loaded = re.findall(r'(?:src|href)="([^"]+)"', page)
        assert loaded
        assert [address for address in loaded if not address.startswith("/") or address.startswith("//")] == []
        for address in loaded:
            assert client.get(address).status_code == 200, address


def test_our_files_are_compressed_once_and_kept_by_the_browser(served: Served) -> None:
    with served.browser("nurse") as client:
        page = client.get("/").text
        scripts = [a for a in re.findall(r'<script src="([^"]+)"', page) if "_dash-component-suites" in a]
        plain = compressed = 0
        for address in scripts:
            identity = client.get(address, headers={"Accept-Encoding": "identity"})
            assert "content-encoding" not in identity.headers
            for encoding, unpack in (("br", brotli.decompress), ("gzip", gzip.decompress)):
                for _ in range(2):
                    with client.stream("GET", address, headers={"Accept-Encoding": encoding}) as answer:
                        body = b"".join(answer.iter_raw())
                    if len(identity.content) > 1000:
                        assert answer.headers["content-encoding"] == encoding
                        assert "accept-encoding" in answer.headers["vary"].lower()
                        assert int(answer.headers["content-length"]) == len(body)
                        assert unpack(body) == identity.content
                        assert "max-age=31536000" in answer.headers["cache-control"]
                        assert "immutable" in answer.headers["cache-control"]
            plain += len(identity.content)
            compressed += len(body)
        assert compressed < plain / 2.5


def test_our_own_files_come_as_one_sheet_and_one_script_kept_for_good(served: Served) -> None:
    with served.browser("nurse") as client, served.client() as nobody:
        page, sign_in = client.get("/").text, nobody.get("/sign-in").text
        ours = re.findall(r'(?:src|href)="(/assets/[^"]+\.(?:js|css)[^"]*)"', page)
        assert [a.partition("?m=")[0] for a in ours] == ["/assets/all.css", "/assets/all.js"]
        assert ours[0] in sign_in  # so it is there already when the first page is
        for address in ours:
            assert "immutable" in client.get(address).headers["cache-control"]
        assert "plotly-basic" in client.get(ours[1]).text  # the address, not the file:
        assert len(client.get(ours[1]).content) < 200_000


def test_of_what_old_browsers_lack_dash_asks_for_no_more_than_we_bring(served: Served) -> None:
    with served.browser("nurse") as client:
        loaded = re.findall(r'<script src="([^"]+)"', client.get("/").text)
        assert not [address for address in loaded if "polyfill" in address]
        asked = "".join(client.get(a).text for a in [*loaded, dash_server.GRID] if "/assets/" not in a)
        # assets/generators.js runs a function of two steps: where Dash comes to ask for more, it must be given more
        assert set(re.findall(r"regeneratorRuntime\.(\w+)", asked)) == {"mark", "wrap"}
        pattern = (
            r"regeneratorRuntime\.wrap\(function\((\w)\)\{for\(;;\)switch\(\1\.prev=\1\.next\)"
            r"\{case 0:return \1\.next=2,\w\(!0\);case 2:\w\.isReady=!0;case 3:case\"end\":return \1\.stop\(\)\}\},\w\)"
        )
        assert len(re.findall(pattern, asked)) == asked.count("regeneratorRuntime.wrap") > 0


def test_a_second_visit_fetches_nothing_again_that_has_not_changed(served: Served) -> None:
    with served.browser("nurse") as client:
        for address in (
            "/_dash-component-suites/dash_ag_grid/async-community.js",  # asked for by a script, without its version
            "/assets/fonts/inter-latin-wght-normal.woff2",
        ):
            first = client.get(address, headers={"Accept-Encoding": "br"})
            kept = {"Accept-Encoding": "br", "If-None-Match": first.headers["etag"]}
            second = client.get(address, headers=kept)
            assert (second.status_code, second.content) == (304, b""), address
            # "no-store" here would make the browser throw away what it has
            assert second.headers["cache-control"] == first.headers["cache-control"] != "no-store"
            changed = client.get(address, headers={**kept, "If-None-Match": 'W/"of another version"'})
            assert changed.status_code == 200
            assert changed.content == first.content


def test_answers_to_a_page_are_compressed(served: Served) -> None:
    with served.browser("nurse") as client:
        asked = {
            "output": "page.children",
            "outputs": {"id": "page", "property": "children"},
            "inputs": [{"id": "url", "property": "pathname", "value": "/"}],
            "changedPropIds": ["url.pathname"],
        }
        with client.stream(
            "POST", "/_dash-update-component", json=asked, headers={"Accept-Encoding": "br", "Origin": served.url}
        ) as answer:
            body = b"".join(answer.iter_raw())
        assert answer.headers["content-encoding"] == "br"
        assert answer.headers["content-type"] == "application/json"
        assert b"triage-grid" in brotli.decompress(body)
        assert answer.headers["cache-control"] == "no-store"


def test_what_is_sent_back_in_parts_or_not_at_all_is_left_as_it_is(served: Served) -> None:
    with served.client() as client:
        sheet = "/assets/homeward.css"
        whole = client.get(sheet)
        part = client.get(sheet, headers={"Range": "bytes=0-99"})
        assert part.status_code == 206
        assert part.text == whole.text[:100]
        assert client.head(sheet).headers["content-type"].startswith("text/css")
        again = client.get(sheet, headers={"If-None-Match": whole.headers["etag"]})
        assert again.status_code == 304


def test_machines_can_ask_how_it_is(fresh: Served) -> None:
    with fresh.client() as client:
        assert client.get("/healthz").json() == {"status": "ok"}
        waiting = client.get("/readyz")
        assert waiting.status_code == 503
        assert waiting.json()["ingest"] == "no ingest has run yet"
        assert waiting.json()["notify"] == "no notify has run yet"
        fresh.ask("insert into service_instance (instance_id, service) values (gen_random_uuid(), 'notify')")
        counters = (
            {
                "stored": 5,
                "queue": 3,
                "quarantined": {"unit": 2},
                "name": "x",
                "late_up_to_s": {"1": 4, "5": 1, "more": 2},
            },
            {
                "stored": 7,
                "queue": 1,
                "quarantined": {"unit": 1, "too_old": 4},
                "late_up_to_s": {"1": 1, "5": 1, "more": 0},
            },
        )
        for counted in counters:
            fresh.ask(
                "insert into service_instance (instance_id, service, counters) "
                "values (gen_random_uuid(), 'ingest', %s)",
                Jsonb(counted),
            )
        ready = client.get("/readyz")
        assert ready.status_code == 200
        assert ready.json() == {"status": "ok", "database": "ok", "migrations": "ok", "ingest": "ok", "notify": "ok"}
        lines = client.get("/metrics").text.splitlines()
        for line in (
            'homeward_instances{service="ingest"} 2.0',
            "homeward_ingest_stored_total 12.0",
            'homeward_ingest_quarantined_total{reason="unit"} 3.0',
            'homeward_ingest_quarantined_total{reason="too_old"} 4.0',
            "homeward_ingest_queue 4.0",
            'homeward_ingest_late_seconds_bucket{le="1"} 5.0',
            'homeward_ingest_late_seconds_bucket{le="5"} 7.0',
            'homeward_ingest_late_seconds_bucket{le="+Inf"} 9.0',
        ):
            assert line in lines
        # a process that was killed left its last word behind: its counts stay, how things stood with it is over
        fresh.ask(
            "update service_instance set seen_at = now() - interval '5 minutes' where (counters ->> 'stored')::int = 5"
        )
        lines = client.get("/metrics").text.splitlines()
        assert "homeward_ingest_queue 1.0" in lines
        assert "homeward_ingest_stored_total 12.0" in lines
        fresh.ask("update service_instance set seen_at = now() - interval '5 minutes' where service = 'ingest'")
        late = client.get("/readyz")
        assert late.status_code == 503
        assert late.json()["ingest"].startswith("no ingest heard of for 3")
        lines = client.get("/metrics").text.splitlines()
        assert 'homeward_instances{service="ingest"} 0.0' in lines
        assert "homeward_ingest_stored_total 12.0" in lines  # a count does not fall when its process has ended
        assert not [line for line in lines if line.startswith("homeward_ingest_queue ")]


def test_a_schema_that_is_not_this_programs_is_not_ready(fresh: Served) -> None:
    fresh.ask("update homeward_migration set sha256 = 'x' where name = %s", load_migrations()[-1].name)
    with fresh.client() as client:
        assert client.get("/readyz").json()["migrations"].endswith("run `homeward migrate`")


def test_metrics_name_routes_and_no_patient(served: Served) -> None:
    patient = served.trusts.north.patients[0]
    with served.client("nurse") as client:
        client.get(f"/api/v1/patients/{patient.patient_id}")
        client.get("/" + "x" * 2000)
        text = client.get("/metrics").text
    assert "/patients/{patient_id}" in text
    assert f"/patients/{patient.patient_id}" not in text
    assert "xxx" not in text


class Away(TestDatabase):
    """A database whose server is not there."""

    def url_for(self, role: str) -> str:
        return NOWHERE


def test_without_its_database_the_server_stands_and_says_so_within_seconds() -> None:
    away = Away("away", None)  # type: ignore[arg-type]
    with serve(away) as url, httpx.Client(base_url=url, timeout=PATIENCE_S) as client:
        assert client.get("/healthz").status_code == 200
        assert client.get("/sign-in").status_code == 200
        browser = {"Cookie": "homeward_session=" + "A" * 43, "Accept": "text/html"}
        begun = time.monotonic()
        with ThreadPoolExecutor() as asking:  # each waits five seconds for the database: all of them at once
            ready = asking.submit(client.get, "/readyz")
            signed = asking.submit(client.post, "/sign-in", data={"sign_in": "nurse", "password": "x"})
            page = asking.submit(client.get, "/", headers=browser)
            metrics = asking.submit(client.get, "/metrics")
        assert time.monotonic() - begun < 60
        assert ready.result().json()["database"].startswith("does not answer")
        assert signed.result().status_code == 503
        assert signed.result().headers["retry-after"] == "5"
        assert "database does not answer" in signed.result().json()["detail"]
        assert page.result().status_code == 503
        assert "<h1>" in page.result().text
        assert metrics.result().status_code == 200


def test_a_restart_of_the_database_costs_no_more_than_the_requests_under_way(fresh: Served) -> None:
    with fresh.client("nurse") as client:
        fresh.ask(
            "select pg_terminate_backend(pid) from pg_stat_activity "
            "where datname = current_database() and pid <> pg_backend_pid()"
        )
        wait_until(lambda: client.get("/api/v1/me").status_code == 200, "requests are answered again")


def test_a_callback_runs_for_its_person_and_its_failure_tells_nothing(
    database: TestDatabase, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def register(dash_app: Dash) -> tuple[str, ...]:
        dash_app.layout = html.Div([html.Button(id="ask"), html.Div(id="answer"), html.Div(id="failure")])

        @dash_app.callback(Output("answer", "children"), Input("ask", "n_clicks"))
        async def answer(_: int) -> str:
            return ", ".join(site["name"] for site in await fetch("sites"))

        @dash_app.callback(Output("failure", "children"), Input("ask", "n_clicks"))
        async def fail(_: int) -> str:
            raise RuntimeError("Mrs Secret, 84 %")

        return ("/",)

    monkeypatch.setattr(dash_server, "register_pages", register)
    trusts = make_trusts(database)
    with serve(database) as url, Served(url, database, trusts).browser("carer") as client:
        pressed: dict[str, Any] = {"id": "ask", "property": "n_clicks", "value": 1}
        call = {"inputs": [pressed], "changedPropIds": ["ask.n_clicks"]}

        def post(output: str) -> httpx.Response:
            outputs = {"id": output.partition(".")[0], "property": "children"}
            return client.post("/_dash-update-component", json={"output": output, "outputs": outputs, **call})

        assert post("answer.children").json()["response"]["answer"]["children"] == "Elm House"
        pressed["value"] = None  # a button that was drawn, and that nobody has pressed
        assert post("answer.children").status_code == 204
        pressed["value"] = 1
        failed = post("failure.children")
        assert failed.status_code == 500
        assert "Secret" not in failed.text
        assert ".py" not in failed.text
        assert "callback failed" in caplog.text
        assert "Secret" not in caplog.text
        assert post("nothing.children").status_code == 400
        for bad in (
            b"",
            b"[]",
            b"null",
            b"{",
            b'{"output": 1}',
            b'{"output": ["a"]}',
            b'{"output": "answer.children", "inputs": 1}',
            b'{"output": "answer.children", "changedPropIds": [{}]}',
        ):
            answer = client.post("/_dash-update-component", content=bad, headers={"Content-Type": "application/json"})
            assert answer.status_code == 400, bad

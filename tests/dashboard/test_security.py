"""Does the server stand up to other sites, other tenants, and those who send what nobody should?"""

import base64
import hashlib
import re
from datetime import UTC, datetime, timedelta

import pytest
from fastapi import APIRouter

from dashboard.app import create_app
from dashboard.throttle import FAILURES_OF_ACCOUNT
from tests import waiting
from tests.conftest import TestDatabase
from tests.dashboard.conftest import PASSWORD, Served, make_trusts, serve

FOREIGN = [
    {"Origin": "http://evil.example"},
    {"Origin": "null"},
    {"Origin": "self.evil.example"},
    {"Origin": "file://"},
    {"Origin": "self", "Sec-Fetch-Site": "cross-site"},
    {"Sec-Fetch-Site": "same-site"},
]


def test_every_answer_has_the_headers(served: Served) -> None:
    with served.browser("nurse") as client, served.client() as nobody:
        answers = [
            client.get("/"),
            client.get("/api/v1/me"),
            client.get("/api/v1/patients/0"),
            client.get("/nope"),
            client.get("/assets/homeward.css"),
            client.get("/healthz"),
            client.get("/metrics"),
            client.get("/openapi.json"),
            client.delete("/"),
            nobody.get("/"),
            nobody.get("/", headers={"Accept": "text/html"}),
            nobody.get("/sign-in"),
            nobody.post("/sign-in", data={"sign_in": "x", "password": "x"}),
            nobody.post("/sign-in", headers={"Origin": "http://evil.example"}),
        ]
        assert sorted({a.status_code for a in answers}) == [200, 303, 401, 403, 404, 405, 422]
        for answer in answers:
            assert answer.headers["x-content-type-options"] == "nosniff"
            assert answer.headers["x-frame-options"] == "DENY"
            assert answer.headers["referrer-policy"] == "same-origin"
            assert "frame-ancestors 'none'" in answer.headers["content-security-policy"]
            assert "server" not in answer.headers
            assert answer.headers["cross-origin-resource-policy"] == "same-origin"
            if "/assets/" not in str(answer.url):
                assert answer.headers["cache-control"] == "no-store", answer.url
            if "text/html" in answer.headers.get("content-type", ""):
                assert answer.headers["cross-origin-opener-policy"] == "same-origin"
                assert "camera=()" in answer.headers["permissions-policy"]
            else:  # opened by itself it runs nothing and fetches nothing
                assert "script-src" not in answer.headers["content-security-policy"]
                assert "default-src 'none'" in answer.headers["content-security-policy"]


def test_the_policy_lets_only_our_scripts_run(served: Served) -> None:
    with served.browser("nurse") as client:
        page = client.get("/")
        policy = dict(part.strip().partition(" ")[::2] for part in page.headers["content-security-policy"].split(";"))
        assert policy["default-src"] == "'none'"
        assert "unsafe" not in policy["script-src"]
        assert policy["connect-src"] == "'self'"
        assert "http" not in page.headers["content-security-policy"]
        inline = re.findall(
            r"<script(?![^>]*\bsrc=)(?![^>]*application/json)[^>]*>(.*?)</script>", page.text, re.DOTALL
        )
        assert inline
        for script in inline:
            digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
            assert f"'sha256-{digest}'" in policy["script-src"]
        assert not re.search(r"<[^>]+\son[a-z]+=", page.text)


@pytest.mark.parametrize("headers", FOREIGN)
def test_another_site_can_change_nothing_with_the_persons_cookie(served: Served, headers: dict[str, str]) -> None:
    patient = served.trusts.north.patients[0]
    given = {k: v.replace("self", served.url) if v.startswith("self") else v for k, v in headers.items()}
    with served.browser("nurse") as client:
        for method, path in (
            ("POST", "/sign-out"),
            ("POST", "/sign-in"),
            ("POST", "/api/v1/sign-in"),
            ("POST", "/api/v1/sign-out"),
            ("POST", f"/api/v1/episodes/{patient.episode_id}/acknowledgement"),
            ("DELETE", f"/api/v1/episodes/{patient.episode_id}/acknowledgement"),
            ("POST", "/api/v1/episodes/acknowledgements"),
            ("POST", f"/api/v1/patients/{patient.patient_id}/notes"),
            ("POST", "/_dash-update-component"),
        ):
            answer = client.request(method, path, headers=given, json={"body": "x"})
            assert answer.status_code == 403, path
            assert "another site" in answer.json()["detail"]
        assert client.get("/api/v1/me").status_code == 200
    with served.client() as stranger:
        form = {"sign_in": "nurse", "password": PASSWORD}
        assert stranger.post("/sign-in", data=form, headers=given).status_code == 403


def test_our_own_pages_can(served: Served) -> None:
    with served.browser("nurse") as client:
        patient = served.trusts.north.patients[0].patient_id
        for headers in (
            {"Origin": served.url},
            {"Origin": served.url, "Sec-Fetch-Site": "same-origin"},
            {"Sec-Fetch-Site": "none"},
            {},
        ):
            answer = client.post(f"/api/v1/patients/{patient}/notes", json={"body": "x"}, headers=headers)
            assert answer.status_code == 201


def test_reading_changes_nothing_and_signing_out_is_no_link(served: Served) -> None:
    with served.browser("nurse") as client:
        assert client.get("/sign-out").status_code == 405
        assert client.get("/api/v1/sign-out").status_code == 405
        assert client.get("/api/v1/me").status_code == 200


def test_another_tenants_numbers_are_404_in_every_address(served: Served) -> None:
    """Walk every route that names something, so that a new one cannot be forgotten."""
    foreign = served.trusts.south.patients[0]
    south = served.trusts.south
    numbers = {
        "patient_id": foreign.patient_id,
        "episode_id": foreign.episode_id,
        "device_id": foreign.device_id,
        "account_id": south.accounts["south-nurse"],
        "site_id": foreign.site_id,
        "rule_id": _rule(served, south.organisation_id),
        "session_id": _session(served, south.accounts["south-nurse"]),
        "policy_name": "only_south",
        "handover_id": 1,
        "contact_id": _contact(served, south.organisation_id, south.accounts["south-nurse"]),
        "channel_id": _channel(served, south.organisation_id),
    }
    document = waiting.get(served.url + "/openapi.json").json()
    named = [(method, path) for path, methods in document["paths"].items() for method in methods if "{" in path] + [
        ("get", "/patients/{patient_id}")
    ]
    assert len(named) > 7
    ours = served.trusts.north.patients[0].site_id
    soon = (datetime.now(UTC) + timedelta(hours=1)).isoformat()
    sections = dict.fromkeys(("situation", "background", "assessment", "recommendation"), "x")
    bodies: dict[str, dict[str, object]] = {
        "versions": {},
        "/sites/{site_id}/handovers": {"since": soon, "stamp": "0" * 32},
        "handovers": {"sections": sections},
        "notes": {"body": "x"},
        "snooze": {"until": soon},
        "pause": {"until": soon, "reason": "x"},
        "discharge": {"reason": "x"},
        "readmission": {"reason": "x", "site_id": ours},
        "move": {"site_id": ours},
        "contacts": {"kind": "sms", "address": "07700 900123"},
        "/clock": {"clock_zone": "Europe/London"},
        "identities": {"issuer": "https://x", "subject": "x"},
        "accounts": {"name": "x", "role": "carer"},
        "sites": {"name": "x", "kind": "ward"},
        "assignments": {"patient_id": served.trusts.north.patients[0].patient_id},
        "/site": {"site_id": ours},
    }
    seen = set()
    for who in ("nurse", "admin"):
        with served.client(who) as client:
            for method, path in named:
                given = next((body for part, body in bodies.items() if part in path), {})
                body = {} if method in ("get", "delete") else {"json": given}
                answer = client.request(method, path.format(**numbers), **body)  # type: ignore[arg-type]
                assert answer.status_code in (403, 404), (who, method, path, answer.text)
                assert foreign.family_name not in answer.text
                seen.add((method, path, answer.status_code))
    # whoever may do a thing is told that it is not there, and of every route somebody may
    assert {(m, p) for m, p, status in seen if status == 404} == set(named)


def _rule(served: Served, organisation: int) -> int:
    return int(
        served.ask(
            "insert into identity_rule (organisation_id, issuer, claim, value, role) values (%s, 'https://x', 'c', "
            "'south', 'carer') on conflict (organisation_id, issuer, claim, value) "
            "do update set claim = excluded.claim returning rule_id",
            organisation,
        )[0][0]
    )


def _contact(served: Served, organisation: int, account: int) -> int:
    added = "insert into contact (organisation_id, account_id, kind, address) values (%s, %s, 'email', 'x@y.example')"
    return int(served.ask(f"{added} returning contact_id", organisation, account)[0][0])


def _channel(served: Served, organisation: int) -> int:
    added = "insert into channel (organisation_id, kind, name) values (%s, 'webhook', 'x') returning channel_id"
    return int(served.ask(added, organisation)[0][0])


def _session(served: Served, account: int) -> int:
    with served.client("south-nurse"):
        return int(served.ask("select max(session_id) from session where account_id = %s", account)[0][0])


def test_a_number_in_the_query_or_body_reaches_no_other_tenant(served: Served) -> None:
    south = served.trusts.south
    with served.client("nurse") as client:
        for path in ("/api/v1/patients", "/api/v1/episodes"):
            assert client.get(path, params={"site": south.patients[0].site_id}).json()["items"] == []
        assert client.get("/api/v1/episodes", params={"patient": south.patients[0].patient_id}).json()["items"] == []


def test_every_route_needs_a_session_but_those_named_here(served: Served) -> None:
    app = create_app("postgresql://x@127.0.0.1:1/x")
    open_to_all = {"/sign-in", "/api/v1/sign-in", "/healthz", "/readyz", "/metrics", "/openapi.json", "/_favicon.ico"}
    # steps of signing in, which change nothing without a ticket or a token
    open_to_all |= {"/sign-in/code", "/choose-password"}
    paths = {getattr(route, "path", "") for route in app.routes} | set(app.openapi()["paths"])
    checked = 0
    with served.client() as client:
        for path in sorted(paths):
            if (
                not path
                or path in open_to_all
                or path.startswith(("/assets", "/_dash-component-suites"))
                or path == "/live"
            ):
                continue
            address = re.sub(r"\{[^}]*\}", "1", path)
            for method in ("GET", "POST", "PUT", "DELETE", "OPTIONS", "HEAD"):
                assert client.request(method, address).status_code == 401, (method, path)
                checked += 1
    assert checked > 60


def test_a_router_of_another_package_stands_behind_the_same_gate(database: TestDatabase) -> None:
    router = APIRouter()

    @router.post("/api/v1/other")
    async def take() -> dict[str, str]:
        return {"taken": "yes"}

    trusts = make_trusts(database)
    with serve(database, extra_routers=[router]) as url:
        served = Served(url, database, trusts)
        with served.client() as client:
            assert client.post("/api/v1/other").status_code == 401
        with served.client("nurse") as client:
            assert client.post("/api/v1/other").json() == {"taken": "yes"}


def test_what_was_sent_is_neither_sent_back_nor_logged(served: Served, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("DEBUG")
    with served.client() as client:
        for body in ({"sign_in": 1, "password": {"x": "geheimnis"}}, {"sign_in": "nurse", "password": "geheimnis"}):
            answer = client.post("/api/v1/sign-in", json=body)
            assert answer.status_code in (401, 422)
            assert "geheimnis" not in answer.text
        client.post("/sign-in", data={"sign_in": "x", "password": "geheimnis"})
        client.get("/api/v1/patients", params={"search": "geheimnis"}, headers={"Authorization": "Bearer geheimnis"})
    ours = [r for r in caplog.records if not r.name.startswith(("httpx", "httpcore"))]
    assert not [r for r in ours if "geheimnis" in r.getMessage() or "geheimnis" in str(r.__dict__)]


def test_errors_name_no_file_and_no_statement(served: Served) -> None:
    with served.client("nurse") as client:
        answers = [
            client.get("/api/v1/patients", params={"search": "\0"}),
            client.get("/api/v1/patients", params={"limit": "x"}),
            client.post("/api/v1/episodes/acknowledgements", content=b"{"),
            client.post("/api/v1/episodes/acknowledgements", content=b"\xff\xfe"),
            client.post("/api/v1/episodes/acknowledgements", content=b"[" * 100_000),
            client.post("/_dash-update-component", content=b"{", headers={"Content-Type": "application/json"}),
            client.get("/assets/%00"),
            client.get("/assets/" + "a" * 5000),
            client.get("/_dash-component-suites/dash/%2e%2e/%2e%2e/x"),
        ]
        for answer in answers:
            assert 400 <= answer.status_code < 500, answer.url
            assert not re.search(r"Traceback|\.py|site-packages|select |psycopg", answer.text)


@pytest.mark.parametrize(
    "path",
    [
        "/assets/../app.py",
        "/assets/%2e%2e/app.py",
        "/assets/..%2fapp.py",
        "/assets//etc/passwd",
        "/assets/%2fetc%2fpasswd",
        "/assets/..\\app.py",
        "/_dash-component-suites/dashboard/app.py",
        "/_dash-component-suites/dash/..%2f..%2fdashboard/app.py",
    ],
)
def test_only_what_is_meant_to_be_served_is_served(served: Served, path: str) -> None:
    with served.client("nurse") as client:
        request = client.build_request("GET", served.url)
        request.url = request.url.copy_with(raw_path=path.encode())
        assert client.send(request).status_code == 404


def test_a_body_without_end_is_cut_off(served: Served) -> None:
    with served.client("nurse") as client:
        answer = client.post("/api/v1/episodes/acknowledgements", content=(b"x" * 2**20 for _ in range(17)))
        assert answer.status_code == 413


def test_nobody_can_pretend_to_come_from_elsewhere(fresh: Served) -> None:
    with fresh.client() as client:
        for number in range(FAILURES_OF_ACCOUNT + 1):
            answer = client.post(
                "/sign-in",
                data={"sign_in": "nobody", "password": "x"},
                headers={"X-Forwarded-For": f"198.51.100.{number}", "Forwarded": f"for=198.51.100.{number}"},
            )
        assert answer.status_code == 429


def test_behind_a_trusted_proxy_its_word_is_taken(database: TestDatabase) -> None:
    trusts = make_trusts(database)
    with serve(database, tls_proxy="127.0.0.0/24") as url, Served(url, database, trusts).client() as client:
        for number in range(FAILURES_OF_ACCOUNT + 1):
            answer = client.post(
                "/sign-in",
                data={"sign_in": "nobody", "password": "x"},
                headers={"X-Forwarded-For": f"198.51.100.{number}"},
            )
        assert answer.status_code == 401

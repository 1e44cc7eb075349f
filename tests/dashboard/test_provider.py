"""Does a provider of identities let in whom it vouches for, and nobody when anything about its word is wrong?

The provider is a process of its own, with keys of its own.
"""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest

from dashboard import provider as subject
from dashboard.provider import ProviderSettings
from tests import waiting
from tests.conftest import TestDatabase
from tests.dashboard.conftest import Served, make_trusts, serve
from tests.dashboard.provider_process import CLIENT, SECRET

ROOT = Path(__file__).parents[2]


@dataclass(frozen=True)
class Linked:
    """A dashboard and the provider that it trusts."""

    served: Served
    issuer: str

    def tell(self, **told: Any) -> None:
        """Say who signs in next, and what the provider does wrong."""
        assert waiting.post(f"{self.issuer}/control", json=told).status_code == 200

    def link(self, sign_in: str, sub: str) -> None:
        """Link an account to a subject, as an administrator does."""
        number = self.served.trusts.north.accounts[sign_in]
        with self.served.client("admin") as admin:
            given = {"issuer": self.issuer, "subject": sub}
            answer = admin.post(f"/api/v1/accounts/{number}/identities", json=given)
            assert answer.status_code == 204, answer.text

    def walk(self, client: httpx.Client, target: str = "/") -> httpx.Response:
        """Go to the provider and back as a browser does, and give our answer."""
        away = client.get("/sign-in/provider", params={"next": target})
        assert away.status_code == 303, away.text
        there = waiting.get(away.headers["location"])
        assert there.status_code == 302, there.text
        return client.get(there.headers["location"])


@pytest.fixture(scope="module")
def linked(module_database: TestDatabase) -> Iterator[Linked]:
    command = [sys.executable, "-m", "tests.dashboard.provider_process"]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        issuer = process.stdout.readline().strip()
        trusts = make_trusts(module_database)
        settings = ProviderSettings(issuer, CLIENT, SECRET, name="Trust <Identity>", organisation="North")
        try:
            with serve(module_database, provider=settings) as url:
                yield Linked(Served(url, module_database, trusts), issuer)
        finally:
            process.kill()


@pytest.fixture(autouse=True)
def looks_for_keys_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(subject, "LOOK_AGAIN_S", -1.0)


def test_who_is_linked_signs_in_and_goes_where_they_wanted(linked: Linked) -> None:
    linked.link("nurse", "subject-of-nurse")
    linked.tell(who={"sub": "subject-of-nurse", "name": "Anybody"})
    with linked.served.client() as browser:
        assert "Sign in with Trust &lt;Identity&gt;" in browser.get("/sign-in").text
        back = linked.walk(browser, "/devices")
        assert back.status_code == 303, back.text
        assert back.headers["location"] == "/devices"
        assert browser.get("/api/v1/me").json()["name"] == "Nurse"
        [session] = [s for s in browser.get("/api/v1/me/sessions").json() if s["is_this"]]
        assert session["method"] == "provider"
        left = browser.post("/sign-out")
        assert left.headers["location"] == "/sign-in?ended=provider"
        assert f"{linked.issuer}/leave?client_id=" in browser.get(left.headers["location"]).text
        assert browser.get("/api/v1/me").status_code == 401


def test_whom_nobody_gave_an_account_is_told_so(linked: Linked) -> None:
    linked.tell(who={"sub": "stranger", "name": "Nurse", "email": "nurse@example.org"})
    with linked.served.client() as browser:
        back = linked.walk(browser)
        assert back.status_code == 403
        assert "nobody has given you an account" in back.text
        assert browser.get("/api/v1/me").status_code == 401


def test_a_rule_gives_an_account_of_its_role_and_site_once(linked: Linked) -> None:
    elm = linked.served.trusts.north.sites["Elm House"]
    rule = {"issuer": linked.issuer, "claim": "roles", "value": "R8003", "role": "carer", "site_id": elm}
    with linked.served.client("admin") as admin:
        assert admin.post("/api/v1/sign-in-rules", json=rule | {"role": "administrator"}).status_code == 422
        assert admin.post("/api/v1/sign-in-rules", json=rule).status_code == 201
    linked.tell(who={"sub": "by-rule", "name": "Lindiwe  Dube", "roles": ["R8000", "R8003"]})
    for _ in range(2):
        with linked.served.client() as browser:
            assert linked.walk(browser).status_code == 303
            me = browser.get("/api/v1/me").json()
            assert (me["name"], me["role"]) == ("Lindiwe Dube", "carer")
            assert {p["site"] for p in browser.get("/api/v1/patients").json()["items"]} == {"Elm House"}
    assert linked.served.ask("select count(*) from external_identity where subject = 'by-rule'") == [(1,)]
    linked.served.ask("update account set disabled_at = now() where name = 'Lindiwe Dube'")
    with linked.served.client() as browser:
        assert linked.walk(browser).status_code == 403
    # whose identity an administrator took away is told so, whatever the rule says
    [(number,)] = linked.served.ask(
        "update account set disabled_at = null where name = 'Lindiwe Dube' returning account_id"
    )
    with linked.served.client("admin") as admin:
        assert admin.delete(f"/api/v1/accounts/{number}/identities").status_code == 204
    with linked.served.client() as browser:
        assert linked.walk(browser).status_code == 403


@pytest.mark.parametrize(
    "faults",
    [
        {"claims": {"nonce": "another"}},
        {"without": ["nonce"]},
        {"claims": {"aud": "another-client"}},
        {"claims": {"aud": [CLIENT, "another"], "azp": "another"}},
        {"without": ["aud"]},
        {"claims": {"iss": "https://evil.example"}},
        {"exp_in": -120},
        {"without": ["exp"]},
        {"claims": {"iat": 4_000_000_000}},
        {"claims": {"sub": ""}},
        {"without": ["sub"]},
        {"signed": "stranger"},
        {"signed": "none"},
        {"signed": "public key as secret"},
        {"userinfo": {"sub": "somebody-else"}},
        {"refuses": True},
    ],
)
def test_a_word_with_anything_wrong_lets_nobody_in(linked: Linked, faults: dict[str, Any]) -> None:
    linked.served.ask(
        "insert into external_identity (issuer, subject, organisation_id, account_id) "
        "select %s, 'checked', organisation_id, account_id from account where sign_in = 'reader' "
        "on conflict do nothing",
        linked.issuer,
    )
    linked.tell(who={"sub": "checked"}, faults=faults)
    with linked.served.client() as browser:
        back = linked.walk(browser)
        assert back.status_code == 401, faults
        assert "could not be completed" in back.text
        assert "homeward_session" not in back.headers.get("set-cookie", "")
        assert browser.get("/api/v1/me").status_code == 401
    linked.tell(who={"sub": "checked"})
    with linked.served.client() as browser:
        assert linked.walk(browser).status_code == 303


def test_clocks_may_differ_a_little_and_keys_may_change(linked: Linked) -> None:
    linked.link("other-nurse", "late")
    linked.tell(who={"sub": "late"}, faults={"exp_in": -30})
    with linked.served.client() as browser:
        assert linked.walk(browser).status_code == 303
    linked.tell(rotate=True)
    with linked.served.client() as browser:
        assert linked.walk(browser).status_code == 303


def test_the_answer_belongs_to_the_browser_that_asked_and_is_good_once(linked: Linked) -> None:
    linked.link("technician", "tech")
    linked.tell(who={"sub": "tech"})
    with linked.served.client() as mine, linked.served.client() as other:
        away = mine.get("/sign-in/provider")
        answer = waiting.get(away.headers["location"]).headers["location"]
        # brought to another browser, as in login CSRF: it has no flow, or one of its own
        assert other.get(answer).status_code == 401
        other.get("/sign-in/provider")
        assert other.get(answer).status_code == 401
        cookies = dict(mine.cookies)
        assert mine.get(answer).status_code == 303
        mine.cookies.clear()
        assert mine.get(answer).status_code == 401, "the flow is over"
        mine.cookies.update(cookies)
        assert mine.get(answer).status_code == 401, "the code was used"
        state = answer.partition("state=")[2]
        mine.get("/sign-in/provider")
        for forged in (answer.replace(state, "x"), answer.replace(f"&state={state}", ""), "/sign-in/provider/back"):
            assert mine.get(forged).status_code == 401


def test_nobody_is_sent_to_another_site(linked: Linked) -> None:
    linked.link("auditor", "aud")
    linked.tell(who={"sub": "aud"})
    for target in ("//evil.example", "https://evil.example", "/\\evil.example", "/sign-out"):
        with linked.served.client() as browser:
            assert linked.walk(browser, target).headers["location"] == "/"


def test_a_provider_that_is_away_leaves_the_password(module_database: TestDatabase, linked: Linked) -> None:
    settings = ProviderSettings("http://127.0.0.1:1", CLIENT, SECRET)
    with serve(module_database, provider=settings) as url:
        served = Served(url, module_database, linked.served.trusts)
        with served.client() as browser:
            assert browser.get("/sign-in/provider").status_code == 503
        with served.client("nurse") as client:
            assert client.get("/api/v1/me").status_code == 200


def test_another_organisation_neither_blocks_a_subject_nor_lets_anybody_in_by_it(linked: Linked) -> None:
    south = linked.served.trusts.south.accounts["south-nurse"]
    rule = {"issuer": linked.issuer, "claim": "team", "value": "crisis", "role": "clinician", "site_id": None}
    with linked.served.client("south-admin") as admin:
        for subject_ in ("shared", "only-in-south"):
            given = {"issuer": linked.issuer, "subject": subject_}
            assert admin.post(f"/api/v1/accounts/{south}/identities", json=given).status_code == 204
        assert admin.post("/api/v1/sign-in-rules", json=rule).status_code == 201
    linked.link("reader", "shared")
    with linked.served.client("admin") as admin:
        assert admin.post("/api/v1/sign-in-rules", json=rule | {"role": "carer"}).status_code == 201
    for who, name in (
        ({"sub": "shared"}, "Reader"),
        ({"sub": "only-in-south"}, None),
        ({"sub": "crisis-1", "name": "New Carer", "team": "crisis"}, "New Carer"),
    ):
        linked.tell(who=who)
        with linked.served.client() as browser:
            assert linked.walk(browser).status_code == (303 if name else 403), who
            if name:
                assert browser.get("/api/v1/me").json()["name"] == name
    assert linked.served.ask("select role, organisation_id from account where name = 'New Carer'") == [
        ("carer", linked.served.trusts.north.organisation_id)
    ]


def test_whose_provider_it_is_must_be_said_where_there_are_several(
    module_database: TestDatabase, linked: Linked
) -> None:
    linked.tell(who={"sub": "subject-of-nurse"})
    for name in ("", "Nowhere"):
        settings = ProviderSettings(linked.issuer, CLIENT, SECRET, organisation=name)
        with serve(module_database, provider=settings) as url:
            served = Served(url, module_database, linked.served.trusts)
            with served.client() as browser:
                assert Linked(served, linked.issuer).walk(browser).status_code == 503
                assert browser.get("/api/v1/me").status_code == 401


def test_a_subject_belongs_to_one_account(linked: Linked) -> None:
    linked.link("admin", "only-one")
    number = linked.served.trusts.north.accounts["carer"]
    with linked.served.client("admin") as admin:
        given = {"issuer": linked.issuer, "subject": "only-one"}
        assert admin.post(f"/api/v1/accounts/{number}/identities", json=given).status_code == 422
    with linked.served.client("nurse") as nurse:
        assert nurse.post(f"/api/v1/accounts/{number}/identities", json=given).status_code == 403

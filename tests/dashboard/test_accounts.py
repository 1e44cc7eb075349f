"""Do accounts come, change and go as an administrator says, and does a second factor keep everybody else out?"""

import re
from typing import Any

import httpx
import pyotp
import pytest

from dashboard.passwords import refusal
from dashboard.second_factor import FAILURES_TO_LOCK, RECOVERY_CODES
from tests.dashboard.conftest import PASSWORD, Served

NEW_PASSWORD = "seven green lanterns"


def made(client: httpx.Client, sign_in: str, role: str = "carer", sites: list[int] | None = None) -> dict[str, Any]:
    """Make an account through the JSON interface."""
    answer = client.post(
        "/api/v1/accounts", json={"sign_in": sign_in, "name": "Ama Osei", "role": role, "sites": sites}
    )
    assert answer.status_code == 201, answer.text
    return dict(answer.json())


def chosen(served: Served, path: str, password: str = NEW_PASSWORD) -> httpx.Response:
    """Follow a link and choose a password, as its holder does."""
    with served.client() as nobody:
        form = nobody.get(path)
        assert form.status_code == 200, form.text
        token = re.search(r'name="token" value="([^"]+)"', form.text)
        assert token is not None
        return nobody.post("/choose-password", data={"token": token[1], "password": password, "again": password})


def signed_in(served: Served, sign_in: str, password: str, **more: str) -> httpx.Response:
    with served.client() as nobody:
        return nobody.post("/api/v1/sign-in", json={"sign_in": sign_in, "password": password, **more})


def account_number(served: Served, sign_in: str) -> int:
    return int(served.ask("select account_id from account where sign_in = %s", sign_in)[0][0])


# --------------------------------------------------------------------------------------------------------- accounts


def test_a_person_is_added_chooses_a_password_and_sees_their_sites_only(served: Served) -> None:
    elm = served.trusts.north.sites["Elm House"]
    with served.client("admin") as admin:
        link = made(admin, "Ama", sites=[elm])
        listed = admin.get("/api/v1/accounts", params={"search": "osei"}).json()["items"]
    assert [(a["sign_in"], a["role"], a["sites"]) for a in listed] == [("ama", "carer", [elm])]
    assert signed_in(served, "ama", "").status_code == 401
    assert chosen(served, link["path"]).status_code == 200
    answer = signed_in(served, "ama", NEW_PASSWORD)
    assert answer.status_code == 200
    with served.client(headers={"Authorization": f"Bearer {answer.json()['token']}"}) as client:
        assert {p["site"] for p in client.get("/api/v1/patients").json()["items"]} == {"Elm House"}
    stored = served.ask("select token_hash, used_at from account_link where account_id = %s", link["account_id"])
    assert link["path"].partition("=")[2].encode() not in bytes(stored[0][0])
    assert stored[0][1] is not None
    actions = {
        a for (a,) in served.ask("select action from audit_log where object = %s", f"account/{link['account_id']}")
    }
    assert {"account_added", "password_link_made", "password_set", "signed_in"} <= actions


def test_a_link_is_good_once_and_for_a_day_and_not_after_a_newer_one(fresh: Served) -> None:
    with fresh.client("admin") as admin:
        first = made(admin, "bee")
        number = first["account_id"]
        second = admin.post(f"/api/v1/accounts/{number}/password-link").json()
        with fresh.client() as nobody:
            gone = nobody.get(first["path"])
            assert gone.status_code == 410
            assert "Ask your administrator" in gone.text
        assert chosen(fresh, second["path"]).status_code == 200
        token = second["path"].partition("=")[2]
        with fresh.client() as nobody:
            again = {"token": token, "password": "another long one", "again": "another long one"}
            assert nobody.post("/choose-password", data=again).status_code == 410
        third = admin.post(f"/api/v1/accounts/{number}/password-link").json()
        fresh.ask("update account_link set expires_at = now() - interval '1 s' where used_at is null")
        with fresh.client() as nobody:
            assert nobody.get(third["path"]).status_code == 410
            # a scanner of mails that follows a link uses nothing up, and guessing ends soon
            answers = [nobody.get("/choose-password?token=x").status_code for _ in range(70)]
        assert answers[-1] == 429
    assert signed_in(fresh, "bee", NEW_PASSWORD).status_code == 200


@pytest.mark.parametrize(
    ("password", "again", "says"),
    [
        ("short", "short", "at least 12"),
        (NEW_PASSWORD, NEW_PASSWORD + "x", "not the same"),
        ("aaaaaaaaaaaaaa", "aaaaaaaaaaaaaa", "first that anybody"),
        ("ama osei 2026", "ama osei 2026", "name"),
    ],
)
def test_a_weak_password_is_refused_with_a_reason_and_the_link_stays_good(
    served: Served, password: str, again: str, says: str
) -> None:
    with served.client("admin") as admin:
        number = made(admin, f"weak-{abs(hash((password, again)))}")["account_id"]
        path = admin.post(f"/api/v1/accounts/{number}/password-link").json()["path"]
    with served.client() as nobody:
        given = {"token": path.partition("=")[2], "password": password, "again": again}
        answer = nobody.post("/choose-password", data=given)
        assert answer.status_code == 422
        assert says in answer.text
        assert password not in re.sub("<style.*?</style>", "", answer.text) or len(password) < 6
    assert chosen(served, path).status_code == 200


def test_a_long_password_may_have_a_name_in_it() -> None:
    assert refusal("the boat of grandmother osei is blue", "ama", "Ama Osei") == ""
    assert "name" in refusal("osei-osei-1234", "ama", "Ama Osei")
    assert "name" in refusal("homeward2026!", "x", "Y")
    assert refusal("x" * 1001, "a", "b") != ""


def test_changed_rights_and_disabling_end_the_sessions_at_once(fresh: Served) -> None:
    north = fresh.trusts.north
    carer, elm = north.accounts["carer"], north.sites["Elm House"]
    with fresh.client("admin") as admin:
        for change in (
            lambda: admin.put(f"/api/v1/accounts/{carer}", json={"name": "Carer", "role": "read_only", "sites": [elm]}),
            lambda: admin.post(f"/api/v1/accounts/{carer}/disabling"),
        ):
            with fresh.client("carer") as client:
                assert client.get("/api/v1/me").status_code == 200
                assert change().status_code == 204
                assert client.get("/api/v1/me").status_code == 401
        assert signed_in(fresh, "carer", PASSWORD).status_code == 401
        assert admin.delete(f"/api/v1/accounts/{carer}/disabling").status_code == 204
    assert signed_in(fresh, "carer", PASSWORD).json()["account"]["role"] == "read_only"


def test_nobody_changes_their_own_role_or_locks_themselves_out(served: Served) -> None:
    own = served.trusts.north.accounts["admin"]
    with served.client("admin") as admin:
        answer = admin.put(f"/api/v1/accounts/{own}", json={"name": "Admin", "role": "clinician", "sites": None})
        assert answer.status_code == 422
        assert "own role" in answer.json()["detail"]
        assert admin.post(f"/api/v1/accounts/{own}/disabling").status_code == 422
        assert admin.get("/api/v1/me").json()["role"] == "administrator"


@pytest.mark.parametrize(
    ("given", "says"),
    [
        ({"sign_in": "nurse", "name": "N", "role": "carer"}, "taken"),
        ({"sign_in": "south-nurse", "name": "N", "role": "carer"}, "taken"),
        ({"sign_in": "a b", "name": "N", "role": "carer"}, "spaces"),
        ({"sign_in": "provider:x", "name": "N", "role": "carer"}, "provider"),
        ({"sign_in": "x\0y", "name": "N", "role": "carer"}, "characters"),
        ({"sign_in": "c", "name": "N", "role": "carer", "sites": []}, ""),
        ({"sign_in": "c", "name": "N", "role": "emperor"}, ""),
    ],
)
def test_an_account_that_cannot_be_is_refused(served: Served, given: dict[str, Any], says: str) -> None:
    with served.client("admin") as admin:
        answer = admin.post("/api/v1/accounts", json=given)
        assert answer.status_code == 422
        assert says in answer.text


def test_another_trusts_site_is_not_there_to_be_given(served: Served) -> None:
    south = served.trusts.south.sites["South Ward"]
    with served.client("admin") as admin:
        answer = admin.post("/api/v1/accounts", json={"sign_in": "spy", "name": "S", "role": "carer", "sites": [south]})
        assert answer.status_code == 404
    assert served.ask("select 1 from account where sign_in = 'spy'") == []


# ------------------------------------------------------------------------------------------------- one's own account


def test_a_person_changes_their_password_and_other_sign_ins_end(fresh: Served) -> None:
    with fresh.client("nurse") as here, fresh.client("nurse") as elsewhere:
        wrong = here.put("/api/v1/me/password", json={"current": "x", "new": NEW_PASSWORD})
        assert wrong.status_code == 422
        weak = here.put("/api/v1/me/password", json={"current": PASSWORD, "new": "short"})
        assert "at least 12" in weak.json()["detail"]
        assert here.put("/api/v1/me/password", json={"current": PASSWORD, "new": NEW_PASSWORD}).status_code == 204
        assert here.get("/api/v1/me").status_code == 200
        assert elsewhere.get("/api/v1/me").status_code == 401
        for _ in range(5):
            last = here.put("/api/v1/me/password", json={"current": "x", "new": NEW_PASSWORD})
        last = here.put("/api/v1/me/password", json={"current": NEW_PASSWORD, "new": "yet another one"})
        assert "too many attempts" in last.json()["detail"]
    assert signed_in(fresh, "nurse", PASSWORD).status_code == 401


def test_a_person_sees_their_own_sign_ins_and_ends_one(fresh: Served) -> None:
    with fresh.client("nurse") as here, fresh.client("nurse", headers={"User-Agent": "Ward tablet"}) as tablet:
        listed = here.get("/api/v1/me/sessions").json()
        assert [s["is_this"] for s in listed].count(True) == 1
        other = next(s for s in listed if s["agent"] == "Ward tablet")
        with fresh.client("other-nurse") as stranger:
            assert stranger.delete(f"/api/v1/me/sessions/{other['session_id']}").status_code == 404
        assert here.delete(f"/api/v1/me/sessions/{other['session_id']}").status_code == 204
        assert tablet.get("/api/v1/me").status_code == 401
        assert here.get("/api/v1/me").status_code == 200


# ------------------------------------------------------------------------------------------------------ second factor


def enrolled(served: Served, sign_in: str) -> tuple[str, list[str]]:
    """Enrol through the pages, as somebody does whose role needs it, and give the secret and the recovery codes."""
    with served.client() as browser:
        page = browser.post("/sign-in", data={"sign_in": sign_in, "password": PASSWORD, "next": "/devices"})
        assert page.status_code == 200, page.text
        assert "<svg" in page.text
        assert not browser.cookies
        secret = re.search(r"Type this into the app: ([A-Z2-7 ]+)<", page.text)
        assert secret is not None
        plain = secret[1].replace(" ", "")
        form = {"ticket": ticket_in(page.text), "next": "/devices", "code": pyotp.TOTP(plain).now()}
        kept = browser.post("/sign-in/code", data=form)
        assert kept.status_code == 200, kept.text
        codes = re.findall(r"<code>([^<]+)</code>", kept.text)
        assert 'href="/devices"' in kept.text
        assert browser.get("/api/v1/me").status_code == 200
    return plain, codes


def ticket_in(page: str) -> str:
    found = re.search(r'name="ticket" value="([^"]+)"', page)
    assert found is not None
    return found[1]


def require(served: Served, *roles: str) -> None:
    with served.client("admin") as admin:
        assert admin.put("/api/v1/second-factor-roles", json={"roles": list(roles)}).status_code == 204


def test_a_role_that_needs_a_second_factor_enrols_one_and_uses_it(fresh: Served) -> None:
    require(fresh, "clinician")
    assert "needs a second factor" in signed_in(fresh, "nurse", PASSWORD).json()["detail"]
    secret, codes = enrolled(fresh, "nurse")
    assert len(set(codes)) == RECOVERY_CODES
    assert signed_in(fresh, "carer", PASSWORD).status_code == 200
    without = signed_in(fresh, "nurse", PASSWORD)
    assert without.status_code == 401
    assert "second factor" in without.json()["detail"]
    totp = pyotp.TOTP(secret)
    used = totp.now()
    assert signed_in(fresh, "nurse", PASSWORD, code=used).status_code == 401, "the code of the enrolment is used up"
    fresh.ask("update second_factor set last_step = last_step - 5")
    current = totp.now()
    assert signed_in(fresh, "nurse", PASSWORD, code=current).status_code == 200
    assert signed_in(fresh, "nurse", PASSWORD, code=current).status_code == 401, "the same code again"
    assert signed_in(fresh, "nurse", "wrong", code=current).status_code == 401
    # recovery codes: as people type them, and once
    assert signed_in(fresh, "nurse", PASSWORD, code=codes[0].upper().replace("-", " ")).status_code == 200
    assert signed_in(fresh, "nurse", PASSWORD, code=codes[0]).status_code == 401
    methods = {m for (m,) in fresh.ask("select method from session")}
    assert {"second_factor", "recovery_code"} <= methods


def test_a_program_enrols_and_removes_a_second_factor_with_the_password(fresh: Served) -> None:
    with fresh.client("carer") as carer:
        assert carer.post("/api/v1/me/second-factor", json={"current": "x"}).status_code == 422
        secret = carer.post("/api/v1/me/second-factor", json={"current": PASSWORD}).json()["secret"]
        assert signed_in(fresh, "carer", PASSWORD).status_code == 200, "not confirmed yet"
        code = pyotp.TOTP(secret).now()
        wrong = f"{(int(code) + 1) % 1_000_000:06d}"
        assert carer.post("/api/v1/me/second-factor/confirmation", json={"code": wrong}).status_code == 422
        codes = carer.post("/api/v1/me/second-factor/confirmation", json={"code": code}).json()["recovery_codes"]
        assert len(codes) == RECOVERY_CODES
        assert carer.post("/api/v1/me/second-factor", json={"current": PASSWORD}).status_code == 422
        assert signed_in(fresh, "carer", PASSWORD).status_code == 401
        require(fresh, "carer")
        refused = carer.post("/api/v1/me/second-factor/removal", json={"current": PASSWORD})
        assert "needs a second factor" in refused.json()["detail"]
        require(fresh)
        assert carer.post("/api/v1/me/second-factor/removal", json={"current": PASSWORD}).status_code == 204
    assert signed_in(fresh, "carer", PASSWORD).status_code == 200


def test_the_secret_and_the_codes_cannot_be_read_in_the_database(fresh: Served) -> None:
    require(fresh, "clinician")
    secret, codes = enrolled(fresh, "nurse")
    kept = fresh.ask("select secret::text from second_factor union all select code_hash::text from recovery_code")
    everything = " ".join(text for (text,) in kept)
    for word in (secret, *codes, *(c.replace("-", "") for c in codes)):
        assert word.encode().hex() not in everything


def test_guessing_codes_locks_even_the_right_one_out_for_a_while(fresh: Served) -> None:
    require(fresh, "clinician")
    secret, _ = enrolled(fresh, "nurse")
    fresh.ask("update second_factor set last_step = 0")
    right = pyotp.TOTP(secret).now()
    for guess in range(FAILURES_TO_LOCK):
        wrong = f"{(int(right) + 1 + guess) % 1_000_000:06d}"
        assert signed_in(fresh, "nurse", PASSWORD, code=wrong).status_code == 401
    assert signed_in(fresh, "nurse", PASSWORD, code=right).status_code == 401
    fresh.ask("update second_factor set locked_until = now()")
    assert signed_in(fresh, "nurse", PASSWORD, code=pyotp.TOTP(secret).now()).status_code == 200


def test_an_open_page_is_not_enough_to_take_ones_own_protection_away(served: Served) -> None:
    own = served.trusts.north.accounts["admin"]
    with served.client("admin") as admin:
        for asked in (
            admin.delete(f"/api/v1/accounts/{own}/second-factor"),
            admin.post(f"/api/v1/accounts/{own}/password-link"),
        ):
            assert asked.status_code == 422
            assert "with your present password" in asked.json()["detail"]
    assert served.ask("select count(*) from account_link where account_id = %s", own) == [(0,)]


def test_an_administrator_resets_a_second_factor_and_that_is_in_the_record(fresh: Served) -> None:
    require(fresh, "clinician")
    enrolled(fresh, "nurse")
    nurse = fresh.trusts.north.accounts["nurse"]
    with fresh.client("carer") as carer:
        assert carer.delete(f"/api/v1/accounts/{nurse}/second-factor").status_code == 403
    with fresh.client("admin") as admin:
        assert admin.delete(f"/api/v1/accounts/{nurse}/second-factor").status_code == 204
    assert "needs a second factor" in signed_in(fresh, "nurse", PASSWORD).json()["detail"]
    assert fresh.ask("select count(*) from recovery_code") == [(0,)]
    assert fresh.ask(
        "select account_id from audit_log where action = 'second_factor_reset' and object = %s", f"account/{nurse}"
    ) == [(fresh.trusts.north.accounts["admin"],)]


def test_a_ticket_of_somebody_else_or_of_yesterday_opens_nothing(fresh: Served) -> None:
    require(fresh, "clinician")
    secret, _ = enrolled(fresh, "nurse")
    with fresh.client() as browser:
        page = browser.post("/sign-in", data={"sign_in": "nurse", "password": PASSWORD})
        ticket = ticket_in(page.text)
        assert "<svg" not in page.text, "a secret that is confirmed is never shown again"
        for given in ("", "x", ticket[:-2], ticket[1:], "gAAAAA"):
            answer = browser.post("/sign-in/code", data={"ticket": given, "code": pyotp.TOTP(secret).now()})
            assert answer.status_code == 401
            assert not browser.cookies
        answer = browser.post("/sign-in/code", data={"ticket": ticket, "code": "<script>alert(1)</script>"})
        assert answer.status_code == 401
        assert "<script" not in answer.text
        assert "/sign-in/code" in answer.text
        evil = {"ticket": ticket, "code": "000000", "next": "//evil.example"}
        assert 'value="/"' in browser.post("/sign-in/code", data=evil).text

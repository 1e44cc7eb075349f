"""Does signing in let the right person in, and nobody else, without telling who exists?"""

import asyncio
import time

import httpx
import pytest

from dashboard.auth import Cookie, local_path
from dashboard.passwords import hash_password
from dashboard.sessions import IDLE, LIFETIME
from dashboard.throttle import FAILURES_OF_ACCOUNT, WINDOW_S, Throttle
from tests.conftest import TestDatabase
from tests.dashboard.conftest import PASSWORD, Served, make_trusts, serve
from tests.waiting import PATIENCE_S


def test_the_form_signs_in_and_goes_where_one_wanted_to_go(served: Served) -> None:
    with served.client(headers={"Accept": "text/html"}) as client:
        away = client.get("/patients/3?tab=notes")
        assert away.status_code == 303
        assert away.headers["location"] == "/sign-in?next=/patients/3%3Ftab%3Dnotes"
        form = client.get(away.headers["location"])
        assert form.status_code == 200
        assert 'value="/patients/3?tab=notes"' in form.text
        assert 'lang="en"' in form.text
        answer = client.post(
            "/sign-in", data={"sign_in": "Nurse ", "password": PASSWORD, "next": "/patients/3?tab=notes"}
        )
        assert answer.status_code == 303
        assert answer.headers["location"] == "/patients/3?tab=notes"
        cookie = answer.headers["set-cookie"]
        assert "HttpOnly" in cookie
        assert "SameSite=lax" in cookie
        assert client.get("/api/v1/me").json()["name"] == "Nurse"
        assert client.get("/sign-in?next=/devices").headers["location"] == "/devices"


def test_the_database_keeps_no_token(served: Served) -> None:
    with served.browser("nurse") as client:
        (token,) = client.cookies.values()
        assert len(token) == 43
        stored = served.ask("select token_hash from session")
        assert all(token.encode() not in bytes(row[0]) for row in stored)


def test_signing_out_ends_the_session_at_once(served: Served) -> None:
    with served.browser("nurse") as client:
        (token,) = client.cookies.values()
        answer = client.post("/sign-out")
        assert answer.headers["location"] == "/sign-in"
        assert not client.cookies
        assert client.get("/api/v1/me", headers={"Cookie": f"homeward_session={token}"}).status_code == 401
        assert client.get("/api/v1/me", headers={"Authorization": f"Bearer {token}"}).status_code == 401


def test_what_does_not_fit_is_refused_in_the_same_words(fresh: Served) -> None:
    refused = [
        ("nurse", "wrong"),
        ("nobody", PASSWORD),
        ("", ""),
        ("carer", ""),
        ("nurse\0", PASSWORD),
        ("reader", "\0"),
        ("n" * 5000, PASSWORD),
        ("nurse", "p" * 5000),
        ("' or 1=1 --", "x"),
        ("nürse", "pässword"),
    ]
    with fresh.client() as client:
        for sign_in, password in refused:
            answer = client.post("/sign-in", data={"sign_in": sign_in, "password": password})
            assert answer.status_code == 401
            assert "do not fit together" in answer.text
            assert not answer.cookies
            api = client.post("/api/v1/sign-in", json={"sign_in": sign_in[:200], "password": password[:1000]})
            assert api.status_code == 401
            assert "do not fit together" in api.json()["detail"]


def test_the_form_shows_what_was_typed_as_text_only(served: Served) -> None:
    with served.client() as client:
        answer = client.post("/sign-in", data={"sign_in": '"><script>x</script>', "password": "x", "next": '/"><b>'})
        assert "<script>x" not in answer.text
        assert "<b>" not in answer.text
        assert 'role="alert"' in answer.text


def test_five_failures_lock_the_account_even_for_the_right_password(fresh: Served) -> None:
    with fresh.client() as client:
        for _ in range(5):
            client.post("/sign-in", data={"sign_in": "nurse", "password": "wrong"})
        locked = client.post("/sign-in", data={"sign_in": "nurse", "password": PASSWORD})
        assert locked.status_code == 401
        assert "do not fit together" in locked.text
        until, failures = fresh.ask("select locked_until, failed_sign_ins from account where sign_in = 'nurse'")[0]
        client.post("/sign-in", data={"sign_in": "nurse", "password": "wrong"})
        # an attempt under the lock neither prolongs it nor counts
        assert fresh.ask("select locked_until, failed_sign_ins from account where sign_in = 'nurse'") == [
            (until, failures)
        ]
        fresh.ask("update account set locked_until = now() where sign_in = 'nurse'")
        assert client.post("/sign-in", data={"sign_in": "nurse", "password": PASSWORD}).status_code == 303
        assert fresh.ask("select failed_sign_ins, locked_until from account where sign_in = 'nurse'") == [(0, None)]
    actions = [row[0] for row in fresh.ask("select action from audit_log order by audit_id")]
    assert actions == ["sign_in_failed"] * 7 + ["signed_in"]


def hash_as_usual(served: Served) -> None:
    """Let each look at a password take as long as it does outside the tests."""
    served.ask("update account set password_hash = %s", hash_password(PASSWORD))


def test_guesses_sent_all_at_once_are_locked_out_as_those_in_a_row(fresh: Served) -> None:
    hash_as_usual(fresh)
    token = ""
    with fresh.client("carer") as client:
        token = client.headers["Authorization"]

    async def guess() -> list[int]:
        async with httpx.AsyncClient(base_url=fresh.url, timeout=PATIENCE_S) as client:
            forms = [client.post("/sign-in", data={"sign_in": "nurse", "password": f"{n}"}) for n in range(24)]
            own = [
                client.put(
                    "/api/v1/me/password",
                    json={"current": f"{n}", "new": "seven green lanterns"},
                    headers={"Authorization": token},
                )
                for n in range(24)
            ]
            return [answer.status_code for answer in await asyncio.gather(*forms, *own)]

    assert set(asyncio.run(guess())) <= {401, 429, 422}
    # what one at a time is allowed, and the few that are looked at at the same time
    for failures, is_locked in fresh.ask(
        "select failed_sign_ins, locked_until > now() from account where sign_in in ('nurse', 'carer')"
    ):
        assert is_locked
        assert 5 <= failures <= 6


def test_one_address_is_slowed_down_for_accounts_that_do_not_exist_as_well(fresh: Served) -> None:
    with fresh.client() as client:
        for _ in range(FAILURES_OF_ACCOUNT):
            assert client.post("/sign-in", data={"sign_in": "nobody", "password": "x"}).status_code == 401
        answer = client.post("/sign-in", data={"sign_in": "nobody", "password": "x"})
        assert answer.status_code == 429
        assert 0 < int(answer.headers["retry-after"]) <= WINDOW_S + 1
        assert client.post("/sign-in", data={"sign_in": "nurse", "password": PASSWORD}).status_code == 303


def test_the_throttle_forgets_after_its_window_and_keeps_a_bounded_memory() -> None:
    now = 0.0
    throttle = Throttle(lambda: now)
    for _ in range(FAILURES_OF_ACCOUNT):
        throttle.failed("Nurse", "2001:db8::1")
    assert throttle.wait_s("nurse", "2001:db8::ffff") == WINDOW_S
    assert throttle.wait_s("nurse", "192.0.2.1") == 0
    now = WINDOW_S
    assert throttle.wait_s("nurse", "2001:db8::1") == 0
    for number in range(20_000):
        throttle.failed(f"name-{number}", f"10.{number // 256}.0.1")
    assert len(throttle._failures) <= 10_000


def test_an_unknown_account_takes_as_long_as_a_wrong_password(fresh: Served) -> None:
    def time_of(client: object, sign_in: str) -> float:
        begun = time.perf_counter()
        client.post("/sign-in", data={"sign_in": sign_in, "password": "wrong"})  # type: ignore[attr-defined]
        return time.perf_counter() - begun

    hash_as_usual(fresh)
    with fresh.client() as client:
        time_of(client, "somebody")
        pairs = [("nurse", "a"), ("carer", "b"), ("admin", "c"), ("nurse", "a"), ("carer", "b")]
        known, unknown = zip(*([time_of(client, name) for name in pair] for pair in pairs), strict=True)
    # the shortest of each: what else the machine does only ever adds to it
    assert 0.4 < min(known) / min(unknown) < 2.5


def test_a_disabled_account_is_out_with_its_next_request_and_cannot_return(fresh: Served) -> None:
    with fresh.client("carer") as client:
        assert client.get("/api/v1/me").status_code == 200
        fresh.ask("update account set disabled_at = now() where sign_in = 'carer'")
        assert client.get("/api/v1/me").status_code == 401
        again = client.post("/api/v1/sign-in", json={"sign_in": "carer", "password": PASSWORD})
        assert again.status_code == 401


def test_an_expired_session_is_none(fresh: Served) -> None:
    with fresh.client("carer") as client:
        fresh.ask("update session set expires_at = now()")
        assert client.get("/api/v1/me").status_code == 401


def session_times(served: Served) -> tuple[float, float, float]:
    """How long ago the one session began and was last used, and when it ends from now [s]."""
    [row] = served.ask(
        "select extract(epoch from now() - created_at)::float8, extract(epoch from now() - seen_at)::float8,"
        " extract(epoch from expires_at - now())::float8 from session"
    )
    return row[0], row[1], row[2]


def let_pass(served: Served, minutes: int) -> None:
    """Move the session's times back, as if so long had passed."""
    served.ask(
        "update session set created_at = created_at - %(m)s, seen_at = seen_at - %(m)s, "
        "expires_at = expires_at - %(m)s".replace("%(m)s", f"interval '{minutes} minutes'")
    )


def test_a_session_in_use_goes_on_and_an_idle_one_ends(fresh: Served) -> None:
    with fresh.client("carer") as client:
        assert session_times(fresh)[2] == pytest.approx(IDLE.total_seconds(), abs=30)
        let_pass(fresh, 119)
        assert client.get("/api/v1/me").status_code == 200
        _, unused, left = session_times(fresh)
        assert unused < 30
        assert left == pytest.approx(IDLE.total_seconds(), abs=30)
        let_pass(fresh, 121)
        assert client.get("/api/v1/me").status_code == 401


def test_a_use_is_noted_once_a_minute_and_never_beyond_the_lifetime(fresh: Served) -> None:
    with fresh.client("carer") as client:
        noted = fresh.ask("select seen_at, expires_at from session")
        assert client.get("/api/v1/me").status_code == 200
        assert fresh.ask("select seen_at, expires_at from session") == noted
        fresh.ask("update session set created_at = now() - %s + interval '10 minutes'", LIFETIME)
        let_pass(fresh, 2)
        assert client.get("/api/v1/me").status_code == 200
        _, unused, left = session_times(fresh)
        assert unused < 30
        assert left == pytest.approx(8 * 60, abs=30)
        noted = fresh.ask("select seen_at, expires_at from session")
        assert client.get("/api/v1/me").status_code == 200
        assert fresh.ask("select seen_at, expires_at from session") == noted
        let_pass(fresh, 9)
        assert client.get("/api/v1/me").status_code == 401


def test_a_forged_or_mangled_session_is_none(served: Served) -> None:
    for token in ("x", "A" * 43, "../" * 15, "é" * 43, '"', "a;b", "A" * 20_000):
        with served.client() as client:
            for header in (
                {"Authorization": f"Bearer {token}".encode()},
                {"Cookie": f"homeward_session={token}".encode()},
            ):
                assert client.get("/api/v1/me", headers=header).status_code == 401


def test_over_tls_the_cookie_is_secure_and_bound_to_the_host(database: TestDatabase) -> None:
    make_trusts(database)
    with serve(database, tls_proxy="127.0.0.1") as url, Served(url, database, None).client() as client:  # type: ignore[arg-type]
        answer = client.post("/sign-in", data={"sign_in": "nurse", "password": PASSWORD})
        assert answer.headers["set-cookie"].startswith("__Host-homeward_session=")
        assert "Secure" in answer.headers["set-cookie"]
        assert "max-age" in answer.headers["strict-transport-security"]
    assert Cookie(secure=False).name == "homeward_session"


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ("/", "/"),
        ("/patients/3?tab=notes#x", "/patients/3?tab=notes#x"),
        ("", "/"),
        ("patients", "/"),
        ("//evil.example", "/"),
        ("/\\evil.example", "/"),
        ("\\\\evil.example", "/"),
        ("https://evil.example", "/"),
        ("javascript:alert(1)", "/"),
        ("/\t/evil.example", "/"),
        ("/\n/evil.example", "/"),
        ("///evil.example", "/"),
        ("//[", "/"),
        ("/sign-in?next=/sign-in", "/"),
        ("/sign-out", "/"),
        ("/_dash-layout", "/"),
        ("/api/v1/me", "/"),
    ],
)
def test_after_sign_in_one_stays_on_this_server(given: str, expected: str) -> None:
    assert local_path(given) == expected


def test_a_carer_begins_with_the_residents_and_everybody_goes_where_they_wanted(served: Served) -> None:
    for sign_in, wanted, arrives in (
        ("carer", "", "/residents"),
        ("nurse", "", "/"),
        ("carer", "/patients/3", "/patients/3"),
    ):
        with served.client() as client:
            given = {"sign_in": sign_in, "password": PASSWORD, "next": wanted}
            assert client.post("/sign-in", data=given).headers["location"] == arrives

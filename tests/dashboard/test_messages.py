"""Do acts of people begin the ladder again, and can nobody guess a code, use another's address or leave a tenant?"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from psycopg_pool import AsyncConnectionPool

from dashboard import contacts, escalations, identity
from dashboard.actions import InvalidActionError
from dashboard.identity import Person, Session
from dashboard.permissions import NotPermittedError
from schemas import sealed
from schemas.database import open_async_pool
from tests.dashboard.conftest import Served

ROLES = {"nurse": "clinician", "other-nurse": "clinician", "admin": "administrator", "south-nurse": "clinician"}


def acting(served: Served, name: str, *acts: Any) -> list[Any]:
    """Do something as a person, as a callback does: one after the other; a failure is given as what it says."""
    trust = served.trusts.south if name.startswith("south") else served.trusts.north
    person = Person(trust.accounts[name], trust.organisation_id, name.title(), ROLES[name])

    async def work() -> list[Any]:
        pool: AsyncConnectionPool = open_async_pool(served.database.url_for("homeward_dashboard"), "homeward_dashboard")
        await pool.open()
        tokens = identity.enter(pool, Session(b"", person, datetime.now(UTC) + timedelta(hours=1)))
        try:
            return [await _outcome(act()) for act in acts]
        finally:
            identity.leave(tokens)
            await pool.close()

    return asyncio.run(work())


async def _outcome(act: Awaitable[Any]) -> Any:
    try:
        return await act
    except (InvalidActionError, NotPermittedError) as exc:
        return str(exc)


@pytest.fixture(autouse=True)
def key(served: Served) -> bytes:
    """A notifier has run: its key is known."""
    private = sealed.new_private_key()
    served.ask("delete from delivery")
    served.ask("delete from contact")
    served.ask("delete from message_key")
    served.ask("insert into message_key (public_key) values (%s)", sealed.public_key(private))
    return private


def jobs(served: Served, episode: int) -> list[Any]:
    return served.ask(
        "select key, run_at, severity from notification_job where episode_id = %s order by job_id", episode
    )


def test_what_is_released_or_snoozed_is_told_again(served: Served) -> None:
    episode = served.trusts.north.patients[0].episode_id
    served.ask("delete from notification_job where episode_id = %s", episode)
    until = datetime.now(UTC).replace(microsecond=0) + timedelta(hours=1)
    with served.client("nurse") as client:
        assert client.post(f"/api/v1/episodes/{episode}/acknowledgement").status_code == 200
        assert jobs(served, episode) == []
        assert client.delete(f"/api/v1/episodes/{episode}/acknowledgement").status_code == 204
        [(key, _, severity)] = jobs(served, episode)
        assert ":released:" in key
        assert severity == 3
        answer = client.post(f"/api/v1/episodes/{episode}/snooze", json={"until": until.isoformat()})
        assert answer.status_code == 200
    [_, (key, run_at, _)] = jobs(served, episode)
    assert ":snoozed:" in key
    assert run_at == until


def test_a_code_cannot_be_tried_out(served: Served, key: bytes) -> None:
    [contact] = acting(served, "nurse", lambda: contacts.add("email", "nurse@trust.example"))
    [(sealed_code, code_hash)] = served.ask(
        "select d.sealed, c.code_hash from delivery d join contact c using (contact_id)"
    )
    code = sealed.unseal(key, bytes(sealed_code))
    assert code.encode() not in bytes(code_hash)
    wrong = "000000" if code != "000000" else "000001"
    tries = [lambda: contacts.confirm(contact, wrong)] * contacts.MOST_TRIES
    said = acting(served, "nurse", *tries, lambda: contacts.confirm(contact, code))
    assert said[0] == "That is not the code."
    assert said[-1] == "This code is no longer valid; send another."
    acting(served, "nurse", lambda: contacts.add("email", "nurse@trust.example"))
    served.ask("update contact set code_sent_at = now() - interval '16 minutes'")
    again = sealed.unseal(key, bytes(served.ask("select sealed from delivery order by delivery_id desc limit 1")[0][0]))
    assert acting(served, "nurse", lambda: contacts.confirm(contact, again)) == [said[-1]]
    served.ask("update contact set code_sent_at = now()")
    assert acting(served, "nurse", lambda: contacts.confirm(contact, again)) == [None]
    assert served.ask("select verified_at is not null from contact") == [(True,)]


def test_nor_by_asking_for_many_at_once(served: Served) -> None:
    async def together() -> list[Any]:
        asked = [_outcome(contacts.add("sms", f"07700 9001{n:02}")) for n in range(3 * contacts.MOST_CODES)]
        return await asyncio.gather(*asked)

    [said] = acting(served, "nurse", together)
    assert sum(isinstance(outcome, int) for outcome in said) == contacts.MOST_CODES
    assert served.ask("select count(*) from delivery") == [(contacts.MOST_CODES,)]


def test_codes_are_not_sent_without_end(served: Served) -> None:
    acts = [lambda n=n: contacts.add("sms", f"07700 90012{n}") for n in range(contacts.MOST_CODES + 1)]
    said = acting(served, "nurse", *acts)
    assert all(isinstance(number, int) for number in said[:-1])
    assert "wait before the next" in said[-1]
    assert served.ask("select count(*) from delivery") == [(contacts.MOST_CODES,)]


def test_an_address_is_nobody_elses(served: Served) -> None:
    [contact] = acting(served, "nurse", lambda: contacts.add("email", "nurse@trust.example"))
    served.ask("update contact set verified_at = now()")
    for stranger in ("other-nurse", "south-nurse"):
        said = acting(
            served, stranger, contacts.own, lambda: contacts.test(contact), lambda: contacts.remove(contact),
            lambda: contacts.set_wanted(contact, wanted=False),
        )  # fmt: skip
        assert said[0] == []
    assert served.ask("select wanted, verified_at is not null from contact") == [(True, True)]
    assert served.ask("select count(*) from delivery where purpose = 'test'") == [(0,)]


@pytest.mark.parametrize(
    ("kind", "given"),
    [
        ("email", "a@b"), ("email", "a@b.example\nBcc: x@y.example"), ("email", "a b@c.example"),
        ("email", "<a@b.example>"), ("sms", "112"), ("sms", "+44 7700 90012x"), ("sms", "+447700900123;1"),
    ],
)  # fmt: skip
def test_what_is_no_address_is_refused(kind: str, given: str) -> None:
    with pytest.raises(InvalidActionError, match="write it like"):
        contacts.checked_address(kind, given)


def test_only_an_administrator_sets_up_who_is_told(served: Served) -> None:
    ladder = {"tiers": [{"name": "x", "receivers": [{"kind": "wall"}]}]}
    said = acting(
        served, "nurse", escalations.setup, lambda: escalations.publish_ladder(None, ladder, "x"),
        lambda: escalations.add_channel("webhook", "x", "none", {"url": "https://x.example"}, "0123456789abcdef"),
        lambda: escalations.deliveries(None, 10),
    )  # fmt: skip
    assert all("may not set up messages" in word for word in said)


def ladder_for(*receivers: dict[str, Any]) -> dict[str, Any]:
    return {"tiers": [{"name": "x", "receivers": list(receivers)}]}


def test_a_ladder_names_only_what_is_there_in_this_organisation(served: Served) -> None:
    south, wall = served.trusts.south, {"kind": "wall"}
    foreign = ladder_for({"kind": "person", "account": south.accounts["south-nurse"]})
    said = acting(
        served,
        "admin",
        lambda: escalations.publish_ladder(None, foreign, "x"),
        lambda: escalations.publish_ladder(south.sites["South Ward"], ladder_for(wall), "x"),
        lambda: escalations.publish_ladder(None, ladder_for({"kind": "rota", "rota": "?"}), "x"),
        lambda: escalations.publish_ladder(None, ladder_for(wall), " "),
    )
    assert "no longer there" in said[0]
    assert said[1] == "There is no such site."
    assert "no longer there" in said[2]
    assert said[3].startswith("Say why")
    assert served.ask("select count(*) from ladder") == [(0,)]


def test_a_form_that_was_filled_before_another_version_came_undoes_nothing(served: Served) -> None:
    site = next(iter(served.trusts.north.sites.values()))
    ladder, rota = ladder_for({"kind": "wall"}), {"zone": "Europe/London", "shifts": [], "overrides": []}
    said = acting(
        served,
        "admin",
        lambda: escalations.publish_ladder(site, ladder, "first", 0),
        lambda: escalations.publish_ladder(site, ladder, "overtaken", 0),
        lambda: escalations.publish_ladder(site, ladder, "seen", 1),
        lambda: escalations.publish_rota("Nights", rota, "first", 0),
        lambda: escalations.publish_rota("Nights", rota, "overtaken", 0),
    )
    assert [said[n] for n in (0, 2, 3)] == [1, 2, 1]
    assert all("Somebody has put version 1 in force since" in said[n] for n in (1, 4))


def test_two_administrators_who_publish_at_once_do_not_overwrite_each_other(served: Served) -> None:
    ladder = {"tiers": [{"name": "x", "receivers": [{"kind": "wall"}]}]}
    said = acting(
        served,
        "admin",
        lambda: asyncio.gather(*(_outcome(escalations.publish_ladder(None, ladder, "x")) for _ in range(4))),
    )[0]
    done = sorted(version for version in said if isinstance(version, int))
    assert done == list(range(1, len(done) + 1))
    assert all("Somebody else has published" in word for word in said if isinstance(word, str))

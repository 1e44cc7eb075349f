"""Does each way bring a message to a real receiver, and what becomes of one that does not get through?"""

from __future__ import annotations

import base64
import contextlib
import hashlib
import hmac
import json
import re
from collections.abc import Iterator
from typing import Any

import psycopg
import pytest

from homeward.local.broker import NOTIFIER_ROLE
from homeward.notify import sending
from homeward.notify.channels import team
from homeward.notify.failure import DeliveryError
from homeward.notify.message import Message
from homeward.notify.outgoing import Outgoing
from homeward.notify.ways import Outside, Ways
from schemas import sealed
from tests.conftest import TestBroker, TestDatabase
from tests.homeward.notify.display import display
from tests.homeward.notify.house import (
    NOW,
    PRIVATE,
    House,
    Mailbox,
    Receiver,
    by_mail,
    minutes,
    open_house,
    tier,
)
from tests.waiting import wait_until

URL = "https://homeward.trust.example"
LOOPBACK = ("127.0.0.0/8",)


@pytest.fixture
def house(module_database: TestDatabase) -> Iterator[House]:
    with open_house(module_database) as found:
        yield found


@pytest.fixture
def mailbox() -> Iterator[Mailbox]:
    box = Mailbox()
    yield box
    box.stop()


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    found = Receiver()
    yield found
    found.close()


def ways(mailbox: Mailbox | None = None, **more: Any) -> Ways:
    given = {"networks": LOOPBACK, **more}
    return Ways(Outside(URL, mailbox.url if mailbox else None, **given), PRIVATE)


def raise_and_plan(house: House, *receivers: dict[str, Any], **more: Any) -> int:
    house.ladder(tier("Nurse in charge", *receivers), tier("Later", {"kind": "wall"}, after=60))
    episode = house.raise_episode(**more)
    house.plan(NOW)
    return episode


def outcomes(house: House) -> list[tuple[str, str, int]]:
    return [
        (r[0], r[1], r[2]) for r in house.ask("select status, outcome, attempts from delivery order by delivery_id")
    ]


def test_a_mail_says_where_and_links_to_the_rest_and_names_nobody(house: House, mailbox: Mailbox) -> None:
    raise_and_plan(house, by_mail("ward@trust.example"))
    [attempt] = house.send(ways(mailbox), NOW)
    assert attempt.status == "delivered"
    [mail] = mailbox.mails
    patient = house.trusts.north.patients[0]
    assert mailbox.to == ["ward@trust.example"]
    assert mail["Subject"] == "Homeward: red alert, Elm House"
    [(key,)] = house.ask("select key from delivery")
    assert mail["Message-ID"] == f"<{key}@trust.example>"
    body = mail.get_content()
    assert f"{URL}/patients/{patient.patient_id}" in body
    assert "Nurse in charge" in body
    assert patient.family_name not in mail.as_string()
    assert outcomes(house)[0] == ("delivered", "", 1)


@pytest.mark.parametrize(("identity", "shown"), [("none", ""), ("initials", "G. E."), ("name", "Given Elm-1")])
def test_a_way_carries_as_much_identity_as_its_setting_allows(
    house: House, mailbox: Mailbox, identity: str, shown: str
) -> None:
    house.channel("email", "E-mail", {}, identity=identity)
    house.set(
        "update patient set given_name = 'Given' where patient_id = %s", house.trusts.north.patients[0].patient_id
    )
    raise_and_plan(house, by_mail("ward@trust.example"))
    house.send(ways(mailbox), NOW)
    body = mailbox.mails[0].get_content()
    assert (f"- {shown}, red since" in body) if shown else ("- red since" in body)
    assert ("Elm-1" in body) == (identity == "name")


def test_the_notifier_cannot_look_a_name_up_that_no_message_may_carry(house: House) -> None:
    raise_and_plan(house, by_mail("ward@trust.example"))
    [(delivery,)] = house.ask("select min(delivery_id) from delivery")
    assert house.notify.execute("select name from names_for_message(%s)", [delivery]).fetchall() == [("",)]
    with pytest.raises(psycopg.errors.InsufficientPrivilege):
        house.notify.execute("select family_name from patient")


def test_a_mail_server_that_is_down_for_an_hour_gets_everything_afterwards(house: House, mailbox: Mailbox) -> None:
    out = ways(mailbox)
    mailbox.stop()
    raise_and_plan(house, by_mail("ward@trust.example"))
    now, tried = NOW, 0
    while now < NOW + minutes(60):
        tried += len(house.send(out, now))
        house.plan(now)
        now += minutes(1 / 6)
    assert outcomes(house)[0][:2] == ("waiting", "the mail server does not answer (ConnectionRefusedError)")
    # often at first, every few minutes then: neither silence nor a storm
    assert 12 < tried < 60
    # and the next tier did not wait for its hour
    assert house.ask("select count(*) from delivery where tier = 'Later'") == [(1,)]
    mailbox.start()
    house.send(out, now + minutes(5))
    [(key,)] = house.ask("select key from delivery where tier = 'Nurse in charge'")
    assert [mail["X-Homeward-Key"] for mail in mailbox.mails] == [key]


def test_an_address_that_does_not_exist_fails_and_the_next_tier_is_told(house: House, mailbox: Mailbox) -> None:
    raise_and_plan(house, by_mail("nobody@trust.example"))
    house.send(ways(mailbox), NOW)
    assert outcomes(house) == [("failed", "the mail server refused the address (550)", 1)]
    house.plan(NOW + minutes(0.1))
    assert [t for t, _ in house.told()] == ["Nurse in charge", "Later"]


def test_what_was_taken_on_meanwhile_is_not_sent(house: House, mailbox: Mailbox) -> None:
    episode = raise_and_plan(house, by_mail("ward@trust.example"))
    house.set("update episode set acknowledged_at = now() where episode_id = %s", episode)
    [attempt] = house.send(ways(mailbox), NOW)
    assert attempt.status == "cancelled"
    assert mailbox.mails == []


def test_who_is_paused_before_their_message_has_gone_out_is_told_after_the_pause(
    house: House, mailbox: Mailbox
) -> None:
    house.ladder(tier("Nurse in charge", by_mail("ward@trust.example")))
    episode = house.raise_episode()
    other = house.raise_episode(patient=1)
    house.plan(NOW)
    mailbox.stop()
    out = ways(mailbox)
    house.send(out, NOW)
    assert [outcome for *_, outcome in house.jobs()] == ["told", "told"]
    house.set(
        "insert into patient_pause (organisation_id, patient_id, since, ends_at, reason, account_id) "
        "values (%s, %s, %s, 'infinity', 'in hospital', %s)",
        house.organisation, house.trusts.north.patients[0].patient_id, NOW, house.account("nurse"),
    )  # fmt: skip
    mailbox.start()
    house.send(out, NOW + minutes(1))
    house.plan(NOW + minutes(3))
    # the one message of both went out for the other
    assert house.ask("select episode_id from delivery_episode order by 1") == [(episode,), (other,)]
    assert len(mailbox.mails) == 1
    house.set("update patient_pause set lifted_at = %s", NOW + minutes(30))
    house.plan(NOW + minutes(31))
    house.send(out, NOW + minutes(31))
    assert len(mailbox.mails) == 2
    patients = [
        [f"/patients/{p.patient_id}" in mail.get_content() for p in house.trusts.north.patients[:2]]
        for mail in mailbox.mails
    ]
    assert patients == [[False, True], [True, False]]
    house.plan(NOW + minutes(32))
    assert house.jobs() == [("delivered", "told"), ("delivered", "told")]


def test_a_webhook_is_signed_and_its_repeat_is_the_same(house: House, receiver: Receiver) -> None:
    channel = house.channel("webhook", "Paging", {"url": receiver.url}, "whsec_1234567890")
    receiver.answer = 500
    episode = raise_and_plan(house, {"kind": "channel", "channel": channel})
    out = ways()
    house.send(out, NOW)
    assert outcomes(house)[0] == ("waiting", "it answered 500", 1)
    receiver.answer = 204
    house.send(out, NOW + minutes(1))
    assert outcomes(house)[0] == ("delivered", "", 2)
    (first, body), (second, again) = receiver.posts
    assert first["webhook-id"] == second["webhook-id"]
    assert body == again
    for headers in (first, second):
        signed = f"{headers['webhook-id']}.{headers['webhook-timestamp']}.".encode() + body
        digest = base64.b64encode(hmac.digest(b"whsec_1234567890", signed, hashlib.sha256)).decode()
        assert headers["webhook-signature"] == f"v1,{digest}"
    told = json.loads(body)
    assert told["severity"] == "red"
    assert told["episodes"][0]["episode"] == episode
    assert "name" not in told["episodes"][0]
    # the other half of the key is here only; in the database nothing can be read
    [(kept,)] = house.ask("select sealed from channel")
    assert b"whsec" not in bytes(kept)
    with pytest.raises(sealed.SealError):
        sealed.unseal(sealed.new_private_key(), bytes(kept))


def test_a_webhook_that_never_answers_is_given_up_on_and_tried_again(
    house: House, receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    import httpx

    from homeward.notify import outgoing

    monkeypatch.setattr(outgoing, "TIMEOUT", httpx.Timeout(0.3))
    receiver.answer = None
    channel = house.channel("webhook", "Paging", {"url": receiver.url}, "secret")
    raise_and_plan(house, {"kind": "channel", "channel": channel})
    house.send(ways(), NOW)
    assert outcomes(house)[0] == ("waiting", "no answer in time", 1)


@pytest.mark.parametrize("answer", [302, 404, 410])
def test_a_webhook_that_refuses_fails_and_leads_nowhere_else(house: House, receiver: Receiver, answer: int) -> None:
    receiver.answer = answer
    channel = house.channel("webhook", "Paging", {"url": receiver.url}, "secret")
    raise_and_plan(house, {"kind": "channel", "channel": channel})
    house.send(ways(), NOW)
    assert outcomes(house)[0] == ("failed", f"it answered {answer}", 1)
    assert len(receiver.posts) == 1


@pytest.mark.parametrize(
    "host",
    ["127.0.0.1", "localhost", "[::1]", "10.0.0.1", "169.254.169.254", "192.168.1.1", "0.0.0.0", "[::ffff:127.0.0.1]"],
)
def test_private_addresses_are_refused_where_the_installation_does_not_allow_them(host: str) -> None:
    with pytest.raises(DeliveryError, match="private network") as refused:
        Outgoing().post(f"http://{host}:9/x", b"{}", {})
    assert refused.value.permanent


@pytest.mark.parametrize("url", ["ftp://127.0.0.1/x", "file:///etc/passwd", "http://", "//x"])
def test_what_is_no_web_address_is_refused(url: str) -> None:
    with pytest.raises(DeliveryError, match="not http") as refused:
        Outgoing.of(LOOPBACK).post(url, b"{}", {})
    assert refused.value.permanent


def test_a_text_message_goes_by_a_gateway_with_its_key(house: House, receiver: Receiver) -> None:
    house.channel("sms", "Texts", {"provider": "gateway", "url": receiver.url}, "token-1")
    raise_and_plan(house, {"kind": "address", "by": "sms", "address": "+447700900123"})
    house.send(ways(), NOW)
    [(headers, body)] = receiver.posts
    told = json.loads(body)
    assert told["to"] == "+447700900123"
    assert re.fullmatch(rf"Homeward: red alert at Elm House\. {URL}/patients/\d+", told["text"])
    assert headers["authorization"] == "Bearer token-1"
    assert headers["idempotency-key"] == told["reference"]


def test_a_text_message_goes_by_gov_uk_notify(house: House, receiver: Receiver) -> None:
    service, key = "9d4a1b7c-1111-4111-8111-111111111111", "9d4a1b7c-2222-4222-8222-222222222222"
    base = receiver.url.removesuffix("/alerts")
    settings = {"provider": "govuk_notify", "template": "t-1", "url": base}
    house.channel("sms", "Texts", settings, f"team-{service}-{key}")
    raise_and_plan(house, {"kind": "address", "by": "sms", "address": "07700900123"})
    house.send(ways(), NOW)
    [(headers, body)] = receiver.posts
    told = json.loads(body)
    assert told["phone_number"] == "+447700900123"
    assert told["template_id"] == "t-1"
    assert told["personalisation"]["message"].startswith("Homeward: red alert at Elm House")
    assert [(told["reference"],)] == house.ask("select key from delivery where tier = 'Nurse in charge'")
    assert headers["authorization"].startswith("Bearer ")


def test_a_teams_chat_is_told_through_apprise(house: House, receiver: Receiver) -> None:
    address = receiver.url.replace("http://", "json://")
    channel = house.channel("apprise", "Ward chat", {}, address)
    raise_and_plan(house, {"kind": "channel", "channel": channel})
    house.send(ways(), NOW)
    [(_, body)] = receiver.posts
    assert json.loads(body)["title"] == "Homeward: red alert, Elm House"
    # and without the installation's leave not on this machine
    house.set("update delivery set status = 'waiting', run_at = %s", NOW)
    house.send(ways(networks=()), NOW)
    assert outcomes(house)[0][0] == "failed"


@pytest.mark.parametrize("asked", ["", "?redirect=yes"])
def test_a_teams_chat_leads_nowhere_else(receiver: Receiver, asked: str) -> None:
    sly = Receiver(307, headers={"Location": receiver.url})
    try:
        with pytest.raises(DeliveryError, match="did not take it"):
            team.send(Outgoing.of(LOOPBACK), sly.url.replace("http://", "json://") + asked, Message("key", "test"))
        assert len(sly.posts) == 1
        assert receiver.posts == []
    finally:
        sly.close()


@pytest.mark.parametrize("address", ["syslog://localhost", "dbus://", "macosx://", "mailto://x", "slack://", "x"])
def test_services_that_could_do_harm_here_are_no_channels(address: str) -> None:
    assert team.check(address)


def test_a_channel_sealed_for_another_key_says_so(house: House, receiver: Receiver) -> None:
    channel = house.channel("webhook", "Paging", {"url": receiver.url}, "secret")
    raise_and_plan(house, {"kind": "channel", "channel": channel})
    house.send(Ways(Outside(URL, networks=LOOPBACK), None), NOW)
    assert outcomes(house)[0][:2] == ("failed", "its secret is sealed for a key that this notifier has not got")
    assert receiver.posts == []


def test_the_wall_hears_opaque_numbers_on_its_sites_topic_and_no_other(house: House, broker: TestBroker) -> None:
    password = broker.server.credentials("homeward-notify").password
    broker.accounts.add_service("homeward-notify", password, NOTIFIER_ROLE)
    house.channel("wall", "Wall", {}, identity="name")
    raise_and_plan(house, {"kind": "wall"})
    out = ways(mqtt_url=broker.url, mqtt_user="homeward-notify", mqtt_password=password)
    with contextlib.ExitStack() as displays:
        # each tries to hear what this site hears, and only its own display may
        heard = {
            site: displays.enter_context(display(broker, site, listens_to=house.site))
            for site in house.trusts.north.sites.values()
        }
        assert [a.status for a in house.send(out, NOW)] == ["delivered"]
        own = heard[house.site]
        wait_until(lambda: own, "the display of the site hears it")
    assert own[0]["severity"] == "red"
    assert own[0]["site"] == house.site
    assert set(own[0]["episodes"][0]) == {"episode", "patient", "severity", "since", "link"}
    assert [messages for site, messages in heard.items() if site != house.site] == [[]]
    out.close()


def test_pauses_grow_differ_and_end() -> None:
    for attempts in range(1, 40):
        pauses = {sending.pause(attempts) for _ in range(20)}
        assert len(pauses) > 10
        assert all(p <= sending.LONGEST_PAUSE for p in pauses)
    assert max(sending.pause(1) for _ in range(50)) <= sending.FIRST_PAUSE
    assert min(sending.pause(30) for _ in range(50)) >= sending.LONGEST_PAUSE / 2

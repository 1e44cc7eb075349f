"""Does every alert reach its receiver, whatever is killed or cut, and is a repeat known by its key?

Notifiers in processes of their own, a real SMTP server, a real database behind a proxy that can be cut.
"""

from __future__ import annotations

import contextlib
import os
import stat
import subprocess
import sys
import threading
from collections import Counter
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from tests.conftest import TestDatabase
from tests.homeward.notify.house import House, Mailbox, by_mail, open_house, tier
from tests.ingest.proxy import Proxy
from tests.waiting import PATIENCE_S, wait_until


@pytest.fixture
def house(module_database: TestDatabase) -> Iterator[House]:
    with open_house(module_database) as found:
        found.set("delete from service_instance")
        yield found


@pytest.fixture
def mailbox() -> Iterator[Mailbox]:
    box = Mailbox()
    yield box
    box.held.set()
    box.stop()


@contextlib.contextmanager
def notifier(url: str, mailbox: Mailbox, home: Path) -> Iterator[subprocess.Popen[str]]:
    """Start one and wait until it listens."""
    environment = os.environ | {"TEST_DATABASE_URL": url, "TEST_SMTP_URL": mailbox.url, "TEST_HOME": str(home)}
    worker = subprocess.Popen(
        [sys.executable, "-m", "tests.homeward.notify.worker"], env=environment, stdout=subprocess.PIPE, text=True
    )
    assert worker.stdout is not None
    try:
        assert any(line == "ready\n" for line in worker.stdout), "the notifier ended before it was ready"
        threading.Thread(target=worker.stdout.read, daemon=True).start()
        yield worker
    finally:
        worker.kill()
        worker.wait()
        worker.stdout.close()


def keys(mailbox: Mailbox) -> list[str]:
    return [str(mail["X-Homeward-Key"]) for mail in mailbox.mails]


def delivered(house: House) -> int:
    return int(house.ask("select count(*) from delivery where status = 'delivered'")[0][0])


def raise_now(house: House, patient: int = 0) -> int:
    return house.raise_episode(at=datetime.now(UTC), patient=patient)


def test_an_episode_is_in_the_mailbox_within_moments(house: House, mailbox: Mailbox, tmp_path: Path) -> None:
    house.ladder(tier("Nurse", by_mail("ward@trust.example")))
    with notifier(house.database.url_for("homeward_notify"), mailbox, tmp_path):
        raise_now(house)
        wait_until(lambda: mailbox.mails, "the mail is there")
    place = tmp_path / "messages.key"
    assert stat.S_IMODE(place.stat().st_mode) == 0o600


def test_a_notifier_that_is_killed_while_it_sends_loses_nothing(house: House, mailbox: Mailbox, tmp_path: Path) -> None:
    house.ladder(tier("Nurse", by_mail("ward@trust.example")))
    url = house.database.url_for("homeward_notify")
    mailbox.held.clear()
    with notifier(url, mailbox, tmp_path) as first:
        raise_now(house)
        assert mailbox.began.wait(PATIENCE_S)
        first.kill()
        first.wait()
    # what the mail server had taken in by then it delivers: the repeat has the same key
    mailbox.held.set()
    with notifier(url, mailbox, tmp_path):
        wait_until(lambda: delivered(house) == 1)
    assert len(set(keys(mailbox))) == 1
    assert [(key,) for key in set(keys(mailbox))] == house.ask("select key from delivery")


def test_two_notifiers_deliver_each_message_once(house: House, mailbox: Mailbox, tmp_path: Path) -> None:
    for number, site in enumerate(house.trusts.north.sites.values()):
        addresses = [by_mail(f"ward-{number}-{n}@trust.example") for n in range(15)]
        house.ladder(tier("Nurse", *addresses), site=site)
    url = house.database.url_for("homeward_notify")
    with notifier(url, mailbox, tmp_path), notifier(url, mailbox, tmp_path):
        for patient in (0, 2):
            raise_now(house, patient)
        wait_until(lambda: delivered(house) == 30)
        counters = wait_until(
            lambda: [
                row[0]
                for row in house.ask("select counters from service_instance where service = 'notify'")
                if row[0]["messages_delivered"].get("email")
            ]
        )
        assert counters
    assert len(mailbox.mails) == 30
    assert set(Counter(keys(mailbox)).values()) == {1}


def test_a_database_that_is_cut_and_comes_back_loses_nothing(
    house: House, mailbox: Mailbox, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    house.ladder(tier("Nurse", by_mail("ward@trust.example")))
    url = house.database.url_for("homeward_notify")
    parts = urlsplit(url)
    proxy = Proxy((parts.hostname or "", parts.port or 5432))
    behind = url.replace(f":{parts.port}/", f":{proxy.port}/")
    mailbox.held.clear()
    with notifier(behind, mailbox, tmp_path):
        raise_now(house)
        assert mailbox.began.wait(PATIENCE_S)
        proxy.cut()
        mailbox.held.set()
        wait_until(lambda: mailbox.mails)
        raise_now(house, 2)
        proxy.mend()
        wait_until(lambda: delivered(house) == 2)
    proxy.close()
    # sent, but not written down: it came again, under the key by which a receiver knows it
    assert len(set(keys(mailbox))) == 2


def test_a_notifier_that_is_told_to_stop_ends_and_says_so(house: House, mailbox: Mailbox, tmp_path: Path) -> None:
    with notifier(house.database.url_for("homeward_notify"), mailbox, tmp_path) as one:
        alive = "select count(*) from service_instance where service = 'notify' and seen_at > now() - interval '30 s'"
        wait_until(lambda: house.ask(alive) == [(1,)])
        one.terminate()
        assert one.wait(PATIENCE_S) == 0
    assert house.ask(alive) == [(0,)]

"""Is a message to a display that nobody has connected called what it is: sent, and not reached?"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, cast

import pytest

from homeward.local.broker import NOTIFIER_ROLE
from homeward.notify import displays
from homeward.notify.channels.wall import NO_DISPLAY, PRESENCE
from homeward.notify.ways import Outside, Ways
from tests.conftest import TestBroker, TestDatabase
from tests.homeward.notify.display import display
from tests.homeward.notify.house import NOW, PRIVATE, House, by_mail, minutes, open_house, tier
from tests.waiting import wait_until


@pytest.fixture
def house(module_database: TestDatabase) -> Iterator[House]:
    with open_house(module_database) as found:
        found.set("delete from site_display")
        yield found


@pytest.fixture
def ways(broker: TestBroker) -> Iterator[Ways]:
    password = broker.server.credentials("homeward-notify").password
    broker.accounts.add_service("homeward-notify", password, NOTIFIER_ROLE)
    out = Ways(
        Outside("http://x.example", mqtt_url=broker.url, mqtt_user="homeward-notify", mqtt_password=password), PRIVATE
    )
    yield out
    out.close()


def look(house: House, ways: Ways, now: Any) -> int:
    with house.notify.transaction():
        return displays.look(house.notify, ways, now)


def test_without_a_display_the_next_tier_is_told_at_once(house: House, ways: Ways) -> None:
    house.ladder(tier("Wall", {"kind": "wall"}), tier("Nurse", by_mail("nurse@x.example"), after=30))
    house.raise_episode()
    house.plan(NOW)
    house.send(ways, NOW)
    assert house.ask("select status, outcome, attempts from delivery") == [("waiting", NO_DISPLAY, 1)]
    house.plan(NOW + minutes(0.1))
    assert [t for t, _ in house.told()] == ["Wall"], "once may have been a restart"
    house.send(ways, NOW + minutes(0.2))
    house.plan(NOW + minutes(0.2))
    assert [t for t, _ in house.told()] == ["Wall", "Nurse"]


def test_it_is_known_before_an_alert_whether_a_display_is_connected(
    house: House, ways: Ways, broker: TestBroker
) -> None:
    house.ladder(tier("Wall", {"kind": "wall"}))
    north = len(house.trusts.north.sites)
    assert look(house, ways, NOW) == north
    assert look(house, ways, NOW + minutes(0.5)) == 0, "a site is looked at once a minute"
    assert house.ask("select count(*) from site_display where not is_connected") == [(north,)]
    house.raise_episode()
    house.plan(NOW)
    house.send(ways, NOW)
    with display(broker, house.site) as heard:
        assert look(house, ways, NOW + minutes(1)) == north
        wait_until(lambda: heard)
        assert heard == [{"type": PRESENCE, "site": house.site}]
        seen = house.ask("select is_connected, since from site_display where site_id = %s", house.site)
        assert seen == [(True, NOW + minutes(1))]
        # what it has missed goes out at once
        assert [a.status for a in house.send(ways, NOW + minutes(1))] == ["delivered"]
    look(house, ways, NOW + minutes(2))
    assert house.ask("select is_connected from site_display where site_id = %s", house.site) == [(False,)]
    # an hour by the clock that goes back is no hour of silence
    assert look(house, ways, NOW - minutes(60)) == north


def test_a_site_that_the_broker_refuses_keeps_no_other_from_being_known(ways: Ways, broker: TestBroker) -> None:
    refused = cast("int", "2/elsewhere")  # no topic of a display: the notifier may not publish there
    with display(broker, 1):
        assert ways.displays([refused, 1, 3]) == {1: True, 3: False}
        assert ways.displays([refused]) == {}


def test_who_names_no_display_is_not_looked_at(house: House, ways: Ways) -> None:
    house.ladder(tier("Nurse", by_mail("nurse@x.example")))
    house.ladder(tier("Wall", {"kind": "wall"}), site=house.site)
    assert look(house, ways, NOW) == 1
    assert house.ask("select site_id from site_display") == [(house.site,)]

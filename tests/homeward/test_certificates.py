"""Is it told, in time and to whom it concerns, until when certificates hold?"""

from __future__ import annotations

import ssl
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from playwright.sync_api import Browser, expect

from homeward import doctor_certificates
from homeward.certificates import certificates
from homeward.devices import DeviceLogins
from homeward.installation import Addresses
from homeward.local import authority
from homeward.local.errors import SetupError
from homeward.local.programs import Programs
from homeward.settings import Settings
from schemas.certificates import Certificate, Holder
from tests.conftest import TestBroker, TestDatabase
from tests.dashboard.chromium import WIDTHS, browser, expect_to_fit, violations
from tests.dashboard.conftest import Served, connect, make_trusts, serve
from tests.dashboard.test_devices_browser import SCREENSHOTS, sign_in

__all__ = ["browser"]  # a fixture


@pytest.fixture
def addresses(broker: TestBroker, service_folder: Path, programs: Programs) -> Addresses:
    """Those of an installation in whose folder the worker's broker lies."""
    return Addresses(Settings(home=service_folder), programs)


@pytest.fixture
def issued(broker: TestBroker, monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple[str, str, str]]:
    """Three devices' certificates: one that holds, one with ten days left, one that was revoked."""
    made = ("holds-long", "ends-soon", "is-revoked")
    for code, days in zip(made, (700, 10, 5), strict=True):
        monkeypatch.setattr(authority, "DEVICE_LASTS", timedelta(days=days, hours=1))
        broker.server.authority.issue(code)
    broker.server.revoke("is-revoked")
    yield made
    for code in made:
        broker.server.revoke(code)


def test_each_certificate_is_found_with_its_end(
    addresses: Addresses, issued: tuple[str, str, str], broker: TestBroker
) -> None:
    found = certificates(addresses)
    now = datetime.now(UTC)
    days = {(c.holder, c.name): c.days_left(now) for c in found}
    host, port = broker.server.hubs[:2]
    assert days[Holder.BROKER, f"{host}:{port}"] >= 390
    assert days[Holder.AUTHORITY, ""] >= 3640
    assert (days[Holder.DEVICE, "holds-long"], days[Holder.DEVICE, "ends-soon"]) == (700, 10)
    assert (Holder.DEVICE, "is-revoked") not in days
    assert {c.name for c in found if c.ends_soon(now)} == {"ends-soon"}


def test_the_doctor_warns_of_what_ends_soon_and_fails_for_what_has_ended(
    addresses: Addresses, issued: tuple[str, str, str], broker: TestBroker, monkeypatch: pytest.MonkeyPatch
) -> None:
    states = {f.sentence.partition(" ")[0]: f for f in doctor_certificates.look(addresses)}
    assert states["The"].state == "ok"
    soon = states["Of"]
    assert soon.state == "warn"
    assert "ends-soon (10 days)" in soon.sentence
    assert "homeward device rotate" in soon.remedy
    now = datetime.now(UTC)
    monkeypatch.setattr(doctor_certificates, "certificates", lambda _: _past(addresses, now))
    assert {f.state for f in doctor_certificates.look(addresses)} == {"fail", "warn"}


def _past(addresses: Addresses, now: datetime) -> list[Certificate]:
    return [replace(c, ends=now - timedelta(days=1)) for c in certificates(addresses)]


def test_of_anothers_broker_the_one_that_it_shows_is_looked_at(broker: TestBroker, tmp_path: Path) -> None:
    host, port = broker.server.hubs[:2]
    other = Addresses(
        Settings(home=tmp_path, mqtt_url=f"mqtts://{host}:{port}", database_url="postgresql://db/h"), None
    )
    [found] = certificates(other)
    shown = ssl.get_server_certificate((host, port))
    assert shown.strip() == broker.server.server_certificate.strip()
    assert (found.holder, found.name) == (Holder.BROKER, f"{host}:{port}")
    silent = Addresses(Settings(home=tmp_path, mqtt_url="mqtts://127.0.0.1:1", database_url="postgresql://db/h"), None)
    with pytest.raises(SetupError, match=r"127\.0\.0\.1:1 cannot be seen"):
        certificates(silent)
    [told] = doctor_certificates.look(silent)
    assert told.state == "warn"


@pytest.fixture(scope="module")
def kept(
    module_database: TestDatabase, broker: TestBroker, service_folder: Path, programs: Programs
) -> Iterator[Served]:
    """A dashboard beside the broker; of the devices with a certificate one is the other trust's."""
    trusts = make_trusts(module_database)
    with connect(module_database) as connection:
        for code, trust in (("holds-long", trusts.north), ("ends-soon", trusts.north), ("is-revoked", trusts.south)):
            connection.execute(
                "insert into device (organisation_id, code, kind, lane) values (%s, %s, 'cuff', 0)",
                [trust.organisation_id, code],
            )
    with serve(module_database, device_logins=DeviceLogins(Addresses(Settings(home=service_folder), programs))) as url:
        yield Served(url, module_database, trusts)


def test_a_program_is_told_the_same_and_a_carer_nothing(
    kept: Served, issued: tuple[str, str, str], broker: TestBroker
) -> None:
    broker.server.authority.issue("is-revoked")
    with kept.client("technician") as technician, kept.client("carer") as carer:
        found = technician.get("/api/v1/system/certificates").json()
        assert carer.get("/api/v1/system/certificates").status_code == 403
    assert [(c["holder"], c["name"]) for c in found if c["holder"] == "device"] == [
        ("device", "ends-soon"), ("device", "holds-long")
    ]  # fmt: skip
    assert {c["holder"]: c["days_left"] for c in found if c["name"] != "holds-long"}["device"] == 10
    assert {c["holder"] for c in found} == {"authority", "broker", "device"}


@pytest.mark.browser
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_the_page_shows_them_and_of_devices_only_ones_own(
    kept: Served, browser: Browser, issued: tuple[str, str, str], broker: TestBroker, scheme: str
) -> None:
    broker.server.authority.issue("is-revoked")
    page = sign_in(kept, browser, "technician", scheme=scheme)
    page.goto(f"{kept.url}/system")
    rows = page.locator("#system-certificates tbody tr")
    expect(rows).to_have_count(4)
    expect(rows.nth(0)).to_contain_text("The authority that hubs trust")
    expect(rows.nth(1)).to_contain_text("The broker at")
    expect(rows.nth(2)).to_contain_text("Device ends-soon")
    expect(rows.nth(2)).to_contain_text("10 days")
    expect(rows.nth(2).locator(".state-bad")).to_have_text("Ends soon")
    expect(rows.nth(3)).to_contain_text("Device holds-long")
    expect(page.locator("#main")).not_to_contain_text("is-revoked")
    expect(page.locator("#system-list")).to_contain_text("TimescaleDB")
    for width, (across, down) in WIDTHS.items():
        page.set_viewport_size({"width": across, "height": down})
        expect_to_fit(page, width)
        if SCREENSHOTS:
            page.screenshot(path=f"{SCREENSHOTS}/system-{width}-{scheme}.png", full_page=True)
    assert violations(page) == []
    page.context.close()

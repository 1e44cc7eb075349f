"""How is each service wired in its own process: settings in, pool and client made, until a signal says stop?"""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import unquote, urlsplit

from homeward.installation import (
    INGEST_LOGIN,
    NOTIFY_LOGIN,
    PROVISIONING_LOGIN,
    Addresses,
    Login,
    accounts_key,
    make_home,
)
from homeward.local.errors import SetupError
from homeward.local.programs import find_programs
from homeward.logs import log_as_service
from homeward.settings import PREFIX, Settings, load_settings
from homeward.signals import service_stop

if TYPE_CHECKING:
    from dashboard.provider import ProviderSettings

READY_FILE = f"{PREFIX}READY_FILE"


def run_ingest() -> None:
    """Take observations from the broker into the database."""
    from ingest.service import ROLE, run

    log_as_service("ingest")
    settings = load_settings()
    where = _addresses(settings)
    login = _broker_login(settings, where, INGEST_LOGIN)
    url = where.mqtt_url
    stop = service_stop()
    run(where.database_url(ROLE), url, login.user or None, login.password or None, stop, ready=_say_ready)


def run_clock() -> None:
    """Score what happens without an observation."""
    from ingest.clock import ROLE, run

    log_as_service("clock")
    run(_addresses(load_settings()).database_url(ROLE), service_stop())


def run_notify() -> None:
    """Tell people of episodes."""
    from homeward.notify.service import ROLE, run
    from homeward.notify.ways import Outside

    log_as_service("notify")
    settings = load_settings()
    where = _addresses(settings)
    login = _broker_login(settings, where, NOTIFY_LOGIN)
    outside = Outside(
        public_url=settings.public_url or f"http://{settings.http}",
        smtp_url=settings.smtp_url,
        networks=[network for network in settings.message_networks.split(",") if network],
        mqtt_url=where.mqtt_url,
        mqtt_user=login.user,
        mqtt_password=login.password,
    )
    make_home(settings.home)
    run(where.database_url(ROLE), outside, settings.home, service_stop())


def run_dashboard() -> None:
    """Serve the pages and the API, and ingest's routes beside them."""
    from dashboard.app import ROLE
    from dashboard.service import run
    from homeward.devices import DeviceLogins
    from homeward.entry import other_ways_in

    log_as_service("dashboard")
    settings = load_settings()
    where = _addresses(settings)
    stop = service_stop()
    try:
        with other_ways_in(where.ingest_database_url) as ways_in:
            run(
                where.database_url(ROLE),
                settings.http_host,
                settings.http_port,
                stop,
                tls_proxy=settings.tls_proxy,
                extra_routers=ways_in,
                accounts_key=accounts_key(settings.home),
                provider=_provider(settings),
                device_logins=DeviceLogins(where, PROVISIONING_LOGIN),
            )
    except OSError as failed:
        raise SetupError(
            f"{settings.http} cannot be listened on ({failed.strerror}); stop the program that uses it, or set "
            "HOMEWARD_HTTP to another host:port."
        ) from failed


def _provider(settings: Settings) -> ProviderSettings | None:
    """Take the provider of identities from the settings, where one is named."""
    from dashboard.provider import ProviderSettings

    if settings.oidc_issuer is None:
        return None
    return ProviderSettings(
        settings.oidc_issuer, settings.oidc_client_id, settings.oidc_client_secret.get_secret_value(),
        settings.oidc_name, settings.oidc_scope, settings.oidc_organisation,
    )  # fmt: skip


def _addresses(settings: Settings) -> Addresses:
    return Addresses(settings, find_programs())


def _broker_login(settings: Settings, where: Addresses, user: str) -> Login:
    """Take the login from the broker's address; in a private installation it follows from the secret."""
    if settings.mqtt_url is None:
        return Login(user, where.password(user))
    parts = urlsplit(settings.mqtt_url)
    return Login(unquote(parts.username or ""), unquote(parts.password or ""))


def _say_ready() -> None:
    """Leave word for whoever started this process."""
    place = os.environ.get(READY_FILE)
    if place:
        Path(place).touch()

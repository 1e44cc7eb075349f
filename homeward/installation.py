"""Which database and which broker does this installation use, and as whom does each service reach them?

The private servers of ``HOMEWARD_HOME`` unless the settings name others. Each service has its own login at both, with
the rights of its role and nothing more; the passwords follow from the servers' secrets and stand in no command line.
"""

from __future__ import annotations

import base64
import contextlib
import hashlib
import hmac
import os
import secrets
import shutil
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote, unquote, urlsplit

from dashboard.seal import Seal
from homeward.broker_accounts import BrokerAccounts, BrokerAwayError
from homeward.local.account import service_account
from homeward.local.broker import SERVICE_ROLE, HubAddress, PrivateBroker
from homeward.local.errors import SetupError
from homeward.local.postgres import PrivatePostgres
from homeward.local.programs import Programs, ensure_programs
from homeward.local.watchdog import Watchdog
from homeward.servers import require_broker, require_database
from homeward.settings import PREFIX, Settings
from homeward.supervisor import Say
from schemas.database import ROLES, migrate

ADMIN_ROLE = "homeward_admin"
INGEST_LOGIN = "homeward-ingest"
PROVISIONING_LOGIN = "homeward-provisioning"
"""The dashboard's, which gives devices their logins."""
NOTIFY_LOGIN = "homeward-notify"
SPACE_NEEDED = 500 * 2**20


@dataclass(frozen=True)
class Login:
    """A user of the broker; both empty where the broker lets everybody in."""

    user: str
    password: str


class Addresses:
    """Where database and broker are and who may reach them how; needs neither of them to run."""

    def __init__(self, settings: Settings, programs: Programs | None) -> None:
        self.settings = settings
        self.postgres = None
        self.broker = None
        if programs is not None and settings.database_url is None:
            self.postgres = PrivatePostgres(settings.home / "postgres", programs)
        if programs is not None and settings.mqtt_url is None:
            self.broker = PrivateBroker(settings.home / "broker", programs, _hub_address(settings))

    @property
    def owner_url(self) -> str:
        """The database as the account that may migrate it."""
        return self.settings.database_url or self._postgres().superuser_url

    def database_url(self, role: str) -> str:
        """The database as one role; given one address in the settings, `schemas.database` takes the role on."""
        return self.settings.database_url or self._postgres().url_for(role)

    @property
    def ingest_database_url(self) -> str:
        """The database for the dashboard's entry of observations, which writes as ingest beside its own pages."""
        return self.settings.ingest_database_url or self.database_url("homeward_ingest")

    @property
    def mqtt_url(self) -> str:
        """The broker's address, without a login."""
        if self.settings.mqtt_url is None:
            return self._broker().url
        parts = urlsplit(self.settings.mqtt_url)
        return f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}"

    @property
    def own_login(self) -> Login:
        """The login that the settings' address of the broker carries."""
        parts = urlsplit(self.settings.mqtt_url or "")
        return Login(unquote(parts.username or ""), unquote(parts.password or ""))

    def hub_address(self, *, with_certificate: bool = False) -> HubAddress:
        """Where hubs connect with TLS, by password or by certificate; somebody else's broker is where it was said."""
        if self.broker is not None:
            return self.broker.hubs_with_certificate if with_certificate else self.broker.hubs
        if "mqtt_tls" in self.settings.model_fields_set:
            return _hub_address(self.settings)
        parts = urlsplit(self.mqtt_url)
        return HubAddress(parts.hostname or "", parts.port or (8883 if parts.scheme == "mqtts" else 1883))

    @property
    def hubs_use_tls(self) -> bool:
        """Whether what listens at the hubs' address speaks TLS."""
        told = self.broker is not None or "mqtt_tls" in self.settings.model_fields_set
        return told or urlsplit(self.mqtt_url).scheme == "mqtts"

    def password(self, user: str) -> str:
        """The password that this installation gives a user of the broker."""
        if self.broker is not None:
            return self.broker.credentials(user).password
        secret = _secret(self.settings.home / "secret")
        return base64.urlsafe_b64encode(hmac.digest(secret, user.encode(), hashlib.sha256)).decode().rstrip("=")

    @contextmanager
    def accounts(self, user: str | None = None) -> Iterator[BrokerAccounts | None]:
        """Open the broker's account administration; None where it is somebody else's broker and has none for us.

        ``user`` is a login of the private broker that may administer it, in place of the administrator's own.

        Raises
        ------
        BrokerAwayError
            Where no broker answers.
        """
        if self.broker is not None:
            login = self.broker.admin if user is None else self.broker.credentials(user)
            with BrokerAccounts(self.broker.url, *login) as found:
                yield found
            return
        with ExitStack() as stack:
            opened = None
            try:
                own = self.own_login
                opened = stack.enter_context(BrokerAccounts(self.mqtt_url, own.user, own.password))
            except BrokerAwayError:
                raise
            except SetupError:
                pass  # it is there, and lets us administer nothing
            yield opened if opened is not None and opened.is_managed() else None

    def _postgres(self) -> PrivatePostgres:
        if self.postgres is None:
            raise SetupError("The private servers' programs are missing; run `make setup`.")
        return self.postgres

    def _broker(self) -> PrivateBroker:
        if self.broker is None:
            raise SetupError("The private servers' programs are missing; run `make setup`.")
        return self.broker


class Installation:
    """The servers, running, with their logins made."""

    def __init__(self, addresses: Addresses, watchdog: Watchdog, accounts: BrokerAccounts | None) -> None:
        self.addresses = addresses
        self.watchdog = watchdog
        self._accounts = accounts

    @property
    def home(self) -> Path:
        """The folder of the installation's data."""
        return self.addresses.settings.home

    @property
    def pids(self) -> dict[str, int]:
        """The private servers' processes."""
        servers = {"postgres": self.addresses.postgres, "mosquitto": self.addresses.broker}
        return {name: server.pid for name, server in servers.items() if server is not None and server.pid is not None}

    def service_login(self, user: str, role: str = SERVICE_ROLE) -> Login:
        """Give a service its login at the broker."""
        if self._accounts is None:
            return self.addresses.own_login
        password = self.addresses.password(user)
        self._accounts.add_service(user, password, role)
        return Login(user, password)

    def hub_code(self, code: str) -> str:
        """Give the code of a hub: the one asked for, or the login that somebody else's broker knows us by."""
        own = self.addresses.own_login
        return own.user if self._accounts is None and own.user else code

    def hub_login(self, hub: str, topics: list[str]) -> Login:
        """Give a hub its login, good for its own topics and for those of the devices it speaks for."""
        if self._accounts is None:
            own = self.addresses.own_login
            return own if own.user else Login(hub, self.addresses.password(hub))
        password = self.addresses.password(hub)
        self._accounts.add_hub(hub, password, topics)
        return Login(hub, password)

    def environment(self, **settings: str) -> dict[str, str]:
        """Give a service's environment: this process's, without its settings, and the service's own."""
        kept = {name: value for name, value in os.environ.items() if not name.startswith(PREFIX)}
        own = {PREFIX + name.upper(): value for name, value in settings.items()}
        return {**kept, f"{PREFIX}HOME": str(self.home), "PYTHONUNBUFFERED": "1", **own}


def with_login(url: str, login: Login) -> str:
    """Put a login into the broker's address."""
    parts = urlsplit(url)
    if not login.user:
        return url
    return f"{parts.scheme}://{quote(login.user, safe='')}:{quote(login.password, safe='')}@{parts.netloc}"


@contextmanager
def running_installation(settings: Settings, say: Say) -> Iterator[Installation]:
    """Start the private servers, or check those of the settings; migrate; and stop on leaving what was started."""
    make_home(settings.home)
    private = settings.database_url is None or settings.mqtt_url is None
    programs = ensure_programs(say) if private else None
    addresses = Addresses(settings, programs)
    with ExitStack() as stack:
        watchdog = Watchdog()
        stack.callback(watchdog.end_all)
        _start_database(addresses, watchdog, stack, say)
        _start_broker(addresses, watchdog, stack, say)
        accounts = stack.enter_context(addresses.accounts())
        yield Installation(addresses, watchdog, accounts)


def _start_database(addresses: Addresses, watchdog: Watchdog, stack: ExitStack, say: Say) -> None:
    if addresses.postgres is not None:
        say("Starting a private PostgreSQL with TimescaleDB")
        addresses.postgres.start(watchdog)
        stack.callback(addresses.postgres.stop)
    else:
        say(f"Using {require_database(addresses.owner_url)}")
    say("Bringing the schema up to date")
    migrate(addresses.owner_url)
    if addresses.postgres is not None:
        addresses.postgres.enable_logins(ROLES)


def _start_broker(addresses: Addresses, watchdog: Watchdog, stack: ExitStack, say: Say) -> None:
    if addresses.broker is not None:
        say("Starting a private Mosquitto")
        addresses.broker.start(watchdog)
        stack.callback(addresses.broker.stop)
    else:
        say(f"Using the settings' broker: {require_broker(addresses.mqtt_url)}")


def make_home(home: Path) -> None:
    """Make the data folder, passable for the servers' account, or say why it cannot be used."""
    try:
        home.mkdir(parents=True, exist_ok=True)
        if home.stat().st_uid == os.geteuid():
            home.chmod(0o711 if service_account().changes else 0o700)
        free = shutil.disk_usage(home).free
    except OSError as failed:
        raise SetupError(
            f"{home} cannot be used ({failed.strerror}); set HOMEWARD_HOME to a folder of your own."
        ) from failed
    if not os.access(home, os.W_OK):
        raise SetupError(f"{home} cannot be written; set HOMEWARD_HOME to a folder of your own.")
    if free < SPACE_NEEDED:
        raise SetupError(
            f"{home} has {free // 2**20} MB free and an installation needs {SPACE_NEEDED // 2**20} MB; make room, or "
            "set HOMEWARD_HOME to a folder with more."
        )


def write_secret(path: Path, text: str) -> None:
    """Write a file that this account alone may read, whole or not at all."""
    draft = path.with_name(f"{path.name}.new")
    draft.unlink(missing_ok=True)
    with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as out:
        out.write(text)
    draft.replace(path)


def _hub_address(settings: Settings) -> HubAddress:
    host, _, port = settings.mqtt_tls.rpartition(":")
    return HubAddress(host.strip("[]"), int(port), "mqtt_tls" in settings.model_fields_set and port != "0")


def accounts_key(home: Path) -> bytes:
    """Give the key that seals the second factors' secrets; the first dashboard that asks makes it.

    Dashboards of one installation on several machines share this file. It belongs into the backup, apart from the
    database's: without it everybody enrols their second factor anew.
    """
    path = home / "accounts.key"
    try:
        if not path.exists():
            home.mkdir(parents=True, exist_ok=True)
            draft = path.with_name(f"{path.name}.{os.getpid()}")
            write_secret(draft, Seal.new_key().decode())
            with contextlib.suppress(FileExistsError):
                # unlike a rename this fails where another process was faster, and its key stays the one
                os.link(draft, path)
            draft.unlink()
        key = path.read_bytes().strip()
        Seal(key)
    except OSError as failed:
        raise SetupError(
            f"{path} cannot be read or made ({failed.strerror}); it must belong to the account that runs the dashboard."
        ) from failed
    except ValueError as failed:
        raise SetupError(
            f"{path} is not a key; put it back from the backup, or move it away and let everybody enrol anew."
        ) from failed
    return key


def _secret(path: Path) -> bytes:
    if not path.exists():
        write_secret(path, secrets.token_urlsafe(32))
    return path.read_bytes()

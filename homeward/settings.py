"""In what do deployments differ? These settings in the environment; everything else has its place in code or data."""

from __future__ import annotations

import os
from ipaddress import ip_network
from pathlib import Path
from urllib.parse import urlsplit

from pydantic import Field, SecretStr, ValidationError, field_validator, model_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from homeward.local.errors import SettingsError

PREFIX = "HOMEWARD_"


def default_home() -> Path:
    """Return where an installation keeps its data: the system's place for root, whose home its servers cannot enter."""
    if os.geteuid() == 0:
        return Path("/var/lib/homeward")
    return Path(os.environ.get("XDG_DATA_HOME") or "~/.local/share").expanduser() / "homeward"


class Settings(BaseSettings):
    """The settings of one installation, checked before anything connects."""

    model_config = SettingsConfigDict(env_prefix=PREFIX, env_ignore_empty=True, frozen=True, extra="ignore")

    database_url: str | None = Field(None, description="PostgreSQL with TimescaleDB; a private one where not set")
    mqtt_url: str | None = Field(None, description="MQTT 5 broker; a private Mosquitto where not set")
    mqtt_tls: str = Field(
        "127.0.0.1:8883",
        description="host:port where hubs reach the broker with TLS; a name other than this machine's for itself opens "
        "the port to the network",
    )
    ingest_database_url: str | None = Field(
        None, description="the same database for the entry of observations, which writes as ingest; as above if not set"
    )
    http: str = Field("127.0.0.1:8080", description="host:port of the dashboard and the API; port 0 takes a free one")
    tls_proxy: str = Field(
        "",
        description="address or network of the proxy that ends TLS: its word on the client is taken",
    )
    oidc_issuer: str | None = Field(None, description="the provider of identities (OpenID Connect), where there is one")
    oidc_client_id: str = Field("", description="as what this installation is registered with the provider")
    oidc_client_secret: SecretStr = Field(SecretStr(""), description="the secret that goes with it")
    oidc_name: str = Field("your organisation", description="what people call the provider: Sign in with …")
    oidc_scope: str = Field("openid profile email", description="what the provider is asked for")
    oidc_organisation: str = Field(
        "", description="whose provider it is, by name; needed only where there are several organisations"
    )
    smtp_url: str | None = Field(
        None, description="where mail is handed in: smtp://user:password@host:587?from=homeward@trust.example"
    )
    public_url: str | None = Field(
        None, description="the pages' address for people, which messages link to; that of this machine where not set"
    )
    message_networks: str = Field(
        "", description="private networks to which webhooks and gateways may lead, such as 10.0.0.0/24"
    )
    home: Path = Field(default_factory=default_home, description="folder of the installation's data")

    @property
    def http_host(self) -> str:
        """The address that the dashboard listens on."""
        return self.http.rpartition(":")[0].strip("[]")

    @property
    def http_port(self) -> int:
        """The port that the dashboard listens on; 0 stands for a free one."""
        return int(self.http.rpartition(":")[2])

    @field_validator("database_url", "ingest_database_url")
    @classmethod
    def _is_database(cls, url: str | None) -> str | None:
        return _checked_url(url, ("postgresql", "postgres"), "postgresql://user:password@host:5432/homeward")

    @field_validator("mqtt_url")
    @classmethod
    def _is_broker(cls, url: str | None) -> str | None:
        return _checked_url(url, ("mqtt", "mqtts"), "mqtt://host:1883 or mqtts://host:8883")

    @field_validator("oidc_issuer")
    @classmethod
    def _is_issuer(cls, issuer: str | None) -> str | None:
        if issuer is None:
            return None
        parts = urlsplit(issuer)
        if parts.scheme != "https" and parts.hostname not in ("localhost", "127.0.0.1"):
            raise ValueError("is not an address such as https://identity.example")
        return issuer

    @model_validator(mode="after")
    def _is_registered(self) -> Settings:
        if self.oidc_issuer is not None and not self.oidc_client_id:
            raise ValueError("HOMEWARD_OIDC_CLIENT_ID is missing; the provider gives it")
        return self

    @field_validator("smtp_url")
    @classmethod
    def _is_mail_server(cls, url: str | None) -> str | None:
        return _checked_url(url, ("smtp", "smtps"), "smtp://user:password@host:587?from=homeward@trust.example")

    @field_validator("public_url")
    @classmethod
    def _is_page(cls, url: str | None) -> str | None:
        return _checked_url(url, ("https", "http"), "https://homeward.trust.example")

    @field_validator("http")
    @classmethod
    def _is_address(cls, address: str) -> str:
        return _checked_address(address, "127.0.0.1:8080")

    @field_validator("mqtt_tls")
    @classmethod
    def _is_hub_address(cls, address: str) -> str:
        if address.rpartition(":")[0].strip("[]") in ("0.0.0.0", "::"):  # noqa: S104 - refused, as it names nobody
            raise ValueError("is the name or address by which hubs reach this machine, such as hub.example.nhs.uk:8883")
        return _checked_address(address, "hub.example.nhs.uk:8883")

    @field_validator("tls_proxy", "message_networks")
    @classmethod
    def _are_networks(cls, proxies: str) -> str:
        named = [proxy.strip() for proxy in proxies.split(",")]
        try:
            # a network of all addresses would take everybody's word
            usable = all(ip_network(proxy).prefixlen > 0 for proxy in named if proxy)
        except ValueError:
            usable = False
        if not usable:
            raise ValueError("is not an address such as 10.0.0.5 or a network such as 10.0.0.0/24")
        return ",".join(named)

    @field_validator("home")
    @classmethod
    def _is_folder(cls, home: Path) -> Path:
        home = home.expanduser().absolute()
        if home.exists() and not home.is_dir():
            raise ValueError("is a file; name a folder")
        return home


def load_settings() -> Settings:
    """Read the settings, or say in one sentence which one cannot be used and what it should be."""
    try:
        return Settings()
    except ValidationError as failed:
        first = failed.errors()[0]
        name = PREFIX + "_".join(str(part) for part in first["loc"]).upper()
        complaint = first["msg"].removeprefix("Value error, ")
        # The value is not repeated: it may hold a password.
        raise SettingsError(f"{name} {complaint}." if first["loc"] else f"{complaint}.") from None


def unknown_settings() -> list[str]:
    """Return the names in the environment that look like settings and are none, such as a slip of the pen."""
    known = {PREFIX + name.upper() for name in Settings.model_fields}
    return sorted(name for name in os.environ if name.startswith(PREFIX) and name not in known)


def _checked_address(address: str, example: str) -> str:
    host, _, port = address.rpartition(":")
    if not host or not (port.isascii() and port.isdecimal()) or int(port) > 65535:
        raise ValueError(f"is not host:port, such as {example}")
    return address


def _checked_url(url: str | None, schemes: tuple[str, ...], example: str) -> str | None:
    if url is None:
        return None
    try:
        parts = urlsplit(url)
        valid = parts.scheme in schemes and bool(parts.hostname or parts.scheme.startswith("postgres"))
        valid = valid and (parts.port is None or parts.port > 0)
    except ValueError:
        valid = False
    if not valid:
        raise ValueError(f"is not an address such as {example}")
    return url

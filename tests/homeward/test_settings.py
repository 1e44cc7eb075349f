"""Does a setting that cannot be used stop the program with one sentence, before anything connects?"""

from pathlib import Path

import pytest

from homeward.local import SettingsError
from homeward.settings import load_settings, unknown_settings


@pytest.fixture(autouse=True)
def no_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    """Take the machine's own settings away."""
    for name in ("DATABASE_URL", "INGEST_DATABASE_URL", "MQTT_URL", "HTTP", "TLS_PROXY", "HOME"):
        monkeypatch.delenv(f"HOMEWARD_{name}", raising=False)


def test_nothing_needs_to_be_set() -> None:
    settings = load_settings()
    assert settings.database_url is None
    assert settings.mqtt_url is None
    assert (settings.http_host, settings.http_port) == ("127.0.0.1", 8080)


def test_settings_come_from_the_environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("HOMEWARD_DATABASE_URL", "postgresql://ward:p%40ss@db.example:5433/ward")
    monkeypatch.setenv("HOMEWARD_MQTT_URL", "mqtts://broker.example")
    monkeypatch.setenv("HOMEWARD_HTTP", "[::1]:0")
    monkeypatch.setenv("HOMEWARD_HOME", str(tmp_path))
    settings = load_settings()
    assert settings.database_url == "postgresql://ward:p%40ss@db.example:5433/ward"
    assert settings.mqtt_url == "mqtts://broker.example"
    assert (settings.http_host, settings.http_port) == ("::1", 0)
    assert settings.home == tmp_path


@pytest.mark.parametrize(
    ("name", "value", "expected"),
    [
        ("DATABASE_URL", "mysql://ward", "postgresql://"),
        ("MQTT_URL", "http://broker", "mqtt://host:1883"),
        ("MQTT_URL", "mqtt://broker:99999", "mqtt://host:1883"),
        ("HTTP", "8080", "host:port"),
        ("HTTP", "localhost:70000", "host:port"),
        ("HTTP", "localhost:٨٠٨٠", "host:port"),
        ("INGEST_DATABASE_URL", "ward", "postgresql://"),
        ("TLS_PROXY", "proxy.example", "10.0.0.0/24"),
        ("TLS_PROXY", "*", "10.0.0.0/24"),
        ("TLS_PROXY", "10.0.0.5,0.0.0.0/0", "10.0.0.0/24"),
        ("TLS_PROXY", "10.0.0.5/24", "10.0.0.0/24"),
        ("HOME", "/etc/passwd", "is a file"),
    ],
)
def test_a_bad_setting_is_named_and_explained(
    monkeypatch: pytest.MonkeyPatch, name: str, value: str, expected: str
) -> None:
    monkeypatch.setenv(f"HOMEWARD_{name}", value)
    with pytest.raises(SettingsError) as failed:
        load_settings()
    assert str(failed.value).startswith(f"HOMEWARD_{name} ")
    assert expected in str(failed.value)
    assert "\n" not in str(failed.value)
    assert failed.value.exit_code == 2


def test_a_bad_address_does_not_repeat_its_password(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOMEWARD_DATABASE_URL", "postgres+x://ward:secret@db")
    with pytest.raises(SettingsError) as failed:
        load_settings()
    assert "secret" not in str(failed.value)


def test_a_misspelt_setting_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOMEWARD_DATBASE_URL", "postgresql://db")
    assert "HOMEWARD_DATBASE_URL" in unknown_settings()


def test_a_login_for_each_service_and_a_proxy_are_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOMEWARD_INGEST_DATABASE_URL", "postgresql://homeward_ingest@db.example/ward")
    monkeypatch.setenv("HOMEWARD_TLS_PROXY", "10.0.0.5, fd00::/64")
    settings = load_settings()
    assert settings.ingest_database_url == "postgresql://homeward_ingest@db.example/ward"
    assert settings.tls_proxy == "10.0.0.5,fd00::/64"
    assert not {"HOMEWARD_INGEST_DATABASE_URL", "HOMEWARD_TLS_PROXY"} & set(unknown_settings())

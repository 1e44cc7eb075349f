"""Does `homeward doctor` find what is wrong, and say what to do about it?"""

import json
import socket
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest

from homeward import doctor, servers
from homeward.findings import Finding
from homeward.local import SetupError
from homeward.local.programs import Programs
from tests.conftest import TestBroker, TestDatabase


@pytest.fixture
def silent_port() -> Iterator[int]:
    """A port on which something listens that speaks neither MQTT nor PostgreSQL."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield server.getsockname()[1]


@pytest.fixture
def unused_port() -> int:
    """A port on which nothing listens."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        return int(server.getsockname()[1])


def states(findings: list[Finding], subject: str) -> list[str]:
    """Return how the findings about one subject stand."""
    return [finding.state for finding in findings if finding.subject == subject]


def test_an_installation_with_servers_of_its_own_is_sound(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, programs: Programs, database: TestDatabase, broker: TestBroker
) -> None:
    monkeypatch.setenv("HOMEWARD_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("HOMEWARD_HTTP", "127.0.0.1:0")
    monkeypatch.setenv("HOMEWARD_DATABASE_URL", database.url)
    monkeypatch.setenv("HOMEWARD_MQTT_URL", broker.url)
    findings = doctor.check()
    assert [finding for finding in findings if finding.state == "fail"] == []
    said = " ".join(finding.sentence for finding in findings)
    assert programs.postgres_version.split(".")[0] in said
    assert "TimescaleDB" in said
    assert "MQTT 5 broker answers" in said
    assert states(findings, "proxy") == []


def test_the_second_database_address_is_known_and_tried(
    monkeypatch: pytest.MonkeyPatch, database: TestDatabase, unused_port: int
) -> None:
    monkeypatch.setenv("HOMEWARD_INGEST_DATABASE_URL", database.url_for("homeward_ingest"))
    findings = doctor.check()
    assert states(findings, "database for entry") == ["ok"]
    assert "HOMEWARD_INGEST_DATABASE_URL" not in " ".join(finding.sentence for finding in findings)
    monkeypatch.setenv("HOMEWARD_INGEST_DATABASE_URL", f"postgresql://ward@127.0.0.1:{unused_port}/ward")
    [failed] = [finding for finding in doctor.check() if finding.subject == "database for entry"]
    assert failed.state == "fail"
    assert "check HOMEWARD_INGEST_DATABASE_URL" in failed.sentence


@pytest.mark.parametrize(("proxy", "state"), [("", "warn"), ("10.0.0.5", "ok")])
def test_a_dashboard_that_others_reach_without_tls_is_noticed(
    monkeypatch: pytest.MonkeyPatch, proxy: str, state: str
) -> None:
    monkeypatch.setenv("HOMEWARD_HTTP", "0.0.0.0:0")
    monkeypatch.setenv("HOMEWARD_TLS_PROXY", proxy)
    assert states(doctor.check(), "proxy") == [state]


def test_the_report_is_json_and_its_code_tells_of_a_failure(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], unused_port: int
) -> None:
    monkeypatch.setenv("HOMEWARD_DATABASE_URL", f"postgresql://ward:secret@127.0.0.1:{unused_port}/ward")
    assert doctor.report(as_json=True) == 1
    printed = capsys.readouterr().out
    found = {finding["subject"]: finding for finding in json.loads(printed)["findings"]}
    assert found["database"]["state"] == "fail"
    assert "Connection refused" in found["database"]["sentence"]
    assert "secret" not in printed


def test_a_bad_setting_is_reported_not_raised(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("HOMEWARD_HTTP", "nowhere")
    assert doctor.report() == 1
    assert "HOMEWARD_HTTP is not host:port" in capsys.readouterr().out


def test_no_broker_and_no_mqtt_are_told_apart(
    monkeypatch: pytest.MonkeyPatch, silent_port: int, unused_port: int
) -> None:
    monkeypatch.setattr(servers, "ANSWER_S", 0.3)
    with pytest.raises(SetupError, match="No broker answers"):
        servers.require_broker(f"mqtt://127.0.0.1:{unused_port}")
    with pytest.raises(SetupError, match="does not speak MQTT 5"):
        servers.require_broker(f"mqtt://127.0.0.1:{silent_port}")


def test_a_taken_port_is_explained(silent_port: int) -> None:
    with pytest.raises(SetupError, match=r"Address already in use.*HOMEWARD_HTTP"):
        servers.require_free_port("127.0.0.1", silent_port)


def test_a_wrong_password_is_explained(database: TestDatabase) -> None:
    address = psycopg.conninfo.conninfo_to_dict(database.url)
    with pytest.raises(SetupError, match="password authentication failed"):
        servers.require_database(f"postgresql://postgres:guess@{address['host']}:{address['port']}/postgres")


def test_a_data_folder_that_cannot_be_written_is_reported(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    monkeypatch.setenv("HOMEWARD_HOME", str(tmp_path / "file/home"))
    assert states(doctor.check(), "data folder") == ["fail"]

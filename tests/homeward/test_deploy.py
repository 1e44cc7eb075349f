"""Do the files for deployment name what there is: commands, metrics, paths, and what each other say?"""

from __future__ import annotations

import configparser
import re
from pathlib import Path
from typing import Any

import pytest
import typer
import yaml

from homeward.cli import app
from homeward.local import broker

ROOT = Path(__file__).parents[2]
DEPLOY = ROOT / "deploy"
UNITS = sorted((DEPLOY / "systemd").glob("*.service"))


def commands() -> set[str]:
    return set(typer.main.get_command(app).commands)  # type: ignore[attr-defined]


def metrics_of(text: str) -> set[str]:
    return {re.sub(r"_bucket$", "", name) for name in re.findall(r"homeward_\w+", text)}


def documented() -> set[str]:
    text = (ROOT / "docs" / "operations.md").read_text()
    found = metrics_of(text)
    for prefix, suffix in re.findall(r"`(homeward_\w+?)_stored_total`[^|]*?`…(_\w+)`", text):
        found.add(prefix + suffix)
    return found | {"homeward_ingest_observations_duplicate_total", "homeward_ingest_observations_quarantined_total"}


@pytest.mark.parametrize("unit", UNITS, ids=lambda path: path.name)
def test_a_unit_starts_a_command_that_there_is_and_is_confined(unit: Path) -> None:
    parser = configparser.ConfigParser(strict=False, interpolation=None)
    parser.optionxform = str  # type: ignore[assignment, method-assign]
    parser.read(unit)
    service = parser["Service"]
    program, command, *_ = service["ExecStart"].split()
    assert program.endswith("/.venv/bin/homeward")
    assert command in commands()
    assert (service["User"], service["NoNewPrivileges"], service["ProtectSystem"]) == ("homeward", "yes", "strict")


def test_the_target_wants_the_units_that_there_are() -> None:
    wanted = set(re.findall(r"homeward-\w+\.service", (DEPLOY / "systemd" / "homeward.target").read_text()))
    running = {unit.name for unit in UNITS if "oneshot" not in unit.read_text()}
    assert wanted == running


def test_the_composition_is_whole() -> None:
    composed: dict[str, Any] = yaml.safe_load((ROOT / "compose.yaml").read_text())
    services = composed["services"]
    assert services["homeward"]["command"][0] in commands()
    volumes = [v for service in services.values() for v in service.get("volumes", [])]
    for volume in volumes:
        source = volume.split(":")[0]
        assert (ROOT / source).is_file() if source.startswith(".") else source in composed["volumes"]
    needed = set(re.findall(r"\$\{(\w+)", (ROOT / "compose.yaml").read_text()))
    given = {line.split("=")[0] for line in (DEPLOY / "compose.env").read_text().splitlines() if "=" in line}
    assert needed == given


def test_the_image_has_every_package() -> None:
    text = (ROOT / "Dockerfile").read_text()
    assert set(re.findall(r"^COPY (\w+) \1$", text, re.M)) == {
        "schemas", "alerts", "device_sim", "ingest", "dashboard", "homeward"
    }  # fmt: skip


def test_the_brokers_files_say_what_the_private_brokers_say() -> None:
    def rules(text: str) -> list[str]:
        return [line for line in text.splitlines() if line and not line.startswith("#")]

    assert rules((DEPLOY / "mosquitto.acl").read_text()) == rules(broker.ACCESS)
    ours = {line.split()[0]: line for line in rules(broker.SETTINGS)}
    for line in rules((DEPLOY / "mosquitto.conf").read_text()):
        word = line.split()[0]
        if word.startswith(("max_queued", "max_inflight", "autosave", "persistent_client", "persistence ")):
            assert line == ours[word]
    assert f"message_size_limit {broker.LARGEST_PAYLOAD}" in (DEPLOY / "mosquitto.conf").read_text()


@pytest.mark.parametrize("name", ["grafana/homeward.json", "prometheus-alerts.yaml"])
def test_what_is_watched_is_measured(name: str) -> None:
    text = (DEPLOY / name).read_text()
    assert yaml.safe_load(text)
    assert metrics_of(text) - {"homeward"} <= documented()

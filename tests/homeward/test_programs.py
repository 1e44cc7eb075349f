"""Are the servers' programs found at once when they are there, and is what prevents fetching them explained?"""

from pathlib import Path

import pytest

from homeward.local import SetupError, apt
from homeward.local import programs as local_programs
from homeward.local.programs import Programs, ensure_programs, find_programs


def test_programs_that_are_there_are_not_fetched_again(programs: Programs) -> None:
    said: list[str] = []
    assert ensure_programs(said.append) == programs == find_programs()
    assert said == []


def test_programs_are_new_enough_and_complete(programs: Programs) -> None:
    assert int(programs.postgres_version.split(".")[0]) >= local_programs.OLDEST_POSTGRES
    assert int(programs.mosquitto_version.split(".")[0]) >= local_programs.OLDEST_MOSQUITTO
    for program in ("postgres", "initdb", "psql", "pg_dump"):
        assert (programs.postgres_bin / program).exists()
    assert programs.mosquitto.exists()
    assert programs.dynamic_security.exists()


def test_a_machine_without_apt_is_told_what_to_do(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(SetupError, match=r"no apt .* set HOMEWARD_DATABASE_URL and HOMEWARD_MQTT_URL"):
        apt.machine_mirror()


def test_too_little_space_is_found_before_fetching(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(local_programs, "SPACE_NEEDED", 2**62)
    monkeypatch.setattr(local_programs, "programs_folder", lambda: tmp_path)
    monkeypatch.setattr(local_programs, "_machine_postgres", lambda: None)
    with pytest.raises(SetupError, match=r"MB free and the programs need .* make room"):
        ensure_programs()
    assert not (tmp_path / local_programs.RELEASE).exists()


def test_packages_that_the_mirror_does_not_have_are_named(tmp_path: Path) -> None:
    private = apt.PrivateApt(tmp_path, apt.machine_release())
    with pytest.raises(SetupError, match=r"apt-get failed: E: .*homeward-no-such-package"):
        private.closure(["homeward-no-such-package"])


def test_a_closed_temporary_folder_of_the_machine_does_no_harm(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    said = tmp_path / "said"
    program = tmp_path / "bin" / "apt-get"
    program.parent.mkdir()
    private = apt.PrivateApt(tmp_path / "apt", apt.machine_release())
    program.write_text(f'#!/bin/sh\necho "$TMPDIR" > {said}; test -d "$TMPDIR" -a -w "$TMPDIR"\n')
    program.chmod(0o755)
    monkeypatch.setenv("PATH", str(program.parent), prepend=":")
    monkeypatch.setenv("TMPDIR", "/nowhere")
    private.update()
    assert said.read_text().strip() == str(tmp_path / "apt" / "tmp")

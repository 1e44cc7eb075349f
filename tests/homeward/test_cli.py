"""Does the command line say in one sentence what is wrong, and end with a code that tells?"""

import sys
from pathlib import Path

import pytest

from homeward import cli
from homeward.reporting import report_rows
from tests.homeward.running import answer, homeward


def complaint(home: Path, *words: str, **settings: str) -> str:
    """Run a command that must fail, and give its one sentence."""
    done = homeward(home, *words, **settings)
    assert done.returncode != 0
    assert done.stdout == ""
    [line] = done.stderr.strip().splitlines()
    return line


@pytest.mark.parametrize(
    ("words", "settings", "says"),
    [
        (["user", "list"], {}, "does not run; start it with `homeward up`"),
        (["migrate"], {"HOMEWARD_DATABASE_URL": "postgresql://x@127.0.0.1:1/x"}, "check HOMEWARD_DATABASE_URL"),
        (["migrate"], {"HOMEWARD_DATABASE_URL": "mysql://x"}, "is not an address such as postgresql://"),
        (["up"], {"HOMEWARD_HTTP": "nowhere"}, "is not host:port"),
        (["up"], {"HOMEWARD_DATABASE_URL": "postgresql://x@127.0.0.1:1/x"}, "check HOMEWARD_DATABASE_URL"),
        (["policy", "check", "/nowhere.toml"], {}, "cannot be read"),
        (["simulate", "--patients", "2", "--speed", "-1"], {}, "expected a number above 0"),
        (["simulate", "--patients", "2", "--scenario", "plague"], {}, "is not known"),
        (["simulate", "--recording", "/nowhere.csv"], {}, "/nowhere.csv"),
    ],
)
def test_an_expected_failure_is_one_sentence(
    tmp_path: Path, words: list[str], settings: dict[str, str], says: str
) -> None:
    assert says in complaint(tmp_path / "home", *words, **settings)


def test_a_data_folder_that_cannot_be_used_is_said(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    assert "HOMEWARD_HOME" in complaint(tmp_path / "file" / "home", "up")


def test_misuse_is_explained_by_the_command_itself(tmp_path: Path) -> None:
    done = homeward(tmp_path, "simulate")
    assert done.returncode == 2
    assert "--recording" in done.stderr
    for words in (
        ["replay"],
        ["replay", "--all", "--episode", "1"],
        ["replay", "--episode", "1", "--since", "2026-01-01"],
    ):
        done = homeward(tmp_path, *words)
        assert done.returncode == 2
        assert "--episode ID, or --all" in done.stderr


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["frob"], "No such command 'frob'. `homeward --help` tells what it takes."),
        (["audit", "frob"], "No such command 'frob'. `homeward audit --help` tells what it takes."),
        (["device", "add"], "Missing argument 'code'. `homeward device add --help` tells what it takes."),
        (["user", "list", "--frob"], "No such option: --frob. `homeward user list --help` tells what it takes."),
        (["demo", "--seconds", "soon"], "Invalid value for '--seconds'"),
    ],
)
def test_words_that_a_command_does_not_know_are_misuse_and_no_fault(
    words: list[str], says: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "argv", ["homeward", *words])
    assert cli.main() == 2
    said = capsys.readouterr()
    assert said.out == ""
    [line] = said.err.splitlines()
    assert line.startswith(says)


@pytest.mark.parametrize("words", [[], ["device"]])
def test_a_command_without_words_shows_its_help_and_nothing_else(
    words: list[str], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "argv", ["homeward", *words])
    assert cli.main() == 2
    said = capsys.readouterr()
    assert "Usage: homeward" in said.out
    assert said.err == ""


def test_a_policy_is_checked_without_an_installation(tmp_path: Path) -> None:
    document = tmp_path / "draft.toml"
    document.write_text(Path("alerts/policies/pulse_oximetry_home.toml").read_text())
    found = answer(homeward(tmp_path, "policy", "check", str(document), "--json"))
    assert found == {"name": "pulse_oximetry_home", "rules": ["low_saturation", "saturation_overdue"]}
    document.write_text(document.read_text().replace('side = "low"', 'side = "beside"'))
    assert "side" in complaint(tmp_path, "policy", "check", str(document))


def test_a_table_shows_brackets_as_they_were_written(capsys: pytest.CaptureFixture[str]) -> None:
    written = "expected one of Cel, [degF], K [/]"
    report_rows([{"detail": written}], False, ["detail"])
    assert written in capsys.readouterr().out

"""Is the key that seals second factors made once, kept to its owner, and never replaced by another in silence?"""

import os
import stat
from pathlib import Path

import pytest

from dashboard.seal import BrokenSealError, Seal
from homeward.installation import accounts_key
from homeward.local.errors import SetupError


def test_it_is_made_once_and_readable_by_its_owner_only(tmp_path: Path) -> None:
    home = tmp_path / "home"
    key = accounts_key(home)
    assert accounts_key(home) == key
    assert stat.S_IMODE((home / "accounts.key").stat().st_mode) == 0o600
    assert [f.name for f in home.iterdir()] == ["accounts.key"]


def test_a_key_that_another_process_made_meanwhile_is_the_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    made = Seal.new_key()
    link = os.link

    def too_late(source: Path, target: Path) -> None:
        target.write_bytes(made)
        link(source, target)

    monkeypatch.setattr(os, "link", too_late)
    assert accounts_key(tmp_path) == made
    assert [f.name for f in tmp_path.iterdir()] == ["accounts.key"]


def test_a_damaged_key_is_said_and_not_replaced(tmp_path: Path) -> None:
    (tmp_path / "accounts.key").write_text("not a key")
    with pytest.raises(SetupError, match="put it back from the backup"):
        accounts_key(tmp_path)
    assert (tmp_path / "accounts.key").read_text() == "not a key"


def test_what_is_sealed_for_one_thing_opens_for_no_other_and_with_no_other_key() -> None:
    seal, other = Seal(Seal.new_key()), Seal(Seal.new_key())
    sealed = seal.close("a", [1, "x"])
    assert seal.open("a", sealed) == [1, "x"]
    for attempt in (
        lambda: seal.open("b", sealed),
        lambda: other.open("a", sealed),
        lambda: seal.open("a", sealed[:-1]),
        lambda: seal.open("a", ""),
        lambda: seal.open("a", "ü"),
    ):
        with pytest.raises(BrokenSealError):
            attempt()

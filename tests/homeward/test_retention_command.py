"""Does `homeward retention show` say how it stands, in every case?"""

from __future__ import annotations

import pytest

from homeward import cli
from tests.conftest import TestDatabase
from tests.dashboard.conftest import connect
from tests.ingest.ward import make_ward


def test_the_rule_is_told_in_a_sentence(
    database: TestDatabase, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    make_ward(database.url, 1)
    monkeypatch.setenv("HOMEWARD_DATABASE_URL", database.url)

    def said(*words: str) -> str:
        monkeypatch.setattr("sys.argv", ["homeward", "retention", *words])
        assert cli.main() == 0
        return capsys.readouterr().out

    assert "Trust w has no rule: every observation is kept." in said("show")
    said("set", "--months", "24", "--reason", "Records plan 2026")
    assert "keeps observations for 24 months: Records plan 2026 (set by homeward retention set, " in said("show")
    assert "has not been carried out yet" in said("show")
    said("apply")
    with connect(database) as connection:
        [(since,)] = connection.execute("select observations_from from retention").fetchall()
    assert f"kept from {since:%Y-%m-%d} on" in said("show")

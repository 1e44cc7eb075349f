"""Does the command line find in the audit log what the page and the API find, and leave an entry of that?"""

from __future__ import annotations

import json

import pytest
from typer.testing import CliRunner

from homeward.cli import app
from homeward.local.errors import SetupError
from homeward.provisioning import ProvisioningError
from tests.conftest import TestDatabase
from tests.dashboard.conftest import Trusts, connect, make_trusts


@pytest.fixture
def trusts(database: TestDatabase, monkeypatch: pytest.MonkeyPatch) -> Trusts:
    """Entries about patients 1 and 2 of North, in each way in which one names a patient, and one of South."""
    monkeypatch.setenv("HOMEWARD_DATABASE_URL", database.url)
    made = make_trusts(database)
    north, south = made.north.organisation_id, made.south.organisation_id
    with connect(database) as connection:
        for entry in (
            (north, "looked_at", "patient/1", "{}"),
            (north, "looked_at", "patient/2", "{}"),
            (north, "looked_at", "triage", '{"patients": [1, 2]}'),
            (north, "acknowledged", "episode/7", '{"patient": 1}'),
            (south, "looked_at", "patient/1", "{}"),
        ):
            connection.execute(
                "insert into audit_log (organisation_id, action, object, detail) values (%s, %s, %s, %s)", entry
            )
        connection.execute("update patient set nhs_number = '9434765919' where patient_id = 2")
    return made


def homeward(*words: str) -> str:
    """Run ``homeward audit list`` for North and give what it said."""
    done = CliRunner().invoke(app, ["audit", "list", "--organisation", "North", *words], catch_exceptions=False)
    assert done.exit_code == 0, done.output
    return done.output


def found(*words: str) -> dict[str, str]:
    """What the entries found are about, but for those of reading the log, and when they were written."""
    rows = json.loads(homeward(*words, "--json"))
    return {row["object"]: row["at"] for row in rows if row["object"] != "audit"}


@pytest.mark.usefixtures("trusts")
def test_entries_are_found_by_patient_action_and_time() -> None:
    written = found()
    assert list(written) == ["episode/7", "triage", "patient/2", "patient/1"]
    assert list(found("--patient", "1")) == ["episode/7", "triage", "patient/1"]
    for theirs in ("2", "943 476 5919"):
        assert list(found("--patient", theirs)) == ["triage", "patient/2"]
    assert found("--patient", "77") == {}
    assert list(found("--patient", "1", "--action", "looked_at")) == ["triage", "patient/1"]
    within = found("--since", written["patient/2"], "--until", written["episode/7"])
    assert list(within) == ["triage", "patient/2"]
    assert list(found("--patient", "1", "--limit", "1", "--until", written["episode/7"])) == ["triage"]
    # that it was read is an entry too
    table = homeward("--action", "looked_at")
    assert '{"search": {"patient": "77"}}' in table
    assert '{"patients": [1, 2]}' in table


@pytest.mark.usefixtures("trusts")
def test_what_cannot_be_looked_for_is_said() -> None:
    for words, says in (
        (["--patient", "Joy"], "expected the number that a patient has here, or an NHS number"),
        (["--patient", "943 476 5918"], "--patient: This is not an NHS number"),
        (["--patient", "999 000 0018"], "--patient: nobody here has this NHS number"),
        (["--since", "yesterday"], "--since: 'yesterday' is no time"),
        (["--since", "2026-03-02", "--until", "2026-03-01"], "exchange them"),
    ):
        with pytest.raises((ProvisioningError, SetupError), match=says):
            homeward(*words)

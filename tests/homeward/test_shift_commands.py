"""Can the times at which a site's shifts change be said and read back?"""

import json

import pytest
from typer.testing import CliRunner

from homeward.cli import app
from tests.conftest import TestDatabase
from tests.dashboard.conftest import connect, make_trusts


def homeward(database: TestDatabase, *words: str) -> tuple[int, str]:
    """Run a command and give its exit code and what it said."""
    done = CliRunner().invoke(app, list(words), env={"HOMEWARD_DATABASE_URL": database.url})
    return done.exit_code, done.output + (str(done.exception) if done.exception else "")


def test_the_times_are_set_listed_and_audited(database: TestDatabase) -> None:
    make_trusts(database)
    code, said = homeward(database, "shift", "set", "Elm House", "20:00", "08:00", "--organisation", "North", "--json")
    assert (code, json.loads(said)["shifts"]) == (0, ["08:00", "20:00"])
    code, said = homeward(database, "shift", "list", "--organisation", "North", "--json")
    assert {row["site"]: row["shifts"] for row in json.loads(said)} == {
        "Elm House": "08:00:00 20:00:00",
        "Oak House": "07:30:00 19:30:00",
    }
    with connect(database) as connection:
        found = connection.execute("select detail ->> 'times' from audit_log where action = 'shifts_set'").fetchall()
    assert found == [("08:00 20:00",)]


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("Elm House", "25:00"), "write it like 07:30"),
        (("Elm House", "07:30+01:00"), "names a zone"),
        (("South Ward", "07:30"), "There is no site"),
        (("Elm House", *(f"0{hour}:00" for hour in range(7))), "at most 6"),
    ],
)
def test_what_cannot_be_set_is_said(module_database: TestDatabase, words: tuple[str, ...], said: str) -> None:
    with connect(module_database) as connection:
        if connection.execute("select 1 from organisation").fetchone() is None:
            make_trusts(module_database)
    code, told = homeward(module_database, "shift", "set", *words, "--organisation", "North")
    assert code != 0
    assert said in told

"""Do the commands for sites, patients and accounts do what the pages do, and say what is wrong in a sentence?"""

from __future__ import annotations

import json
from typing import Any

import pytest
from typer.testing import CliRunner

from alerts.policy import shipped
from homeward import provisioning
from homeward.cli import app
from schemas.database import open_pool
from tests.conftest import TestDatabase
from tests.dashboard.conftest import connect


@pytest.fixture
def trust(database: TestDatabase, monkeypatch: pytest.MonkeyPatch) -> TestDatabase:
    monkeypatch.setenv("HOMEWARD_DATABASE_URL", database.url)
    with open_pool(database.url_for("homeward_admin"), "homeward_admin") as pool, pool.connection() as connection:
        number = provisioning.ensure_organisation(connection, "Trust")
        provisioning.publish_policy(connection, number, shipped("care_home_news2").text, author="Dr A", reason="Begin")
        provisioning.add_account(connection, number, "amina", "Amina Diallo", "clinician", "seven green lanterns")
    return database


def run(*words: str) -> Any:
    done = CliRunner().invoke(app, [*words, "--json"], catch_exceptions=False)
    assert done.exit_code == 0, done.output
    return json.loads(done.output)


def test_a_site_and_a_patient_come_move_and_go(trust: TestDatabase) -> None:
    for name in ("Elm House", "Oak House"):
        run("site", "add", name, "--kind", "care_home")
    born = ["--born", "1940-05-06", "--site", "Elm House"]
    number = run(
        "patient", "add", "--given-name", "Joy", "--family-name", "Adeyemi", *born, "--nhs-number", "943 476 5919",
        "--pathway", "care_home_news2",
    )["patient"]  # fmt: skip
    [listed] = run("patient", "list")
    assert (listed["patient_id"], listed["site"], listed["pathway"]) == (number, "Elm House", "care_home_news2")
    run("patient", "move", str(number), "--site", "Oak House", "--room", "3")
    assert {s["name"]: s["patients"] for s in run("site", "list")} == {"Elm House": 0, "Oak House": 1}
    run("patient", "discharge", str(number), "--reason", "Well again")
    assert run("patient", "list") == []
    assert len(run("patient", "list", "--discharged")) == 1
    with connect(trust) as connection:
        done = connection.execute("select action, account_id from audit_log where object = 'patient/1' order by 1")
        assert done.fetchall() == [
            ("patient_discharged", None), ("patient_moved", None), ("patient_registered", None)
        ]  # fmt: skip


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["patient", "add", "--given-name", "J", "--family-name", "A", "--born", "x", "--site", "E"], "is not a date"),
        (
            ["patient", "add", "--given-name", "J", "--family-name", "A", "--born", "1940-05-06", "--site", "E"],
            "no site",
        ),
        (["patient", "discharge", "77", "--reason", "x"], "no such patient"),
        (["site", "add", "Elm", "--kind", "castle"], "one of home, care_home, ward"),
        (["user", "disable", "nobody"], "There is no account"),
    ],
)
def test_what_cannot_be_is_said(trust: TestDatabase, words: list[str], says: str) -> None:
    with pytest.raises(Exception, match=says):
        CliRunner().invoke(app, words, catch_exceptions=False)


def test_an_account_is_looked_after_from_the_command_line(trust: TestDatabase) -> None:
    with connect(trust) as connection:
        for change, column in (("disable", "true"), ("enable", "false")):
            run("user", change, "Amina")
            assert connection.execute(f"select (disabled_at is not null) = {column} from account".encode()).fetchall()
        assert run("user", "link", "amina")["path"].startswith("/choose-password?token=")
        connection.execute(
            "insert into second_factor (account_id, organisation_id, secret) "
            "select account_id, organisation_id, 'x' from account"
        )
        run("user", "reset-second-factor", "amina")
        assert connection.execute("select count(*) from second_factor").fetchall() == [(0,)]
        who = connection.execute("select distinct account_id from audit_log").fetchall()
        assert who == [(None,)]


def test_what_nobody_can_be_told_again_is_said_to_be_so(trust: TestDatabase) -> None:
    for words in (
        ["user", "add", "tomasz", "--name", "Tomasz Lis", "--role", "carer"],
        ["user", "password", "tomasz"],
        ["sms", "gateway", "notify"],
    ):
        done = CliRunner().invoke(app, words, catch_exceptions=False)
        assert done.output.endswith("It is shown this once and cannot be asked for again.\n"), words

"""Does a file of history come in whole and once, and is every row that does not told with its line?

The command itself, on a real database.
"""

from __future__ import annotations

import csv
import gzip
import json
import random
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from ingest.history_file import HistoryError, open_table
from tests.conftest import TestDatabase
from tests.dashboard.conftest import connect
from tests.homeward.running import homeward
from tests.ingest.ward import Ward, make_ward, payload

START = datetime(2025, 6, 1, 8, tzinfo=UTC)


class House:
    """A ward's database, and the command upon it."""

    def __init__(self, database: TestDatabase, ward: Ward, folder: Path) -> None:
        self.database, self.ward, self.folder = database, ward, folder

    def write(self, text: str, name: str = "history.csv") -> Path:
        """Write a file."""
        place = self.folder / name
        place.write_bytes(gzip.compress(text.encode()) if name.endswith(".gz") else text.encode())
        return place

    def run(self, file: Path, *options: str) -> tuple[int, dict[str, Any], list[list[str]]]:
        """Import a file; give the exit code, the report, and the refused rows."""
        done = homeward(
            self.folder / "home", "import", str(file), *options, "--json", HOMEWARD_DATABASE_URL=self.database.url
        )
        assert done.stdout, done.stderr
        found = json.loads(done.stdout)
        rows = list(csv.reader(Path(found["report"]).read_text().splitlines())) if found["report"] else []
        return done.returncode, found, rows[1:]

    def ask(self, query: str, *parameters: Any) -> list[tuple[Any, ...]]:
        """Ask the database."""
        with connect(self.database) as connection:
            return connection.execute(query.encode(), parameters).fetchall()


@pytest.fixture
def house(database: TestDatabase, tmp_path: Path) -> House:
    """Three people whose devices have been theirs for 400 days, but not two years."""
    ward = make_ward(database.url, 3)
    with connect(database) as connection:
        connection.execute(
            "insert into device (organisation_id, code, kind, lane) values (%s, 'by-hand', 'manual', 0)",
            [ward.organisation],
        )
        connection.execute("update patient set nhs_number = '9434765919' where patient_id = %s", [ward.patients[0]])
        connection.execute("update device_assignment set during = tstzrange('2025-01-01', null)")
    return House(database, ward, tmp_path)


def test_a_long_table_in_any_order_comes_in_once_and_pages_nobody(house: House) -> None:
    rows = [
        f"{house.ward.devices[i % 3]},{(START + timedelta(minutes=i)).isoformat()},{vital},{value}"
        for i in range(300)
        for vital, value in (("pulse", 70 + i % 5), ("spo2", 80), ("respiration_rate", 30))
    ]
    random.Random(1).shuffle(rows)
    file = house.write("\n".join(["device,observed_at,vital,value", *rows]), "history.csv.gz")
    code, dry, _ = house.run(file, "--dry-run")
    assert (code, dry["stored"], house.ask("select count(*) from observation")) == (0, 900, [(0,)])
    code, found, _ = house.run(file)
    assert (code, found["rows"], found["stored"], found["refused"]) == (0, 900, 900, 0)
    code, again, _ = house.run(file)
    assert (code, again["stored"], again["duplicate"]) == (0, 0, 900)
    assert house.ask("select count(*), min(observed_at) from observation") == [(900, START)]
    assert house.ask("select count(*) from notification_job") == [(0,)]
    episodes = house.ask("select retrospective from episode where activated_at is not null")
    assert episodes
    assert all(past for (past,) in episodes)
    entries = house.ask("select (detail ->> 'stored')::int from audit_log where action = 'history_imported' order by 1")
    assert entries == [(0,), (900,)]


def test_a_wide_table_with_names_of_its_own_a_zone_and_units(house: House) -> None:
    file = house.write(
        "Date,Sys,Dia,Kilos,Comment\n2025-06-01 09:00,142,88,,tired\n"
        "2025-06-01 09:30:00,,,180.0,\n2025-03-30 01:30,150,90,,\n"
    )
    options = ["--map", "Date=time", "--map", "Sys=bp_systolic", "--map", "Dia=bp_diastolic", "--map", "Kilos=weight"]
    more = ["--unit", "weight=[lb_av]", "--tz", "Europe/London", "--patient", str(house.ward.patients[1])]
    code, found, refused = house.run(file, *options, *more)
    # the hour that the clocks left out
    assert (code, found["stored"], [(r[0], r[1]) for r in refused]) == (3, 3, [("4", "ambiguous_time")])
    stored = house.ask("select observed_at, vital, round(value::numeric, 2), patient_id from observation order by 1, 2")
    mine = house.ward.patients[1]
    assert [(v, float(x), p) for _, v, x, p in stored] == [(4, 142.0, mine), (5, 88.0, mine), (9, 81.65, mine)]
    assert stored[0][0] == datetime(2025, 6, 1, 8, tzinfo=UTC)


def test_what_omblepy_wrote(house: House) -> None:
    file = house.write("datetime,dia,sys,bpm,mov,ihb\n2025-06-01 09:00:00,88,142,71,0,1\n")
    code, found, _ = house.run(file, "--device", house.ward.devices[0], "--tz", "Europe/London")
    assert (code, found["stored"]) == (0, 3)
    assert house.ask("select vital, value, flags from observation order by 1") == [(4, 142, 2), (5, 88, 2), (6, 71, 2)]


def test_every_row_that_is_refused_is_told_with_its_line(house: House) -> None:
    [mine, other] = house.ward.devices[:2]
    at = START.isoformat()
    lines = [
        "patient,device,time,vital,value,unit",
        f",{mine},{at},pulse,70,",  # 2: taken
        f",{mine},{at},pulse,71,",  # 3: says otherwise
        f",{mine},{at},spo2,7,",  # 4
        f",{mine},{at},nonsense,7,",  # 5
        f",{mine},{at},temperature,98.6,[degF]",  # 6: taken
        f",{mine},{at},weight,98.6,furlong",  # 7
        f",{mine},2025-06-01 08:00,pulse,70,",  # 8
        f",{mine},yesterday,pulse,70,",  # 9
        f",{mine},2124-06-01T08:00:00Z,pulse,70,",  # 10
        f",{mine},2024-06-01T08:00:00Z,pulse,70,",  # 11
        f",stranger,{at},pulse,70,",  # 12
        f"999999,,{at},pulse,70,",  # 13
        f"{house.ward.patients[0]},{other},{at},pulse,70,",  # 14
        f"943 476 5919,,{at},pulse,66,",  # 15: taken, by NHS number
        f",{mine},{at},pulse,,",  # 16
        f",{mine},{at},pulse,many,",  # 17
        f",{mine},{at},pulse",  # 18
        f",{mine},2025-06-02T08:00:00Z,bp_systolic,80,",  # 19
        f",{mine},2025-06-02T08:00:00Z,bp_diastolic,90,",  # 20
        f"{house.ward.patients[0]},,1969-06-01T08:00:00Z,pulse,66,",  # 21
        "",
    ]
    code, found, refused = house.run(house.write("\n".join(lines)))
    assert code == 3
    assert found["stored"] == 3
    assert sorted((int(line), reason) for line, reason, _ in refused) == [
        (3, "contradictory"),
        (4, "implausible"),
        (5, "unknown_vital_sign"),
        (7, "unit"),
        (8, "time_without_zone"),
        (9, "wrong_type"),
        (10, "future_time"),
        (11, "unassigned"),
        (12, "unknown_device"),
        (13, "unassigned"),
        (14, "not_permitted"),
        (16, "no_value"),
        (17, "wrong_type"),
        (18, "malformed"),
        (19, "contradictory"),
        (20, "contradictory"),
        (21, "too_old"),
    ]
    assert found["refused"] == len(refused)
    assert sum(found["reasons"].values()) == len(refused)
    # and beside what is there already
    code, again, _ = house.run(house.write("\n".join(lines)))
    assert (again["stored"], again["duplicate"]) == (0, 3)
    text = f"device,time,vital,value\n{mine},{at},pulse,70\n{mine},{at},temperature,38.2\n"
    code, again, refused = house.run(house.write(text))
    assert (code, again["duplicate"], [row[:2] for row in refused]) == (3, 1, [["3", "contradictory"]])
    assert house.ask("select count(*) from quarantine") == [(0,)]


def test_the_quarantine_is_worked_off_by_command(house: House) -> None:
    """Beside the import, because it runs on the same ward."""
    for number, reason in enumerate(("unassigned", "unassigned", "implausible")):
        house.ask(
            "insert into quarantine (organisation_id, topic, payload, reason, detail, received_at, sender) "
            "values (%s, 'homeward/v1/0/x/observations', %s, %s, 'x', %s, %s) returning 1",
            house.ward.organisation,
            payload(START + timedelta(minutes=number), {"pulse": 70 if number < 2 else 7}),
            reason,
            START + timedelta(hours=1),
            house.ward.devices[0],
        )

    def run(*words: str) -> Any:
        done = homeward(house.folder / "home", "quarantine", *words, "--json", HOMEWARD_DATABASE_URL=house.database.url)
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout)

    house.ask(
        "insert into quarantine (organisation_id, topic, payload, reason, detail, received_at, sender) "
        "values (%s, 'x', '{}', 'not_kept', 'x', now(), 'x') returning 1",
        house.ward.organisation,
    )
    causes = {(row["reason"], row["messages"]) for row in run("list")}
    assert causes == {("unassigned", 2), ("implausible", 1), ("not_kept", 1)}
    listed = homeward(house.folder / "home", "quarantine", "list", HOMEWARD_DATABASE_URL=house.database.url).stdout
    assert listed.count("unassigned: The device belonged to nobody at that time; assign it for that time") == 1
    found = run("replay", "--all")
    assert (found["messages"], found["stored"], found["waiting"]) == (3, 2, 1)
    assert run("replay", "--reason", "unassigned")["messages"] == 0
    assert run("discard", "--reason", "implausible", "--because", "The probe was off")["messages"] == 1
    assert house.ask("select count(*) from quarantine where status = 'replayed' and note = ''") == [(2,)]
    assert house.ask("select note from quarantine where status = 'discarded'") == [("The probe was off",)]
    # of what was not kept there is nothing to try again, but it can be discarded
    assert run("discard", "--reason", "not_kept", "--because", "Mended")["messages"] == 1
    done = homeward(house.folder / "home", "quarantine", "replay", HOMEWARD_DATABASE_URL=house.database.url)
    assert done.returncode == 1
    assert "Say which" in done.stderr


@pytest.mark.parametrize(
    ("text", "options", "says"),
    [
        ("time,pulse\n", ["--map", "hr=pulse"], "no column 'hr'"),
        ("time,pulse\n", ["--tz", "Europe/Atlantis"], "no such time zone"),
        ("time,pulse\n", ["--patient", "999999"], "no patient 999999"),
    ],
)
def test_a_file_that_cannot_be_imported_is_said_in_one_sentence(
    module_database: TestDatabase, tmp_path: Path, text: str, options: list[str], says: str
) -> None:
    with connect(module_database) as connection:
        connection.execute("insert into organisation (name) values ('Trust') on conflict do nothing")
        connection.execute(
            "insert into device (organisation_id, code, kind, lane) select organisation_id, 'by-hand', 'manual', 0 "
            "from organisation on conflict do nothing"
        )
    file = tmp_path / "history.csv"
    file.write_text(text)
    done = homeward(tmp_path / "home", "import", str(file), *options, HOMEWARD_DATABASE_URL=module_database.url)
    assert done.returncode == 1
    assert says in done.stderr
    assert len(done.stderr.strip().splitlines()) == 1
    assert [file.name for file in tmp_path.glob("history*")] == ["history.csv"]  # and no report of nothing


def test_a_damaged_gzip_is_said_in_one_sentence(tmp_path: Path) -> None:
    file = tmp_path / "history.csv.gz"
    packed = gzip.compress("\n".join(f"time,pulse,{i}" for i in range(1000)).encode())
    file.write_bytes(packed[:40] + b"\xff" * 40 + packed[80:])
    with pytest.raises(HistoryError, match="damaged"), open_table(file) as lines:
        lines.read()

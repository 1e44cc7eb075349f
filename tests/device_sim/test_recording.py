"""Are recordings played whole, in order, re-dated without changing intervals, and their faults told with the line?"""

import gzip
import itertools
import os
from collections import Counter
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import msgspec
import pytest

from device_sim import recording
from device_sim.recording import RecordingError, messages, redating, survey
from device_sim.run import speed_of, warnings_for
from schemas.observation import NativeMessage

RECORDINGS = Path(__file__).parents[3] / "shared" / "data" / "recordings"
HEADER = "patient,device,observed_at,vital,value"
NOW = 1_795_305_600_000_000
YEAR_US = 365 * 86_400_000_000


def written(folder: Path, *rows: str, header: str = HEADER) -> Path:
    path = folder / "some.csv"
    path.write_text("\n".join([header, *rows]) + "\n", encoding="utf-8")
    return path


def given(name: str) -> Path:
    path = RECORDINGS / f"{name}.csv.gz"
    if not path.exists():
        assert not os.environ.get("CI"), f"{path} is missing"
        pytest.skip("the recordings are not beside this checkout")
    return path


def decoded(found: Iterator[recording.Message]) -> list[NativeMessage]:
    return [msgspec.json.decode(m.payload, type=NativeMessage) for m in found]


def test_rows_of_one_device_and_instant_become_one_message(tmp_path: Path) -> None:
    path = written(
        tmp_path,
        "a,cuff-1,2026-03-02T08:00:00Z,bp_systolic,140",
        "b,cuff-2,2026-03-02T08:00:00Z,bp_systolic,120",
        "a,cuff-1,2026-03-02T08:00:00Z,bp_diastolic,90",
        "a,cuff-1,2026-03-02T08:00:01Z,bp_systolic,141",
    )
    first, second, third = decoded(messages(survey(path)))
    assert first.values == {"bp_systolic": 140, "bp_diastolic": 90}
    assert (first.device, first.time) == ("cuff-1", "2026-03-02T08:00:00+00:00")
    assert second.device == "cuff-2"
    assert third.values == {"bp_systolic": 141}


def test_a_value_said_twice_for_one_instant_is_sent_twice(tmp_path: Path) -> None:
    row = "a,cuff-1,2026-03-02T08:00:00Z,pulse,"
    found = list(messages(survey(written(tmp_path, row + "70", row + "71"))))
    assert [m.observations for m in found] == [1, 1]


def test_people_who_share_a_device_are_its_users(tmp_path: Path) -> None:
    path = written(tmp_path, "a,d,2026-03-02T08:00:00Z,pulse,70", "b,d,2026-03-02T09:00:00Z,pulse,60")
    contents = survey(path)
    (entry,) = contents.entries()
    assert entry.holders == {1: "a", 2: "b"}
    assert [m.user for m in decoded(messages(contents))] == [1, 2]


@pytest.mark.parametrize("rows_at_once", [2, 3, 1000])
def test_an_unsorted_file_is_played_in_order_of_time(
    tmp_path: Path, rows_at_once: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    minutes = [5, 3, 8, 1, 9, 2, 7, 0, 6, 4]
    path = written(tmp_path, *(f"a,d,2026-03-02T08:0{m}:00.5Z,pulse,{60 + m}" for m in minutes))
    monkeypatch.setattr(recording, "ROWS_AT_ONCE", rows_at_once)
    assert [m.values["pulse"] for m in decoded(messages(survey(path)))] == list(range(60, 70))


@pytest.mark.parametrize("speed", [1.0, 60.0, float("inf")])
def test_redating_ends_everybody_when_the_play_ends_and_keeps_intervals(tmp_path: Path, speed: float) -> None:
    path = written(
        tmp_path,
        "a,d1,2020-03-02T08:00:00Z,pulse,60",
        "a,d1,2020-03-02T11:00:00Z,pulse,61",
        "b,d2,2020-07-01T00:00:00.25Z,pulse,62",
        "b,d2,2020-07-01T00:10:00.25Z,pulse,63",
    )
    contents = survey(path)
    shift = redating(contents, NOW, speed)
    found = list(messages(contents, shift))
    ours = [m.observed_at for m in found if m.device == "d1"]
    others = [m.observed_at for m in found if m.device == "d2"]
    end = NOW + (0 if speed == float("inf") else int(3 * 3600e6 / speed))
    assert ours[1] - ours[0] == 3 * 3600 * 1_000_000
    assert others[1] - others[0] == 600 * 1_000_000
    assert end - 1_000_000 <= ours[1] <= end
    assert end - 1_000_000 <= others[1] <= end
    assert [m.observed_at for m in found] == sorted(m.observed_at for m in found)


FAULTS = [
    ("a,d,2026-03-02T08:00:00Z,pulse", "some.csv:3: 4 columns; expected 5"),
    (",d,2026-03-02T08:00:00Z,pulse,60", "some.csv:3: patient ''"),
    ("a,d/e,2026-03-02T08:00:00Z,pulse,60", "some.csv:3: device 'd/e'"),
    ("a,d,2026-03-02 noon,pulse,60", "some.csv:3: time '2026-03-02 noon'; expected ISO 8601"),
    ("a,d,2026-03-02T08:00:00,pulse,60", "has no zone; expected an offset from UTC"),
    ("a,d,2026-03-02T08:00:00Z,heart,60", "some.csv:3: vital sign 'heart'; expected one of respiration_rate"),
    ("a,d,2026-03-02T08:00:00Z,pulse,", "some.csv:3: value ''; expected a number; drop the row"),
    ("a,d,2026-03-02T08:00:00Z,pulse,nan", "some.csv:3: value 'nan'"),
    ("a,d,2026-03-02T08:00:00Z,pulse,6O", "some.csv:3: value '6O'"),
]


@pytest.mark.parametrize(("row", "sentence"), FAULTS)
def test_a_fault_is_told_with_file_line_and_remedy(tmp_path: Path, row: str, sentence: str) -> None:
    path = written(tmp_path, "a,d,2026-03-02T07:00:00Z,pulse,60", row)
    with pytest.raises(RecordingError) as told:
        survey(path)
    assert sentence in str(told.value)


def test_a_file_that_is_no_recording_is_told(tmp_path: Path) -> None:
    with pytest.raises(RecordingError, match="header"):
        survey(written(tmp_path, header="time,value"))
    with pytest.raises(RecordingError, match="no row"):
        survey(written(tmp_path))
    with pytest.raises(RecordingError, match="cannot be read"):
        survey(tmp_path / "absent.csv")
    (tmp_path / "a.csv.gz").write_text(HEADER)
    with pytest.raises(RecordingError, match="cannot be read"):
        survey(tmp_path / "a.csv.gz")
    whole = gzip.compress("\n".join([HEADER, *["a,d,2026-03-02T07:00:00Z,pulse,60"] * 999]).encode())
    (tmp_path / "b.csv.gz").write_bytes(whole[:-20])
    with pytest.raises(RecordingError, match="too early"):
        survey(tmp_path / "b.csv.gz")
    (tmp_path / "c.csv").write_bytes(whole)
    with pytest.raises(RecordingError, match="UTF-8"):
        survey(tmp_path / "c.csv")


def test_an_old_recording_is_announced_as_too_old(tmp_path: Path) -> None:
    old = survey(written(tmp_path, "a,d,2020-03-02T08:00:00Z,pulse,60"))
    (sentence,) = warnings_for(old, NOW, redated=False)
    assert "too_old" in sentence
    assert "--now" in sentence
    assert warnings_for(old, NOW, redated=True) == []


# people, rows and messages of each recording, as its README and a count say
GIVEN = [
    ("oximetry_desaturation", 6, 48_432, 24_216),
    ("bidmc_bedside", 53, 101_559, 76_194),
    ("sepsis_2019", 150, 30_895, 5_939),
    ("home_blood_pressure", 28, 1_442, 721),
]


@pytest.mark.parametrize(("name", "people", "rows", "count"), GIVEN)
def test_a_real_recording_is_played_whole_and_within_a_year(name: str, people: int, rows: int, count: int) -> None:
    contents = survey(given(name))
    found = list(messages(contents, redating(contents, NOW, 60.0)))
    assert len(contents.people) == people
    assert sum(m.observations for m in found) == contents.rows == rows
    assert len(found) == count
    assert min(m.observed_at for m in found) > NOW - YEAR_US
    assert all(a.observed_at <= b.observed_at for a, b in itertools.pairwise(found))
    assert warnings_for(contents, NOW, redated=True) == []


def test_repeats_of_exactly_three_hours_survive_redating() -> None:
    contents = survey(given("home_blood_pressure"))
    found = decoded(messages(contents, redating(contents, NOW, float("inf"))))
    seen = {(m.device, datetime.fromisoformat(m.time).astimezone(UTC).timestamp()): m.values for m in found}
    repeats = Counter(seen.get((d, t - 3 * 3600)) == values for (d, t), values in seen.items())
    assert repeats[True] > 200


def test_kinds_of_devices_follow_from_what_they_measure() -> None:
    contents = survey(given("oximetry_desaturation"))
    assert {e.kind for e in contents.entries()} == {"oximeter"}
    contents = survey(given("home_blood_pressure"))
    assert {e.kind for e in contents.entries()} == {"cuff"}


def test_speeds_are_read() -> None:
    assert speed_of("60") == 60
    assert speed_of("max") == speed_of(0) == speed_of("0") == float("inf")
    for wrong in ("-1", "fast", "nan"):
        with pytest.raises(Exception, match="speed"):
            speed_of(wrong)

"""Is a table of history understood by its header, and refused where it could mean something else?"""

from __future__ import annotations

import io
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from homeward.import_command import pairs
from ingest.history_file import BLOCK, HistoryError, Table
from schemas.vital_signs import BY_NAME


def table(text: str, zone: str | None = None, named: dict[str, str] | None = None, **units: str) -> Table:
    """A table from text."""
    return Table(io.StringIO(text, newline=""), "history.csv", named or {}, units, zone)


@pytest.mark.parametrize(
    ("text", "named", "units", "says"),
    [
        ("", {}, {}, "empty"),
        ("a,b\n1,2\n", {}, {}, "history.csv:1: no column for the time"),
        ("time,a\n1,2\n", {}, {}, "expected either columns"),
        ("time,vital\n", {}, {}, "expected either columns"),
        ("time,vital,value,pulse\n", {}, {}, "expected either columns"),
        ("time,pulse,hr\n", {"hr": "pulse"}, {}, "two columns for pulse"),
        ("time,time,pulse\n", {}, {}, "two columns for time"),
        ("time,pulse\n", {"hr": "pulse"}, {}, "no column 'hr'"),
        ("time,pulse,x\n", {"x": "nonsense"}, {}, "is not one of"),
        ("time,pulse\n", {}, {"x": "kg"}, "not one of"),
        ("time,pulse,weight,unit\n", {}, {}, "one column for the unit of 2 vital signs; say each one's with --unit"),
        (f'"{"a" * 200_000}', {}, {}, "history.csv:1: field larger"),
    ],
)
def test_a_header_that_says_too_little_or_too_much(
    text: str, named: dict[str, str], units: dict[str, str], says: str
) -> None:
    with pytest.raises(HistoryError, match=says):
        table(text, named=named, **units)


def test_a_unit_beside_the_one_vital_sign_of_a_wide_table_is_its_unit() -> None:
    text = "time,weight,unit,who\n2026-01-01T00:00:00Z,180,[lb_av],x\n2026-01-02T00:00:00Z,82,,x\n"
    found = table(text)
    [block] = found.blocks()
    assert block.value == [pytest.approx(81.65, abs=0.01), 82]
    assert found.layout.ignored == ("who",)


def test_a_number_is_what_it_is_in_every_country() -> None:
    [block] = table("time,weight\n2026-01-01T00:00:00Z,8_1\n").blocks()
    assert [(row.line, row.reason) for row in block.refused] == [(2, "wrong_type")]


def test_options_are_two_words() -> None:
    assert pairs(["A = b", "c=d=e"], "--map") == {"A": "b", "c": "d=e"}
    with pytest.raises(HistoryError, match="--map pulse: expected two words"):
        pairs(["pulse"], "--map")


@given(
    st.lists(
        st.tuples(
            st.integers(0, 10**9),
            st.sampled_from(["pulse", "spo2", "temperature"]),
            st.floats(30, 100).map(lambda x: round(x, 1)),
        ),
        max_size=60,
    )
)
def test_long_and_wide_say_the_same(rows: list[tuple[int, str, float]]) -> None:
    names = ["pulse", "spo2", "temperature"]
    times = [(datetime(2001, 1, 1, tzinfo=UTC) + timedelta(seconds=s)).isoformat() for s, _, _ in rows]
    long = "\n".join(["time,vital,value", *(f"{t},{n},{v}" for t, (_, n, v) in zip(times, rows, strict=True))])
    wide_rows = [
        ",".join([t, *(str(v) if n == name else "" for name in names)])
        for t, (_, n, v) in zip(times, rows, strict=True)
    ]
    wide = "\n".join([",".join(["time", *names]), *wide_rows])
    found = [
        [(b.at[i], b.vital[i], b.value[i]) for b in table(text).blocks() for i in range(len(b.at))]
        for text in (long, wide)
    ]
    assert found[0] == found[1]
    assert [(v, x) for _, v, x in found[0]] == [(BY_NAME[n].code, x) for _, n, x in rows]


@given(st.text(max_size=300))
def test_no_table_crashes_and_every_row_is_accounted_for(text: str) -> None:
    try:
        blocks = list(table("time,vital,value\n" + text).blocks())
    except HistoryError:
        return
    for block in blocks:
        assert len({*block.line, *(row.line for row in block.refused)}) <= block.rows


def test_lines_are_counted_through_all_blocks() -> None:
    count = BLOCK + 10
    text = "time,pulse\n" + "2026-01-01T00:00:00Z,70\n" * (count - 1) + "never,70\n"
    blocks = list(table(text).blocks())
    assert [b.rows for b in blocks] == [BLOCK, 10]
    assert [(r.line, r.reason) for b in blocks for r in b.refused] == [(count + 1, "wrong_type")]


def test_a_row_is_named_by_the_line_on_which_it_begins() -> None:
    noted = '2026-01-01T00:00:00Z,70,"after a walk\r\nand a rest"\n'
    text = f'time,pulse,"note\nof theirs"\n{noted}\n{noted}never,70,"at\nall"\nnever,71,\n'
    [block] = table(text).blocks()
    assert block.line == [3, 6]
    assert [row.line for row in block.refused] == [8, 10]


def test_a_time_without_an_offset_is_refused_with_what_this_command_takes() -> None:
    text = "time,pulse\n2026-10-25T01:30,70\n"
    for zone, reason, says in ((None, "time_without_zone", "--tz"), ("Europe/London", "ambiguous_time", "there twice")):
        [block] = table(text, zone).blocks()
        [row] = block.refused
        assert (row.line, row.reason) == (2, reason)
        assert says in row.detail

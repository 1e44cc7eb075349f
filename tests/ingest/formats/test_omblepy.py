"""Is a cuff's whole history read by its own clock, and does every row that is not have its reason?"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ingest.formats.instant import from_local
from ingest.formats.json_document import Refused
from schemas.observation import Flag
from tests.ingest.formats.reading import accounted, decoded, instants, reasons, values

HEADER = "datetime,dia,sys,bpm,mov,ihb\n"
ZONES = {"cuff-7": "Europe/London"}


def history(*rows: str, header: str = HEADER) -> bytes:
    return (header + "\n".join(rows)).encode()


def test_a_row_is_an_observation_set() -> None:
    out = decoded(history("2026-07-01 08:41:10,80,120,70,0,0"), sender="cuff-7", zones=ZONES)
    assert values(out) == {"bp_systolic": 120, "bp_diastolic": 80, "pulse": 70}
    assert (instants(out), out.flags, out.user) == (["2026-07-01T07:41:10+00:00"], [0], [0])


@pytest.mark.parametrize(
    ("mov", "ihb", "flags"),
    [("0", "0", Flag(0)), ("1", "0", Flag.MOVEMENT), ("0", "1", Flag.IRREGULAR_PULSE), ("3", "2", Flag(6))],
)
def test_what_the_cuff_noticed_becomes_flags(mov: str, ihb: str, flags: Flag) -> None:
    out = decoded(history(f"2026-07-01 08:41:10,80,120,70,{mov},{ihb}"), sender="cuff-7", zones=ZONES)
    assert out.flags == [flags]


def test_columns_may_stand_in_any_order_and_two_users_are_told_apart() -> None:
    rows = ("120,80,70,0,0,2026-07-01 08:41:10,1", "", "121,81,71,0,0,2026-07-01 09:41:10,2", "")
    out = decoded(history(*rows, header="sys,dia,bpm,mov,ihb,datetime,user\r\n"), sender="cuff-7", zones=ZONES)
    assert (out.user, out.size, reasons(out)) == ([1, 2], [3, 3], [])


# the clocks of London: forward on 29 March 2026 at 01:00, back on 25 October 2026 at 02:00
CLOCKS = """
local                zone           instant, or why there is none
2026-03-29 00:59:59  Europe/London  2026-03-29T00:59:59+00:00
2026-03-29 01:00:00  Europe/London  ambiguous_time
2026-03-29 01:59:59  Europe/London  ambiguous_time
2026-03-29 02:00:00  Europe/London  2026-03-29T01:00:00+00:00
2026-10-25 00:59:59  Europe/London  2026-10-24T23:59:59+00:00
2026-10-25 01:00:00  Europe/London  ambiguous_time
2026-10-25 01:59:59  Europe/London  ambiguous_time
2026-10-25 02:00:00  Europe/London  2026-10-25T02:00:00+00:00
2026-10-25 01:30:00  Asia/Kolkata   2026-10-24T20:00:00+00:00
2026-07-01 08:41:10  -              time_without_zone
2026-07-01 08:41:10  Europe/Atlantis time_without_zone
2026-07-01 08:41:10  ../../etc/passwd time_without_zone
"""


@pytest.mark.parametrize("row", CLOCKS.strip().splitlines()[1:])
def test_local_time_is_an_instant_or_refused(row: str) -> None:
    day, time, zone, expected = row.split()
    zones = {} if zone == "-" else {"cuff-7": zone}
    out = decoded(history(f"{day} {time},80,120,70,0,0"), sender="cuff-7", zones=zones)
    if "T" in expected:
        assert (instants(out), reasons(out)) == ([expected], [])
    else:
        assert (instants(out), reasons(out)) == ([], [expected] * 3)
        assert out.rejections[0].detail.startswith("line 2: datetime:")


def test_a_time_with_an_offset_needs_no_zone() -> None:
    out = decoded(history("2026-10-25 01:30:00+01:00,80,120,70,0,0"))
    assert instants(out) == ["2026-10-25T00:30:00+00:00"]


def test_one_wrong_row_does_not_cost_the_others() -> None:
    good = "2026-07-01 08:41:10,80,120,70,0,0"
    out = decoded(history(good, "2026-07-01 08:42:10,80,,70,0,0", "80,120", good), sender="cuff-7", zones=ZONES)
    assert out.size == [3, 3]
    assert [(r.reason.value, r.observations) for r in out.rejections] == [("wrong_type", 3), ("malformed", 3)]
    assert [r.detail.partition(":")[0] for r in out.rejections] == ["line 3", "line 4"]


def test_a_row_is_named_by_the_line_on_which_it_begins() -> None:
    out = decoded(history('"2026\n07\n01",80,120,70,0,0', "", "80,120"), sender="cuff-7", zones=ZONES)
    assert [r.detail.partition(":")[0] for r in out.rejections] == ["line 2", "line 6"]


@pytest.mark.parametrize(
    ("reason", "place", "content"),
    [
        ("no_value", "line 2", history()),
        ("unknown_vital_sign", "line 1: 'surname'", history("x", header="datetime,dia,sys,surname\n")),
        ("contradictory", "line 1", history("x", header="datetime,dia,sys,sys\n")),
        ("malformed", "payload", history('"2026')),
        ("malformed", "payload", HEADER.encode() + b"\xff"),
        ("malformed", "payload", HEADER.encode() + b'a\0b,"c'),
    ],
)
def test_a_table_that_is_none_is_refused_whole(reason: str, place: str, content: bytes) -> None:
    out = decoded(content, sender="cuff-7", zones=ZONES)
    assert (values(out), reasons(out)) == ({}, [reason])
    assert place in out.rejections[0].detail


@pytest.mark.parametrize(
    ("row", "place"),
    [
        ("2026-07-01 08:41:10,80,1e2,70,0,0", "sys"),
        ("2026-07-01 08:41:10,80,-120,70,0,0", "sys"),
        ("2026-07-01 08:41:10,80,120,nan,0,0", "bpm"),
        ("2026-07-01 08:41:10,80,120,٧٠,0,0", "bpm"),
        ("2026-07-01 08:41:10,80,120,70,yes,0", "mov"),
        ("2026-07-01 08:41:10,80,120,70,0,²", "ihb"),
        ("01/07/2026 08:41,80,120,70,0,0", "datetime"),
        (",80,120,70,0,0", "datetime"),
    ],
)
def test_a_wrong_field_is_named(row: str, place: str) -> None:
    out = decoded(history(row), sender="cuff-7", zones=ZONES)
    assert (values(out), reasons(out)) == ({}, ["wrong_type"] * 3)
    assert out.rejections[0].detail.startswith(f"line 2: {place}: ")


@given(
    st.datetimes(min_value=datetime(1990, 1, 1), max_value=datetime(2090, 1, 1)),  # noqa: DTZ001 (clocks without zone)
    st.sampled_from(["Europe/London", "America/St_Johns", "Australia/Lord_Howe", "Asia/Kathmandu", "UTC"]),
)
def test_an_instant_is_taken_exactly_where_there_is_one(local: datetime, zone: str) -> None:
    here = ZoneInfo(zone)
    # by search: every offset that a zone of the world has
    candidates = {
        at
        for minutes in range(-14 * 60, 14 * 60 + 1, 15)
        if (at := (local - timedelta(minutes=minutes)).replace(tzinfo=UTC)).astimezone(here).replace(tzinfo=None)
        == local
    }
    candidates |= {
        at
        for fold in (0, 1)
        if (at := local.replace(tzinfo=here, fold=fold).astimezone(UTC)).astimezone(here).replace(tzinfo=None) == local
    }
    if len(candidates) == 1:
        found = datetime.fromtimestamp(from_local(local, zone) // 1_000_000, UTC)
        assert {found.replace(microsecond=local.microsecond)} == candidates
    else:
        with pytest.raises(Refused, match="where the clocks changed"):
            from_local(local, zone)


@given(st.lists(st.text(alphabet='0123456789,-: "\n\r\0é.', max_size=40), max_size=4))
def test_any_table_is_accounted_for(rows: list[str]) -> None:
    assert accounted(decoded(history(*rows), sender="cuff-7", zones=ZONES)) >= 1

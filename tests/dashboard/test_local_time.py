"""Is a time of a place's clocks the instant that somebody meant, also in the hours in which the clocks change?"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from alerts import rota as rotas
from dashboard import local_time, rota_form
from dashboard.actions import InvalidActionError
from dashboard.escalations import Setup
from dashboard.local_time import LocalTimeError
from dashboard.reachable import Means

LONDON = "Europe/London"
ZONES = st.sampled_from([LONDON, "Europe/Dublin", "America/St_Johns", "Australia/Lord_Howe", "Asia/Kathmandu", "UTC"])


@given(st.datetimes(datetime(2020, 1, 1), datetime(2040, 1, 1), timezones=st.just(UTC)), ZONES)  # noqa: DTZ001
def test_an_instant_is_written_so_that_it_is_read_again(at: datetime, zone: str) -> None:
    minute = at.replace(second=0, microsecond=0)
    assert local_time.read(local_time.write(minute, zone), zone) == minute


@given(st.integers(0, 239), ZONES)
def test_each_minute_around_a_change_of_the_clocks_is_read_again(minute: int, zone: str) -> None:
    for day in ("2026-10-25T00:00Z", "2026-03-29T00:00Z", "2026-11-01T03:00Z", "2026-04-04T13:30Z"):
        begun = datetime.fromisoformat(day)
        at = begun.replace(hour=(begun.hour + minute // 60) % 24, minute=minute % 60)
        assert local_time.read(local_time.write(at, zone), zone) == at


@pytest.mark.parametrize(
    ("text", "instant"),
    [
        ("25 Oct 2026 01:30 BST", "2026-10-25T00:30+00:00"),
        ("25/10/2026, 1:30 gmt", "2026-10-25T01:30+00:00"),
        ("25 Oct 2026 00:59", "2026-10-24T23:59+00:00"),
        ("25 Oct 2026 02:00", "2026-10-25T02:00+00:00"),
        ("24 Dec 2026 20:00 GMT", "2026-12-24T20:00+00:00"),
        ("2026-10-25T01:30+01:00", "2026-10-25T00:30+00:00"),
    ],
)
def test_a_time_is_the_instant_that_it_says(text: str, instant: str) -> None:
    assert local_time.read(text, LONDON) == datetime.fromisoformat(instant)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("25 Oct 2026 01:30", "01:30 comes twice .* Write 01:30 BST for the first, 01:30 GMT for the second"),
        ("29 Mar 2026 01:30", "There is no 01:30 on that day, because the clocks go forward"),
        ("24 Dec 2026 20:00 BST", "do not show BST then, but GMT"),
        ("25 Oct 2026 01:30 CET", "do not show CET then"),
        ("tonight", "Write the time like"),
        ("0001-01-01T00:00+14:00", "Write the time like"),
        ("9999-12-31T23:59-14:00", "Write the time like"),
        ("2026-10-25T01:30+01:00 BST", "Write the time like"),
        ("", "Write the time like"),
    ],
)
def test_a_time_that_is_no_instant_or_two_is_refused(text: str, says: str) -> None:
    with pytest.raises(LocalTimeError, match=says):
        local_time.read(text, LONDON)


def boxes(part: Any) -> dict[tuple[str, int, str], Any]:
    """What stands in the boxes of a rota's form, by part, row and field."""
    found: dict[tuple[str, int, str], Any] = {}
    children = getattr(part, "children", None)
    for child in children if isinstance(children, list | tuple) else [children]:
        if hasattr(child, "to_plotly_json"):
            found |= boxes(child)
    named = getattr(part, "id", None)
    if isinstance(named, dict):
        found[named["part"], named["row"], named["field"]] = part.value
    return found


def test_a_form_that_is_published_unchanged_changes_no_exception() -> None:
    people: dict[int, Any] = {4: {"name": "Rosa Mbeki"}}
    found = Setup([], {}, {}, {}, people, Means({}, {}, {}, {}, ()))
    given = [
        {"account": 4, "start": f"2026-10-25T{start}", "end": f"2026-10-25T{end}"}
        for start, end in (("01:30:00+01:00", "01:30:00+00:00"), ("01:15:00+00:00", "02:00:00+00:00"))
    ]
    before = rotas.read({"zone": LONDON, "shifts": [], "overrides": given})
    values = boxes(rota_form.form(found, "Nights", before))
    assert values["exception", 0, "start"] == "25 Oct 2026 01:30 BST"
    assert values["exception", 0, "end"] == "25 Oct 2026 01:30 GMT"
    assert rotas.read(rota_form.document(values, LONDON)).overrides == before.overrides


def test_an_exception_that_could_be_either_of_two_hours_is_refused_with_its_row() -> None:
    values = {
        ("exception", 1, "account"): "4",
        ("exception", 1, "start"): "25 Oct 2026 01:30",
        ("exception", 1, "end"): "25 Oct 2026 06:00",
    }
    with pytest.raises(InvalidActionError, match="Exception 2: 01:30 comes twice on that day"):
        rota_form.document(values, LONDON)

"""Is a day, or a time of a day, read as people type it and as the screens write it?

No server runs beside these: what is given by chance must not depend on what else draws by chance.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dashboard.fields import read_date, read_time
from dashboard.wording import typed


@given(st.dates())
def test_a_day_is_read_as_people_type_it(day: Any) -> None:
    if day.year >= 1000:
        for text in (
            f"{day.day} {day:%b} {day.year}",
            f"{day:%d %B %Y}",
            f"{day.day} {day.month} {day.year}",
            f"{day:%d/%m/%Y}",
            f"{day:%d.%m.%Y}",
            f"{day:%d%m%Y}",
            day.isoformat(),
        ):
            assert read_date(text) == day


@given(st.datetimes(min_value=datetime(1000, 1, 1)))  # noqa: DTZ001
def test_a_time_is_read_as_the_screens_write_it(at: datetime) -> None:
    minute = at.replace(second=0, microsecond=0)
    assert read_time(typed(minute)) == minute
    assert read_time(f"{minute.day}/{minute.month}/{minute.year:04} {minute:%H:%M}") == minute
    assert read_time(minute.isoformat(sep=" ")) == minute


@pytest.mark.parametrize(
    "text", ["", "20:00", "6 May 2026", "6 May 2026 24:00", "6 May 2026 8:60", "31 Feb 2026 08:00"]
)
def test_what_is_no_time_of_a_day_is_none(text: str) -> None:
    assert read_time(text) is None


@pytest.mark.parametrize("text", ["", "x", "31 2 1940", "6 5 40", "1 2", "1 2 3 4", "99999999", "2 13 1940"])
def test_what_is_no_day_is_none(text: str) -> None:
    assert read_date(text) is None

"""Is there exactly one answer to who is on call, or a hole that can be seen?"""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from alerts import hours, rota
from alerts.hours import DAYS
from alerts.rota import OnCall, Override, Rota, RotaError, Shift


def wall(*parts: int) -> datetime:
    """Write a time of day without its zone, which hypothesis adds."""
    return datetime(*parts, tzinfo=UTC).replace(tzinfo=None)  # type: ignore[misc,arg-type]


instants = st.datetimes(wall(2026, 3, 20), wall(2026, 11, 5), timezones=st.just(UTC))
MONDAY = datetime(2026, 6, 8, tzinfo=UTC)


@st.composite
def rotas(draw: st.DrawFn) -> Rota:
    """Cut the day at a few times and give some of the pieces of some days to somebody."""
    cuts = sorted(draw(st.sets(st.integers(0, 1439), min_size=2, max_size=5)))
    clock = [f"{cut // 60:02}:{cut % 60:02}" for cut in cuts]
    shifts = []
    for number, start in enumerate(clock):
        days = draw(st.sets(st.sampled_from(DAYS)))
        if days:
            end = clock[(number + 1) % len(clock)]
            shifts.append(Shift(tuple(sorted(days, key=DAYS.index)), start, end, account=number + 1))
    overrides = draw(
        st.lists(
            st.builds(
                lambda at, length, account: Override(at, at + timedelta(minutes=length), account),
                instants, st.integers(1, 3000), st.one_of(st.none(), st.integers(50, 60)),
            ),
            max_size=3,
        )
    )  # fmt: skip
    return Rota("Europe/London", tuple(shifts), tuple(overrides))


def document(found: Rota) -> Any:
    import msgspec

    return msgspec.json.decode(msgspec.json.encode(found))


@settings(deadline=None)
@given(rotas(), instants)
def test_there_is_one_answer_or_a_hole(found: Rota, at: datetime) -> None:
    assert rota.read(document(found)) == found
    answer = rota.on_call(found, at)
    overriding = [o for o in found.overrides if o.start <= at < o.end]
    on = [s for s in found.shifts if hours.is_open(s, at, found.zone)]
    assert len(on) <= 1
    if overriding:
        assert answer == OnCall(overriding[-1].account, True)
    else:
        assert answer == OnCall(on[0].account if on else None)


@settings(max_examples=15, deadline=None)
@given(rotas(), instants)
def test_a_calendar_has_no_gap_and_agrees_with_the_answers(found: Rota, at: datetime) -> None:
    spans = list(rota.spans(found, at, at + timedelta(days=2)))
    assert spans[0].start == at
    assert spans[-1].end == at + timedelta(days=2)
    for one, following in pairwise(spans):
        assert one.end == following.start
        assert one.on_call != following.on_call
    for span in spans:
        assert rota.on_call(found, span.start) == span.on_call
        assert rota.on_call(found, span.end - timedelta(minutes=1)) == span.on_call


@settings(deadline=None)
@given(rotas())
def test_the_holes_of_the_week_are_what_no_shift_covers(found: Rota) -> None:
    open_minutes = {minute for start, end in rota.weekly_holes(found) for minute in range(start, end)}
    covered = [minute for shift in found.shifts for minute in hours.minutes_of_week(shift)]
    assert open_minutes | set(covered) == set(range(hours.WEEK_MIN))
    assert open_minutes.isdisjoint(covered)
    assert len(covered) == len(set(covered))


def test_shifts_that_overlap_are_refused_with_their_place() -> None:
    shifts = [
        {"account": 1, "start": "08:00", "end": "20:00"},
        {"account": 2, "days": ["tue"], "start": "19:30", "end": "08:00"},
    ]
    with pytest.raises(RotaError, match="shift 2: it overlaps shift 1 on tue at 19:30"):
        rota.read({"shifts": shifts})


@pytest.mark.parametrize(
    ("wrong", "complaint"),
    [
        ({"shifts": [{"account": 1, "days": []}]}, "shift 1: no day is named"),
        ({"shifts": [{"account": "x"}]}, "shifts"),
        (
            {"overrides": [{"start": "2026-06-08T08:00:00", "end": "2026-06-08T09:00:00"}]},
            f"override 1: its times have no zone; write them as {re.escape(rota.EXAMPLE)}",
        ),
        (
            {"overrides": [{"start": "2026-10-25T01:30+00:00", "end": "2026-10-25T02:30:00Z"}]},
            rf"overrides\[0\].start`; write it as {re.escape(rota.EXAMPLE)}",
        ),
        (
            {"overrides": [{"start": "2026-06-08T08:00:00Z", "end": "2026-06-08T08:00:00Z"}]},
            "override 1: it ends before",
        ),
        ({"shift": []}, "shift"),
    ],
)
def test_a_rota_that_cannot_be_used_is_refused_with_its_place(wrong: Any, complaint: str) -> None:
    with pytest.raises(RotaError, match=complaint):
        rota.read(wrong)


def test_an_instant_written_as_the_complaints_say_is_taken() -> None:
    later = rota.EXAMPLE.replace("T20", "T21")
    assert rota.read({"overrides": [{"start": rota.EXAMPLE, "end": later}]}).overrides[0].account is None

"""Does a shift handover tell each patient once, since the right time, also when the clock goes back an hour?"""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dashboard import shift
from dashboard.resident_list import Resident
from dashboard.text import handover as words

pytestmark = pytest.mark.pure
NOW = datetime(2026, 11, 25, 18, 4, tzinfo=UTC)
SINCE = datetime(2026, 11, 25, 7, 30, tzinfo=UTC)
TIMES = ("07:30:00", "19:30:00")


def resident(number: int = 7) -> Resident:
    return Resident(number, "Mary O'Neill", "4", "Europe/London", (), (), "NEWS2 between 3 and 6; pulse is missing", 1,
                    None, "", 0)  # fmt: skip


def episode(before: int, now: int, **changed: Any) -> dict[str, Any]:
    """An alert that was so severe at the beginning, and is so severe now; 0 now: it is over."""
    return {
        "episode_id": 1, "patient_id": 7, "rule": "news2", "phase": "active" if now else "resolved", "severity": now,
        "peak_severity": max(before, now, 1), "sentence": "NEWS2 6.", "activated_at": SINCE - timedelta(hours=1),
        "resolved_at": None if now else NOW, "acknowledged_at": None, "acknowledged_name": None, "is_snoozed": False,
        "before": before,
    } | changed  # fmt: skip


@pytest.mark.parametrize(
    ("episodes", "group", "marks"),
    [
        ([episode(0, 2)], "new", [words.WAITS]),
        ([episode(0, 2, acknowledged_at=NOW, acknowledged_name="Leah")], "new", []),
        ([episode(1, 2)], "worse", [words.WAITS]),
        ([episode(2, 2)], "waiting", [words.WAITS]),
        ([episode(2, 2, acknowledged_at=NOW, acknowledged_name="Leah")], "open", []),
        ([episode(2, 2, is_snoozed=True)], "open", []),
        ([episode(3, 1, acknowledged_at=NOW, acknowledged_name="Leah")], "better", []),
        ([episode(2, 0)], "better", []),
        ([episode(0, 0)], "better", []),
        ([episode(0, 1, rule="late")], "not_reporting", [words.WAITS, words.SILENT]),
        ([episode(0, 1, rule="late"), episode(1, 3)], "worse", [words.WAITS, words.SILENT]),
        ([episode(2, 0), episode(0, 2)], "new", [words.WAITS]),
        ([episode(3, 0), episode(0, 2)], "new", [words.WAITS]),
        ([episode(2, 2), episode(0, 2)], "waiting", [words.WAITS]),
    ],
)
def test_each_is_in_the_group_that_fits(episodes: list[dict[str, Any]], group: str, marks: list[str]) -> None:
    [told] = shift.entries([resident()], episodes, [], {"late"})
    assert (told["group"], told["marks"]) == (group, marks)


def test_what_happened_is_told_in_sentences() -> None:
    note = {"patient_id": 7, "at": NOW, "body": "Drinking well.", "account": "Leah Doyle"}
    risen = episode(1, 3, acknowledged_at=NOW, acknowledged_name="Leah Doyle")
    [told] = shift.entries([resident()], [risen, episode(1, 0)], [note], ())
    assert told["lines"] == [
        "Red since 25 Nov 06:30: NEWS2 6. More severe than before: it was yellow. "
        "Taken on by Leah Doyle, 25 Nov 18:04.",
        "Yellow since 25 Nov 06:30: NEWS2 6. Over since 25 Nov 18:04.",
        "Last score: NEWS2 between 3 and 6; pulse is missing.",
        "Leah Doyle, 25 Nov 18:04: Drinking well.",
    ]


@given(st.lists(st.tuples(st.integers(0, 3), st.integers(0, 3), st.integers(1, 5)), max_size=12))
def test_everybody_with_an_alert_is_told_once_and_nobody_else(drawn: list[tuple[int, int, int]]) -> None:
    episodes = [episode(before, now, patient_id=patient) for before, now, patient in drawn]
    told = shift.entries([resident(n) for n in range(1, 9)], episodes, [], ())
    assert sorted(e["patient_id"] for e in told) == sorted({patient for _, _, patient in drawn})
    assert shift.stamp(told) == shift.stamp(shift.entries([resident(n) for n in range(1, 9)], episodes, [], ()))


@pytest.mark.parametrize(
    ("now", "begun"),
    [
        ("2026-11-25T18:04+00:00", "2026-11-25T07:30+00:00"),
        ("2026-11-25T19:40+00:00", "2026-11-25T07:30+00:00"),  # the shift before is handed over
        ("2026-11-25T20:30+00:00", "2026-11-25T19:30+00:00"),
        ("2026-11-25T03:00+00:00", "2026-11-24T19:30+00:00"),
        ("2026-07-01T12:00+00:00", "2026-07-01T06:30+00:00"),  # summer time
        ("2026-10-25T04:00+00:00", "2026-10-24T18:30+00:00"),  # the night in which the clock goes back
        ("2026-10-25T09:00+00:00", "2026-10-25T07:30+00:00"),
        ("2026-03-29T09:00+00:00", "2026-03-29T06:30+00:00"),  # the morning after it went forward
    ],
)
def test_a_shift_begins_by_the_clock_of_the_site(now: str, begun: str) -> None:
    assert shift.begun(datetime.fromisoformat(now), TIMES, "Europe/London") == datetime.fromisoformat(begun)

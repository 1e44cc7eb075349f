"""Is nothing lost and nothing doubled when ingest, clock, database and broker are killed dozens of times under load?"""

from __future__ import annotations

import pytest

from homeward.local.programs import Programs
from tests.end_to_end import chaos

KILLS = 24


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_whatever_is_killed_everything_ends_exactly_once(programs: Programs) -> None:
    outcome = chaos.run(KILLS, seed=20261122)
    assert sum(outcome.kills.values()) == KILLS
    assert {"postgres", "broker", "clock"} < outcome.kills.keys()
    assert outcome.faults() == []

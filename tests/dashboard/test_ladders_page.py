"""Does the page of ladders say whose alerts nobody is told of, and claim it of nobody else?"""

from __future__ import annotations

from typing import Any

import pytest

from dashboard.escalations import Setup
from dashboard.pages.ladders import none_in_force
from dashboard.reachable import Means

SITES = [{"site_id": 1, "name": "Elm Court"}, {"site_id": 2, "name": "Rowan House"}]


@pytest.mark.parametrize(
    ("sites", "with_ladder", "class_name", "says"),
    [
        (SITES, (), "trouble", "nobody is told of alerts at Elm Court, Rowan House."),
        (SITES, (1,), "trouble", "nobody is told of alerts at Rowan House."),
        (SITES, (1, 2), "m-note", "Each site has one of its own."),
        ([], (), "trouble", "nobody is told of alerts."),
    ],
)
def test_only_sites_without_a_ladder_are_said_to_tell_nobody(
    sites: list[dict[str, Any]], with_ladder: tuple[int, ...], class_name: str, says: str
) -> None:
    found = Setup(sites, {site: {"site_id": site} for site in with_ladder}, {}, {}, {}, Means({}, {}, {}, {}, ()))
    shown = none_in_force(found)
    assert shown.className == class_name
    assert says in shown.children

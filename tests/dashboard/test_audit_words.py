"""Is every entry of the audit log said in plain words, and does it name only what its reader may see?"""

from __future__ import annotations

import ast
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from dashboard.audit_words import numbers, tell
from dashboard.text.audit import ACTIONS

ROOT = Path(__file__).parents[2]
NOW = datetime(2026, 5, 7, 12, tzinfo=UTC)
NAMES = {
    ("patient", 5): "Ada Elm",
    ("site", 2): "Elm House",
    ("site", 3): "Oak House",
    ("account", 7): "Nurse",
    ("episode", 9): "Ada Elm",
}
# which argument of each way to leave an entry says what was done
PLACES = {"write": 2, "_note": 1, "note": 0, "_write_audit": 1, "audit": 2, "_audit": 2, "record": 2}


def actions_in_the_code() -> set[str]:
    """Find every action that is written as a word of its own."""
    found = set()
    for package in ("dashboard", "homeward", "ingest", "device_sim"):
        for path in (ROOT / package).rglob("*.py"):
            for call in ast.walk(ast.parse(path.read_text())):
                if not isinstance(call, ast.Call):
                    continue
                name = call.func.attr if isinstance(call.func, ast.Attribute) else getattr(call.func, "id", "")
                place = PLACES.get(name)
                if place is not None and len(call.args) > place:
                    given = call.args[place]
                    if isinstance(given, ast.Constant) and isinstance(given.value, str):
                        found.add(given.value)
    return found


def test_every_action_of_the_code_has_plain_words() -> None:
    found = actions_in_the_code()
    assert len(found) > 40
    assert {"looked_at", "device_assigned", "account_added", "history_imported"} <= found
    assert found <= set(ACTIONS)


def entry(action: str, subject: str, **detail: Any) -> dict[str, Any]:
    return {"action": action, "object": subject, "detail": detail}


@pytest.mark.parametrize(
    ("given", "said"),
    [
        (entry("looked_at", "patient/5", what="page"), ("Looked at", "Ada Elm", "Where: the patient's page")),
        (entry("looked_at", "patient/6", what="page"), ("Looked at", "Patient no. 6", "Where: the patient's page")),
        (entry("patient_enrolled", "patient:5"), ("Put a patient on a pathway", "Ada Elm", "")),
        (entry("looked_at", "triage", what="triage"), ("Looked at", "The triage list", "")),
        (
            entry("patient_moved", "patient/5", site=3, site_before=2, reason="Nearer"),
            ("Moved a patient", "Ada Elm", "Site: Oak House; Site before: Elm House; Reason: Nearer"),
        ),
        (entry("site_changed", "site/2", kind="ward"), ("Changed a site", "Elm House", "Kind: ward")),
        (
            entry("account_added", "account/7", role="read_only", sites=[2, 4]),
            ("Added an account", "Account: Nurse", "Role: Read only; Sites: Elm House, no. 4"),
        ),
        (entry("looked_at", "patients", patients=3), ("Looked at", "Several patients", "Patients: 3")),
        (
            entry("looked_at", "audit", search={"patient": "5", "since": "2026-05-06T08:00:00+00:00"}),
            ("Looked at", "The audit log", "Searched for: patient Ada Elm, from yesterday 09:00"),
        ),
        (
            entry("policy_published", "pathway/copd", version=2),
            ("Put a policy in force", "Pathway: Copd", "Version: 2"),
        ),
        (entry("an_act_of_tomorrow", "thing/1"), ("An act of tomorrow", "Thing no. 1", "")),
        (
            entry("looked_at", "patients", patients=list(range(100, 120))),
            ("Looked at", "Several patients", f"Patients: {', '.join(f'no. {n}' for n in range(100, 112))} and 8 more"),
        ),
    ],
)  # fmt: skip
def test_an_entry_is_said_with_names(given: dict[str, Any], said: tuple[str, str, str]) -> None:
    told = tell(given, NAMES, "Europe/London", NOW)
    assert (told.action, told.about, told.details) == said


def test_of_many_whom_a_list_showed_the_one_searched_for_comes_first() -> None:
    given = entry("looked_at", "triage", what="triage", patients=[*range(100, 120), 5])
    said = tell(given, NAMES, "Europe/London", NOW, patient=5).details
    assert said == f"Patients: {', '.join(['Ada Elm', *(f'no. {n}' for n in range(100, 111))])} and 9 more"


def test_whose_names_are_wanted_is_known_from_the_entries() -> None:
    found = numbers(
        [
            entry("looked_at", "patient/5", what="page"),
            entry("episode_acknowledged", "episode/9", patient=6),
            entry("patient_moved", "patient:5", site=3, site_before=2),
            entry("looked_at", "audit", search={"patient": "8"}),
            entry("looked_at", "patients", patients=[1, 2]),
            entry("looked_at", "triage"),
        ]
    )
    assert found == {"patient": [1, 2, 5, 6, 8], "episode": [9], "site": [2, 3]}


def test_only_a_patient_whom_the_reader_sees_can_be_opened() -> None:
    assert tell(entry("looked_at", "patient/5"), NAMES, "Europe/London", NOW).patient == 5
    assert tell(entry("looked_at", "patient/6"), NAMES, "Europe/London", NOW).patient is None

"""Is a set that names a resident theirs, and nobody's where anything about it is in doubt?"""

from __future__ import annotations

from collections.abc import Callable

import pytest

from ingest.writer import Outcome
from tests.ingest.conftest import Desk

PULSE = {"pulse": 71}


@pytest.fixture
def home(desk: Desk) -> Desk:
    """A ward with a device that everybody shares, and codes for two of its residents."""
    with_codes = zip(desk.ward.patients[:2], ("BED-0001", "BED-0002"), strict=True)
    for patient, code in with_codes:
        desk.ask("update patient set resident_code = %s where patient_id = %s returning 1", code, patient)
    desk.ask(
        "insert into device (organisation_id, site_id, code, kind, lane) select organisation_id, site_id, "
        "%s, 'monitor', 0 from patient where patient_id = %s returning 1",
        shared(desk),
        desk.ward.patients[0],
    )
    return desk


def shared(desk: Desk) -> str:
    return f"{desk.ward.devices[0]}-shared"


def send(home: Desk, minutes: float, **more: object) -> Outcome:
    message = home.message(0, minutes, PULSE, **more)
    message.sender, message.topic = shared(home), f"homeward/v1/0/{shared(home)}/observations"
    return home.write(message)


def reasons(home: Desk) -> list[tuple[str, str]]:
    return [(reason, detail) for reason, detail in home.ask("select reason, detail from quarantine order by 1")]


def test_each_set_is_its_resident_s(home: Desk) -> None:
    for minutes, code in ((1, "BED-0001"), (2, "BED-0002"), (3, "BED-0001")):
        assert send(home, minutes, resident=code).stored.sum() == 1
    assert [row[0] for row in home.stored()] == sorted([home.ward.patients[0]] * 2 + [home.ward.patients[1]])
    assert reasons(home) == []


def test_a_code_that_nobody_has_is_not_guessed(home: Desk) -> None:
    for minutes, code in enumerate(("BED-9999", "", "bed-0001", "x\0y", "'; drop table patient; --")):
        assert send(home, minutes, resident=code).stored.sum() == 0
    assert {reason for reason, _ in reasons(home)} == {"unassigned"}
    assert send(home, 9).stored.sum() == 0  # nor is a set that names nobody


def test_a_code_given_since_the_registry_was_read_counts_at_once(home: Desk) -> None:
    assert send(home, 1, resident="BED-0001").stored.sum() == 1
    home.ask("update patient set resident_code = 'BED-0003' where patient_id = %s returning 1", home.ward.patients[2])
    assert send(home, 2, resident="BED-0003").stored.sum() == 1


def test_a_device_speaks_for_residents_of_the_place_where_it_was_then(home: Desk) -> None:
    home.ask(
        "insert into site (organisation_id, name, kind) select organisation_id, 'Elsewhere', 'ward' from device "
        "where code = %s returning 1",
        shared(home),
    )
    device = home.ask("select device_id from device where code = %s", shared(home))[0][0]
    # moved ten minutes into the test's hour
    home.ask(
        "update device_placement set during = tstzrange(null, %s) where device_id = %s returning 1", home.at(10), device
    )
    home.ask(
        "insert into device_placement (organisation_id, device_id, site_id, during) "
        "select organisation_id, %s, site_id, tstzrange(%s, null) from site where name = 'Elsewhere' returning 1",
        device,
        home.at(10),
    )
    home.keeper.read_again()
    assert send(home, 9, resident="BED-0001").stored.sum() == 1
    assert send(home, 11, resident="BED-0001").stored.sum() == 0
    assert "lived where it was" in reasons(home)[0][1]


def test_another_organisation_s_code_is_nobody_s(home: Desk, make_desk: Callable[..., Desk]) -> None:
    other = make_desk()
    other.ask("update patient set resident_code = 'FAR-0001' where patient_id = %s returning 1", other.ward.patients[0])
    home.keeper.read_again()
    assert send(home, 1, resident="FAR-0001").stored.sum() == 0


def test_a_code_against_the_assignment_is_a_contradiction(home: Desk) -> None:
    own = home.message(1, 1, PULSE, resident="BED-0002")
    assert home.write(own).stored.sum() == 1  # the device's own person, named as well
    other = home.message(1, 2, PULSE, resident="BED-0001")
    assert home.write(other).stored.sum() == 0
    assert [reason for reason, _ in reasons(home)] == ["contradictory"]
    unknown = home.message(1, 3, PULSE, resident="BED-9999")
    assert home.write(unknown).stored.sum() == 0
